//! How fast the store is here and now. Not a test of anything: it prints, where it is asked to, by
//! `cargo test --release --test store -- speed --ignored --nocapture`.

use std::time::Instant;

use futures_util::future::join_all;
use switchback::{
    domain::{AgentId, Outcome},
    store::Actor,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    history::AT,
    support::{Fixture, Followed, phone, touch},
};

const TOUCHES: u64 = 1_000_000;
const A_WRITE: u64 = 1000;

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

#[test]
#[ignore = "prints figures"]
fn a_million_touches() {
    let mut fixture = Fixture::open(TempDir::new().unwrap());
    fixture.feed = None;
    let tenant = fixture.done(|tx| Ok(tx.create_tenant("acme")?.tenant.id));
    let agent = AgentId(Uuid::from_u128(1));
    let tell = move |from: u64| {
        (from..from + A_WRITE)
            .map(|n| {
                // Two touches a contact, scattered.
                let contact = phone(1000 + n.wrapping_mul(0x9E37_79B9) % (TOUCHES / 2));
                let id = Uuid::new_v5(&Uuid::nil(), &n.to_be_bytes()).as_u128();
                touch(tenant, id, contact, agent, phone(n % 50), AT + n, Outcome::NoAnswer)
            })
            .collect::<Vec<_>>()
    };
    let started = now();
    for from in (0..TOUCHES).step_by(usize::try_from(A_WRITE).unwrap()) {
        fixture.done(move |tx| tx.merge_touches(tenant, tell(from)));
    }
    let took = started.elapsed();
    println!("{TOUCHES} touches merged, {A_WRITE} a write: {took:.1?}");

    fixture = Fixture::open(fixture.closed());
    let started = now();
    let heads = fixture.read(|rows| rows.heads());
    let mut followed = Followed::new();
    followed.until(fixture.feed.as_mut().unwrap(), heads);
    println!("loaded into an index: {:.2?}", started.elapsed());
    fixture.feed = None;

    let started = now();
    for n in 0..200 {
        fixture.done(move |tx| tx.create_tenant(&format!("one {n}")));
    }
    println!("a write alone: {:.2?}", started.elapsed() / 200);
    let started = now();
    let writes = (0..4000).map(|n| {
        fixture.store.write(Actor::default(), move |tx| tx.create_tenant(&format!("many {n}")))
    });
    assert!(fixture.wait(join_all(writes)).iter().all(Result::is_ok));
    println!("4000 writes at once: {:.1?}", started.elapsed());
}

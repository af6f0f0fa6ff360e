//! Kill -9 at random moments, and an oracle that knows what was acknowledged.
//!
//! A child process, this binary again, writes without end and says what was acknowledged; the
//! parent kills it, opens the store and looks. It proves what survives the *process*: see the
//! crate's first lines for what it does not prove.

use std::{
    io::{BufRead, BufReader},
    ops::Range,
    process::{Command, Stdio},
    time::Duration,
};

use switchback::{
    domain::{
        AgentId, Ani, Attestation, Direction, InboundCall, NumberId, Outcome, RouteReason,
        TenantId, UnixSeconds,
    },
    routing::decide,
    store::{Actor, Rows, Settings, Sharing, Store, Tx, WriteError},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    group::chain_holds,
    history::AT,
    support::{Arrange, Fixture, Followed, path, phone, touch},
};

/// Kills in every run of the tests; `SWITCHBACK_KILLS` says more.
const KILLS: u64 = 10;
/// Kills one store goes through: it grows, and so does the time to look at all of it.
const KILLS_A_STORE: u64 = 50;
/// Writers of touches at once, so that commits are shared.
const TELLERS: usize = 4;
const CONTACTS: u64 = 20;
const DESKS: u64 = 4;

/// What both processes know by name. Ids are given once and read back by name.
#[derive(Clone)]
struct World {
    tenant: TenantId,
    number: NumberId,
    sources: Vec<AgentId>,
    desks: Vec<AgentId>,
    front: AgentId,
}

/// How many writes of each kind were acknowledged or found. What a write does follows from its
/// number alone.
#[derive(Clone, Debug, Default)]
struct Done {
    roles: u64,
    pairs: u64,
    touches: [u64; TELLERS],
}

fn create(tx: &mut Tx<'_>) -> Result<(), WriteError> {
    let tenant = tx.create_tenant("acme")?.tenant.id;
    let number = tx.line(tenant, phone(0));
    let front = tx.live(tenant, Direction::Inbound, "front").agent.id;
    tx.attach(tenant, front, number);
    for n in 0..2 {
        tx.live(tenant, Direction::Outbound, &format!("source {n}"));
    }
    for n in 0..DESKS {
        tx.live(tenant, Direction::Inbound, &format!("desk {n}"));
    }
    Ok(())
}

fn find(rows: &Rows<'_>) -> Result<World, WriteError> {
    let tenant = rows.tenant_by_name("acme")?.unwrap().tenant.id;
    let named = |name: &str| rows.agents_named(tenant, name).unwrap()[0].agent.id;
    Ok(World {
        tenant,
        number: rows.number_by_e164(tenant, phone(0))?[0].id,
        sources: (0..2).map(|n| named(&format!("source {n}"))).collect(),
        desks: (0..DESKS).map(|n| named(&format!("desk {n}"))).collect(),
        front: named("front"),
    })
}

/// Turns a desk on or off: the role over its source and the number, both or none.
fn role(tx: &mut Tx<'_>, world: &World, n: u64) -> Result<(), WriteError> {
    let (tenant, number) = (world.tenant, world.number);
    let desk = world.desks[usize::try_from(n % DESKS).unwrap()];
    if is_turned_on(n) {
        tx.callback(tenant, desk, &[source_of(world, n % DESKS)]);
        tx.attach_number(tenant, desk, number, Sharing::Allowed)?;
    } else {
        tx.remove_callback(tenant, desk)?;
        tx.detach_number(tenant, desk, number)?;
    }
    Ok(())
}

fn is_turned_on(n: u64) -> bool {
    (n / DESKS).is_multiple_of(2)
}

fn source_of(world: &World, desk: u64) -> AgentId {
    world.sources[usize::try_from(desk % 2).unwrap()]
}

/// Two numbers, both or none.
fn pair(tx: &mut Tx<'_>, world: &World, n: u64) {
    tx.line(world.tenant, phone(100_000 + 2 * n));
    tx.line(world.tenant, phone(100_001 + 2 * n));
}

/// A new touch, and next a better end of the same.
fn tell(tx: &mut Tx<'_>, world: &World, teller: u64, n: u64) -> Result<(), WriteError> {
    let id = touch_id(teller, n / 2);
    let (contact, source) = (phone(1000 + id % CONTACTS), source_of(world, id / CONTACTS));
    let outcome = if n.is_multiple_of(2) { Outcome::Pending } else { Outcome::NoAnswer };
    let told = touch(world.tenant, u128::from(id), contact, source, phone(0), AT + id, outcome);
    tx.merge_touches(world.tenant, vec![told])?;
    Ok(())
}

fn touch_id(teller: u64, n: u64) -> u64 {
    n * TELLERS as u64 + teller + 1
}

#[expect(clippy::disallowed_methods, reason = "how this binary speaks to itself")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The process that is killed.
#[test]
#[ignore = "run by `no_acknowledged_write_is_lost`, which kills it"]
fn child() {
    let (Some(path), Some(done)) = (told("STORE_PATH"), told("STORE_DONE")) else { return };
    let numbers: Vec<u64> = done.split(' ').map(|n| n.parse().unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, feed) = Store::open(&Settings::at(path)).unwrap();
    // Nobody follows in this process.
    drop(feed);
    let world = runtime.block_on(store.read(find)).unwrap();
    let roles = endless("role", numbers[0], |n| {
        let (store, world) = (store.clone(), world.clone());
        async move { store.write(Actor::default(), move |tx| role(tx, &world, n)).await.unwrap() }
    });
    let pairs = endless("pair", numbers[1], |n| {
        let (store, world) = (store.clone(), world.clone());
        let write = move |tx: &mut Tx<'_>| {
            pair(tx, &world, n);
            Ok(())
        };
        async move { store.write(Actor::default(), write).await.unwrap() }
    });
    let tellers = (0_u64..).zip(TELLER_NAMES).zip(&numbers[2..]).map(|((teller, name), &from)| {
        let (store, world) = (store.clone(), world.clone());
        endless(name, from, move |n| {
            let (store, world) = (store.clone(), world.clone());
            let write = move |tx: &mut Tx<'_>| tell(tx, &world, teller, n);
            async move { store.write(Actor::default(), write).await.unwrap() }
        })
    });
    let tellers = futures_util::future::join_all(tellers);
    runtime.block_on(async { tokio::join!(roles, pairs, tellers) });
}

const TELLER_NAMES: [&str; TELLERS] = ["touch0", "touch1", "touch2", "touch3"];

/// Writes number after number and says of each that it was acknowledged.
async fn endless<T, F: Future<Output = T>>(name: &str, from: u64, write: impl Fn(u64) -> F) {
    for n in from.. {
        write(n).await;
        println!("ack {name} {n}");
    }
}

/// Lets a child write until it is killed; answers what it acknowledged.
fn run_and_kill(folder: &TempDir, done: &Done, after: Duration) -> Done {
    let numbers: Vec<String> =
        [done.roles, done.pairs].iter().chain(&done.touches).map(ToString::to_string).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kills::child", "--exact", "--ignored", "--nocapture"])
        .env("STORE_PATH", path(folder))
        .env("STORE_DONE", numbers.join(" "))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader =
        std::thread::spawn(move || output.split(b'\n').map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut acknowledged = done.clone();
    for line in reader.join().unwrap() {
        let line = String::from_utf8_lossy(&line);
        let Some((_, said)) = line.split_once("ack ") else { continue };
        // The last line may be cut: then nobody was told.
        let Some((name, Ok(n))) = said.split_once(' ').map(|(name, n)| (name, n.parse::<u64>()))
        else {
            continue;
        };
        match TELLER_NAMES.iter().position(|known| *known == name) {
            Some(teller) => acknowledged.touches[teller] = n + 1,
            None if name == "role" => acknowledged.roles = n + 1,
            None if name == "pair" => acknowledged.pairs = n + 1,
            None => {}
        }
    }
    acknowledged
}

/// Looks what there is: each writer's acknowledged writes, from `since` on, and at most the one
/// that was under way.
fn check(fixture: &Fixture, world: &World, since: &Done, acknowledged: &Done) -> Done {
    let found = Done {
        roles: found_roles(fixture, world, acknowledged.roles),
        pairs: found_pairs(fixture, world, since.pairs..acknowledged.pairs),
        touches: std::array::from_fn(|teller| {
            let range = since.touches[teller]..acknowledged.touches[teller];
            found_touches(fixture, world, teller as u64, range)
        }),
    };
    assert!(chain_holds(fixture), "the log has no gap and its chain leads to the head");
    found
}

fn found_roles(fixture: &Fixture, world: &World, acknowledged: u64) -> u64 {
    let world = world.clone();
    let is_on: Vec<bool> = fixture.read(move |rows| {
        let mut is_on = Vec::new();
        for &desk in &world.desks {
            let record = rows.agent(world.tenant, desk)?.unwrap();
            let owns = record.numbers == [world.number];
            assert_eq!(record.agent.callback.is_some(), owns, "half a write");
            is_on.push(owns);
        }
        Ok(is_on)
    });
    let after = |count: u64| -> Vec<bool> {
        let mut expected = vec![false; is_on.len()];
        for n in count.saturating_sub(2 * DESKS)..count {
            expected[usize::try_from(n % DESKS).unwrap()] = is_turned_on(n);
        }
        expected
    };
    let mut possible = acknowledged..acknowledged + 2;
    possible.find(|&count| after(count) == is_on).unwrap_or_else(|| {
        panic!("{acknowledged} roles acknowledged, found {is_on:?}");
    })
}

fn found_pairs(fixture: &Fixture, world: &World, acknowledged: Range<u64>) -> u64 {
    let tenant = world.tenant;
    let is_there = |n: u64| {
        fixture.read(move |rows| {
            let first = rows.number_by_e164(tenant, phone(100_000 + 2 * n))?.len();
            let second = rows.number_by_e164(tenant, phone(100_001 + 2 * n))?.len();
            assert_eq!(first, second, "half a write");
            Ok(first == 1)
        })
    };
    for n in acknowledged.clone() {
        assert!(is_there(n), "pair {n} was acknowledged");
    }
    let next = acknowledged.end;
    assert!(!is_there(next + 1), "nobody wrote that far");
    next + u64::from(is_there(next))
}

fn found_touches(fixture: &Fixture, world: &World, teller: u64, acknowledged: Range<u64>) -> u64 {
    let tenant = world.tenant;
    let outcome = |n: u64| {
        let id = switchback::domain::TouchId(Uuid::from_u128(u128::from(touch_id(teller, n / 2))));
        fixture.read(move |rows| Ok(rows.touch(tenant, id)?.map(|row| row.outcome())))
    };
    let is_there = |n: u64| match outcome(n) {
        Some(Outcome::Pending) => n.is_multiple_of(2),
        Some(_) => true,
        None => false,
    };
    for n in acknowledged.clone() {
        assert!(is_there(n), "touch {n} of {teller} was acknowledged");
    }
    acknowledged.end + u64::from(is_there(acknowledged.end))
}

/// Asks an index that was loaded from the store for every person's return call.
fn check_decisions(fixture: &mut Fixture, world: &World, found: &Done) {
    let heads = fixture.read(|rows| rows.heads());
    let mut followed = Followed::new();
    followed.until(&mut fixture.feed.take().unwrap(), heads);
    let view = followed.view();
    // Touches of the future would not count.
    let now = UnixSeconds(AT + touch_id(0, found.touches.iter().copied().max().unwrap_or(0)));
    for contact in (0..CONTACTS).map(|n| phone(1000 + n)) {
        let call = InboundCall {
            account: None,
            dnis: Some(phone(0)),
            ani: Ani::Number(contact),
            forwarded_from: None,
            attestation: Attestation::None,
        };
        let decision = decide(&view, &call, now.millis());
        let decided = (decision.reason, decision.agent.map(|agent| agent.id));
        let expected = match returned_to(world, found, contact) {
            Some(desk) => (RouteReason::Callback, Some(desk)),
            None => (RouteReason::Default, Some(world.front)),
        };
        assert_eq!(decided, expected, "{found:?}");
    }
}

/// Who takes a person's return call, by the numbers of the writes alone.
fn returned_to(world: &World, found: &Done, contact: switchback::domain::E164) -> Option<AgentId> {
    let tellers = (0_u64..).zip(&found.touches);
    let told = tellers
        .flat_map(|(teller, &count)| (0..count.div_ceil(2)).map(move |n| touch_id(teller, n)));
    let of_contact = told.filter(|id| phone(1000 + id % CONTACTS) == contact);
    // Newest first; of each source only the newest counts.
    let mut touches: Vec<u64> = of_contact.collect();
    touches.sort_unstable_by(|a, b| b.cmp(a));
    // A desk that is on was turned on by the latest of its own writes: lower has held it longer.
    let held_by = |source: AgentId| {
        let latest = found.roles.saturating_sub(DESKS)..found.roles;
        let mut on = latest.filter(|&n| is_turned_on(n) && source_of(world, n % DESKS) == source);
        on.next().map(|n| world.desks[usize::try_from(n % DESKS).unwrap()])
    };
    touches.into_iter().find_map(|id| held_by(source_of(world, id / CONTACTS)))
}

#[test]
fn no_acknowledged_write_is_lost() {
    let mut left = told("SWITCHBACK_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    while left > 0 {
        let kills = left.min(KILLS_A_STORE);
        left -= kills;
        let done = outlive(kills);
        println!("{kills} kills, {left} to go: {done:?}");
        assert!(kills < KILLS || done.pairs > 0, "nothing was written");
    }
}

/// Kills a process so many times over one store; answers what was written meanwhile.
fn outlive(kills: u64) -> Done {
    let mut fixture = Fixture::new();
    fixture.done(create);
    let world = fixture.read(find);
    let mut done = Done::default();
    for kill in 1..=kills {
        let folder = fixture.closed();
        // From before the store is open to well within the work.
        let after = Duration::from_millis(rand::random_range(5..250));
        let acknowledged = run_and_kill(&folder, &done, after);
        fixture = Fixture::open(folder);
        // At the end everything from the first write on is looked at again.
        let since = if kill == kills { Done::default() } else { done };
        done = check(&fixture, &world, &since, &acknowledged);
        check_decisions(&mut fixture, &world, &done);
    }
    done
}

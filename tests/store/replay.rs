//! An index that followed every entry equals one that is loaded afresh.

use proptest::prelude::*;
use switchback::{
    domain::{
        AccountId, Ani, Attestation, Decision, InboundCall, Target, TenantId, Touch, UnixSeconds,
    },
    index::View,
    routing::{decide, explain},
    store::Heads,
};

use crate::{
    history::{AT, PHONES, World, histories, history},
    snapshots::{never, often, written},
    support::{Fixture, Followed, phone},
};

/// Everything an index can be asked, by value.
#[derive(Debug, PartialEq)]
struct Answers {
    agents: Vec<String>,
    numbers: Vec<String>,
    contacts: Vec<Vec<Touch>>,
    decisions: Vec<(String, Vec<Target>, Option<Touch>)>,
}

fn answers(view: &View<'_>, tenants: &[TenantId]) -> Answers {
    let mut numbers: Vec<_> = view.numbers().map(|number| format!("{number:?}")).collect();
    numbers.sort();
    let owners = view.numbers().flat_map(|number| number.owners.iter());
    let mut agents: Vec<_> = owners
        .filter_map(|owner| view.agent(owner.agent))
        .map(|agent| format!("{agent:?}"))
        .collect();
    agents.sort();
    let people = [100, 101];
    let contacts = tenants.iter().flat_map(|&tenant| {
        people.map(|person| {
            let mut kept = view.contact(tenant, phone(person)).to_vec();
            kept.sort_by_key(|touch| (touch.at, touch.id));
            kept
        })
    });
    let contacts = contacts.collect();
    let mut decisions = Vec::new();
    let accounts = ["shared", "spare", "first's", "second's"].map(AccountId::of_name);
    for account in accounts.into_iter().map(Some).chain([None]) {
        for dnis in (0..PHONES).map(phone) {
            for ani in people {
                let ani = Ani::Number(phone(ani));
                let attestation = Attestation::None;
                let call = InboundCall {
                    account,
                    dnis: Some(dnis),
                    ani,
                    forwarded_from: None,
                    attestation,
                };
                let now = UnixSeconds(AT + 3600).millis();
                let live = shown(&decide(view, &call, now));
                assert_eq!(live, shown(&explain(view, &call, now).0));
                decisions.push(live);
            }
        }
    }
    Answers { agents, numbers, contacts, decisions }
}

fn shown(decision: &Decision<'_>) -> (String, Vec<Target>, Option<Touch>) {
    let agent = decision.agent.map(|agent| agent.id);
    let line =
        format!("{:?} {:?} {agent:?} {}", decision.verdict, decision.reason, decision.unmatched);
    (line, decision.targets.to_vec(), decision.touch)
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn following_equals_loading(steps in history(120)) {
        let mut fixture = Fixture::followed();
        let mut feed = fixture.feed.take().unwrap();
        let mut followed = Followed::new();
        followed.until(&mut feed, Heads::default());
        let mut world = World::begin(&fixture);
        for step in &steps {
            let _ = world.run(&fixture, step);
            let heads = fixture.read(|rows| rows.heads());
            followed.until(&mut feed, heads);
        }
        let heads = fixture.read(|rows| rows.heads());
        drop(feed);
        let mut fixture = fixture.reopened();
        let mut loaded = Followed::new();
        let mut feed = fixture.feed.take().unwrap();
        loaded.until(&mut feed, heads);
        prop_assert_eq!(loaded.heads(), Some(heads));
        prop_assert_eq!(
            answers(&followed.view(), &world.tenants),
            answers(&loaded.view(), &world.tenants)
        );
        prop_assert!(crate::group::chain_holds(&fixture));
    }

    /// The file is of any moment of the history, and written while it goes on.
    #[test]
    fn a_start_from_a_snapshot_equals_loading(
        before in history(60),
        during in history(10),
        after in history(40),
    ) {
        let (mut fixture, _, applied) = Fixture::filled(Fixture::new().closed(), often());
        let mut world = World::begin(&fixture);
        for step in before.iter().chain(&during) {
            let _ = world.run(&fixture, step);
        }
        written(&fixture, 0);
        drop(applied);
        let (next, ..) = Fixture::filled(fixture.closed(), never());
        fixture = next;
        for step in &after {
            let _ = world.run(&fixture, step);
        }
        let heads = fixture.read(|rows| rows.heads());
        let (fixture, index, _) = Fixture::filled(fixture.closed(), never());
        let mut fixture = fixture.reopened();
        let mut loaded = Followed::new();
        let mut feed = fixture.feed.take().unwrap();
        loaded.until(&mut feed, heads);
        prop_assert_eq!(
            answers(&index.view(), &world.tenants),
            answers(&loaded.view(), &world.tenants)
        );
    }
}

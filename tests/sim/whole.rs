//! Readers beside a writer see every entry whole.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use switchback::domain::{
    Agent, AgentState, Ani, Attestation, Callback, Direction, InboundCall, Number, NumberId,
    Outcome, OutcomeSet, Owner, RouteReason, Target, Tenant, TenantSettings, Touch, TouchId,
    UnixMillis, UnixSeconds,
};
use switchback::index::{Delta, Index};
use switchback::routing::decide;
use uuid::Uuid;

use super::world::{NOON, account_id, agent_id, phone, tenant_id};

const ENTRIES: usize = 20_000;
const SOURCE: usize = 2;

fn agent(n: usize, callback: bool, said: &str) -> Delta {
    let callback = callback.then(|| Callback {
        sources: vec![agent_id(SOURCE)],
        window_days: None,
        trigger_outcomes: OutcomeSet::ALL,
        since: 1,
    });
    Delta::Agent(Agent {
        id: agent_id(n),
        tenant: tenant_id(0),
        name: format!("agent {n}"),
        direction: if n == SOURCE { Direction::Outbound } else { Direction::Inbound },
        state: AgentState::Live,
        targets: vec![Target::Say(said.to_owned())],
        callback,
        runtime_parameters: vec![],
        first_audio_timeout_ms: None,
        min_attestation: None,
        context_min_attestation: None,
        runtime_media: None,
    })
}

/// The role, the number, the agents' targets and the tenant's fallback all move together.
fn entry(n: usize) -> Vec<Delta> {
    let (holder, other) = (n % 2, 1 - n % 2);
    let said = n.to_string();
    let settings = TenantSettings { fallback_agent: Some(agent_id(other)), ..Default::default() };
    vec![
        Delta::Number(Number {
            id: NumberId(Uuid::from_u128(1)),
            tenant: tenant_id(0),
            account: account_id(0),
            e164: phone(5),
            passthrough: None,
            owners: vec![Owner { agent: agent_id(holder), attached: n as u64, claim: None }],
        }),
        agent(other, false, &said),
        Delta::Tenant(Tenant { id: tenant_id(0), name: said.clone(), settings }),
        agent(holder, true, &said),
    ]
}

fn touch() -> Delta {
    Delta::Touches(vec![Touch {
        id: TouchId(Uuid::from_u128(1)),
        tenant: tenant_id(0),
        contact: phone(0),
        agent: agent_id(SOURCE),
        caller_id: phone(5),
        at: UnixSeconds(NOON),
        outcome: Outcome::NoAnswer,
    }])
}

/// One look, twice: as decisions, and as rows.
fn look(index: &Index) -> usize {
    let view = index.view();
    let call = InboundCall {
        account: account_id(0),
        dnis: Some(phone(5)),
        ani: Ani::Number(phone(0)),
        forwarded_from: None,
        attestation: Attestation::None,
    };
    let now = UnixMillis((NOON + 60) * 1000);
    let returned = decide(&view, &call, now);
    let stranger = decide(&view, &InboundCall { ani: Ani::Withheld, ..call }, now);
    let entry: usize = returned.tenant.unwrap().name.parse().unwrap();
    let holder = agent_id(entry % 2);
    assert_eq!(returned.reason, RouteReason::Callback);
    assert_eq!(stranger.reason, RouteReason::Default);
    for decision in [returned, stranger] {
        assert_eq!(decision.agent.unwrap().id, holder);
        assert_eq!(decision.targets, [Target::Say(entry.to_string())]);
    }
    assert!(stranger.unmatched);
    let other = view.agent(returned.tenant.unwrap().settings.fallback_agent.unwrap()).unwrap();
    assert_eq!(other.targets, [Target::Say(entry.to_string())]);
    entry
}

#[test]
fn a_change_is_never_seen_in_part() {
    let (index, mut writer) = Index::new(None);
    writer.apply(&[agent(SOURCE, false, "source")]);
    writer.apply(&[touch()]);
    writer.apply(&entry(0));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let entry = look(&index);
                    assert!(entry >= last, "{entry} after {last}");
                    last = entry;
                }
            });
        }
        // One view is held for long: the writer goes on.
        let held = index.view();
        for n in 1..=ENTRIES {
            writer.apply(&entry(n));
            if n % 100 == 0 {
                writer.apply(&[touch()]);
            }
        }
        assert_eq!(held.tenant(tenant_id(0)).unwrap().name, "0");
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(look(&index), ENTRIES);
}

//! What the hot path may cost: a decision allocates nothing, however much there is to look at.

#![expect(unsafe_code, reason = "a counting allocator has to be one")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use switchback::domain::{
    AccountId, Agent, AgentId, AgentState, Ani, Attestation, BelowMin, Callback, Direction, E164,
    InboundCall, Number, NumberId, Outcome, OutcomeSet, Owner, REMEMBERED_MAX, RouteReason, Target,
    Tenant, TenantId, TenantSettings, Touch, TouchId, UnixMillis, UnixSeconds,
};
use switchback::index::{Delta, Index};
use switchback::routing::decide;
use uuid::Uuid;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const ACCOUNT: AccountId = AccountId(Uuid::from_u128(2));
const NOW: u64 = 1_700_000_000;
const CALLBACK_AGENTS: u128 = 100;
const CALLED: u64 = 14_155_550_100;
const STRANGER: u64 = 14_155_550_101;
const BLOCKED: u64 = 14_155_550_102;
const OWNED: u64 = 14_155_550_200;
const PASSED_ON: u64 = 14_155_550_201;
const NOBODYS: u64 = 14_155_550_202;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the same promise to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn number(value: u64) -> E164 {
    E164::from_u64(value).unwrap()
}

fn agent(id: u128, callback: Option<Callback>) -> Delta {
    Delta::Agent(Agent {
        id: AgentId(Uuid::from_u128(id)),
        tenant: TENANT,
        name: format!("agent {id}"),
        direction: Direction::Inbound,
        state: AgentState::Live,
        targets: vec![Target::Busy],
        callback,
        runtime_parameters: vec![],
        first_audio_timeout_ms: None,
        min_attestation: None,
        context_min_attestation: None,
        runtime_media: None,
    })
}

/// Source agents 1 to 8, callback agents from 1001 on over all of them.
fn callback_agent(n: u128) -> Delta {
    let sources = (1..=8).map(|id| AgentId(Uuid::from_u128(id))).collect();
    let callback =
        Callback { sources, window_days: None, trigger_outcomes: OutcomeSet::ALL, since: 7 };
    agent(1000 + n, Some(callback))
}

fn owned(e164: u64, passthrough: Option<Target>, owners: u128) -> Delta {
    let owner =
        |n| Owner { agent: AgentId(Uuid::from_u128(1000 + n)), attached: 1, claim: Some(1) };
    Delta::Number(Number {
        id: NumberId(Uuid::from_u128(u128::from(e164))),
        tenant: TENANT,
        account: Some(ACCOUNT),
        e164: number(e164),
        passthrough,
        owners: (1..=owners).map(owner).collect(),
    })
}

fn touch(n: u128) -> Touch {
    Touch {
        id: TouchId(Uuid::from_u128(n)),
        tenant: TENANT,
        contact: number(CALLED),
        agent: AgentId(Uuid::from_u128(n)),
        caller_id: number(OWNED),
        at: UnixSeconds(NOW - 60),
        outcome: Outcome::NoAnswer,
    }
}

fn index() -> Index {
    let settings = TenantSettings {
        min_attestation: Attestation::C,
        below_min: BelowMin::AsWithheld,
        fallback_agent: Some(AgentId(Uuid::from_u128(1))),
        block_list: vec![number(BLOCKED)],
        ..TenantSettings::default()
    };
    let tenant = Tenant { id: TENANT, name: "tenant".to_owned(), settings };
    let mut deltas = vec![Delta::Tenant(tenant)];
    deltas.extend((1..=8).map(|id| agent(id, None)));
    deltas.extend((1..=CALLBACK_AGENTS).map(callback_agent));
    deltas.push(owned(OWNED, None, CALLBACK_AGENTS));
    deltas.push(owned(PASSED_ON, Some(Target::Reject), CALLBACK_AGENTS));
    deltas.push(owned(NOBODYS, None, 0));
    deltas.push(Delta::Touches((1..=8).map(touch).collect()));
    let (index, mut writer) = Index::new(None);
    writer.apply(&deltas);
    index
}

#[track_caller]
fn check(index: &Index, ani: Ani, dnis: u64, attestation: Attestation, reason: RouteReason) {
    let call = InboundCall {
        account: Some(ACCOUNT),
        dnis: E164::from_u64(dnis),
        ani,
        forwarded_from: None,
        attestation,
    };
    let before = ALLOCATIONS.get();
    let view = index.view();
    let decision = decide(&view, &call, UnixMillis(NOW * 1000));
    let allocated = ALLOCATIONS.get() - before;
    assert_eq!(decision.reason, reason);
    assert_eq!(allocated, 0, "{reason}");
}

#[test]
fn a_decision_allocates_nothing() {
    let index = index();
    // A thread's first look registers the thread.
    let remembered = index.view().contact(TENANT, number(CALLED));
    assert_eq!(remembered.len(), REMEMBERED_MAX);
    assert!(ALLOCATIONS.get() > 0, "nothing is counted");

    let (called, stranger) = (Ani::Number(number(CALLED)), Ani::Number(number(STRANGER)));
    let blocked = Ani::Number(number(BLOCKED));
    check(&index, called, OWNED, Attestation::A, RouteReason::Callback);
    check(&index, called, PASSED_ON, Attestation::A, RouteReason::Callback);
    check(&index, called, OWNED, Attestation::None, RouteReason::Default);
    check(&index, called, NOBODYS, Attestation::A, RouteReason::Fallback);
    check(&index, stranger, OWNED, Attestation::A, RouteReason::Default);
    check(&index, stranger, PASSED_ON, Attestation::A, RouteReason::Passthrough);
    check(&index, blocked, OWNED, Attestation::A, RouteReason::Blocked);
    check(&index, Ani::Withheld, OWNED, Attestation::A, RouteReason::Default);
    check(&index, called, STRANGER, Attestation::A, RouteReason::UnknownNumber);
}

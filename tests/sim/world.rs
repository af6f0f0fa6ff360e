//! A small universe as the store would keep it: rows, edits, and the deltas each edit logs.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use switchback::domain::{
    AccountId, Agent, AgentId, AgentState, Ani, Attestation, BelowMin, Callback, Direction, E164,
    InboundCall, Number, NumberId, Outcome, OutcomeSet, Owner, Target, Tenant, TenantId,
    TenantSettings, Touch, TouchId, UnixMillis, UnixSeconds,
};
use switchback::index::Delta;
use uuid::Uuid;

pub(crate) const TENANTS: usize = 2;
pub(crate) const ACCOUNTS: usize = 2;
pub(crate) const AGENTS: usize = 8;
/// Numbers in play: people and our own, so that agents call agents.
pub(crate) const PHONES: usize = 6;
/// Calls come around this time, touches lie before it.
pub(crate) const NOON: u64 = 1_700_000_000;
/// The numbers there may be: one E.164 at two accounts, one at an account and at none.
const LINES: [Line; 4] = [(0, 4), (1, 4), (0, 5), (ACCOUNTS, 5)];

/// Everything there is, in plain lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) numbers: Vec<Number>,
    /// Every touch ever merged, none forgotten.
    pub(crate) touches: Vec<Touch>,
    seq: u64,
}

/// One edit.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Settings(usize, TenantSettings),
    Agent {
        agent: usize,
        direction: Direction,
        state: AgentState,
        targets: Vec<Target>,
        least: Option<Attestation>,
    },
    Role {
        agent: usize,
        sources: Vec<usize>,
        window_days: Option<u32>,
        outcomes: OutcomeSet,
    },
    RemoveRole(usize),
    RemoveAgent(usize),
    Number {
        at: Line,
        tenant: usize,
        passthrough: Option<Target>,
        owners: Vec<(usize, bool)>,
    },
    /// To another account; the number stays the same.
    MoveNumber(Line, Line),
    RemoveNumber(Line),
    Touch {
        id: u8,
        agent: usize,
        contact: usize,
        caller_id: usize,
        at: u64,
        outcome: Outcome,
    },
    Erase {
        tenant: usize,
        contact: usize,
    },
}

/// A number's key: the account (the last index is "none") and the phone.
pub(crate) type Line = (usize, usize);

pub(crate) fn tenant_id(n: usize) -> TenantId {
    TenantId(Uuid::from_u128(0x1000 + n as u128))
}

pub(crate) fn account_id(n: usize) -> Option<AccountId> {
    (n < ACCOUNTS).then(|| AccountId(Uuid::from_u128(0x2000 + n as u128)))
}

pub(crate) fn agent_id(n: usize) -> AgentId {
    AgentId(Uuid::from_u128(0x3000 + n as u128))
}

pub(crate) fn phone(n: usize) -> E164 {
    E164::from_u64(14_155_550_100 + n as u64).unwrap()
}

impl World {
    /// Two tenants with nothing.
    pub(crate) fn new() -> Self {
        let tenant = |n| Tenant {
            id: tenant_id(n),
            name: format!("tenant {n}"),
            settings: TenantSettings::default(),
        };
        Self { tenants: (0..TENANTS).map(tenant).collect(), ..Self::default() }
    }

    /// Carries out an edit as the store would, and returns what it logs of the control stream and
    /// of the touches stream.
    pub(crate) fn edit(&mut self, edit: Edit) -> (Vec<Delta>, Vec<Delta>) {
        self.seq += 1;
        match edit {
            Edit::Settings(tenant, settings) => {
                let tenant = &mut self.tenants[tenant];
                tenant.settings = settings;
                (vec![Delta::Tenant(tenant.clone())], vec![])
            }
            Edit::Agent { agent, direction, state, targets, least } => {
                (vec![self.put_agent(agent, direction, state, targets, least)], vec![])
            }
            Edit::Role { agent, sources, window_days, outcomes } => {
                (self.put_role(agent, &sources, window_days, outcomes), vec![])
            }
            Edit::RemoveRole(n) => {
                let found = self.agents.iter_mut().find(|agent| agent.id == agent_id(n));
                let Some(agent) = found else { return Default::default() };
                agent.callback = None;
                (vec![Delta::Agent(agent.clone())], vec![])
            }
            Edit::RemoveAgent(agent) => (self.remove_agent(agent_id(agent)), vec![]),
            Edit::Number { at, tenant, passthrough, owners } => {
                (self.put_number(at, tenant, passthrough, &owners), vec![])
            }
            Edit::MoveNumber(from, to) => {
                let is_free = self.number_at(to).is_none();
                let Some(place) = self.number_at(from).filter(|_| is_free) else {
                    return Default::default();
                };
                let number = &mut self.numbers[place];
                (number.account, number.e164) = (account_id(to.0), phone(to.1));
                (vec![Delta::Number(number.clone())], vec![])
            }
            Edit::RemoveNumber(at) => {
                let Some(place) = self.number_at(at) else { return Default::default() };
                (vec![Delta::NumberRemoved(self.numbers.remove(place).id)], vec![])
            }
            Edit::Touch { id, agent, contact, caller_id, at, outcome } => {
                let touch = Touch {
                    // An id belongs to one contact of one tenant.
                    id: TouchId(Uuid::from_u128(
                        u128::from(id) + 0x100 * contact as u128 + 0x1000 * (agent % 2) as u128,
                    )),
                    tenant: tenant_id(agent % TENANTS),
                    contact: phone(contact),
                    agent: agent_id(agent),
                    caller_id: phone(caller_id),
                    at: UnixSeconds(at),
                    outcome,
                };
                (vec![], vec![self.merge(touch)])
            }
            Edit::Erase { tenant, contact } => {
                let (tenant, contact) = (tenant_id(tenant), phone(contact));
                self.touches.retain(|t| (t.tenant, t.contact) != (tenant, contact));
                (vec![], vec![Delta::Contact { tenant, contact, touches: vec![] }])
            }
        }
    }

    fn put_agent(
        &mut self,
        n: usize,
        direction: Direction,
        state: AgentState,
        targets: Vec<Target>,
        least: Option<Attestation>,
    ) -> Delta {
        let before = self.agents.iter().position(|agent| agent.id == agent_id(n));
        let callback = before.and_then(|place| self.agents.swap_remove(place).callback);
        let agent = Agent {
            id: agent_id(n),
            tenant: tenant_id(n % TENANTS),
            name: format!("agent {n}"),
            // Who has the role stays inbound.
            direction: if callback.is_some() { Direction::Inbound } else { direction },
            state,
            targets,
            callback,
            runtime_parameters: vec![("n".to_owned(), n.to_string())],
            first_audio_timeout_ms: None,
            min_attestation: least,
            context_min_attestation: None,
            runtime_media: None,
        };
        self.agents.push(agent.clone());
        Delta::Agent(agent)
    }

    fn put_role(
        &mut self,
        n: usize,
        sources: &[usize],
        window_days: Option<u32>,
        outcomes: OutcomeSet,
    ) -> Vec<Delta> {
        let mut list: Vec<AgentId> = Vec::new();
        for id in sources.iter().map(|source| agent_id(source - source % TENANTS + n % TENANTS)) {
            let known = self.agents.iter().any(|agent| agent.id == id);
            if known && !list.contains(&id) {
                list.push(id);
            }
        }
        // Roles taken in one transaction share a place in the log.
        let since = self.seq / 3;
        let found = self.agents.iter_mut().find(|agent| agent.id == agent_id(n));
        let Some(agent) = found.filter(|_| !list.is_empty()) else { return vec![] };
        let since = agent.callback.as_ref().map_or(since, |callback| callback.since);
        agent.direction = Direction::Inbound;
        agent.callback =
            Some(Callback { sources: list, window_days, trigger_outcomes: outcomes, since });
        vec![Delta::Agent(agent.clone())]
    }

    /// A deleted agent leaves every list and every number; an empty list is no role.
    fn remove_agent(&mut self, id: AgentId) -> Vec<Delta> {
        let before = self.agents.len();
        self.agents.retain(|agent| agent.id != id);
        if before == self.agents.len() {
            return vec![];
        }
        let mut deltas = vec![Delta::AgentRemoved(id)];
        for agent in &mut self.agents {
            let Some(callback) = &mut agent.callback else { continue };
            if callback.sources.contains(&id) {
                callback.sources.retain(|source| *source != id);
                if callback.sources.is_empty() {
                    agent.callback = None;
                }
                deltas.push(Delta::Agent(agent.clone()));
            }
        }
        for number in &mut self.numbers {
            if number.owners.iter().any(|owner| owner.agent == id) {
                number.owners.retain(|owner| owner.agent != id);
                deltas.push(Delta::Number(number.clone()));
            }
        }
        deltas
    }

    fn put_number(
        &mut self,
        at: Line,
        tenant: usize,
        passthrough: Option<Target>,
        owners: &[(usize, bool)],
    ) -> Vec<Delta> {
        let known = self.number_at(at).map(|place| self.numbers.remove(place).id);
        let id = known.unwrap_or(NumberId(Uuid::from_u128(0x4000 + u128::from(self.seq))));
        let mut number = Number {
            id,
            tenant: tenant_id(tenant),
            account: account_id(at.0),
            e164: phone(at.1),
            passthrough,
            owners: vec![],
        };
        for (place, (agent, claims)) in owners.iter().enumerate() {
            let agent = agent_id(agent - agent % TENANTS + tenant);
            if number.owners.iter().all(|owner| owner.agent != agent) {
                // Claimed in another order than attached.
                let claim = claims.then_some(100 - place as u64);
                number.owners.push(Owner { agent, attached: self.seq + place as u64, claim });
            }
        }
        self.numbers.push(number.clone());
        vec![Delta::Number(number)]
    }

    fn number_at(&self, (account, n): Line) -> Option<usize> {
        let key = (account_id(account), phone(n));
        self.numbers.iter().position(|number| (number.account, number.e164) == key)
    }

    /// What is logged of a touch: itself, or the whole contact where it moved back in time.
    fn merge(&mut self, touch: Touch) -> Delta {
        let Some(known) = self.touches.iter_mut().find(|known| known.id == touch.id) else {
            self.touches.push(touch);
            return Delta::Touches(vec![touch]);
        };
        let merged = known.merged(&touch);
        let moved = merged.at < known.at;
        *known = merged;
        if !moved {
            return Delta::Touches(vec![merged]);
        }
        let touches = super::model::remembered(self, merged.tenant, merged.contact);
        Delta::Contact { tenant: merged.tenant, contact: merged.contact, touches }
    }

    /// Everything, as a snapshot of each stream would put it.
    pub(crate) fn snapshot(&self) -> (Vec<Delta>, Vec<Delta>) {
        // Numbers before their owners: order within an entry must not matter.
        let mut control: Vec<_> = self.numbers.iter().cloned().map(Delta::Number).collect();
        control.extend(self.agents.iter().cloned().map(Delta::Agent));
        control.extend(self.tenants.iter().cloned().map(Delta::Tenant));
        (control, vec![Delta::Touches(self.touches.clone())])
    }
}

pub(crate) fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Runtime("wss://bot.example.com/{agent_id}".to_owned())),
        (0..PHONES).prop_map(|n| Target::Tel(phone(n))),
        (0..AGENTS).prop_map(|n| Target::Agent(agent_id(n))),
        Just(Target::Say("hello".to_owned())),
        Just(Target::Busy),
    ]
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(Outcome::ALL)
}

fn attestation() -> impl Strategy<Value = Attestation> {
    prop::sample::select(Attestation::ALL)
}

const DAY: u64 = 86_400;

/// Mostly none: a minimum hides the rest of the rule.
fn least() -> impl Strategy<Value = Attestation> {
    prop_oneof![5 => Just(Attestation::None), 1 => attestation()]
}

/// Windows and retentions that histories of 500 days straddle.
fn days() -> impl Strategy<Value = u32> {
    prop::sample::select(&[0, 1, 30, 200, 400][..])
}

fn line() -> impl Strategy<Value = Line> {
    prop::sample::select(&LINES[..])
}

fn settings() -> impl Strategy<Value = TenantSettings> {
    let below_min = prop_oneof![
        Just(BelowMin::AsWithheld),
        Just(BelowMin::Reject),
        (0..AGENTS).prop_map(|n| BelowMin::Agent(agent_id(n))),
    ];
    let kept = prop_oneof![2 => Just(400), 1 => 1..450_u32];
    let blocked = prop_oneof![6 => Just(vec![]), 1 => vec((0..PHONES).prop_map(phone), 0..3)];
    let last_resort = prop_oneof![Just(Target::Say("sorry".to_owned())), Just(Target::Busy)];
    (
        (days(), kept, least(), below_min),
        (option::of((0..AGENTS).prop_map(agent_id)), last_resort),
        (blocked, option::of(Just(Target::Reject))),
    )
        .prop_map(
            |((window_days, kept, least, below_min), (fallback_agent, last), blocked)| {
                TenantSettings {
                    window_days,
                    touch_retention_days: kept,
                    min_attestation: least,
                    below_min,
                    context_min_attestation: Attestation::None,
                    fallback_agent,
                    last_resort: last,
                    block_list: blocked.0,
                    block_target: blocked.1,
                }
            },
        )
}

/// So many seconds after noon, biased to the edges of "pending for four hours" and of "ahead".
fn near() -> impl Strategy<Value = i64> {
    let edges = vec![0, 1, -1, 299, 300, 301, -300, -14_399, -14_400, -14_401];
    prop_oneof![2 => prop::sample::select(edges), 1 => -90_000..90_000_i64]
}

/// When somebody was called: the edges of windows, or anywhere.
fn past() -> impl Strategy<Value = u64> {
    let days = prop::sample::select(&[0, 0, 1, 30, 200, 400][..]);
    prop_oneof![
        2 => (days, near()).prop_map(|(days, near)| NOON.saturating_add_signed(near) - days * DAY),
        1 => (0..450 * DAY).prop_map(|before| NOON - before),
    ]
}

pub(crate) fn control_edit() -> impl Strategy<Value = Edit> {
    let outcomes = prop_oneof![
        Just(OutcomeSet::ALL),
        vec(outcome(), 1..4).prop_map(|outcomes| outcomes.into_iter().collect()),
    ];
    let direction = prop_oneof![
        3 => Just(Direction::Inbound), 1 => Just(Direction::Outbound)
    ];
    let state = prop_oneof![
        6 => Just(AgentState::Live), 1 => Just(AgentState::Draft), 1 => Just(AgentState::Archived)
    ];
    let asked = prop_oneof![3 => Just(None), 1 => attestation().prop_map(Some)];
    let owners = vec((0..AGENTS, any::<bool>()), 0..6);
    let passthrough = prop_oneof![9 => Just(None), 1 => target().prop_map(Some)];
    prop_oneof![
        1 => (0..TENANTS, settings()).prop_map(|(tenant, to)| Edit::Settings(tenant, to)),
        6 => (0..AGENTS, direction, state, vec(target(), 0..4), asked).prop_map(
            |(agent, direction, state, targets, least)| {
                Edit::Agent { agent, direction, state, targets, least }
            }
        ),
        8 => (0..AGENTS, vec(0..AGENTS, 1..6), option::of(days()), outcomes).prop_map(
            |(agent, sources, window_days, outcomes)| {
                Edit::Role { agent, sources, window_days, outcomes }
            }
        ),
        1 => (0..AGENTS).prop_map(Edit::RemoveRole),
        1 => (0..AGENTS).prop_map(Edit::RemoveAgent),
        5 => (line(), 0..TENANTS, passthrough, owners).prop_map(
            |(at, tenant, passthrough, owners)| Edit::Number { at, tenant, passthrough, owners }
        ),
        1 => (line(), line()).prop_map(|(from, to)| Edit::MoveNumber(from, to)),
        1 => line().prop_map(Edit::RemoveNumber),
    ]
}

/// People, and now and then one of our own numbers: agents call agents.
fn person() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..3_usize, 1 => Just(4)]
}

pub(crate) fn touch_edit() -> impl Strategy<Value = Edit> {
    // Few people and many (agent, caller ID) pairs: contacts overflow.
    let touch = (any::<u8>(), 0..AGENTS, person(), 0..PHONES, past(), outcome()).prop_map(
        |(id, agent, contact, caller_id, at, outcome)| Edit::Touch {
            id: id % 32,
            agent,
            contact,
            caller_id,
            at,
            outcome,
        },
    );
    let erase =
        (0..TENANTS, person()).prop_map(|(tenant, contact)| Edit::Erase { tenant, contact });
    prop_oneof![40 => touch, 1 => erase]
}

pub(crate) fn call() -> impl Strategy<Value = (InboundCall, UnixMillis)> {
    let ani = prop_oneof![
        12 => person().prop_map(|n| Ani::Number(phone(n))),
        1 => (0..PHONES).prop_map(|n| Ani::Number(phone(n))),
        1 => Just(Ani::Withheld),
        1 => Just(Ani::Unusable),
    ];
    let dnis = (0..PHONES).prop_map(|n| Some(phone(n)));
    let anywhere = (0..=ACCOUNTS, prop_oneof![3 => dnis, 1 => Just(None)]);
    let at = prop_oneof![
        9 => line().prop_map(|(account, n)| (account, Some(phone(n)))),
        1 => anywhere
    ];
    let forwarded = option::weighted(0.3, (0..PHONES).prop_map(phone));
    (at, ani, forwarded, attestation(), near(), 0..1000_u64).prop_map(
        |((account, dnis), ani, forwarded_from, attestation, near, ms)| {
            let account = account_id(account);
            let call = InboundCall { account, dnis, ani, forwarded_from, attestation };
            (call, UnixMillis(NOON.saturating_add_signed(near) * 1000 + ms))
        },
    )
}

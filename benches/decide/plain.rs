//! The same decision over unsynchronised maps of the fastest kind: number, contact, own number,
//! membership, window, outcome, the best touch. What nobody else may change meanwhile costs least.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use switchback::domain::{
    AccountId, Agent, AgentId, Ani, Attestation, E164, InboundCall, Number, Outcome, Target,
    Tenant, TenantId, Touch, TouchId, UnixMillis, UnixSeconds,
};
use switchback::index::Delta;

use crate::common;

const DAY_SECONDS: u64 = 86_400;

pub(crate) struct Plain {
    tenants: Vec<Tenant>,
    agents: Vec<Held>,
    /// By an account, as the integer it is, and a number.
    numbers: FxHashMap<(u128, u64), Entry>,
    own_numbers: FxHashSet<(u32, u64)>,
    contacts: FxHashMap<(u32, u64), SmallVec<[Remembered; 2]>>,
}

struct Held {
    agent: Agent,
    sources: Vec<u32>,
}

struct Entry {
    number: Number,
    tenant: u32,
    callback_agents: SmallVec<[u32; 4]>,
}

#[derive(Clone, Copy)]
struct Remembered {
    id: TouchId,
    agent: u32,
    caller_id: E164,
    at: UnixSeconds,
    outcome: Outcome,
}

/// What a return call is answered with.
pub(crate) struct Returned<'p> {
    _number: &'p Number,
    _tenant: &'p Tenant,
    _agent: &'p Agent,
    _targets: &'p [Target],
    _touch: Touch,
}

impl Plain {
    pub(crate) fn new(contacts: u64) -> Self {
        let (mut tenants, mut agents, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for delta in common::installation() {
            if let Delta::Tenant(tenant) = delta {
                tenants.push(tenant);
            } else if let Delta::Agent(agent) = delta {
                agents.push(agent);
            } else if let Delta::Number(number) = delta {
                numbers.push(number);
            }
        }
        let slot = |n: usize| n as u32;
        let tenant_slots: FxHashMap<TenantId, u32> =
            tenants.iter().enumerate().map(|(n, tenant)| (tenant.id, slot(n))).collect();
        let agent_slots: FxHashMap<AgentId, u32> =
            agents.iter().enumerate().map(|(n, agent)| (agent.id, slot(n))).collect();
        let own_numbers =
            numbers.iter().map(|n| (tenant_slots[&n.tenant], n.e164.as_u64())).collect();
        let entry = |number: Number| {
            let owners = number.owners.iter().map(|owner| agent_slots[&owner.agent]);
            let callback_agents = owners.collect();
            let key = key(number.account, number.e164);
            (key, Entry { tenant: tenant_slots[&number.tenant], number, callback_agents })
        };
        let mut remembered: FxHashMap<_, SmallVec<[Remembered; 2]>> = FxHashMap::default();
        for touch in (0..contacts).flat_map(common::touches) {
            let Touch { id, agent, caller_id, at, outcome, tenant, contact } = touch;
            let agent = agent_slots[&agent];
            let kept = remembered.entry((tenant_slots[&tenant], contact.as_u64())).or_default();
            kept.retain(|known| (known.agent, known.caller_id) != (agent, caller_id));
            kept.push(Remembered { id, agent, caller_id, at, outcome });
        }
        let numbers = numbers.into_iter().map(entry).collect();
        let held = |agent: Agent| {
            let sources = agent.callback.iter().flat_map(|callback| &callback.sources);
            let mut sources: Vec<_> = sources.map(|source| agent_slots[source]).collect();
            sources.sort_unstable();
            Held { agent, sources }
        };
        let agents = agents.into_iter().map(held).collect();
        Self { tenants, agents, numbers, own_numbers, contacts: remembered }
    }

    /// Who takes a return call, and for which touch.
    pub(crate) fn decide(&self, call: &InboundCall, now: UnixMillis) -> Option<Returned<'_>> {
        let Ani::Number(caller) = call.ani else { return None };
        let entry = self.numbers.get(&key(call.account, call.dnis?))?;
        let tenant = self.tenants.get(entry.tenant as usize)?;
        let settings = &tenant.settings;
        if settings.block_list.binary_search(&caller).is_ok()
            || call.attestation < settings.min_attestation
        {
            return None;
        }
        let touches = self.contacts.get(&(entry.tenant, caller.as_u64()))?;
        if self.own_numbers.contains(&(entry.tenant, caller.as_u64())) {
            return None;
        }
        let mut best: Option<(_, &Agent, &Remembered)> = None;
        for &slot in &entry.callback_agents {
            let Held { agent, sources } = self.agents.get(slot as usize)?;
            let Some(callback) = &agent.callback else { continue };
            if call.attestation < agent.min_attestation.unwrap_or(Attestation::None)
                || agent.targets.is_empty()
            {
                continue;
            }
            let days = callback.window_days.unwrap_or(settings.window_days);
            let window = u64::from(days.min(settings.touch_retention_days)) * DAY_SECONDS;
            for touch in touches {
                let counts = sources.binary_search(&touch.agent).is_ok()
                    && touch.at.0 <= now.seconds().0 + 300
                    && now.seconds().0.saturating_sub(touch.at.0) <= window
                    && callback.trigger_outcomes.accepts(touch.outcome.aged(touch.at, now));
                let shown = Some(touch.caller_id);
                let is_shown = shown == call.dnis || shown == call.forwarded_from;
                let rank = (is_shown, touch.at, touch.id);
                if counts && best.is_none_or(|(best, ..)| rank > best) {
                    best = Some((rank, agent, touch));
                }
            }
        }
        let (_, agent, touch) = best?;
        Some(Returned {
            _number: &entry.number,
            _tenant: tenant,
            _agent: agent,
            _targets: &agent.targets,
            _touch: Touch {
                id: touch.id,
                tenant: tenant.id,
                contact: caller,
                agent: self.agents.get(touch.agent as usize)?.agent.id,
                caller_id: touch.caller_id,
                at: touch.at,
                outcome: touch.outcome,
            },
        })
    }
}

fn key(account: Option<AccountId>, e164: E164) -> (u128, u64) {
    (account.map_or(0, |account| account.0.as_u128()), e164.as_u64())
}

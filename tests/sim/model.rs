//! The rule once more, written from its text alone: lists, loops, nothing worked out before.

use switchback::domain::{
    Agent, AgentId, AgentState, Ani, BelowMin, Decision, Direction, E164, InboundCall, Number,
    Outcome, RouteReason, Target, Tenant, TenantId, Touch, UnixMillis, Verdict,
};

use super::world::World;

/// A decision without its borrows.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) verdict: Verdict,
    pub(crate) reason: RouteReason,
    pub(crate) agent: Option<AgentId>,
    pub(crate) targets: Vec<Target>,
    pub(crate) unmatched: bool,
    pub(crate) touch: Option<Touch>,
}

impl From<&Decision<'_>> for Expected {
    fn from(decision: &Decision<'_>) -> Self {
        Self {
            verdict: decision.verdict,
            reason: decision.reason,
            agent: decision.agent.map(|agent| agent.id),
            targets: decision.targets.to_vec(),
            unmatched: decision.unmatched,
            touch: decision.touch,
        }
    }
}

fn reject(reason: RouteReason) -> Expected {
    Expected {
        verdict: Verdict::Reject,
        reason,
        agent: None,
        targets: vec![],
        unmatched: false,
        touch: None,
    }
}

fn route(reason: RouteReason, targets: Vec<Target>) -> Expected {
    Expected { verdict: Verdict::Route, targets, ..reject(reason) }
}

/// "The newest touch of each (agent, caller ID), at most the eight newest of those pairs."
pub(crate) fn remembered(world: &World, tenant: TenantId, contact: E164) -> Vec<Touch> {
    let mut all: Vec<Touch> = world.touches.clone();
    all.retain(|touch| touch.tenant == tenant && touch.contact == contact);
    all.sort_by_key(|touch| (touch.at.0, touch.id));
    all.reverse();
    let mut newest: Vec<Touch> = Vec::new();
    for touch in all {
        if !newest.iter().any(|n| n.agent == touch.agent && n.caller_id == touch.caller_id) {
            newest.push(touch);
        }
    }
    newest.truncate(8);
    newest
}

struct Rule<'w> {
    world: &'w World,
    default_target: Option<&'w Target>,
    tenant: &'w Tenant,
    number: &'w Number,
}

pub(crate) fn decide(
    world: &World,
    default_target: Option<&Target>,
    call: &InboundCall,
    now: UnixMillis,
) -> Expected {
    // 1
    let found = world
        .numbers
        .iter()
        .find(|number| number.account == call.account && Some(number.e164) == call.dnis);
    let Some(number) = found else { return reject(RouteReason::UnknownNumber) };
    let tenant = world.tenants.iter().find(|tenant| tenant.id == number.tenant).unwrap();
    let rule = Rule { world, default_target, tenant, number };
    // 2
    let settings = &tenant.settings;
    let mut caller = match call.ani {
        Ani::Number(ani) => Some(ani),
        Ani::Withheld | Ani::Unusable => None,
    };
    if caller.is_some_and(|ani| settings.block_list.contains(&ani)) {
        return match &settings.block_target {
            Some(target) => route(RouteReason::Blocked, vec![target.clone()]),
            None => reject(RouteReason::Blocked),
        };
    }
    if call.attestation < settings.min_attestation {
        match settings.below_min {
            BelowMin::AsWithheld => {}
            BelowMin::Reject => return reject(RouteReason::Attestation),
            BelowMin::Agent(id) => {
                if let Some(agent) = rule.live(id).filter(|agent| rule.is_routable(agent)) {
                    return rule.to(RouteReason::Attestation, agent);
                }
            }
        }
        caller = None;
    }
    // 3
    let ours = |ani: &E164| {
        world.numbers.iter().any(|number| number.tenant == tenant.id && number.e164 == *ani)
    };
    if let Some(ani) = caller.filter(|ani| !ours(ani))
        && let Some(expected) = rule.callback(call, ani, now)
    {
        return expected;
    }
    rule.otherwise()
}

impl<'w> Rule<'w> {
    fn live(&self, id: AgentId) -> Option<&'w Agent> {
        self.world.agents.iter().find(|agent| {
            agent.id == id
                && agent.tenant == self.tenant.id
                && agent.state == AgentState::Live
                && agent.direction == Direction::Inbound
        })
    }

    fn targets(&self, agent: &Agent) -> Vec<Target> {
        if agent.targets.is_empty() {
            self.default_target.cloned().into_iter().collect()
        } else {
            agent.targets.clone()
        }
    }

    fn is_routable(&self, agent: &Agent) -> bool {
        !self.targets(agent).is_empty()
    }

    fn to(&self, reason: RouteReason, agent: &Agent) -> Expected {
        Expected { agent: Some(agent.id), ..route(reason, self.targets(agent)) }
    }

    /// Every (callback agent, touch) that counts, sorted by the rule's words; the first wins.
    fn callback(&self, call: &InboundCall, ani: E164, now: UnixMillis) -> Option<Expected> {
        let mut candidates = Vec::new();
        for owner in &self.number.owners {
            let Some(agent) = self.live(owner.agent) else { continue };
            if agent.min_attestation.is_some_and(|least| call.attestation < least) {
                continue;
            }
            let Some(role) = agent.callback.as_ref().filter(|_| self.is_routable(agent)) else {
                continue;
            };
            for touch in remembered(self.world, self.tenant.id, ani) {
                let window = role.window_days.unwrap_or(self.tenant.settings.window_days);
                let days = now.0 / 1000;
                let age = days.saturating_sub(touch.at.0);
                let day = 24 * 60 * 60;
                let in_window = window == 0 || age <= u64::from(window) * day;
                let kept = age <= u64::from(self.tenant.settings.touch_retention_days) * day;
                let ahead = touch.at.0 * 1000 > now.0 + 300_000;
                let stale = touch.outcome == Outcome::Pending && age > 4 * 60 * 60;
                let outcome = if stale { Outcome::Failed } else { touch.outcome };
                let accepted = outcome == Outcome::Pending
                    || role.trigger_outcomes.iter().any(|listed| listed == outcome);
                if role.sources.contains(&touch.agent) && in_window && kept && !ahead && accepted {
                    let on_number = Some(touch.caller_id) == call.dnis
                        || Some(touch.caller_id) == call.forwarded_from;
                    candidates.push((on_number, touch, role.since, agent));
                }
            }
        }
        candidates.sort_by(|a, b| {
            (b.0.cmp(&a.0))
                .then(b.1.at.0.cmp(&a.1.at.0))
                .then(b.1.id.cmp(&a.1.id))
                .then(a.2.cmp(&b.2))
                .then(a.3.id.cmp(&b.3.id))
        });
        let (_, touch, _, agent) = candidates.first()?;
        Some(Expected { touch: Some(*touch), ..self.to(RouteReason::Callback, agent) })
    }

    /// Steps 4 to 6.
    fn otherwise(&self) -> Expected {
        if let Some(target) = &self.number.passthrough {
            return route(RouteReason::Passthrough, vec![target.clone()]);
        }
        let mut lacked_only_a_target =
            self.number.owners.iter().any(|o| self.live(o.agent).is_some());
        if let Some(agent) = self.default().filter(|agent| self.is_routable(agent)) {
            let unmatched = agent.callback.is_some();
            return Expected { unmatched, ..self.to(RouteReason::Default, agent) };
        }
        if let Some(agent) = self.tenant.settings.fallback_agent.and_then(|id| self.live(id)) {
            if self.is_routable(agent) {
                return self.to(RouteReason::Fallback, agent);
            }
            lacked_only_a_target = true;
        }
        if lacked_only_a_target {
            let last_resort = self.tenant.settings.last_resort.clone();
            return route(RouteReason::NoTarget, vec![last_resort]);
        }
        reject(RouteReason::NoInboundAgent)
    }

    /// "The latest claim whose agent is live; with no live claim, the latest attached live owner."
    fn default(&self) -> Option<&'w Agent> {
        let owners = &self.number.owners;
        let mut claims: Vec<_> = owners
            .iter()
            .filter_map(|owner| Some((owner.claim?, self.live(owner.agent)?)))
            .collect();
        claims.sort_by_key(|(claim, _)| *claim);
        let mut attached: Vec<_> = owners
            .iter()
            .filter_map(|owner| Some((owner.attached, self.live(owner.agent)?)))
            .collect();
        attached.sort_by_key(|(attached, _)| *attached);
        claims.last().or(attached.last()).map(|(_, agent)| *agent)
    }
}

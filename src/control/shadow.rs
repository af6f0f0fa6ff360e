//! What our rule would have made of a hosted service's past calls. It is decided in an index of its
//! own, which nobody's calls are routed by: their agents, numbers and outbound calls as they say,
//! each inbound call at its own time. The configuration is today's, also for calls of last week.

use std::collections::BTreeMap;

use crate::{
    dialects::own::{DifferingBody, ShadowAgent, ShadowBody},
    domain::{
        Agent, AgentId, Ani, Attestation, Builtin, Callback, Direction, HostedAgent, HostedCall,
        HostedKind, HostedNumber, InboundCall, Number, OutcomeSet, Owner, Target, Tenant, TenantId,
    },
    index::{Delta, Index},
    routing,
    sync::upstream::Shadow,
};

/// Calls shown that differ.
const DIFFERING_MAX: usize = 1000;

/// Decides every past inbound call.
pub(super) fn report(kind: HostedKind, tenant: &Tenant, shadow: &Shadow) -> ShadowBody {
    // Who would answer is asked, not by what: every agent counts as having a target.
    let (index, mut writer) = Index::new(Some(Target::Builtin(Builtin::Echo)));
    let mut picture = vec![Delta::Tenant(tenant.clone())];
    picture.extend(shadow.agents.iter().map(|told| Delta::Agent(agent(tenant.id, told))));
    let mut agents: Vec<&HostedAgent> = shadow.agents.iter().collect();
    agents.sort_by_key(|agent| (agent.created_at, agent.id));
    picture.extend(
        shadow.numbers.iter().map(|told| Delta::Number(number(kind, tenant.id, told, &agents))),
    );
    writer.replace_directory(&picture);
    let names: BTreeMap<AgentId, &str> =
        shadow.agents.iter().map(|agent| (agent.id, agent.name.as_str())).collect();
    let named = |id: AgentId| ShadowAgent::new(id, names.get(&id).map(|name| (*name).to_owned()));
    let mut report = ShadowBody { forgotten: shadow.forgotten, ..ShadowBody::default() };
    for call in &shadow.calls {
        if let Some(record) = call.touch(tenant.id) {
            writer.apply(&[Delta::Touches(vec![record.touch])]);
        }
        if call.direction != Direction::Inbound || call.is_test {
            continue;
        }
        let view = index.view();
        let decision = routing::decide(&view, &inbound(call), call.at);
        let ours = decision.agent.map(|agent| agent.id);
        report.calls += 1;
        if ours == call.agent {
            report.agreed += 1;
        } else {
            let (theirs, ours) = (call.agent.map(named), ours.map(named));
            report.differing.push(DifferingBody::new(call, theirs, ours, decision.reason));
        }
    }
    report.differing.reverse();
    report.differing.truncate(DIFFERING_MAX);
    report
}

fn inbound(call: &HostedCall) -> InboundCall {
    InboundCall {
        account: None,
        dnis: call.to,
        ani: call.from.map_or(Ani::Withheld, Ani::Number),
        forwarded_from: None,
        attestation: Attestation::None,
    }
}

fn agent(tenant: TenantId, told: &HostedAgent) -> Agent {
    let is_inbound = told.direction == Direction::Inbound;
    let role = told.callback.as_ref().filter(|role| is_inbound && !role.sources.is_empty());
    Agent {
        id: told.id,
        tenant,
        name: told.name.clone(),
        direction: told.direction,
        state: told.state,
        targets: Vec::new(),
        callback: role.map(|role| Callback {
            sources: role.sources.clone(),
            window_days: role.window_days,
            trigger_outcomes: role.trigger_outcomes.unwrap_or(OutcomeSet::ALL),
            since: 0,
        }),
        runtime_parameters: Vec::new(),
        first_audio_timeout_ms: None,
        min_attestation: None,
        context_min_attestation: None,
        runtime_media: None,
    }
}

/// A number with its owners, in the order they were made, as a mirror would attach them.
fn number(
    kind: HostedKind,
    tenant: TenantId,
    told: &HostedNumber,
    agents: &[&HostedAgent],
) -> Number {
    let attached = agents
        .iter()
        .filter(|agent| agent.direction == Direction::Inbound && agent.numbers.contains(&told.id));
    let owners = attached.map(|agent| {
        let claims = match kind.has_defaults() {
            true => told.default_agent == Some(agent.id),
            false => agent.callback.is_none(),
        };
        Owner { agent: agent.id, attached: 1, claim: claims.then_some(1) }
    });
    Number {
        id: told.id,
        tenant,
        account: None,
        e164: told.e164,
        passthrough: None,
        owners: owners.collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        AgentState, E164, HostedCallback, NumberId, Outcome, TenantSettings, TouchId, UnixMillis,
    };

    const DAY: u64 = 24 * 3600 * 1000;
    const DESK: AgentId = AgentId(Uuid::from_u128(1));
    const FRONT: AgentId = AgentId(Uuid::from_u128(2));
    const CALLER: AgentId = AgentId(Uuid::from_u128(3));

    fn phone(n: u64) -> E164 {
        E164::from_u64(14_155_550_000 + n).unwrap()
    }

    fn told(id: AgentId, direction: Direction) -> HostedAgent {
        HostedAgent {
            id,
            name: "Desk".to_owned(),
            label: None,
            direction,
            state: AgentState::Live,
            profile: "{}".to_owned(),
            numbers: vec![NumberId(Uuid::from_u128(9))],
            primary: None,
            callback: None,
            created_at: UnixMillis(0),
        }
    }

    fn call(id: u128, at: u64, direction: Direction, who: AgentId, person: u64) -> HostedCall {
        let (from, to) = match direction {
            Direction::Inbound => (phone(person), phone(0)),
            Direction::Outbound => (phone(0), phone(person)),
        };
        HostedCall {
            id: TouchId(Uuid::from_u128(id)),
            external_id: None,
            direction,
            agent: Some(who),
            from: Some(from),
            to: Some(to),
            at: UnixMillis(at),
            outcome: Outcome::NoAnswer,
            is_test: false,
        }
    }

    #[test]
    fn past_calls_are_decided_at_their_own_time() {
        use Direction::{Inbound, Outbound};
        let mut desk = told(DESK, Inbound);
        let (window_days, trigger_outcomes) = (None, None);
        desk.callback =
            Some(HostedCallback { sources: vec![CALLER], window_days, trigger_outcomes });
        let number = HostedNumber {
            id: NumberId(Uuid::from_u128(9)),
            e164: phone(0),
            friendly_name: None,
            default_agent: None,
        };
        let shadow = Shadow {
            agents: vec![told(FRONT, Inbound), desk, told(CALLER, Outbound)],
            numbers: vec![number],
            calls: vec![
                // Nobody had called this person yet.
                call(1, 100 * DAY, Inbound, FRONT, 7),
                call(2, 101 * DAY, Outbound, CALLER, 7),
                call(3, 102 * DAY, Inbound, DESK, 7),
                call(4, 103 * DAY, Inbound, FRONT, 7),
                call(5, 104 * DAY, Inbound, FRONT, 8),
                // Past the window.
                call(6, 140 * DAY, Inbound, FRONT, 7),
            ],
            forgotten: 0,
        };
        let settings = TenantSettings::default();
        let tenant = Tenant { id: TenantId(Uuid::from_u128(5)), name: "t".to_owned(), settings };
        let report = report(HostedKind::Talkover, &tenant, &shadow);
        assert_eq!((report.calls, report.agreed), (5, 4));
        let differing = serde_json::to_value(&report.differing).unwrap();
        assert_eq!(differing.as_array().unwrap().len(), 1);
        assert_eq!(differing[0]["reason"], "callback");
        assert_eq!(differing[0]["theirs"]["id"], FRONT.to_string());
        assert_eq!(differing[0]["ours"]["id"], DESK.to_string());
    }
}

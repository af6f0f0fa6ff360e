//! Compares what a hosted API says with what is mirrored, and says what is to change. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        AgentId, AgentRecord, AgentState, Direction, HostedAgent, HostedKind, HostedNumber,
        NumberId, NumberRecord,
    },
    store::{MirrorChange, Mirrored},
};

/// The longest name that is kept; a longer one is cut, and is not different for that.
const NAME_LEN_MAX: usize = 255;

/// What a hosted API says, pulled whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Picture {
    pub(super) agents: Vec<HostedAgent>,
    pub(super) numbers: Vec<HostedNumber>,
}

/// A change, and what of it deserves a second look.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) change: MirrorChange,
    /// What would go, where so much would go that it is more likely the API's mistake.
    pub(super) doubt: Option<Doubt>,
}

/// Most of a kind of thing would go at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) what: &'static str,
    pub(super) gone: usize,
    pub(super) known: usize,
}

/// What leads from what is known to what was pulled. With `has_account`, a number that has no
/// carrier account gets one.
pub(super) fn plan(
    kind: HostedKind,
    known: &Mirrored,
    mut pulled: Picture,
    has_account: bool,
) -> Plan {
    let is_open = |record: &&AgentRecord| record.agent.state != AgentState::Archived;
    let agents: BTreeMap<AgentId, &AgentRecord> =
        known.agents.iter().map(|record| (record.agent.id, record)).collect();
    let numbers: BTreeMap<NumberId, &NumberRecord> =
        known.numbers.iter().map(|record| (record.id, record)).collect();
    let told_agents: BTreeSet<_> = pulled.agents.iter().map(|agent| agent.id).collect();
    let told_numbers: BTreeMap<_, _> =
        pulled.numbers.iter().map(|number| (number.id, number.e164)).collect();
    let gone_agents: Vec<_> = known
        .agents
        .iter()
        .filter(is_open)
        .map(|record| record.agent.id)
        .filter(|id| !told_agents.contains(id))
        .collect();
    let gone_numbers: Vec<_> = known
        .numbers
        .iter()
        .filter(|record| told_numbers.get(&record.id) != Some(&record.e164))
        .map(|record| record.id)
        .collect();
    let outbound = pulled.agents.iter().filter(|agent| agent.direction == Direction::Outbound);
    let outbound: BTreeSet<_> = outbound.map(|agent| agent.id).collect();
    for agent in &mut pulled.agents {
        // A number that is not told of, such as one without voice, is attached to nobody here.
        agent.numbers.retain(|number| told_numbers.contains_key(number));
        settle_role(agent, &outbound);
    }
    let roles = |has: &dyn Fn(AgentId) -> bool| {
        let held = known.agents.iter().filter(|record| record.agent.callback.is_some());
        let held = held.map(|record| record.agent.id).filter(|id| told_agents.contains(id));
        held.filter(|id| has(*id)).count()
    };
    let still: BTreeSet<_> =
        pulled.agents.iter().filter(|a| a.callback.is_some()).map(|agent| agent.id).collect();
    let gone_roles = if kind.has_callbacks() { roles(&|id| !still.contains(&id)) } else { 0 };
    let doubt = [
        ("agents", gone_agents.len(), known.agents.iter().filter(is_open).count()),
        ("numbers", gone_numbers.len(), known.numbers.len()),
        ("callback roles", gone_roles, roles(&|_| true)),
    ]
    .into_iter()
    .find(|(_, gone, known)| gone * 2 > *known)
    .map(|(what, gone, known)| Doubt { what, gone, known });
    pulled.agents.retain(|told| agents.get(&told.id).is_none_or(|k| differs(kind, k, told)));
    // The order they were made in is the nearest thing to the order they were attached in.
    pulled.agents.sort_by_key(|agent| (agent.created_at, agent.id));
    let is_news = |told: &HostedNumber| {
        numbers.get(&told.id).is_none_or(|known| {
            known.e164 != told.e164
                || (has_account && known.account.is_none())
                || number_differs(kind, known, told, &agents)
        })
    };
    pulled.numbers.retain(is_news);
    let Picture { agents, numbers } = pulled;
    Plan { change: MirrorChange { agents, gone_agents, numbers, gone_numbers }, doubt }
}

/// A role counts as far as it can be held here: by an inbound agent, over agents that are told of.
fn settle_role(agent: &mut HostedAgent, outbound: &BTreeSet<AgentId>) {
    let is_inbound = agent.direction == Direction::Inbound;
    let Some(mut role) = agent.callback.take().filter(|_| is_inbound) else { return };
    let mut listed = BTreeSet::new();
    role.sources.retain(|source| outbound.contains(source) && listed.insert(*source));
    agent.callback = Some(role).filter(|role| !role.sources.is_empty());
}

fn differs(kind: HostedKind, known: &AgentRecord, told: &HostedAgent) -> bool {
    let agent = &known.agent;
    let name: String = told.name.chars().take(NAME_LEN_MAX).collect();
    let numbers = |list: &[NumberId]| list.iter().copied().collect::<BTreeSet<_>>();
    agent.name != name
        || known.label != told.label
        || agent.direction != told.direction
        || agent.state != told.state
        || known.profile != told.profile
        || numbers(&known.numbers) != numbers(&told.numbers)
        || told.primary.is_some_and(|primary| {
            told.numbers.contains(&primary) && known.primary_number != Some(primary)
        })
        || (kind.has_callbacks() && role_differs(known, told))
}

fn role_differs(known: &AgentRecord, told: &HostedAgent) -> bool {
    match (&known.agent.callback, &told.callback) {
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
        (Some(held), Some(role)) => {
            held.sources != role.sources
                || role.window_days.is_some_and(|days| held.window_days != Some(days))
                || role.trigger_outcomes.is_some_and(|set| held.trigger_outcomes != set)
        }
    }
}

fn number_differs(
    kind: HostedKind,
    known: &NumberRecord,
    told: &HostedNumber,
    agents: &BTreeMap<AgentId, &AgentRecord>,
) -> bool {
    if !kind.has_defaults() {
        return false;
    }
    let claims = known.bindings.iter().filter(|binding| agents.contains_key(&binding.agent));
    let latest = claims.filter_map(|b| Some((b.claim?, b.agent))).max();
    let is_default_kept =
        told.default_agent.is_none_or(|agent| latest.is_some_and(|(_, holder)| holder == agent));
    known.friendly_name != told.friendly_name || !is_default_kept
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        Agent, BindingRecord, Callback, E164, HostedCallback, OutcomeSet, TenantId, UnixMillis,
    };

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn agent_id(n: u128) -> AgentId {
        AgentId(Uuid::from_u128(n))
    }

    fn told(n: u128, direction: Direction) -> HostedAgent {
        HostedAgent {
            id: agent_id(n),
            name: format!("agent {n}"),
            label: None,
            direction,
            state: AgentState::Live,
            profile: "{}".to_owned(),
            numbers: vec![NumberId(Uuid::from_u128(100))],
            primary: None,
            callback: None,
            created_at: UnixMillis(1000 - u64::try_from(n).unwrap()),
        }
    }

    fn number(n: u128) -> HostedNumber {
        let id = NumberId(Uuid::from_u128(n));
        let e164 = E164::from_u64(14_155_550_000 + u64::try_from(n).unwrap()).unwrap();
        HostedNumber { id, e164, friendly_name: None, default_agent: None }
    }

    /// What would be mirrored of it.
    fn kept(picture: &Picture) -> Mirrored {
        let agent = |told: &HostedAgent| AgentRecord {
            agent: Agent {
                id: told.id,
                tenant: TENANT,
                name: told.name.clone(),
                direction: told.direction,
                state: told.state,
                targets: Vec::new(),
                callback: told.callback.as_ref().map(|role| Callback {
                    sources: role.sources.clone(),
                    window_days: Some(7),
                    trigger_outcomes: OutcomeSet::ALL,
                    since: 1,
                }),
                runtime_parameters: Vec::new(),
                first_audio_timeout_ms: None,
                min_attestation: None,
                context_min_attestation: None,
                runtime_media: None,
            },
            label: told.label.clone(),
            profile: told.profile.clone(),
            primary_number: told.numbers.first().copied(),
            numbers: told.numbers.clone(),
            created_at: told.created_at,
            updated_at: told.created_at,
            archived_at: None,
            upstream: None,
        };
        let number = |told: &HostedNumber| NumberRecord {
            id: told.id,
            tenant: TENANT,
            account: None,
            e164: told.e164,
            friendly_name: told.friendly_name.clone(),
            passthrough: None,
            bindings: picture
                .agents
                .iter()
                .filter(|agent| agent.numbers.contains(&told.id))
                .map(|agent| BindingRecord {
                    agent: agent.id,
                    number: told.id,
                    direction: agent.direction,
                    attached: 1,
                    claim: (agent.direction == Direction::Inbound).then_some(1),
                    place: 0,
                })
                .collect(),
            default_agent: None,
            inbound: None,
            created_at: UnixMillis(1),
            updated_at: UnixMillis(1),
            upstream: None,
        };
        Mirrored {
            agents: picture.agents.iter().map(agent).collect(),
            numbers: picture.numbers.iter().map(number).collect(),
        }
    }

    fn picture() -> Picture {
        let mut desk = told(1, Direction::Inbound);
        let sources = vec![agent_id(2), agent_id(3)];
        desk.callback = Some(HostedCallback { sources, window_days: None, trigger_outcomes: None });
        let agents = vec![desk, told(2, Direction::Outbound), told(3, Direction::Outbound)];
        Picture { agents, numbers: vec![number(100), number(101), number(102)] }
    }

    /// What changes when the picture does.
    #[track_caller]
    fn check(kind: HostedKind, edit: impl FnOnce(&mut Picture), expected: [usize; 4], doubt: bool) {
        let known = kept(&picture());
        let mut pulled = picture();
        edit(&mut pulled);
        let plan = plan(kind, &known, pulled, false);
        let c = &plan.change;
        let counts = [c.agents.len(), c.gone_agents.len(), c.numbers.len(), c.gone_numbers.len()];
        assert_eq!((counts, plan.doubt.is_some()), (expected, doubt), "{plan:?}");
    }

    #[test]
    fn only_what_differs_changes() {
        use HostedKind::{CallingBox, Talkover};
        check(Talkover, |_| {}, [0; 4], false);
        check(Talkover, |p| p.agents[0].name = "new".into(), [1, 0, 0, 0], false);
        check(Talkover, |p| p.agents[1].state = AgentState::Draft, [1, 0, 0, 0], false);
        check(Talkover, |p| p.agents[1].numbers.clear(), [1, 0, 0, 0], false);
        check(Talkover, |p| p.agents[1].numbers.reverse(), [0; 4], false);
        check(Talkover, |p| p.agents.push(told(4, Direction::Inbound)), [1, 0, 0, 0], false);
        check(Talkover, |p| p.numbers.push(number(103)), [0, 0, 1, 0], false);
        // An agent's number that is not in the list of numbers is attached to nobody.
        check(Talkover, |p| p.agents[1].numbers.push(number(9).id), [0; 4], false);
        check(
            Talkover,
            |p| p.agents[0].callback.as_mut().unwrap().sources.truncate(1),
            [1, 0, 0, 0],
            false,
        );
        // CallingBox knows no roles, and says who the default is.
        check(CallingBox, |p| p.agents[0].callback = None, [0; 4], false);
        check(CallingBox, |p| p.numbers[0].default_agent = Some(agent_id(1)), [0; 4], false);
        check(CallingBox, |p| p.numbers[1].default_agent = Some(agent_id(1)), [0, 0, 1, 0], false);
        check(CallingBox, |p| p.numbers[1].friendly_name = Some("n".into()), [0, 0, 1, 0], false);
        check(Talkover, |p| p.numbers[1].friendly_name = Some("n".into()), [0; 4], false);
    }

    #[test]
    fn losing_most_of_a_kind_is_doubted() {
        use HostedKind::Talkover;
        check(Talkover, |p| drop(p.agents.pop()), [1, 1, 0, 0], false);
        check(Talkover, |p| p.agents.truncate(1), [1, 2, 0, 0], true);
        check(Talkover, |p| p.numbers.truncate(2), [0, 0, 0, 1], false);
        check(Talkover, |p| p.numbers.truncate(1), [0, 0, 0, 2], true);
        check(Talkover, |p| p.agents[0].callback = None, [1, 0, 0, 0], true);
        check(Talkover, |p| *p = Picture::default(), [0, 3, 0, 3], true);
    }

    #[test]
    fn new_agents_are_attached_in_the_order_they_were_made() {
        let plan = plan(HostedKind::Talkover, &Mirrored::default(), picture(), true);
        let order: Vec<_> = plan.change.agents.iter().map(|agent| agent.id).collect();
        assert_eq!(order, [agent_id(3), agent_id(2), agent_id(1)]);
        assert_eq!(plan.doubt, None);
    }
}

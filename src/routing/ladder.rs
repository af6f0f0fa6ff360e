//! What is tried for a call, in order, with agents written out as what they would try.
//! It never adds the tenant's last resort; whoever walks the ladder does.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::domain::{Agent, AgentId, Direction, Rung, Target};
use crate::index::View;

/// How many agents deep an `agent:` target is followed.
const AGENTS_DEEP_MAX: usize = 3;

/// Writes targets out, `agent:` targets replaced by that agent's own. An agent that is not live,
/// lies too deep or was written out before is left out: its targets have just failed.
#[must_use]
pub fn ladder(view: &View<'_>, agent: Option<&Arc<Agent>>, targets: &[Target]) -> Vec<Rung> {
    let mut ladder =
        Ladder { view, seen: SmallVec::new(), rungs: Vec::with_capacity(targets.len()) };
    ladder.seen.extend(agent.map(|agent| agent.id));
    ladder.climb(agent, targets, 0);
    ladder.rungs
}

struct Ladder<'v> {
    view: &'v View<'v>,
    seen: SmallVec<[AgentId; 8]>,
    rungs: Vec<Rung>,
}

impl Ladder<'_> {
    fn climb(&mut self, agent: Option<&Arc<Agent>>, targets: &[Target], depth: usize) {
        for target in targets {
            let Target::Agent(next) = target else {
                self.rungs.push(Rung { agent: agent.cloned(), target: target.clone() });
                continue;
            };
            if depth == AGENTS_DEEP_MAX || self.seen.contains(next) {
                continue;
            }
            let view = self.view;
            let Some(next) = view.agent(*next) else { continue };
            let is_theirs = agent.is_none_or(|agent| agent.tenant == next.tenant);
            if is_theirs && next.is_live() && next.direction == Direction::Inbound {
                self.seen.push(next.id);
                self.climb(Some(next), view.targets(next), depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{AgentState, TenantId};
    use crate::index::{Delta, Index};

    fn id(n: u128) -> AgentId {
        AgentId(Uuid::from_u128(n))
    }

    fn agent(n: u128, state: AgentState, targets: &[Target]) -> Delta {
        Delta::Agent(Agent {
            id: id(n),
            tenant: TenantId(Uuid::nil()),
            name: format!("agent {n}"),
            direction: Direction::Inbound,
            state,
            targets: targets.to_vec(),
            callback: None,
            runtime_parameters: vec![],
            first_audio_timeout_ms: None,
            min_attestation: None,
            context_min_attestation: None,
            runtime_media: None,
        })
    }

    fn say(text: &str) -> Target {
        Target::Say(text.to_owned())
    }

    /// The ladder of agent 1 as `agent:what is said`.
    #[track_caller]
    fn check(agents: &[(u128, AgentState, &[Target])], rungs: &[&str]) {
        let (index, mut writer) = Index::new(Some(say("default")));
        let deltas: Vec<_> = agents.iter().map(|(n, state, of)| agent(*n, *state, of)).collect();
        writer.apply(&deltas);
        let view = index.view();
        let first = view.agent(id(1)).unwrap();
        let found: Vec<_> = ladder(&view, Some(first), view.targets(first))
            .into_iter()
            .map(|rung| format!("{}:{}", rung.agent.unwrap().id.0.as_u128(), rung.target))
            .collect();
        assert_eq!(found, rungs);
    }

    #[test]
    fn agents_are_written_out_in_place() {
        use AgentState::{Archived, Draft, Live};
        let to = |n| Target::Agent(id(n));
        check(&[(1, Live, &[])], &["1:say:default"]);
        check(
            &[(1, Live, &[say("a"), to(2), say("c")]), (2, Live, &[say("b")])],
            &["1:say:a", "2:say:b", "1:say:c"],
        );
        // A cycle, a draft, an archived agent, and one that is not there.
        check(
            &[(1, Live, &[to(2), say("a")]), (2, Live, &[to(1), say("b")])],
            &["2:say:b", "1:say:a"],
        );
        check(
            &[(1, Live, &[to(2), to(3), to(4)]), (2, Draft, &[say("b")]), (3, Archived, &[])],
            &[],
        );
        // Four deep.
        check(
            &[
                (1, Live, &[to(2)]),
                (2, Live, &[to(3)]),
                (3, Live, &[to(4)]),
                (4, Live, &[to(5), say("d")]),
                (5, Live, &[say("e")]),
            ],
            &["4:say:d"],
        );
    }
}

//! A number we own and who answers on it.

use super::{AccountId, AgentId, E164, NumberId, Target, TenantId, spelled};

spelled! {
    /// Who pays for calls to a number.
    pub enum NumberKind {
        /// Who calls.
        Local = "local",
        /// Who is called.
        TollFree = "toll_free",
    }
}

/// A number at one carrier account, as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its identity.
    pub id: NumberId,
    /// Its owner.
    pub tenant: TenantId,
    /// The account that delivers its calls; without one it answers no webhook.
    pub account: Option<AccountId>,
    /// The number itself.
    pub e164: E164,
    /// What becomes of a call that is no return call, in place of the default agent.
    pub passthrough: Option<Target>,
    /// The inbound agents attached to it, in the order they were attached.
    pub owners: Vec<Owner>,
}

/// An inbound agent attached to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who.
    pub agent: AgentId,
    /// Place in the control log where it was attached.
    pub attached: u64,
    /// Place in the control log of its claim; `None` where it makes none.
    pub claim: Option<u64>,
}

/// The number's default inbound agent: the latest claim whose agent is live; with no live claim,
/// the latest attached live owner. Of several of one write, the one that was attached last.
pub fn default_agent(owners: &[Owner], is_live: impl Fn(AgentId) -> bool) -> Option<AgentId> {
    owners
        .iter()
        .filter(|owner| is_live(owner.agent))
        .max_by_key(|owner| (owner.claim, owner.attached))
        .map(|owner| owner.agent)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn agent(n: u128) -> AgentId {
        AgentId(Uuid::from_u128(n))
    }

    #[track_caller]
    fn check(owners: &[(u128, u64, Option<u64>)], live: &[u128], expected: Option<u128>) {
        let owners: Vec<_> = owners
            .iter()
            .map(|&(id, attached, claim)| Owner { agent: agent(id), attached, claim })
            .collect();
        let live: Vec<_> = live.iter().map(|&id| agent(id)).collect();
        let found = default_agent(&owners, |id| live.contains(&id));
        assert_eq!(found, expected.map(agent), "{owners:?} live {live:?}");
    }

    #[test]
    fn the_latest_live_claim_is_the_default() {
        let owners = [(1, 1, Some(1)), (2, 2, Some(5)), (3, 9, None)];
        check(&owners, &[1, 2, 3], Some(2));
        check(&owners, &[1, 3], Some(1));
        check(&owners, &[3], Some(3));
        check(&owners, &[], None);
        check(&[(1, 4, None), (2, 3, None)], &[1, 2], Some(1));
        check(&[(2, 4, Some(4)), (1, 4, Some(4))], &[1, 2], Some(1));
        check(&[], &[1], None);
    }
}

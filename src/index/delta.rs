//! One change to the index, as the log carries it.
//!
//! Every delta is whole: it puts a thing as it now is, or removes it. So deltas are idempotent, and
//! a snapshot is nothing but the deltas that put everything. It never knows its wire form; that is
//! `replica::wire`.

use crate::domain::{
    Account, AccountId, Agent, AgentId, E164, MediaKey, Number, NumberId, Tenant, TenantId, Touch,
};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// A tenant as it now is.
    Tenant(Tenant),
    /// A tenant is gone, and every touch of it; the rest of what it had says so itself. It is said
    /// in both streams, so that no touch comes back whichever is ahead. Its id never returns.
    TenantRemoved(TenantId),
    /// A carrier account as it now is.
    Account(Account),
    /// An account is gone.
    AccountRemoved(AccountId),
    /// An agent as it now is, its callback role included.
    Agent(Agent),
    /// An agent is gone. Its touches keep their places and match nothing.
    AgentRemoved(AgentId),
    /// A number as it now is, its owners included.
    Number(Number),
    /// A number is gone.
    NumberRemoved(NumberId),
    /// The keys media tokens are signed with; the first signs, all verify.
    MediaKeys(Vec<MediaKey>),
    /// Touches, merged by the store; applied one after the other. Not for a touch that moved back
    /// in time: what it had pushed out may count again, so that contact is put whole.
    Touches(Vec<Touch>),
    /// All that is remembered of a contact, in place of what was; none: nothing is.
    Contact {
        /// Whose contact.
        tenant: TenantId,
        /// Who.
        contact: E164,
        /// The newest of each (agent, caller ID), the eight newest of those.
        touches: Vec<Touch>,
    },
}

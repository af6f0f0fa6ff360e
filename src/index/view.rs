//! One moment of the index, for reading. It allocates nothing, waits for no writer, and never
//! changes what it reads.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Shared;
use super::directory::{AgentEntry, Directory, NumberEntry, NumberKey, TenantEntry};
use super::own::Owners;
use super::shown::Shown;
use super::slot::{AgentSlot, TenantSlot};
use super::table::Fetched;
use super::touches::{Remembered, RememberedTouch};
use crate::domain::{
    Account, AccountId, Agent, AgentId, E164, MediaKey, Number, REMEMBERED_MAX, Target, Tenant,
    TenantId, Touch,
};

/// What is known at one moment: everything but touches as of one log entry, touches as they are
/// when asked for.
pub struct View<'i> {
    shared: &'i Shared,
    pub(super) directory: Shown,
}

/// The same as decisions look at it: where the directory is has been found out.
#[derive(Clone, Copy)]
pub struct Seen<'v> {
    shared: &'v Shared,
    directory: &'v Directory,
}

/// Somebody whose touches are on their way from memory.
#[derive(Clone, Copy)]
pub struct Sought<'i> {
    contact: E164,
    fetched: Fetched<'i>,
}

/// How much is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tenants.
    pub tenants: usize,
    /// Carrier accounts.
    pub accounts: usize,
    /// Agents.
    pub agents: usize,
    /// Numbers.
    pub numbers: usize,
    /// Contacts that are remembered.
    pub contacts: usize,
}

impl<'i> View<'i> {
    #[inline]
    pub(super) fn new(shared: &'i Shared) -> Self {
        Self { shared, directory: Shown::of(shared) }
    }

    /// The same, for one decision.
    #[must_use]
    #[inline]
    pub fn seen(&self) -> Seen<'_> {
        Seen { shared: self.shared, directory: self.directory.get() }
    }

    /// The account of that name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Arc<Account>> {
        self.directory.get().account_by_name(name)
    }

    /// The account with that id.
    #[must_use]
    pub fn account_by_id(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.directory.get().account(id)
    }

    /// Every account.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = &Arc<Account>> {
        self.directory.get().accounts()
    }

    /// The agent with that id.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> Option<&Arc<Agent>> {
        self.seen().agent(id)
    }

    /// The tenant with that id.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.seen().tenant_at(self.directory.get().tenant_slot(id)?).map(|entry| &entry.tenant)
    }

    /// The number at that account; without one, the number that has none.
    #[must_use]
    pub fn number(&self, account: Option<AccountId>, e164: E164) -> Option<&Arc<Number>> {
        self.seen().number_entry(account, e164).map(|entry| &entry.number)
    }

    /// Every number.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = &Arc<Number>> {
        self.directory.get().numbers().map(|entry| &entry.number)
    }

    /// The number's default inbound agent.
    #[must_use]
    pub fn default_agent(&self, number: &Number) -> Option<AgentId> {
        let slot = self.seen().number_entry(number.account, number.e164)?.default_agent?;
        self.directory.get().agent_id(slot)
    }

    /// The keys media tokens are signed with; the first signs, all verify.
    #[must_use]
    pub fn media_keys(&self) -> &[MediaKey] {
        self.directory.get().media_keys()
    }

    /// What is remembered of a person, newest first.
    #[must_use]
    pub fn contact(&self, tenant: TenantId, contact: E164) -> SmallVec<[Touch; REMEMBERED_MAX]> {
        let Some(slot) = self.directory.get().tenant_slot(tenant) else { return SmallVec::new() };
        let mut touches: SmallVec<[Touch; REMEMBERED_MAX]> = self
            .seen()
            .remembered(slot, contact)
            .iter()
            .filter_map(|touch| self.seen().touch(tenant, contact, touch))
            .collect();
        touches.sort_unstable_by_key(|touch| std::cmp::Reverse(touch.rank()));
        touches
    }

    /// How much is known; for metrics, since it counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            tenants: self.directory.get().tenants().count(),
            accounts: self.directory.get().accounts().len(),
            agents: self.directory.get().agents().count(),
            numbers: self.directory.get().numbers().len(),
            contacts: self.shared.touches.contacts(),
        }
    }

    /// What is tried for an agent: its targets, or the configured default target where it has none.
    #[must_use]
    pub fn targets<'v>(&'v self, agent: &'v Agent) -> &'v [Target] {
        self.seen().targets(agent)
    }
}

impl<'v> Seen<'v> {
    /// The agent with that id.
    #[must_use]
    pub fn agent(self, id: AgentId) -> Option<&'v Arc<Agent>> {
        self.agent_at(self.directory.agent_slot(id)?).map(|entry| &entry.agent)
    }

    /// What is tried for an agent: its targets, or the configured default target where it has none.
    #[must_use]
    #[inline]
    pub fn targets(self, agent: &'v Agent) -> &'v [Target] {
        if agent.targets.is_empty() {
            self.shared.default_target.as_slice()
        } else {
            &agent.targets
        }
    }

    /// The number at that account, with what follows from it.
    #[must_use]
    #[inline]
    pub fn number_entry(self, account: Option<AccountId>, e164: E164) -> Option<&'v NumberEntry> {
        self.directory.number(&NumberKey::new(e164, account))
    }

    /// The tenant in that slot.
    #[must_use]
    #[inline]
    pub fn tenant_at(self, slot: TenantSlot) -> Option<&'v TenantEntry> {
        self.directory.tenant(slot)
    }

    /// The agent in that slot; `None` where it is gone or not known yet.
    #[must_use]
    #[inline]
    pub fn agent_at(self, slot: AgentSlot) -> Option<&'v AgentEntry> {
        self.directory.agent(slot)
    }

    /// The tenants that have that number, at whatever account.
    #[must_use]
    #[inline]
    pub fn owners(self, e164: E164) -> Option<&'v Owners> {
        self.directory.owners(e164)
    }

    /// Says that this person will be asked for: what is remembered is fetched from far memory
    /// meanwhile, whichever tenant's contact it turns out to be.
    #[must_use]
    #[inline]
    pub fn seek(self, contact: E164) -> Sought<'v> {
        Sought { contact, fetched: self.shared.touches.fetch(contact) }
    }

    /// Reads what is remembered of a person, in no order, as the decision reads it; into what is
    /// empty.
    #[inline(always)]
    pub fn recall(self, tenant: TenantSlot, sought: Sought<'_>, into: &mut Remembered) {
        self.shared.touches.read((tenant, sought.contact), sought.fetched, into);
    }

    /// What is remembered of a person, in no order.
    #[must_use]
    pub fn remembered(self, tenant: TenantSlot, contact: E164) -> Remembered {
        let mut found = Remembered::new();
        self.recall(tenant, self.seek(contact), &mut found);
        found
    }

    /// A remembered touch, written out.
    #[must_use]
    #[inline]
    pub fn touch(self, tenant: TenantId, contact: E164, of: &RememberedTouch) -> Option<Touch> {
        Some(Touch {
            id: of.id,
            tenant,
            contact,
            // A touch that came after this view was taken may name an agent it does not know.
            agent: self.directory.agent_id(of.agent())?,
            caller_id: of.caller_id,
            at: of.at(),
            outcome: of.outcome(),
        })
    }
}

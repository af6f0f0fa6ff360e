//! Tenants, accounts, numbers and agents: small, read-mostly, and changed all at once.
//!
//! What a decision would otherwise work out each time is worked out here, at each change: a
//! number's default agent, its callback agents in the order of the rule, an agent's sources.
//! It never holds a touch.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;

use super::own::{OwnNumbers, Owners};
use super::slot::{AgentSlot, Slots, TenantSlot};
use crate::domain::{
    Account, AccountId, Agent, AgentId, Attestation, Direction, E164, MediaKey, Number, NumberId,
    OutcomeSet, Tenant, TenantId, default_agent,
};

/// One change to the directory; shared by both copies of it.
#[derive(Clone)]
pub(super) enum Change {
    /// Everything goes but the slots: a snapshot follows in the same list.
    Clear,
    Tenant(Arc<Tenant>),
    TenantRemoved(TenantId),
    Account(Arc<Account>),
    AccountRemoved(AccountId),
    Agent(Arc<Agent>),
    AgentRemoved(AgentId),
    Number(Arc<Number>),
    NumberRemoved(NumberId),
    MediaKeys(Arc<[MediaKey]>),
    /// A touch names a tenant and an agent that may not have slots yet.
    Named(TenantId, AgentId),
    /// These have the first slots, in this order; for a directory that has given none.
    Slots(Arc<Names>),
}

/// Whose slots touches name, in the order of the slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Tenants.
    pub tenants: Vec<TenantId>,
    /// Agents.
    pub agents: Vec<AgentId>,
}

/// What a number is known by: the same E.164 may exist at two accounts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NumberKey {
    e164: E164,
    /// The account's id in two words; zero, which no account has, where there is none.
    account: [u64; 2],
}

impl Hash for NumberKey {
    /// As one integer, which is hashed by one multiplication. Accounts' ids are made here, of
    /// random bits or of a digest: who may choose numbers cannot have many meet in one.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { e164, account: [upper, lower] } = self;
        state.write_u64(e164.as_u64() ^ upper ^ lower);
    }
}

impl NumberKey {
    #[inline]
    pub(super) const fn new(e164: E164, account: Option<AccountId>) -> Self {
        let account = match account {
            Some(AccountId(id)) => {
                let (upper, lower) = id.as_u64_pair();
                [upper, lower]
            }
            None => [0; 2],
        };
        Self { e164, account }
    }

    const fn of(number: &Number) -> Self {
        Self::new(number.e164, number.account)
    }
}

/// A number with what follows from it and its owners. It lies in the table itself, beside its key:
/// what a decision wants of it costs one way to memory.
#[derive(Clone)]
pub struct NumberEntry {
    /// The number.
    pub number: Arc<Number>,
    /// Its tenant.
    pub tenant: TenantSlot,
    /// Its default inbound agent: live, though perhaps without a target.
    pub default_agent: Option<AgentSlot>,
    /// Its live owners that hold the callback role: the one that has held it longest first, then
    /// the lower id.
    pub callback_agents: SmallVec<[AgentSlot; 4]>,
    /// Whether it passes on what is no return call.
    pub passes_on: bool,
}

/// A tenant with what every decision looks at.
#[derive(Clone)]
pub struct TenantEntry {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The least attestation a caller needs.
    pub min_attestation: Attestation,
    /// Whether somebody is on its block list.
    pub has_blocked: bool,
}

/// An agent with what decisions look at, in a line of its own.
#[derive(Clone)]
#[repr(align(64))]
pub struct AgentEntry {
    /// The agent.
    pub agent: Arc<Agent>,
    /// The source agents of its callback role, sorted; none where it does not hold it.
    pub sources: SmallVec<[AgentSlot; 4]>,
    /// How far back a touch counts, in days; 0 is all that is kept, `None` the tenant's.
    pub window_days: Option<u32>,
    /// Which outcomes count.
    pub trigger_outcomes: OutcomeSet,
    /// The least attestation for which it believes who is calling back.
    pub min_attestation: Attestation,
}

/// What a number knows of an agent that owns it and is in business.
#[derive(PartialEq, Eq)]
struct Role {
    tenant: TenantId,
    /// Since when it holds the callback role, if it does.
    callback_since: Option<u64>,
}

impl Role {
    fn of(agent: &Agent) -> Option<Self> {
        let answers = agent.is_live() && agent.direction == Direction::Inbound;
        let callback_since = agent.callback.as_ref().map(|callback| callback.since);
        answers.then_some(Self { tenant: agent.tenant, callback_since })
    }
}

/// The directory. Two copies exist, so cloning shares all that is large.
#[derive(Clone, Default)]
pub(super) struct Directory {
    tenants: Slots<TenantId, Option<TenantEntry>>,
    agents: Slots<AgentId, Option<AgentEntry>>,
    /// The numbers an agent owns, whose derived data must follow its state and role.
    owned: HashMap<AgentId, HashSet<NumberKey>>,
    accounts: HashMap<AccountId, Arc<Account>>,
    accounts_by_name: HashMap<Box<str>, Arc<Account>>,
    numbers: HashMap<NumberKey, NumberEntry>,
    number_keys: HashMap<NumberId, NumberKey>,
    own_numbers: OwnNumbers,
    media_keys: Arc<[MediaKey]>,
}

impl Directory {
    pub(super) fn tenant_slot(&self, id: TenantId) -> Option<TenantSlot> {
        self.tenants.slot(id).map(TenantSlot)
    }

    #[inline]
    pub(super) fn tenant(&self, slot: TenantSlot) -> Option<&TenantEntry> {
        self.tenants.get(slot.0)?.as_ref()
    }

    pub(super) fn agent_slot(&self, id: AgentId) -> Option<AgentSlot> {
        self.agents.slot(id).map(AgentSlot)
    }

    #[inline]
    pub(super) fn agent_id(&self, slot: AgentSlot) -> Option<AgentId> {
        self.agents.id(slot.0)
    }

    #[inline]
    pub(super) fn agent(&self, slot: AgentSlot) -> Option<&AgentEntry> {
        self.agents.get(slot.0)?.as_ref()
    }

    pub(super) fn names(&self) -> Names {
        Names { tenants: self.tenants.ids().collect(), agents: self.agents.ids().collect() }
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    pub(super) fn account_by_name(&self, name: &str) -> Option<&Arc<Account>> {
        self.accounts_by_name.get(name)
    }

    #[inline]
    pub(super) fn number(&self, key: &NumberKey) -> Option<&NumberEntry> {
        self.numbers.get(key)
    }

    #[inline]
    pub(super) fn owners(&self, e164: E164) -> Option<&Owners> {
        self.own_numbers.owners(e164)
    }

    pub(super) fn media_keys(&self) -> &[MediaKey] {
        &self.media_keys
    }

    pub(super) fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter().flatten().map(|entry| &entry.tenant)
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.iter().flatten().map(|entry| &entry.agent)
    }

    pub(super) fn accounts(&self) -> impl ExactSizeIterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    pub(super) fn numbers(&self) -> impl ExactSizeIterator<Item = &NumberEntry> {
        self.numbers.values()
    }

    /// Applies changes, then works out anew what follows from them: within a list, a number may
    /// come before its owners.
    pub(super) fn apply(&mut self, changes: &[Change]) {
        let mut stale = Vec::new();
        for change in changes {
            self.put(change, &mut stale);
        }
        stale.sort_unstable();
        stale.dedup();
        for key in stale {
            self.derive(&key);
        }
    }

    fn put(&mut self, change: &Change, stale: &mut Vec<NumberKey>) {
        match change {
            Change::Clear => self.clear(),
            Change::Tenant(tenant) => {
                if let Some(place) = self.tenants.place(tenant.id) {
                    *place = Some(TenantEntry {
                        tenant: Arc::clone(tenant),
                        min_attestation: tenant.settings.min_attestation,
                        has_blocked: !tenant.settings.block_list.is_empty(),
                    });
                }
            }
            Change::TenantRemoved(id) => {
                if let Some(place) = self.tenants.place(*id) {
                    *place = None;
                }
            }
            Change::Account(account) => {
                self.remove_account(account.id);
                self.accounts_by_name.insert(account.name.as_str().into(), Arc::clone(account));
                self.accounts.insert(account.id, Arc::clone(account));
            }
            Change::AccountRemoved(id) => self.remove_account(*id),
            Change::Agent(agent) => self.put_agent(agent.id, Some(agent), stale),
            Change::AgentRemoved(id) => self.put_agent(*id, None, stale),
            Change::Number(number) => self.put_number(number, stale),
            Change::NumberRemoved(id) => self.remove_number(*id),
            Change::MediaKeys(keys) => self.media_keys = Arc::clone(keys),
            Change::Named(tenant, agent) => {
                self.tenants.intern(*tenant);
                self.agents.intern(*agent);
            }
            Change::Slots(names) => {
                names.tenants.iter().for_each(|id| _ = self.tenants.intern(*id));
                names.agents.iter().for_each(|id| _ = self.agents.intern(*id));
            }
        }
    }

    fn clear(&mut self) {
        let mut tenants = std::mem::take(&mut self.tenants);
        let mut agents = std::mem::take(&mut self.agents);
        tenants.clear_places();
        agents.clear_places();
        *self = Self { tenants, agents, ..Self::default() };
    }

    fn remove_account(&mut self, id: AccountId) {
        let Some(account) = self.accounts.remove(&id) else { return };
        // The name may have gone to another account meanwhile.
        if self.accounts_by_name.get(account.name.as_str()).is_some_and(|named| named.id == id) {
            self.accounts_by_name.remove(account.name.as_str());
        }
    }

    fn put_agent(&mut self, id: AgentId, agent: Option<&Arc<Agent>>, stale: &mut Vec<NumberKey>) {
        let entry = agent.map(|agent| self.agent_entry(agent));
        let Self { agents, owned, .. } = self;
        let Some(place) = agents.place(id) else { return };
        // Most changes of an agent leave alone what its numbers know of it.
        let was = place.as_ref().and_then(|entry| Role::of(&entry.agent));
        if was != agent.and_then(|agent| Role::of(agent)) {
            stale.extend(owned.get(&id).into_iter().flatten());
        }
        *place = entry;
    }

    fn agent_entry(&mut self, agent: &Arc<Agent>) -> AgentEntry {
        let callback = agent.callback.as_ref();
        let sources = callback.into_iter().flat_map(|callback| &callback.sources);
        let mut sources: SmallVec<[_; 4]> =
            sources.map(|source| AgentSlot(self.agents.intern(*source))).collect();
        sources.sort_unstable();
        AgentEntry {
            agent: Arc::clone(agent),
            sources,
            window_days: callback.and_then(|callback| callback.window_days),
            trigger_outcomes: callback
                .map_or(OutcomeSet::ALL, |callback| callback.trigger_outcomes),
            min_attestation: agent.min_attestation.unwrap_or(Attestation::None),
        }
    }

    fn put_number(&mut self, number: &Arc<Number>, stale: &mut Vec<NumberKey>) {
        let key = NumberKey::of(number);
        let tenant = TenantSlot(self.tenants.intern(number.tenant));
        if let Some(entry) = self.numbers.get_mut(&key)
            && entry.number.id == number.id
            && entry.tenant == tenant
            && entry.number.owners == number.owners
        {
            // Most changes of a number leave alone what others know of it.
            entry.number = Arc::clone(number);
            entry.passes_on = number.passthrough.is_some();
            return;
        }
        self.remove_number(number.id);
        if let Some(former) = self.numbers.get(&key).map(|entry| entry.number.id) {
            self.remove_number(former);
        }
        self.own_numbers.add(number.e164, tenant);
        for owner in &number.owners {
            self.owned.entry(owner.agent).or_default().insert(key);
        }
        self.number_keys.insert(number.id, key);
        let entry = NumberEntry {
            number: Arc::clone(number),
            tenant,
            default_agent: None,
            callback_agents: SmallVec::new(),
            passes_on: number.passthrough.is_some(),
        };
        self.numbers.insert(key, entry);
        stale.push(key);
    }

    fn remove_number(&mut self, id: NumberId) {
        let Some(key) = self.number_keys.remove(&id) else { return };
        let Some(entry) = self.numbers.remove(&key) else { return };
        self.own_numbers.remove(key.e164, entry.tenant);
        for owner in &entry.number.owners {
            if let Some(owned) = self.owned.get_mut(&owner.agent) {
                owned.remove(&key);
                if owned.is_empty() {
                    self.owned.remove(&owner.agent);
                }
            }
        }
    }

    fn derive(&mut self, key: &NumberKey) {
        let Self { numbers, agents, .. } = self;
        let Some(entry) = numbers.get_mut(key) else { return };
        let number = &entry.number;
        let role = |id| {
            let slot = agents.slot(id)?;
            let role = Role::of(&agents.get(slot)?.as_ref()?.agent)?;
            (role.tenant == number.tenant).then_some((AgentSlot(slot), role))
        };
        let default = default_agent(&number.owners, |id| role(id).is_some());
        entry.default_agent = default.and_then(|id| agents.slot(id)).map(AgentSlot);
        let mut callbacks: SmallVec<[_; 4]> = number
            .owners
            .iter()
            .filter_map(|owner| Some((owner.agent, role(owner.agent)?)))
            .filter_map(|(id, (slot, role))| Some((role.callback_since?, id, slot)))
            .collect();
        callbacks.sort_unstable();
        entry.callback_agents = callbacks.into_iter().map(|(_, _, slot)| slot).collect();
    }
}

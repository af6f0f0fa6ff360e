//! One write: the rows it changes and, at its end, the one log entry a stream that says so.
//!
//! Every row method notes what it is about to touch, with how that was before. At the end the rows
//! are read again and what differs becomes the entry, whole objects, so that the log can neither
//! miss a change nor say more than one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use bytes::Bytes;
use uuid::{ContextV7, Timestamp, Uuid};

use super::{Actor, CallChange, Heads, Rows, Settings, WriteError, rows::routed};
use crate::{
    domain::{
        Account, AccountId, AgentId, AgentRecord, CallRecord, CallStep, E164, MediaKey, NumberId,
        NumberRecord, RevisionId, Tenant, TenantId, Touch, UnixMillis, Warning,
    },
    replica::{
        Delta,
        log::{Cursor, Entry, Stream},
        wire,
    },
};

/// A write transaction. It reads as [`Rows`] does, its own changes included.
pub struct Tx<'c> {
    rows: Rows<'c>,
    ids: &'c ContextV7,
    actor: Actor,
    now: UnixMillis,
    settings: &'c Settings,
    heads: [Cursor; 2],
    pub(super) before: Before,
    touches: Vec<Touch>,
    contacts: BTreeSet<(TenantId, E164)>,
    pub(super) warnings: Vec<Warning>,
    pub(super) calls: Vec<CallChange>,
    /// The revisions that it leaves, where they are named already, and what it says of itself.
    pub(super) revisions: BTreeMap<TenantId, RevisionId>,
    pub(super) summary: Option<String>,
    leaves_no_trace: bool,
    /// What it writes is told by somebody else, and taken as it is.
    pub(super) is_mirroring: bool,
    /// Who is erased by it.
    pub(super) erased: Option<(TenantId, E164)>,
    /// Steps of calls' lives, for those who are told of them.
    pub(super) steps: Vec<(CallRecord, CallStep)>,
    /// Whether more is to be delivered than before.
    pub(super) is_due: bool,
}

/// What was touched, and how it was before.
#[derive(Default)]
pub(super) struct Before {
    pub(super) tenants: BTreeMap<TenantId, Option<Tenant>>,
    accounts: BTreeMap<AccountId, Option<Account>>,
    pub(super) agents: BTreeMap<AgentId, Option<AgentRecord>>,
    pub(super) numbers: BTreeMap<NumberId, Option<NumberRecord>>,
    media_keys: Option<Vec<MediaKey>>,
}

/// What a write leaves to be committed.
pub(super) struct Finished {
    pub(super) entries: Vec<(Stream, Entry)>,
    /// Where the log then stands.
    pub(super) heads: Heads,
    pub(super) warnings: Vec<Warning>,
    pub(super) calls: Vec<CallChange>,
    /// What was deleted must not be found in the files either.
    pub(super) leaves_no_trace: bool,
    pub(super) is_due: bool,
}

impl<'c> Deref for Tx<'c> {
    type Target = Rows<'c>;

    fn deref(&self) -> &Rows<'c> {
        &self.rows
    }
}

impl<'c> Tx<'c> {
    pub(super) fn begin(
        rows: Rows<'c>,
        ids: &'c ContextV7,
        actor: Actor,
        now: UnixMillis,
        settings: &'c Settings,
    ) -> Result<Self, WriteError> {
        let heads = [rows.head(Stream::Control)?, rows.head(Stream::Touches)?];
        Ok(Self {
            rows,
            ids,
            actor,
            now,
            settings,
            heads,
            before: Before::default(),
            touches: Vec::new(),
            contacts: BTreeSet::new(),
            warnings: Vec::new(),
            calls: Vec::new(),
            revisions: BTreeMap::new(),
            summary: None,
            leaves_no_trace: false,
            is_mirroring: false,
            erased: None,
            steps: Vec::new(),
            is_due: false,
        })
    }

    /// The time of this write.
    #[must_use]
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Who writes.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    pub(super) const fn settings(&self) -> &'c Settings {
        self.settings
    }

    /// Where both streams stood before this write.
    pub(super) const fn heads_before(&self) -> Heads {
        let [control, touches] = &self.heads;
        Heads { control: control.seq, touches: touches.seq }
    }

    /// The place in the control log of this write's entry.
    pub(super) const fn next_seq(&self) -> u64 {
        let [control, _] = &self.heads;
        control.seq + 1
    }

    /// A new identity: later ones are greater, also within a millisecond.
    pub(super) fn new_id(&self) -> Uuid {
        let nanos = u32::try_from(self.now.0 % 1000).unwrap_or_default() * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(self.ids, self.now.seconds().0, nanos))
    }

    /// Adds a warning once.
    pub(super) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub(super) fn touch_tenant(&mut self, id: TenantId) -> Result<(), WriteError> {
        if !self.before.tenants.contains_key(&id) {
            let before = self.rows.tenant(id)?.map(|record| record.tenant);
            self.before.tenants.insert(id, before);
        }
        Ok(())
    }

    pub(super) fn touch_account(&mut self, id: AccountId) -> Result<(), WriteError> {
        if !self.before.accounts.contains_key(&id) {
            let before = self.rows.account(id)?;
            self.before.accounts.insert(id, before);
        }
        Ok(())
    }

    /// Its numbers too: their owners and defaults change with its direction and state.
    pub(super) fn touch_agent(&mut self, id: AgentId) -> Result<(), WriteError> {
        if !self.before.agents.contains_key(&id) {
            let before = self.rows.any_agent(id)?;
            self.before.agents.insert(id, before);
            for number in self.rows.numbers_of(id)? {
                self.touch_number(number)?;
            }
        }
        Ok(())
    }

    pub(super) fn touch_number(&mut self, id: NumberId) -> Result<(), WriteError> {
        if !self.before.numbers.contains_key(&id) {
            let before = self.rows.any_number(id)?;
            self.before.numbers.insert(id, before);
        }
        Ok(())
    }

    pub(super) fn touch_media_keys(&mut self) -> Result<(), WriteError> {
        if self.before.media_keys.is_none() {
            self.before.media_keys = Some(self.rows.media_keys()?);
        }
        Ok(())
    }

    /// A touch that is new or ended higher: what is remembered can only gain by it.
    pub(super) fn touch_added(&mut self, touch: Touch) {
        self.touches.push(touch);
    }

    /// A person of whom something remembered may have gone, or gone down in rank: what is
    /// remembered is then said whole.
    pub(super) fn touch_contact(&mut self, tenant: TenantId, contact: E164) {
        self.contacts.insert((tenant, contact));
    }

    /// What this write deletes is to be gone from the files too: from the log, which named it, and
    /// from what SQLite keeps beside the database.
    pub(super) const fn leave_no_trace(&mut self) {
        self.leaves_no_trace = true;
    }

    /// Writes the entries, one a stream at most, and the revisions, and reads off what the write
    /// warns of. What is written after it may only be what nobody follows.
    pub(super) fn finish(&mut self) -> Result<Finished, WriteError> {
        self.refuse_impossible()?;
        self.collect_warnings()?;
        self.write_revisions()?;
        self.tell_subscribers()?;
        let control = self.control_deltas()?;
        let touches = self.touches_deltas()?;
        let [control_head, touches_head] = self.heads;
        let mut entries = Vec::new();
        for (stream, head, deltas) in
            [(Stream::Control, control_head, control), (Stream::Touches, touches_head, touches)]
        {
            if !deltas.is_empty() {
                let entry = Entry::next(&head, Bytes::from(wire::encode(&deltas)));
                self.append(stream, &entry)?;
                entries.push((stream, entry));
            }
        }
        if self.leaves_no_trace {
            // Settings of long ago may have had the person on their block list.
            self.forget_entries(Stream::Control)?;
            self.forget_entries(Stream::Touches)?;
        }
        let heads = self.rows.heads()?;
        let warnings = std::mem::take(&mut self.warnings);
        let calls = std::mem::take(&mut self.calls);
        let (leaves_no_trace, is_due) = (self.leaves_no_trace, self.is_due);
        Ok(Finished { entries, heads, warnings, calls, leaves_no_trace, is_due })
    }

    /// Removals first: a key that is freed and taken in one write is taken at its end.
    fn control_deltas(&self) -> Result<Vec<Delta>, WriteError> {
        let mut removed = Vec::new();
        let mut put = Vec::new();
        for (&id, before) in &self.before.tenants {
            match self.rows.tenant(id)? {
                Some(after) => {
                    put.extend(changed(before.as_ref(), Some(after.tenant)).map(Delta::Tenant));
                }
                None => removed.extend(before.as_ref().map(|_| Delta::TenantRemoved(id))),
            }
        }
        for (&id, before) in &self.before.accounts {
            match self.rows.account(id)? {
                Some(after) => {
                    put.extend(changed(before.as_ref(), Some(after)).map(Delta::Account))
                }
                None => removed.extend(before.as_ref().map(|_| Delta::AccountRemoved(id))),
            }
        }
        for (&id, before) in &self.before.agents {
            let before = before.as_ref().map(|before| &before.agent);
            match self.rows.routed_agent(id)? {
                Some(after) => put.extend(changed(before, Some(after)).map(Delta::Agent)),
                None => removed.extend(before.map(|_| Delta::AgentRemoved(id))),
            }
        }
        for (&id, before) in &self.before.numbers {
            let before = before.as_ref().map(routed);
            match self.rows.any_number(id)? {
                Some(after) => {
                    put.extend(changed(before.as_ref(), Some(routed(&after))).map(Delta::Number));
                }
                None => removed.extend(before.map(|_| Delta::NumberRemoved(id))),
            }
        }
        if let Some(before) = &self.before.media_keys {
            let after = self.rows.media_keys()?;
            put.extend(changed(Some(before), Some(after)).map(Delta::MediaKeys));
        }
        removed.append(&mut put);
        Ok(removed)
    }

    fn touches_deltas(&mut self) -> Result<Vec<Delta>, WriteError> {
        let mut deltas = Vec::new();
        for (&id, before) in &self.before.tenants {
            if before.is_some() && self.rows.tenant(id)?.is_none() {
                deltas.push(Delta::TenantRemoved(id));
            }
        }
        for &(tenant, contact) in &self.contacts {
            deltas.push(self.rows.remembered(tenant, contact)?);
        }
        let said = &self.contacts;
        self.touches.retain(|touch| !said.contains(&(touch.tenant, touch.contact)));
        if !self.touches.is_empty() {
            deltas.push(Delta::Touches(std::mem::take(&mut self.touches)));
        }
        Ok(deltas)
    }
}

/// What it is now, where that is not what it was.
fn changed<T: PartialEq>(before: Option<&T>, after: Option<T>) -> Option<T> {
    after.filter(|after| before != Some(after))
}

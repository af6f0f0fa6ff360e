//! What a write did to each tenant's configuration, and the line of history that it leaves.
//!
//! It is read off at the end of the write from the rows themselves, as the log entry is: history
//! can neither miss a change nor say more than one.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Tx, WriteError};
use crate::domain::{AgentRecord, NumberRecord, Revised, RevisionId, TenantId, Thing, ThingKind};

impl Tx<'_> {
    /// What this write has changed so far of a tenant's configuration.
    ///
    /// # Errors
    /// The store's.
    pub fn changes_of(&self, tenant: TenantId) -> Result<Vec<Revised>, WriteError> {
        Ok(self.all_changes()?.remove(&tenant).unwrap_or_default())
    }

    /// The revision that this write leaves of a tenant, where it changes anything.
    pub fn revision_of(&mut self, tenant: TenantId) -> RevisionId {
        let new = RevisionId(self.new_id());
        *self.revisions.entry(tenant).or_insert(new)
    }

    /// Leaves one revision of each tenant that was changed.
    pub(super) fn write_revisions(&mut self) -> Result<(), WriteError> {
        for (tenant, changes) in self.all_changes()? {
            // History goes with its tenant.
            if self.tenant(tenant)?.is_none() {
                continue;
            }
            let summary = self.summary.clone().unwrap_or_else(|| told(&changes));
            let id = self.revision_of(tenant);
            self.insert_revision(id, tenant, &summary, &changes)?;
        }
        Ok(())
    }

    fn all_changes(&self) -> Result<BTreeMap<TenantId, Vec<Revised>>, WriteError> {
        let mut changes: BTreeMap<TenantId, Vec<Revised>> = BTreeMap::new();
        let mut note = |tenant: Option<TenantId>, kind, id: Uuid, before, after| {
            let change = Revised { kind, id, before, after };
            if let Some(tenant) = tenant {
                changes.entry(tenant).or_default().push(change);
            }
        };
        for (&id, before) in &self.before.tenants {
            // A tenant that is new, or gone, has no history to change.
            if let (Some(before), Some(after)) = (before, self.tenant(id)?) {
                let (mut before, after) = (before.settings.clone(), after.tenant.settings);
                if let Some((_, contact)) = self.erased.filter(|(tenant, _)| *tenant == id) {
                    // History does not know them any more: neither does it tell that they left.
                    before.block_list.retain(|blocked| *blocked != contact);
                }
                if before != after {
                    let (before, after) = (Thing::Settings(before), Thing::Settings(after));
                    note(Some(id), ThingKind::Settings, id.0, Some(before), Some(after));
                }
            }
        }
        for (&id, before) in &self.before.agents {
            let after = self.any_agent(id)?;
            if !same(before.as_ref(), after.as_ref(), same_agent) {
                let tenant = before.as_ref().or(after.as_ref()).map(|record| record.agent.tenant);
                let (before, after) = (before.clone().map(Thing::Agent), after.map(Thing::Agent));
                note(tenant, ThingKind::Agent, id.0, before, after);
            }
        }
        for (&id, before) in &self.before.numbers {
            let after = self.any_number(id)?;
            if !same(before.as_ref(), after.as_ref(), same_number) {
                let tenant = before.as_ref().or(after.as_ref()).map(|record| record.tenant);
                let (before, after) = (before.clone().map(Thing::Number), after.map(Thing::Number));
                note(tenant, ThingKind::Number, id.0, before, after);
            }
        }
        Ok(changes)
    }
}

fn same<T>(before: Option<&T>, after: Option<&T>, same: impl Fn(&T, &T) -> bool) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => same(before, after),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Every write moves `updated_at`; that alone is no change.
fn same_agent(before: &AgentRecord, after: &AgentRecord) -> bool {
    let AgentRecord {
        agent,
        label,
        profile,
        primary_number,
        numbers,
        created_at: _,
        updated_at: _,
        archived_at,
        upstream: _,
    } = before;
    *agent == after.agent
        && *label == after.label
        && *profile == after.profile
        && *primary_number == after.primary_number
        && *numbers == after.numbers
        && *archived_at == after.archived_at
}

/// Nor is what follows from the agents attached: their directions, and who answers by default.
fn same_number(before: &NumberRecord, after: &NumberRecord) -> bool {
    let attached = |record: &NumberRecord| -> Vec<_> {
        record.bindings.iter().map(|b| (b.agent, b.attached, b.claim, b.place)).collect()
    };
    before.account == after.account
        && before.e164 == after.e164
        && before.friendly_name == after.friendly_name
        && before.passthrough == after.passthrough
        && attached(before) == attached(after)
}

/// The changes in a few words: of one thing its name, of several how many.
fn told(changes: &[Revised]) -> String {
    let verb = |change: &Revised| match (&change.before, &change.after) {
        (None, _) => "created",
        (_, None) => "deleted",
        (Some(_), Some(_)) => "updated",
    };
    let named = |change: &Revised| match change.after.as_ref().or(change.before.as_ref()) {
        Some(Thing::Agent(record)) => format!("agent {}", record.agent.name),
        Some(Thing::Number(record)) => format!("number {}", record.e164),
        Some(Thing::Settings(_)) | None => "settings".to_owned(),
    };
    // Attaching an agent changes its numbers too; the agent is what people know it by.
    let agents: Vec<_> = changes.iter().filter(|c| c.kind == ThingKind::Agent).collect();
    let all: Vec<_> = changes.iter().collect();
    match (agents.as_slice(), all.as_slice()) {
        ([one], _) | ([], [one]) => format!("{} {}", verb(one), named(one)),
        (agents, all) => {
            let others = all.len() - agents.len();
            format!("{} agents, {others} numbers or settings", agents.len())
        }
    }
}

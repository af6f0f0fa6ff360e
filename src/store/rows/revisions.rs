//! The history of each tenant's configuration.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::{Rows, page::Selection, things};
use crate::{
    domain::{
        AgentId, AgentRecord, BelowMin, Names, NumberRecord, Refusal, Revised, RevisionId,
        RevisionRecord, Target, TenantId, TenantSettings, Thing, ThingKind, UnixMillis,
    },
    store::{Listed, Paging, Tx, WriteError},
};

const COLUMNS: &str = "id, tenant, place, key, summary, created, updated, deleted, created_at";

/// What things were before, by what they are; `None` where they were not yet.
pub(in crate::store) type Befores = BTreeMap<(ThingKind, Uuid), Option<Thing>>;

fn read(row: &Row<'_>) -> rusqlite::Result<RevisionRecord> {
    Ok(RevisionRecord {
        id: row.get(0)?,
        tenant: row.get(1)?,
        place: row.get(2)?,
        key: row.get(3)?,
        summary: row.get(4)?,
        created: row.get(5)?,
        updated: row.get(6)?,
        deleted: row.get(7)?,
        created_at: row.get(8)?,
    })
}

impl Rows<'_> {
    /// One line of a tenant's history.
    ///
    /// # Errors
    /// The store's.
    pub fn revision(
        &self,
        tenant: TenantId,
        id: RevisionId,
    ) -> Result<Option<RevisionRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM revisions WHERE id = ?1 AND tenant = ?2");
        self.one(&sql, params![id, tenant], read)
    }

    /// The newest line of a tenant's history.
    ///
    /// # Errors
    /// The store's.
    pub fn newest_revision(&self, tenant: TenantId) -> Result<Option<RevisionId>, WriteError> {
        let sql = "SELECT id FROM revisions WHERE tenant = ?1 ORDER BY place DESC LIMIT 1";
        self.one(sql, [tenant], |row| row.get(0))
    }

    /// A tenant's history, newest first.
    ///
    /// # Errors
    /// The store's; a cursor that names no row is refused.
    pub fn revisions(
        &self,
        tenant: TenantId,
        paging: &Paging,
    ) -> Result<Listed<RevisionRecord>, WriteError> {
        let sql = format!("SELECT {COLUMNS} FROM revisions WHERE id = ?1");
        self.page(Selection::of("revisions", tenant), paging)?
            .try_map(|id: Uuid| Ok(self.prepared(&sql)?.query_row([id.as_bytes()], read)?))
    }

    /// What a revision did.
    ///
    /// # Errors
    /// The store's.
    pub fn revised(&self, record: &RevisionRecord) -> Result<Vec<Revised>, WriteError> {
        let sql = "SELECT kind, object, before, after FROM revised WHERE revision = ?1
                   ORDER BY kind, object";
        let rows: Vec<(ThingKind, Uuid, Option<String>, Option<String>)> =
            self.all(sql, [record.place], |row| {
                Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?), row.get(2)?, row.get(3)?))
            })?;
        let read = |(kind, id, before, after): (_, _, Option<String>, Option<String>)| {
            let thing = |text: String| things::read(record.tenant, kind, id, &text);
            let before = before.map(thing).transpose()?;
            Ok(Revised { kind, id, before, after: after.map(thing).transpose()? })
        };
        rows.into_iter().map(read).collect()
    }

    /// What everything was before the first of the tenant's revisions from this place on.
    pub(in crate::store) fn befores(
        &self,
        tenant: TenantId,
        from: u64,
    ) -> Result<Befores, WriteError> {
        let mut befores = Befores::new();
        let mut statement = self.prepared(
            "SELECT kind, object, before FROM revised JOIN revisions ON place = revision
             WHERE tenant = ?1 AND place >= ?2 ORDER BY place",
        )?;
        let mut rows = statement.query(params![tenant, from])?;
        while let Some(row) = rows.next()? {
            let (kind, id) = (row.get(0)?, Uuid::from_bytes(row.get(1)?));
            if befores.contains_key(&(kind, id)) {
                continue;
            }
            let text: Option<String> = row.get(2)?;
            let thing = text.map(|text| things::read(tenant, kind, id, &text)).transpose()?;
            befores.insert((kind, id), thing);
        }
        Ok(befores)
    }

    /// What people call everything that these changes name.
    ///
    /// # Errors
    /// The store's.
    pub fn names(&self, changes: &[Revised]) -> Result<Names, WriteError> {
        let mut names = Names::default();
        // What is there now has its name from its row; what is gone, from what was kept of it.
        for change in changes {
            for thing in [&change.before, &change.after].into_iter().flatten() {
                match thing {
                    Thing::Agent(record) => {
                        names.agents.insert(record.agent.id, record.agent.name.clone());
                    }
                    Thing::Number(record) => {
                        names.numbers.insert(record.id, record.e164);
                    }
                    Thing::Settings(_) => {}
                }
            }
        }
        for change in changes {
            for thing in [&change.before, &change.after].into_iter().flatten() {
                self.name_all(thing, &mut names)?;
            }
        }
        Ok(names)
    }

    fn name_all(&self, thing: &Thing, names: &mut Names) -> Result<(), WriteError> {
        let mut numbers = Vec::new();
        let agents: Vec<AgentId> = match thing {
            Thing::Agent(record) => {
                numbers.extend(record.numbers.iter().chain(&record.primary_number));
                named_by_agent(record).collect()
            }
            Thing::Number(record) => named_by_number(record).collect(),
            Thing::Settings(settings) => named_by_settings(settings).collect(),
        };
        for id in agents {
            self.name_agent(id, names)?;
        }
        if let Thing::Number(NumberRecord { account: Some(id), .. }) = thing
            && let Some(account) = self.account(*id)?
        {
            names.accounts.insert(*id, account.name);
        }
        if let Thing::Number(record) = thing {
            for binding in &record.bindings {
                self.name_agent(binding.agent, names)?;
            }
        }
        for id in numbers {
            if !names.numbers.contains_key(id)
                && let Some(number) = self.any_number(*id)?
            {
                names.numbers.insert(*id, number.e164);
            }
        }
        Ok(())
    }

    fn name_agent(&self, id: AgentId, names: &mut Names) -> Result<(), WriteError> {
        if !names.agents.contains_key(&id) {
            let sql = "SELECT name FROM agents WHERE id = ?1";
            let name = self.prepared(sql)?.query_row([id], |row| row.get(0)).optional()?;
            names.agents.extend(name.map(|name| (id, name)));
        }
        Ok(())
    }
}

fn named_by_agent(record: &AgentRecord) -> impl Iterator<Item = AgentId> {
    let sources = record.agent.callback.iter().flat_map(|role| &role.sources).copied();
    sources.chain(record.agent.targets.iter().filter_map(named_by_target))
}

fn named_by_number(record: &NumberRecord) -> impl Iterator<Item = AgentId> {
    record.default_agent.into_iter().chain(record.passthrough.as_ref().and_then(named_by_target))
}

fn named_by_settings(settings: &TenantSettings) -> impl Iterator<Item = AgentId> {
    let below_min = match settings.below_min {
        BelowMin::Agent(agent) => Some(agent),
        BelowMin::AsWithheld | BelowMin::Reject => None,
    };
    settings.fallback_agent.into_iter().chain(below_min)
}

const fn named_by_target(target: &Target) -> Option<AgentId> {
    match target {
        Target::Agent(agent) => Some(*agent),
        Target::Runtime(_)
        | Target::Builtin(_)
        | Target::Tel(_)
        | Target::Sip(_)
        | Target::Redirect(_)
        | Target::Say(_)
        | Target::Busy
        | Target::Reject => None,
    }
}

/// Everything that is configured of a tenant.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Its agents; of those that are archived the ones that anything still names.
    pub agents: Vec<AgentRecord>,
    /// Its numbers.
    pub numbers: Vec<NumberRecord>,
    /// Its settings.
    pub settings: TenantSettings,
    /// What all of it is called.
    pub names: Names,
    /// The newest revision.
    pub revision: Option<RevisionId>,
}

impl Rows<'_> {
    /// Everything that is configured of a tenant.
    ///
    /// # Errors
    /// The store's; unknown tenant.
    pub fn configured(&self, tenant: TenantId) -> Result<Configured, WriteError> {
        let record = self.tenant(tenant)?.ok_or(Refusal::TenantNotFound)?;
        let mut agents = self.current_agents(tenant)?;
        let numbers = self.all_numbers(tenant)?;
        let mut names = Names::default();
        self.add_archived(tenant, &numbers, &record.tenant.settings, &mut agents, &mut names)?;
        let called = |record: &AgentRecord| (record.agent.id, record.agent.name.clone());
        names.agents.extend(agents.iter().map(called));
        names.numbers.extend(numbers.iter().map(|record| (record.id, record.e164)));
        let accounts = self.accounts()?.into_iter();
        names.accounts.extend(accounts.map(|account| (account.id, account.name)));
        let revision = self.newest_revision(tenant)?;
        Ok(Configured { agents, numbers, settings: record.tenant.settings, names, revision })
    }

    /// Adds the archived agents that anything still names, by whatever they name themselves.
    fn add_archived(
        &self,
        tenant: TenantId,
        numbers: &[NumberRecord],
        settings: &TenantSettings,
        agents: &mut Vec<AgentRecord>,
        names: &mut Names,
    ) -> Result<(), WriteError> {
        let mut known: BTreeSet<AgentId> = agents.iter().map(|record| record.agent.id).collect();
        let mut named: Vec<AgentId> = agents.iter().flat_map(named_by_agent).collect();
        named.extend(numbers.iter().flat_map(named_by_number));
        named.extend(named_by_settings(settings));
        while let Some(id) = named.pop() {
            if !known.insert(id) || self.is_implicit(id)? {
                continue;
            }
            let Some(record) = self.agent(tenant, id)? else { continue };
            if self.archived_named(tenant, &record.agent.name)?.len() > 1 {
                names.repeated.insert(id);
            }
            named.extend(named_by_agent(&record));
            agents.push(record);
        }
        Ok(())
    }
}

impl Tx<'_> {
    pub(in crate::store) fn insert_revision(
        &mut self,
        id: RevisionId,
        tenant: TenantId,
        summary: &str,
        changes: &[Revised],
    ) -> Result<(), WriteError> {
        let (now, key) = (self.now(), self.actor().key);
        let count = |is: fn(&Revised) -> bool| changes.iter().filter(|change| is(change)).count();
        self.run(
            "INSERT INTO revisions (id, tenant, key, summary, created, updated, deleted, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                id,
                tenant,
                key,
                summary,
                count(|change| change.before.is_none()),
                count(|change| change.before.is_some() && change.after.is_some()),
                count(|change| change.after.is_none()),
                now,
            ],
        )?;
        for change in changes {
            let text = |thing: &Option<Thing>| thing.as_ref().map(things::written).transpose();
            self.run(
                "INSERT INTO revised (revision, kind, object, before, after)
                 SELECT place, ?2, ?3, ?4, ?5 FROM revisions WHERE id = ?1",
                params![
                    id,
                    change.kind,
                    change.id.as_bytes(),
                    text(&change.before)?,
                    text(&change.after)?
                ],
            )?;
        }
        Ok(())
    }

    /// Forgets a tenant's oldest revisions from before, some at a time.
    pub(in crate::store) fn delete_aged_revisions(
        &mut self,
        tenant: TenantId,
        before: UnixMillis,
        limit: u32,
    ) -> Result<usize, WriteError> {
        self.run(
            "DELETE FROM revisions WHERE place IN (
                SELECT place FROM revisions WHERE tenant = ?1 AND created_at < ?2
                ORDER BY created_at, id LIMIT ?3)",
            params![tenant, before, limit],
        )
    }
}

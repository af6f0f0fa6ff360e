//! A daemon, and the ids of what is in its store: what paths and queries are filled with.

use std::collections::HashMap;

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use switchback::{
    dialects::rfc3339,
    domain::{E164, UnixMillis},
    telemetry::clock,
};
use uuid::Uuid;

use crate::{daemon::Daemon, filled::Size};

/// Ids of a kind: so many rounds ask for different rows.
const PICKED: usize = 32;

/// A daemon and what may be asked of it.
pub(crate) struct Scene {
    pub(crate) daemon: Daemon,
    picked: HashMap<&'static str, Vec<String>>,
}

/// Each kind, and the query of its ids in the order of their lists, oldest first.
const KINDS: &[(&str, &str)] = &[
    ("agent", "SELECT id FROM agents ORDER BY created_at, id"),
    ("desk", "SELECT id FROM agents WHERE direction = 'inbound' ORDER BY created_at, id"),
    ("source", "SELECT id FROM agents WHERE direction = 'outbound' ORDER BY created_at, id"),
    ("number", "SELECT id FROM numbers ORDER BY created_at, id"),
    ("e164", "SELECT e164 FROM numbers ORDER BY e164"),
    ("hooked", "SELECT agent FROM webhooks WHERE agent IS NOT NULL ORDER BY created_at, id"),
    ("hook", "SELECT id FROM webhooks WHERE agent IS NOT NULL ORDER BY created_at, id"),
    ("endpoint", "SELECT id FROM webhooks WHERE agent IS NULL"),
    ("call", "SELECT id FROM calls ORDER BY created_at, id"),
    ("returned", "SELECT id FROM calls WHERE direction = 'inbound' ORDER BY created_at, id"),
    ("carrier_call_id", "SELECT carrier_call_id FROM calls ORDER BY created_at, id"),
    ("contact", "SELECT dnis FROM calls WHERE direction = 'outbound' ORDER BY created_at, id"),
    ("ani", "SELECT ani FROM calls WHERE direction = 'inbound' ORDER BY created_at, id"),
    ("delivery", "SELECT id FROM deliveries WHERE NOT is_agents ORDER BY created_at, id"),
    ("revision", "SELECT id FROM revisions ORDER BY created_at, id"),
    ("line", "SELECT id FROM audit ORDER BY id"),
    ("key", "SELECT id FROM keys"),
    ("tenant", "SELECT id FROM tenants"),
    ("campaign", "SELECT id FROM campaigns ORDER BY created_at, id"),
];

impl Scene {
    pub(crate) fn start(size: Size) -> Self {
        let daemon = Daemon::start(size);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let conn = Connection::open_with_flags(&daemon.store, flags).unwrap();
        let picked = KINDS.iter().map(|(kind, sql)| (*kind, pick(&conn, kind, sql))).collect();
        Self { daemon, picked }
    }

    /// One of a kind, another each round.
    pub(crate) fn one(&self, kind: &str, round: usize) -> &str {
        let all = &self.picked[kind];
        &all[round % all.len()]
    }

    /// One that lies deep in a list, newest first.
    pub(crate) fn deep(&self, kind: &str) -> &str {
        let all = &self.picked[kind];
        &all[all.len() / 8]
    }

    /// What a parameter of a path is filled with.
    pub(crate) fn in_path(&self, path: &str, name: &str, round: usize) -> Option<&str> {
        let kind = match name {
            "agent" if path.contains("/webhooks") => "hooked",
            "agent" if path.contains("callback") => "desk",
            "webhook" if path.contains("{agent}") => "hook",
            "webhook" => "endpoint",
            "call" if path.ends_with("/briefing") => "returned",
            "contact" | "phone" => "contact",
            "account" => return Some("main"),
            known => self.picked.keys().find(|kind| **kind == known)?,
        };
        Some(self.one(kind, round))
    }

    /// What a parameter of a query is filled with; `None` where it is left out.
    pub(crate) fn in_query(&self, path: &str, name: &str, round: usize) -> Option<String> {
        let begun = |days: u64| UnixMillis(clock::now().0 - days * 86_400_000);
        let kind = match name {
            "agent_id" if path.contains("/campaigns") => "source",
            "agent_id" | "subject" => "agent",
            "from" => "ani",
            "to" => "contact",
            "endpoint_id" => "endpoint",
            "call_id" => "call",
            "carrier_call_id" | "key" => name,
            "since" => return Some(rfc3339(begun(40))),
            "date_from" | "start_date" => return Some(rfc3339(begun(40))[..10].to_owned()),
            "date_to" | "end_date" => return Some(rfc3339(begun(20))[..10].to_owned()),
            "has_voice" | "live" | "include_archived" => return Some("true".to_owned()),
            "action" => return Some("callback.set".to_owned()),
            "campaign_type" => return Some("reminder".to_owned()),
            "starting_after" | "ending_before" => return self.place(path).map(str::to_owned),
            _ => return None,
        };
        Some(self.one(kind, round).to_owned())
    }

    /// A row deep in the list that a path answers.
    fn place(&self, path: &str) -> Option<&str> {
        let kind = match path.rsplit('/').next()? {
            "calls" => "call",
            "numbers" => "number",
            "webhook_deliveries" => "delivery",
            "revisions" => "revision",
            "audit" => "line",
            "coverage" => "e164",
            _ => return None,
        };
        Some(self.deep(kind))
    }
}

/// Ids in equal steps.
fn pick(conn: &Connection, kind: &str, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        Ok(match row.get_ref(0)? {
            ValueRef::Blob(id) => Uuid::from_slice(id).unwrap().to_string(),
            ValueRef::Integer(place) if kind == "line" => place.to_string(),
            ValueRef::Integer(e164) => E164::from_u64(e164.unsigned_abs()).unwrap().to_string(),
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            ValueRef::Null | ValueRef::Real(_) => unreachable!(),
        })
    };
    let all: Vec<String> = statement.query_map([], read).unwrap().map(Result::unwrap).collect();
    let step = (all.len() / PICKED).max(1);
    all.into_iter().step_by(step).collect()
}

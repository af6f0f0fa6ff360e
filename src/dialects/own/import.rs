//! A carrier's list of calls, to be remembered: what is asked, and what came of one page of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    dialects::{
        Reader,
        reader::{Wrong, boolean, moment, text},
    },
    domain::{E164, Refusal, UnixMillis},
};

/// Caller IDs that a map names at most: every number of a large account.
const AGENTS_MAX: usize = 10_000;
/// Characters of a page's name.
const PAGE_LEN_MAX: usize = 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFields {
    /// Calls since the day of this.
    pub since: UnixMillis,
    /// Which page; the first, if none.
    pub page: Option<String>,
    /// Whose calls show which number: the agent's id or name.
    pub agents: BTreeMap<E164, String>,
    /// Nothing is kept.
    pub is_dry_run: bool,
}

/// What is asked, as it is written.
#[derive(ToSchema)]
#[schema(as = own::ImportCallsRequest)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub struct ImportRequest {
    /// Calls since the day of this (RFC 3339).
    #[schema(format = DateTime)]
    since: String,
    /// Which page, from the answer before; the first, if none.
    #[schema(min_length = 1, max_length = 1024)]
    page: Option<String>,
    /// Whose calls show which number: E.164 to an agent's id or name. A number that is not here
    /// is the only outbound agent's that is attached to it.
    agents: Option<BTreeMap<String, String>>,
    /// Keep nothing, only say what would be kept.
    dry_run: Option<bool>,
}

/// Reads what is asked.
///
/// # Errors
/// A field is missing or not understood.
pub fn import(body: Value) -> Result<ImportFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let since = reader.required("since", moment);
    let page = reader.optional("page", text(PAGE_LEN_MAX));
    let agents = reader.optional("agents", agents).unwrap_or_default();
    let is_dry_run = reader.optional("dry_run", boolean).unwrap_or(false);
    match since {
        Some(since) => reader.finish().map(|()| ImportFields { since, page, agents, is_dry_run }),
        None => Err(reader.refusal()),
    }
}

fn agents(value: &Value) -> Result<BTreeMap<E164, String>, Wrong> {
    let object = value.as_object().ok_or("must be an object of E.164 numbers to agents")?;
    if object.len() > AGENTS_MAX {
        return Err(format!("must have at most {AGENTS_MAX} members").into());
    }
    let read = |(number, agent): (&String, &Value)| {
        let e164 = E164::parse(number)
            .ok_or_else(|| Wrong::from("is not named by an E.164 number").within(number))?;
        let agent = text(255)(agent).map_err(|wrong| wrong.within(number))?;
        Ok((e164, agent))
    };
    object.iter().map(read).collect()
}

/// What came of a page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::ImportedCalls)]
pub struct ImportedBody {
    /// Calls on the page, those that no API placed included: they are no touches.
    pub listed: u64,
    /// Those that are touches now, and were none before.
    pub accepted: u64,
    /// Those that were known.
    pub duplicates: u64,
    /// How many make no touch, by cause.
    pub orphaned: BTreeMap<&'static str, u64>,
    /// The page to ask for next; null after the last.
    pub next_page: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(body: Value, field: &str) {
        let Err(Refusal::Invalid(fields)) = import(body) else { panic!("{field} is taken") };
        assert_eq!(fields[0].field, field);
    }

    #[test]
    fn a_map_names_agents_by_number() {
        let body = json!({
            "since": "2026-05-01T00:00:00Z", "agents": { "+14155550100": "Renewals" },
            "dry_run": true
        });
        let fields = import(body).unwrap();
        assert!(fields.is_dry_run && fields.page.is_none());
        assert_eq!(fields.agents[&E164::parse("+14155550100").unwrap()], "Renewals");
        refused(json!({}), "since");
        let since = "2026-05-01T00:00:00Z";
        refused(json!({ "since": since, "agents": { "4155550100": "A" } }), "agents.4155550100");
        refused(json!({ "since": since, "agents": [] }), "agents");
    }
}

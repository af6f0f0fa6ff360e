//! Routes: is there anybody for every number, and a way to everybody?

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use reqwest::Method;
use serde_json::Value;

use super::finding::{Finding, some};
use crate::cli::{
    Failure,
    client::{Client, list, segment, text},
};

/// Rows that are looked at of each list: past that the lists themselves are the place to look.
const ROWS_MAX: usize = 2000;

/// Inbound agents whose callback role is asked for, one by one.
const ROLES_MAX: usize = 200;

/// What a tenant has.
pub(super) struct Tenant {
    agents: Vec<Value>,
    numbers: Vec<Value>,
    /// The ids of agents that are drafts.
    drafts: BTreeSet<String>,
}

impl Tenant {
    /// Reads it.
    pub(super) fn read(client: &Client<'_>) -> Result<Self, Failure> {
        // Only Talkover's dialect tells which agents are drafts.
        let query = [("status", "draft".to_owned()), ("per_page", "100".to_owned())];
        let drafts = client.ask(Method::GET, "/api/v1/agents", &query, None)?;
        Ok(Self {
            agents: all(client, "/v1/agents")?,
            numbers: all(client, "/v1/numbers")?,
            drafts: list(&drafts).iter().map(|agent| text(agent, "id").to_owned()).collect(),
        })
    }

    fn is_draft(&self, agent: &Value) -> bool {
        self.drafts.contains(text(agent, "id"))
    }

    fn inbound(&self) -> impl Iterator<Item = &Value> {
        self.agents.iter().filter(|agent| text(agent, "type") == "inbound")
    }

    /// Live inbound agents.
    pub(super) fn answering(&self) -> impl Iterator<Item = &Value> {
        let is_archived = |agent: &Value| agent.get("archived_at").is_some_and(|at| !at.is_null());
        self.inbound().filter(move |agent| !is_archived(agent) && !self.is_draft(agent))
    }

    /// What is wrong with the ways that calls go.
    pub(super) fn examine(&self, client: &Client<'_>, findings: &mut Vec<Finding>) {
        let before = findings.len();
        self.numbers_without(findings);
        self.builtins(findings);
        self.roles(client, findings);
        if findings.len() == before {
            let (numbers, agents) = (self.numbers.len(), self.agents.len());
            let detail = format!("{numbers} numbers and {agents} agents: somebody answers each");
            findings.push(Finding::well("routes", detail));
        }
    }

    fn numbers_without(&self, findings: &mut Vec<Finding>) {
        let those = |wanted: &dyn Fn(&Value) -> bool| -> Vec<String> {
            let those = self.numbers.iter().filter(|number| wanted(number));
            those.map(|number| text(number, "e164").to_owned()).collect()
        };
        let is_null = |number: &Value, key: &str| number.get(key).is_none_or(Value::is_null);
        let unanswered = those(&|number| {
            is_null(number, "inbound_agent_id")
                && is_null(number, "passthrough")
                && number.get("inbound_enabled") != Some(&Value::Bool(true))
        });
        if !unanswered.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("nobody answers {}: who calls hears a busy tone", some(&unanswered)),
                "attach an inbound agent that is live, or give the number a passthrough",
            ));
        }
        let undelivered = those(&|number| is_null(number, "account"));
        if !undelivered.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("no carrier account delivers calls to {}", some(&undelivered)),
                "PATCH /switchback/v1/numbers/{id} with the account's name",
            ));
        }
    }

    /// Runtimes of ours, which say nothing to anybody, on numbers that people call.
    fn builtins(&self, findings: &mut Vec<Finding>) {
        let has_number = |agent: &&Value| {
            let numbers = agent.get("numbers").and_then(Value::as_array);
            let mut numbers = numbers.into_iter().flatten();
            numbers.any(|number| !text(number, "account").is_empty())
        };
        let names = self
            .answering()
            .filter(has_number)
            .filter(|agent| targets(agent).any(|target| target.starts_with("builtin:")));
        let names: Vec<String> = names.map(|agent| text(agent, "name").to_owned()).collect();
        if !names.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("{} answer people with a built-in echo or tone", some(&names)),
                "built-ins are for demos and tests: give them a runtime as target",
            ));
        }
    }

    /// Callback roles that nobody can be routed by.
    fn roles(&self, client: &Client<'_>, findings: &mut Vec<Finding>) {
        let by_id: BTreeMap<&str, &Value> =
            self.agents.iter().map(|agent| (text(agent, "id"), agent)).collect();
        let (mut drafts, mut sources) = (BTreeSet::new(), BTreeSet::new());
        for agent in self.inbound().take(ROLES_MAX) {
            let path = format!("/switchback/v1/agents/{}/callback", segment(text(agent, "id")));
            let Ok((200, role)) = client.answer_to(Method::GET, &path, None) else { continue };
            if self.is_draft(agent) {
                drafts.insert(text(agent, "name").to_owned());
            }
            let ids = role.get("source_agent_ids").and_then(Value::as_array);
            for id in ids.into_iter().flatten().filter_map(Value::as_str) {
                if self.drafts.contains(id) {
                    sources.insert(text(agent, "name").to_owned());
                }
            }
        }
        if !drafts.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("{} hold the callback role as drafts, and are passed over", listed(drafts)),
                "publish them, or give the role to an agent that is live",
            ));
        }
        if !sources.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("{} take return calls of agents that are drafts", listed(sources)),
                "a draft calls nobody: publish it, or take it off the list of sources",
            ));
        }
        let missing = |agent: &&Value| {
            let named = targets(agent).filter_map(|target| target.strip_prefix("agent:"));
            let mut named = named.map(|id| by_id.get(id));
            named.any(|agent| agent.is_none_or(|agent| self.is_draft(agent)))
        };
        let names = self.answering().filter(missing).map(|agent| text(agent, "name").to_owned());
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            findings.push(Finding::doubtful(
                "routes",
                format!("{} hand calls to agents that are not live", some(&names)),
                "publish those agents, or change the targets that name them",
            ));
        }
    }
}

fn listed(names: BTreeSet<String>) -> String {
    some(&names.into_iter().collect::<Vec<_>>())
}

fn targets(agent: &Value) -> impl Iterator<Item = &str> {
    let targets = agent.get("targets").and_then(Value::as_array);
    targets.into_iter().flatten().filter_map(Value::as_str)
}

/// A list, as far as it is looked at.
fn all(client: &Client<'_>, path: &str) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    client.each(path, |row| {
        found.push(row.clone());
        if found.len() < ROWS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

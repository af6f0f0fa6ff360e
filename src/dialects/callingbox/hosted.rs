//! What the hosted CallingBox answers and tells by webhook, as it is mirrored here.

use serde_json::Value;

use crate::{
    dialects::hosted::{Told, lacks},
    domain::{
        AgentId, AgentState, Direction, HostedAgent, HostedCall, HostedNumber, NumberId, Outcome,
        TenantId, TouchId,
    },
};

/// Reads an agent of List Agents.
///
/// # Errors
/// A field it cannot be without is missing.
pub fn hosted_agent(value: &Value, tenant: TenantId) -> Result<HostedAgent, String> {
    let told = Told::of(value, tenant)?;
    let id = told.id("id").ok_or_else(|| lacks("an agent", None, "id"))?;
    let direction = told.text("type").and_then(|word| word.parse().ok());
    let is_archived = told.text("archived_at").is_some();
    let numbers = told
        .list("numbers")
        .filter_map(|number| Told::of(number, tenant).ok()?.id("id").map(NumberId));
    Ok(HostedAgent {
        id: AgentId(id),
        name: told.text("name").map_or_else(|| id.to_string(), str::to_owned),
        label: None,
        direction: direction.ok_or_else(|| lacks("agent", Some(id), "type"))?,
        state: if is_archived { AgentState::Archived } else { AgentState::Live },
        profile: told.profile(),
        numbers: if is_archived { Vec::new() } else { numbers.collect() },
        primary: told.id("primary_number_id").map(NumberId),
        callback: None,
        created_at: told.moment("created_at").unwrap_or_default(),
    })
}

/// Reads a number of List Phone Numbers; `None` for one that is no E.164.
///
/// # Errors
/// It has no id.
pub fn hosted_number(value: &Value, tenant: TenantId) -> Result<Option<HostedNumber>, String> {
    let told = Told::of(value, tenant)?;
    let id = told.id("id").ok_or_else(|| lacks("a number", None, "id"))?;
    Ok(told.phone("e164").map(|e164| HostedNumber {
        id: NumberId(id),
        e164,
        friendly_name: told.text("friendly_name").map(str::to_owned),
        default_agent: told.id("inbound_agent_id").map(AgentId),
    }))
}

/// Reads a call, of List Calls or of an event.
///
/// # Errors
/// A field it cannot be without is missing.
pub fn hosted_call(value: &Value, tenant: TenantId) -> Result<HostedCall, String> {
    let told = Told::of(value, tenant)?;
    let name = told.name_of("id").ok_or_else(|| lacks("a call", None, "id"))?;
    let id = TouchId::of_external(tenant, &name);
    let lacking = |field: &str| lacks("call", Some(id.0), field);
    let direction: Option<Direction> = told.text("direction").and_then(|word| word.parse().ok());
    let outcome = match (told.text("status"), told.text("answered_by")) {
        (Some("no_answer" | "completed"), Some("machine")) => Some(Outcome::Voicemail),
        (Some(word), _) => Outcome::from_any_dialect(word),
        (None, _) => None,
    };
    Ok(HostedCall {
        id,
        external_id: (uuid::Uuid::try_parse(&name) != Ok(id.0)).then_some(name),
        direction: direction.ok_or_else(|| lacking("direction"))?,
        agent: told.id("agent_id").map(AgentId),
        from: told.phone("from_number"),
        to: told.phone("to_number"),
        at: told.moment("created_at").ok_or_else(|| lacking("created_at"))?,
        outcome: outcome.ok_or_else(|| lacking("status"))?,
        is_test: false,
    })
}

/// Reads a webhook's event; `None` where it tells of no call.
#[must_use]
pub fn hosted_event(body: &Value, tenant: TenantId) -> Option<HostedCall> {
    let call = body.get("data")?.get("call")?;
    hosted_call(call, tenant).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const ID: &str = "018f4a9e-0000-7000-8000-00000000000a";

    #[track_caller]
    fn check(status: &str, answered_by: Option<&str>, expected: Option<Outcome>) {
        let row = json!({
            "id": ID, "direction": "outbound", "status": status, "answered_by": answered_by,
            "created_at": "2026-05-02T09:00:00Z"
        });
        assert_eq!(hosted_call(&row, TENANT).ok().map(|call| call.outcome), expected, "{status}");
    }

    #[test]
    fn outcomes_are_read_from_status_and_machine() {
        check("queued", None, Some(Outcome::Pending));
        check("in_progress", None, Some(Outcome::Answered));
        check("completed", None, Some(Outcome::Answered));
        check("no_answer", None, Some(Outcome::NoAnswer));
        check("no_answer", Some("machine"), Some(Outcome::Voicemail));
        check("canceled", None, Some(Outcome::Canceled));
        check("vanished", None, None);
    }

    #[test]
    fn an_archived_agent_has_left_its_numbers() {
        let row = json!({ "id": ID, "name": "Night desk", "type": "inbound",
            "numbers": [{ "id": ID }], "primary_number_id": ID, "persona": "calm" });
        let agent = hosted_agent(&row, TENANT).unwrap();
        assert_eq!((agent.state, agent.numbers.len()), (AgentState::Live, 1));
        assert_eq!(agent.profile, r#"{"persona":"calm"}"#);
        let mut row = row;
        row["archived_at"] = json!("2026-05-02T09:00:00Z");
        let agent = hosted_agent(&row, TENANT).unwrap();
        assert_eq!((agent.state, agent.numbers.len()), (AgentState::Archived, 0));
        row["type"] = json!("sideways");
        assert!(hosted_agent(&row, TENANT).unwrap_err().contains("type"));
    }
}

//! What the hosted Talkover answers and tells by webhook, as it is mirrored here.

use serde_json::Value;

use super::AgentState;
use crate::{
    dialects::hosted::{Told, lacks},
    domain::{
        AgentId, Direction, HostedAgent, HostedCall, HostedCallback, HostedNumber, NumberId,
        Outcome, OutcomeSet, TenantId, TouchId, UnixMillis,
    },
};

/// Reads an agent of List Agents. Its callback role is told elsewhere.
///
/// # Errors
/// A field it cannot be without is missing.
pub fn hosted_agent(value: &Value, tenant: TenantId) -> Result<HostedAgent, String> {
    let told = Told::of(value, tenant)?;
    let id = told.id("id").ok_or_else(|| lacks("an agent", None, "id"))?;
    let lacking = |field: &str| lacks("agent", Some(id), field);
    let direction = told.text("direction").and_then(|word| word.parse().ok());
    let state = told.text("current_status").and_then(|word| word.parse::<AgentState>().ok());
    let name = told.text("name").or_else(|| told.text("label"));
    let name = name.map_or_else(|| id.to_string(), str::to_owned);
    let numbers = told
        .list("phone_numbers")
        .filter_map(|number| Told::of(number, tenant).ok()?.id("id").map(NumberId));
    Ok(HostedAgent {
        id: AgentId(id),
        label: told.text("label").filter(|label| *label != name).map(str::to_owned),
        name,
        direction: direction.ok_or_else(|| lacking("direction"))?,
        state: state.ok_or_else(|| lacking("current_status"))?.0,
        profile: told.profile(),
        numbers: numbers.collect(),
        primary: None,
        callback: None,
        created_at: told.moment("created_at").unwrap_or_default(),
    })
}

/// Reads an agent of List Callback Agents: who it is, and over whom.
///
/// # Errors
/// A field it cannot be without is missing.
pub fn hosted_callback(
    value: &Value,
    tenant: TenantId,
) -> Result<(AgentId, HostedCallback), String> {
    let told = Told::of(value, tenant)?;
    let id = told.id("id").ok_or_else(|| lacks("a callback agent", None, "id"))?;
    let lacking = |field: &str| lacks("callback agent", Some(id), field);
    let config = told.inner("callback_config").ok_or_else(|| lacking("callback_config"))?;
    let words = config.list("callback_trigger_statuses").filter_map(Value::as_str);
    let outcomes: Vec<Outcome> = words.filter_map(Outcome::from_any_dialect).collect();
    let role = HostedCallback {
        sources: config.ids("source_agent_ids").into_iter().map(AgentId).collect(),
        window_days: config.count("window_days"),
        trigger_outcomes: (!outcomes.is_empty())
            .then(|| outcomes.into_iter().collect::<OutcomeSet>()),
    };
    Ok((AgentId(id), role))
}

/// Reads a number of List Phone Numbers; `None` for one that carries no voice, or that nobody
/// abroad could dial.
///
/// # Errors
/// It has no id.
pub fn hosted_number(value: &Value, tenant: TenantId) -> Result<Option<HostedNumber>, String> {
    let told = Told::of(value, tenant)?;
    let id = told.id("id").ok_or_else(|| lacks("a number", None, "id"))?;
    let e164 = told.phone("number").filter(|_| told.flag("has_voice") != Some(false));
    Ok(e164.map(|e164| HostedNumber {
        id: NumberId(id),
        e164,
        friendly_name: None,
        default_agent: None,
    }))
}

/// Reads a call of List Calls.
///
/// # Errors
/// A field it cannot be without is missing.
pub fn hosted_call(value: &Value, tenant: TenantId) -> Result<HostedCall, String> {
    let told = Told::of(value, tenant)?;
    let id = told.name_of("id").ok_or_else(|| lacks("a call", None, "id"))?;
    let touch = TouchId::of_external(tenant, &id);
    let lacking = |field: &str| lacks("call", Some(touch.0), field);
    let outcome = told.text("status").and_then(Outcome::from_any_dialect);
    let direction: Option<Direction> = told.text("direction").and_then(|word| word.parse().ok());
    let agent = told.inner("agent").and_then(|agent| agent.id("id")).or(told.id("agent_id"));
    Ok(HostedCall {
        id: touch,
        external_id: external(touch, id),
        direction: direction.ok_or_else(|| lacking("direction"))?,
        agent: agent.map(AgentId),
        from: told.phone("from"),
        to: told.phone("to"),
        at: told.moment("created_at").ok_or_else(|| lacking("created_at"))?,
        outcome: outcome.ok_or_else(|| lacking("status"))?,
        is_test: told.flag("is_testing") == Some(true),
    })
}

/// Reads a webhook's event; `None` where it is about no call that it tells whole.
#[must_use]
pub fn hosted_event(body: &Value, tenant: TenantId, now: UnixMillis) -> Option<HostedCall> {
    let told = Told::of(body, tenant).ok()?;
    let call = told.inner("call")?;
    let id = call.name_of("id")?;
    let touch = TouchId::of_external(tenant, &id);
    let said = call.text("status").and_then(Outcome::from_any_dialect);
    let outcome = match told.text("event")? {
        "event_phone_call_started" => Outcome::Pending,
        "event_phone_call_connected" => Outcome::Answered,
        "event_voicemail_detected" | "event_voicemail_message_left" => Outcome::Voicemail,
        "event_phone_call_did_not_connect" => said.unwrap_or(Outcome::NoAnswer),
        "event_phone_call_error" => said.unwrap_or(Outcome::Failed),
        _ => said?,
    };
    let began = call.moment("created_at").or(call.moment("started_at"));
    Some(HostedCall {
        id: touch,
        external_id: external(touch, id),
        direction: call.text("direction")?.parse().ok()?,
        agent: call.id("agent_id").or(told.id("agent_id")).map(AgentId),
        from: Some(call.phone("from")?),
        to: Some(call.phone("to")?),
        // A later event is later than the call's begin; the pull that follows brings that.
        at: began.or(told.moment("timestamp")).unwrap_or(now).min(now),
        outcome,
        is_test: call.flag("is_testing") == Some(true),
    })
}

/// What a call is called there, where that is no id of ours.
fn external(touch: TouchId, id: String) -> Option<String> {
    (uuid::Uuid::try_parse(&id) != Ok(touch.0)).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::AgentState;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const AGENT: &str = "018f4a9e-0000-7000-8000-00000000000a";
    const NUMBER: &str = "018f4a9e-0000-7000-8000-00000000000b";

    #[test]
    fn an_agent_is_read_whole_or_not_at_all() {
        let row = json!({
            "id": AGENT, "name": "desk", "label": "Desk", "direction": "inbound",
            "current_status": "published", "language": "en-US", "voice": null,
            "created_at": "2026-05-02T09:00:00Z", "is_sandbox": false, "targets": ["wss://x"],
            "phone_numbers": [{ "id": NUMBER, "number": "+14155550100" }]
        });
        let agent = hosted_agent(&row, TENANT).unwrap();
        assert_eq!(agent.id.to_string(), AGENT);
        assert_eq!((agent.name.as_str(), agent.label.as_deref()), ("desk", Some("Desk")));
        assert_eq!(agent.state, AgentState::Live);
        assert_eq!(agent.numbers, [NUMBER.parse().unwrap()]);
        assert_eq!(agent.profile, r#"{"language":"en-US"}"#);
        for field in ["id", "direction", "current_status"] {
            let mut row = row.clone();
            row[field] = json!("?");
            if field == "id" {
                row[field] = json!(null);
            }
            assert!(hosted_agent(&row, TENANT).unwrap_err().contains(field), "{field}");
        }
        // An id that is no UUID is always the same one here.
        let odd = json!({ "id": 7, "direction": "outbound", "current_status": "draft" });
        assert_eq!(hosted_agent(&odd, TENANT).unwrap().id, hosted_agent(&odd, TENANT).unwrap().id);
    }

    #[test]
    fn a_call_is_a_touch_where_it_reached_for_somebody() {
        let row = json!({
            "id": AGENT, "to": "+14155550137", "from": "14155550100", "direction": "outbound",
            "status": "no-answer", "agent": { "id": AGENT }, "created_at": "2026-05-02T09:00:00Z"
        });
        let touch = hosted_call(&row, TENANT).unwrap().touch(TENANT).unwrap();
        assert_eq!((touch.touch.outcome, touch.external_id), (Outcome::NoAnswer, None));
        for (field, value) in [
            ("direction", json!("inbound")),
            ("is_testing", json!(true)),
            ("agent", json!(null)),
            ("to", json!("anonymous")),
        ] {
            let mut row = row.clone();
            row[field] = value;
            assert_eq!(hosted_call(&row, TENANT).unwrap().touch(TENANT), None, "{field}");
        }
    }

    #[test]
    fn events_tell_how_far_a_call_is() {
        let now = UnixMillis(1_777_712_400_000);
        for (event, status, expected) in [
            ("event_phone_call_started", "ringing", Some(Outcome::Pending)),
            ("event_phone_call_connected", "answered", Some(Outcome::Answered)),
            ("event_phone_call_did_not_connect", "busy", Some(Outcome::Busy)),
            ("event_phone_call_did_not_connect", "", Some(Outcome::NoAnswer)),
            ("event_voicemail_detected", "answered", Some(Outcome::Voicemail)),
            ("event_phone_call_ended", "completed", Some(Outcome::Answered)),
            ("event_action", "", None),
        ] {
            let body = json!({
                "event": event, "agent_id": AGENT,
                "call": { "id": "c-1", "direction": "outbound", "from": "+14155550100",
                    "to": "+14155550137", "status": status }
            });
            let call = hosted_event(&body, TENANT, now);
            assert_eq!(call.map(|call| call.outcome), expected, "{event}");
        }
        assert_eq!(hosted_event(&json!({ "event": "webhook.test" }), TENANT, now), None);
    }
}

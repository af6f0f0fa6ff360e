//! Each kind of write, in all three APIs: made, changed, taken away again, so that a store stays of
//! the size it is.

use reqwest::Method;
use serde_json::{Value, json};
use switchback::{dialects::rfc3339, domain::UnixMillis, telemetry::clock};

use crate::{daemon::Got, scene::Scene};

const WHERE: &[&str] = &["/api/v1", "/v1", "/switchback/v1"];

/// The requests of one round: what they are called, and what came back.
struct Script<'s> {
    scene: &'s Scene,
    round: usize,
    done: Vec<(String, Got)>,
}

/// Makes them all.
pub(crate) async fn all(scene: &Scene, round: usize) -> Vec<(String, Got)> {
    let mut script = Script { scene, round, done: Vec::new() };
    script.agents().await;
    script.numbers().await;
    script.recorded().await;
    script.subscriptions().await;
    script.calls().await;
    script.contacts().await;
    script.whole().await;
    script.done
}

impl Script<'_> {
    /// Asks by a path whose parameters are filled from `ids` in their order; the id of what was
    /// made.
    async fn ask(&mut self, method: Method, path: &str, ids: &[&str], body: Value) -> String {
        let mut target = path.to_owned();
        for id in ids {
            let (begin, end) = (target.find('{').unwrap(), target.find('}').unwrap());
            target.replace_range(begin..=end, &id.replace('+', "%2B"));
        }
        let body = Some(body).filter(|body| !body.is_null());
        let got = self.scene.daemon.ask(method.clone(), &target, body.as_ref()).await;
        assert!(got.status < 300, "{method} {path}: {} {}", got.status, got.body);
        assert!(WHERE.iter().any(|surface| path.starts_with(surface)));
        let id = [&got.body["id"], &got.body["data"]["id"]];
        let id = id.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
        let name = path.split('?').next().unwrap_or_default();
        self.done.push((format!("{method} {name}"), got));
        id
    }

    async fn post(&mut self, path: &str, ids: &[&str], body: Value) -> String {
        self.ask(Method::POST, path, ids, body).await
    }

    async fn put(&mut self, path: &str, ids: &[&str], body: Value) -> String {
        self.ask(Method::PUT, path, ids, body).await
    }

    async fn patch(&mut self, path: &str, ids: &[&str], body: Value) -> String {
        self.ask(Method::PATCH, path, ids, body).await
    }

    async fn delete(&mut self, path: &str, ids: &[&str]) {
        self.ask(Method::DELETE, path, ids, Value::Null).await;
    }

    async fn agents(&mut self) {
        let (scene, round) = (self.scene, self.round);
        let (source, number) = (scene.one("source", round), scene.one("number", 2 * round));
        let desk = json!({ "name": format!("New {round}"), "type": "inbound",
                           "targets": ["wss://bot.example.com/ws"] });
        let made = self.post("/v1/agents", &[], desk).await;
        self.patch("/v1/agents/{agent}", &[&made], json!({ "persona": "Calm." })).await;
        let attached = json!({ "number_id": number });
        self.post("/v1/agents/{agent}/numbers", &[&made], attached).await;
        let primary = json!({ "primary_number_id": number });
        self.put("/v1/agents/{agent}/primary-number", &[&made], primary).await;
        let role = json!({ "source_agent_ids": [source] });
        let callback = "/api/v1/agents/{agent}/callback";
        self.post(callback, &[&made], role.clone()).await;
        self.put(callback, &[&made], role.clone()).await;
        self.delete(callback, &[&made]).await;
        let callback = "/switchback/v1/agents/{agent}/callback";
        self.put(callback, &[&made], role).await;
        self.delete(callback, &[&made]).await;
        let check = json!({ "is_callback_agent": true, "callback_source_agents": [source],
                            "callback_trigger_statuses": ["no_answer"] });
        self.post("/api/v1/callback-agents/{agent}/check-constraints", &[&made], check).await;
        self.delete("/v1/agents/{agent}/numbers/{number}", &[&made, number]).await;
        self.delete("/v1/agents/{agent}", &[&made]).await;
        let draft = json!({
            "label": "Draft", "name": format!("Draft {round}"), "language": "en-US",
            "interrupt_sensitivity": "medium", "endpointing_sensitivity": "auto",
            "ivr_navigation_mode": "off", "conversation_speed": 1.0, "initial_message_delay": 0,
            "ask_if_human_present_on_idle": true, "idle_time_seconds": 10,
            "llm_temperature": 0.4, "enable_recording": false, "direction": "inbound",
            "who_speaks_first": "agent",
        });
        let made = self.post("/api/v1/agents", &[], draft).await;
        let calling = json!({ "direction": "inbound", "phone_number_ids": [number],
                              "targets": ["wss://bot.example.com/ws"] });
        self.put("/api/v1/agents/{agent}/calling", &[&made], calling).await;
        self.put("/api/v1/agents/{agent}/knowledge", &[&made], json!({ "name": "Known" })).await;
        self.post("/api/v1/agents/{agent}/publish", &[&made], json!({})).await;
        self.post("/api/v1/agents/{agent}/unpublish", &[&made], json!({})).await;
        self.delete("/api/v1/agents/{agent}", &[&made]).await;
    }

    async fn numbers(&mut self) {
        let e164 = format!("+1860{:07}", self.round);
        let new = json!({ "e164": e164, "account": "main" });
        let made = self.post("/switchback/v1/numbers", &[], new).await;
        let named = json!({ "friendly_name": "Front" });
        self.patch("/switchback/v1/numbers/{number}", &[&made], named).await;
        let inbound = json!({ "enabled": true, "instructions": "Take a message." });
        self.put("/v1/numbers/{number}/inbound", &[&made], inbound).await;
        self.put("/v1/numbers/{number}/inbound", &[&made], json!({ "enabled": false })).await;
        let why = json!({ "reason": "It is not needed any more." });
        let release = "/api/v1/phone-numbers/{number}/request-release";
        self.delete("/switchback/v1/numbers/{number}", &[&made]).await;
        let new = json!({ "e164": e164, "account": "main" });
        let made = self.post("/switchback/v1/numbers", &[], new).await;
        let asked = self.post(release, &[&made], why).await;
        self.delete("/api/v1/phone-numbers/release-requests/{release}", &[&asked]).await;
        self.delete("/switchback/v1/numbers/{number}", &[&made]).await;
    }

    async fn recorded(&mut self) {
        let source = self.scene.one("source", self.round);
        let campaign = json!({
            "name": "Renewals", "campaign_type": "sales", "agent_id": source,
            "start_date": "2036-05-02", "end_date": "2036-06-01", "days_of_week": [1, 5],
            "call_time_ranges": [{ "start": "09:00", "end": "12:00" }],
            "timezone": "America/New_York",
        });
        let made = self.post("/api/v1/campaigns", &[], campaign).await;
        let one = "/api/v1/campaigns/{campaign}";
        self.put(one, &[&made], json!({ "name": "Others" })).await;
        let active = json!({ "status": "active" });
        self.patch("/api/v1/campaigns/{campaign}/status", &[&made], active).await;
        let paused = json!({ "status": "paused" });
        self.patch("/api/v1/campaigns/{campaign}/status", &[&made], paused).await;
        self.delete(one, &[&made]).await;
        let trunk = json!({ "name": "Primary", "provider_name": "carrier-x",
                            "domain": "sip.carrier-x.com", "username": "user_42",
                            "password": "hunter2-hunter2" });
        let made = self.post("/api/v1/sip-trunks", &[], trunk).await;
        let one = "/api/v1/sip-trunks/{trunk}";
        self.put(one, &[&made], json!({ "transport": "udp" })).await;
        let did = json!({ "country_code": "US", "number": format!("+1870{:07}", self.round) });
        let number = self.post("/api/v1/sip-trunks/{trunk}/dids", &[&made], did).await;
        self.delete("/api/v1/sip-trunks/{trunk}/dids/{number}", &[&made, &number]).await;
        self.delete(one, &[&made]).await;
    }

    async fn subscriptions(&mut self) {
        let hooked = self.scene.one("hooked", self.round);
        let endpoint = json!({ "url": "https://hooks.example.com/x",
                               "enabled_events": ["call.completed"] });
        let made = self.post("/v1/webhook_endpoints", &[], endpoint).await;
        let one = "/v1/webhook_endpoints/{webhook}";
        self.patch(one, &[&made], json!({ "description": "Ours" })).await;
        self.post("/v1/webhook_endpoints/{webhook}/rotate_secret", &[&made], json!({})).await;
        self.delete(one, &[&made]).await;
        let webhook = json!({ "name": "Hook", "webhook_url": "https://hooks.example.com/y",
                              "events": ["event_recording"], "http_method": "PUT" });
        let made = self.post("/api/v1/agents/{agent}/webhooks", &[hooked], webhook).await;
        let one = "/api/v1/agents/{agent}/webhooks/{webhook}";
        self.put(one, &[hooked, &made], json!({ "timeout": 5 })).await;
        self.patch(&format!("{one}/toggle"), &[hooked, &made], Value::Null).await;
        self.delete(one, &[hooked, &made]).await;
        self.post("/switchback/v1/webhook-secret", &[], json!({})).await;
    }

    async fn calls(&mut self) {
        let (scene, round) = (self.scene, self.round);
        let source = scene.one("source", round);
        // It waits an hour for its time: no carrier is asked for it.
        let call = json!({ "to": scene.one("contact", round), "delay_seconds": 3600 });
        let made = self.post("/api/v1/agents/{agent}/call", &[source], call).await;
        self.post("/v1/calls/{call}/cancel", &[&made], json!({})).await;
        let call = scene.one("returned", round);
        let result = json!({ "result": {} });
        self.put("/switchback/v1/calls/{call}/result", &[call], result).await;
        let said = json!([{ "sequence_no": 9, "role": "user", "text": format!("Hi {round}.") }]);
        self.post("/switchback/v1/calls/{call}/transcript", &[call], said).await;
    }

    async fn contacts(&mut self) {
        let (scene, round) = (self.scene, self.round);
        let contact = format!("+1880{round:07}");
        let touch = json!([{
            "id": format!("bench-{round}"), "source_agent_id": scene.one("source", round),
            "contact": contact, "caller_id": scene.one("e164", round),
            "at": rfc3339(UnixMillis(clock::now().0 - 60_000)), "outcome": "no-answer",
        }]);
        self.post("/switchback/v1/touches", &[], touch).await;
        // One who was called and has called: calls, touches and deliveries go with them.
        let known = scene.one("ani", round);
        self.delete("/switchback/v1/contacts/{contact}", &[known]).await;
    }

    async fn whole(&mut self) {
        let round = self.round;
        let days = json!({ "window_days": 10 + round % 10 });
        self.patch("/switchback/v1/settings", &[], days).await;
        let key = json!({ "name": "more", "scopes": ["read"] });
        let made = self.post("/switchback/v1/keys", &[], key).await;
        self.delete("/switchback/v1/keys/{key}", &[&made]).await;
        let account = json!({ "name": format!("other-{round}"), "kind": "twilio",
                              "account_id": "AC00000000000000000000000000000001",
                              "secrets": ["s3cret"] });
        let made = self.post("/switchback/v1/carrier-accounts", &[], account).await;
        let one = "/switchback/v1/carrier-accounts/{account}";
        self.patch(one, &[&made], json!({ "secrets": ["an0ther"] })).await;
        self.delete(one, &[&made]).await;
        let setup = json!({ "agents": [{ "name": "Desk 1", "label": format!("L{round}") }] });
        self.post("/switchback/v1/apply?plan=true", &[], setup.clone()).await;
        self.post("/switchback/v1/apply", &[], setup.clone()).await;
        self.post("/switchback/v1/replay?since=1h", &[], setup).await;
    }
}

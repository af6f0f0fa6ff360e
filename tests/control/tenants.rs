//! Two tenants, random histories: nothing crosses but that a number is taken.
//!
//! Each tenant asks the same things it would ask alone, and in between about the other's things.
//! The answers must be those of a daemon on which it is alone.

use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};

use crate::daemon::{Caller, Daemon, Got};

/// What a tenant does. Small numbers pick among the things there are.
#[derive(Clone, Debug)]
enum Act {
    AddNumber(u8, bool),
    AddAgent(bool, u8),
    Attach(u8, u8),
    Detach(u8, u8),
    Role(u8, u8),
    DropRole(u8),
    Publish(u8, bool),
    Archive(u8),
    Touch(u8, u8),
    Settings(u8),
    Look(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0..6_u8;
    prop_oneof![
        (n(), any::<bool>()).prop_map(|(a, b)| Act::AddNumber(a, b)),
        (any::<bool>(), n()).prop_map(|(a, b)| Act::AddAgent(a, b)),
        (n(), n()).prop_map(|(a, b)| Act::Attach(a, b)),
        (n(), n()).prop_map(|(a, b)| Act::Detach(a, b)),
        (n(), n()).prop_map(|(a, b)| Act::Role(a, b)),
        n().prop_map(Act::DropRole),
        (n(), any::<bool>()).prop_map(|(a, b)| Act::Publish(a, b)),
        n().prop_map(Act::Archive),
        (n(), n()).prop_map(|(a, b)| Act::Touch(a, b)),
        n().prop_map(Act::Settings),
        n().prop_map(Act::Look),
    ]
}

/// A tenant and what it has made. Ids are named by their order, so that runs can be compared.
struct Side {
    caller: Caller,
    agents: Vec<String>,
    numbers: Vec<String>,
    /// What it was answered.
    heard: Vec<String>,
}

fn pick(ids: &[String], n: u8) -> String {
    let nobody = || "018f4a9e-0000-7000-8000-00000000dead".to_owned();
    ids.get(usize::from(n)).cloned().unwrap_or_else(nobody)
}

impl Side {
    fn new(caller: Caller) -> Self {
        Self { caller, agents: Vec::new(), numbers: Vec::new(), heard: Vec::new() }
    }

    /// Does it, to its own things or, with `theirs`, to somebody else's.
    async fn act(&self, act: &Act, agents: &[String], numbers: &[String]) -> Got {
        let caller = &self.caller;
        let agent = |n: u8| pick(agents, n);
        match act {
            Act::AddNumber(n, first) => {
                let account = if *first { "first" } else { "second" };
                let body = json!({ "e164": format!("+1415555010{n}"), "account": account });
                caller.post("/switchback/v1/numbers", body).await
            }
            Act::AddAgent(inbound, n) => {
                let kind = if *inbound { "inbound" } else { "outbound" };
                let ids: Vec<_> = numbers.get(usize::from(*n)).into_iter().collect();
                let body = json!({ "name": format!("{kind} {n}"), "type": kind,
                                   "number_ids": ids, "targets": ["busy"] });
                caller.post("/v1/agents", body).await
            }
            Act::Attach(a, n) => {
                let body = json!({ "number_id": pick(numbers, *n) });
                caller.post(&format!("/v1/agents/{}/numbers", agent(*a)), body).await
            }
            Act::Detach(a, n) => {
                let n = pick(numbers, *n);
                caller.delete(&format!("/v1/agents/{}/numbers/{n}", agent(*a))).await
            }
            Act::Role(a, source) => {
                let body = json!({ "source_agent_ids": [agent(*source)] });
                caller.post(&format!("/api/v1/agents/{}/callback", agent(*a)), body).await
            }
            Act::DropRole(a) => {
                caller.delete(&format!("/api/v1/agents/{}/callback", agent(*a))).await
            }
            Act::Publish(a, up) => {
                let word = if *up { "publish" } else { "unpublish" };
                caller.post(&format!("/api/v1/agents/{}/{word}", agent(*a)), json!({})).await
            }
            Act::Archive(a) => caller.delete(&format!("/v1/agents/{}", agent(*a))).await,
            Act::Touch(a, n) => {
                let body = json!([{
                    "id": format!("touch {n}"), "source_agent_id": agent(*a),
                    "contact": format!("+1415555020{n}"), "caller_id": "+14155550100",
                    "at": "2026-01-01T00:00:00Z", "outcome": "busy"
                }]);
                caller.post("/switchback/v1/touches", body).await
            }
            Act::Settings(n) => {
                let body = json!({ "window_days": n });
                caller.patch("/switchback/v1/settings", body).await
            }
            Act::Look(n) => {
                let agent = agent(*n);
                match n % 3 {
                    0 => caller.get(&format!("/v1/agents/{agent}")).await,
                    1 => caller.get(&format!("/api/v1/agents/{agent}")).await,
                    _ => caller.get(&format!("/switchback/v1/agents/{agent}/callback")).await,
                }
            }
        }
    }

    /// Acts on its own things and keeps what came of it.
    async fn act_and_hear(&mut self, act: &Act) {
        let got = self.act(act, &self.agents, &self.numbers).await;
        let id = got.body["id"].as_str().map(str::to_owned);
        match (act, got.status.as_u16(), id) {
            (Act::AddAgent(..), 201, Some(id)) => self.agents.push(id),
            (Act::AddNumber(..), 201, Some(id)) => self.numbers.push(id),
            _ => {}
        }
        let heard = format!("{} {}", got.status, self.plain(&got.body));
        self.heard.push(heard);
    }

    /// Everything it can see.
    async fn sees(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for path in [
            "/v1/agents?include_archived=true",
            "/v1/numbers?limit=100",
            "/api/v1/agents",
            "/api/v1/phone-numbers",
            "/api/v1/callback-agents",
            "/api/v1/callback-agents/source-agents",
            "/switchback/v1/settings",
            "/switchback/v1/calls",
        ] {
            seen.push(self.plain(&self.caller.get(path).await.is(200)));
        }
        for n in 0..6 {
            let path = format!("/switchback/v1/contacts/+1415555020{n}");
            let got = self.caller.get(&path).await;
            seen.push(format!("{} {}", got.status, self.plain(&got.body)));
            for account in ["first", "second"] {
                let query = format!("from=+1415555020{n}&to=+1415555010{n}&account={account}");
                let path = format!("/switchback/v1/route?{query}&at=2026-01-02T00:00:00Z");
                let mut route = self.caller.get(&path).await.is(200);
                for field in ["decided_in_ns", "seq"] {
                    route[field] = Value::Null;
                }
                seen.push(self.plain(&route));
            }
        }
        seen
    }

    /// A body without what differs between runs: ids by their order, no times.
    fn plain(&self, body: &Value) -> String {
        let mut text = strip(body.clone()).to_string();
        for (kind, ids) in [("agent", &self.agents), ("number", &self.numbers)] {
            for (n, id) in ids.iter().enumerate() {
                text = text.replace(id.as_str(), &format!("<{kind} {n}>"));
            }
        }
        text
    }
}

/// Times and the ids of tenants differ from run to run.
fn strip(value: Value) -> Value {
    const FIELDS: &[&str] =
        &["created_at", "updated_at", "archived_at", "purchased_at", "org_id", "detail"];
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let hidden = FIELDS.contains(&name.as_str()) && !value.is_null();
                (name, if hidden { json!("*") } else { strip(value) })
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(strip).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// Runs one tenant's history alone. A number that was taken in the other run is taken here too.
async fn alone(acts: &[(bool, Act)], who: bool, taken: &[usize]) -> (Vec<String>, Vec<String>) {
    let daemon = Daemon::start().await;
    let mut side = Side::new(daemon.tenant("alone").await);
    for (at, (of, act)) in acts.iter().enumerate() {
        if *of == who && !taken.contains(&at) {
            side.act_and_hear(act).await;
        }
    }
    let seen = side.sees().await;
    (side.heard, seen)
}

async fn check(acts: Vec<(bool, Act)>) {
    let daemon = Daemon::start().await;
    let mut sides =
        [Side::new(daemon.tenant("left").await), Side::new(daemon.tenant("right").await)];
    let mut taken = Vec::new();
    for (at, (who, act)) in acts.iter().enumerate() {
        let (me, other) = (usize::from(*who), usize::from(!*who));
        // First the same to the other's things: they are not there.
        if !matches!(act, Act::AddNumber(..) | Act::AddAgent(..) | Act::Settings(_)) {
            let theirs = &sides[other];
            let got = sides[me].act(act, &theirs.agents, &theirs.numbers).await;
            if matches!(act, Act::Touch(..)) {
                assert_eq!(got.body["accepted"], 0, "{act:?}: {}", got.body);
            } else {
                assert_eq!(got.status, 404, "{act:?}: {}", got.body);
            }
        }
        let side = &mut sides[me];
        side.act_and_hear(act).await;
        let is_taken = side.heard.last().is_some_and(|heard| heard.contains("number_taken"));
        if is_taken {
            let heard = side.heard.pop().unwrap();
            assert_eq!(
                heard,
                r#"409 Conflict {"code":"number_taken","error":"the number is taken"}"#
            );
            taken.push(at);
        }
    }
    for (me, who) in [(0, false), (1, true)] {
        let (heard, seen) = alone(&acts, who, &taken).await;
        assert_eq!(sides[me].heard, heard);
        assert_eq!(sides[me].sees().await, seen);
    }
}

#[test]
fn nothing_crosses_but_that_a_number_is_taken() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 24, max_shrink_iters: 200, ..Config::default() };
    let acts = proptest::collection::vec((any::<bool>(), act()), 1..40);
    proptest!(config, |(acts in acts)| { runtime.block_on(check(acts)); });
}

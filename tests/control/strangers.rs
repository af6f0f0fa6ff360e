//! Two tenants and every route that is documented: whatever the one asks with the other's ids, it
//! is told what it would be told of ids that nobody has, and the other's things stay as they are.
//!
//! The routes are read from the document, so that a new one is asked as well.

use proptest::{prelude::*, test_runner::Config};
use reqwest::Method;
use serde_json::{Value, json};
use switchback::telemetry::clock;

use crate::{
    daemon::{Caller, Daemon, Got},
    talkover,
};

/// How long random requests are made.
const FOR_MS: u64 = 12_000;
/// An id that nobody has.
const NOBODY: &str = "018f4a9e-0000-7000-8000-00000000dead";

/// A documented operation of a tenant.
#[derive(Clone, Debug)]
struct Route {
    method: Method,
    path: String,
}

/// Its own things that the other must not reach: ids by the word that stands for them in paths.
struct Owner {
    caller: Caller,
    ids: Vec<(&'static str, String)>,
}

async fn routes(daemon: &Daemon) -> Vec<Route> {
    let document = daemon.operator.get("/openapi.json").await.is(200);
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let is_stream = path.ends_with("/events");
            if !is_stream {
                routes.push(Route { method, path: path.clone() });
            }
        }
    }
    assert!(routes.len() > 40, "{}", routes.len());
    routes
}

impl Owner {
    async fn of(daemon: &Daemon, name: &str, e164: &str, contact: &str) -> Self {
        let caller = daemon.tenant(name).await;
        let number = caller.number(e164).await;
        let source = caller.agent("Source", "outbound", &[&number]).await;
        let desk = caller.agent("Desk", "inbound", &[&number]).await;
        let role = json!({ "source_agent_ids": [source] });
        caller.put(&format!("/switchback/v1/agents/{desk}/callback"), role).await.is(200);
        caller.touch(&format!("touch of {name}"), &source, contact, e164).await;
        let draft =
            caller.post("/api/v1/agents", talkover::agent("Draft", "outbound")).await.is(201);
        let account = json!({ "name": format!("account-{name}"), "kind": "twilio",
            "secrets": ["a secret"], "account_id": "AC00000000000000000000000000000000" });
        let account = caller.post("/switchback/v1/carrier-accounts", account).await.is(201);
        let keys = caller.get("/switchback/v1/keys").await.is(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let ids = vec![
            ("agent", source),
            ("agent", desk),
            ("agent", text(&draft["data"]["id"])),
            ("number", number),
            ("key", text(&keys["data"][0]["id"])),
            ("account", text(&account["id"])),
            ("contact", contact.to_owned()),
        ];
        Self { caller, ids }
    }

    fn named(&self, word: &str, n: usize) -> Option<&str> {
        let of: Vec<_> = self.ids.iter().filter(|(kind, _)| *kind == word).collect();
        (!of.is_empty()).then(|| of[n % of.len()].1.as_str())
    }

    /// Everything it has, as it sees it.
    async fn sees(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            "/v1/agents?include_archived=true",
            "/v1/numbers?limit=100",
            "/v1/calls",
            "/api/v1/agents",
            "/api/v1/phone-numbers",
            "/api/v1/callback-agents/source-agents",
            "/switchback/v1/settings",
            "/switchback/v1/carrier-accounts",
            "/switchback/v1/audit?limit=100",
        ] {
            seen.push(self.caller.get(path).await.is(200));
        }
        for (kind, id) in &self.ids {
            if *kind == "agent" {
                let path = format!("/switchback/v1/agents/{id}/callback");
                seen.push(self.caller.get(&path).await.body);
            } else if *kind == "contact" {
                seen.push(self.caller.get(&format!("/switchback/v1/contacts/{id}")).await.is(200));
            }
        }
        seen
    }
}

/// A path with its names filled in; ids that `theirs` has none of are nobody's.
fn filled(path: &str, theirs: Option<&Owner>, n: usize) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        None => part.to_owned(),
        Some("contact") => {
            let contact = theirs.and_then(|owner| owner.named("contact", n));
            contact.unwrap_or("+14155550999").to_owned()
        }
        Some(name) => {
            let id = theirs.and_then(|owner| owner.named(name, n));
            id.unwrap_or(NOBODY).to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A body that names ids wherever a known field takes one.
fn body(theirs: Option<&Owner>, n: usize) -> Value {
    let id = |kind| theirs.and_then(|owner| owner.named(kind, n)).unwrap_or(NOBODY);
    let mut body = talkover::agent("Mine", "outbound");
    for (field, value) in [
        ("agent_id", json!(id("agent"))),
        ("source_agent_id", json!(id("agent"))),
        ("source_agent_ids", json!([id("agent")])),
        ("number_id", json!(id("number"))),
        ("number_ids", json!([id("number")])),
        ("primary_number_id", json!(id("number"))),
        ("phone_number_ids", json!([id("number")])),
        ("default_agent_id", json!(id("agent"))),
        ("fallback_agent_id", json!(id("agent"))),
        ("to", json!("+14155550555")),
        ("type", json!("outbound")),
    ] {
        body[field] = value;
    }
    body
}

/// An answer without what differs from one to the next: it must say the same of theirs as of
/// nobody's.
fn plain(got: &Got, theirs: &Owner) -> String {
    let mut text = format!("{} {}", got.status.as_u16(), got.body);
    for (_, id) in &theirs.ids {
        text = text.replace(id, "<id>");
    }
    text.replace(NOBODY, "<id>").replace("+14155550999", "<id>")
}

async fn check(routes: &[Route], picks: Vec<(usize, usize, bool)>) {
    let daemon = Daemon::start().await;
    let me = Owner::of(&daemon, "me", "+14155550101", "+14155550201").await;
    let other = Owner::of(&daemon, "other", "+14155550102", "+14155550202").await;
    let before = other.sees().await;
    for (route, n, has_body) in picks {
        let Route { method, path } = &routes[route % routes.len()];
        let names = path.contains('{');
        let ask = async |theirs: Option<&Owner>| {
            let body = (*method != Method::GET && has_body).then(|| body(theirs, n));
            me.caller.ask(method.clone(), &filled(path, theirs, n), body).await
        };
        let (theirs, nobodys) = (ask(Some(&other)).await, ask(None).await);
        let what = format!("{method} {path} ({n}, {has_body})");
        assert!(theirs.status.as_u16() < 500, "{what}: {}", theirs.body);
        if names || has_body {
            let words = |got: &Got| plain(got, &other);
            let is_done = theirs.status.is_success() && nobodys.status.is_success();
            // What was done to its own, with nothing of theirs in it, differs by its own ids.
            assert!(is_done || words(&theirs) == words(&nobodys), "{what}: {theirs:?} {nobodys:?}");
        }
        for (_, id) in &other.ids {
            let told = theirs.body.to_string();
            let is_echo = has_body || path.contains("{contact}");
            assert!(is_echo || !theirs.status.is_success() || !told.contains(id), "{what}: {told}");
        }
    }
    assert_eq!(other.sees().await, before);
}

#[test]
fn another_tenants_things_are_as_if_they_were_not() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let routes = runtime.block_on(async { routes(&Daemon::start().await).await });
    // Every route once, with and without a body; then at random as long as there is time.
    let every = (0..routes.len()).flat_map(|n| [(n, n, true), (n, n + 1, false)]).collect();
    runtime.block_on(check(&routes, every));
    let (started, config) = (clock::now().0, Config { cases: 24, ..Config::default() });
    let picks = proptest::collection::vec((any::<usize>(), 0..6_usize, any::<bool>()), 1..120);
    proptest!(config, |(picks in picks)| {
        if clock::now().0 < started + FOR_MS {
            runtime.block_on(check(&routes, picks));
        }
    });
}

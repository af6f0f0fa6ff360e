//! A control listener of its own for each test, and a client that speaks to it as anybody would.

use std::{sync::Arc, thread, time::Duration};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use switchback::{
    calls::{Entry, Journal, Live, Strays},
    control::{self, keys},
    dispatch::{self, Dispatch},
    domain::{Account, AccountApi, AccountId, AccountOrigin, CarrierId, KeyScope, Secret},
    index::Index,
    outbox::{self, Ladder, Outbox},
    store::{Actor, KeySecret, Settings, Store},
    sync,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, task::AbortHandle};

use crate::agrees;

/// A running control listener.
pub(crate) struct Daemon {
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) operator: Caller,
    _journal: mpsc::Receiver<Entry>,
    base: String,
    http: Client,
    server: AbortHandle,
    _folder: TempDir,
}

/// A key and where to use it.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) key: String,
    base: String,
    http: Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Daemon {
    /// Starts one over an empty store: an operator's key, and two accounts that tenants share.
    pub(crate) async fn start() -> Self {
        Self::start_with(control::Settings::default()).await
    }

    pub(crate) async fn start_with(settings: control::Settings) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    /// Starts one over a folder in which there may be a store already, as `test.db`.
    pub(crate) async fn start_in(folder: TempDir, settings: control::Settings) -> Self {
        let at = Settings::at(folder.path().join("test.db"));
        Self::start_over(at, folder, settings).await
    }

    /// Starts one whose calls need name no agent.
    pub(crate) async fn start_with_default_target() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = Settings::at(folder.path().join("test.db"));
        let at = Settings { has_default_target: true, ..at };
        Self::start_over(at, folder, control::Settings::default()).await
    }

    async fn start_over(at: Settings, folder: TempDir, settings: control::Settings) -> Self {
        let words = Some(outbox::WORDS);
        let (store, feed) = Store::open(&Settings { words, ..at }).unwrap();
        let (index, writer) = Index::new(None);
        let applied = {
            let index = index.clone();
            thread::spawn(move || sync::local::follow(feed, index, writer).unwrap())
        };
        let applied = applied.join().unwrap();
        let (journal, updates) = Journal::new();
        let live = Arc::new(Live::new(journal));
        let (key, secret) = keys::mint(KeyScope::Operator);
        store
            .write(Actor::default(), move |tx| {
                tx.create_key(KeyScope::Operator, None, "operator", &secret)?;
                tx.reconcile_accounts(vec![account("first"), account("second")])
            })
            .await
            .unwrap();
        let api = {
            let dispatch = dispatch::Settings::at("http://127.0.0.1".to_owned());
            let dispatch = Dispatch::new(dispatch, store.clone(), Arc::clone(&live)).unwrap();
            let (strays, _) = Strays::new();
            let live = Arc::clone(&live);
            let senders = (dispatch, outbox(&store, settings.private.redirect));
            control::Api::new(store.clone(), index, applied, live, senders, strays, settings)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            axum::serve(listener, control::router(api)).await.unwrap();
        });
        // A second test finds it installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder().no_proxy().build().unwrap();
        let operator = Caller { key, base: base.clone(), http: http.clone() };
        let server = server.abort_handle();
        Self { store, live, operator, _journal: updates, base, http, server, _folder: folder }
    }

    /// Makes a tenant and a key of it.
    pub(crate) async fn tenant(&self, name: &str) -> Caller {
        let tenant =
            self.operator.post("/switchback/v1/tenants", json!({ "name": name })).await.is(201);
        let body = json!({ "name": "test", "tenant_id": tenant["id"] });
        let key = self.operator.post("/switchback/v1/keys", body).await.is(201);
        self.with_key(key["key"].as_str().unwrap())
    }

    pub(crate) fn with_key(&self, key: &str) -> Caller {
        Caller { key: key.to_owned(), base: self.base.clone(), http: self.http.clone() }
    }

    /// What is kept of a key that was fixed by hand.
    pub(crate) fn kept(key: &str) -> KeySecret {
        KeySecret::of(key)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A sender at work that does not wait long between attempts.
fn outbox(store: &Store, allow_private: bool) -> Outbox {
    let first = Duration::from_millis(40);
    let settings = outbox::Settings {
        answer_wait: Duration::from_millis(400),
        tenant_ladder: Ladder::Steps(vec![first; 2]),
        agent_ladder: Ladder::Growing { first, max: first },
        ..outbox::Settings::towards(allow_private)
    };
    let outbox = Outbox::new(settings, store.clone()).unwrap();
    drop(outbox.start());
    outbox
}

fn account(name: &str) -> Account {
    Account {
        id: AccountId::of_name(name),
        name: name.to_owned(),
        carrier: CarrierId::Twilio,
        tenant: None,
        account_id: format!("AC{name}"),
        secrets: vec![Secret::new("secret".to_owned())],
        application_id: String::new(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }
}

impl Caller {
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        let text = body.map(|body| body.to_string());
        self.send(method, path, text, Some(&format!("Bearer {}", self.key))).await
    }

    /// Sends a body as it is, with an authorization of any kind or none.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        authorization: Option<&str>,
    ) -> Got {
        let authorization = authorization.map(|value| ("authorization", value));
        let headers: Vec<_> = authorization.into_iter().collect();
        self.with(method, path, body, &headers).await
    }

    /// Asks with one more header.
    pub(crate) async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        header: (&str, &str),
    ) -> Got {
        let bearer = format!("Bearer {}", self.key);
        let body = body.map(|body| body.to_string());
        self.with(method, path, body, &[("authorization", &bearer), header]).await
    }

    /// Sends a document, and what else its headers are.
    pub(crate) async fn document(&self, path: &str, text: &str, headers: &[(&str, &str)]) -> Got {
        let bearer = format!("Bearer {}", self.key);
        let mut all =
            vec![("authorization", bearer.as_str()), ("content-type", "application/yaml")];
        all.extend(headers);
        self.with(Method::POST, path, Some(text.to_owned()), &all).await
    }

    /// Sends a body with these headers alone.
    pub(crate) async fn with(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Got {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            if headers.iter().all(|(name, _)| *name != "content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let is_json = headers.get("content-type").is_none_or(|kind| kind == "application/json");
        let body = match (text.is_empty(), is_json) {
            (true, _) => Value::Null,
            (_, true) => serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")),
            (_, false) => Value::String(text),
        };
        let got = Got { status, headers, body };
        agrees::hold(self.document_of_all().await, &method, path, &got);
        got
    }

    /// The APIs' own document.
    pub(crate) async fn document_of_all(&self) -> &'static Value {
        agrees::document(&self.http, &self.base).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Got> + use<> {
        self.later(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> impl Future<Output = Got> + use<> {
        self.later(Method::POST, path, Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> impl Future<Output = Got> + use<> {
        self.later(Method::PUT, path, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> impl Future<Output = Got> + use<> {
        self.later(Method::PATCH, path, Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> impl Future<Output = Got> + use<> {
        self.later(Method::DELETE, path, None)
    }

    /// A request that borrows nothing.
    fn later(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Got> + use<> {
        let (caller, path) = (self.clone(), path.to_owned());
        async move { caller.ask(method, &path, body).await }
    }

    /// Adds a number and answers its id.
    pub(crate) async fn number(&self, e164: &str) -> String {
        let body = json!({ "e164": e164, "account": "first" });
        let number = self.post("/switchback/v1/numbers", body).await.is(201);
        number["id"].as_str().unwrap().to_owned()
    }

    /// Makes a live agent through CallingBox's dialect and answers its id.
    pub(crate) async fn agent(&self, name: &str, kind: &str, numbers: &[&str]) -> String {
        let body = json!({
            "name": name, "type": kind, "number_ids": numbers, "targets": ["builtin:echo"]
        });
        let agent = self.post("/v1/agents", body).await.is(201);
        agent["id"].as_str().unwrap().to_owned()
    }

    /// Reports a touch of a minute ago.
    pub(crate) async fn touch(&self, id: &str, agent: &str, contact: &str, caller_id: &str) {
        let at = switchback::telemetry::clock::now().0 - 60_000;
        let at = switchback::dialects::rfc3339(switchback::domain::UnixMillis(at));
        let body = json!([{
            "id": id, "source_agent_id": agent, "contact": contact, "caller_id": caller_id,
            "at": at, "outcome": "no-answer"
        }]);
        let merged = self.post("/switchback/v1/touches", body).await.is(200);
        assert_eq!(merged["accepted"], 1, "{merged}");
    }

    /// Where a call would go, and why.
    pub(crate) async fn route(&self, from: &str, to: &str) -> Value {
        let from = from.replace('+', "%2B");
        let to = to.replace('+', "%2B");
        self.get(&format!("/switchback/v1/route?from={from}&to={to}")).await.is(200)
    }

    /// The reason of a decision and the name of its agent.
    pub(crate) async fn lands(&self, from: &str, to: &str) -> (String, String) {
        let route = self.route(from, to).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let decision = &route["decision"];
        (text(&decision["reason"]), text(&decision["agent"]["name"]))
    }
}

impl Got {
    /// The body, of an answer that has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

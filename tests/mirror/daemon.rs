//! Whole daemons on free ports: one that plays the hosted service, one that mirrors it.

use std::{fs, net::SocketAddr, time::Duration};

use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha1::Sha1;
use switchback::{
    app::{Bound, StopSwitch},
    config::Config,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const KEY: &str = "sk_test_0123456789abcdef0123456789abcdef";
pub(crate) const OPERATOR: &str = "op_test_0123456789abcdef0123456789abcdef";
pub(crate) const PERSON: &str = "+14155550137";
pub(crate) const STRANGER: &str = "+14155550199";
pub(crate) const LINE: &str = "+12125550142";
pub(crate) const OTHER_LINE: &str = "+12125550143";
/// What hosted services sign their webhooks with.
pub(crate) const SECRET: &str = "whsec_0011223344";

const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
const PUBLIC_URL: &str = "https://edge.example.com";

/// The dialects in which a hosted service speaks.
pub(crate) const KINDS: [&str; 2] = ["talkover", "callingbox"];

pub(crate) struct Daemon {
    pub(crate) edge: SocketAddr,
    pub(crate) control: SocketAddr,
    admin: SocketAddr,
    http: reqwest::Client,
    dir: TempDir,
    switch: StopSwitch,
    task: JoinHandle<switchback::app::Drained>,
}

impl Daemon {
    /// A hosted service: a Switchback of its own, whose carrier accepts every call.
    pub(crate) async fn hosted() -> Self {
        let carrier = carrier().await;
        let account = format!("api_url = \"{carrier}\"\ncalls_per_second = 1000");
        Self::start(tempfile::tempdir().unwrap(), &account).await
    }

    /// A mirror of what is at that URL.
    pub(crate) async fn mirror(kind: &str, url: &str, more: &str) -> Self {
        Self::start(tempfile::tempdir().unwrap(), &upstream(kind, url, more)).await
    }

    async fn start(dir: TempDir, rest: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let config = format!(
            r#"
            [edge]
            listen = "127.0.0.1:0"
            public_url = "{PUBLIC_URL}"
            drain_seconds = 2
            [control]
            listen = "127.0.0.1:0"
            [admin]
            listen = "127.0.0.1:0"
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["{TOKEN}"]
            {rest}
            "#
        );
        let file = dir.path().join("switchback.toml");
        fs::write(&file, config).unwrap();
        let env = |name: &str| match name {
            "SWITCHBACK_BOOTSTRAP_KEY" => Some(KEY.to_owned()),
            "SWITCHBACK_OPERATOR_KEY" => Some(OPERATOR.to_owned()),
            _ => None,
        };
        let config = Config::load(Some(&file), dir.path(), &env).unwrap();
        let bound = Bound::bind(config).await.unwrap();
        let addresses = bound.addresses();
        let (switch, stop) = StopSwitch::new();
        let task = tokio::spawn(bound.serve(stop));
        Self {
            edge: addresses.edge,
            control: addresses.control,
            admin: addresses.admin,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            dir,
            switch,
            task,
        }
    }

    /// Stops it and starts it again over its data, with other lines after its account.
    pub(crate) async fn restart(self, rest: &str) -> Self {
        self.switch.press();
        self.task.await.unwrap();
        Self::start(self.dir, rest).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.control)
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url()));
        request = request.bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// A request that succeeds.
    pub(crate) async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method.clone(), path, Some(body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.done(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Value {
        self.done(Method::PATCH, path, body).await
    }

    pub(crate) async fn number(&self, e164: &str) -> String {
        let made = self.post("/switchback/v1/numbers", json!({ "e164": e164 })).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// A live agent.
    pub(crate) async fn agent(&self, name: &str, kind: &str, numbers: &[&str]) -> String {
        let agent = json!({
            "name": name, "type": kind, "number_ids": numbers, "targets": ["builtin:echo"]
        });
        self.post("/v1/agents", agent).await["id"].as_str().unwrap().to_owned()
    }

    /// Who answers a call, and why.
    pub(crate) async fn lands(&self, from: &str, to: &str) -> (String, String) {
        let query = format!("from={}&to={}", from.replace('+', "%2B"), to.replace('+', "%2B"));
        let decision = self.get(&format!("/switchback/v1/route?{query}")).await["decision"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&decision["reason"]), text(&decision["agent"]["id"]))
    }

    /// What is remembered of a person, newest first.
    pub(crate) async fn touches(&self, person: &str) -> Vec<Value> {
        let (status, body) =
            self.ask(Method::GET, &format!("/switchback/v1/contacts/{person}"), None).await;
        if status == 404 { Vec::new() } else { body["touches"].as_array().unwrap().clone() }
    }

    /// How the one upstream stands.
    pub(crate) async fn upstream(&self) -> Value {
        self.get("/switchback/v1/upstreams").await["data"][0].clone()
    }

    /// Waits until the upstream has been pulled whole from now on.
    pub(crate) async fn pulled(&self) {
        // What is under way may have begun before what the test did.
        for _ in 0..2 {
            let before = self.upstream().await["last_success_at"].clone();
            let is_newer = async || self.upstream().await["last_success_at"] != before;
            until("a pull", is_newer).await;
        }
    }

    /// Waits until the upstream's last error holds this.
    pub(crate) async fn troubled(&self, text: &str) {
        let is_so = async || {
            self.upstream().await["last_error"].as_str().is_some_and(|error| error.contains(text))
        };
        until(text, is_so).await;
    }

    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.admin);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Posts an event to its edge, as a hosted service does.
    pub(crate) async fn event(&self, name: &str, header: (&str, &str), body: String) -> u16 {
        let url = format!("http://{}/upstreams/{name}/events", self.edge);
        let request = self.http.post(url).header(header.0, header.1).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// A call that comes in by its carrier.
    pub(crate) async fn rings(&self, sid: &str, from: &str, to: &str) {
        let form = [
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", sid),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", from),
            ("To", to),
        ];
        let mut text = format!("{PUBLIC_URL}/carriers/main/voice");
        for (name, value) in form {
            text.push_str(name);
            text.push_str(value);
        }
        let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature = base64_simd::STANDARD.encode_to_string(mac.finalize().into_bytes());
        let url = format!("http://{}/carriers/main/voice", self.edge);
        let request = self.http.post(url).header("host", "edge.example.com").form(&form);
        let answer = request.header("X-Twilio-Signature", signature).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

/// The section that mirrors what is at that URL.
pub(crate) fn upstream(kind: &str, url: &str, more: &str) -> String {
    format!(
        r#"
        [[upstream]]
        kind = "{kind}"
        name = "source"
        base_url = "{url}"
        key = "{KEY}"
        carrier_account = "main"
        webhook_secret = "{SECRET}"
        {more}
        "#
    )
}

/// Every second, for tests that wait for pulls.
pub(crate) const OFTEN: &str = "interval = \"1s\"";

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within 20 s");
}

/// A carrier's API that accepts every call.
async fn carrier() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accept = async || {
        let sid = format!("CA{:032x}", rand::random::<u128>());
        (http::StatusCode::CREATED, Json(json!({ "sid": sid, "status": "queued" })))
    };
    tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(accept)).await.unwrap();
    });
    url
}

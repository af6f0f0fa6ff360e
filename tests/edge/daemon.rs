//! A whole daemon on free ports and a temporary folder, and a carrier that signs as Twilio does.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use switchback::{
    app::{Bound, Drained, Reload, StopSwitch},
    config::Config,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// The account id and auth token of the carrier's own fixtures.
pub const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
pub const KEY: &str = "sk_test_0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "op_test_0123456789abcdef0123456789abcdef";
/// What the carrier was told our URL is; the socket is elsewhere, as behind a proxy.
pub const PUBLIC_URL: &str = "https://edge.example.com";

pub struct Daemon {
    pub edge: SocketAddr,
    pub control: SocketAddr,
    pub admin: SocketAddr,
    pub http: reqwest::Client,
    pub dir: TempDir,
    switch: StopSwitch,
    reload: Reload,
    task: JoinHandle<Drained>,
}

pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub body: String,
}

impl Daemon {
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_in(dir: TempDir) -> Self {
        Self::start_with(dir, "").await
    }

    /// With more in its configuration.
    pub async fn start_with(dir: TempDir, more: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let config = format!(
            r#"
            [edge]
            listen = "127.0.0.1:0"
            public_url = "{PUBLIC_URL}"
            drain_seconds = 5
            {more}
            [control]
            listen = "127.0.0.1:0"
            [admin]
            listen = "127.0.0.1:0"
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["a-token-being-rotated-out", "{TOKEN}"]
            "#
        );
        let file: PathBuf = dir.path().join("switchback.toml");
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
        let reload = bound.reload();
        let task = tokio::spawn(bound.serve(stop));
        Self {
            edge: addresses.edge,
            control: addresses.control,
            admin: addresses.admin,
            http: reqwest::Client::new(),
            dir,
            switch,
            reload,
            task,
        }
    }

    /// Stops it as SIGTERM would; the folder stays, for another start.
    pub async fn stop(self) -> (TempDir, Drained) {
        self.switch.press();
        (self.dir, self.task.await.unwrap())
    }

    /// Begins to stop; a second press would cut.
    pub fn press_stop(&self) {
        self.switch.press();
    }

    /// Has it take up what it can, as SIGHUP would.
    pub fn press_reload(&self) {
        self.reload.press();
    }

    /// Waits for a stop that was begun.
    pub async fn stop_pressed(self) -> (TempDir, Drained) {
        (self.dir, self.task.await.unwrap())
    }

    pub async fn api(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.api_as(KEY, method, path, body).await
    }

    pub async fn api_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("http://{}{path}", self.control);
        let mut request = self.http.request(method, url).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.api(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.api(Method::POST, path, Some(body)).await;
        assert!(status == 200 || status == 201, "POST {path}: {status} {body}");
        body
    }

    /// Sends a form to a carrier's URL, signed as Twilio signs.
    pub async fn webhook(&self, target: &str, form: &[(&str, &str)]) -> Answer {
        let signature = sign(TOKEN, &format!("{PUBLIC_URL}{target}"), form);
        self.webhook_signed(target, form, Some(&signature)).await
    }

    pub async fn webhook_signed(
        &self,
        target: &str,
        form: &[(&str, &str)],
        signature: Option<&str>,
    ) -> Answer {
        let url = format!("http://{}{target}", self.edge);
        let mut request = self.http.post(url).header("host", "edge.example.com").form(form);
        if let Some(signature) = signature {
            request = request.header("X-Twilio-Signature", signature);
        }
        let response = request.send().await.unwrap();
        let content_type = response.headers().get("content-type");
        let content_type = content_type.map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        Answer { status: response.status(), content_type, body: response.text().await.unwrap() }
    }

    pub async fn inbound(&self, call_sid: &str, from: &str, to: &str) -> Answer {
        self.webhook("/carriers/main/voice", &inbound_form(call_sid, from, to)).await
    }

    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.admin);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Makes an inbound agent that is live, with these targets, attached to the number.
    pub async fn inbound_agent(&self, name: &str, targets: &[&str], number: &str) -> String {
        let body = json!({
            "name": name, "type": "inbound", "targets": targets, "number_ids": [number]
        });
        self.post("/v1/agents", body).await["id"].as_str().unwrap().to_owned()
    }

    pub async fn outbound_agent(&self, name: &str) -> String {
        let body = json!({ "name": name, "type": "outbound" });
        self.post("/v1/agents", body).await["id"].as_str().unwrap().to_owned()
    }

    pub async fn number(&self, e164: &str) -> String {
        let number = self.post("/switchback/v1/numbers", json!({ "e164": e164 })).await;
        number["id"].as_str().unwrap().to_owned()
    }

    pub async fn touch(&self, id: &str, source: &str, contact: &str, caller_id: &str) {
        let touch = json!([{
            "id": id, "source_agent_id": source, "contact": contact, "caller_id": caller_id,
            "at": jiff::Timestamp::now().to_string(), "outcome": "no_answer"
        }]);
        let answer = self.post("/switchback/v1/touches", touch).await;
        assert_eq!(answer["accepted"], 1, "{answer}");
    }
}

pub fn inbound_form<'a>(sid: &'a str, from: &'a str, to: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("CallSid", sid),
        ("AccountSid", ACCOUNT_SID),
        ("From", from),
        ("To", to),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("CallerCity", ""),
        ("ApiVersion", "2010-04-01"),
    ]
}

/// Twilio's signature: HMAC-SHA1 over the URL and the sorted parameters.
pub fn sign(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut text = url.to_owned();
    for (name, value) in form.iter().copied().collect::<BTreeMap<_, _>>() {
        text.push_str(name);
        text.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    base64_simd::STANDARD.encode_to_string(mac.finalize().into_bytes())
}

/// A text between two others.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let start = text.find(before).unwrap_or_else(|| panic!("{text} lacks {before}"));
    let rest = &text[start + before.len()..];
    &rest[..rest.find(after).unwrap()]
}

//! The program itself as a child process, and a client of its APIs.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::carrier::Carrier;

pub const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
pub const KEY: &str = "sk_test_0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "op_test_0123456789abcdef0123456789abcdef";
pub const PUBLIC_URL: &str = "https://edge.example.com";

/// The numbers of every test's tenant.
pub const SALES_LINE: &str = "+12125550142";
pub const OTHER_LINE: &str = "+12125550143";
pub const PERSON: &str = "+14155550117";

pub struct Daemon {
    pub carrier: Carrier,
    pub folder: TempDir,
    child: Child,
    control: String,
    admin: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An outbound agent on the sales line, and the callback agent who owns it.
pub struct Team {
    pub caller: String,
    pub callback: String,
    pub line: String,
}

impl Daemon {
    pub async fn start() -> Self {
        Self::paced(1000).await
    }

    /// One that places so many calls a second.
    pub async fn paced(calls_per_second: u32) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        Self::start_in(tempfile::tempdir().unwrap(), Carrier::start().await, calls_per_second)
    }

    fn start_in(folder: TempDir, carrier: Carrier, calls_per_second: u32) -> Self {
        let config = format!(
            r#"
            [edge]
            listen = "127.0.0.1:0"
            public_url = "{PUBLIC_URL}"
            drain_seconds = 1
            [control]
            listen = "127.0.0.1:0"
            [admin]
            listen = "127.0.0.1:0"
            [outbox]
            allow_private = true
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["{TOKEN}"]
            api_url = "{url}"
            api_key_sid = "SK1"
            api_key_secret = "s3cret"
            calls_per_second = {calls_per_second}
            "#,
            url = carrier.url
        );
        let file = folder.path().join("switchback.toml");
        fs::write(&file, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .arg("serve")
            .args(["--config".as_ref(), file.as_os_str()])
            .args(["--data-dir".as_ref(), folder.path().as_os_str()])
            .env("SWITCHBACK_BOOTSTRAP_KEY", KEY)
            .env("SWITCHBACK_OPERATOR_KEY", OPERATOR)
            .env("SWITCHBACK_TELEMETRY__LOG_FILTER", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |what: &str| loop {
            let line = lines.next().unwrap().unwrap();
            if let Some(url) = line.strip_prefix(what) {
                break url.trim().trim_end_matches("/metrics").to_owned();
            }
        };
        let (edge, control, admin) = (address("carriers"), address("control"), address("metrics"));
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        carrier.serves(edge, child.id());
        Self { carrier, folder, child, control, admin }
    }

    /// Waits until it was killed, and starts it again on the same data.
    pub fn again(mut self) -> Self {
        drop(self.child.kill());
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::start_in(folder, self.carrier.clone(), 1000)
    }

    /// Asks it to stop, as a service manager does, and starts it again once it has. With `at_once`
    /// it is asked a second time, so as not to wait.
    pub async fn stopped(mut self, at_once: bool) -> Self {
        let pid = self.child.id().to_string();
        let ask =
            || assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        ask();
        if at_once {
            tokio::time::sleep(Duration::from_millis(300)).await;
            ask();
        }
        while self.child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.again()
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
        self.api_with(&[("authorization", &format!("Bearer {key}"))], method, path, body).await
    }

    pub async fn api_with(
        &self,
        headers: &[(&str, &str)],
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.control);
        let mut request = reqwest::Client::new().request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        // Who is killed answers nothing.
        let Ok(response) = request.send().await else { return (0, Value::Null) };
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

    pub async fn number(&self, e164: &str) -> String {
        text(&self.post("/switchback/v1/numbers", json!({ "e164": e164 })).await["id"])
    }

    pub async fn agent(&self, kind: &str, name: &str, numbers: &[&str]) -> String {
        let body = json!({
            "name": name, "type": kind, "number_ids": numbers, "targets": ["builtin:echo"]
        });
        text(&self.post("/v1/agents", body).await["id"])
    }

    pub async fn team(&self) -> Team {
        let line = self.number(SALES_LINE).await;
        let caller = self.agent("outbound", "Sales", &[&line]).await;
        let callback = self.agent("inbound", "Callbacks", &[&line]).await;
        let path = format!("/switchback/v1/agents/{callback}/callback");
        let role = json!({ "source_agent_ids": [caller] });
        let (status, body) = self.api(Method::PUT, &path, Some(role)).await;
        assert_eq!(status, 200, "{body}");
        Team { caller, callback, line }
    }

    /// Asks for a call as CallingBox's clients do.
    pub async fn dial(&self, agent: &str, to: &str) -> (u16, Value) {
        let body = json!({ "agent_id": agent, "to": to });
        self.api(Method::POST, "/v1/calls", Some(body)).await
    }

    /// Asks for a call under an idempotency key.
    pub async fn dial_once(&self, agent: &str, to: &str, key: &str) -> (u16, Value) {
        let bearer = format!("Bearer {KEY}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let body = json!({ "agent_id": agent, "to": to });
        self.api_with(&headers, Method::POST, "/v1/calls", Some(body)).await
    }

    /// Asks for a call that the carrier accepts.
    pub async fn placed(&self, agent: &str, to: &str) -> String {
        let (status, body) = self.dial(agent, to).await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    /// What is remembered of a person: outcomes, newest first.
    pub async fn touches(&self, contact: &str) -> Vec<String> {
        let path = format!("/switchback/v1/contacts/{contact}");
        let (status, body) = self.api(Method::GET, &path, None).await;
        if status == 404 {
            return Vec::new();
        }
        assert_eq!(status, 200, "{body}");
        body["touches"].as_array().unwrap().iter().map(|touch| text(&touch["outcome"])).collect()
    }

    /// Why a call from there to here would go where it goes.
    pub async fn reason(&self, from: &str, to: &str) -> String {
        let path = format!(
            "/switchback/v1/route?from={}&to={}",
            from.replace('+', "%2B"),
            to.replace('+', "%2B")
        );
        text(&self.get(&path).await["decision"]["reason"])
    }

    /// A number of the metrics; 0 where it has not been counted.
    pub async fn metric(&self, line: &str) -> u64 {
        let text = reqwest::get(format!("{}/metrics", self.admin)).await.unwrap();
        let text = text.text().await.unwrap();
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Looks until it is so.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut is_so: impl FnMut() -> F) {
        for _ in 0..200 {
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it is not so after 5 s: {what}");
    }

    /// Waits for a field of a call, as CallingBox shows it.
    pub async fn becomes(&self, call: &str, field: &str, value: &str) {
        let path = format!("/v1/calls/{call}");
        self.until(&format!("{field} is {value}"), || async {
            self.get(&path).await[field] == value
        })
        .await;
    }

    /// Waits for what is remembered of a person.
    pub async fn remembers(&self, contact: &str, outcomes: &[&str]) {
        self.until(&format!("{outcomes:?}"), || async { self.touches(contact).await == outcomes })
            .await;
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

//! The program itself, in a temporary folder, with its log in a file.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub(crate) const TOKEN: &str = "canaryauthtoken7b5d48264c8e1f2a6";
pub(crate) const API_SECRET: &str = "canaryapisecret0f1e2d3c4b5a6978";
pub(crate) const KEY: &str = "sk_canary_tenant_0123456789abcdef";
pub(crate) const OPERATOR: &str = "op_canary_operator_0123456789abcdef";
/// What the carrier was told our URL is.
pub(crate) const PUBLIC_URL: &str = "https://edge.example.com";

pub(crate) struct Daemon {
    child: Child,
    pub(crate) edge: String,
    pub(crate) control: String,
    admin: String,
    pub(crate) http: Client,
    pub(crate) dir: TempDir,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "debug", "127.0.0.1:0")
    }

    /// Starts one that logs all it can and finds the carrier's API there.
    pub(crate) fn start_with_api(api_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let account = format!(
            "api_url = \"{api_url}\"\napi_key_sid = \"SK{}\"\napi_key_secret = \"{API_SECRET}\"",
            "0".repeat(32)
        );
        Self::start_as(dir, "trace", "127.0.0.1:0", &account)
    }

    /// Starts over that folder; its log is added to the folder's `log`.
    pub(crate) fn start_in(dir: TempDir, filter: &str, control: &str) -> Self {
        Self::start_as(dir, filter, control, "")
    }

    /// Starts one that carriers reach by that URL, with more about its account.
    pub(crate) fn start_behind(public_url: &str, account: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_at(dir, "info", "127.0.0.1:0", public_url, account)
    }

    fn start_as(dir: TempDir, filter: &str, control: &str, account: &str) -> Self {
        Self::start_at(dir, filter, control, PUBLIC_URL, account)
    }

    fn start_at(
        dir: TempDir,
        filter: &str,
        control: &str,
        public_url: &str,
        account: &str,
    ) -> Self {
        let config = format!(
            r#"
            [edge]
            listen = "127.0.0.1:0"
            public_url = "{public_url}"
            drain_seconds = 5
            [control]
            listen = "{control}"
            [admin]
            listen = "127.0.0.1:0"
            [telemetry]
            log_format = "json"
            log_filter = "{filter}"
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["{TOKEN}"]
            {account}
            "#
        );
        let file = dir.path().join("switchback.toml");
        fs::write(&file, config).unwrap();
        let log = File::options().create(true).append(true).open(dir.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .env("SWITCHBACK_BOOTSTRAP_KEY", KEY)
            .env("SWITCHBACK_OPERATOR_KEY", OPERATOR)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let mut address = |what: &str| {
            let line = lines.find_map(|line| {
                let line = line.unwrap();
                said.push(line.clone());
                line.strip_prefix(what).map(|rest| rest.trim().to_owned())
            });
            line.unwrap_or_else(|| panic!("{what} is not said in {said:?}"))
        };
        let (edge, control, admin) = (address("carriers"), address("control"), address("metrics"));
        // What follows is read too, lest the program waits for it to be.
        std::thread::spawn(move || lines.for_each(drop));
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder().no_proxy().build().unwrap();
        Self { child, edge, control, admin, http, dir }
    }

    /// Stops it as a service manager does; the folder stays.
    pub(crate) async fn stop(mut self) -> (ExitStatus, TempDir) {
        self.terminate();
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait().unwrap() {
                let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
                return (status, dir);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not stop: {}", self.log());
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub(crate) async fn metrics(&self) -> String {
        self.http.get(&self.admin).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn api(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.control));
        request = request.bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = response.json().await.unwrap_or(Value::Null);
        assert!(status.is_success(), "{method} {path}: {status} {body}");
        body
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.api(KEY, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.api(KEY, Method::POST, path, Some(body)).await
    }

    /// A number, and an inbound agent with these targets that claims it: its id.
    pub(crate) async fn desk(&self, number: &str, targets: &[&str]) -> String {
        let number = self.post("/switchback/v1/numbers", json!({ "e164": number })).await;
        let agent = json!({
            "name": "Front desk", "type": "inbound", "targets": targets,
            "number_ids": [number["id"]]
        });
        self.post("/v1/agents", agent).await["id"].as_str().unwrap().to_owned()
    }

    /// Runs a command of the program against this daemon.
    pub(crate) async fn command(&self, args: &[&str]) -> (i32, String, String) {
        self.command_as(KEY, args).await
    }

    pub(crate) async fn operator_command(&self, args: &[&str]) -> (i32, String, String) {
        self.command_as(OPERATOR, args).await
    }

    pub(crate) async fn command_as(&self, key: &str, args: &[&str]) -> (i32, String, String) {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(args).env("SWITCHBACK_URL", &self.control).env("SWITCHBACK_KEY", key);
        let done = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

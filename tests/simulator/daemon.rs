//! The real program as a child, which can be killed and started again over the same data, and a
//! simulated carrier that calls it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use switchback::simulator::{Delivery, Exchange, Owned, Reach, Settings, Signer};
use tempfile::TempDir;

use crate::customer::{ACCOUNT_SID, NUMBER, TOKEN, account};

pub const KEY: &str = "sk_test_0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "op_test_0123456789abcdef0123456789abcdef";

/// What the carrier was told our URL is; where we listen is elsewhere, as behind a proxy.
const PUBLIC_URL: &str = "http://edge.test:8080";

/// A daemon's data, and the daemon on it while it lives.
pub struct Daemon {
    folder: TempDir,
    child: Child,
    pub control: String,
    pub edge: String,
    http: Client,
}

impl Daemon {
    pub fn start() -> Self {
        Self::start_with("127.0.0.1:0", "")
    }

    /// Where it listens for carriers, and more lines of its one account.
    pub fn start_with(edge: &str, account: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
            [edge]
            listen = "{edge}"
            public_url = "{PUBLIC_URL}"
            [control]
            listen = "127.0.0.1:0"
            [admin]
            listen = "127.0.0.1:0"
            [[carrier_accounts]]
            name = "main"
            kind = "twilio"
            account_id = "{ACCOUNT_SID}"
            secrets = ["{TOKEN}"]
            {account}
            "#
        );
        std::fs::write(folder.path().join("switchback.toml"), config).unwrap();
        let (child, edge, control) = spawn(folder.path());
        let http = Client::builder().no_proxy().build().unwrap();
        Self { folder, child, control, edge, http }
    }

    /// SIGKILL, and another start over what is on disk.
    pub fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Another start over what is on disk.
    pub fn start_again(&mut self) {
        (self.child, self.edge, self.control) = spawn(self.folder.path());
    }

    /// A carrier that reaches it where it listens now.
    pub fn exchange(&self) -> Exchange {
        exchange_to(&self.edge, Delivery::InOrder)
    }

    /// Kills it as it stands.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("http://{}{path}", self.control));
        let answer = request.bearer_auth(KEY).json(&body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// What only an operator may ask.
    pub async fn operate(&self, path: &str, body: Value) {
        let request = self.http.post(format!("http://{}{path}", self.control));
        let answer = request.bearer_auth(OPERATOR).json(&body).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status} {}", answer.text().await.unwrap());
    }

    /// A request that is not sent yet.
    pub fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("http://{}{path}", self.control));
        request.bearer_auth(KEY).json(body)
    }

    /// The same for a read.
    pub fn read(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("http://{}{path}", self.control)).bearer_auth(KEY)
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, body).await
    }

    /// Makes a thing and returns its id.
    pub async fn make(&self, path: &str, body: Value) -> String {
        self.post(path, body).await["id"].as_str().unwrap().to_owned()
    }

    /// The reason of a decision, and the agent.
    pub async fn decides(&self, from: &str) -> (String, String) {
        let query = format!("from={}&to={}", from.replace('+', "%2B"), NUMBER.replace('+', "%2B"));
        let path = format!("/switchback/v1/route?{query}");
        let decision = self.ask(Method::GET, &path, json!(null)).await["decision"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&decision["reason"]), text(&decision["agent"]["name"]))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A carrier whose customer listens there, whatever its public URL.
pub fn exchange_to(edge: &str, delivery: Delivery) -> Exchange {
    let instead = [("http", format!("http://{edge}")), ("ws", format!("ws://{edge}"))];
    let public = |scheme: &str| PUBLIC_URL.replacen("http", scheme, 1);
    let exchange = Exchange::new(Settings {
        account: account(),
        signer: Signer::Account,
        reach: Reach {
            instead: instead.map(|(scheme, edge)| (public(scheme), edge)).to_vec(),
            within: Vec::new(),
        },
        delivery,
        pace: Duration::from_millis(10),
    })
    .unwrap();
    exchange.own(Owned {
        e164: NUMBER.to_owned(),
        voice_url: format!("{PUBLIC_URL}/carriers/main/voice"),
        status_callback: format!("{PUBLIC_URL}/carriers/main/status"),
        ..Owned::default()
    });
    exchange
}

/// Starts the program and reads where it listens.
fn spawn(folder: &Path) -> (Child, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["serve", "--config"])
        .arg(folder.join("switchback.toml"))
        .arg("--data-dir")
        .arg(folder)
        .env("SWITCHBACK_BOOTSTRAP_KEY", KEY)
        .env("SWITCHBACK_OPERATOR_KEY", OPERATOR)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = |what: &str| {
        let found = lines.find_map(|line| line.unwrap().strip_prefix(what).map(str::to_owned));
        found.unwrap().trim().trim_start_matches("http://").to_owned()
    };
    let (edge, control) = (address("carriers"), address("control"));
    // The rest of what it says must not fill the pipe.
    std::thread::spawn(move || lines.count());
    (child, edge, control)
}

//! One daemon, and of every carrier an exchange that calls it.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use switchback::{
    app::{Addresses, Bound, Drained, StopSwitch},
    config::Config,
    domain::CarrierId,
    simulator::{Delivery, Exchange, Owned, Reach, Settings, Signer, open_account},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub const KEY: &str = "sk_test_0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "op_test_0123456789abcdef0123456789abcdef";
pub const WAIT: Duration = Duration::from_secs(20);

/// The daemon.
pub struct Daemon {
    pub addresses: Addresses,
    http: Client,
    switch: StopSwitch,
    task: JoinHandle<Drained>,
    _folder: TempDir,
}

impl Daemon {
    pub async fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let env = |name: &str| match name.strip_prefix("SWITCHBACK_")? {
            "EDGE__PUBLIC_URL" => Some("http://127.0.0.1:0".to_owned()),
            "EDGE__LISTEN" | "CONTROL__LISTEN" | "ADMIN__LISTEN" => Some("127.0.0.1:0".to_owned()),
            "BOOTSTRAP_KEY" => Some(KEY.to_owned()),
            "OPERATOR_KEY" => Some(OPERATOR.to_owned()),
            _ => None,
        };
        let config = Config::load(None, folder.path(), &env).unwrap();
        let bound = Bound::bind(config).await.unwrap();
        let addresses = bound.addresses();
        let (switch, stop) = StopSwitch::new();
        let task = tokio::spawn(bound.serve(stop));
        let http = Client::builder().no_proxy().build().unwrap();
        Self { addresses, http, switch, task, _folder: folder }
    }

    pub async fn stop(self) -> Drained {
        self.switch.press();
        self.task.await.unwrap()
    }

    async fn ask(&self, key: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.addresses.control);
        let request = self.http.request(method, url).bearer_auth(key).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(KEY, Method::POST, path, body).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// As the operator.
    pub async fn operate(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(OPERATOR, Method::POST, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(KEY, Method::GET, path, &Value::Null).await.1
    }

    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.addresses.admin);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// The sum of a metric's lines that have this in their labels.
    pub async fn counted(&self, metric: &str, label: &str) -> f64 {
        let metrics = self.metrics().await;
        let lines = metrics.lines().filter(|line| line.starts_with(metric));
        let lines = lines.filter(|line| line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// How many calls are live, once there are none or time is up.
    pub async fn left_over(&self, wait: Duration) -> usize {
        let started = tokio::time::Instant::now();
        loop {
            let live = self.get("/switchback/v1/calls?live=true").await;
            let count = live["data"].as_array().map_or(usize::MAX, Vec::len);
            if count == 0 || started.elapsed() > wait {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An agent on a new number of the account, with these targets; false where the carrier cannot
    /// do one of them.
    pub async fn desk(&self, carrier: &Carrier, e164: &str, targets: &[String]) -> bool {
        let number = json!({ "e164": e164, "account": carrier.kind.as_str() });
        let number = self.post("/switchback/v1/numbers", &number).await;
        let agent = json!({ "name": format!("Desk {e164}"), "type": "inbound",
            "targets": targets, "number_ids": [number["id"]] });
        let (status, answer) = self.try_post("/v1/agents", &agent).await;
        let is_made = status < 300;
        assert!(is_made || answer.to_string().contains("cannot do"), "{status} {answer}");
        carrier.owns(self, e164);
        is_made
    }
}

/// A carrier with an account at the daemon; the account is named after its kind.
pub struct Carrier {
    pub kind: CarrierId,
    pub exchange: Exchange,
}

impl Carrier {
    /// None where nobody plays it.
    pub async fn open(daemon: &Daemon, kind: CarrierId, delivery: Delivery) -> Option<Self> {
        let (account, told) = open_account(kind, kind.as_str())?;
        // Whatever is elsewhere is another application's.
        let within = vec![format!("http://{}/", daemon.addresses.edge)];
        let settings = Settings {
            account,
            signer: Signer::Account,
            reach: Reach { within, ..Reach::default() },
            delivery,
            pace: Duration::from_millis(10),
        };
        let mut exchange = Exchange::new(settings).unwrap();
        let api_url = exchange.open().await.unwrap();
        let mut body = json!({ "name": kind.as_str(), "kind": kind.as_str(), "api_url": api_url,
            "calls_per_second": 100 });
        for (name, value) in told.as_object().unwrap() {
            body[name] = value.clone();
        }
        daemon.operate("/switchback/v1/carrier-accounts", &body).await;
        Some(Self { kind, exchange })
    }

    /// All that are played.
    pub async fn all(daemon: &Daemon) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in CarrierId::ALL {
            all.extend(Self::open(daemon, *kind, Delivery::InOrder).await);
        }
        all
    }

    /// Puts a number to the daemon.
    pub fn owns(&self, daemon: &Daemon, e164: &str) {
        let base = format!("http://{}/carriers/{}", daemon.addresses.edge, self.kind);
        self.exchange.own(Owned {
            e164: e164.to_owned(),
            voice_url: format!("{base}/voice"),
            status_callback: format!("{base}/status"),
            ..Owned::default()
        });
    }
}

/// A number that no other test uses: the carrier's place, and one of its own.
pub fn number(area: usize, line: usize) -> String {
    format!("+1{}555{:04}", 200 + area % 700, line + area / 700 * 5000)
}

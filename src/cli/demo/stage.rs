//! What the demo plays on: a daemon on free ports with its data in a temporary folder, agents and
//! numbers made through its public API, runtimes, and a carrier.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    app::{Addresses, Bound, Drained, StopSwitch},
    carriers::CarrierId,
    config::Config,
    domain::Account,
    simulator::{
        Behaviour, Delivery, Exchange, Owned, Person, Reach, Runtime, Settings, Signer, audio,
        open_account,
    },
};

/// Who is called, and calls back.
pub(super) const CONTACT: &str = "+14155550137";
/// Somebody nobody has called.
pub(super) const STRANGER: &str = "+14155550199";
/// The number everything happens on.
pub(super) const NUMBER: &str = "+12125550142";

const ACCOUNT: &str = "demo";

/// From one station of a simulated call to the next: real ones take seconds.
const PACE: Duration = Duration::from_millis(50);

/// Everything that is set up.
pub(super) struct Stage {
    pub(super) addresses: Addresses,
    /// The tenant's key.
    pub(super) key: String,
    /// The operator's key.
    pub(super) operator_key: String,
    pub(super) api: Api,
    pub(super) exchange: Exchange,
    /// The same carrier, but it signs with credentials that are not the account's.
    pub(super) forger: Exchange,
    pub(super) renewals: Uuid,
    pub(super) surveys: Uuid,
    /// The runtimes of the return desk, its spare, and the front desk.
    pub(super) desk: Speaker,
    pub(super) spare: Speaker,
    pub(super) front: Speaker,
    switch: StopSwitch,
    served: JoinHandle<Drained>,
    // Removed when the stage is struck.
    _folder: TempDir,
}

/// A runtime and how it greets, so that whoever hears it knows who speaks.
pub(super) struct Speaker {
    pub(super) runtime: Runtime,
    pub(super) greeting: Vec<u8>,
}

impl Speaker {
    async fn start(first_hz: f64, second_hz: f64) -> Result<Self, String> {
        let greeting = audio::chime(first_hz, second_hz);
        let runtime = Runtime::start(Behaviour::Greeting(greeting.clone())).await;
        Ok(Self { runtime: runtime.map_err(|error| error.to_string())?, greeting })
    }
}

impl Stage {
    /// Sets everything up.
    pub(super) async fn set(kind: CarrierId) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let env = |name: &str| {
            let port_0 = ["EDGE__LISTEN", "CONTROL__LISTEN", "ADMIN__LISTEN"];
            let name = name.strip_prefix("SWITCHBACK_")?;
            match name {
                "EDGE__PUBLIC_URL" => Some("http://127.0.0.1:0".to_owned()),
                name if port_0.contains(&name) => Some("127.0.0.1:0".to_owned()),
                _ => None,
            }
        };
        let config = Config::load(None, folder.path(), &env).map_err(|error| error.to_string())?;
        let bound = Bound::bind(config).await.map_err(|error| error.to_string())?;
        let addresses = bound.addresses();
        let new_key = |what: &str| {
            let found = bound.new_keys().iter().find(|(kind, _)| *kind == what);
            found.map(|(_, key)| key.reveal().to_owned()).ok_or("a first start makes keys")
        };
        let (key, operator_key) = (new_key("tenant")?, new_key("operator")?);
        let (switch, stop) = StopSwitch::new();
        let served = tokio::spawn(bound.serve(stop));

        let api = Api::new(format!("http://{}", addresses.control), key.clone())?;
        let (account, told) = open(kind)?;
        let public_url = format!("http://{}", addresses.edge);
        let mut exchange = exchange(&account, &public_url)?;
        let api_url = exchange.open().await.map_err(|error| error.to_string())?;
        // Who is called lets it ring.
        exchange.people(CONTACT, Person { rings: PACE * 4, ..Person::default() });
        let forger = self::exchange(&forged(&account)?, &public_url)?;
        let desk = Speaker::start(523.0, 659.0).await?;
        let spare = Speaker::start(587.0, 740.0).await?;
        let front = Speaker::start(392.0, 494.0).await?;
        let mut body = json!({ "name": ACCOUNT, "kind": kind.as_str(), "api_url": api_url,
            "calls_per_second": 100 });
        if let (Some(body), Value::Object(told)) = (body.as_object_mut(), told) {
            body.extend(told);
        }
        // Where a carrier's API is, is the operator's to say.
        let operator = Api { key: operator_key.clone(), ..api.clone() };
        operator.post("/switchback/v1/carrier-accounts", body).await?;
        let (renewals, surveys) =
            furnish(&api, &desk.runtime, &spare.runtime, &front.runtime).await?;
        Ok(Self {
            addresses,
            key,
            operator_key,
            api,
            exchange,
            forger,
            renewals,
            surveys,
            desk,
            spare,
            front,
            switch,
            served,
            _folder: folder,
        })
    }

    pub(super) fn control_url(&self) -> &str {
        &self.api.base
    }

    /// Stops the daemon; calls that are still up are cut.
    pub(super) async fn strike(self) {
        self.switch.press();
        self.switch.press();
        drop(self.served.await);
    }
}

/// A number, two outbound agents that show it, a front desk, and a return desk for one of them.
async fn furnish(
    api: &Api,
    desk: &Runtime,
    spare: &Runtime,
    front: &Runtime,
) -> Result<(Uuid, Uuid), String> {
    let body = json!({ "e164": NUMBER, "account": ACCOUNT });
    let number = api.post("/switchback/v1/numbers", body).await?;
    let number = number.get("id").cloned().unwrap_or_default();
    let numbers = [number.clone()];
    let agent = async |name: &str, kind: &str, targets: &[String], numbers: &[Value]| {
        let body = json!({ "name": name, "type": kind, "targets": targets, "number_ids": numbers });
        let agent = api.post("/v1/agents", body).await?;
        let id = agent.get("id").and_then(Value::as_str).and_then(|id| id.parse::<Uuid>().ok());
        id.ok_or_else(|| format!("an agent without an id: {agent}"))
    };
    let renewals = agent("Renewals", "outbound", &[], &numbers).await?;
    let surveys = agent("Surveys", "outbound", &[], &numbers).await?;
    agent("Front desk", "inbound", &[front.url()], &numbers).await?;
    let targets = [desk.url(), spare.url()];
    let return_desk = agent("Return desk", "inbound", &targets, &[]).await?;
    let role = json!({ "source_agent_ids": [renewals] });
    api.post(&format!("/api/v1/agents/{return_desk}/callback"), role).await?;
    let body = json!({ "number_id": number });
    api.post(&format!("/v1/agents/{return_desk}/numbers"), body).await?;
    Ok((renewals, surveys))
}

/// An account at that carrier, and what a daemon is told of it.
fn open(kind: CarrierId) -> Result<(Account, Value), String> {
    open_account(kind, ACCOUNT).ok_or_else(|| format!("{kind} is not simulated"))
}

/// The same account, but for its credentials.
fn forged(account: &Account) -> Result<Account, String> {
    let (other, _) = open(account.carrier)?;
    let (account_id, application_id) = (account.account_id.clone(), account.application_id.clone());
    Ok(Account { account_id, application_id, ..other })
}

fn exchange(account: &Account, public_url: &str) -> Result<Exchange, String> {
    let exchange = Exchange::new(Settings {
        account: account.clone(),
        signer: Signer::Account,
        reach: Reach::default(),
        delivery: Delivery::InOrder,
        pace: PACE,
    })?;
    exchange.own(Owned {
        e164: NUMBER.to_owned(),
        voice_url: format!("{public_url}/carriers/{ACCOUNT}/voice"),
        voice_fallback_url: String::new(),
        status_callback: format!("{public_url}/carriers/{ACCOUNT}/status"),
    });
    Ok(exchange)
}

/// The daemon's control API, as anybody with a key uses it.
#[derive(Clone)]
pub(super) struct Api {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Api {
    fn new(base: String, key: String) -> Result<Self, String> {
        let http = reqwest::Client::builder().no_proxy().build();
        Ok(Self { base, key, http: http.map_err(|error| error.to_string())? })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Any text, of any listener.
    pub(super) async fn text(&self, url: &str) -> Result<String, String> {
        let answer = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        answer.text().await.map_err(|error| error.to_string())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.clone(), url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            Ok(body)
        } else {
            Err(format!("{method} {path}: {status} {body}"))
        }
    }
}

//! `call`: a simulated carrier call into the running daemon and its runtimes. It holds no secret of
//! the account: the daemon signs for its operator.

mod words;

use std::{
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, mpsc},
    time::Duration,
};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Daemon, Failure,
    client::{Client, list, segment, text},
    out,
};
use crate::{
    dialects::rfc3339,
    domain::{Account, AccountOrigin, CarrierId, Secret},
    simulator::{
        Delivery, Exchange, Leg, Moment, Owned, Reach, Ringing, Settings, Signer, State, Voice,
        What, audio,
    },
    telemetry::clock,
};

/// How long the caller stays after what they said: an answer may come.
const STAYS: Duration = Duration::from_secs(2);

/// How long the daemon may take to write a call's row.
const ROW_WAIT: Duration = Duration::from_secs(2);

/// Plays a simulated carrier call into the running daemon and its runtimes.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// Who calls, as the carrier writes it: +1..., anonymous
    #[arg(long)]
    from: String,
    /// Which number is called
    #[arg(long)]
    to: String,
    /// No call: remember an outbound one, as an import would; --from is then the caller ID shown
    /// and --to the person
    #[arg(long, requires = "agent", conflicts_with_all = ["wav", "save", "seconds"])]
    out: bool,
    /// The outbound agent who called, by name or id
    #[arg(long, requires = "out")]
    agent: Option<String>,
    /// How that call ended
    #[arg(long, requires = "out", default_value = "no_answer")]
    outcome: String,
    /// What the caller says: a WAV file; the call ends two seconds after it
    #[arg(long)]
    wav: Option<PathBuf>,
    /// Where to write what the caller heard, as a WAV file
    #[arg(long)]
    save: Option<PathBuf>,
    /// Hang up so long after the line is up and --wav is said
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// The carrier account, where two hold the number
    #[arg(long)]
    account: Option<String>,
    /// Where the daemon's carrier listener is, if its public URL leads elsewhere
    #[arg(long, value_name = "URL")]
    edge: Option<String>,
    /// Where the carrier's API is simulated, for a carrier that is told by it what to do with a
    /// call: the host and port of the account's api_url
    #[arg(long, value_name = "HOST:PORT")]
    api: Option<String>,
    /// The key to sign with, where the daemon has none that signs: for Telnyx the seed, in base64,
    /// of an Ed25519 key whose public half is among the account's public_keys
    #[arg(long, value_name = "KEY", env = "SWITCHBACK_SIGNING_KEY", hide_env_values = true)]
    signing_key: Option<String>,
    /// An operator's key, for the signatures; else --key is used
    #[arg(long, env = "SWITCHBACK_OPERATOR_KEY", hide_env_values = true)]
    operator_key: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// What the call's own task tells.
enum Told {
    Moment(Moment),
    Over(Box<State>),
}

impl Call {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        if self.out {
            return self.touch(&client);
        }
        let says = match &self.wav {
            Some(path) => audio::read_wav(path).map_err(Failure::Usage)?,
            None => Vec::new(),
        };
        let mut exchange = self.exchange(&client)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
        if let Some(place) = &self.api {
            let open = runtime.block_on(exchange.open_at(place));
            open.map_err(|error| Failure::Refused(format!("cannot listen on {place}: {error}")))?;
        }
        let stays = match (self.seconds, &self.wav) {
            (Some(seconds), _) => Some(Duration::from_secs(seconds)),
            (None, Some(_)) => Some(STAYS),
            (None, None) => None,
        };
        let ringing = Ringing {
            from: self.from.clone(),
            to: self.to.clone(),
            voice: Voice { says, stays, ..Voice::default() },
            ..Ringing::default()
        };
        let leg = {
            let _within = runtime.enter();
            exchange.ring(ringing).map_err(Failure::Refused)?
        };
        let (tell, told) = mpsc::channel();
        runtime.spawn(follow(Arc::clone(&leg), tell));
        let result = self.watch(&client, &leg, &told);
        if let (Some(path), Ok((state, _))) = (&self.save, &result) {
            audio::write_wav(path, &state.heard).map_err(Failure::Refused)?;
        }
        let (state, call) = result?;
        self.report(&leg, &state, &last(&client, call));
        let failed = state.has(|what| matches!(what, What::Failed(_)));
        Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// Prints what happens as it happens, until the call is over.
    fn watch(
        &self,
        client: &Client<'_>,
        leg: &Leg,
        told: &mpsc::Receiver<Told>,
    ) -> Result<(State, Value), Failure> {
        let say = |text: &str| {
            if !self.daemon.json {
                out::line(text);
            }
        };
        say(&format!("{} calls {}", self.from, self.to));
        let mut call = Value::Null;
        while let Ok(told) = told.recv() {
            let moment = match told {
                Told::Moment(moment) => moment,
                Told::Over(state) => return Ok((*state, call)),
            };
            let is_asked = matches!(moment.what, What::Asked { status: 200, .. });
            say(&words::line(&moment));
            if is_asked && call.is_null() {
                call = decision(client, leg);
                words::decision(&call).iter().for_each(|line| say(line));
            }
        }
        Err(Failure::Refused("the call was lost".to_owned()))
    }

    fn report(&self, leg: &Leg, state: &State, call: &Value) {
        let heard_ms = state.heard.len() / 8;
        let audible_ms = audio::audible(&state.heard).len() / 8;
        if self.daemon.json {
            let moments: Vec<Value> = state.moments.iter().map(words::json).collect();
            return out::json(&json!({
                "carrier_call_id": leg.facts.sid,
                "status": state.status.as_str(),
                "call": call,
                "moments": moments,
                "heard_ms": heard_ms,
                "audible_ms": audible_ms,
            }));
        }
        words::end(call).iter().for_each(|line| out::line(line));
        out::line(&format!("the caller heard {audible_ms} ms of sound in {heard_ms} ms"));
        if let Some(path) = &self.save {
            out::line(&format!("saved to {}", path.display()));
        }
    }

    /// A touch, as an import would make it.
    fn touch(&self, client: &Client<'_>) -> Result<ExitCode, Failure> {
        let wanted = self.agent.as_deref().unwrap_or_default();
        let agents = client.ask(Method::GET, "/v1/agents", &[], None)?;
        let is_wanted =
            |agent: &&Value| text(agent, "id") == wanted || text(agent, "name") == wanted;
        let found: Vec<&Value> = list(&agents).iter().filter(is_wanted).collect();
        let [agent] = found[..] else {
            let count = found.len();
            return Err(Failure::Refused(format!("{count} agents are {wanted:?}; one is needed")));
        };
        let touch = json!([{
            "id": Uuid::now_v7(), "source_agent_id": text(agent, "id"), "contact": self.to,
            "caller_id": self.from, "at": rfc3339(clock::now()), "outcome": self.outcome,
        }]);
        let merged = client.ask(Method::POST, "/switchback/v1/touches", &[], Some(&touch))?;
        if self.daemon.json {
            out::json(&merged);
        }
        if let Some(rejected) = merged.pointer("/rejected/0") {
            return Err(Failure::Refused(text(rejected, "error").to_owned()));
        }
        if !self.daemon.json {
            let (name, to, from) = (text(agent, "name"), &self.to, &self.from);
            out::line(&format!("{name} called {to} from {from}: {}, remembered", self.outcome));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// A carrier that calls this daemon.
    fn exchange(&self, client: &Client<'_>) -> Result<Exchange, Failure> {
        let operator_key = self.operator_key.clone().or_else(|| self.daemon.key.clone());
        let operator = Daemon { key: operator_key.clone(), ..self.daemon.clone() };
        let operator = Client::new(&operator)?;
        let accounts = operator.ask(Method::GET, "/switchback/v1/carrier-accounts", &[], None)?;
        let name = self.account_name(client, list(&accounts))?;
        // The list is one page: which account it is need not be on it.
        let path = format!("/switchback/v1/carrier-accounts/{}", segment(&name));
        let account = operator.ask(Method::GET, &path, &[], None)?;
        let status = operator.ask(Method::GET, "/switchback/v1/status", &[], None)?;
        let (public_url, media_url) = (text(&status, "public_url"), text(&status, "media_url"));
        let own = format!("{public_url}/carriers/{name}/");
        let instead = self.edge.iter().flat_map(|edge| {
            let edge = edge.trim_end_matches('/');
            let socket = edge.replacen("http", "ws", 1);
            [(public_url.to_owned(), edge.to_owned()), (media_url.to_owned(), socket)]
        });
        let mut account = account_of(&account)?;
        let signer = self.signer(&mut account, operator_key)?;
        let exchange = Exchange::new(Settings {
            account,
            signer,
            reach: Reach { instead: instead.collect(), within: vec![own.clone()] },
            delivery: Delivery::InOrder,
            pace: Duration::ZERO,
        });
        let exchange = exchange.map_err(Failure::Refused)?;
        exchange.own(Owned {
            e164: self.to.clone(),
            voice_url: format!("{own}voice"),
            status_callback: format!("{own}status"),
            ..Owned::default()
        });
        Ok(exchange)
    }

    /// Who signs: the daemon, unless only the carrier itself could.
    fn signer(
        &self,
        account: &mut Account,
        operator_key: Option<String>,
    ) -> Result<Signer, Failure> {
        let kind = account.carrier;
        if kind == CarrierId::Telnyx && self.api.is_none() {
            let message = "Call Control is told by its API what to do with a call: give --api, \
                           and set the account's api_url to it";
            return Err(Failure::Usage(message.to_owned()));
        }
        if let Some(key) = &self.signing_key {
            account.api.private_key = Some(Secret::new(key.clone()));
            return Ok(Signer::Account);
        }
        if matches!(kind, CarrierId::Telnyx | CarrierId::TelnyxTexml) {
            let message = "Telnyx signs with a key that nobody else has: add the public half of \
                           one of yours to the account's public_keys, and give --signing-key";
            return Err(Failure::Usage(message.to_owned()));
        }
        Ok(Signer::Daemon {
            url: self.daemon.url.trim_end_matches('/').to_owned(),
            key: Secret::new(operator_key.unwrap_or_default()),
        })
    }

    /// The account that was named, else the only one, else the one that holds the number.
    fn account_name(&self, client: &Client<'_>, accounts: &[Value]) -> Result<String, Failure> {
        if let Some(name) = &self.account {
            return Ok(name.clone());
        }
        match accounts {
            [] => {
                let message = "no carrier account is to be seen: make one, or give an operator's \
                               key (--operator-key or SWITCHBACK_OPERATOR_KEY)";
                return Err(Failure::Refused(message.to_owned()));
            }
            [only] => return Ok(text(only, "name").to_owned()),
            _ => {}
        }
        let mut held: Vec<String> = Vec::new();
        client.each("/v1/numbers", |number| {
            if text(number, "e164") == self.to {
                held.push(text(number, "account").to_owned());
            }
            ControlFlow::Continue(())
        })?;
        match &held[..] {
            [only] => Ok(only.clone()),
            _ => Err(Failure::Usage(format!(
                "{} accounts hold {}: say which with --account",
                held.len(),
                self.to
            ))),
        }
    }
}

/// What the carrier knows of its account, from how the daemon shows it.
pub(super) fn account_of(shown: &Value) -> Result<Account, Failure> {
    let kind = text(shown, "kind");
    let unknown = |_| Failure::Refused(format!("{kind} is no kind of account known here"));
    let carrier: CarrierId = kind.parse().map_err(unknown)?;
    let name = text(shown, "name").to_owned();
    Ok(Account {
        account_id: text(shown, "account_id").to_owned(),
        application_id: text(shown, "application_id").to_owned(),
        ..Account::named(name, carrier, AccountOrigin::Api)
    })
}

/// Tells of every moment, and hangs up on Ctrl-C.
async fn follow(leg: Arc<Leg>, tell: mpsc::Sender<Told>) {
    let mut watch = leg.watch();
    let mut seen = 0;
    loop {
        let (fresh, state) = {
            let state = watch.borrow_and_update();
            let fresh = state.moments.get(seen..).unwrap_or_default().to_vec();
            let is_over = fresh.iter().any(|moment| matches!(moment.what, What::Ended(_)));
            (fresh, is_over.then(|| state.clone()))
        };
        seen += fresh.len();
        for moment in fresh {
            drop(tell.send(Told::Moment(moment)));
        }
        if let Some(state) = state {
            drop(tell.send(Told::Over(Box::new(state))));
            return;
        }
        tokio::select! {
            _ = watch.changed() => {}
            _ = tokio::signal::ctrl_c() => leg.hang_up(),
        }
    }
}

/// The call's row, once it has its trace; null where there is none to be seen.
fn decision(client: &Client<'_>, leg: &Leg) -> Value {
    let query = [("carrier_call_id", leg.facts.sid.clone())];
    let started = clock::instant();
    while started.elapsed() < ROW_WAIT {
        let Ok(calls) = client.ask(Method::GET, "/switchback/v1/calls", &query, None) else {
            return Value::Null;
        };
        if let Some(call) = list(&calls).iter().find(|call| call.pointer("/trace/0").is_some()) {
            return call.clone();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Value::Null
}

/// The call's row once it has ended, else as it was.
fn last(client: &Client<'_>, call: Value) -> Value {
    let path = format!("/switchback/v1/calls/{}", segment(text(&call, "id")));
    let started = clock::instant();
    while !call.is_null() && started.elapsed() < ROW_WAIT {
        match client.ask(Method::GET, &path, &[], None) {
            Ok(call) if call.get("live") == Some(&Value::Bool(false)) => return call,
            Ok(_) => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => break,
        }
    }
    call
}

//! What the daemon has in its store: a tenant's agents, numbers and contacts; and the signed
//! webhooks of those contacts' return calls.

use std::path::Path;

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use switchback::carriers::{CarrierId, Request, room};
use switchback::domain::{
    Account, AccountOrigin, AgentId, AgentState, Direction, E164, NumberId, Outcome, Secret,
    Target, TenantId, Touch, TouchId, TouchRecord, UnixMillis, UnixSeconds,
};
use switchback::store::{
    Actor, CallbackChange, NewAgent, NewNumber, Role, Settings, Sharing, Store, Tx, WriteError,
};
use switchback::telemetry::clock;
use uuid::Uuid;

use crate::common::{Seeded, person};

const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub(crate) const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
pub(crate) const PUBLIC_URL: &str = "https://edge.example.com";
const HOST: &str = "edge.example.com";
const CALLBACK_AGENTS: u64 = 50;
const NUMBERS_AN_AGENT: u64 = 20;
pub(crate) const FORM: &str = include_str!("../../tests/fixtures/twilio/inbound_voice.form");

/// A configuration whose carriers' side listens on a port, with one thread.
pub(crate) fn config(port: u16) -> String {
    format!(
        "[runtime]\nprewarm = false\n\
         [control]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[carrier_accounts]]\nname = \"main\"\nkind = \"twilio\"\n\
         account_id = \"{ACCOUNT_SID}\"\nsecrets = [\"{TOKEN}\"]\n\
         [edge]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{PUBLIC_URL}\"\n\
         workers = 1\nconnections_per_address = 20000\n"
    )
}

/// Puts it and so many contacts into a store.
pub(crate) fn fill(path: &Path, contacts: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, feed) = Store::open(&Settings::at(path)).unwrap();
    drop(feed);
    let made = runtime.block_on(store.write(Actor::default(), installation)).unwrap();
    let (tenant, sources) = made.value;
    let mut all: Vec<_> = (0..contacts).map(|n| touch(n, tenant, &sources)).collect();
    // In the order of the tables, which is faster; the daemon does not see it.
    all.sort_unstable_by_key(|record| record.touch.contact.as_u64());
    for (n, record) in (0..).zip(&mut all) {
        record.touch.id = TouchId(Uuid::from_u128(n));
    }
    for some in all.chunks(10_000) {
        let some = some.to_vec();
        let merged = store.write(Actor::default(), move |tx| tx.merge_touches(tenant, some));
        runtime.block_on(merged).unwrap();
    }
    store.close();
}

/// Callback agents with two sources and twenty numbers each.
pub(crate) fn installation(tx: &mut Tx<'_>) -> Result<(TenantId, Vec<AgentId>), WriteError> {
    let tenant = tx.create_tenant("default")?.tenant.id;
    tx.reconcile_accounts(vec![account()])?;
    let mut all_sources = Vec::new();
    for n in 0..CALLBACK_AGENTS {
        let mut sources = Vec::new();
        for name in ["first", "second"] {
            let state = AgentState::Live;
            let new = NewAgent { state, ..NewAgent::named(Direction::Outbound, name) };
            sources.push(tx.create_agent(tenant, new, Sharing::Allowed)?.agent.id);
        }
        all_sources.extend(&sources);
        let mut numbers: Vec<NumberId> = Vec::new();
        for k in 0..NUMBERS_AN_AGENT {
            let e164 = number(n * NUMBERS_AN_AGENT + k);
            let (account, friendly_name, passthrough) = (Some("main".to_owned()), None, None);
            let new = NewNumber { e164, account, friendly_name, passthrough };
            numbers.push(tx.add_number(tenant, new)?.0.id);
        }
        let targets = vec![Target::Runtime("wss://bot.example.com/{agent_id}".to_owned())];
        let new = NewAgent {
            state: AgentState::Live,
            targets,
            numbers,
            ..NewAgent::named(Direction::Inbound, "return desk")
        };
        let agent = tx.create_agent(tenant, new, Sharing::Allowed)?.agent.id;
        let change = CallbackChange { sources, window_days: None, trigger_outcomes: None };
        tx.set_callback(tenant, agent, change, Role::TakeOrReplace)?;
    }
    Ok((tenant, all_sources))
}

pub(crate) fn account() -> Account {
    Account {
        account_id: ACCOUNT_SID.to_owned(),
        secrets: vec![Secret::new(TOKEN.to_owned())],
        ..Account::named("main".to_owned(), CarrierId::Twilio, AccountOrigin::File)
    }
}

fn number(n: u64) -> E164 {
    E164::from_u64(18_000_000_000 + n).unwrap()
}

/// The number the `n`th person was called from.
fn shown(n: u64) -> u64 {
    Seeded(n).below(CALLBACK_AGENTS * NUMBERS_AN_AGENT)
}

/// What the `n`th person was called by.
pub(crate) fn touch(n: u64, tenant: TenantId, sources: &[AgentId]) -> TouchRecord {
    let (shown, hour) = (shown(n), 3600);
    let source = shown / NUMBERS_AN_AGENT * 2 + n % 2;
    let touch = Touch {
        id: TouchId(Uuid::nil()),
        tenant,
        contact: person(n),
        agent: *sources.get(usize::try_from(source).unwrap()).unwrap(),
        caller_id: number(shown),
        at: UnixSeconds(clock::now().seconds().0 - hour - n % (20 * 24 * hour)),
        outcome: Outcome::NoAnswer,
    };
    TouchRecord { touch, external_id: None, call: None }
}

/// Return calls, no two alike.
pub(crate) struct Calls {
    seeded: Seeded,
    contacts: u64,
    made: u64,
    ended: u64,
}

impl Calls {
    pub(crate) const fn new(contacts: u64) -> Self {
        Self { seeded: Seeded(9), contacts, made: 0, ended: 0 }
    }

    /// The next so many, as bytes to be sent.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Vec<u8>> {
        let account = account();
        (0..count).map(|_| self.next(&account)).collect()
    }

    /// That those have ended which have not yet.
    pub(crate) fn ends(&mut self) -> Vec<Vec<u8>> {
        let (account, first) = (account(), self.ended + 1);
        self.ended = self.made;
        let status = |n| {
            let body = format!(
                "AccountSid={ACCOUNT_SID}&CallSid={}&CallStatus=completed&Direction=inbound",
                call_sid(n)
            );
            request("/carriers/main/status", &body, n, &account)
        };
        (first..=self.made).map(status).collect()
    }

    fn next(&mut self, account: &Account) -> Vec<u8> {
        self.made += 1;
        let n = self.seeded.below(self.contacts);
        let body = FORM
            .trim_end()
            .replace("14155550117", &person(n).as_u64().to_string())
            .replace("12125550142", &number(shown(n)).as_u64().to_string())
            .replace("CAb27b806e16e007b36784197374f40f63", &call_sid(self.made));
        request("/carriers/main/voice", &body, self.made, account)
    }
}

fn call_sid(n: u64) -> String {
    format!("CA{n:032x}")
}

/// A signed request with the other headers that Twilio sends.
fn request(path: &str, body: &str, n: u64, account: &Account) -> Vec<u8> {
    let url = format!("{PUBLIC_URL}{path}");
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
    let (method, bytes) = (&Method::POST, body.as_bytes());
    let unsigned = Request { method, url: &url, headers: &headers, body: bytes };
    let signed = room(CarrierId::Twilio).sign(&unsigned, account, UnixMillis(0));
    let signature = signed.get("x-twilio-signature").unwrap().to_str().unwrap();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: TwilioProxy/1.1\r\n\
         Accept: */*\r\nX-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {}\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n\
         Content-Length: {}\r\n\r\n{body}",
        Uuid::from_u128(n.into()),
        body.len(),
    )
    .into_bytes()
}

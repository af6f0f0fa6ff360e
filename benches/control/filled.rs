//! A store with so many agents and calls, the same from the same size. What is configured is
//! written as the API would write it. Calls, and what hangs on them, are copies of a row that the
//! store wrote, with the counts that the store would have kept: a million of its own writes take
//! minutes.

use std::path::Path;

use rusqlite::{Connection, params};
use switchback::{
    domain::{
        Account, AccountApi, AccountId, AccountOrigin, AgentId, AgentState, AgentWebhook,
        CallBrief, CallId, CallPatch, CallStatus, CarrierId, Direction, E164, HookAuthorization,
        HookMethod, KeyScope, NumberId, Outcome, RouteReason, Secret, Target, TargetTried,
        TenantId, Touch, TouchId, TouchRecord, TraceStep, UnixSeconds, WebhookId,
    },
    store::{
        Actor, CallbackChange, CallerId, KeySecret, NewAgent, NewCall, NewCampaign, NewNumber,
        NewWebhook, Role, Settings, Sharing, Store, Tx, WriteError,
    },
    telemetry::clock,
};
use uuid::{Builder, Uuid};

use crate::common::{Seeded, person};

/// The tenant's key, and the operator's.
pub(crate) const KEY: &str = "sk_bench_0123456789abcdef0123456789abcdef";
pub(crate) const OPERATOR_KEY: &str = "op_bench_0123456789abcdef0123456789abcdef";
/// The one account; the daemon's configuration names it too.
pub(crate) const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub(crate) const ACCOUNT_SECRET: &str = "secret";

const DAY_MS: u64 = 86_400_000;
/// Calls go back so far, deliveries and touches less: older ones would be forgotten at the start.
const CALLS_DAYS: u64 = 80;
const DELIVERIES_DAYS: u64 = 28;
/// A callback agent, its two sources, and the number that one answers and the others show.
const AGENTS_A_TEAM: u64 = 3;
const TEAMS_A_WRITE: u64 = 200;
/// Of ten teams one has a webhook, a campaign and a number that nobody uses.
const TEAMS_A_WEBHOOK: u64 = 10;

/// How much is in a store.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) agents: u64,
    pub(crate) calls: u64,
}

#[derive(Clone)]
struct Team {
    desk: AgentId,
    sources: [AgentId; 2],
    number: NumberId,
    e164: E164,
}

/// What calls hang on.
struct Made {
    tenant: TenantId,
    teams: Vec<Team>,
    endpoint: WebhookId,
    webhooks: Vec<WebhookId>,
    campaigns: Vec<Uuid>,
}

/// Makes it.
pub(crate) fn fill(path: &Path, size: Size) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, feed) = Store::open(&Settings::at(path)).unwrap();
    drop(feed);
    let made = runtime.block_on(configured(&store, size));
    store.close();
    let mut conn = Connection::open(path).unwrap();
    // A file that can be made again needs no journal.
    conn.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;
         PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF",
    )
    .unwrap();
    conn.set_prepared_statement_cache_capacity(64);
    let tx = conn.transaction().unwrap();
    copies(&tx, &made, size.calls);
    counts(&tx);
    tx.commit().unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
}

async fn configured(store: &Store, size: Size) -> Made {
    let actor = Actor::default();
    let tenant = store.write(actor, installation).await.unwrap().value;
    let mut teams: Vec<Team> = Vec::new();
    let all = size.agents / AGENTS_A_TEAM;
    while (teams.len() as u64) < all {
        let first = teams.len() as u64;
        let some = first..(first + TEAMS_A_WRITE).min(all);
        let write = move |tx: &mut Tx<'_>| some.map(|n| team(tx, tenant, n)).collect();
        let made: Vec<Team> = store.write(actor, write).await.unwrap().value;
        teams.extend(made);
    }
    let known = teams.clone();
    let hung = store.write(actor, move |tx| hung(tx, tenant, &known)).await.unwrap().value;
    let source = teams[0].sources[0];
    store.write(actor, move |tx| templates(tx, tenant, source)).await.unwrap();
    let (endpoint, webhooks, campaigns) = hung;
    let (known, touches) = (teams.clone(), size.calls / 2);
    for first in (0..touches).step_by(10_000) {
        let some: Vec<_> = (first..(first + 10_000).min(touches))
            .map(|n| touch(tenant, n, &known[n as usize % known.len()]))
            .collect();
        store.write(actor, move |tx| tx.merge_touches(tenant, some)).await.unwrap();
    }
    Made { tenant, teams, endpoint, webhooks, campaigns }
}

fn installation(tx: &mut Tx<'_>) -> Result<TenantId, WriteError> {
    let tenant = tx.create_tenant("default")?.tenant.id;
    let (key, operator) = (KeySecret::of(KEY), KeySecret::of(OPERATOR_KEY));
    tx.create_key(KeyScope::Tenant, Some(tenant), "bench", &key)?;
    tx.create_key(KeyScope::Operator, None, "operator", &operator)?;
    tx.reconcile_accounts(vec![Account {
        id: AccountId::of_name("main"),
        name: "main".to_owned(),
        carrier: CarrierId::Twilio,
        tenant: None,
        account_id: ACCOUNT_SID.to_owned(),
        application_id: String::new(),
        secrets: vec![Secret::new(ACCOUNT_SECRET.to_owned())],
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }])?;
    Ok(tenant)
}

fn team(tx: &mut Tx<'_>, tenant: TenantId, n: u64) -> Result<Team, WriteError> {
    let e164 = E164::from_u64(18_000_000_000 + n).unwrap();
    let number = tx.add_number(tenant, number(e164))?.0.id;
    let targets = vec![Target::Runtime("wss://bot.example.com/{agent_id}".to_owned())];
    let mut agent = |direction, name: String| {
        let (state, targets, numbers) = (AgentState::Live, targets.clone(), vec![number]);
        let new = NewAgent { state, targets, numbers, ..NewAgent::named(direction, name) };
        tx.create_agent(tenant, new, Sharing::Allowed).map(|record| record.agent.id)
    };
    let desk = agent(Direction::Inbound, format!("Desk {n}"))?;
    let sources = [
        agent(Direction::Outbound, format!("Sales {n}"))?,
        agent(Direction::Outbound, format!("Renewals {n}"))?,
    ];
    let change =
        CallbackChange { sources: sources.to_vec(), window_days: None, trigger_outcomes: None };
    tx.set_callback(tenant, desk, change, Role::TakeOrReplace)?;
    Ok(Team { desk, sources, number, e164 })
}

fn number(e164: E164) -> NewNumber {
    NewNumber { e164, account: Some("main".to_owned()), friendly_name: None, passthrough: None }
}

type Hung = (WebhookId, Vec<WebhookId>, Vec<Uuid>);

/// What only some teams have: webhooks that are off, campaigns, numbers to be given back.
fn hung(tx: &mut Tx<'_>, tenant: TenantId, teams: &[Team]) -> Result<Hung, WriteError> {
    let webhook = |agent| NewWebhook {
        url: "https://hooks.example.com/calls".to_owned(),
        name: None,
        events: vec!["*".to_owned()],
        secret: None,
        agent,
        is_enabled: false,
    };
    let endpoint = tx.create_webhook(tenant, webhook(None))?.id;
    let (mut webhooks, mut campaigns) = (Vec::new(), Vec::new());
    for (n, team) in (0..).zip(teams.iter().step_by(TEAMS_A_WEBHOOK as usize)) {
        let policy = AgentWebhook {
            agent: team.desk,
            timeout_seconds: 5,
            retries_max: 1,
            method: HookMethod::Post,
            authorization: HookAuthorization::None,
            headers: Vec::new(),
            templates: Vec::new(),
        };
        webhooks.push(tx.create_webhook(tenant, webhook(Some(policy)))?.id);
        let campaign = tx.create_campaign(
            tenant,
            NewCampaign {
                agent: team.sources[0],
                name: format!("Campaign {n}"),
                kind: "sales".to_owned(),
                description: String::new(),
                fields: "{}".to_owned(),
            },
        )?;
        campaigns.push(campaign.id.0);
        let e164 = E164::from_u64(18_500_000_000 + n).unwrap();
        let spare = tx.add_number(tenant, number(e164))?.0.id;
        tx.request_release(tenant, spare, "It is not needed any more.".to_owned())?;
    }
    Ok((endpoint, webhooks, campaigns))
}

fn touch(tenant: TenantId, n: u64, team: &Team) -> TouchRecord {
    let now = clock::now().seconds().0;
    let touch = Touch {
        id: TouchId(random(&mut Seeded(n ^ 0x7075_6368))),
        tenant,
        contact: person(n),
        agent: team.sources[(n % 2) as usize],
        caller_id: team.e164,
        at: UnixSeconds(now - 3600 - n % (20 * 86_400)),
        outcome: Outcome::NoAnswer,
    };
    TouchRecord { touch, external_id: None, call: None }
}

fn random(seeded: &mut Seeded) -> Uuid {
    let bits = u128::from(seeded.next()) << 64 | u128::from(seeded.next());
    Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

/// A call each way as the store writes it; their rows are what all others are copies of.
fn templates(tx: &mut Tx<'_>, tenant: TenantId, source: AgentId) -> Result<(), WriteError> {
    let now = tx.now();
    let step = |step, detail: &str| TraceStep { step, result: "ok", detail: detail.to_owned() };
    tx.upsert_call(&CallPatch {
        account: Some(AccountId::of_name("main")),
        carrier_call_id: Some("CAtemplate".to_owned()),
        direction: Some(Direction::Inbound),
        status: Some(CallStatus::Completed),
        reason: Some(RouteReason::Callback),
        trace: Some(vec![
            step("number", "+18000000000"),
            step("return_call", "the source agent's callback agent"),
        ]),
        targets_tried: vec![TargetTried {
            attempt: 1,
            agent: None,
            target: "wss://bot.example.com/desk".to_owned(),
            at: now,
            outcome: "connected".to_owned(),
            close_code: Some(1000),
        }],
        answered_at: Some(now),
        ended_at: Some(now),
        caller_verified: Some(true),
        ..CallPatch::new(CallId(Uuid::from_u128(1)), tenant, now)
    })?;
    tx.place_call(
        tenant,
        NewCall {
            agent: source,
            to: person(0),
            caller_id: CallerId::Primary,
            profile: None,
            is_test: false,
            detects_machine: false,
            hangs_up_on_machine: false,
            voicemail_message: None,
            delay_seconds: 0,
            campaign: None,
            brief: CallBrief::default(),
        },
    )?;
    Ok(())
}

/// A table's rows by copying one of them, but for the columns that are given.
fn copier(conn: &Connection, table: &str, template: &str, given: &[&str]) -> String {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    let mut columns = conn.prepare(&sql).unwrap();
    let columns = columns.query_map([], |row| row.get(0)).unwrap();
    let columns: Vec<String> = columns.map(Result::unwrap).collect();
    let value = |column: &String| match given.iter().position(|given| given == column) {
        Some(place) => format!("?{}", place + 1),
        None => column.clone(),
    };
    assert!(given.iter().all(|given| columns.iter().any(|column| column == given)));
    let values: Vec<_> = columns.iter().map(value).collect();
    format!("INSERT INTO {table} SELECT {} FROM {template}", values.join(", "))
}

const OF_A_CALL: &[&str] = &[
    "id",
    "carrier_call_id",
    "status",
    "ani",
    "dnis",
    "number",
    "agent",
    "unmatched",
    "created_at",
    "answered_at",
    "ended_at",
    "updated_at",
];

/// Everything that grows with calls.
fn copies(conn: &Connection, made: &Made, calls: u64) {
    conn.execute_batch(
        "CREATE TEMP TABLE inbound AS SELECT * FROM calls WHERE direction = 'inbound';
         CREATE TEMP TABLE outbound AS SELECT * FROM calls WHERE direction = 'outbound';
         CREATE TEMP TABLE dialed AS SELECT * FROM dials;
         CREATE TEMP TABLE line AS SELECT * FROM audit LIMIT 1;
         DELETE FROM dials; DELETE FROM calls",
    )
    .unwrap();
    let both = ["temp.outbound", "temp.inbound"].map(|of| copier(conn, "calls", of, OF_A_CALL));
    let dial = ["call", "agent", "caller_id", "contact", "state"];
    let dial = copier(conn, "dials", "temp.dialed", &dial);
    let line = copier(conn, "audit", "temp.line", &["id", "at", "subject"]);
    let begin = clock::now().0 - CALLS_DAYS * DAY_MS;
    let mut seeded = Seeded(calls);
    for n in 0..calls {
        let one = OneCall::new(
            made,
            n,
            begin + n * (CALLS_DAYS * DAY_MS - 3_600_000) / calls,
            &mut seeded,
        );
        one.insert(conn, &both, made);
        if !one.is_inbound {
            let values = params![
                one.id.as_bytes(),
                one.agent.0.as_bytes(),
                one.team.e164.as_u64(),
                one.contact.as_u64(),
                "accepted",
            ];
            conn.prepare_cached(&dial).unwrap().execute(values).unwrap();
        }
        one.hang(conn, made);
        if n % 5 == 0 {
            let values = params![1_000_000 + n, one.at, one.id.as_bytes()];
            conn.prepare_cached(&line).unwrap().execute(values).unwrap();
        }
    }
}

struct OneCall<'m> {
    n: u64,
    id: Uuid,
    at: u64,
    is_inbound: bool,
    status: &'static str,
    team: &'m Team,
    agent: AgentId,
    contact: E164,
}

impl<'m> OneCall<'m> {
    fn new(made: &'m Made, n: u64, at: u64, seeded: &mut Seeded) -> Self {
        let team = &made.teams[seeded.below(made.teams.len() as u64) as usize];
        let is_inbound = n % 2 == 1;
        let agent = if is_inbound { team.desk } else { team.sources[seeded.below(2) as usize] };
        let status = match seeded.below(10_000) {
            0 => "busy",
            1..=100 => "failed",
            101..=3000 => "no_answer",
            _ => "completed",
        };
        let contact = person(seeded.below(1_000_000));
        Self { n, id: random(seeded), at, is_inbound, status, team, agent, contact }
    }

    fn insert(&self, conn: &Connection, both: &[String; 2], made: &Made) {
        let Self { n, id, at, is_inbound, status, team, agent, contact } = self;
        let (ani, dnis) = if *is_inbound { (*contact, team.e164) } else { (team.e164, *contact) };
        let is_unmatched = *is_inbound && n % 10 == 1;
        let answered_at = (*status == "completed").then_some(at + 5_000);
        let values = params![
            id.as_bytes(),
            format!("CA{:032x}", Seeded(*n).next()),
            status,
            ani.as_u64(),
            dnis.as_u64(),
            team.number.0.as_bytes(),
            agent.0.as_bytes(),
            is_unmatched,
            at,
            answered_at,
            at + 60_000,
            at + 60_000,
        ];
        conn.prepare_cached(&both[usize::from(*is_inbound)]).unwrap().execute(values).unwrap();
        if *is_inbound && !is_unmatched {
            let source = team.sources[(n / 2 % 2) as usize];
            let values = params![id.as_bytes(), source.0.as_bytes()];
            run(conn, "INSERT INTO credits (call, source) VALUES (?1, ?2)", values);
        }
        if !is_inbound && n % 4 == 0 {
            let campaign = made.campaigns[(n / 4) as usize % made.campaigns.len()];
            let values = params![id.as_bytes(), campaign.as_bytes(), contact.as_u64()];
            run(
                conn,
                "INSERT INTO campaign_calls (call, campaign, contact) VALUES (?1, ?2, ?3)",
                values,
            );
        }
    }

    /// What was said in it, and what subscribers were told of it.
    fn hang(&self, conn: &Connection, made: &Made) {
        let Self { n, id, at, .. } = self;
        let tenant = made.tenant.0;
        if n % 20 == 1 {
            let values = params![id.as_bytes(), tenant.as_bytes(), at];
            run(
                conn,
                "INSERT INTO call_details (call, tenant, result_status, result, segments,
                    text_bytes, transcript_at)
                 VALUES (?1, ?2, 'completed', '{\"paid\":true}', 4, 80, ?3)",
                values,
            );
            for part in 0..4 {
                run(
                    conn,
                    "INSERT INTO transcripts (call, sequence_no, role, text)
                     VALUES (?1, ?2, 'user', 'What was said of it.')",
                    params![id.as_bytes(), part],
                );
            }
        }
        if n % 2 == 0 {
            self.tell(conn, made);
        }
    }

    /// A delivery, every other one of an agent's webhook with the attempt that it took.
    fn tell(&self, conn: &Connection, made: &Made) {
        let Self { n, id, .. } = self;
        let is_agents = n % 4 == 0;
        let webhook = match is_agents {
            true => made.webhooks[(n / 4) as usize % made.webhooks.len()],
            false => made.endpoint,
        };
        let delivery = Uuid::from_u128(id.as_u128() ^ 1);
        let begin = clock::now().0 - DELIVERIES_DAYS * DAY_MS;
        let at = begin + (self.at - begin.min(self.at)).min(DELIVERIES_DAYS * DAY_MS - 3_600_000);
        let status = if n % 5_000 == 2 { "exhausted" } else { "delivered" };
        let values = params![
            delivery.as_bytes(),
            made.tenant.0.as_bytes(),
            webhook.0.as_bytes(),
            is_agents,
            id.as_bytes(),
            status,
            at + n % 1000,
        ];
        run(
            conn,
            "INSERT INTO deliveries (id, tenant, webhook, is_agents, lane, call, event, url, body,
                status, attempts, manual_retries, created_at, updated_at, delivered_at)
             VALUES (?1, ?2, ?3, ?4, ?3, ?5, 'call.completed', 'https://hooks.example.com/calls',
                '{\"type\":\"call.completed\",\"data\":{\"status\":\"completed\"}}',
                ?6, 1, 0, ?7, ?7, ?7)",
            values,
        );
        if is_agents {
            let attempt = Uuid::from_u128(id.as_u128() ^ 2);
            let values = params![
                attempt.as_bytes(),
                made.tenant.0.as_bytes(),
                webhook.0.as_bytes(),
                delivery.as_bytes(),
                at + n % 1000,
            ];
            run(
                conn,
                "INSERT INTO attempts (id, tenant, webhook, delivery, number, status, http_status,
                    created_at)
                 VALUES (?1, ?2, ?3, ?4, 1, 'success', 200, ?5)",
                values,
            );
        }
    }
}

fn run(conn: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) {
    conn.prepare_cached(sql).unwrap().execute(values).unwrap();
}

/// The counts that the store would have kept, by the words of the step that began them.
fn counts(conn: &Connection) {
    conn.execute_batch("DELETE FROM call_counts; DELETE FROM callback_counts").unwrap();
    let step = include_str!("../../src/store/schema/7.sql");
    let begun = step.split(';').map(str::trim).filter(|sql| {
        sql.starts_with("INSERT INTO call_counts") || sql.starts_with("INSERT INTO callback_counts")
    });
    let begun: Vec<_> = begun.collect();
    assert_eq!(begun.len(), 4);
    conn.execute_batch(&begun.join(";")).unwrap();
}

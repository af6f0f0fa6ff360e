//! Who is told what of a call: each step once, each end once, and nobody else's.

use serde_json::Value;
use switchback::{
    domain::{
        AgentId, AgentWebhook, CallBrief, CallId, CallPatch, CallStatus, Delivery, DeliveryStatus,
        Direction, HookAuthorization, HookMethod, Refusal, Secret, TargetTried, TenantId,
        UnixMillis, Webhook, WebhookId, WebhookTrouble,
    },
    store::{
        AgentPatch, CallerId, DeliveryFilter, DialFate, NewCall, NewNumber, NewWebhook, Paging,
        Tried, Tx, Way, WebhookPatch,
    },
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, account, phone};

const PERSON: u64 = 137;

/// A tenant with an outbound agent that can place calls, and an inbound one.
#[derive(Clone, Copy)]
struct Team {
    tenant: TenantId,
    caller: AgentId,
    desk: AgentId,
}

fn team(tx: &mut Tx<'_>, name: &str, line: u64) -> Team {
    let tenant = tx.create_tenant(name).unwrap().tenant.id;
    let shared = account("main", None);
    tx.reconcile_accounts(vec![shared.clone()]).unwrap();
    let new = NewNumber {
        e164: phone(line),
        account: Some(shared.name),
        friendly_name: None,
        passthrough: None,
    };
    let number = tx.add_number(tenant, new).unwrap().0.id;
    let caller = tx.live(tenant, Direction::Outbound, "caller").agent.id;
    let desk = tx.live(tenant, Direction::Inbound, "desk").agent.id;
    tx.attach(tenant, caller, number);
    tx.attach(tenant, desk, number);
    Team { tenant, caller, desk }
}

fn endpoint(tx: &mut Tx<'_>, tenant: TenantId, events: &[&str]) -> WebhookId {
    let new = NewWebhook {
        url: "https://example.com/all".to_owned(),
        name: None,
        events: events.iter().map(|&event| event.to_owned()).collect(),
        secret: None,
        agent: None,
        is_enabled: true,
    };
    tx.create_webhook(tenant, new).unwrap().id
}

fn agents_webhook(tx: &mut Tx<'_>, team: &Team, agent: AgentId, events: &[&str]) -> Webhook {
    let policy = AgentWebhook {
        agent,
        timeout_seconds: 30,
        retries_max: 3,
        method: HookMethod::Post,
        authorization: HookAuthorization::None,
        headers: vec![("X-Shop".to_owned(), Secret::new("7".to_owned()))],
        templates: Vec::new(),
    };
    let new = NewWebhook {
        url: "https://example.com/agent".to_owned(),
        name: Some("Hook".to_owned()),
        events: events.iter().map(|&event| event.to_owned()).collect(),
        secret: None,
        agent: Some(policy),
        is_enabled: true,
    };
    tx.create_webhook(team.tenant, new).unwrap()
}

fn agent_url(tx: &mut Tx<'_>, team: &Team, agent: AgentId, profile: &str) {
    let patch = AgentPatch { profile: Some(profile.to_owned()), ..AgentPatch::default() };
    tx.update_agent(team.tenant, agent, patch).unwrap();
}

fn place(tx: &mut Tx<'_>, team: &Team, webhook_url: Option<&str>) -> CallId {
    let brief = CallBrief { webhook_url: webhook_url.map(str::to_owned), ..CallBrief::default() };
    let new = NewCall {
        hangs_up_on_machine: false,
        voicemail_message: None,
        delay_seconds: 0,
        agent: team.caller,
        to: phone(PERSON),
        caller_id: CallerId::Primary,
        profile: None,
        is_test: false,
        detects_machine: true,
        campaign: None,
        brief,
    };
    tx.place_call(team.tenant, new).unwrap().call.id
}

/// The call as it is dialled and then ends so.
fn dial(tx: &mut Tx<'_>, team: &Team, call: CallId, stations: &[CallStatus]) {
    assert!(tx.begin_dial(call).unwrap());
    tx.end_dial(call, DialFate::Accepted("CA1".to_owned())).unwrap();
    for &status in stations {
        tell(tx, team, call, status);
    }
}

fn tell(tx: &mut Tx<'_>, team: &Team, call: CallId, status: CallStatus) {
    let now = tx.now();
    let is_answer = status == CallStatus::InProgress;
    let patch = CallPatch {
        status: Some(status),
        answered_at: is_answer.then_some(now),
        ended_at: status.is_final().then_some(now),
        ..CallPatch::new(call, team.tenant, now)
    };
    tx.upsert_call(&patch).unwrap();
}

fn ring_in(tx: &mut Tx<'_>, team: &Team, call: u128) -> CallId {
    let id = CallId(Uuid::from_u128(call));
    let patch = CallPatch {
        direction: Some(Direction::Inbound),
        status: Some(CallStatus::Ringing),
        agent: Some(team.desk),
        ani: Some(phone(PERSON)),
        ..CallPatch::new(id, team.tenant, UnixMillis(tx.now().0))
    };
    tx.upsert_call(&patch).unwrap();
    id
}

/// What was told, oldest first: event, and to which URL.
fn told(fixture: &Fixture, tenant: TenantId) -> Vec<(String, String)> {
    let told = fixture.read(move |rows| {
        let mut told = rows.deliveries(tenant, &DeliveryFilter::default(), &Paging::first(1000))?;
        told.rows.reverse();
        Ok(told.rows)
    });
    let line = |delivery: Delivery| {
        let url = delivery.url.trim_start_matches("https://example.com/").to_owned();
        (delivery.event, url)
    };
    told.into_iter().map(line).collect()
}

fn names(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(event, _)| event.as_str()).collect()
}

/// The deliveries to an agent's webhook, oldest first.
fn of_lane(fixture: &Fixture, lane: Uuid) -> Vec<Delivery> {
    fixture.read(move |rows| {
        let due = rows.due_in(lane, UnixMillis(u64::MAX >> 1), 100)?;
        Ok(due.into_iter().map(|id| rows.any_delivery(id).unwrap().unwrap()).collect())
    })
}

#[test]
fn each_step_is_told_once_and_one_end() {
    use CallStatus::{Busy, Canceled, Completed, Failed, InProgress, Initiated, NoAnswer, Ringing};
    for (stations, expected) in [
        (
            &[Initiated, Ringing, Ringing, InProgress, Ringing, Completed, Failed, Completed][..],
            &["call.queued", "call.ringing", "call.answered", "call.completed"][..],
        ),
        (&[Ringing, NoAnswer, Busy], &["call.queued", "call.ringing", "call.no_answer"]),
        (&[Busy], &["call.queued", "call.busy"]),
        (&[Ringing, Canceled], &["call.queued", "call.ringing", "call.canceled"]),
        (&[Failed, InProgress], &["call.queued", "call.failed"]),
    ] {
        let fixture = Fixture::new();
        let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
        fixture.done(move |tx| Ok(endpoint(tx, team.tenant, &["*"])));
        let call = fixture.done(move |tx| Ok(place(tx, &team, None)));
        fixture.done(move |tx| {
            dial(tx, &team, call, stations);
            Ok(())
        });
        assert_eq!(names(&told(&fixture, team.tenant)), expected, "{stations:?}");
    }
}

#[test]
fn an_event_says_how_the_call_stood() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    fixture.done(move |tx| Ok(endpoint(tx, team.tenant, &["call.ringing", "call.completed"])));
    let call = fixture.done(move |tx| Ok(ring_in(tx, &team, 9)));
    fixture.done(move |tx| {
        tell(tx, &team, call, CallStatus::InProgress);
        tell(tx, &team, call, CallStatus::Completed);
        Ok(())
    });
    let told = fixture.read(move |rows| {
        Ok(rows.deliveries(team.tenant, &DeliveryFilter::default(), &Paging::first(10))?.rows)
    });
    let [completed, ringing] = &told[..] else { panic!("{told:?}") };
    for (delivery, kind, status) in
        [(ringing, "call.ringing", "ringing"), (completed, "call.completed", "completed")]
    {
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(body["id"], delivery.id.to_string());
        assert_eq!(
            (body["type"].as_str(), body["api_version"].as_str()),
            (Some(kind), Some("2026-04"))
        );
        assert_eq!(body["created"], delivery.created_at.seconds().0);
        assert_eq!(body["data"]["call"]["id"], call.to_string());
        assert_eq!(body["data"]["call"]["status"], status);
    }
}

#[test]
fn a_url_of_the_call_stands_in_for_its_agents() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let secret = fixture.read(move |rows| rows.webhook_secret(team.tenant));
    assert_eq!(secret, None, "made when it is first needed");
    fixture.done(move |tx| {
        let profile = r#"{"webhook_url":"https://example.com/agents"}"#;
        agent_url(tx, &team, team.caller, profile);
        place(tx, &team, None);
        place(tx, &team, Some("https://example.com/calls"));
        endpoint(tx, team.tenant, &["call.queued"]);
        place(tx, &team, Some("https://example.com/calls"));
        ring_in(tx, &team, 9);
        Ok(())
    });
    let told = told(&fixture, team.tenant);
    let urls: Vec<_> = told.iter().map(|(_, url)| url.as_str()).collect();
    // All in one write, so the endpoint heard of the earlier calls as well.
    assert_eq!(urls, ["all", "agents", "all", "calls", "all", "calls"]);
    let secret = fixture.read(move |rows| rows.webhook_secret(team.tenant));
    assert!(secret.unwrap().0.reveal().starts_with("whsec_"));
}

#[test]
fn who_is_off_or_somebody_else_is_not_told() {
    let fixture = Fixture::new();
    let (ours, theirs) = fixture.done(|tx| Ok((team(tx, "acme", 1), team(tx, "other", 2))));
    let id = fixture.done(move |tx| {
        endpoint(tx, theirs.tenant, &["*"]);
        agents_webhook(tx, &ours, ours.desk, &["event_phone_call_started"]);
        Ok(endpoint(tx, ours.tenant, &["*"]))
    });
    let off = |is_enabled| WebhookPatch { is_enabled: Some(is_enabled), ..WebhookPatch::default() };
    fixture.done(move |tx| tx.update_webhook(ours.tenant, id, off(false)));
    fixture.done(move |tx| Ok(place(tx, &ours, None)));
    assert_eq!(told(&fixture, ours.tenant), []);
    fixture.done(move |tx| tx.update_webhook(ours.tenant, id, off(true)));
    fixture.done(move |tx| Ok(place(tx, &ours, None)));
    assert_eq!(names(&told(&fixture, ours.tenant)), ["call.queued"]);
    assert_eq!(told(&fixture, theirs.tenant), []);
    let refused = fixture.refused(move |tx| tx.update_webhook(theirs.tenant, id, off(true)));
    assert_eq!(refused, Refusal::WebhookNotFound);
    let refused = fixture.refused(move |tx| tx.delete_webhook(theirs.tenant, id));
    assert_eq!(refused, Refusal::WebhookNotFound);
}

#[test]
fn an_agents_webhook_hears_of_its_calls_in_its_own_words() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture.done(move |tx| {
        let events = [
            "event_phone_call_started",
            "event_phone_call_connected",
            "event_phone_call_ended",
            "event_action",
        ];
        agents_webhook(tx, &team, team.desk, &["event_phone_call_started"]);
        Ok(agents_webhook(tx, &team, team.caller, &events))
    });
    let call = fixture.done(move |tx| Ok(place(tx, &team, None)));
    fixture.done(move |tx| {
        use CallStatus::{Completed, InProgress};
        dial(tx, &team, call, &[InProgress, Completed]);
        Ok(())
    });
    // Of one call's events, only the first is due: the others wait for it.
    let due = of_lane(&fixture, hook.id.0);
    let [first] = &due[..] else { panic!("{due:?}") };
    assert_eq!((first.event.as_str(), first.is_agents), ("event_phone_call_started", true));
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["webhook_name"], "Hook");
    assert_eq!(body["agent_id"], team.caller.to_string());
    assert_eq!(body["call"]["id"], call.to_string());
    assert_eq!(told(&fixture, team.tenant), [], "CallingBox's lists do not show them");
}

#[test]
fn a_machine_is_nobody_to_one_and_a_call_to_the_other() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture.done(move |tx| {
        endpoint(tx, team.tenant, &["*"]);
        Ok(agents_webhook(tx, &team, team.caller, &["event_voicemail_detected"]))
    });
    let call = fixture.done(move |tx| Ok(place(tx, &team, None)));
    fixture.done(move |tx| {
        dial(tx, &team, call, &[CallStatus::InProgress]);
        for _ in 0..2 {
            let now = tx.now();
            let machine = CallPatch { by_machine: true, ..CallPatch::new(call, team.tenant, now) };
            tx.upsert_call(&machine).unwrap();
        }
        tell(tx, &team, call, CallStatus::Completed);
        Ok(())
    });
    let told = told(&fixture, team.tenant);
    assert_eq!(names(&told), ["call.queued", "call.answered", "call.no_answer"]);
    assert_eq!(of_lane(&fixture, hook.id.0).len(), 1);
}

fn failed(retry_at: Option<UnixMillis>) -> Tried {
    Tried { retry_at, error: Some("HTTP 500".to_owned()), ..Tried::default() }
}

fn arrived() -> Tried {
    Tried { is_delivered: true, http_status: Some(200), ..Tried::default() }
}

#[test]
fn a_later_event_waits_for_an_earlier_one_but_not_for_days() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture.done(move |tx| Ok(endpoint(tx, team.tenant, &["*"])));
    let call = fixture.done(move |tx| Ok(place(tx, &team, None)));
    let other = fixture.done(move |tx| Ok(place(tx, &team, None)));
    fixture.done(move |tx| {
        dial(tx, &team, call, &[CallStatus::Ringing, CallStatus::Busy]);
        Ok(())
    });
    let due = |fixture: &Fixture| -> Vec<(CallId, String)> {
        of_lane(fixture, hook.0).into_iter().map(|d| (d.call, d.event)).collect()
    };
    let line = |call, event: &str| (call, event.to_owned());
    assert_eq!(due(&fixture), [line(call, "call.queued"), line(other, "call.queued")]);
    let first = of_lane(&fixture, hook.0)[0].id;
    // It fails, twice: what follows it waits on.
    for _ in 0..2 {
        fixture.done(move |tx| tx.note_attempt(first, failed(Some(UnixMillis(1)))));
        assert_eq!(due(&fixture).len(), 2);
    }
    fixture.done(move |tx| tx.note_attempt(first, failed(Some(UnixMillis(1)))));
    assert_eq!(due(&fixture)[2..], [line(call, "call.ringing")], "three times is enough");
    let second = of_lane(&fixture, hook.0)[2].id;
    fixture.done(move |tx| tx.note_attempt(second, arrived()));
    assert_eq!(due(&fixture)[2..], [line(call, "call.busy")]);
    let seen = fixture.read(move |rows| rows.delivery(team.tenant, second)).unwrap();
    assert_eq!((seen.status, seen.attempts, seen.due_at), (DeliveryStatus::Delivered, 1, None));
}

#[test]
fn an_endpoint_that_fails_ten_times_is_switched_off_and_heals() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture.done(move |tx| Ok(endpoint(tx, team.tenant, &["call.queued"])));
    let queued = |fixture: &Fixture| {
        fixture.done(move |tx| Ok(place(tx, &team, None)));
        of_lane(fixture, hook.0).last().unwrap().id
    };
    let state = |fixture: &Fixture| {
        let hook = fixture.read(move |rows| rows.webhook(team.tenant, hook)).unwrap();
        (hook.failures, hook.disabled_at.is_some(), hook.trouble)
    };
    for n in 1..=9 {
        let id = queued(&fixture);
        fixture.done(move |tx| tx.note_attempt(id, failed(None)));
        assert_eq!(state(&fixture), (n, false, None));
    }
    let id = queued(&fixture);
    fixture.done(move |tx| tx.note_attempt(id, arrived()));
    assert_eq!(state(&fixture), (0, false, None), "one that arrives heals");
    let mut last = id;
    for _ in 0..10 {
        last = queued(&fixture);
        fixture.done(move |tx| tx.note_attempt(last, failed(None)));
    }
    assert_eq!(state(&fixture), (10, true, Some(WebhookTrouble::TooManyFailures)));
    let refused = fixture.refused(move |tx| tx.redeliver(team.tenant, last));
    assert_eq!(refused, Refusal::WebhookDisabled);
    let on = WebhookPatch { is_enabled: Some(true), ..WebhookPatch::default() };
    fixture.done(move |tx| tx.update_webhook(team.tenant, hook, on));
    assert_eq!(state(&fixture), (0, false, None));
    let again = fixture.done(move |tx| tx.redeliver(team.tenant, last));
    assert_eq!((again.id, again.attempts, again.manual_retries), (last, 0, 1));
    let way = fixture.read(move |rows| rows.way_of(&again));
    assert!(matches!(way, Way::Webhook(_)));
}

#[test]
fn the_end_of_a_call_waits_for_its_result() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture.done(move |tx| {
        agent_url(tx, &team, team.desk, r#"{"returns":{"is_sold":"boolean"}}"#);
        Ok(endpoint(tx, team.tenant, &["call.completed"]))
    });
    let talk = |fixture: &Fixture, call: u128, is_taken: bool| {
        fixture.done(move |tx| {
            let id = ring_in(tx, &team, call);
            let now = tx.now();
            let tried = TargetTried {
                attempt: 0,
                agent: Some(team.desk),
                target: "wss://bot.example.com".to_owned(),
                at: now,
                outcome: if is_taken { "answered" } else { "refused" }.to_owned(),
                close_code: None,
            };
            let patch =
                CallPatch { targets_tried: vec![tried], ..CallPatch::new(id, team.tenant, now) };
            tx.upsert_call(&patch).unwrap();
            tell(tx, &team, id, CallStatus::Completed);
            Ok((id, now))
        })
    };
    let (_, now) = talk(&fixture, 1, false);
    assert_eq!(of_lane(&fixture, hook.0)[0].due_at, Some(now), "nobody to find anything out");
    let (call, now) = talk(&fixture, 2, true);
    let held = of_lane(&fixture, hook.0)[1].clone();
    assert_eq!((held.call, held.due_at), (call, Some(UnixMillis(now.0 + 60_000))));
    // A restart keeps it so.
    let fixture = fixture.reopened();
    fixture.done(move |tx| tx.tell_result(team.tenant, call));
    let told = fixture.read(move |rows| rows.delivery(team.tenant, held.id)).unwrap();
    assert!(told.due_at.unwrap().0 < now.0 + 60_000 && told.held_until.is_none());
}

#[test]
fn attempts_at_an_agents_webhook_are_logged() {
    let fixture = Fixture::new();
    let team = fixture.done(|tx| Ok(team(tx, "acme", 1)));
    let hook = fixture
        .done(move |tx| Ok(agents_webhook(tx, &team, team.desk, &["event_phone_call_started"]).id));
    fixture.done(move |tx| Ok(ring_in(tx, &team, 9)));
    let id = of_lane(&fixture, hook.0)[0].id;
    fixture.done(move |tx| tx.note_attempt(id, failed(Some(UnixMillis(5)))));
    fixture.done(move |tx| tx.note_attempt(id, failed(None)));
    let log = |fixture: &Fixture| {
        let log =
            fixture.read(move |rows| rows.attempts(team.tenant, hook, &Paging::first(10))).rows;
        let lines: Vec<_> = log.iter().map(|line| (line.number, line.status.as_str())).collect();
        (lines.iter().map(|(n, s)| format!("{n} {s}")).collect::<Vec<_>>(), log)
    };
    let (lines, rows) = log(&fixture);
    assert_eq!(lines, ["2 failed", "1 retrying"]);
    assert!(rows[0].request.contains("event_phone_call_started"));
    let earlier = rows[1].clone();
    let refused = fixture.refused(move |tx| tx.retry_attempt(&earlier));
    assert_eq!(refused, Refusal::LogNotRetriable);
    let last = rows[0].clone();
    let asked = fixture.done(move |tx| tx.retry_attempt(&last));
    fixture.done(move |tx| tx.note_attempt(id, arrived()));
    let (lines, rows) = log(&fixture);
    assert_eq!(lines, ["1 success", "2 failed", "1 retrying"]);
    assert_eq!(rows[0].id, asked);
    let other = fixture.read(move |rows| rows.attempt(team.tenant, WebhookId(Uuid::nil()), asked));
    assert_eq!(other, None);
}

//! The configuration as one document: applied, rehearsed, written out, taken back, replayed.

use serde_json::{Value, json};
use switchback::{
    domain::{AccountId, CallId, CallPatch, CallStatus, Direction, E164, UnixMillis},
    store::Actor,
    telemetry::clock,
};

use crate::daemon::{Caller, Daemon, Got};

const N: &str = "+14155550100";
const EXAMPLE: &str = include_str!("../../config/example.yaml");

/// Sends a document in YAML.
async fn send(caller: &Caller, path: &str, text: &str) -> Got {
    caller.document(path, text, &[]).await
}

async fn apply(caller: &Caller, text: &str) -> Value {
    send(caller, "/switchback/v1/apply", text).await.is(200)
}

async fn export(caller: &Caller) -> Value {
    caller.get("/switchback/v1/export?format=json").await.is(200)
}

/// The lines of an answer's changes: what was done to what.
fn told(answer: &Value) -> Vec<String> {
    let line = |change: &Value| {
        let word = |name: &str| change[name].as_str().unwrap().to_owned();
        format!("{} {} {}", word("action"), word("kind"), word("name"))
    };
    let mut lines: Vec<_> = answer["changes"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

/// The example, at an account: the daemon of these tests has two.
fn example() -> String {
    format!("{EXAMPLE}numbers:\n  - {{e164: '{N}', account: first}}\n")
}

async fn id_of(caller: &Caller, name: &str) -> String {
    let agents = caller.get("/v1/agents?limit=100&include_archived=true").await.is(200);
    let found = agents["data"].as_array().unwrap().iter().find(|agent| agent["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {agents}"))["id"].as_str().unwrap().to_owned()
}

/// A call that came in some seconds ago.
async fn called(daemon: &Daemon, from: &str, n: u64) {
    let at = UnixMillis(clock::now().0 - 1000 * n);
    let (ani, dnis) = (E164::parse(from), E164::parse(N));
    let call = move |tx: &mut switchback::store::Tx<'_>| {
        let tenant = tx.tenant_by_name("acme")?.unwrap().tenant.id;
        tx.upsert_call(&CallPatch {
            account: Some(AccountId::of_name("first")),
            carrier_call_id: Some(format!("CA{n}")),
            direction: Some(Direction::Inbound),
            status: Some(CallStatus::Completed),
            ani,
            dnis,
            created_at: Some(at),
            ..CallPatch::new(CallId(uuid::Uuid::now_v7()), tenant, at)
        })
    };
    daemon.store.write(Actor::default(), call).await.unwrap();
}

#[tokio::test]
async fn the_example_is_a_callback_in_one_write() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let text = example();

    let planned = send(&tenant, "/switchback/v1/apply?plan=true", &text).await;
    let rev = planned.header("switchback-rev").to_owned();
    let planned = planned.is(200);
    assert_eq!(planned["planned"], true);
    assert_eq!(planned["revision"], Value::Null);
    let expected =
        ["create agent Call desk", "create agent Reminders", "create number +14155550100"];
    assert_eq!(told(&planned), expected);
    assert_eq!(export(&tenant).await["agents"], json!([]), "a plan keeps nothing");

    let applied = send(&tenant, "/switchback/v1/apply", &text).await;
    let after = applied.header("switchback-rev").to_owned();
    let applied = applied.is(200);
    assert_eq!(told(&applied), expected);
    assert!(applied["revision"].is_string() && applied["planned"] == false);
    let seq = |rev: &str| rev.split('.').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(seq(&after), seq(&rev) + 1, "one write is one entry");

    let again = send(&tenant, "/switchback/v1/apply", &text).await;
    assert_eq!(again.header("switchback-rev"), after, "no change, no entry");
    let again = again.is(200);
    assert_eq!((&again["changes"], &again["revision"]), (&json!([]), &Value::Null));

    let reminders = id_of(&tenant, "Reminders").await;
    tenant.touch("dial-1", &reminders, "+14155550137", N).await;
    let landed = tenant.lands("+14155550137", N).await;
    assert_eq!(landed, ("callback".to_owned(), "Call desk".to_owned()));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let text = "\
agents:
  - name: Desk
    direction: inward
    target: ['say:hi']
    targets: ['agent:Nobody', 'wss:/x']
    numbers: [+14155550100, '4155550100']
    voice: 7
  - direction: inbound
settings: {window_day: 3, window_days: -1}
";
    let got = send(&tenant, "/switchback/v1/apply", text).await.is(422);
    let fields = got["fields"].as_object().unwrap();
    for (path, place, word) in [
        ("agents[0].direction", "Line 3, column 16:", "inbound"),
        ("agents[0].target", "Line 4, column 5:", "did you mean `targets`?"),
        ("agents[0].targets[1]", "Line 5, column 31:", "target"),
        ("agents[0].numbers[1]", "Line 6, column 29:", "E.164"),
        ("agents[0].voice", "Line 7, column 12:", "must be"),
        ("settings.window_day", "Line 9,", "did you mean `window_days`?"),
        ("settings.window_days", "Line 9,", "integer"),
    ] {
        let message = fields.get(path).and_then(Value::as_str).unwrap_or_default();
        assert!(message.starts_with(place), "{path}: {message:?} of {fields:#?}");
        assert!(message.to_lowercase().contains(&word.to_lowercase()), "{path}: {message}");
    }
    assert_eq!(fields.len(), 7, "{fields:#?}");

    // What only the rules can tell: all of it, too.
    let text = "\
agents:
  - name: Desk
    direction: inbound
    sources: [Nobody, Other]
  - name: Other
    direction: inbound
    targets: ['agent:Desk', 'agent:Ghost']
  - name: New
  - id: 01890000-0000-7000-8000-000000000000
    label: x
settings: {fallback_agent: Ghost}
";
    let got = send(&tenant, "/switchback/v1/apply", text).await.is(422);
    let fields = got["fields"].as_object().unwrap();
    for (path, place) in [
        ("agents[0].sources[0]", "Line 4, column 15:"),
        ("agents[1].targets[1]", "Line 7, column 29:"),
        ("agents[2].direction", "Line 8,"),
        ("agents[3].id", "Line 9,"),
        ("settings.fallback_agent", "Line 11,"),
    ] {
        let message = fields.get(path).and_then(Value::as_str).unwrap_or_default();
        assert!(message.starts_with(place), "{path}: {message:?} of {fields:#?}");
    }
    assert_eq!(fields.len(), 5, "{fields:#?}");
    assert_eq!(export(&tenant).await["agents"], json!([]), "nothing was kept");

    for text in ["agents: [", "- a\n- b", "agents: {a: 1}", "a: 1\na: 2", "\u{0}", "&a [*a]"] {
        let got = send(&tenant, "/switchback/v1/apply", text).await;
        assert!([400, 422].contains(&got.status.as_u16()), "{text:?}: {}", got.body);
    }
    let got = tenant.post("/switchback/v1/apply", json!({ "agents": [{ "nam": "x" }] })).await;
    let got = got.is(422);
    assert_eq!(got["fields"]["agents[0].nam"], "Is not known here; did you mean `name`?");
    assert_eq!(apply(&tenant, "").await["changes"], json!([]), "nothing is said");
}

#[tokio::test]
async fn a_field_that_is_not_named_stays_and_prune_takes_what_is_not_named() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    apply(&tenant, &example()).await;
    let answer = apply(&tenant, "agents: [{name: Call desk, label: Desk, persona: kind}]").await;
    let fields = &answer["changes"][0]["fields"];
    let field = |name: &str, after: Value| json!({ "field": name, "before": null, "after": after });
    assert_eq!(fields, &json!([field("label", json!("Desk")), field("persona", json!("kind"))]));
    assert_eq!(told(&answer), ["update agent Call desk"]);
    let answer = apply(&tenant, "agents: [{name: Call desk, label: null, sources: []}]").await;
    let gone: Vec<_> = answer["changes"][0]["fields"].as_array().unwrap().clone();
    let gone: Vec<_> = gone.iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert_eq!(gone, ["label", "sources"]);

    let text = "{agents: [{name: Reminders, numbers: []}], numbers: []}";
    let planned = send(&tenant, "/switchback/v1/apply?plan=1&prune=1", text).await.is(200);
    let expected =
        ["delete number +14155550100", "update agent Call desk", "update agent Reminders"];
    assert_eq!(told(&planned), expected);
    let pruned = send(&tenant, "/switchback/v1/apply?prune=true", text).await.is(200);
    assert_eq!(told(&pruned), expected);
    let left = export(&tenant).await;
    let names: Vec<_> =
        left["agents"].as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
    assert_eq!((names, &left["numbers"]), (vec![json!("Reminders")], &json!([])));
}

#[tokio::test]
async fn an_expected_revision_that_has_been_passed_is_refused() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    apply(&tenant, &example()).await;
    let tag = tenant.get("/switchback/v1/export?format=json").await.header("etag").to_owned();
    let against = |tag: String, text: &'static str| {
        let tenant = tenant.clone();
        async move { tenant.document("/switchback/v1/apply", text, &[("if-match", &tag)]).await }
    };
    against(tag.clone(), "agents: [{name: Call desk, label: a}]").await.is(200);
    let got = against(tag, "agents: [{name: Call desk, label: b}]").await.is(412);
    assert_eq!(got["code"], "precondition_failed");
    against("*".to_owned(), "agents: [{name: Call desk, label: b}]").await.is(200);
}

#[tokio::test]
async fn a_rollback_is_a_write_that_puts_everything_back() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let first = apply(&tenant, &example()).await["revision"].as_str().unwrap().to_owned();
    let before = export(&tenant).await;
    let (desk, reminders) = (id_of(&tenant, "Call desk").await, id_of(&tenant, "Reminders").await);
    tenant.touch("dial-1", &reminders, "+14155550137", N).await;

    // By every surface: a patch, a deletion, a new agent that claims the number, settings.
    tenant.patch(&format!("/v1/agents/{desk}"), json!({ "persona": "harsh" })).await.is(200);
    tenant.post(&format!("/api/v1/agents/{reminders}/unpublish"), json!({})).await.is(200);
    tenant.delete(&format!("/api/v1/agents/{reminders}")).await.is(200);
    let number = tenant.get("/v1/numbers").await.is(200)["data"][0]["id"].clone();
    tenant.agent("Front", "inbound", &[number.as_str().unwrap()]).await;
    tenant.patch("/switchback/v1/settings", json!({ "window_days": 3 })).await.is(200);
    assert_eq!(tenant.lands("+14155550137", N).await.1, "Front");

    let listed = tenant.get("/switchback/v1/revisions").await.is(200);
    let listed = listed["data"].as_array().unwrap();
    let summaries: Vec<_> = listed.iter().map(|one| one["summary"].as_str().unwrap()).collect();
    assert_eq!(summaries.first(), Some(&"updated settings"), "{summaries:?}");
    assert_eq!(summaries.last(), Some(&"apply"), "{summaries:?}");
    assert!(listed.iter().all(|one| one["key_id"].is_string()));
    let deleted = listed.iter().find(|one| one["deleted"] == 1).unwrap();
    let shown =
        tenant.get(&format!("/switchback/v1/revisions/{}", deleted["id"].as_str().unwrap()));
    let shown = shown.await.is(200);
    assert!(told(&shown).contains(&"delete agent Reminders".to_owned()), "{shown}");

    let path = format!("/switchback/v1/revisions/{first}/rollback");
    let planned = tenant.post(&format!("{path}?plan=true"), json!({})).await.is(200);
    assert_eq!(tenant.lands("+14155550137", N).await.1, "Front");
    let done = tenant.post(&path, json!({})).await.is(200);
    assert_eq!(told(&planned), told(&done));
    assert_eq!(export(&tenant).await, before);
    assert_eq!(id_of(&tenant, "Reminders").await, reminders, "it is back under its id");
    // What was remembered of its calls counts again.
    let landed = tenant.lands("+14155550137", N).await;
    assert_eq!(landed, ("callback".to_owned(), "Call desk".to_owned()));
    let nothing = tenant.post(&path, json!({})).await.is(200);
    assert_eq!(told(&nothing).len(), 0, "it is there");

    // The rollback can be taken back as well, and so can the very first write.
    let undo = done["revision"].as_str().unwrap();
    let undo = format!("/switchback/v1/revisions/{undo}/rollback?before=true");
    tenant.post(&undo, json!({})).await.is(200);
    assert_eq!(tenant.lands("+14155550137", N).await.1, "Front");
    tenant.post(&format!("{path}?before=true"), json!({})).await.is(200);
    let empty = export(&tenant).await;
    assert_eq!((&empty["agents"], &empty["numbers"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_number_that_came_by_a_trunk_is_taken_back_as_well() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let first = apply(&tenant, &example()).await["revision"].as_str().unwrap().to_owned();
    let trunk = json!({
        "name": "Office", "provider_name": "Ours", "domain": "sip.example.com",
        "username": "desk", "password": "secret"
    });
    let trunk = tenant.post("/api/v1/sip-trunks", trunk).await.is(201);
    let trunk = trunk["data"]["id"].as_str().unwrap();
    let dids = format!("/api/v1/sip-trunks/{trunk}/dids");
    let did = json!({ "country_code": "US", "number": "+14155550177", "account": "first" });
    tenant.post(&dids, did).await.is(201);
    let path = format!("/switchback/v1/revisions/{first}/rollback");
    let done = tenant.post(&path, json!({})).await.is(200);
    assert_eq!(told(&done), ["delete number +14155550177"]);
    assert_eq!(tenant.get(&dids).await.is(200)["data"], json!([]));
}

#[tokio::test]
async fn nothing_crosses_to_another_tenant() {
    let daemon = Daemon::start().await;
    let (acme, other) = (daemon.tenant("acme").await, daemon.tenant("other").await);
    let revision = apply(&acme, &example()).await["revision"].as_str().unwrap().to_owned();
    let desk = id_of(&acme, "Call desk").await;
    other.get(&format!("/switchback/v1/revisions/{revision}")).await.is(404);
    let path = format!("/switchback/v1/revisions/{revision}/rollback");
    other.post(&path, json!({})).await.is(404);
    assert_eq!(other.get("/switchback/v1/revisions").await.is(200)["data"], json!([]));
    let got = send(&other, "/switchback/v1/apply", &format!("agents: [{{id: {desk}}}]")).await;
    assert_eq!(got.is(422)["fields"]["agents[0].id"], "Line 1, column 15: Agent not found.");
    let got = send(&other, "/switchback/v1/apply", &example()).await.is(422);
    assert!(got["fields"]["numbers[0]"].as_str().unwrap().contains("taken"), "{got}");
}

#[tokio::test]
async fn what_nobody_named_is_neither_written_out_nor_pruned() {
    let daemon = Daemon::start_with_default_target().await;
    let tenant = daemon.tenant("acme").await;
    let number = tenant.number(N).await;
    let inbound = json!({ "enabled": true, "prompt": "Take a message.", "targets": ["say:Hello"] });
    tenant.put(&format!("/v1/numbers/{number}/inbound"), inbound).await.is(200);
    let make = |tx: &mut switchback::store::Tx<'_>| {
        let tenant = tx.tenant_by_name("acme")?.unwrap().tenant.id;
        tx.caller_without_name(tenant)
    };
    let caller = daemon.store.write(Actor::default(), make).await.unwrap().value;
    let answered = tenant.lands("+14155550137", N).await;
    assert_eq!(answered.0, "default");

    let whole = export(&tenant).await;
    assert_eq!((&whole["agents"], whole["numbers"].as_array().unwrap().len()), (&json!([]), 1));
    let pruned = "/switchback/v1/apply?prune=true";
    for text in [whole.to_string().as_str(), "{agents: [], numbers: []}"] {
        assert_eq!(send(&tenant, pruned, text).await.is(200)["changes"], json!([]));
    }
    assert_eq!(tenant.lands("+14155550137", N).await, answered);

    // Its name is anybody's, its id nobody's.
    let text = "agents: [{name: Calls without an agent, direction: outbound}]";
    assert_eq!(told(&apply(&tenant, text).await), ["create agent Calls without an agent"]);
    let text = format!("agents: [{{id: {caller}, label: mine}}]");
    let got = send(&tenant, "/switchback/v1/apply", &text).await.is(422);
    assert_eq!(got["fields"]["agents[0].id"], "Line 1, column 15: Agent not found.");

    // Beside an agent that somebody named it is still the number's own word.
    let text = format!(
        "agents: [{{name: Desk, direction: inbound, numbers: [{{e164: '{N}', account: first}}]}}]"
    );
    apply(&tenant, &text).await;
    let whole = export(&tenant).await.to_string();
    assert!(!whole.contains(&answered.1) || answered.1.is_empty(), "{whole}");
    assert_eq!(send(&tenant, pruned, &whole).await.is(200)["changes"], json!([]));
}

#[tokio::test]
async fn recorded_calls_are_decided_again_as_a_document_would_have_it() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    apply(&tenant, &example()).await;
    let reminders = id_of(&tenant, "Reminders").await;
    tenant.touch("dial-1", &reminders, "+14155550137", N).await;
    for n in 0..5 {
        let caller = if n % 2 == 0 { "+14155550137" } else { "+14155550138" };
        called(&daemon, caller, n).await;
    }
    let change = "agents: [{name: Call desk, sources: [], targets: ['say:No.']}]";
    let replay = |query: &'static str, text: &'static str| {
        let tenant = tenant.clone();
        async move { send(&tenant, &format!("/switchback/v1/replay{query}"), text).await }
    };
    let answer = replay("?since=1h", change).await.is(200);
    assert_eq!((&answer["calls"], &answer["has_more"]), (&json!(5), &json!(false)));
    let changed = answer["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 5, "the ladder is another one: {answer:#}");
    let returned: Vec<_> = changed.iter().filter(|one| one["from"] == "+14155550137").collect();
    assert_eq!(returned.len(), 3);
    for one in returned {
        assert_eq!(one["before"]["reason"], "callback");
        assert_eq!(one["before"]["agent"]["name"], "Call desk");
        assert_eq!(one["after"]["reason"], "default");
        assert_eq!(one["after"]["target"], "say:No.");
    }
    assert!(!answer["approximate"].as_array().unwrap().is_empty());
    assert_eq!(replay("", "agents: []").await.is(200)["changed"], json!([]));
    assert_eq!(
        replay("?prune=true", "agents: []").await.is(200)["changed"][0]["after"]["outcome"],
        "reject"
    );

    let first = replay("?limit=3", change).await.is(200);
    assert_eq!((&first["calls"], &first["has_more"]), (&json!(3), &json!(true)));
    let next = first["next"].as_str().unwrap();
    let rest = send(&tenant, &format!("/switchback/v1/replay?starting_after={next}"), change).await;
    let rest = rest.is(200);
    assert_eq!((&rest["calls"], &rest["next"]), (&json!(2), &Value::Null));
    assert_eq!(export(&tenant).await["agents"].as_array().unwrap().len(), 2, "nothing was kept");
    replay("?since=yesterday", change).await.is(422);
}

//! Carrier accounts: whose they are, what is shown of them, how their secrets change.

use serde_json::{Value, json};
use switchback::domain::{Account, AccountId, AccountOrigin, Secret};

use crate::daemon::{Caller, Daemon};

const PATH: &str = "/switchback/v1/carrier-accounts";
const SID: &str = "AC00000000000000000000000000000001";

fn body(name: &str) -> Value {
    json!({ "name": name, "kind": "twilio", "account_id": SID, "secrets": ["n3w", "0ld"] })
}

async fn names(caller: &Caller) -> Vec<String> {
    let list = caller.get(PATH).await.is(200);
    assert_eq!(list["has_more"], false);
    let data = list["data"].as_array().unwrap();
    data.iter().map(|account| account["name"].as_str().unwrap().to_owned()).collect()
}

/// What verifies and signs, which no answer shows.
async fn secrets(daemon: &Daemon, name: &str) -> Vec<String> {
    let accounts = daemon.store.read(|rows| rows.accounts()).await.unwrap();
    let account = accounts.into_iter().find(|account| account.name == name).unwrap();
    account.secrets.iter().map(|secret| Secret::reveal(secret).to_owned()).collect()
}

#[tokio::test]
async fn an_account_is_its_owners_alone() {
    let daemon = Daemon::start().await;
    let (one, two) = (daemon.tenant("one").await, daemon.tenant("two").await);
    let made = one.post(PATH, body("mine")).await;
    assert!(!made.header("switchback-rev").is_empty());
    let made = made.is(201);
    assert_eq!((&made["origin"], &made["secrets"]), (&json!("api"), &json!(2)));
    assert!(made["tenant_id"].is_string());
    let id = made["id"].as_str().unwrap();
    // By name, since the name is the URL, or by id; and by whoever runs the installation.
    for path in [format!("{PATH}/mine"), format!("{PATH}/{id}")] {
        assert_eq!(one.get(&path).await.is(200), made);
        assert_eq!(daemon.operator.get(&path).await.is(200), made);
        for refused in [
            two.get(&path).await,
            two.patch(&path, json!({ "secrets": ["stolen"] })).await,
            two.delete(&path).await,
        ] {
            assert_eq!(refused.is(404)["code"], "account_not_found");
        }
    }
    assert_eq!((names(&one).await, names(&two).await), (vec!["mine".to_owned()], vec![]));
    assert_eq!(names(&daemon.operator).await, ["first", "mine", "second"]);
    assert_eq!(two.post(PATH, body("mine")).await.is(409)["code"], "name_taken");
    let number = json!({ "e164": "+14155550137", "account": "mine" });
    two.post("/switchback/v1/numbers", number.clone()).await.is(404);
    one.post("/switchback/v1/numbers", number).await.is(201);

    // An account that is gone leaves its numbers, and its name to nobody else.
    one.delete(&format!("{PATH}/mine")).await.is(200);
    one.get(&format!("{PATH}/mine")).await.is(404);
    assert_eq!(two.post(PATH, body("mine")).await.is(409)["code"], "name_taken");
    assert_eq!(one.post(PATH, body("mine")).await.is(201)["id"], made["id"]);
}

#[tokio::test]
async fn accounts_are_listed_in_parts() {
    let daemon = Daemon::start().await;
    let one = daemon.tenant("one").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let made = one.post(PATH, body(name)).await.is(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    for (query, expected, has_more) in [
        (String::new(), vec!["a", "b", "c"], false),
        ("limit=2".to_owned(), vec!["a", "b"], true),
        (format!("limit=2&starting_after={}", ids[1]), vec!["c"], false),
        (format!("limit=1&ending_before={}", ids[2]), vec!["b"], true),
    ] {
        let page = one.get(&format!("{PATH}?{query}")).await.is(200);
        let found: Vec<_> = page["data"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(page["has_more"], has_more, "{query}");
    }
    one.get(&format!("{PATH}?limit=0")).await.is(422);
}

#[tokio::test]
async fn a_shared_account_is_the_operators_and_every_tenants_to_use() {
    let daemon = Daemon::start().await;
    let (one, two) = (daemon.tenant("one").await, daemon.tenant("two").await);
    let made = daemon.operator.post(PATH, body("pool")).await.is(201);
    assert_eq!(made["tenant_id"], Value::Null);
    for (caller, e164) in [(&one, "+14155550137"), (&two, "+14155550138")] {
        assert!(names(caller).await.is_empty());
        let path = format!("{PATH}/pool");
        caller.get(&path).await.is(404);
        caller.patch(&path, json!({ "calls_per_second": 9 })).await.is(404);
        caller.delete(&path).await.is(404);
        let number = json!({ "e164": e164, "account": "pool" });
        caller.post("/switchback/v1/numbers", number).await.is(201);
    }
    // Each number is one tenant's, and says whose calls it takes.
    let taken = json!({ "e164": "+14155550137", "account": "pool" });
    let taken = two.post("/switchback/v1/numbers", taken).await.is(409);
    assert_eq!(taken["code"], "number_taken");
    for (caller, theirs, others) in
        [(&one, "+14155550137", "+14155550138"), (&two, "+14155550138", "+14155550137")]
    {
        assert_eq!(caller.lands("+14155550199", theirs).await.0, "no_inbound_agent");
        assert_eq!(caller.lands("+14155550199", others).await.0, "unknown_number");
    }
    let changed = daemon.operator.patch(&format!("{PATH}/pool"), json!({ "calls_per_second": 9 }));
    assert_eq!(changed.await.is(200)["calls_per_second"], 9);
    let one_only = json!({ "tenant_id": "018f4a9e-0000-7000-8000-00000000dead" });
    let mut nobodys = body("other");
    nobodys["tenant_id"] = one_only["tenant_id"].clone();
    daemon.operator.post(PATH, nobodys).await.is(404);
}

#[tokio::test]
async fn secrets_rotate_and_are_never_told() {
    let daemon = Daemon::start().await;
    let one = daemon.tenant("one").await;
    let mut answers = vec![one.post(PATH, body("mine")).await.is(201)];
    assert_eq!(secrets(&daemon, "mine").await, ["n3w", "0ld"]);
    let path = format!("{PATH}/mine");
    let change = json!({ "secrets": ["n3wer", "n3w"], "api_key_sid": "SK1",
                         "api_key_secret": "k3y", "shared_keys": [{ "id": "s", "secret": "sh" }] });
    let changed = one.patch(&path, change).await.is(200);
    assert_eq!((&changed["secrets"], &changed["api_key_sid"]), (&json!(2), &json!("SK1")));
    assert_eq!(changed["shared_keys"], json!(["s"]));
    answers.push(changed);
    assert_eq!(secrets(&daemon, "mine").await, ["n3wer", "n3w"]);
    answers.push(one.patch(&path, json!({ "secrets": ["n3wer"] })).await.is(200));
    assert_eq!(secrets(&daemon, "mine").await, ["n3wer"]);
    answers.push(one.patch(&path, json!({ "secrets": [] })).await.is(422));
    answers.push(one.get(&path).await.is(200));
    answers.push(one.get(PATH).await.is(200));
    answers.push(one.delete(&path).await.is(200));
    for answer in answers {
        for secret in ["n3w", "0ld", "k3y", "\"sh\""] {
            assert!(!answer.to_string().contains(secret), "{answer}");
        }
    }
    let trail = daemon.store.read(|rows| rows.audit(None, 20)).await.unwrap();
    for action in ["account.create", "account.update", "account.remove"] {
        assert!(trail.iter().any(|entry| entry.action == action), "{action}");
    }
}

#[tokio::test]
async fn what_the_file_says_is_changed_in_the_file() {
    let daemon = Daemon::start().await;
    let one = daemon.tenant("one").await;
    let settings = one.post("/v1/agents", json!({ "name": "x", "type": "inbound" })).await.is(201);
    let tenant = settings["org_id"].as_str().unwrap().parse().unwrap();
    let owned = Account {
        id: AccountId::of_name("filed"),
        name: "filed".to_owned(),
        tenant: Some(tenant),
        origin: AccountOrigin::File,
        ..daemon.store.read(|rows| rows.accounts()).await.unwrap().remove(0)
    };
    let reconcile = daemon
        .store
        .write(switchback::store::Actor::default(), move |tx| tx.reconcile_accounts(vec![owned]));
    reconcile.await.unwrap();
    let path = format!("{PATH}/filed");
    assert_eq!(one.get(&path).await.is(200)["origin"], "file");
    for caller in [&one, &daemon.operator] {
        for refused in [
            caller.patch(&path, json!({ "calls_per_second": 9 })).await,
            caller.delete(&path).await,
        ] {
            let refused = refused.is(409);
            assert_eq!(refused["code"], "account_from_file");
            assert!(refused["error"].as_str().unwrap().contains("configuration file"), "{refused}");
        }
    }
    assert_eq!(daemon.operator.post(PATH, body("filed")).await.is(409)["code"], "name_taken");
}

//! Where return calls would miss.

use serde_json::{Value, json};

use crate::daemon::{Caller, Daemon};

const N: &str = "+14155550137";
const M: &str = "+14155550138";
const ELSEWHERE: &str = "+12125550142";

async fn uncovered(tenant: &Caller, query: &str) -> Vec<(Value, Vec<String>)> {
    let listed = tenant.get(&format!("/switchback/v1/coverage?{query}")).await.is(200);
    let names = |row: &Value| {
        let agents = row["source_agents"].as_array().unwrap().iter();
        agents.map(|agent| agent["name"].as_str().unwrap().to_owned()).collect()
    };
    let rows = listed["data"].as_array().unwrap().iter();
    rows.map(|row| (row["caller_id"].clone(), names(row))).collect()
}

#[tokio::test]
async fn caller_ids_that_no_callback_agent_owns_are_listed() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("acme").await;
    let (n, m) = (tenant.number(N).await, tenant.number(M).await);
    let a = tenant.agent("A", "outbound", &[&n, &m]).await;
    tenant.agent("no source", "outbound", &[&m]).await;
    let r = tenant.agent("R", "inbound", &[&n]).await;
    assert!(uncovered(&tenant, "").await.is_empty(), "nobody is a source yet");
    let role = json!({ "source_agent_ids": [a] });
    tenant.put(&format!("/switchback/v1/agents/{r}/callback"), role).await.is(200);
    tenant.touch("dial-1", &a, "+14155550199", ELSEWHERE).await;

    let both = [(json!(ELSEWHERE), vec!["A".to_owned()]), (json!(M), vec!["A".to_owned()])];
    assert_eq!(uncovered(&tenant, "").await, both);
    assert_eq!(uncovered(&tenant, "limit=1").await, both[..1]);
    let after = format!("starting_after=%2B{}", &ELSEWHERE[1..]);
    assert_eq!(uncovered(&tenant, &after).await, both[1..]);
    let first = tenant.get("/switchback/v1/coverage?limit=1").await.is(200);
    assert_eq!(first["has_more"], true);
    let row = &first["data"][0];
    assert!(row["number_id"].is_null() && row["source_agents"][0]["last_shown_at"].is_string());

    tenant.post(&format!("/v1/agents/{r}/numbers"), json!({ "number_id": m })).await.is(200);
    assert_eq!(uncovered(&tenant, "").await, both[..1], "it is owned now");
    let other = daemon.tenant("other").await;
    assert!(uncovered(&other, "").await.is_empty());
    tenant.get("/switchback/v1/coverage?limit=0").await.is(422);
}

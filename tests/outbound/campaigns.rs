//! Calls of campaigns: placed like any other, remembered like any other, nobody called twice at
//! once.

use reqwest::Method;
use serde_json::json;

use crate::daemon::{Daemon, PERSON, SALES_LINE, text};

#[tokio::test]
async fn a_campaigns_call_leaves_a_touch_and_is_not_doubled() {
    let daemon = Daemon::start().await;
    let team = daemon.team().await;
    let body = json!({
        "name": "Renewals", "campaign_type": "sales", "agent_id": team.caller,
        "start_date": "2026-05-02", "days_of_week": [1], "timezone": "UTC",
        "earliest_call_time": "09:00", "latest_call_time": "17:00"
    });
    let (_, made) = daemon.api(Method::POST, "/api/v1/campaigns", Some(body)).await;
    let path = format!("/api/v1/campaigns/{}", text(&made["data"]["id"]));
    let active = json!({ "status": "active" });
    daemon.api(Method::PATCH, &format!("{path}/status"), Some(active)).await;
    let ask = json!({ "to": PERSON, "payload": { "name": "Ann" } });
    let call = format!("{path}/call");
    let (status, placed) = daemon.api(Method::POST, &call, Some(ask.clone())).await;
    assert_eq!(status, 201, "{placed}");
    assert!(placed.get("success").is_none(), "it has no envelope");
    let id = text(&placed["campaign_call"]["id"]);
    assert_eq!(placed["campaign_call"]["status"], "queued");
    assert_eq!(
        (&placed["campaign"]["name"], &placed["campaign"]["status"]),
        (&json!("Renewals"), &json!("active"))
    );
    assert_eq!(daemon.carrier.last().one("To"), PERSON);
    let (status, twice) = daemon.api(Method::POST, &call, Some(ask.clone())).await;
    assert_eq!((status, &twice["code"]), (409, &json!("DUPLICATE_CALL")), "{twice}");
    assert_eq!(twice["existing_call"]["id"], id.as_str());
    let (status, _) = daemon.api(Method::DELETE, &path, None).await;
    assert_eq!(status, 403);
    let again = json!({ "to": PERSON, "allow_duplicates": true });
    let (status, _) = daemon.api(Method::POST, &call, Some(again)).await;
    assert_eq!(status, 201);
    let first = daemon.carrier.last();
    assert_eq!(daemon.reason(PERSON, SALES_LINE).await, "callback");
    assert_eq!(daemon.carrier.tell(&first, "no-answer", &[]).await, 204);
    let paused = json!({ "status": "paused" });
    daemon.api(Method::PATCH, &format!("{path}/status"), Some(paused)).await;
    let (status, busy) = daemon.api(Method::DELETE, &path, None).await;
    assert_eq!((status, &busy["code"]), (409, &json!("CAMPAIGN_HAS_ACTIVE_CALLS")));
    let (_, whole) = daemon.api(Method::GET, &path, None).await;
    assert_eq!(whole["data"]["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(whole["data"]["stats"]["total_calls"], 2);
}

//! Numbers through CallingBox's API: on sale at the carrier, bought, answered by what they say
//! themselves.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchback::simulator::{Delivery, Exchange, Ringing};

use crate::{
    customer::{NUMBER, PERSON},
    daemon::{Daemon, exchange_to},
};

const AVAILABLE: &str = "/v1/numbers/available?area_code=628&limit=3";

async fn scene() -> (Daemon, Exchange) {
    let edge = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = edge.to_string();
    let mut exchange = exchange_to(&edge, Delivery::InOrder);
    let api_url = exchange.open().await.unwrap();
    (Daemon::start_with(&edge, &format!("api_url = \"{api_url}\"")), exchange)
}

impl Daemon {
    async fn status(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let client = reqwest::Client::new();
        let url = format!("http://{}{path}", self.control);
        let request = client.request(method, url).bearer_auth(crate::daemon::KEY).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_number_is_found_bought_once_and_rings_here() {
    let (daemon, exchange) = scene().await;
    let offers = daemon.ask(Method::GET, AVAILABLE, Value::Null).await;
    let first = offers[0]["phone_number"].as_str().unwrap().to_owned();
    assert_eq!(offers.as_array().unwrap().len(), 3);
    assert!(first.starts_with("+1628") && offers[0]["number_type"] == "local", "{offers}");

    let buy = json!({ "phone_number": first });
    let (status, bought) = daemon.status(Method::POST, "/v1/numbers/purchase", buy.clone()).await;
    assert_eq!((status, &bought["e164"]), (201, &json!(first)));
    let (status, again) = daemon.status(Method::POST, "/v1/numbers/purchase", buy.clone()).await;
    assert_eq!((status, &again["id"]), (200, &bought["id"]));
    // Forgotten here, but still the account's own at the carrier: it is not paid for again.
    let path = format!("/v1/numbers/{}", bought["id"].as_str().unwrap());
    assert_eq!(daemon.status(Method::DELETE, &path, Value::Null).await.0, 200);
    let (status, back) = daemon.status(Method::POST, "/v1/numbers/purchase", buy).await;
    assert_eq!((status, &back["e164"]), (201, &json!(first)));

    let offers = daemon.ask(Method::GET, AVAILABLE, Value::Null).await;
    assert_ne!(offers[0]["phone_number"], first, "it is sold");
    let gone = json!({ "phone_number": "+16285559999" });
    let (status, answer) = daemon.status(Method::POST, "/v1/numbers/purchase", gone).await;
    assert_eq!((status, &answer["code"]), (400, &json!("number_not_available")));

    // Its calls come here: nobody answers yet, which is a decision and no error.
    let ringing = Ringing { from: PERSON.to_owned(), to: first, ..Ringing::default() };
    let leg = exchange.ring(ringing).unwrap();
    let mut calls = Value::Null;
    for _ in 0..250 {
        calls = daemon.ask(Method::GET, "/switchback/v1/calls", Value::Null).await;
        if leg.state().status.is_final() && calls["data"][0].is_object() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(calls["data"][0]["error_code"], "no_inbound_agent", "{calls}");
}

#[tokio::test]
async fn a_number_says_itself_how_it_is_answered() {
    let (daemon, _exchange) = scene().await;
    let number = daemon.make("/v1/numbers", json!({ "e164": NUMBER })).await;
    let path = format!("/v1/numbers/{number}/inbound");
    let config = json!({
        "enabled": true, "prompt": "Take a message.", "returns": { "name": "string" },
        "webhook_url": null, "language": "en-US", "tools": null, "voicemail_action": null,
        "targets": ["builtin:echo"]
    });
    let (status, shown) = daemon.status(Method::PUT, &path, config.clone()).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(
        (&shown["inbound_enabled"], &shown["inbound_prompt"]),
        (&json!(true), &config["prompt"])
    );
    assert_eq!(
        (&shown["inbound_returns"], &shown["inbound_tools"]),
        (&config["returns"], &Value::Null)
    );
    assert_eq!(shown["inbound_voicemail_action"], "hangup");
    assert!(shown["inbound_agent_id"].is_null(), "nobody named one");
    assert_eq!(daemon.decides("+14155550117").await.0, "default");
    for list in ["/v1/agents", "/api/v1/agents"] {
        let agents = daemon.ask(Method::GET, list, Value::Null).await;
        assert_eq!(agents["data"], json!([]), "{list}");
    }
    // A full replace: what is left out is cleared, and a disabled number rejects.
    let off = json!({ "enabled": false });
    let shown = daemon.ask(Method::PUT, &path, off).await;
    assert_eq!(
        (&shown["inbound_enabled"], &shown["inbound_prompt"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(daemon.decides("+14155550117").await.0, "no_inbound_agent");

    let desk = json!({ "name": "Desk", "type": "inbound", "number_ids": [number] });
    let desk = daemon.make("/v1/agents", desk).await;
    let (status, refused) = daemon.status(Method::PUT, &path, config.clone()).await;
    assert_eq!((status, &refused["code"]), (409, &json!("number_claimed")), "{refused}");
    let detach = format!("/v1/agents/{desk}/numbers/{number}");
    daemon.ask(Method::DELETE, &detach, Value::Null).await;
    assert_eq!(daemon.status(Method::PUT, &path, config).await.0, 200);
    let own = format!("/switchback/v1/numbers/{number}");
    assert_eq!(
        daemon.status(Method::DELETE, &own, Value::Null).await.0,
        204,
        "nobody named is on it"
    );
    let (status, _) = daemon.status(Method::PUT, &path, json!({ "enabled": false })).await;
    assert_eq!(status, 404);
}

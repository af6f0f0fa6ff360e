//! The document and its page: for anybody, from this process alone.

use std::num::NonZeroU32;

use reqwest::Method;
use serde_json::json;
use switchback::control;

use crate::daemon::{Caller, Daemon, Got};

#[tokio::test]
async fn the_document_needs_no_key() {
    let daemon = Daemon::start().await;
    let got = daemon.operator.send(reqwest::Method::GET, "/openapi.json", None, None).await;
    assert_eq!(got.header("content-type"), "application/json");
    let document = got.is(200);
    assert_eq!(document["info"]["title"], "Switchback");
    for (path, method) in [
        ("/api/v1/agents/{agent}/callback", "post"),
        ("/v1/agents/{agent}", "patch"),
        ("/switchback/v1/route", "get"),
    ] {
        assert!(document["paths"][path][method]["responses"]["401"].is_object(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_page_asks_nobody_else() {
    let daemon = Daemon::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (file, kind) in [
        ("", "text/html"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-initializer.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
    ] {
        let got = http.get(daemon.operator.url(&format!("/docs/{file}"))).send().await.unwrap();
        assert_eq!(got.status(), 200, "{file}");
        let header = |name| got.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{file}: {}", header("content-type"));
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{file}");
        if file == "swagger-initializer.js" {
            // It shows our document, and no other that comes with the page.
            let text = got.text().await.unwrap();
            assert!(text.contains("\"/openapi.json\"") && !text.contains("petstore"), "{text}");
        }
    }
}

/// The bodies that the page offers to a newcomer are taken as they are.
#[tokio::test]
async fn what_the_page_shows_as_a_body_can_be_sent() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("newcomer").await;
    let document = tenant.document_of_all().await;
    let mut sent = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let schema = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        let Some(name) = schema["$ref"].as_str() else { continue };
        let example = &document.pointer(&name[1..]).unwrap()["example"];
        if path.contains('{') || example.is_null() {
            continue;
        }
        let is_operators = path.ends_with("/tenants");
        let caller = if is_operators { &daemon.operator } else { &tenant };
        let mut body = example.clone();
        if path.ends_with("/numbers") {
            // The one who tries it has one account; here there are two.
            body["account"] = json!("first");
        }
        let got = caller.post(path, body).await;
        assert!(got.status.is_success(), "{path}: {} {}", got.status, got.body);
        sent.push(path);
    }
    assert!(sent.len() >= 6, "{sent:?}");
}

/// Whoever holds a tenant's key and its operator's between them can ask for every list; that what
/// comes is as told is looked at wherever something is asked.
#[tokio::test]
async fn whatever_can_be_read_without_a_name_is_as_told() {
    let daemon = Daemon::start().await;
    let tenant = daemon.tenant("read").await;
    let number = tenant.number("+14155550190").await;
    let source = tenant.agent("source", "outbound", &[&number]).await;
    let answerer = tenant.agent("answerer", "inbound", &[&number]).await;
    let role = json!({ "source_agent_ids": [source] });
    tenant.put(&format!("/switchback/v1/agents/{answerer}/callback"), role).await.is(200);
    tenant.touch("one", &source, "+14155550137", "+14155550190").await;
    let document = tenant.document_of_all().await;
    let mut read = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // A stream does not end; an explanation needs to know of which call.
        let is_asked =
            !path.contains('{') && !path.ends_with("/events") && !path.ends_with("/route");
        if !is_asked || item["get"].is_null() {
            continue;
        }
        for caller in [&tenant, &daemon.operator] {
            let got = caller.get(path).await;
            read += usize::from(got.status == 200);
        }
    }
    assert!(read > 30, "{read}");
}

#[tokio::test]
async fn what_travels_in_headers_is_there_as_told() {
    let requests_per_minute = NonZeroU32::new(1000);
    let settings = control::Settings { requests_per_minute, ..control::Settings::default() };
    let daemon = Daemon::start_with(settings).await;
    let tenant = daemon.tenant("headers").await;
    let made = ask(&tenant, Method::POST, "/v1/agents?wait=all", ("idempotency-key", "one")).await;
    let again = ask(&tenant, Method::POST, "/v1/agents?wait=all", ("idempotency-key", "one")).await;
    let wrong = ask(&tenant, Method::GET, "/v1/agents?min_rev=x", ("x-request-id", "mine")).await;
    assert_eq!(
        (made.status, again.status, wrong.status.as_u16()),
        (again.status, made.status, 400)
    );
    assert_eq!(made.header("switchback-visible"), "1/1");
    assert_eq!(
        (made.header("idempotent-replayed"), again.header("idempotent-replayed")),
        ("", "true")
    );
    assert_eq!(wrong.header("x-request-id"), "mine");
    let document = tenant.document_of_all().await;
    for (got, status) in [(&made, "201"), (&again, "201"), (&wrong, "400")] {
        let path = &document["paths"]["/v1/agents"];
        let operation = if status == "400" { &path["get"] } else { &path["post"] };
        let told = &operation["responses"][status];
        let told = match told["$ref"].as_str() {
            Some(reference) => document.pointer(&reference[1..]).unwrap(),
            None => told,
        };
        let told = told["headers"].as_object().unwrap();
        // Whatever is ours in an answer is told.
        for name in got.headers.keys().map(reqwest::header::HeaderName::as_str) {
            let is_ours = name.starts_with("x-") || name.starts_with("switchback-");
            let is_told = told.keys().any(|told| told.eq_ignore_ascii_case(name));
            assert!(is_told || !is_ours, "{status}: {name} is not told");
        }
        assert!(got.header("x-ratelimit-remaining").parse::<u32>().is_ok());
    }
}

/// Asks for an agent, with a header.
async fn ask(caller: &Caller, method: Method, path: &str, header: (&str, &str)) -> Got {
    let body = json!({ "name": "one", "type": "outbound", "number_ids": [], "targets": ["busy"] });
    let body = (method == Method::POST).then_some(body);
    caller.ask_with(method, path, body, header).await
}

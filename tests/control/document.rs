//! The document and its page: for anybody, from this process alone.

use crate::daemon::Daemon;

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
    }
}

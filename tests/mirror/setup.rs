//! One document beside what is mirrored: it says what is ours of it, and never writes what is not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, KINDS, LINE, PERSON, STRANGER},
    mirrored::{Scene, scene},
};

const APPLY: &str = "/switchback/v1/apply";

async fn apply(here: &Daemon, document: Value) -> Value {
    here.post(APPLY, document).await
}

/// What a document that is refused is refused for, by the paths of its parts.
async fn refused(here: &Daemon, document: Value) -> Value {
    let (status, answer) = here.ask(Method::POST, APPLY, Some(document)).await;
    assert_eq!(status, 422, "{answer}");
    answer["fields"].clone()
}

#[tokio::test]
async fn a_document_does_not_write_what_is_mirrored() {
    for kind in KINDS {
        let Scene { here, source, desk, caller, .. } = &scene(kind).await;
        let owner = format!("Belongs to {kind} at {}: change it there.", source.url());
        let agent = |fields: Value| json!({ "agents": [fields] });
        let mut documents = vec![
            agent(json!({ "name": "Front office", "label": "Mine" })),
            agent(json!({ "name": "Front office", "persona": "Mine" })),
            agent(json!({ "name": "Front office", "state": "draft" })),
            agent(json!({ "name": "Front office", "state": "archived" })),
            agent(json!({ "name": "Front office", "numbers": [LINE] })),
            agent(json!({ "id": desk, "name": "Mine" })),
            agent(json!({ "id": caller, "direction": "inbound" })),
        ];
        let number = |fields: Value| json!({ "numbers": [fields] });
        if kind == "talkover" {
            documents.push(agent(json!({ "name": "Return desk", "sources": [] })));
        } else {
            documents.push(number(json!({ "e164": LINE, "friendly_name": "Mine" })));
            documents.push(number(json!({ "e164": LINE, "default_agent": "Return desk" })));
        }
        let before = here.get("/switchback/v1/export?format=json").await;
        for document in documents {
            let fields = refused(here, document.clone()).await;
            let told: Vec<_> = fields.as_object().unwrap().values().collect();
            assert_eq!(told, [&json!(owner)], "{kind} {document}: {fields}");
        }
        assert_eq!(here.get("/switchback/v1/export?format=json").await, before, "nothing is kept");
    }
}

#[tokio::test]
async fn a_document_says_what_is_ours_of_what_is_mirrored() {
    for kind in KINDS {
        let Scene { here, desk, front, .. } = &scene(kind).await;
        let ours = json!({
            "agents": [
                { "name": "Return desk", "targets": ["builtin:tone"], "window_days": 5,
                  "sources": ["Renewals"] },
                { "name": "Front office", "targets": ["agent:Own desk"],
                  "runtime_parameters": { "a": "b" }, "first_audio_timeout_ms": 900 },
                { "name": "Own desk", "direction": "inbound", "targets": ["busy"] },
            ],
            "numbers": [{ "e164": LINE, "passthrough": "say:Moved" }],
        });
        let applied = apply(here, ours.clone()).await;
        assert_eq!(applied["changes"].as_array().unwrap().len(), 4, "{kind} {applied}");
        assert_eq!(here.lands(PERSON, LINE).await, ("callback".to_owned(), desk.clone()));
        assert_eq!(here.lands(STRANGER, LINE).await.0, "passthrough");

        // The export has mirrored rows in it, and applied again writes none of them.
        let export = here.get("/switchback/v1/export?format=json").await;
        let pruned = format!("{APPLY}?prune=true");
        for document in [&ours, &export] {
            assert_eq!(apply(here, document.clone()).await["changes"], json!([]), "{kind}");
        }
        assert_eq!(here.post(&pruned, export).await["changes"], json!([]), "{kind}");

        // What is mirrored is named by its owner: a document need not, and only ours goes.
        let own = json!({ "agents": [{ "name": "Front office", "targets": [] }], "numbers": [] });
        let changes = here.post(&pruned, own).await["changes"].clone();
        let told: Vec<_> = changes.as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(told, ["Front office", "Own desk"], "{kind} {changes}");
        here.pulled().await;
        assert_eq!(here.lands(PERSON, LINE).await, ("callback".to_owned(), desk.clone()));
        assert_eq!(here.get(&format!("/v1/agents/{front}")).await["targets"], json!([]));
        assert_eq!(here.upstream().await["last_error"], json!(null));
    }
}

//! What is made, changed and deleted at the source comes to be so here, and cannot be written here.

use reqwest::Method;
use serde_json::{Value, json};

use crate::daemon::{Daemon, KINDS, LINE, OFTEN, OTHER_LINE, PERSON, STRANGER, until, upstream};

/// A source with an outbound agent who has called a person, the desk that takes return calls and
/// the front office; and its mirror.
pub(crate) struct Scene {
    pub(crate) source: Daemon,
    pub(crate) here: Daemon,
    pub(crate) caller: String,
    pub(crate) desk: String,
    pub(crate) front: String,
    pub(crate) line: String,
    pub(crate) other_line: String,
}

pub(crate) async fn scene(kind: &str) -> Scene {
    let source = Daemon::hosted().await;
    let line = source.number(LINE).await;
    let other_line = source.number(OTHER_LINE).await;
    let caller = source.agent("Renewals", "outbound", &[&line]).await;
    let desk = source.agent("Return desk", "inbound", &[&line]).await;
    let role = json!({ "source_agent_ids": [caller] });
    source.post(&format!("/api/v1/agents/{desk}/callback"), role).await;
    let front = source.agent("Front office", "inbound", &[&line, &other_line]).await;
    source.post("/v1/calls", json!({ "agent_id": caller, "to": PERSON })).await;
    let here = Daemon::mirror(kind, &source.url(), OFTEN).await;
    until("the first pull", async || here.upstream().await["last_success_at"].is_string()).await;
    Scene { source, here, caller, desk, front, line, other_line }
}

impl Scene {
    /// Gives what is ours of the mirrored agents: targets, and the role where the API knows none.
    pub(crate) async fn complete(&self, kind: &str) {
        for agent in [&self.desk, &self.front] {
            let targets = json!({ "targets": ["builtin:tone"] });
            self.here.patch(&format!("/v1/agents/{agent}"), targets).await;
        }
        if kind == "callingbox" {
            let role = json!({ "source_agent_ids": [self.caller] });
            let path = format!("/switchback/v1/agents/{}/callback", self.desk);
            self.here.done(Method::PUT, &path, role).await;
        }
    }

    async fn agrees(&self) {
        for from in [PERSON, STRANGER] {
            for to in [LINE, OTHER_LINE] {
                let there = self.source.lands(from, to).await;
                assert_eq!(self.here.lands(from, to).await, there, "{from} calls {to}");
            }
        }
    }
}

#[tokio::test]
async fn calls_are_routed_as_at_the_source() {
    for kind in KINDS {
        let scene = scene(kind).await;
        let here = &scene.here;
        // Their runtimes are nobody's until somebody here names them.
        assert_eq!(here.lands(STRANGER, LINE).await.0, "no_target", "{kind}");
        assert_eq!(here.upstream().await["agents_without_target"], 2);
        assert_eq!(here.get("/switchback/v1/status").await["agents_without_target"], 2);
        scene.complete(kind).await;
        assert_eq!(here.upstream().await["agents_without_target"], 0);
        assert_eq!(here.lands(PERSON, LINE).await, ("callback".to_owned(), scene.desk.clone()));
        assert_eq!(here.lands(STRANGER, LINE).await, ("default".to_owned(), scene.front.clone()));
        scene.agrees().await;

        let counts = here.upstream().await["counts"].clone();
        assert_eq!((&counts["agents"], &counts["numbers"]), (&json!(3), &json!(2)), "{counts}");
        assert_eq!((&counts["callbacks"], &counts["touches"]), (&json!(1), &json!(1)), "{counts}");
        let touch = &here.touches(PERSON).await[0];
        let there = &scene.source.touches(PERSON).await[0];
        for field in ["id", "source_agent_id", "caller_id", "outcome"] {
            assert_eq!(touch[field], there[field], "{field}");
        }
        let number = &here.get("/v1/numbers").await["data"][0];
        assert_eq!(number["account"], "main");
        // Metrics are a process's: another test's mirror, whose source fails, may have said 0.
        let connected = "switchback_upstream_connected{upstream=\"source\"} 1";
        until(connected, async || here.metrics().await.contains(connected)).await;
    }
}

#[tokio::test]
async fn edits_and_deletions_arrive() {
    for kind in KINDS {
        let scene = scene(kind).await;
        scene.complete(kind).await;
        let Scene { source, here, front, desk, .. } = &scene;
        source.patch(&format!("/v1/agents/{front}"), json!({ "name": "Reception" })).await;
        let third = source.number("+12125550144").await;
        let number = json!({ "number_id": third });
        source.post(&format!("/v1/agents/{desk}/numbers"), number).await;
        here.pulled().await;
        let shown = here.get(&format!("/v1/agents/{front}")).await;
        assert_eq!(shown["name"], "Reception");
        // What is ours stays.
        assert_eq!(shown["targets"], json!(["builtin:tone"]));
        let landed = here.lands(STRANGER, "+12125550144").await;
        assert_eq!(landed, ("default".to_owned(), desk.clone()), "{kind}");
        scene.agrees().await;

        source.done(Method::DELETE, &format!("/v1/agents/{desk}/numbers/{third}"), json!({})).await;
        source.done(Method::DELETE, &format!("/switchback/v1/numbers/{third}"), json!({})).await;
        match kind {
            "talkover" => {
                let path = format!("/api/v1/agents/{front}");
                source.post(&format!("{path}/unpublish"), json!({})).await;
                source.done(Method::DELETE, &path, json!({})).await;
            }
            _ => drop(source.done(Method::DELETE, &format!("/v1/agents/{front}"), json!({})).await),
        }
        here.pulled().await;
        assert_eq!(here.lands(STRANGER, "+12125550144").await.0, "unknown_number");
        let (status, agent) = here.ask(Method::GET, &format!("/v1/agents/{front}"), None).await;
        match kind {
            "talkover" => assert_eq!(status, 404),
            _ => assert!(agent["archived_at"].is_string(), "{agent}"),
        }
        scene.agrees().await;
    }
}

/// Agents and numbers say so, not only the refusal of a write.
async fn say_whose_they_are(here: &Daemon, front: &str) {
    let agent = here.get(&format!("/v1/agents/{front}")).await;
    assert_eq!(agent["managed_by"], "source");
    let theirs = here.get(&format!("/api/v1/agents/{front}")).await;
    assert_eq!(theirs["data"]["managed_by"], "source");
    let numbers = here.get("/v1/numbers").await["data"].clone();
    let mut names = numbers.as_array().unwrap().iter().map(|number| &number["managed_by"]);
    assert!(names.len() > 0 && names.all(|name| name == "source"), "{numbers}");
}

#[tokio::test]
async fn an_erased_person_does_not_come_back_by_a_pull() {
    for kind in KINDS {
        let Scene { source, here, caller, .. } = &scene(kind).await;
        let path = format!("/switchback/v1/contacts/{PERSON}");
        let erased = here.done(Method::DELETE, &path, json!({})).await;
        assert_eq!(erased["erased"]["touches"], 1, "{kind} {erased}");
        // The source knows the call as before, and tells of it in every pull.
        source.patch(&format!("/v1/agents/{caller}"), json!({ "persona": "new" })).await;
        here.pulled().await;
        assert_eq!(source.touches(PERSON).await.len(), 1);
        assert_eq!(here.touches(PERSON).await, [] as [Value; 0], "{kind}");
        assert_eq!(here.upstream().await["last_error"], json!(null));
    }
}

#[tokio::test]
async fn what_is_mirrored_is_written_at_its_owner_only() {
    for kind in KINDS {
        let scene = scene(kind).await;
        scene.complete(kind).await;
        let Scene { here, desk, front, caller, line, other_line, source } = &scene;
        let own = |path: &str| format!("/switchback/v1{path}");
        let mut refused: Vec<(Method, String, Value)> = vec![
            (Method::PATCH, format!("/v1/agents/{front}"), json!({ "name": "Mine" })),
            (Method::PATCH, format!("/v1/agents/{front}"), json!({ "persona": "Mine" })),
            (Method::DELETE, format!("/v1/agents/{front}"), json!({})),
            (Method::DELETE, format!("/v1/agents/{front}/numbers/{line}"), json!({})),
            (Method::POST, format!("/v1/agents/{desk}/numbers"), json!({"number_id": other_line})),
            (
                Method::PUT,
                format!("/api/v1/agents/{caller}/calling"),
                json!({ "direction": "outbound", "phone_number_ids": [] }),
            ),
            (
                Method::PUT,
                format!("/api/v1/agents/{caller}/calling"),
                json!({ "direction": "inbound" }),
            ),
            (Method::POST, format!("/api/v1/agents/{front}/unpublish"), json!({})),
            (Method::DELETE, own(&format!("/numbers/{line}")), json!({})),
        ];
        if kind == "talkover" {
            let role = json!({ "source_agent_ids": [caller] });
            refused.push((Method::DELETE, format!("/api/v1/agents/{desk}/callback"), json!({})));
            refused.push((Method::POST, format!("/api/v1/agents/{front}/callback"), role));
        } else {
            let named = json!({ "friendly_name": "Mine" });
            refused.push((Method::PATCH, own(&format!("/numbers/{line}")), named));
            let default = json!({ "default_agent_id": desk });
            refused.push((Method::PATCH, own(&format!("/numbers/{line}")), default));
        }
        say_whose_they_are(here, front).await;
        for (method, path, body) in refused {
            let (status, answer) = here.ask(method.clone(), &path, Some(body.clone())).await;
            assert_eq!(status, 409, "{kind} {method} {path} {body}: {answer}");
            let text = answer.to_string().to_lowercase();
            assert!(text.contains("\"mirrored\""), "{answer}");
            assert!(text.contains(&format!("belongs to {kind} at {}", source.url())), "{answer}");
        }
        let ours = json!({
            "targets": ["say:Hello"], "runtime_parameters": { "a": "b" },
            "first_audio_timeout_ms": 900, "name": "Front office"
        });
        here.patch(&format!("/v1/agents/{front}"), ours).await;
        let ours = json!({ "passthrough": "say:Moved", "account": "main" });
        here.patch(&own(&format!("/numbers/{line}")), ours).await;
        here.pulled().await;
        let shown = here.get(&format!("/v1/agents/{front}")).await;
        assert_eq!(shown["targets"], json!(["say:Hello"]));
        assert_eq!(here.lands(STRANGER, LINE).await.0, "passthrough");
        assert_eq!(here.upstream().await["last_error"], json!(null));
    }
}

#[tokio::test]
async fn without_its_section_what_was_mirrored_is_ours() {
    let scene = scene("talkover").await;
    scene.complete("talkover").await;
    let (source, front) = (scene.source.url(), scene.front.clone());
    let here = scene.here.restart("").await;
    assert_eq!(here.get("/switchback/v1/upstreams").await["data"], json!([]));
    assert_eq!(here.lands(STRANGER, LINE).await, ("default".to_owned(), front.clone()));
    let mine = here.patch(&format!("/v1/agents/{front}"), json!({ "name": "Mine" })).await;
    assert_eq!(mine["managed_by"], json!(null));
    // Mirrored again, the source's word counts.
    let here = here.restart(&upstream("talkover", &source, OFTEN)).await;
    until("the first pull", async || here.upstream().await["last_success_at"].is_string()).await;
    assert_eq!(here.get(&format!("/v1/agents/{front}")).await["name"], "Front office");
}

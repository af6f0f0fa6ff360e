//! A shadow decides past calls, and takes none.

use reqwest::Method;
use serde_json::json;

use crate::{
    daemon::{Daemon, KINDS, LINE, PERSON, STRANGER, until},
    mirrored::scene,
};

#[tokio::test]
async fn past_calls_are_compared_and_none_is_taken() {
    for kind in KINDS {
        let scene = scene(kind).await;
        let source = &scene.source;
        source.rings("CA00000000000000000000000000000001", PERSON, LINE).await;
        source.rings("CA00000000000000000000000000000002", STRANGER, LINE).await;
        let more = "interval = \"1s\"\nmode = \"shadow\"";
        let here = Daemon::mirror(kind, &source.url(), more).await;
        let path = "/switchback/v1/upstreams/source/shadow";
        until("both calls", async || here.get(path).await["calls"] == 2).await;
        let report = here.get(path).await;
        if kind == "talkover" {
            assert_eq!((&report["agreed"], &report["differing"]), (&json!(2), &json!([])));
        } else {
            // It shows no roles, so the return call is one that the mirror alone would not take.
            assert_eq!(report["agreed"], 1, "{report}");
            let differing = &report["differing"][0];
            assert_eq!(differing["theirs"]["id"], json!(scene.desk));
            assert_eq!(differing["ours"]["id"], json!(scene.front));
            assert_eq!(differing["reason"], "default");
        }
        let standing = here.upstream().await;
        assert_eq!(
            (&standing["mode"], &standing["counts"]["agents"]),
            (&json!("shadow"), &json!(3))
        );
        assert_eq!(here.lands(STRANGER, LINE).await.0, "unknown_number");
        assert_eq!(here.get("/v1/agents").await["data"], json!([]));
        assert!(here.touches(PERSON).await.is_empty());
        let (status, _) =
            here.ask(Method::GET, "/switchback/v1/upstreams/nobody/shadow", None).await;
        assert_eq!(status, 404);
        let (status, answer) = scene.here.ask(Method::GET, path, None).await;
        assert_eq!((status, &answer["code"]), (409, &json!("not_shadowed")));
    }
}

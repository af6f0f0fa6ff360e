//! What is kept how long, and what forgetting last took, as tenants and operators see it.

use serde_json::{Value, json};
use switchback::{
    control,
    domain::{CallId, CallPatch, Segment, UnixMillis},
    store::{Actor, Settings, Store},
};
use uuid::Uuid;

use crate::daemon::Daemon;

const PATH: &str = "/switchback/v1/retention";

fn kind(body: &Value, name: &str) -> Value {
    let kinds = body["kinds"].as_array().unwrap();
    let found = kinds.iter().find(|kind| kind["kind"] == name).cloned().unwrap_or_default();
    json!([found["keep_days"], found["purged_last_run"]])
}

#[tokio::test]
async fn what_was_forgotten_is_told_to_whose_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, feed) = Store::open(&Settings::at(folder.path().join("test.db"))).unwrap();
    drop(feed);
    let arrange = store.write(Actor::default(), |tx| {
        let tenant = tx.create_tenant("old")?.tenant.id;
        let (role, text) = ("caller".to_owned(), "Hello?".to_owned());
        let (started_at, ended_at, source) = (None, None, None);
        let said = Segment { sequence_no: 0, role, text, started_at, ended_at, source };
        let now = tx.now().0;
        for (n, days) in [(1, 500), (2, 100), (3, 1)] {
            let at = UnixMillis(now - days * 24 * 3_600_000);
            let id = CallId(Uuid::from_u128(n));
            tx.upsert_call(&CallPatch::new(id, tenant, at))?;
            tx.add_segments(tenant, id, std::slice::from_ref(&said))?;
        }
        Ok(())
    });
    arrange.await.unwrap();
    store.close();

    let daemon = Daemon::start_in(folder, control::Settings::default()).await;
    daemon.store.last_purge().wait_for(Option::is_some).await.unwrap();
    let tenant = daemon.tenant("acme").await;
    let settings = json!({ "touch_retention_days": 60 });
    tenant.patch("/switchback/v1/settings", settings).await.is(200);
    let (all, own) = (daemon.operator.get(PATH).await.is(200), tenant.get(PATH).await.is(200));
    assert!(all["last_run_at"].is_string() && all["last_run_at"] == own["last_run_at"], "{all}");
    for (name, of_all, of_own) in [
        ("touches", json!([400, 0]), json!([60, 0])),
        ("transcripts", json!([90, 2]), json!([90, 0])),
        ("calls", json!([400, 1]), json!([400, 0])),
        ("deliveries", json!([30, 0]), json!([30, 0])),
        ("audit", json!([400, 0]), json!([null, null])),
        ("answers", json!([1, 0]), json!([null, null])),
    ] {
        assert_eq!((kind(&all, name), kind(&own, name)), (of_all, of_own), "{name}");
    }
    daemon.with_key("sbk_nobody").get(PATH).await.is(401);
}

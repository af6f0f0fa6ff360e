//! A write of the callback role over HTTP, in turns with one commit of a like row by SQLite alone,
//! to a file beside the daemon's: the same disk at the same time.

use reqwest::Method;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use switchback::telemetry::clock;
use uuid::Uuid;

use crate::{common::Sample, scene::Scene};

/// About what such a write leaves in the log and in the history.
const ROW_LEN: usize = 2048;

/// So many of each, in turns.
pub(crate) async fn measure(scene: &Scene, count: usize) -> Vec<Value> {
    let alone = Alone::new(&scene.daemon.store.with_file_name("alone.db"));
    let (mut commits, mut puts, mut posts) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..count {
        commits.push(alone.commit(n));
        puts.push(written(scene, Method::PUT, "/switchback/v1/agents", n).await);
        commits.push(alone.commit(count + n));
        posts.push(written(scene, Method::POST, "/api/v1/agents", n).await);
    }
    let all = [
        ("a commit of one row by SQLite alone", commits),
        ("PUT /switchback/v1/agents/{agent}/callback", puts),
        ("POST /api/v1/agents/{agent}/callback", posts),
    ];
    let mut rows: Vec<Value> = Vec::new();
    for (what, measured) in all {
        let sample = Sample::of(measured);
        let (p50, p99) = (sample.at(0.5), sample.at(0.99));
        let of = |key: &str| rows.first().and_then(|row| row[key].as_f64());
        let ratios = [of("p50_us").map(|alone| p50 / alone), of("p99_us").map(|alone| p99 / alone)];
        rows.push(json!({ "what": what, "p50_us": p50, "p99_us": p99, "ratios": ratios }));
    }
    rows
}

/// Each write changes something: the sources change places.
async fn written(scene: &Scene, method: Method, agents: &str, n: usize) -> f64 {
    let desk = scene.one("desk", n);
    let mut sources = [scene.one("source", n), scene.one("source", n + 1)];
    if (n / 32) % 2 == usize::from(method == Method::PUT) {
        sources.reverse();
    }
    let body = json!({ "source_agent_ids": sources });
    let path = format!("{agents}/{desk}/callback");
    let got = scene.daemon.ask(method, &path, Some(&body)).await;
    assert_eq!(got.status, 200, "{}", got.body);
    got.took.as_secs_f64() * 1e6
}

/// A database as the store's is, with one table.
struct Alone(Connection);

impl Alone {
    fn new(path: &std::path::Path) -> Self {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        conn.pragma_update(None, "synchronous", "FULL").unwrap();
        conn.pragma_update(None, "wal_autocheckpoint", 16 * 1024).unwrap();
        conn.execute_batch("CREATE TABLE rows (id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL)")
            .unwrap();
        Self(conn)
    }

    fn commit(&self, n: usize) -> f64 {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &n.to_be_bytes()).into_bytes();
        let body = vec![7_u8; ROW_LEN];
        let start = clock::instant();
        let sql = "INSERT INTO rows (id, body) VALUES (?1, ?2)";
        self.0.prepare_cached(sql).unwrap().execute(params![id, body]).unwrap();
        start.elapsed().as_secs_f64() * 1e6
    }
}

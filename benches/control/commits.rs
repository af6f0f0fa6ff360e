//! A write of the callback role over HTTP, in turns with one commit of a like row by SQLite alone,
//! and with one that changes as many pages as the write does: to a file beside the daemon's, the
//! same disk at the same time.

use reqwest::Method;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use switchback::telemetry::clock;
use uuid::Uuid;

use crate::{common::Sample, scene::Scene};

/// About what such a write leaves in the log and in the history.
const ROW_LEN: usize = 2048;
/// Rows that are there to be changed, one a page.
const ROWS_CHANGED_FROM: i64 = 2000;
/// Over so many writes it is counted what pages they change: fewer than the write-ahead log holds
/// before it begins again.
const COUNTED: usize = 50;
/// A page with its head in the write-ahead log (SQLite file format §4).
const FRAME_LEN: u64 = 24 + 4096;

/// So many of each, in turns; and how many pages a write changes.
pub(crate) async fn measure(scene: &Scene, count: usize) -> Vec<Value> {
    let log = scene.daemon.store.with_extension("db-wal");
    let frames = || std::fs::metadata(&log).map_or(0, |log| log.len() / FRAME_LEN);
    let before = frames();
    for n in 0..COUNTED {
        written(scene, Method::PUT, "/switchback/v1/agents", n).await;
    }
    let pages = (frames() - before).div_ceil(COUNTED as u64);

    let alone = Alone::new(&scene.daemon.store.with_file_name("alone.db"));
    let (mut commits, mut wide) = (Vec::new(), Vec::new());
    let (mut puts, mut posts) = (Vec::new(), Vec::new());
    for n in COUNTED..COUNTED + count {
        commits.push(alone.commit(n));
        puts.push(written(scene, Method::PUT, "/switchback/v1/agents", n).await);
        wide.push(alone.change(pages, n));
        posts.push(written(scene, Method::POST, "/api/v1/agents", n).await);
    }
    let all = [
        ("a commit of one row by SQLite alone", commits),
        ("a commit of as many pages by SQLite alone", wide),
        ("PUT /switchback/v1/agents/{agent}/callback", puts),
        ("POST /api/v1/agents/{agent}/callback", posts),
    ];
    let mut rows: Vec<Value> = Vec::new();
    for (what, measured) in all {
        let sample = Sample::of(measured);
        let (p50, p99) = (sample.at(0.5), sample.at(0.99));
        let of = |key: &str| rows.first().and_then(|row| row[key].as_f64());
        let ratios = [of("p50_us").map(|alone| p50 / alone), of("p99_us").map(|alone| p99 / alone)];
        rows.push(json!({
            "what": what, "p50_us": p50, "p99_us": p99, "ratios": ratios, "pages": pages,
        }));
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
        conn.execute_batch("CREATE TABLE changed (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            .unwrap();
        let fill = "WITH RECURSIVE at(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM at WHERE n < ?1) \
                    INSERT INTO changed SELECT n, zeroblob(?2) FROM at";
        // Two do not fit on a page.
        conn.execute(fill, params![ROWS_CHANGED_FROM, ROW_LEN + 512]).unwrap();
        Self(conn)
    }

    /// Changes so many pages at once, anywhere, to what they were not: SQLite writes no other.
    fn change(&self, pages: u64, n: usize) -> f64 {
        let step = ROWS_CHANGED_FROM / pages as i64;
        let first = rand::random_range(1..=step);
        let body = vec![(n % 251) as u8; ROW_LEN + 512];
        let start = clock::instant();
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut change =
            self.0.prepare_cached("UPDATE changed SET body = ?2 WHERE n = ?1").unwrap();
        for n in (first..).step_by(step as usize).take(pages as usize) {
            assert_eq!(change.execute(params![n, body]).unwrap(), 1);
        }
        self.0.execute_batch("COMMIT").unwrap();
        start.elapsed().as_secs_f64() * 1e6
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

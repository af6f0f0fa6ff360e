//! The control API at size: `cargo bench --bench control`; with `-- --short` smaller and quicker,
//! failing where something grows; with `-- --calls 50000` against so many calls; with
//! `-- --commits` the last part alone; with `-- --json` one JSON line.
//!
//! Two daemons, one over a small store and one over a large one, are asked the same in turns over
//! loopback: every GET of their own document, and each kind of write. What the large one takes
//! longer for has grown with the store. Then the callback role is written, in turns with a commit
//! of a row by SQLite alone to a file beside.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

mod commits;
#[expect(dead_code, reason = "the other benches use the rest")]
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod filled;
mod reads;
mod scene;
mod writes;

use std::{collections::BTreeMap, process::ExitCode};

use common::Sample;
use filled::Size;
use reqwest::Method;
use scene::Scene;
use serde_json::{Value, json};

const SMALL: Size = Size { agents: 100, calls: 10_000 };
const LARGE: Size = Size { agents: 10_000, calls: 1_000_000 };
const SHORT: Size = Size { agents: 1_000, calls: 100_000 };
const CALLS_AN_AGENT: u64 = 100;
/// Each request is made so often of each daemon.
const ROUNDS: usize = 15;
const SHORT_ROUNDS: usize = 7;
/// So many writes of the callback role, and so many commits beside.
const COMMITS: usize = 3000;
const SHORT_COMMITS: usize = 400;
/// What takes this much longer has grown; a logarithm, and a cache that does not hold everything
/// any more, stay below.
const GROWS_PAST: f64 = 3.0;

/// What has to look at everything: there is no index for a part of a number, a list of what is not
/// covered asks of every number whether it is, and a replay compares the whole configuration.
const KNOWN: &[&str] = &["=part of a ", "/coverage", "/replay"];

/// What one request took of both.
#[derive(Default)]
struct Row {
    us: [Vec<f64>; 2],
    len: [usize; 2],
    statuses: Vec<u16>,
}

fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let (is_short, as_json) = (has("--short"), has("--json"));
    let (mut large, rounds) = if is_short { (SHORT, SHORT_ROUNDS) } else { (LARGE, ROUNDS) };
    let mut said = std::env::args().skip_while(|argument| argument != "--calls").skip(1);
    if let Some(calls) = said.next().map(|calls| calls.parse().unwrap()) {
        large = Size { agents: calls / CALLS_AN_AGENT, calls };
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let how_often = if is_short { SHORT_COMMITS } else { COMMITS };
    if has("--commits") {
        let scene = Scene::start(SMALL);
        let commits = runtime.block_on(commits::measure(&scene, how_often));
        scene.daemon.stop();
        told(&[], &commits, as_json);
        return ExitCode::SUCCESS;
    }
    let scenes = [Scene::start(SMALL), Scene::start(large)];
    let mut rows = BTreeMap::new();
    runtime.block_on(reads(&scenes, rounds, &mut rows));
    runtime.block_on(writes(&scenes, rounds, &mut rows));
    let commits = runtime.block_on(commits::measure(&scenes[0], how_often));
    for scene in scenes {
        scene.daemon.stop();
    }
    let rows = judged(rows);
    told(&rows, &commits, as_json);
    let has_grown = rows.iter().any(|row| row["grows"] == "grows");
    if is_short && has_grown { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn told(rows: &[Value], commits: &[Value], as_json: bool) {
    if as_json {
        println!("{}", json!({ "bench": "control", "rows": rows, "commits": commits }));
    } else {
        print(rows, commits);
    }
}

async fn reads(scenes: &[Scene; 2], rounds: usize, rows: &mut BTreeMap<String, Row>) {
    let document = scenes[0].daemon.ask(Method::GET, "/openapi.json", None).await.body;
    for probe in reads::probes(&document) {
        let mut pages = [1, 1];
        if probe.wants_last_page() {
            for (scene, page) in scenes.iter().zip(&mut pages) {
                let Some(target) = probe.first_page().target(scene, 0, 1) else { continue };
                let body = scene.daemon.ask(Method::GET, &target, None).await.body;
                let last = ["meta", "pagination"].map(|key| body[key]["last_page"].as_u64());
                *page = last.into_iter().flatten().next().unwrap_or(1);
            }
        }
        let mut row = asked(scenes, &probe, rounds, pages).await;
        // Others use this machine too: what seems to have grown is looked at once more.
        if row.ratio() > GROWS_PAST {
            let again = asked(scenes, &probe, rounds, pages).await;
            row = if again.ratio() < row.ratio() { again } else { row };
        }
        rows.insert(probe.name(), row);
    }
}

async fn asked(scenes: &[Scene; 2], probe: &reads::Probe, rounds: usize, pages: [u64; 2]) -> Row {
    let mut row = Row::default();
    for round in 0..rounds {
        for (place, scene) in scenes.iter().enumerate() {
            let Some(target) = probe.target(scene, round, pages[place]) else { continue };
            row.add(place, &scene.daemon.ask(Method::GET, &target, None).await);
        }
    }
    row
}

async fn writes(scenes: &[Scene; 2], rounds: usize, rows: &mut BTreeMap<String, Row>) {
    for round in 0..rounds {
        for (place, scene) in scenes.iter().enumerate() {
            for (name, got) in writes::all(scene, round).await {
                rows.entry(name).or_default().add(place, &got);
            }
        }
    }
}

impl Row {
    fn medians(&self) -> Option<[f64; 2]> {
        let is_asked = self.us.iter().all(|us| !us.is_empty());
        is_asked.then(|| self.us.clone().map(|us| Sample::of(us).at(0.5)))
    }

    fn ratio(&self) -> f64 {
        self.medians().map_or(0.0, |[small, large]| large / small)
    }

    fn add(&mut self, place: usize, got: &daemon::Got) {
        self.us[place].push(got.took.as_secs_f64() * 1e6);
        self.len[place] = self.len[place].max(got.len);
        if !self.statuses.contains(&got.status) {
            self.statuses.push(got.status);
        }
    }
}

/// Medians and their ratios, the greatest first.
fn judged(rows: BTreeMap<String, Row>) -> Vec<Value> {
    let mut judged: Vec<_> = rows
        .into_iter()
        .filter_map(|(name, row)| {
            let [small, large] = row.medians()?;
            let ratio = large / small;
            let [fewer, more] = row.len.map(|len| len.max(1) as f64);
            let grows = match ratio {
                ratio if ratio <= GROWS_PAST => "",
                ratio if ratio / (more / fewer) <= GROWS_PAST => "as its answer",
                _ if KNOWN.iter().any(|known| name.contains(known)) => "as is known",
                _ => "grows",
            };
            Some(json!({
                "what": name, "small_us": small, "large_us": large, "ratio": ratio,
                "bytes": row.len, "statuses": row.statuses, "grows": grows,
            }))
        })
        .collect();
    judged.sort_by(|one, other| {
        let ratio = |row: &Value| row["ratio"].as_f64().unwrap_or_default();
        ratio(other).total_cmp(&ratio(one))
    });
    judged
}

fn print(rows: &[Value], commits: &[Value]) {
    if !rows.is_empty() {
        println!("{:>10}{:>10}{:>8}  what (medians, us)", "small", "large", "ratio");
    }
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap_or_default();
        let statuses = row["statuses"].as_array().into_iter().flatten();
        let refused: Vec<_> = statuses
            .filter(|s| s.as_u64().is_none_or(|s| s >= 300))
            .map(Value::to_string)
            .collect();
        println!(
            "{:>10.0}{:>10.0}{:>8.2}  {} {} {}",
            number("small_us"),
            number("large_us"),
            number("ratio"),
            row["what"].as_str().unwrap_or_default(),
            row["grows"].as_str().unwrap_or_default(),
            refused.join(" "),
        );
    }
    println!(
        "\n{:>10}{:>10}  writes of the callback role beside commits by SQLite alone, us",
        "p50", "p99"
    );
    for row in commits {
        let number = |key: &str| row[key].as_f64().unwrap_or_default();
        let what = row["what"].as_str().unwrap_or_default();
        println!("{:>10.0}{:>10.0}  {what}", number("p50_us"), number("p99_us"));
    }
}

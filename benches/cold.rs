//! How soon a started daemon answers: `cargo bench --bench cold`, with `-- 10000000` over ten
//! million contacts, with `-- --json` one JSON line. With `-- --folder PATH` the data folder is
//! made where it is missing, and kept.
//!
//! `switchback serve` is started in a fresh process; a signed webhook of somebody's return call is
//! sent as soon as it can be connected to. Counted is from just before the process is made to the
//! answer's last byte. In turn with it, the snapshot file is read once by one thread; all find the
//! file in memory. Reading means three things, and each is told:
//!
//! - into memory that is kept, in huge pages, as the table's are: the yardstick. What answers calls
//!   has to keep what it read; and the target takes 0.2 s for a file of some 860 MB, 4.3 GB/s;
//! - into one buffer that is used again and forgotten: nobody can answer a call from that;
//! - into memory as an allocator gives it, in small pages.
//!
//! Ten million touches through the store's rules would take half an hour; so their rows are put
//! into its tables by one sorted insertion, with no entries in the log, as it is once those have
//! been trimmed. The first start is from the store, and the daemon writes the snapshot file itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints what it measures"
)]

#[expect(dead_code, reason = "the other benches use the rest")]
mod common;
#[expect(dead_code, reason = "the webhook's bench uses the rest")]
#[path = "webhook/installation.rs"]
mod installation;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use common::Sample;
use serde_json::{Value, json};
use switchback::domain::TouchRecord;
use switchback::store::{Actor, Settings, Store};
use switchback::telemetry::clock;
use tempfile::TempDir;

const CONTACTS: u64 = 1_000_000;
const ROUNDS: usize = 9;
/// Of starts from the store, beside the first.
const STORE_ROUNDS: usize = 2;
const READ_LEN: usize = 1 << 20;
const LONGEST: Duration = Duration::from_secs(240);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let contacts = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CONTACTS);
    let named = arguments.iter().skip_while(|argument| *argument != "--folder").nth(1);
    let own = TempDir::new().unwrap();
    let folder = named.map_or_else(|| own.path().to_owned(), PathBuf::from);

    let mut bench = Bench::new(&folder, contacts);
    let mut from_store = Vec::new();
    if !bench.file().exists() {
        from_store.push(bench.first_start());
    }
    let (mut starts, mut readings) = (Vec::new(), [const { Vec::new() }; 3]);
    for _ in 0..ROUNDS {
        let [kept, forgotten, small] = &mut readings;
        kept.push(bench.reading_to_keep(true));
        forgotten.push(bench.reading());
        small.push(bench.reading_to_keep(false));
        starts.push(bench.start());
    }
    if contacts <= CONTACTS {
        from_store.extend((0..STORE_ROUNDS).map(|_| bench.start_without_file()));
    }
    let of = |what: fn(&Start) -> f64| Sample::of(starts.iter().map(what).collect());
    let took = of(|start| start.took);
    let [kept, forgotten, small] = readings.map(|reading| Sample::of(reading).at(0.5));
    let bytes = fs::metadata(bench.file()).unwrap().len();
    let told = json!({
        "contacts": contacts,
        "file_mib": bytes >> 20,
        "reading_ms": kept,
        "reading_gb_per_second": bytes as f64 / kept / 1e6,
        "reading_forgotten_ms": forgotten,
        "reading_into_small_pages_ms": small,
        "start_ms": took.at(0.5),
        "start_worst_ms": took.at(1.0),
        "filled_ms": of(|start| start.filled).at(0.5),
        "start_user_ms": of(|start| start.user).at(0.5),
        "start_kernel_ms": of(|start| start.kernel).at(0.5),
        "ratio": took.at(0.5) / kept,
        "ratio_to_reading_forgotten": took.at(0.5) / forgotten,
        "ratio_to_reading_into_small_pages": took.at(0.5) / small,
        "from_store_ms": (!from_store.is_empty()).then(|| Sample::of(from_store).at(0.5)),
        "rounds": ROUNDS,
    });
    if as_json {
        println!("{told}");
    } else {
        print(&told);
    }
}

fn print(told: &Value) {
    let number = |key: &str| told[key].as_f64().unwrap();
    println!(
        "{} contacts, a snapshot file of {} MiB, medians of {ROUNDS} rounds\n\n\
         reading the file to keep it    {:>8.0} ms   {:.1} GB/s\n\
         the same over one buffer       {:>8.0} ms\n\
         the same into small pages      {:>8.0} ms\n\
         exec to first answer           {:>8.0} ms   {:.2} x, {:.2} x, {:.2} x (worst {:.0} ms)\n\
         of that, filling the index     {:>8.0} ms\n\
         its threads ran till then      {:>8.0} ms, and {:.0} ms in the kernel",
        told["contacts"],
        told["file_mib"],
        number("reading_ms"),
        number("reading_gb_per_second"),
        number("reading_forgotten_ms"),
        number("reading_into_small_pages_ms"),
        number("start_ms"),
        number("ratio"),
        number("ratio_to_reading_forgotten"),
        number("ratio_to_reading_into_small_pages"),
        number("start_worst_ms"),
        number("filled_ms"),
        number("start_user_ms"),
        number("start_kernel_ms"),
    );
    if let Some(from_store) = told["from_store_ms"].as_f64() {
        println!("exec to first answer, from the store's tables {from_store:.0} ms");
    }
}

struct Bench {
    folder: PathBuf,
    port: u16,
    calls: installation::Calls,
}

impl Bench {
    fn new(folder: &Path, contacts: u64) -> Self {
        fs::create_dir_all(folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.join("switchback.toml"), installation::config(port)).unwrap();
        let bench =
            Self { folder: folder.to_owned(), port, calls: installation::Calls::new(contacts) };
        if !bench.database().exists() {
            fill(&bench.database(), contacts);
        }
        bench
    }

    fn database(&self) -> PathBuf {
        self.folder.join("data").join("switchback.db")
    }

    fn file(&self) -> PathBuf {
        self.folder.join("data").join("switchback.db.touches")
    }

    /// How long reading the file once takes, in ms, if it is forgotten at once.
    fn reading(&self) -> f64 {
        let mut buffer = vec![0; READ_LEN];
        let started = clock::instant();
        let mut file = File::open(self.file()).unwrap();
        while file.read(&mut buffer).unwrap() > 0 {}
        ms(started.elapsed())
    }

    /// The same into memory that is asked for anew, as whoever keeps what is read must.
    fn reading_to_keep(&self, in_huge_pages: bool) -> f64 {
        let started = clock::instant();
        let mut file = File::open(self.file()).unwrap();
        let len = usize::try_from(file.metadata().unwrap().len()).unwrap();
        let mut kept = Vec::with_capacity(len + 1);
        if in_huge_pages {
            common::ask_for_huge(&kept);
        }
        file.read_to_end(&mut kept).unwrap();
        let took = ms(started.elapsed());
        assert_eq!(black_box(kept).len(), len);
        took
    }

    /// Starts it, asks, and stops it: how long until the answer, and filling the index; and for how
    /// long it was running until then, by itself and in the kernel.
    fn start(&mut self) -> Start {
        let daemon = self.ask();
        let took = daemon.took;
        let [user, kernel] = daemon.ran();
        // As its own log has it.
        let told = daemon.stop();
        assert!(told.contains("a snapshot and the log"), "{told}");
        let filled = told.split("took_ms=").nth(1).unwrap();
        let digits: String = filled.chars().take_while(char::is_ascii_digit).collect();
        Start { took, filled: digits.parse().unwrap(), user, kernel }
    }

    /// Starts it and has one call answered.
    fn ask(&mut self) -> Daemon {
        let request = self.calls.take(1).remove(0);
        let log = self.folder.join("log");
        let output = File::create(&log).unwrap();
        let started = clock::instant();
        let child = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .arg("serve")
            .args([OsStr::new("--config"), self.folder.join("switchback.toml").as_os_str()])
            .args([OsStr::new("--data-dir"), self.folder.join("data").as_os_str()])
            .env("NO_COLOR", "1")
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(started.elapsed() < LONGEST, "{error}"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with(b"</Response>") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend(&buffer[..read]);
        }
        let took = ms(started.elapsed());
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("<Stream url="), "{answer}");
        Daemon { child, took, log }
    }

    /// From the store, as long as there is no file; then waits for the file.
    fn first_start(&mut self) -> f64 {
        let daemon = self.ask();
        let took = daemon.took;
        let started = clock::instant();
        while !self.file().exists() {
            assert!(started.elapsed() < LONGEST, "no file is written");
            thread::sleep(Duration::from_millis(20));
        }
        daemon.stop();
        took
    }

    fn start_without_file(&mut self) -> f64 {
        fs::remove_file(self.file()).unwrap();
        self.first_start()
    }
}

/// A start, in ms.
struct Start {
    took: f64,
    filled: f64,
    user: f64,
    kernel: f64,
}

/// One that has answered a call.
struct Daemon {
    child: Child,
    /// Until then, in ms.
    took: f64,
    log: PathBuf,
}

impl Daemon {
    /// For how long its threads have been running, by themselves and in the kernel, in ms; to ten
    /// of them, as the kernel tells (proc(5), `stat`).
    fn ran(&self) -> [f64; 2] {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        [11, 12].map(|place| 10.0 * after_name[place].parse::<f64>().unwrap())
    }

    /// Stops it as an operator does; what it logged.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        fs::read_to_string(&self.log).unwrap()
    }
}

/// An installation, and contacts who were called once each.
fn fill(path: &Path, contacts: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, feed) = Store::open(&Settings::at(path)).unwrap();
    drop(feed);
    let made = runtime.block_on(store.write(Actor::default(), installation::installation)).unwrap();
    let (tenant, sources) = made.value;
    store.close();
    // In the order of the table and its index: ids go by the number.
    let mut people: Vec<u64> = (0..contacts).collect();
    people.sort_unstable_by_key(|n| common::person(*n).as_u64());
    let file = rusqlite::Connection::open(path).unwrap();
    let begin = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000;
                 DROP INDEX touches_by_age; BEGIN";
    file.execute_batch(begin).unwrap();
    let sql = "INSERT INTO touches (tenant, id, contact, agent, caller_id, at, outcome)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut insert = file.prepare(sql).unwrap();
    for (id, n) in (0_u128..).zip(people) {
        let TouchRecord { touch, .. } = installation::touch(n, tenant, &sources);
        insert
            .execute(rusqlite::params![
                touch.tenant.0.as_bytes(),
                id.to_be_bytes(),
                touch.contact.as_u64(),
                touch.agent.0.as_bytes(),
                touch.caller_id.as_u64(),
                touch.at.0,
                touch.outcome.as_str(),
            ])
            .unwrap();
    }
    drop(insert);
    let end = "COMMIT; CREATE INDEX touches_by_age ON touches (tenant, at); DELETE FROM log;
               PRAGMA journal_mode = WAL";
    file.execute_batch(end).unwrap();
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

//! Snapshot files of the touches: a start from one knows what the store knows, and whatever is
//! wrong with a file, so does a start from another or from the store.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use switchback::{
    domain::{AgentId, Direction, E164, Erased, Outcome, TenantId, Touch},
    index::Index,
    replica::snapshot::{HEAD_LEN, Head},
    sync::{local::Applied, snapshots::Settings},
};
use tempfile::TempDir;

use crate::support::{Arrange, Fixture, Followed, path, phone, touch};

const OWN: u64 = 9_000;
/// Recent enough that opening does not forget them.
const AT: u64 = 4_000_000_000;
const CONTACTS: u64 = 300;

/// Every change makes a new file due.
pub(crate) fn often() -> Settings {
    Settings {
        contacts_min: 0,
        bytes_due: 1,
        age_due: Duration::ZERO,
        pause: Duration::ZERO,
        ..Settings::beside("")
    }
}

/// What is there is read, and nothing is written.
pub(crate) fn never() -> Settings {
    Settings { contacts_min: usize::MAX, ..often() }
}

fn file(folder: &TempDir, suffix: &str) -> PathBuf {
    path(folder).with_file_name(format!("switchback.db.touches{suffix}"))
}

/// Where the copying of a file began.
fn since(folder: &TempDir, suffix: &str) -> Option<u64> {
    let bytes = fs::read(file(folder, suffix)).ok()?;
    let head: &[u8; HEAD_LEN] = bytes.first_chunk()?;
    Some(Head::read(head, bytes.len() as u64).ok()?.span.since.seq)
}

/// Waits for a file that begins at that place or later, and for its writing to be over.
pub(crate) fn written(fixture: &Fixture, seq: u64) {
    for _ in 0..4_000 {
        if since(&fixture.folder, "").is_some_and(|since| since >= seq) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no snapshot of {seq}");
}

/// A tenant's agent who calls people.
struct Scene {
    fixture: Fixture,
    index: Index,
    applied: Applied,
    tenant: TenantId,
    agent: AgentId,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let (fixture, index, applied) = Fixture::filled(Fixture::new().closed(), settings);
        let (tenant, agent) = fixture.done(|tx| {
            let tenant = tx.create_tenant("acme")?.tenant.id;
            let agent = tx.live(tenant, Direction::Outbound, "Sales").agent.id;
            let number = tx.line(tenant, phone(OWN));
            tx.attach(tenant, agent, number);
            Ok((tenant, agent))
        });
        Self { fixture, index, applied, tenant, agent }
    }

    /// One with people who were called, each up to three times, and a file of that.
    fn filled() -> Self {
        let mut scene = Self::new(often());
        for n in 0..CONTACTS {
            scene.call(n, n % 3 + 1);
        }
        let head = scene.settle();
        written(&scene.fixture, head);
        scene
    }

    fn call(&self, n: u64, times: u64) {
        let (tenant, agent) = (self.tenant, self.agent);
        let touches = (0..times).map(|k| {
            let (id, shown) = (u128::from(n * 100 + k), phone(OWN + k));
            touch(tenant, id, phone(n), agent, shown, AT + n + k, Outcome::NoAnswer)
        });
        let touches = touches.collect();
        self.fixture.done(move |tx| tx.merge_touches(tenant, touches));
    }

    /// Waits until the index has all that was written; where the touches stand.
    fn settle(&mut self) -> u64 {
        let heads = self.fixture.read(|rows| rows.heads());
        self.fixture.wait(self.applied.wait_for(|now| now.reach(heads))).unwrap();
        heads.touches
    }

    fn closed(self) -> (TempDir, TenantId) {
        drop((self.index, self.applied));
        (self.fixture.closed(), self.tenant)
    }

    fn restarted(self, settings: Settings) -> Self {
        let agent = self.agent;
        let (folder, tenant) = self.closed();
        let (fixture, index, applied) = Fixture::filled(folder, settings);
        Self { fixture, index, applied, tenant, agent }
    }
}

fn known(index: &Index, tenant: TenantId) -> Vec<Vec<Touch>> {
    (0..CONTACTS + 50).map(|n| index.view().contact(tenant, phone(n)).to_vec()).collect()
}

/// What a start from the store alone knows.
fn stored(folder: TempDir, tenant: TenantId) -> (TempDir, Vec<Vec<Touch>>) {
    let mut fixture = Fixture::open(folder);
    let heads = fixture.read(|rows| rows.heads());
    let mut followed = Followed::new();
    followed.until(fixture.feed.as_mut().unwrap(), heads);
    let known = known(&followed.index, tenant);
    (fixture.closed(), known)
}

/// Hides somebody from whoever reads the rows: who knows them still has read a file.
fn hide(folder: &TempDir, contact: E164) {
    let rows = rusqlite::Connection::open(path(folder)).unwrap();
    let gone = rows.execute("DELETE FROM touches WHERE contact = ?1", [contact.as_u64()]).unwrap();
    assert!(gone > 0, "{contact} was there");
}

fn is_known(scene: &Scene, n: u64) -> bool {
    !scene.index.view().contact(scene.tenant, phone(n)).is_empty()
}

#[test]
fn a_start_goes_on_from_the_file() {
    let mut scene = Scene::filled();
    let mode = fs::metadata(file(&scene.fixture.folder, "")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    scene = scene.restarted(never());
    // What follows the file, of every kind.
    for n in (0..CONTACTS + 50).step_by(7) {
        scene.call(n, 4);
    }
    let tenant = scene.tenant;
    scene.fixture.done(move |tx| Ok(tx.create_tenant("other")?.tenant.id));
    scene.settle();
    let before = known(&scene.index, tenant);
    let (folder, _) = scene.closed();
    let (folder, from_store) = stored(folder, tenant);
    assert_eq!(before, from_store);
    hide(&folder, phone(1));
    let (fixture, index, _applied) = Fixture::filled(folder, never());
    assert_eq!(known(&index, tenant), before);
    assert_eq!(index.contacts(), before.iter().filter(|touches| !touches.is_empty()).count());
    drop(fixture);
}

#[test]
fn a_new_file_leaves_the_one_before_it() {
    let mut scene = Scene::filled();
    scene.call(1, 5);
    let head = scene.settle();
    written(&scene.fixture, head);
    let newest = since(&scene.fixture.folder, "").unwrap();
    let before = since(&scene.fixture.folder, "-before").unwrap();
    assert!(before < newest && newest >= head, "{before} {newest}");
    // Nothing changes: nothing is written.
    thread::sleep(Duration::from_millis(50));
    assert_eq!(since(&scene.fixture.folder, ""), Some(newest));
}

/// How a file goes bad.
fn spoil(bytes: &mut Vec<u8>, how: usize) {
    let (len, flip) = (bytes.len(), |bytes: &mut Vec<u8>, at: usize| bytes[at] ^= 4);
    match how {
        // The magic, the version, the layout, the epoch, a chain, the padding, its checksum.
        0..=6 => flip(bytes, [0, 8, 12, 16, 50, 2000, HEAD_LEN - 1][how]),
        // Words, the parts' rows, the slots' ids.
        7 => flip(bytes, HEAD_LEN),
        8 => flip(bytes, HEAD_LEN + (len - HEAD_LEN) / 3),
        9 => flip(bytes, len - 4096 * 8),
        10 => flip(bytes, len - 1),
        11 => bytes.truncate(len / 2),
        12 => bytes.truncate(len - 1),
        13 => bytes.truncate(100),
        14 => bytes.clear(),
        _ => bytes.push(0),
    }
}

#[test]
fn a_damaged_file_is_refused_and_another_or_the_store_is_taken() {
    let mut scene = Scene::filled();
    scene.call(1, 5);
    let head = scene.settle();
    written(&scene.fixture, head);
    scene = scene.restarted(never());
    scene.call(2, 5);
    scene.settle();
    let tenant = scene.tenant;
    let expected = known(&scene.index, tenant);
    let (mut folder, _) = scene.closed();
    let names = ["", "-before"];
    let whole = names.map(|suffix| fs::read(file(&folder, suffix)).unwrap());
    hide(&folder, phone(3));
    for how in 0..16 {
        for both in [false, true] {
            let bad = if both { &names[..] } else { &names[..1] };
            for (suffix, bytes) in names.iter().zip(&whole) {
                let mut bytes = bytes.clone();
                if bad.contains(suffix) {
                    spoil(&mut bytes, how);
                }
                fs::write(file(&folder, suffix), bytes).unwrap();
            }
            let (fixture, index, applied) = Fixture::filled(folder, never());
            let mut expected = expected.clone();
            if both {
                expected[3].clear();
            }
            assert_eq!(known(&index, tenant), expected, "{how} {both}");
            // What was refused is gone.
            let left = names.map(|suffix| file(&fixture.folder, suffix).exists());
            assert_eq!(left, [false, !both], "{how}");
            drop((index, applied));
            folder = fixture.closed();
        }
    }
}

#[test]
fn a_file_of_another_history_is_refused() {
    // Of another store; and of this one, later than the copy of it that was put back.
    let other = Scene::filled().closed().0;
    let scene = Scene::filled();
    let agent = scene.agent;
    let (folder, tenant) = scene.closed();
    let own = fs::read(file(&folder, "")).unwrap();
    fs::copy(file(&other, ""), file(&folder, "")).unwrap();
    let (folder, expected) = stored(folder, tenant);
    let (fixture, index, applied) = Fixture::filled(folder, never());
    assert_eq!(known(&index, tenant), expected);
    assert!(!file(&fixture.folder, "").exists());
    drop((index, applied));
    let folder = fixture.closed();

    fs::write(file(&folder, ""), own).unwrap();
    let backup = fs::read(path(&folder)).unwrap();
    let (fixture, index, applied) = Fixture::filled(folder, often());
    let mut scene = Scene { fixture, index, applied, tenant, agent };
    scene.call(CONTACTS + 1, 1);
    let head = scene.settle();
    written(&scene.fixture, head);
    let (folder, _) = scene.closed();
    fs::write(path(&folder), backup).unwrap();
    let (fixture, index, applied) = Fixture::filled(folder, never());
    assert_eq!(known(&index, tenant), expected);
    // What goes on from there is another history of the same name.
    let mut scene = Scene { fixture, index, applied, tenant, agent };
    scene.call(CONTACTS + 2, 1);
    scene.settle();
    assert!(is_known(&scene, CONTACTS + 2) && !is_known(&scene, CONTACTS + 1));
}

#[test]
fn a_file_that_the_log_does_not_go_on_from_is_refused() {
    let mut scene = Scene::filled().restarted(never());
    scene.call(1, 5);
    scene.call(2, 5);
    scene.settle();
    let (folder, tenant) = scene.closed();
    let (folder, expected) = stored(folder, tenant);
    let rows = rusqlite::Connection::open(path(&folder)).unwrap();
    rows.execute(
        "DELETE FROM log WHERE stream = 1 AND seq < (SELECT max(seq) FROM log WHERE stream = 1)",
        [],
    )
    .unwrap();
    drop(rows);
    let (fixture, index, _applied) = Fixture::filled(folder, never());
    assert_eq!(known(&index, tenant), expected);
    assert!(!file(&fixture.folder, "").exists());
}

/// Whether a file's words name a person.
fn names(folder: &TempDir, suffix: &str, contact: E164) -> bool {
    let bytes = fs::read(file(folder, suffix)).unwrap_or_default();
    let low = &contact.as_u64().to_le_bytes()[..6];
    bytes.windows(low.len()).any(|window| window == low)
}

#[test]
fn an_erased_person_is_in_no_file() {
    let mut scene = Scene::filled();
    scene.call(7, 4);
    let head = scene.settle();
    written(&scene.fixture, head);
    let folder = || &scene.fixture.folder;
    assert!(names(folder(), "", phone(7)) && names(folder(), "-before", phone(7)));
    let tenant = scene.tenant;
    scene.fixture.done(move |tx| tx.erase_contact(tenant, phone(7), Erased::default()));
    let head = scene.settle();
    written(&scene.fixture, head);
    // Whatever was begun before is gone, or never got a name.
    for suffix in ["", "-before", "-new"] {
        assert!(!names(&scene.fixture.folder, suffix, phone(7)), "{suffix}");
    }
    assert!(names(&scene.fixture.folder, "", phone(8)));
    let before = known(&scene.index, tenant);
    let scene = scene.restarted(never());
    assert_eq!(known(&scene.index, tenant), before);
    // Erased while the files are only looked at: they are gone at once.
    scene.fixture.done(move |tx| tx.erase_contact(tenant, phone(9), Erased::default()));
    for _ in 0..1_000 {
        if !file(&scene.fixture.folder, "").exists() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!file(&scene.fixture.folder, "").exists());
}

#[expect(clippy::disallowed_methods, reason = "how this binary speaks to itself")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The process that is killed: it calls people and writes files without end.
#[test]
#[ignore = "run by `a_process_that_is_killed_leaves_files_that_can_be_started_from`, which kills it"]
fn child() {
    let (Some(home), Some(from)) = (told("SNAPSHOT_HOME"), told("SNAPSHOT_FROM")) else { return };
    // A name of its own for its parent's folder.
    let folder = TempDir::new().unwrap();
    fs::remove_dir(folder.path()).unwrap();
    std::os::unix::fs::symlink(home, folder.path()).unwrap();
    let (fixture, index, applied) = Fixture::filled(folder, often());
    let find = |rows: &switchback::store::Rows<'_>| {
        let tenant = rows.tenant_by_name("acme")?.unwrap().tenant.id;
        Ok((tenant, rows.agents_named(tenant, "Sales")?[0].agent.id))
    };
    let (tenant, agent) = fixture.read(find);
    let scene = Scene { fixture, index, applied, tenant, agent };
    for n in from.parse::<u64>().unwrap().. {
        scene.call(n % CONTACTS, n / CONTACTS % 8 + 1);
        println!("ack {n}");
    }
}

#[test]
fn a_process_that_is_killed_leaves_files_that_can_be_started_from() {
    let scene = Scene::filled();
    let agent = scene.agent;
    let (mut folder, tenant) = scene.closed();
    let mut from = 0;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["snapshots::child", "--exact", "--ignored", "--nocapture"])
            .env("SNAPSHOT_HOME", folder.path())
            .env("SNAPSHOT_FROM", from.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            output
                .split(b'\n')
                .map_while(Result::ok)
                .filter(|line| line.starts_with(b"ack"))
                .count()
        });
        thread::sleep(Duration::from_millis(150 + 37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        from += reader.join().unwrap() as u64;
        let (after, expected) = stored(folder, tenant);
        let (fixture, index, applied) = Fixture::filled(after, never());
        assert_eq!(known(&index, tenant), expected, "round {round}");
        assert!(!file(&fixture.folder, "-new").exists());
        let scene = Scene { fixture, index, applied, tenant, agent };
        folder = scene.closed().0;
    }
    assert!(from > 0, "it wrote something");
}

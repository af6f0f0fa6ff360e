//! The writer, the files and the log: who is isolated from whom, and what is refused at the door.

use std::{fs, os::unix::fs::PermissionsExt};

use futures_util::future::join_all;
use switchback::{
    domain::{CallId, CallPatch, Refusal, UnixMillis, UnixSeconds},
    replica::log::{Cursor, Stream},
    store::{Actor, CallFilter, Heads, Paging, Settings, Store, StoreError, WriteError},
};
use tempfile::TempDir;

use crate::{
    history::AT,
    support::{Arrange, Fixture, Followed, path, phone, settings, touch},
};

#[test]
fn a_refused_or_panicking_write_takes_nothing_of_its_group_with_it() {
    let fixture = Fixture::new();
    // All are queued before the writer can have taken the first: they share commits.
    let writes = (0..60).map(|n| {
        fixture.store.write(Actor::default(), move |tx| {
            let tenant = tx.create_tenant(&format!("tenant {n}"))?.tenant.id;
            tx.line(tenant, phone(n));
            match n % 3 {
                0 => Ok(n),
                1 => Err(WriteError::Refused(Refusal::CallNotActive)),
                _ => panic!("a rule has a fault"),
            }
        })
    });
    let answers = fixture.wait(join_all(writes));
    for (n, answer) in (0..).zip(answers) {
        match (n % 3, answer) {
            (0, Ok(written)) => assert_eq!(written.value, n),
            (1, Err(WriteError::Refused(Refusal::CallNotActive))) => {}
            (2, Err(WriteError::Store(StoreError::Panicked))) => {}
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    let (tenants, heads) = fixture.read(|rows| Ok((rows.tenants()?, rows.heads()?)));
    assert_eq!(tenants.len(), 20);
    assert_eq!(heads, Heads { control: 20, touches: 0 });
    assert!(chain_holds(&fixture));
}

#[test]
fn a_write_that_changes_nothing_routable_leaves_no_entry() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| Ok(tx.create_tenant("acme")?.tenant.id));
    let before = fixture.read(|rows| rows.heads());
    let same = fixture.write(move |tx| tx.update_settings(tenant, Default::default())).unwrap();
    assert_eq!(same.heads, before);
    let told = fixture.write(move |tx| {
        let agent = switchback::domain::AgentId(uuid::Uuid::from_u128(1));
        let told =
            touch(tenant, 1, phone(1), agent, phone(2), 5, switchback::domain::Outcome::Busy);
        tx.merge_touches(tenant, vec![told.clone(), told])
    });
    let told = told.unwrap();
    assert_eq!((told.value.accepted, told.value.duplicates), (1, 1));
    assert_eq!(told.heads, Heads { touches: 1, ..before });
}

#[test]
fn a_second_writer_is_refused_and_the_first_may_come_back() {
    let folder = TempDir::new().unwrap();
    let (store, feed) = Store::open(&settings(&folder)).unwrap();
    let second = Store::open(&settings(&folder)).err().unwrap();
    assert!(matches!(second, StoreError::InUse(_)), "{second}");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    drop(feed);
    store.clone().close();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let late = runtime.block_on(store.write(Actor::default(), |tx| tx.create_tenant("late")));
    assert!(matches!(late, Err(WriteError::Store(StoreError::Closed))), "{late:?}");
    Store::open(&settings(&folder)).unwrap().0.close();
}

#[test]
fn only_the_owner_may_look() {
    let fixture = Fixture::new();
    fixture.done(|tx| tx.create_tenant("acme"));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = path(&fixture.folder);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn a_newer_database_is_refused_and_an_older_one_kept() {
    let folder = TempDir::new().unwrap();
    Store::open(&settings(&folder)).unwrap().0.close();
    let conn = rusqlite::Connection::open(path(&folder)).unwrap();
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let error = Store::open(&settings(&folder)).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, known } if known == version), "{error}");
    assert!(error.to_string().contains("newer program"), "{error}");
    // As the first version left it.
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(path(&folder).parent().unwrap()).unwrap();
    let conn = rusqlite::Connection::open(path(&folder)).unwrap();
    conn.execute_batch(include_str!("../../src/store/schema/1.sql")).unwrap();
    let epoch = uuid::Uuid::from_u128(7);
    for stream in Stream::ALL {
        let head = (stream.as_u8(), epoch.as_bytes(), Cursor::origin(epoch).chain);
        conn.execute("INSERT INTO heads VALUES (?1, 0, ?2, 0, ?3)", head).unwrap();
    }
    conn.pragma_update(None, "user_version", 1).unwrap();
    drop(conn);
    Store::open(&settings(&folder)).unwrap().0.close();
    let conn = rusqlite::Connection::open(path(&folder)).unwrap();
    let now: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(now, version);
}

#[test]
fn the_history_is_one_across_restarts() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| Ok(tx.create_tenant("acme")?.tenant.id));
    let head = fixture.read(|rows| rows.head(Stream::Control));
    let fixture = fixture.reopened();
    assert_eq!(fixture.read(|rows| rows.head(Stream::Control)), head);
    fixture.done(move |tx| Ok(tx.line(tenant, phone(1))));
    let after = fixture.read(|rows| rows.head(Stream::Control));
    assert_eq!((after.epoch, after.seq), (head.epoch, head.seq + 1));
    assert!(chain_holds(&fixture));
}

#[test]
fn what_is_too_old_is_forgotten_by_who_follows_too() {
    let mut fixture = Fixture::followed();
    let mut feed = fixture.feed.take().unwrap();
    let mut followed = Followed::new();
    let agent = switchback::domain::AgentId(uuid::Uuid::from_u128(1));
    let tenant = fixture.done(move |tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let told = |id, at| {
            let outcome = switchback::domain::Outcome::Busy;
            touch(tenant, id, phone(7), agent, phone(u64::try_from(id).unwrap()), at, outcome)
        };
        tx.merge_touches(tenant, vec![told(1, 100), told(2, 200)])?;
        Ok(tenant)
    });
    let written = fixture.write(move |tx| tx.purge_touches(tenant, UnixSeconds(150), 10)).unwrap();
    assert_eq!(written.value, 1);
    followed.until(&mut feed, written.heads);
    let kept = followed.view().contact(tenant, phone(7));
    assert_eq!(kept.iter().map(|touch| touch.at.0).collect::<Vec<_>>(), [200]);
    // At 1970 they are older than any retention: opening forgets the rest.
    drop(feed);
    let mut fixture = fixture.reopened();
    let mut loaded = Followed::new();
    loaded.until(&mut fixture.feed.take().unwrap(), written.heads);
    assert!(loaded.view().contact(tenant, phone(7)).is_empty());
    assert_eq!(fixture.read(move |rows| rows.contact(tenant, phone(7))), []);
}

#[test]
fn calls_and_the_audit_trail_are_kept_as_long_as_is_said() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        for (n, at) in [(1, 1000), (2, AT * 1000)] {
            let id = CallId(uuid::Uuid::from_u128(n));
            tx.upsert_call(&CallPatch::new(id, tenant, UnixMillis(at)))?;
        }
        Ok(tenant)
    });
    let mut fixture = fixture.reopened();
    let heads = fixture.read(|rows| rows.heads());
    Followed::new().until(&mut fixture.feed.take().unwrap(), heads);
    let (calls, audit) = fixture.read(move |rows| {
        let calls = rows.calls(tenant, &CallFilter::default(), &Paging::first(9))?.rows;
        Ok((calls, rows.audit(Some(tenant), 9)?))
    });
    assert_eq!(calls.iter().map(|call| call.created_at.0).collect::<Vec<_>>(), [AT * 1000]);
    assert_eq!(audit.len(), 1);
}

#[test]
fn a_full_queue_makes_writers_wait_and_loses_nobody() {
    let folder = TempDir::new().unwrap();
    let tight = Settings { queue_max: 2, group_max: 3, ..settings(&folder) };
    let (store, _) = Store::open(&tight).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let writes = (0..50)
        .map(|n| store.write(Actor::default(), move |tx| tx.create_tenant(&format!("t{n}"))));
    assert!(runtime.block_on(join_all(writes)).iter().all(Result::is_ok));
    store.close();
}

/// Whether the log, as far as it is kept, has no gap and leads by its chain to the head.
pub(crate) fn chain_holds(fixture: &Fixture) -> bool {
    fixture.read(|rows| {
        for stream in Stream::ALL {
            let head = rows.head(stream)?;
            let entries = rows.entries(stream, 0, u32::MAX)?;
            let Some((first, rest)) = entries.split_first() else {
                if head.seq != 0 {
                    return Ok(false);
                }
                continue;
            };
            let mut cursor = if first.seq == 1 {
                match Cursor::origin(head.epoch).after(first) {
                    Ok(cursor) => cursor,
                    Err(_) => return Ok(false),
                }
            } else {
                first.cursor(head.epoch)
            };
            for entry in rest {
                match cursor.after(entry) {
                    Ok(next) => cursor = next,
                    Err(_) => return Ok(false),
                }
            }
            if cursor != head {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

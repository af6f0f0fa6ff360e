//! What is too old goes, kind by kind, and is counted; what is not stays.

use switchback::{
    domain::{
        CallId, CallPatch, CallResult, Direction, Erased, Outcome, PurgeKind, Segment, TenantId,
        UnixMillis, UnixSeconds,
    },
    replica::log::Stream,
    store::{Paging, Tx},
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, path, phone, touch};

const DAY_MS: u64 = 24 * 3600 * 1000;

fn said(n: u32) -> Segment {
    let (role, text) = ("caller".to_owned(), "Hello?".to_owned());
    Segment { sequence_no: n, role, text, started_at: None, ended_at: None, source: None }
}

/// A call of so many days ago, with two segments and a result.
fn call(tx: &mut Tx<'_>, tenant: TenantId, n: u128, days: u64) -> CallId {
    let id = CallId(Uuid::from_u128(n));
    let at = UnixMillis(tx.now().0 - days * DAY_MS);
    tx.upsert_call(&CallPatch::new(id, tenant, at)).unwrap();
    tx.add_segments(tenant, id, &[said(0), said(1)]).unwrap();
    tx.set_result(tenant, id, &CallResult::Completed("{}".to_owned())).unwrap();
    id
}

/// What the run at the opening took.
fn purged(fixture: &Fixture, tenant: Option<TenantId>) -> Vec<(PurgeKind, u64)> {
    let mut last = fixture.store.last_purge();
    let last = fixture.wait(last.wait_for(Option::is_some)).unwrap().clone().unwrap();
    let count = |kind: PurgeKind| (kind, last.purged.count(tenant, kind));
    PurgeKind::ALL.iter().map(|kind| count(*kind)).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn each_kind_goes_when_it_is_too_old() {
    let fixture = Fixture::new();
    let (tenant, other) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let agent = tx.live(tenant, Direction::Outbound, "Sales").agent.id;
        let now = tx.now().seconds().0;
        let told = |id, days: u64| {
            let at = now - days * 24 * 3600;
            let line = phone(u64::try_from(id).unwrap());
            touch(tenant, id, phone(70), agent, line, at, Outcome::Busy)
        };
        tx.merge_touches(tenant, vec![told(1, 500), told(2, 1)])?;
        for (n, days) in [(1, 500), (2, 100), (3, 1)] {
            call(tx, tenant, n, days);
        }
        tx.erase_contact(tenant, phone(71), Erased::default())?;
        Ok((tenant, tx.create_tenant("other")?.tenant.id))
    });
    let lines = fixture.read(|rows| rows.audit(None, 99)).len();
    let folder = fixture.closed();
    let conn = rusqlite::Connection::open(path(&folder)).unwrap();
    conn.execute_batch(
        "UPDATE audit SET at = 0; UPDATE erasures SET at = 0;
         INSERT INTO kept_answers VALUES (x'', 'k', x'', 200, '[]', x'', 0, 0, 0);
         INSERT INTO agent_versions SELECT x'01', id, 'Sales', '{}', 0 FROM tenants
            WHERE name = 'acme';
         INSERT INTO revisions SELECT 999, x'02', id, NULL, '', 0, 0, 0, 0 FROM tenants
            WHERE name = 'acme';
         INSERT INTO revised SELECT 999, 'settings', id, '{}', NULL FROM tenants
            WHERE name = 'acme';",
    )
    .unwrap();
    drop(conn);
    let fixture = Fixture::open(folder);
    let lines = u64::try_from(lines).unwrap();
    let all = purged(&fixture, None);
    assert_eq!(
        all,
        [
            (PurgeKind::Touches, 1),
            (PurgeKind::Callers, 1),
            (PurgeKind::Erasures, 1),
            (PurgeKind::Transcripts, 4),
            (PurgeKind::Calls, 1),
            (PurgeKind::Revisions, 1),
            (PurgeKind::AgentVersions, 1),
            (PurgeKind::Audit, lines),
            (PurgeKind::Answers, 1),
        ]
    );
    let own = all.into_iter().filter(|(kind, _)| kind.is_of_tenants()).collect::<Vec<_>>();
    assert_eq!(purged(&fixture, Some(tenant)), own);
    assert_eq!(purged(&fixture, Some(other)), []);
    let kept = fixture.read(move |rows| rows.revisions(tenant, &Paging::first(10)));
    assert!(!kept.rows.is_empty(), "what is new of its history stays");
    let conn = rusqlite::Connection::open(path(&fixture.folder)).unwrap();
    let left = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(left("SELECT count(*) FROM revised WHERE revision = 999"), 0);
    assert!(left("SELECT count(*) FROM revised") > 0);
}

#[test]
fn what_was_said_goes_before_its_call() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        call(tx, tenant, 1, 100);
        call(tx, tenant, 2, 80);
        Ok(tenant)
    });
    let (old, new) = (CallId(Uuid::from_u128(1)), CallId(Uuid::from_u128(2)));
    let mut fixture = fixture.reopened();
    for told_late in [false, true] {
        if told_late {
            // Of an old call nothing new is kept longer.
            fixture.done(move |tx| tx.add_segments(tenant, old, &[said(0), said(7)]));
            assert_eq!(fixture.read(move |rows| rows.transcript(tenant, old)).len(), 2);
            fixture = fixture.reopened();
        }
        assert_eq!(purged(&fixture, Some(tenant)), [(PurgeKind::Transcripts, 2)]);
        let (gone, kept, result) = fixture.read(move |rows| {
            let result = rows.call_result(tenant, old)?;
            Ok((rows.transcript(tenant, old)?, rows.transcript(tenant, new)?, result))
        });
        assert_eq!((gone.len(), kept.len()), (0, 2));
        assert_eq!(result, Some(CallResult::Completed("{}".to_owned())));
    }
}

#[test]
fn a_great_deal_goes_in_many_writes() {
    const COUNT: u64 = 1200;
    let fixture = Fixture::new();
    fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let agent = tx.live(tenant, Direction::Outbound, "Sales").agent.id;
        let told = |n: u64| {
            let line = phone(COUNT + n);
            touch(tenant, n.into(), phone(n), agent, line, UnixSeconds(9).0, Outcome::Busy)
        };
        tx.merge_touches(tenant, (1..=COUNT).map(told).collect())?;
        Ok(tenant)
    });
    let before = fixture.read(|rows| rows.heads()).touches;
    let fixture = fixture.reopened();
    let all = purged(&fixture, None);
    assert_eq!(all, [(PurgeKind::Touches, COUNT), (PurgeKind::Callers, COUNT)]);
    // Each write that forgets touches is one entry.
    assert_eq!(fixture.read(|rows| rows.heads()).touches, before + COUNT.div_ceil(500));
}

#[test]
fn a_log_of_a_long_absence_goes_in_many_writes() {
    let fixture = Fixture::new();
    fixture.done(|tx| tx.create_tenant("acme"));
    let folder = fixture.closed();
    let conn = rusqlite::Connection::open(path(&folder)).unwrap();
    // As if a day's entries had been made, and the daemon been away the day after.
    conn.execute_batch(
        "UPDATE log SET at = 0;
         INSERT INTO log WITH RECURSIVE made (seq) AS (
                SELECT seq + 1 FROM heads WHERE stream = 0
                UNION ALL SELECT seq + 1 FROM made LIMIT 27000)
            SELECT 0, 0, seq, zeroblob(32), x'', 0 FROM made;
         UPDATE heads SET seq = (SELECT max(seq) FROM log WHERE stream = 0) WHERE stream = 0;",
    )
    .unwrap();
    drop(conn);
    let fixture = Fixture::open(folder);
    purged(&fixture, None);
    let head = fixture.read(|rows| rows.head(Stream::Control)).seq;
    let left = fixture.read(|rows| rows.entries(Stream::Control, 0, 100_000));
    let seqs: Vec<_> = left.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (head - 9_999..=head).collect::<Vec<_>>());
}

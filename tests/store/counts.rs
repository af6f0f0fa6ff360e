//! Counts against a recount: after any writes they say what the rows say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use rusqlite::Connection;
use switchback::{
    domain::{
        AgentId, CallId, CallPatch, CallStatus, Direction, Outcome, RouteReason, TenantId, TouchId,
        UnixDay, UnixMillis,
    },
    store::CallPageFilter,
    telemetry::clock,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Arrange, Fixture, path, phone, touch};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// The first of the days on which calls are: later than today, so that opening forgets none.
const FIRST_DAY: u64 = 47_000;

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

struct World {
    fixture: Fixture,
    tenants: Vec<TenantId>,
    /// Callback agents, of each tenant in turn.
    agents: Vec<AgentId>,
}

/// Two tenants with two source agents and two callback agents each, and a touch of every source.
fn world() -> World {
    let fixture = Fixture::new();
    let (mut tenants, mut agents) = (Vec::new(), Vec::new());
    for name in ["acme", "other"] {
        let (tenant, callbacks) = fixture.done(move |tx| {
            let tenant = tx.create_tenant(name)?.tenant.id;
            let mut sources = Vec::new();
            for n in 0..2 {
                let source = tx.live(tenant, Direction::Outbound, "source").agent.id;
                let (at, outcome) = (FIRST_DAY * 24 * 3600, Outcome::NoAnswer);
                let touch = touch(tenant, n, phone(1), source, phone(9), at, outcome);
                tx.merge_touches(tenant, vec![touch])?;
                sources.push(source);
            }
            let desk = |tx: &mut switchback::store::Tx<'_>| {
                let agent = tx.live(tenant, Direction::Inbound, "desk").agent.id;
                tx.callback(tenant, agent, &sources);
                agent
            };
            Ok((tenant, [desk(tx), desk(tx)]))
        });
        tenants.push(tenant);
        agents.extend(callbacks);
    }
    World { fixture, tenants, agents }
}

/// What may become known of a call: its place in the world hangs on its id, the rest on the dice.
fn patch(world: &World, dice: &mut Dice, id: u64) -> CallPatch {
    let which = usize::try_from(id % 2).unwrap();
    let at = UnixMillis((FIRST_DAY + id % 5) * DAY_MS + dice.roll(DAY_MS));
    let agent = match id % 3 {
        0 => None,
        desk => Some(world.agents[which * 2 + usize::try_from(desk - 1).unwrap()]),
    };
    let reason = match id % 4 {
        0 => RouteReason::Default,
        _ => RouteReason::Callback,
    };
    // Touch 2 is nobody's: it is forgotten.
    let touch = TouchId(Uuid::from_u128(u128::from(id % 3)));
    let status = CallStatus::ALL[usize::try_from(dice.roll(9)).unwrap()];
    CallPatch {
        carrier_call_id: Some(format!("CA{id}")),
        direction: Some(Direction::Inbound),
        status: Some(status),
        agent,
        reason: Some(reason),
        unmatched: Some(reason == RouteReason::Default && id.is_multiple_of(8)),
        touch: (reason == RouteReason::Callback).then_some(touch),
        created_at: Some(at),
        answered_at: (dice.roll(3) == 0).then_some(at),
        ..CallPatch::new(CallId(Uuid::from_u128(u128::from(id))), world.tenants[which], at)
    }
}

type Counted = BTreeSet<String>;

fn counted(conn: &Connection, sql: &str) -> Counted {
    let mut query = conn.prepare(sql).unwrap();
    let columns = query.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cells = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
        Ok(cells.collect::<Vec<_>>().join(" "))
    };
    query.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[track_caller]
fn recount(fixture: &Fixture, also_returned: bool) {
    let conn = Connection::open(path(&fixture.folder)).unwrap();
    let mut rows = counted(
        &conn,
        "SELECT tenant, x'', created_at / 86400000, direction, status, count(*) FROM calls
         GROUP BY 1, 2, 3, 4, 5",
    );
    rows.extend(counted(
        &conn,
        "SELECT tenant, agent, created_at / 86400000, direction, status, count(*) FROM calls
         WHERE agent IS NOT NULL GROUP BY 1, 2, 3, 4, 5",
    ));
    let kept = "SELECT tenant, agent, day, direction, status, calls FROM call_counts";
    assert_eq!(counted(&conn, kept), rows);
    if !also_returned {
        return;
    }
    let of = |agent: &str| {
        format!(
            "SELECT tenant, {agent}, created_at / 86400000,
                CASE WHEN reason = 'callback' THEN coalesce((SELECT agent FROM touches
                    WHERE touches.tenant = calls.tenant AND touches.id = touch), zeroblob(16))
                    ELSE x'' END,
                count(*), count(answered_at)
             FROM calls WHERE direction = 'inbound' AND agent IS NOT NULL
                AND (reason = 'callback' OR unmatched) GROUP BY 1, 2, 3, 4"
        )
    };
    let mut rows = counted(&conn, &of("x''"));
    rows.extend(counted(&conn, &of("agent")));
    let kept = "SELECT tenant, agent, day, source, received, answered FROM callback_counts
        WHERE received > 0";
    assert_eq!(counted(&conn, kept), rows);
}

#[test]
fn counts_say_what_the_rows_say() {
    let world = world();
    let mut dice = Dice(7);
    for round in 0..20 {
        let patches: Vec<_> = (0..30)
            .map(|_| {
                let id = dice.roll(60) + 1;
                patch(&world, &mut dice, id)
            })
            .collect();
        world.fixture.done(move |tx| {
            for patch in &patches {
                tx.upsert_call(patch)?;
            }
            Ok(())
        });
        if round % 5 == 4 {
            recount(&world.fixture, true);
        }
    }
}

/// The tables as version 6 of them was, in which nothing was counted.
const UNCOUNTED: [&str; 6] = [
    include_str!("../../src/store/schema/1.sql"),
    include_str!("../../src/store/schema/2.sql"),
    include_str!("../../src/store/schema/3.sql"),
    include_str!("../../src/store/schema/4.sql"),
    include_str!("../../src/store/schema/5.sql"),
    include_str!("../../src/store/schema/6.sql"),
];

/// Puts a database of version 6 in the place of a newer one, with the same rows as far as it has
/// tables and columns for them.
fn age(folder: &TempDir) {
    let newer = path(folder).with_extension("newer");
    fs::rename(path(folder), &newer).unwrap();
    let conn = Connection::open(path(folder)).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    for step in UNCOUNTED {
        conn.execute_batch(step).unwrap();
    }
    conn.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()]).unwrap();
    let words = |sql: &str| -> Vec<String> {
        let mut query = conn.prepare(sql).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for table in words("SELECT name FROM main.sqlite_schema WHERE type = 'table'") {
        if table.starts_with("sqlite_") {
            continue;
        }
        let columns = words(&format!("SELECT name FROM pragma_table_info('{table}', 'main')"));
        let columns = columns.join(", ");
        conn.execute_batch(&format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
        ))
        .unwrap();
    }
    conn.pragma_update(None, "user_version", UNCOUNTED.len()).unwrap();
    conn.execute_batch("DETACH newer").unwrap();
    fs::remove_file(newer).unwrap();
}

#[test]
fn calls_from_before_there_were_counts_are_counted() {
    let world = world();
    let mut dice = Dice(5);
    let patches: Vec<_> = (1..=200).map(|id| patch(&world, &mut dice, id)).collect();
    world
        .fixture
        .done(move |tx| patches.iter().try_for_each(|patch| tx.upsert_call(patch).map(drop)));
    let counts = |fixture: &Fixture| {
        let conn = Connection::open(path(&fixture.folder)).unwrap();
        let rows = ["call_counts", "credits", "callback_counts WHERE received > 0"]
            .map(|rows| counted(&conn, &format!("SELECT * FROM {rows}")));
        assert!(rows.iter().all(|rows| rows.len() > 10), "{rows:?}");
        rows
    };
    let as_they_came = counts(&world.fixture);
    let World { fixture, tenants, agents } = world;
    let folder = fixture.closed();
    age(&folder);
    let world = World { fixture: Fixture::open(folder), tenants, agents };
    recount(&world.fixture, true);
    assert_eq!(counts(&world.fixture), as_they_came);
    // From there they go on as if they had always been there.
    let patches: Vec<_> = (100..=260).map(|id| patch(&world, &mut dice, id)).collect();
    world
        .fixture
        .done(move |tx| patches.iter().try_for_each(|patch| tx.upsert_call(patch).map(drop)));
    recount(&world.fixture, true);
}

#[test]
fn pages_by_counts_are_the_list_in_parts() {
    let world = world();
    let mut dice = Dice(11);
    let patches: Vec<_> = (1..=80).map(|id| patch(&world, &mut dice, id)).collect();
    world.fixture.done(move |tx| {
        for patch in &patches {
            tx.upsert_call(patch)?;
        }
        Ok(())
    });
    let tenant = world.tenants[0];
    let any = CallPageFilter::default;
    let ended = vec![CallStatus::Completed, CallStatus::Busy];
    let filters = [
        any(),
        CallPageFilter { statuses: ended, ..any() },
        CallPageFilter { agent: Some(world.agents[0]), ..any() },
        CallPageFilter { direction: Some(Direction::Outbound), ..any() },
        CallPageFilter { from: Some(UnixDay(FIRST_DAY + 1)), ..any() },
        CallPageFilter {
            agent: Some(world.agents[1]),
            to: Some(UnixDay(FIRST_DAY + 3)),
            statuses: vec![CallStatus::Failed, CallStatus::Canceled, CallStatus::Completed],
            ..any()
        },
        CallPageFilter { search: Some("ca1".to_owned()), ..any() },
    ];
    for filter in filters {
        let page = |page: u32, per_page: u32| {
            let filter = filter.clone();
            world.fixture.read(move |rows| rows.call_page(tenant, &filter, page, per_page))
        };
        let whole = page(1, 100);
        let wanted = |call: &switchback::domain::CallRecord| {
            (filter.statuses.is_empty() || filter.statuses.contains(&call.status))
                && filter.agent.is_none_or(|agent| call.agent == Some(agent))
                && filter.direction.is_none_or(|direction| call.direction == direction)
                && filter.from.is_none_or(|from| call.created_at.day() >= from)
                && filter.to.is_none_or(|to| call.created_at.day() <= to)
                && call.tenant == tenant
        };
        assert!(whole.rows.iter().all(wanted), "{filter:?}");
        assert_eq!(whole.total, u64::try_from(whole.rows.len()).unwrap(), "{filter:?}");
        let newest = |call: &switchback::domain::CallRecord| (call.created_at, call.id);
        assert!(whole.rows.is_sorted_by(|a, b| newest(a) > newest(b)), "{filter:?}");
        let mut parts = Vec::new();
        for number in 1.. {
            let part = page(number, 7);
            assert_eq!(part.total, whole.total, "{filter:?}");
            parts.extend(part.rows);
            if !part.has_more {
                break;
            }
        }
        assert_eq!(parts, whole.rows, "{filter:?}");
    }
    let all = world.fixture.read(move |rows| rows.call_page(tenant, &any(), 1, 100));
    assert_eq!(all.total, 40, "of both tenants' eighty");
}

#[test]
fn a_whole_number_or_id_is_looked_up_and_a_part_is_searched_for() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        for n in 0..3_u64 {
            let id = CallId(Uuid::from_u128(u128::from(n) + 1));
            tx.upsert_call(&CallPatch {
                carrier_call_id: Some(format!("CA{n}x")),
                ani: Some(phone(n)),
                dnis: Some(phone(100)),
                ..CallPatch::new(id, tenant, UnixMillis(FIRST_DAY * DAY_MS + n))
            })?;
        }
        Ok(tenant)
    });
    for (search, found) in [
        ("+14155550001", vec!["CA1x"]),
        ("14155550001", vec!["CA1x"]),
        ("+14155550100", vec!["CA2x", "CA1x", "CA0x"]),
        ("50002", vec!["CA2x"]),
        ("+1415555000", vec!["CA2x", "CA1x", "CA0x"]),
        ("CA0x", vec!["CA0x"]),
        ("1x", vec!["CA1x"]),
        ("%", vec![]),
        ("00000000-0000-0000-0000-000000000002", vec!["CA1x"]),
        ("00000000-0000-0000-0000-000000000009", vec![]),
    ] {
        let filter =
            CallPageFilter { search: Some(search.to_owned()), ..CallPageFilter::default() };
        let page = fixture.read(move |rows| rows.call_page(tenant, &filter, 1, 20));
        let ids: Vec<_> = page.rows.iter().map(|call| call.carrier_call_id.as_str()).collect();
        assert_eq!(ids, found, "{search}");
    }
}

#[test]
fn what_happened_stays_counted_when_its_calls_are_forgotten() {
    let world = world();
    let (tenant, agent) = (world.tenants[0], world.agents[0]);
    let old = UnixMillis(100 * DAY_MS);
    world.fixture.done(move |tx| {
        for (id, answered) in [(2_u64, true), (4, false)] {
            tx.upsert_call(&CallPatch {
                direction: Some(Direction::Inbound),
                status: Some(CallStatus::Completed),
                agent: Some(agent),
                reason: Some(RouteReason::Callback),
                touch: Some(TouchId(Uuid::from_u128(1))),
                created_at: Some(old),
                answered_at: answered.then_some(old),
                ..CallPatch::new(CallId(Uuid::from_u128(u128::from(id))), tenant, old)
            })?;
        }
        Ok(())
    });
    let fixture = world.fixture.reopened();
    let deadline = clock::now().0 + 20_000;
    let total = || {
        fixture.read(move |rows| rows.call_page(tenant, &CallPageFilter::default(), 1, 20)).total
    };
    while total() > 0 {
        assert!(clock::now().0 < deadline, "not forgotten");
    }
    recount(&fixture, false);
    let days = (UnixDay(90), UnixDay(110));
    let stats = fixture.read(move |rows| rows.callback_stats(tenant, Some(agent), days.0, days.1));
    assert_eq!((stats.received, stats.answered, stats.unmatched), (2, 1, 0));
    let by_source: BTreeMap<_, _> = stats.by_source.into_iter().collect();
    assert_eq!(by_source.values().sum::<u64>(), 2);
}

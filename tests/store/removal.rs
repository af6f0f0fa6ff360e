//! Tenants that are removed: from every table, from every index, and nobody else with them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params_from_iter, types::Value};
use switchback::{
    domain::{
        Account, AccountId, AccountOrigin, AgentId, CallId, CallPatch, CallStatus, Direction,
        NumberId, Outcome, Refusal, TenantId, TenantTie, UnixMillis,
    },
    index::Counts,
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, Followed, account, path, phone, touch};

/// What is nobody's, or says who did what.
const STAYS: [&str; 6] = ["audit", "erasure_keys", "heads", "log", "media_keys", "sqlite_sequence"];
/// What [`arrange`] fills.
const ARRANGED: [&str; 9] = [
    "tenants",
    "accounts",
    "agents",
    "numbers",
    "bindings",
    "callback_roles",
    "callback_sources",
    "touches",
    "callers",
];
const AT: u64 = 1_790_000_000;
/// A time that is too old for nothing: a start forgets what is.
const YOUNG_MS: i64 = 4_000_000_000_000;

#[derive(Clone, Copy)]
struct Side {
    tenant: TenantId,
    account: AccountId,
    agent: AgentId,
    number: NumberId,
}

/// A tenant that has called people; `n` tells two of them apart.
fn arrange(fixture: &Fixture, n: u64) -> Side {
    fixture.done(move |tx| {
        let tenant = tx.create_tenant(&format!("tenant {n}"))?.tenant.id;
        let made = account(&format!("account {n}"), Some(tenant));
        let made = tx.add_account(Account { origin: AccountOrigin::Api, ..made })?;
        let agent = tx.live(tenant, Direction::Outbound, "Sales").agent.id;
        let desk = tx.live(tenant, Direction::Inbound, "Desk").agent.id;
        let number = tx.line(tenant, phone(900 + n));
        tx.attach(tenant, agent, number);
        tx.attach(tenant, desk, number);
        tx.callback(tenant, desk, &[agent]);
        let own = phone(900 + n);
        let called = (0..3).map(|id| {
            let contact = phone(id.try_into().unwrap());
            touch(tenant, id, contact, agent, own, AT, Outcome::Voicemail)
        });
        tx.merge_touches(tenant, called.collect())?;
        Ok(Side { tenant, account: made.id, agent, number })
    })
}

fn remove(fixture: &Fixture, tenant: TenantId) -> usize {
    let mut parts = 0;
    while fixture.done(move |tx| tx.empty_tenant(tenant)) {
        parts += 1;
    }
    fixture.done(move |tx| tx.remove_tenant(tenant));
    parts
}

/// The tables in the order they were made, so that none comes before what it refers to.
fn tables(conn: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid";
    let mut query = conn.prepare(sql).unwrap();
    let names = query.query_map([], |row| row.get(0)).unwrap();
    let names: Vec<String> = names.map(Result::unwrap).collect();
    names.into_iter().filter(|name| !STAYS.contains(&name.as_str())).collect()
}

fn counts(conn: &Connection) -> BTreeMap<String, i64> {
    let count = |table: &String| {
        let sql = format!("SELECT count(*) FROM {table}");
        conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    tables(conn).into_iter().map(|table| (table.clone(), count(&table))).collect()
}

/// A row of the tenant in every table that has none yet, whatever the table is.
fn fill(conn: &Connection, side: Side) {
    let blob = |id: Uuid| Value::Blob(id.as_bytes().to_vec());
    let mut ids = HashMap::from([
        ("tenants".to_owned(), blob(side.tenant.0)),
        ("accounts".to_owned(), blob(side.account.0)),
        ("agents".to_owned(), blob(side.agent.0)),
        ("numbers".to_owned(), blob(side.number.0)),
    ]);
    for table in tables(conn).into_iter().filter(|table| !ARRANGED.contains(&table.as_str())) {
        let parents = parents(conn, &table);
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, kind, is_needed, is_key) in columns(conn, &table) {
            let of = match (name.as_str(), kind.as_str()) {
                ("tenant", _) => Some("tenants"),
                ("agent" | "source", "BLOB") => Some("agents"),
                ("number", "BLOB") => Some("numbers"),
                ("call", "BLOB") => Some("calls"),
                ("account", "BLOB") => Some("accounts"),
                (name, _) => parents.get(name).map(String::as_str),
            };
            let value = match (of, kind.as_str()) {
                (Some(parent), _) => ids[parent].clone(),
                (None, _) if !is_needed && !is_key => continue,
                // Calls are counted by these.
                (None, "TEXT") if name == "direction" => Value::Text("inbound".to_owned()),
                (None, "TEXT") if name == "status" => Value::Text("completed".to_owned()),
                (None, "TEXT") => Value::Text(format!("{table} of {}", side.tenant)),
                (None, "INTEGER") if is_key && !is_needed => Value::Integer(rand::random()),
                (None, "INTEGER") => Value::Integer(YOUNG_MS),
                (None, _) => blob(Uuid::from_bytes(rand::random())),
            };
            if is_key {
                ids.entry(table.clone()).or_insert_with(|| value.clone());
            }
            names.push(name);
            values.push(value);
        }
        let places = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({places})", names.join(", "));
        conn.execute(&sql, params_from_iter(values)).unwrap();
    }
}

/// Name, type, whether a row needs it, whether it is of the key.
fn columns(conn: &Connection, table: &str) -> Vec<(String, String, bool, bool)> {
    let sql =
        "SELECT name, type, \"notnull\" AND dflt_value IS NULL, pk FROM pragma_table_info(?1)";
    let mut query = conn.prepare(sql).unwrap();
    let found = query.query_map([table], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)? > 0))
    });
    found.unwrap().map(Result::unwrap).collect()
}

/// Which table a column refers to.
fn parents(conn: &Connection, table: &str) -> HashMap<String, String> {
    let sql = "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?1)";
    let mut query = conn.prepare(sql).unwrap();
    let found = query.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
    found.unwrap().map(Result::unwrap).collect()
}

#[test]
fn no_row_of_a_removed_tenant_is_left_in_any_table() {
    let fixture = Fixture::new();
    let first = arrange(&fixture, 1);
    let folder = fixture.closed();
    let conn = Connection::open(path(&folder)).unwrap();
    fill(&conn, first);
    let alone = counts(&conn);
    let fixture = Fixture::open(folder);
    let second = arrange(&fixture, 2);
    let folder = fixture.closed();
    fill(&conn, second);
    let both = counts(&conn);
    for (table, rows) in &alone {
        assert!(*rows > 0 && both[table] > *rows, "{table}: {rows}, then {}", both[table]);
    }
    let mut fixture = Fixture::open(folder);
    fixture.feed = None;
    remove(&fixture, second.tenant);
    let unknown = fixture.refused(move |tx| tx.remove_tenant(second.tenant));
    assert_eq!(unknown, Refusal::TenantNotFound);
    let trail = fixture.read(move |rows| rows.audit(Some(second.tenant), 1));
    assert_eq!(trail[0].action, "tenant.remove");
    drop(fixture.closed());
    assert_eq!(counts(&conn), alone);
}

#[test]
fn an_index_that_followed_equals_one_that_is_loaded() {
    let mut fixture = Fixture::followed();
    let mut feed = fixture.feed.take().unwrap();
    let mut followed = Followed::new();
    let (first, second) = (arrange(&fixture, 1), arrange(&fixture, 2));
    followed.until(&mut feed, fixture.read(|rows| rows.heads()));
    assert_eq!(followed.view().contact(second.tenant, phone(1)).len(), 1);
    let whole = followed.view().counts();
    remove(&fixture, second.tenant);
    let heads = fixture.read(|rows| rows.heads());
    followed.until(&mut feed, heads);
    drop(feed);
    let mut fixture = fixture.reopened();
    let mut loaded = Followed::new();
    loaded.until(&mut fixture.feed.take().unwrap(), heads);
    for view in [followed.view(), loaded.view()] {
        let half = Counts {
            tenants: whole.tenants / 2,
            accounts: whole.accounts / 2,
            agents: whole.agents / 2,
            numbers: whole.numbers / 2,
            contacts: whole.contacts / 2,
        };
        assert_eq!(view.counts(), half);
        assert!(view.tenant(second.tenant).is_none() && view.agent(second.agent).is_none());
        assert!(view.number(Some(second.account), phone(902)).is_none());
        assert!(view.number(Some(first.account), phone(901)).is_some());
        for person in (0..3).map(phone) {
            assert_eq!(view.contact(first.tenant, person).len(), 1);
            assert!(view.contact(second.tenant, person).is_empty());
        }
    }
}

#[test]
fn a_tenant_of_the_file_or_with_a_call_in_progress_stays() {
    let fixture = Fixture::new();
    let side = arrange(&fixture, 1);
    let tenant = side.tenant;
    let call = |status| CallPatch {
        carrier_call_id: Some("CA1".to_owned()),
        direction: Some(Direction::Inbound),
        status: Some(status),
        ..CallPatch::new(CallId(Uuid::from_u128(1)), tenant, UnixMillis(AT * 1000))
    };
    let (ringing, over) = (call(CallStatus::Ringing), call(CallStatus::Completed));
    let late = over.clone();
    fixture.done(move |tx| tx.upsert_call(&ringing));
    for refused in [
        fixture.refused(move |tx| tx.empty_tenant(tenant)),
        fixture.refused(move |tx| tx.remove_tenant(tenant)),
    ] {
        assert_eq!(refused, Refusal::TenantStays(TenantTie::ActiveCalls));
    }
    fixture.done(move |tx| tx.upsert_call(&over));
    fixture.done(move |tx| tx.reconcile_accounts(vec![account("of the file", Some(tenant))]));
    let refused = fixture.refused(move |tx| tx.remove_tenant(tenant));
    assert_eq!(refused, Refusal::TenantStays(TenantTie::File));
    fixture.done(|tx| tx.reconcile_accounts(Vec::new()));
    remove(&fixture, tenant);
    // What the carrier says of it later finds nobody.
    assert_eq!(fixture.refused(move |tx| tx.upsert_call(&late)), Refusal::TenantNotFound);
}

#[test]
fn what_a_tenant_has_most_of_goes_a_part_at_a_time() {
    let fixture = Fixture::new();
    let side = arrange(&fixture, 1);
    fixture.done(move |tx| {
        let called = (10..1_210).map(|id| {
            let contact = phone(id.try_into().unwrap());
            touch(side.tenant, id, contact, side.agent, phone(901), AT, Outcome::Busy)
        });
        tx.merge_touches(side.tenant, called.collect())
    });
    assert_eq!(remove(&fixture, side.tenant), 3);
}

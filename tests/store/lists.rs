//! Lists: filters, cursors, pages.

use rusqlite::{Connection, params};
use switchback::{
    domain::{
        AgentId, AgentState, CallId, CallPatch, CallStatus, DeliveryStatus, Direction, Refusal,
        TenantId, UnixMillis, WebhookId,
    },
    store::{
        AgentFilter, CallFilter, DeliveryFilter, InboundChange, Listed, NewAgent, NewNumber,
        Paging, Sharing,
    },
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, account, path, phone};

fn places(all: &[AgentId], listed: &Listed<switchback::domain::AgentRecord>) -> Vec<usize> {
    let place = |id| all.iter().position(|&known| known == id).unwrap();
    listed.rows.iter().map(|row| place(row.agent.id)).collect()
}

#[test]
fn cursors_walk_both_ways_and_pages_count() {
    let fixture = Fixture::new();
    let (tenant, all) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let other = tx.create_tenant("other")?.tenant.id;
        tx.live(other, Direction::Inbound, "theirs");
        let mut all = Vec::new();
        for n in 0..5 {
            all.push(tx.live(tenant, Direction::Inbound, &format!("a{n}")).agent.id);
        }
        Ok((tenant, all))
    });
    let list = |paging: Paging| {
        fixture.read(move |rows| rows.agents(tenant, &AgentFilter::default(), &paging))
    };
    let keyset = |after: Option<usize>, before: Option<usize>| Paging::Keyset {
        limit: 2,
        starting_after: after.map(|place| all[place].0),
        ending_before: before.map(|place| all[place].0),
    };
    for (paging, expected, has_more) in [
        (keyset(None, None), vec![4, 3], true),
        (keyset(Some(3), None), vec![2, 1], true),
        (keyset(Some(1), None), vec![0], false),
        (keyset(None, Some(0)), vec![2, 1], true),
        (keyset(None, Some(3)), vec![4], false),
        (keyset(None, Some(4)), vec![], false),
        (Paging::Page { page: 1, per_page: 3 }, vec![4, 3, 2], true),
        (Paging::Page { page: 2, per_page: 3 }, vec![1, 0], false),
        (Paging::Page { page: 3, per_page: 3 }, vec![], false),
    ] {
        let listed = list(paging);
        assert_eq!(places(&all, &listed), expected, "{paging:?}");
        assert_eq!(listed.has_more, has_more, "{paging:?}");
    }
    assert_eq!(list(Paging::Page { page: 1, per_page: 2 }).total, 5);
    let foreign =
        Paging::Keyset { limit: 2, starting_after: Some(Uuid::from_u128(1)), ending_before: None };
    let read = fixture.wait(
        fixture.store.read(move |rows| rows.agents(tenant, &AgentFilter::default(), &foreign)),
    );
    let error = read.unwrap_err().to_string();
    assert!(error.contains("starting_after"), "{error}");
}

#[test]
fn agents_are_found_by_what_they_are() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        tx.live(tenant, Direction::Outbound, "100% renewals");
        let gone = tx.live(tenant, Direction::Inbound, "gone").agent.id;
        tx.archive_agent(tenant, gone)?;
        let label = Some("Night desk".to_owned());
        let draft = NewAgent { label, ..NewAgent::named(Direction::Inbound, "n") };
        tx.create_agent(tenant, draft, Sharing::Allowed)?;
        Ok(tenant)
    });
    let count = |filter: AgentFilter| {
        fixture.read(move |rows| Ok(rows.agents(tenant, &filter, &Paging::first(10))?.rows.len()))
    };
    let any = AgentFilter::default;
    let search = |text: &str| AgentFilter { search: Some(text.to_owned()), ..any() };
    assert_eq!(count(any()), 2);
    assert_eq!(count(AgentFilter { archived: true, ..any() }), 3);
    assert_eq!(count(AgentFilter { direction: Some(Direction::Inbound), ..any() }), 1);
    assert_eq!(count(search("night")), 1);
    assert_eq!(count(search("0% r")), 1);
    assert_eq!(count(search("0_ r")), 0, "no wildcards");
}

#[test]
fn calls_are_found_by_what_they_are() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        for n in 0..3_u64 {
            let id = CallId(Uuid::from_u128(u128::from(n) + 1));
            tx.upsert_call(&CallPatch {
                carrier_call_id: Some(format!("CA{n}")),
                ani: Some(phone(n)),
                dnis: Some(phone(100)),
                status: Some(if n == 0 { CallStatus::Completed } else { CallStatus::Ringing }),
                ..CallPatch::new(id, tenant, UnixMillis(n * 10))
            })?;
        }
        Ok(tenant)
    });
    let found = |filter: CallFilter| {
        fixture.read(move |rows| {
            let listed = rows.calls(tenant, &filter, &Paging::first(10))?;
            Ok(listed.rows.into_iter().map(|call| call.carrier_call_id).collect::<Vec<_>>())
        })
    };
    let any = CallFilter::default;
    assert_eq!(found(any()), ["CA2", "CA1", "CA0"]);
    assert_eq!(found(CallFilter { status: Some(CallStatus::Completed), ..any() }), ["CA0"]);
    assert_eq!(found(CallFilter { ani: Some(phone(1)), ..any() }), ["CA1"]);
    assert_eq!(found(CallFilter { from_date: Some(UnixMillis(10)), ..any() }), ["CA2", "CA1"]);
    assert_eq!(found(CallFilter { to_date: Some(UnixMillis(9)), ..any() }), ["CA0"]);
    assert_eq!(found(CallFilter { carrier_call_id: Some("CA1".into()), ..any() }), ["CA1"]);
    let by_number = CallFilter { search: Some("+14155550002".into()), ..any() };
    assert_eq!(found(by_number), ["CA2"]);
    let by_id = CallFilter { search: Some(Uuid::from_u128(1).to_string()), ..any() };
    assert_eq!(found(by_id), ["CA0"]);
    let nobody = fixture.refused(move |tx| {
        tx.upsert_call(&CallPatch::new(
            CallId(Uuid::from_u128(9)),
            switchback::domain::TenantId(Uuid::from_u128(9)),
            UnixMillis(0),
        ))
    });
    assert_eq!(nobody, Refusal::TenantNotFound);
}

/// Every row of a list, read by few at a time.
fn walked<T>(list: impl Fn(Paging) -> Listed<T>, id: impl Fn(&T) -> Uuid) -> Vec<Uuid> {
    let mut walked: Vec<Uuid> = Vec::new();
    loop {
        let starting_after = walked.last().copied();
        let listed = list(Paging::Keyset { limit: 3, starting_after, ending_before: None });
        assert!(listed.rows.len() == 3 || !listed.has_more);
        walked.extend(listed.rows.iter().map(&id));
        if !listed.has_more {
            return walked;
        }
    }
}

#[test]
fn calls_of_each_standing_are_one_list() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        for n in 0..60_u64 {
            let status = CallStatus::ALL[usize::try_from(n * 7 % 9).unwrap()];
            tx.upsert_call(&CallPatch {
                status: Some(status),
                // Some at the same time: then their ids decide.
                ..CallPatch::new(CallId(Uuid::from_u128(u128::from(n))), tenant, UnixMillis(n / 4))
            })?;
        }
        Ok(tenant)
    });
    // Only calls that were placed go out; their rows are like any other.
    let conn = Connection::open(path(&fixture.folder)).unwrap();
    let out = "UPDATE calls SET direction = 'outbound' WHERE created_at % 3 = 1";
    assert!(conn.execute(out, []).unwrap() > 10);
    let whole =
        fixture.read(move |rows| rows.calls(tenant, &CallFilter::default(), &Paging::first(100)));
    assert_eq!(whole.rows.len(), 60);
    let statuses = [None, Some(CallStatus::Busy), Some(CallStatus::Completed)];
    let directions = [None, Some(Direction::Inbound), Some(Direction::Outbound)];
    for (status, direction, is_over) in statuses
        .into_iter()
        .flat_map(|status| directions.map(|direction| (status, direction)))
        .flat_map(|(s, d)| [None, Some(true), Some(false)].map(|is_over| (s, d, is_over)))
    {
        let filter = CallFilter { status, direction, is_over, ..CallFilter::default() };
        let expected: Vec<_> = whole
            .rows
            .iter()
            .filter(|call| status.is_none_or(|status| status == call.status))
            .filter(|call| direction.is_none_or(|direction| direction == call.direction))
            .filter(|call| is_over.is_none_or(|is_over| is_over == call.status.is_final()))
            .map(|call| call.id.0)
            .collect();
        let list = |paging: Paging| {
            let filter = filter.clone();
            fixture.read(move |rows| rows.calls(tenant, &filter, &paging))
        };
        assert_eq!(walked(list, |call| call.id.0), expected, "{filter:?}");
        let page = list(Paging::Page { page: 2, per_page: 5 });
        let total = u64::try_from(expected.len()).unwrap();
        let second: Vec<_> = expected.iter().skip(5).take(5).copied().collect();
        let found: Vec<_> = page.rows.iter().map(|call| call.id.0).collect();
        assert_eq!((page.total, found), (total, second), "{filter:?}");
        if let Some(oldest) = expected.last() {
            let before =
                Paging::Keyset { limit: 100, starting_after: None, ending_before: Some(*oldest) };
            let newer: Vec<_> = list(before).rows.iter().map(|call| call.id.0).collect();
            assert_eq!(newer, expected[..expected.len() - 1], "{filter:?}");
        }
    }
}

#[test]
fn a_search_finds_a_call_named_whole_before_one_named_in_part() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        for (n, carrier_call_id) in ["CA1", "CA12", "CA123"].into_iter().enumerate() {
            let id = CallId(Uuid::from_u128(n as u128 + 1));
            tx.upsert_call(&CallPatch {
                carrier_call_id: Some(carrier_call_id.to_owned()),
                ani: Some(phone(n as u64)),
                ..CallPatch::new(id, tenant, UnixMillis(n as u64))
            })?;
        }
        Ok(tenant)
    });
    let found = |text: &'static str| {
        let filter = CallFilter { search: Some(text.to_owned()), ..CallFilter::default() };
        let listed = fixture.read(move |rows| rows.calls(tenant, &filter, &Paging::first(10)));
        listed.rows.into_iter().map(|call| call.carrier_call_id).collect::<Vec<_>>()
    };
    assert_eq!(found("CA12"), ["CA12"]);
    assert_eq!(found("A12"), ["CA123", "CA12"]);
    assert_eq!(found("+14155550002"), ["CA123"]);
    assert_eq!(found("415555"), ["CA123", "CA12", "CA1"]);
    assert_eq!(found("nothing"), Vec::<String>::new());
}

#[test]
fn an_agents_list_says_how_many_there_are_whatever_became_of_them() {
    let fixture = Fixture::new();
    let check = |tenant: TenantId, what: &str| {
        for direction in [None, Some(Direction::Inbound), Some(Direction::Outbound)] {
            for (state, archived) in [
                (None, false),
                (None, true),
                (Some(AgentState::Draft), false),
                (Some(AgentState::Live), false),
                (Some(AgentState::Archived), true),
            ] {
                let filter = AgentFilter { direction, state, archived, search: None };
                let said = filter.clone();
                let page = Paging::Page { page: 1, per_page: 2 };
                let total = fixture.read(move |rows| rows.agents(tenant, &said, &page)).total;
                let all = Paging::first(100);
                let found = fixture.read(move |rows| rows.agents(tenant, &filter, &all));
                let found = u64::try_from(found.rows.len()).unwrap();
                assert_eq!(total, found, "{what}: {direction:?} {state:?} {archived}");
            }
        }
    };
    let (tenant, agents, number) = fixture.done(|tx| {
        tx.reconcile_accounts(vec![account("main", None)])?;
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let one = tx.live(tenant, Direction::Inbound, "one").agent.id;
        let other = tx.live(tenant, Direction::Outbound, "other").agent.id;
        let draft = NewAgent::named(Direction::Inbound, "draft");
        let draft = tx.create_agent(tenant, draft, Sharing::Allowed)?.agent.id;
        let new =
            NewNumber { e164: phone(1), account: None, friendly_name: None, passthrough: None };
        let number = tx.add_number(tenant, new)?.0.id;
        Ok((tenant, [one, other, draft], number))
    });
    check(tenant, "made");
    let inbound =
        |is_enabled| InboundChange { is_enabled, profile: "{}".to_owned(), targets: None };
    fixture.done(move |tx| tx.set_inbound(tenant, number, inbound(true)));
    check(tenant, "nobody named the number's own");
    fixture.done(move |tx| tx.set_inbound(tenant, number, inbound(false)));
    check(tenant, "and it is off");
    let [one, other, draft] = agents;
    fixture.done(move |tx| tx.unpublish(tenant, one));
    check(tenant, "unpublished");
    fixture.done(move |tx| tx.set_calling(tenant, other, Direction::Inbound, None));
    check(tenant, "turned");
    fixture.done(move |tx| tx.archive_agent(tenant, other));
    check(tenant, "archived");
    fixture.done(move |tx| tx.delete_agent(tenant, draft));
    check(tenant, "deleted");
    fixture.done(move |tx| tx.remove_number(tenant, number));
    check(tenant, "the number is gone");
}

#[test]
fn deliveries_of_each_status_are_one_list() {
    let fixture = Fixture::new();
    let tenant = fixture.done(|tx| Ok(tx.create_tenant("acme")?.tenant.id));
    let conn = Connection::open(path(&fixture.folder)).unwrap();
    let id = |n: u64| Uuid::from_u128(u128::from(n) + 1);
    let of = |n: u64| {
        (
            id(n % 3 + 100),
            n % 4 == 1,
            id(n % 5 + 200),
            DeliveryStatus::ALL[usize::try_from(n * 5 % 3).unwrap()],
        )
    };
    for n in 0..40_u64 {
        let (webhook, is_agents, call, status) = of(n);
        conn.execute(
            "INSERT INTO deliveries (id, tenant, webhook, is_agents, lane, call, event, url, body,
                status, attempts, manual_retries, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?3, ?5, 'e', 'https://a.test/', '{}', ?6, 0, 0, ?7, ?7)",
            params![
                id(n).as_bytes(),
                tenant.0.as_bytes(),
                webhook.as_bytes(),
                is_agents,
                call.as_bytes(),
                status.as_str(),
                n / 3,
            ],
        )
        .unwrap();
    }
    let webhooks = [None, Some(id(101))];
    let calls = [None, Some(id(202))];
    let statuses = DeliveryStatus::ALL.iter().copied().map(Some).chain([None]);
    for (status, webhook) in statuses.flat_map(|status| webhooks.map(|webhook| (status, webhook))) {
        for call in calls {
            let filter =
                DeliveryFilter { webhook: webhook.map(WebhookId), call: call.map(CallId), status };
            let mut expected: Vec<u64> = (0..40)
                .filter(|n| !of(*n).1)
                .filter(|n| webhook.is_none_or(|webhook| webhook == of(*n).0))
                .filter(|n| call.is_none_or(|call| call == of(*n).2))
                .filter(|n| status.is_none_or(|status| status == of(*n).3))
                .collect();
            expected.reverse();
            let expected: Vec<_> = expected.into_iter().map(id).collect();
            let list = |paging: Paging| {
                fixture.read(move |rows| rows.deliveries(tenant, &filter, &paging))
            };
            assert_eq!(walked(list, |delivery| delivery.id.0), expected, "{filter:?}");
        }
    }
}

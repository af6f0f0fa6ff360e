//! Lists: filters, cursors, pages.

use switchback::{
    domain::{AgentId, CallId, CallPatch, CallStatus, Direction, Refusal, UnixMillis},
    store::{AgentFilter, CallFilter, Listed, NewAgent, Paging, Sharing},
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, phone};

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

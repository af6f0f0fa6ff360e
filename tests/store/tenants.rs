//! Two tenants, random histories: nothing crosses but that a number is taken.

use proptest::prelude::*;
use switchback::{
    domain::{AgentRecord, CallRecord, NumberRecord, TenantId, TenantRecord, TouchRecord},
    index::Delta,
    replica::{log::Stream, wire},
    store::{AgentFilter, CallFilter, Heads, Paging, Rows, WriteError},
};

use crate::{
    history::{Foreign, World, histories, history},
    support::{Fixture, phone},
};

/// Everything a tenant can see.
#[derive(Debug, PartialEq)]
struct Seen {
    tenant: Option<TenantRecord>,
    agents: Vec<AgentRecord>,
    numbers: Vec<NumberRecord>,
    touches: Vec<TouchRecord>,
    calls: Vec<CallRecord>,
}

fn seen(rows: &Rows<'_>, tenant: TenantId) -> Result<Seen, WriteError> {
    let all = Paging::first(1000);
    let filter = AgentFilter { archived: true, ..AgentFilter::default() };
    let mut touches = rows.contact(tenant, phone(100))?;
    touches.extend(rows.contact(tenant, phone(101))?);
    Ok(Seen {
        tenant: rows.tenant(tenant)?,
        agents: rows.agents(tenant, &filter, &all)?.rows,
        numbers: rows.numbers(tenant, &all)?.rows,
        touches,
        calls: rows.calls(tenant, &CallFilter::default(), &all)?.rows,
    })
}

impl Seen {
    fn is_all_of(&self, tenant: TenantId) -> bool {
        self.agents.iter().all(|row| row.agent.tenant == tenant)
            && self.numbers.iter().all(|row| row.tenant == tenant)
            && self.touches.iter().all(|row| row.touch.tenant == tenant)
            && self.calls.iter().all(|row| row.tenant == tenant)
    }
}

/// What the entries after `since` say, and whose it is.
fn said(rows: &Rows<'_>, since: Heads) -> Result<Vec<Delta>, WriteError> {
    let mut deltas = Vec::new();
    for (stream, seq) in [(Stream::Control, since.control), (Stream::Touches, since.touches)] {
        for entry in rows.entries(stream, seq, 1000)? {
            deltas.extend(wire::decode(&entry.body).unwrap());
        }
    }
    Ok(deltas)
}

fn is_of(delta: &Delta, tenant: TenantId) -> bool {
    match delta {
        Delta::Tenant(of) => of.id == tenant,
        Delta::Agent(of) => of.tenant == tenant,
        Delta::Number(of) => of.tenant == tenant,
        Delta::Touches(of) => of.iter().all(|touch| touch.tenant == tenant),
        Delta::Contact { tenant: of, .. } => *of == tenant,
        // Ids of what is gone: the write could only remove its own, which `Seen` shows.
        Delta::AgentRemoved(_) | Delta::NumberRemoved(_) => true,
        Delta::TenantRemoved(of) => *of == tenant,
        Delta::Account(_) | Delta::AccountRemoved(_) | Delta::MediaKeys(_) => false,
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn nothing_crosses(steps in history(60)) {
        let fixture = Fixture::new();
        let mut world = World::begin(&fixture);
        for step in &steps {
            let (own, other) = (world.tenants[step.tenant], world.tenants[1 - step.tenant]);
            let look = move |rows: &Rows<'_>| Ok((seen(rows, other)?, rows.heads()?));
            let (before, heads) = fixture.read(look);

            // Somebody else's id answers exactly as one that nothing ever had.
            let known = world.try_out(&fixture, step, Foreign::AsItIs);
            let unknown = world.try_out(&fixture, step, Foreign::Unknown);
            let answer = world.run(&fixture, step);
            prop_assert_eq!(&known, &answer);
            prop_assert_eq!(&known, &unknown, "{:?}", step);

            let (after, deltas) =
                fixture.read(move |rows| Ok((seen(rows, other)?, said(rows, heads)?)));
            prop_assert_eq!(before, after, "{:?}", step);
            prop_assert!(deltas.iter().all(|delta| is_of(delta, own)), "{:?} {:?}", step, deltas);
            let own_seen = fixture.read(move |rows| seen(rows, own));
            prop_assert!(own_seen.is_all_of(own));
        }
    }
}

//! What a hosted API's change makes of rows that are here: in which order, beside which of ours,
//! and what stands in its way.

use switchback::{
    domain::{
        AgentId, AgentState, Direction, HostedAgent, HostedCallback, HostedKind, HostedNumber,
        NumberId, Refusal, TenantId, UnixMillis, UpstreamRecord,
    },
    store::{MirrorChange, Tx, WriteError},
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, phone};

const LINE: NumberId = NumberId(Uuid::from_u128(100));

fn id(n: u128) -> AgentId {
    AgentId(Uuid::from_u128(n))
}

fn upstream(tenant: TenantId, kind: HostedKind) -> UpstreamRecord {
    UpstreamRecord {
        name: "source".to_owned(),
        kind,
        base_url: "https://t.example.com".to_owned(),
        tenant,
        last_success_at: None,
        calls_until: None,
    }
}

fn agent(n: u128, direction: Direction, sources: &[AgentId]) -> HostedAgent {
    let (window_days, trigger_outcomes) = (None, None);
    let role = HostedCallback { sources: sources.to_vec(), window_days, trigger_outcomes };
    HostedAgent {
        id: id(n),
        name: format!("agent {n}"),
        label: None,
        direction,
        state: AgentState::Live,
        profile: "{}".to_owned(),
        numbers: vec![LINE],
        primary: None,
        callback: Some(role).filter(|role| !role.sources.is_empty()),
        created_at: UnixMillis(0),
    }
}

fn line(default_agent: Option<AgentId>) -> HostedNumber {
    HostedNumber { id: LINE, e164: phone(1), friendly_name: None, default_agent }
}

fn default(tx: &Tx<'_>, tenant: TenantId) -> Option<AgentId> {
    tx.number(tenant, LINE).unwrap().unwrap().default_agent
}

/// A tenant with an upstream, and that change applied.
fn apply(
    tx: &mut Tx<'_>,
    kind: HostedKind,
    agents: Vec<HostedAgent>,
    numbers: Vec<HostedNumber>,
) -> Result<TenantId, WriteError> {
    let tenant = match tx.tenant_by_name("acme")? {
        Some(known) => known.tenant.id,
        None => tx.create_tenant("acme")?.tenant.id,
    };
    tx.reconcile_upstreams(&[upstream(tenant, kind)])?;
    let change = MirrorChange { agents, numbers, ..MirrorChange::default() };
    tx.apply_mirror("source", None, change)?;
    Ok(tenant)
}

#[test]
fn the_last_attached_of_one_change_is_the_default() {
    Fixture::new().done(|tx| {
        let (first, last) = (agent(9, Direction::Inbound, &[]), agent(1, Direction::Inbound, &[]));
        let outbound = agent(2, Direction::Outbound, &[]);
        let desk = agent(3, Direction::Inbound, &[id(2)]);
        let agents = vec![desk, first, last.clone(), outbound];
        let tenant = apply(tx, HostedKind::Talkover, agents, vec![line(None)])?;
        assert_eq!(default(tx, tenant), Some(id(1)));
        let role = tx.agent(tenant, id(3))?.unwrap().agent.callback.unwrap();
        assert_eq!(role.sources, [id(2)], "a source may follow its role in a change");
        let last = HostedAgent { state: AgentState::Draft, ..last };
        apply(tx, HostedKind::Talkover, vec![last], vec![])?;
        assert_eq!(default(tx, tenant), Some(id(9)));
        Ok(())
    });
}

#[test]
fn callingbox_says_who_the_default_is() {
    Fixture::new().done(|tx| {
        let inbound = |n| agent(n, Direction::Inbound, &[]);
        let agents = vec![inbound(1), inbound(2)];
        let tenant = apply(tx, HostedKind::CallingBox, agents, vec![line(Some(id(1)))])?;
        assert_eq!(default(tx, tenant), Some(id(1)));
        // An agent of ours who claims it by name is heard, until they say something new.
        let ours = tx.live(tenant, Direction::Inbound, "ours").agent.id;
        tx.attach(tenant, ours, LINE);
        apply(tx, HostedKind::CallingBox, vec![], vec![line(Some(id(1)))])?;
        let bindings = tx.number(tenant, LINE)?.unwrap().bindings;
        let claims: Vec<_> = bindings.iter().filter(|b| b.claim.is_some()).collect();
        assert_eq!(claims.len(), 2, "{bindings:?}");
        Ok(())
    });
}

#[test]
fn callingbox_agents_take_the_role_here_and_keep_it() {
    Fixture::new().done(|tx| {
        let (desk, caller) =
            (agent(1, Direction::Inbound, &[]), agent(2, Direction::Outbound, &[]));
        let agents = vec![desk.clone(), caller];
        let tenant = apply(tx, HostedKind::CallingBox, agents, vec![line(Some(id(1)))])?;
        tx.callback(tenant, id(1), &[id(2)]);
        let renamed = HostedAgent { name: "new".to_owned(), ..desk };
        apply(tx, HostedKind::CallingBox, vec![renamed], vec![])?;
        let record = tx.agent(tenant, id(1))?.unwrap();
        assert_eq!((record.agent.name.as_str(), record.agent.callback.is_some()), ("new", true));
        // One that turns outbound cannot hold it.
        let turned = agent(1, Direction::Outbound, &[]);
        apply(tx, HostedKind::CallingBox, vec![turned], vec![])?;
        assert_eq!(tx.agent(tenant, id(1))?.unwrap().agent.callback, None);
        Ok(())
    });
}

#[test]
fn what_goes_takes_our_attachments_along_and_nothing_else() {
    for (kind, expected) in
        [(HostedKind::Talkover, None), (HostedKind::CallingBox, Some(AgentState::Archived))]
    {
        Fixture::new().done(move |tx| {
            let agents =
                vec![agent(1, Direction::Inbound, &[]), agent(2, Direction::Outbound, &[])];
            let tenant = apply(tx, kind, agents, vec![line(None)])?;
            let ours = tx.live(tenant, Direction::Inbound, "ours").agent.id;
            tx.attach(tenant, ours, LINE);
            tx.callback(tenant, ours, &[id(2)]);
            let change = MirrorChange {
                gone_agents: vec![id(2)],
                gone_numbers: vec![LINE],
                ..MirrorChange::default()
            };
            tx.apply_mirror("source", None, change)?;
            assert_eq!(tx.number(tenant, LINE)?, None);
            let gone = tx.agent(tenant, id(2))?.map(|record| record.agent.state);
            assert_eq!(gone, expected, "{kind}");
            let ours = tx.agent(tenant, ours)?.unwrap();
            assert_eq!((ours.numbers.len(), ours.primary_number), (0, None));
            // A retired source still counts, a deleted one does not.
            assert_eq!(ours.agent.callback.is_some(), expected.is_some(), "{kind}");
            assert!(tx.agent(tenant, id(1))?.unwrap().agent.is_live());
            Ok(())
        });
    }
}

#[test]
fn what_is_somebody_elses_stands_in_the_way() {
    let fixture = Fixture::new();
    let refusal = fixture.refused(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        tx.line(tenant, phone(1));
        apply(tx, HostedKind::Talkover, vec![], vec![line(None)])
    });
    assert!(matches!(&refusal, Refusal::Invalid(errors) if errors[0].field.contains("numbers")));
    let refusal = fixture.refused(|tx| {
        let agents = vec![agent(1, Direction::Inbound, &[])];
        let first = apply(tx, HostedKind::Talkover, agents.clone(), vec![])?;
        let other = tx.create_tenant("other")?.tenant.id;
        assert_ne!(first, other);
        let second =
            UpstreamRecord { name: "second".to_owned(), ..upstream(other, HostedKind::Talkover) };
        tx.reconcile_upstreams(&[upstream(first, HostedKind::Talkover), second])?;
        tx.apply_mirror("second", None, MirrorChange { agents, ..MirrorChange::default() })
    });
    assert!(matches!(&refusal, Refusal::Invalid(errors) if errors[0].field.contains("agents")));
}

#[test]
fn an_upstream_that_has_left_the_file_lets_go() {
    let fixture = Fixture::new();
    let refused = fixture.done(|tx| {
        let agents = vec![agent(1, Direction::Inbound, &[])];
        let tenant = apply(tx, HostedKind::Talkover, agents, vec![line(None)])?;
        let refused = tx.archive_agent(tenant, id(1)).is_err();
        tx.reconcile_upstreams(&[])?;
        tx.archive_agent(tenant, id(1))?;
        tx.remove_number(tenant, LINE)?;
        Ok(refused)
    });
    assert!(refused);
}

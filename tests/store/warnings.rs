//! What writes warn of.

use switchback::{
    domain::{AgentState, Builtin, Direction, Outcome, Target, Warning, WarningCode},
    store::{AgentPatch, NewAgent, Role, Settings, Sharing, Store, Tx},
};
use tempfile::TempDir;

use crate::support::{Arrange, Fixture, account, path, phone, touch};

fn codes(warnings: &[Warning]) -> Vec<WarningCode> {
    warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_default_that_moves_is_named_from_and_to() {
    let fixture = Fixture::new();
    let (tenant, number, front, desk) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let number = tx.line(tenant, phone(1));
        let front = tx.live(tenant, Direction::Inbound, "front").agent.id;
        let desk = tx.live(tenant, Direction::Inbound, "desk").agent.id;
        Ok((tenant, number, front, desk))
    });
    let attach = |agent| {
        let written = fixture
            .write(move |tx| tx.attach_number(tenant, agent, number, Sharing::Allowed))
            .unwrap();
        written.warnings
    };
    assert_eq!(attach(front), [], "nobody answered before");
    let moved = attach(desk);
    assert_eq!(codes(&moved), [WarningCode::DefaultMoved]);
    assert_eq!(
        (moved[0].number, moved[0].from, moved[0].to),
        (Some(phone(1)), Some(front), Some(desk))
    );
    let back = fixture.write(move |tx| tx.unpublish(tenant, desk)).unwrap().warnings;
    assert_eq!((back[0].from, back[0].to), (Some(desk), Some(front)));
    let nobody = fixture.write(move |tx| tx.archive_agent(tenant, front)).unwrap().warnings;
    assert_eq!((nobody[0].from, nobody[0].to), (Some(front), None));
}

#[test]
fn a_live_agent_without_a_target_is_warned_of_unless_there_is_a_default_target() {
    let make = |tx: &mut Tx<'_>| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let new = NewAgent { state: AgentState::Live, ..NewAgent::named(Direction::Inbound, "a") };
        tx.create_agent(tenant, new, Sharing::Allowed)
    };
    let fixture = Fixture::new();
    assert_eq!(codes(&fixture.write(make).unwrap().warnings), [WarningCode::NoTarget]);

    let folder = TempDir::new().unwrap();
    let settings = Settings { has_default_target: true, ..Settings::at(path(&folder)) };
    let (store, _) = Store::open(&settings).unwrap();
    let written = fixture.wait(store.write(switchback::store::Actor::default(), make)).unwrap();
    assert_eq!(written.warnings, []);
}

#[test]
fn a_callback_agent_should_own_what_its_sources_show() {
    let fixture = Fixture::new();
    let (tenant, shown, elsewhere, source, desk) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let shown = tx.line(tenant, phone(1));
        let source = tx.live(tenant, Direction::Outbound, "renewals").agent.id;
        let desk = tx.live(tenant, Direction::Inbound, "desk").agent.id;
        tx.attach(tenant, source, shown);
        // A caller ID of a dialer of their own.
        let told = touch(tenant, 1, phone(7), source, phone(2), 100, Outcome::NoAnswer);
        tx.merge_touches(tenant, vec![told])?;
        Ok((tenant, shown, tx.line(tenant, phone(2)), source, desk))
    });
    let warned = |warnings: &[Warning]| -> Vec<_> {
        let of = warnings.iter().filter(|w| w.code == WarningCode::CallerIdNotOwned);
        of.map(|warning| warning.number.unwrap()).collect()
    };
    let take = fixture
        .write(move |tx| {
            let change =
                switchback::store::CallbackChange { sources: vec![source], ..Default::default() };
            tx.set_callback(tenant, desk, change, Role::TakeOrReplace)
        })
        .unwrap();
    assert_eq!(warned(&take.warnings), [phone(1), phone(2)]);
    let attach = |number| {
        fixture
            .write(move |tx| tx.attach_number(tenant, desk, number, Sharing::Allowed))
            .unwrap()
            .warnings
    };
    assert_eq!(warned(&attach(shown)), [phone(2)]);
    assert_eq!(warned(&attach(elsewhere)), []);
    // Another number for the source is the callback agent's concern too.
    let late = fixture
        .write(move |tx| {
            let third = tx.line(tenant, phone(3));
            tx.attach_number(tenant, source, third, Sharing::Allowed)
        })
        .unwrap();
    assert_eq!(warned(&late.warnings), [phone(3)]);
}

#[test]
fn a_builtin_on_a_carriers_number_is_for_tests() {
    let fixture = Fixture::new();
    let (tenant, agent) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        tx.reconcile_accounts(vec![account("main", None)])?;
        let number = tx.line(tenant, phone(1));
        let agent = tx.live(tenant, Direction::Inbound, "front").agent.id;
        tx.attach(tenant, agent, number);
        Ok((tenant, agent))
    });
    let written = fixture.write(move |tx| {
        let targets = Some(vec![Target::Builtin(Builtin::Echo)]);
        tx.update_agent(tenant, agent, AgentPatch { targets, ..AgentPatch::default() })
    });
    assert_eq!(codes(&written.unwrap().warnings), [WarningCode::BuiltinTarget]);
}

#[test]
fn a_flip_to_inbound_claims_nothing_and_says_so() {
    let fixture = Fixture::new();
    let (tenant, agent) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        let number = tx.line(tenant, phone(1));
        let agent = tx.live(tenant, Direction::Outbound, "renewals").agent.id;
        tx.attach(tenant, agent, number);
        Ok((tenant, agent))
    });
    let flip =
        fixture.write(move |tx| tx.set_calling(tenant, agent, Direction::Inbound, None)).unwrap();
    assert_eq!(codes(&flip.warnings), [WarningCode::NoClaim]);
    assert_eq!(flip.warnings[0].number, Some(phone(1)));
}

//! Numbers, who is attached to them, and who claims them.

use switchback::{
    domain::{Direction, Refusal, Target},
    store::{NewNumber, NumberPatch, Sharing, Tx, WriteError},
};

use crate::{
    rules::{NOBODY, World, does, field, over, refuses, set, world},
    support::{Arrange, Fixture, account, phone},
};

#[test]
fn claims_and_defaults() {
    let default = |tx: &Tx<'_>, w: &World| -> Result<_, WriteError> {
        Ok(tx.number(w.tenant, w.number)?.unwrap().default_agent)
    };
    does(move |tx, w| {
        assert_eq!(default(tx, w)?, Some(w.front));
        // A callback agent owns without a claim.
        set(tx, w, over(&[w.outbound]))?;
        tx.attach(w.tenant, w.desk, w.number);
        assert_eq!(default(tx, w)?, Some(w.front));
        tx.unpublish(w.tenant, w.front)?;
        assert_eq!(default(tx, w)?, Some(w.desk), "no live claim: the live owner");
        tx.publish(w.tenant, w.front)?;
        assert_eq!(default(tx, w)?, Some(w.front));
        // Leaving the role gives no claim.
        tx.remove_callback(w.tenant, w.desk)?;
        assert_eq!(default(tx, w)?, Some(w.front));
        // Taking it gives claims up, for good.
        let patch = NumberPatch { default_agent: Some(w.desk), ..NumberPatch::default() };
        tx.update_number(w.tenant, w.number, patch)?;
        set(tx, w, over(&[w.outbound]))?;
        tx.remove_callback(w.tenant, w.desk)?;
        assert_eq!(default(tx, w)?, Some(w.front));
        // Out and back: the binding stays, the claim does not.
        tx.set_calling(w.tenant, w.front, Direction::Outbound, None)?;
        tx.set_calling(w.tenant, w.front, Direction::Inbound, None)?;
        let bindings = tx.number(w.tenant, w.number)?.unwrap().bindings;
        assert!(bindings.iter().all(|binding| binding.claim.is_none()), "{bindings:?}");
        Ok(())
    });
}

#[test]
fn the_latest_claim_wins_and_can_be_made_by_name() {
    let fixture = Fixture::new();
    let w = fixture.done(world);
    let attach = w.clone();
    let default = fixture.done(move |tx| {
        tx.attach(attach.tenant, attach.desk, attach.number);
        Ok(tx.number(attach.tenant, attach.number)?.unwrap().default_agent)
    });
    assert_eq!(default, Some(w.desk));
    let claim = |agent| NumberPatch { default_agent: Some(agent), ..NumberPatch::default() };
    let by_name = w.clone();
    let default = fixture.done(move |tx| {
        let patch = claim(by_name.front);
        Ok(tx.update_number(by_name.tenant, by_name.number, patch)?.default_agent)
    });
    assert_eq!(default, Some(w.front));
    refuses(
        move |tx, w| tx.update_number(w.tenant, w.number, claim(w.desk)),
        Refusal::NumberNotAttached,
    );
    refuses(
        move |tx, w| {
            tx.attach(w.tenant, w.outbound, w.number);
            tx.update_number(w.tenant, w.number, claim(w.outbound))
        },
        Refusal::NotInbound,
    );
}

#[test]
fn one_inbound_agent_a_number_where_that_is_the_rule() {
    let fixture = Fixture::new();
    let w = fixture.done(world);
    let exclusive = |w: World, agent| {
        move |tx: &mut Tx<'_>| tx.attach_number(w.tenant, agent, w.number, Sharing::Exclusive)
    };
    assert_eq!(fixture.refused(exclusive(w.clone(), w.desk)), Refusal::NumberClaimed(w.front));
    fixture.done(exclusive(w.clone(), w.front));
    fixture.done(exclusive(w.clone(), w.outbound));
    let take = w.clone();
    fixture.done(move |tx| set(tx, &take, over(&[take.outbound])));
    fixture.done(exclusive(w.clone(), w.desk));
    // An owner with the role does not stand in anybody's way.
    let archive = w.clone();
    fixture.done(move |tx| tx.archive_agent(archive.tenant, archive.front));
    let late = w.clone();
    let late = fixture.done(move |tx| Ok(tx.live(late.tenant, Direction::Inbound, "x").agent.id));
    fixture.done(exclusive(w, late));
}

#[test]
fn calling_replaces_all_numbers_where_it_names_any() {
    let (before, after, primary) = does(|tx, w| {
        let second = tx.line(w.tenant, phone(2));
        let third = tx.line(w.tenant, phone(3));
        let inbound = Direction::Inbound;
        let before = tx.set_calling(w.tenant, w.front, inbound, Some(vec![second, w.number]))?;
        tx.set_calling(w.tenant, w.front, inbound, None)?;
        let after = tx.set_calling(w.tenant, w.front, inbound, Some(vec![third, second]))?;
        assert_eq!(before.numbers, [w.number, second]);
        assert_eq!(before.primary_number, Some(w.number));
        Ok((
            before.numbers.len(),
            after.numbers == [second, third],
            after.primary_number == Some(second),
        ))
    });
    assert_eq!(before, 2);
    assert!(after && primary);
}

#[test]
fn primaries_stay_among_the_attached() {
    refuses(|tx, w| tx.set_primary(w.tenant, w.desk, w.number), Refusal::NumberNotAttached);
    refuses(|tx, w| tx.detach_number(w.tenant, w.desk, w.number), Refusal::NumberNotAttached);
    does(|tx, w| {
        let second = tx.line(w.tenant, phone(2));
        tx.attach(w.tenant, w.front, second);
        assert_eq!(tx.set_primary(w.tenant, w.front, second)?.primary_number, Some(second));
        let left = tx.detach_number(w.tenant, w.front, second)?;
        assert_eq!(left.primary_number, Some(w.number));
        assert_eq!(tx.detach_number(w.tenant, w.front, w.number)?.primary_number, None);
        Ok(())
    });
}

#[test]
fn numbers_and_their_accounts() {
    fn new(account: Option<&str>) -> NewNumber {
        let account = account.map(str::to_owned);
        NewNumber { e164: phone(9), account, friendly_name: None, passthrough: None }
    }
    let add = |account: Option<&'static str>| {
        move |tx: &mut Tx<'_>, w: &World| tx.add_number(w.tenant, new(account))
    };
    assert_eq!(does(add(None)).0.account, None, "no account: none");
    refuses(add(Some("main")), Refusal::AccountNotFound);
    refuses(|tx, w| tx.remove_number(w.tenant, w.number), Refusal::NumberInUse);
    does(|tx, w| {
        let other = tx.create_tenant("other")?.tenant.id;
        tx.reconcile_accounts(vec![account("main", None), account("theirs", Some(other))])?;
        let (first, created) = tx.add_number(w.tenant, new(None))?;
        assert!(created);
        assert_eq!(first.account, Some(account("main", None).id), "the only usable one");
        let (again, created) = tx.add_number(w.tenant, new(Some("main")))?;
        assert!(!created);
        assert_eq!(again, first);
        tx.remove_number(w.tenant, first.id)?;
        assert!(tx.add_number(w.tenant, new(None))?.1);
        Ok(())
    });
    refuses(
        |tx, w| {
            tx.reconcile_accounts(vec![account("main", None), account("spare", None)])?;
            tx.add_number(w.tenant, new(None))
        },
        Refusal::AccountAmbiguous,
    );
    refuses(
        |tx, w| {
            let other = tx.create_tenant("other")?.tenant.id;
            tx.reconcile_accounts(vec![account("main", None)])?;
            tx.add_number(other, new(None))?;
            tx.add_number(w.tenant, new(None))
        },
        Refusal::NumberTaken,
    );
    refuses(
        |tx, w| {
            let passthrough = Some(Some(Target::Agent(NOBODY)));
            let patch = NumberPatch { passthrough, ..NumberPatch::default() };
            tx.update_number(w.tenant, w.number, patch)
        },
        field("passthrough"),
    );
}

#[test]
fn an_account_that_leaves_the_file_and_returns_finds_its_numbers() {
    does(|tx, w| {
        tx.reconcile_accounts(vec![account("main", None)])?;
        let account_name = Some("main".to_owned());
        let patch = NumberPatch { account: Some(account_name), ..NumberPatch::default() };
        let number = tx.update_number(w.tenant, w.number, patch)?;
        tx.reconcile_accounts(Vec::new())?;
        assert!(tx.accounts()?.is_empty());
        tx.reconcile_accounts(vec![account("main", None)])?;
        assert_eq!(tx.accounts()?[0].secrets, account("main", None).secrets);
        assert_eq!(tx.number(w.tenant, w.number)?.unwrap().account, number.account);
        Ok(())
    });
}

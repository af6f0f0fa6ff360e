//! What is refused and what is done, rule by rule.

use switchback::{
    domain::{
        AgentId, AgentRecord, AgentState, CallEnd, CallId, CallPatch, CallStatus, Direction,
        KeyReach, NumberId, Outcome, OutcomeSet, Refusal, Target, TenantId, UnixMillis,
    },
    store::{
        AgentPatch, CallbackChange, KeySecret, NewAgent, Role, SettingsPatch, Sharing, Tx,
        WriteError,
    },
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, phone, touch};

/// One tenant with a number, a live outbound agent, a draft outbound agent and two live inbound
/// agents, one of them attached.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tenant: TenantId,
    pub(crate) number: NumberId,
    pub(crate) outbound: AgentId,
    pub(crate) draft: AgentId,
    pub(crate) front: AgentId,
    pub(crate) desk: AgentId,
}

pub(crate) fn world(tx: &mut Tx<'_>) -> Result<World, WriteError> {
    let tenant = tx.create_tenant("acme")?.tenant.id;
    let number = tx.line(tenant, phone(1));
    let outbound = tx.live(tenant, Direction::Outbound, "renewals").agent.id;
    let draft = NewAgent::named(Direction::Outbound, "surveys");
    let draft = tx.create_agent(tenant, draft, Sharing::Allowed)?.agent.id;
    let front = tx.live(tenant, Direction::Inbound, "front desk").agent.id;
    let desk = tx.live(tenant, Direction::Inbound, "return desk").agent.id;
    tx.attach(tenant, front, number);
    Ok(World { tenant, number, outbound, draft, front, desk })
}

/// Runs a write on a fresh world and expects it refused.
#[track_caller]
pub(crate) fn refuses<T: Send + 'static>(
    write: impl FnOnce(&mut Tx<'_>, &World) -> Result<T, WriteError> + Send + 'static,
    expected: Refusal,
) {
    let fixture = Fixture::new();
    let world = fixture.done(world);
    let before = fixture.read(|rows| rows.heads());
    let refusal = fixture.refused(move |tx| write(tx, &world));
    let mut shown = refusal.clone();
    // Messages are for people: tests name the field only.
    if let Refusal::Invalid(fields) = &mut shown {
        fields.iter_mut().for_each(|field| field.message.clear());
    }
    assert_eq!(shown, expected, "{refusal:?}");
    assert_eq!(fixture.read(|rows| rows.heads()), before, "a refused write leaves no entry");
}

/// Runs a write on a fresh world and gives its value.
#[track_caller]
pub(crate) fn does<T: Send + 'static>(
    write: impl FnOnce(&mut Tx<'_>, &World) -> Result<T, WriteError> + Send + 'static,
) -> T {
    Fixture::new().done(move |tx| {
        let world = world(tx)?;
        write(tx, &world)
    })
}

pub(crate) fn field(name: &str) -> Refusal {
    Refusal::invalid(name, "")
}

pub(crate) fn over(sources: &[AgentId]) -> CallbackChange {
    CallbackChange { sources: sources.to_vec(), ..CallbackChange::default() }
}

pub(crate) fn set(
    tx: &mut Tx<'_>,
    w: &World,
    change: CallbackChange,
) -> Result<AgentRecord, WriteError> {
    tx.set_callback(w.tenant, w.desk, change, Role::TakeOrReplace)
}

pub(crate) const NOBODY: AgentId = AgentId(Uuid::from_u128(7));

#[test]
fn callback_refusals() {
    refuses(|tx, w| set(tx, w, over(&[])), field("source_agent_ids"));
    refuses(|tx, w| set(tx, w, over(&[w.outbound, NOBODY])), field("source_agent_ids.1"));
    refuses(|tx, w| set(tx, w, over(&[w.draft])), field("source_agent_ids.0"));
    refuses(|tx, w| set(tx, w, over(&[w.outbound, w.front])), Refusal::SourceNotOutbound(1));
    refuses(|tx, w| set(tx, w, over(&[w.desk])), Refusal::SourceNotOutbound(0));
    let window = |days| {
        move |tx: &mut Tx<'_>, w: &World| {
            let change = CallbackChange { window_days: Some(Some(days)), ..over(&[w.outbound]) };
            set(tx, w, change)
        }
    };
    refuses(window(401), field("window_days"));
    assert_eq!(does(window(400)).agent.callback.unwrap().window_days, Some(400));
    refuses(
        |tx, w| tx.set_callback(w.tenant, w.outbound, over(&[w.outbound]), Role::TakeOrReplace),
        Refusal::NotInbound,
    );
    refuses(
        |tx, w| tx.set_callback(w.tenant, w.desk, over(&[w.outbound]), Role::ReplaceOnly),
        Refusal::NotCallbackAgent,
    );
    refuses(|tx, w| tx.remove_callback(w.tenant, w.desk), Refusal::NotCallbackAgent);
    refuses(|tx, w| tx.remove_callback(w.tenant, NOBODY), Refusal::AgentNotFound);
}

#[test]
fn a_replaced_role_keeps_what_is_not_said_and_how_long_it_was_held() {
    let (first, second) = does(|tx, w| {
        let busy: OutcomeSet = [Outcome::Busy].into_iter().collect();
        let change = CallbackChange {
            window_days: Some(Some(7)),
            trigger_outcomes: Some(busy),
            ..over(&[w.outbound, w.outbound])
        };
        let first = set(tx, w, change)?.agent.callback.unwrap();
        let other = tx.live(w.tenant, Direction::Outbound, "other").agent.id;
        let second = set(tx, w, over(&[other, w.outbound, other]))?.agent.callback.unwrap();
        Ok((first, (second, other, w.outbound)))
    });
    let (second, other, outbound) = second;
    assert_eq!(first.sources, [outbound], "repeats are dropped");
    assert_eq!(second.sources, [other, outbound], "the first of each stays in its place");
    assert_eq!(second.window_days, Some(7));
    assert_eq!(second.trigger_outcomes, first.trigger_outcomes);
    assert_eq!(second.since, first.since);
}

#[test]
fn a_listed_source_stays_whatever_becomes_of_it() {
    let kept = does(|tx, w| {
        set(tx, w, over(&[w.outbound]))?;
        tx.archive_agent(w.tenant, w.outbound)?;
        let other = tx.live(w.tenant, Direction::Outbound, "other").agent.id;
        Ok(set(tx, w, over(&[w.outbound, other]))?.agent.callback.unwrap().sources.len())
    });
    assert_eq!(kept, 2);
}

#[test]
fn a_source_that_goes_leaves_every_list_and_an_empty_list_drops_the_role() {
    for flips in [false, true] {
        let (two, one, actions) = does(move |tx, w| {
            let other = tx.live(w.tenant, Direction::Outbound, "other").agent.id;
            set(tx, w, over(&[w.outbound, other]))?;
            tx.set_callback(w.tenant, w.front, over(&[w.outbound]), Role::TakeOrReplace)?;
            if flips {
                tx.set_calling(w.tenant, w.outbound, Direction::Inbound, None)?;
            } else {
                tx.unpublish(w.tenant, w.outbound)?;
                tx.delete_agent(w.tenant, w.outbound)?;
            }
            let two = tx.agent(w.tenant, w.desk)?.unwrap().agent.callback.unwrap().sources;
            let one = tx.agent(w.tenant, w.front)?.unwrap().agent.callback;
            let actions: Vec<_> =
                tx.audit(Some(w.tenant), 100)?.into_iter().map(|line| line.action).collect();
            Ok((two == [other], one, actions))
        });
        assert!(two);
        assert_eq!(one, None);
        assert!(actions.iter().any(|action| action == "callback.dropped"), "{actions:?}");
    }
}

#[test]
fn the_life_of_an_agent() {
    refuses(
        |tx, w| tx.publish(w.tenant, w.draft).map(drop),
        Refusal::NotReady(vec!["phone_numbers"]),
    );
    refuses(|tx, w| tx.delete_agent(w.tenant, w.front), Refusal::AgentPublished);
    refuses(
        |tx, w| {
            set(tx, w, over(&[w.outbound]))?;
            tx.set_calling(w.tenant, w.desk, Direction::Outbound, None)
        },
        Refusal::AgentHasCallbackRole,
    );
    refuses(
        |tx, w| {
            tx.archive_agent(w.tenant, w.front)?;
            tx.update_agent(w.tenant, w.front, AgentPatch::default())
        },
        Refusal::AgentArchived,
    );
    let (archived, again, gone) = does(|tx, w| {
        let archived = tx.archive_agent(w.tenant, w.front)?;
        let again = tx.archive_agent(w.tenant, w.front)?;
        tx.attach(w.tenant, w.draft, w.number);
        tx.publish(w.tenant, w.draft)?;
        tx.unpublish(w.tenant, w.draft)?;
        tx.delete_agent(w.tenant, w.draft)?;
        Ok((archived, again, tx.agent(w.tenant, w.draft)?))
    });
    assert_eq!(archived.agent.state, AgentState::Archived);
    assert!(archived.numbers.is_empty() && archived.primary_number.is_none());
    assert_eq!(archived, again);
    assert_eq!(gone, None);
}

#[test]
fn agent_fields_are_checked() {
    let named = |name: &str| NewAgent::named(Direction::Inbound, name);
    let create = |new: NewAgent| {
        move |tx: &mut Tx<'_>, w: &World| tx.create_agent(w.tenant, new, Sharing::Allowed)
    };
    refuses(create(named(" ")), field("name"));
    refuses(create(named(&"x".repeat(256))), field("name"));
    refuses(
        |tx, w| {
            let primary = Some(w.number);
            let new = NewAgent { primary, ..NewAgent::named(Direction::Inbound, "a") };
            tx.create_agent(w.tenant, new, Sharing::Allowed)
        },
        field("primary_number_id"),
    );
    refuses(
        create(NewAgent { numbers: vec![NumberId(Uuid::from_u128(1))], ..named("a") }),
        Refusal::NumberNotFound,
    );
    refuses(
        create(NewAgent { targets: vec![Target::Busy, Target::Agent(NOBODY)], ..named("a") }),
        field("targets.1"),
    );
    refuses(create(NewAgent { targets: vec![Target::Busy; 17], ..named("a") }), field("targets"));
    refuses(
        |tx, w| {
            let targets = Some(vec![Target::Agent(w.outbound)]);
            tx.update_agent(w.tenant, w.desk, AgentPatch { targets, ..AgentPatch::default() })
        },
        field("targets.0"),
    );
}

/// Makes a chain of agents, each with the next as its target, and gives their ids.
fn chain(tx: &mut Tx<'_>, w: &World, length: usize) -> Vec<AgentId> {
    let mut ids: Vec<AgentId> = Vec::new();
    for n in 0..length {
        let agent = tx.live(w.tenant, Direction::Inbound, &format!("a{n}")).agent.id;
        if let Some(&next) = ids.last() {
            let targets = Some(vec![Target::Agent(next)]);
            let patch = AgentPatch { targets, ..AgentPatch::default() };
            tx.update_agent(w.tenant, agent, patch).unwrap();
        }
        ids.push(agent);
    }
    ids
}

#[test]
fn agents_as_targets_lead_three_deep_and_never_in_a_circle() {
    fn point(
        tx: &mut Tx<'_>,
        w: &World,
        from: AgentId,
        to: AgentId,
    ) -> Result<AgentRecord, WriteError> {
        let targets = Some(vec![Target::Agent(to)]);
        tx.update_agent(w.tenant, from, AgentPatch { targets, ..AgentPatch::default() })
    }
    does(|tx, w| {
        let ids = chain(tx, w, 3);
        point(tx, w, w.desk, ids[2])
    });
    refuses(
        |tx, w| {
            let ids = chain(tx, w, 4);
            point(tx, w, w.desk, ids[3])
        },
        field("targets.0"),
    );
    refuses(|tx, w| point(tx, w, w.desk, w.desk), field("targets.0"));
    refuses(
        |tx, w| {
            let ids = chain(tx, w, 3);
            point(tx, w, ids[0], ids[2])
        },
        field("targets.0"),
    );
}

#[test]
fn settings_are_checked() {
    let update = |patch: SettingsPatch| {
        move |tx: &mut Tx<'_>, w: &World| tx.update_settings(w.tenant, patch)
    };
    let none = SettingsPatch::default;
    let runtime = || Target::Runtime("wss://bot.example.com".to_owned());
    refuses(update(SettingsPatch { window_days: Some(401), ..none() }), field("window_days"));
    refuses(
        update(SettingsPatch { touch_retention_days: Some(0), ..none() }),
        field("touch_retention_days"),
    );
    refuses(update(SettingsPatch { last_resort: Some(runtime()), ..none() }), field("last_resort"));
    refuses(
        update(SettingsPatch { block_target: Some(Some(Target::Agent(NOBODY))), ..none() }),
        field("block_target"),
    );
    refuses(
        update(SettingsPatch { fallback_agent: Some(Some(NOBODY)), ..none() }),
        field("fallback_agent_id"),
    );
    refuses(
        |tx, w| {
            let window_days = Some(Some(90));
            set(tx, w, CallbackChange { window_days, ..over(&[w.outbound]) })?;
            let patch =
                SettingsPatch { touch_retention_days: Some(60), ..SettingsPatch::default() };
            tx.update_settings(w.tenant, patch)
        },
        field("touch_retention_days"),
    );
    let block_list = Some(vec![phone(5), phone(4), phone(5)]);
    let changed = does(update(SettingsPatch { block_list, window_days: Some(0), ..none() }));
    assert_eq!(changed.tenant.settings.block_list, [phone(4), phone(5)]);
    assert_eq!(changed.tenant.settings.window_days, 0);
}

#[test]
fn keys_are_kept_hashed_and_revoked_for_good() {
    does(|tx, w| {
        let secret = KeySecret::of("sk_0123456789abcdef0123456789abcdef");
        let scope = switchback::domain::KeyScope::Tenant;
        let key = tx.create_key(scope, Some(w.tenant), "ci", &secret)?;
        assert_eq!(tx.create_key(scope, Some(w.tenant), "ci", &secret)?, key);
        assert_eq!(tx.key_by_hash(&secret.hash)?, Some(key.clone()));
        assert_eq!(tx.key_by_hash(&[0; 32])?, None);
        assert!(!key.hint.contains("456789"), "{}", key.hint);
        let other = tx.create_tenant("other")?.tenant.id;
        let reach = |tenant| KeyReach { tenant: Some(tenant), ..KeyReach::ALL };
        let foreign = tx.revoke_key(&reach(other), key.id);
        assert!(matches!(foreign, Err(WriteError::Refused(Refusal::KeyNotFound))));
        assert!(tx.revoke_key(&reach(w.tenant), key.id)?.revoked_at.is_some());
        assert!(tx.create_key(scope, Some(w.tenant), "ci", &secret).is_err());
        Ok(())
    });
}

#[test]
fn touches_merge_in_any_order() {
    let tell = |order: Vec<usize>| {
        does(move |tx, w| {
            let (tenant, agent) = (w.tenant, w.outbound);
            let all = [
                touch(tenant, 1, phone(7), agent, phone(1), 100, Outcome::Pending),
                touch(tenant, 1, phone(7), agent, phone(1), 90, Outcome::Busy),
                touch(tenant, 1, phone(7), agent, phone(1), 110, Outcome::NoAnswer),
                touch(tenant, 2, phone(7), agent, phone(1), 95, Outcome::Answered),
            ];
            let mut accepted = 0;
            for place in order {
                accepted += tx.merge_touches(tenant, vec![all[place].clone()])?.accepted;
            }
            let rows = tx.contact(tenant, phone(7))?;
            let told: Vec<_> = rows.iter().map(|row| (row.touch.at.0, row.outcome())).collect();
            Ok((told, accepted))
        })
    };
    let expected = vec![(95, Outcome::Answered), (90, Outcome::NoAnswer)];
    for order in [vec![0, 1, 2, 3], vec![3, 2, 1, 0], vec![1, 3, 0, 2, 0, 1, 2, 3]] {
        let (told, _) = tell(order.clone());
        assert_eq!(told, expected, "{order:?}");
    }
    assert_eq!(tell(vec![3, 3, 3]).1, 1);
}

#[test]
fn a_call_row_only_advances() {
    let id = CallId(Uuid::from_u128(3));
    let (call, found) = does(move |tx, w| {
        let patch = |at| CallPatch::new(id, w.tenant, UnixMillis(at));
        let ringing = CallPatch {
            carrier_call_id: Some("CA1".to_owned()),
            ani: Some(phone(7)),
            status: Some(CallStatus::InProgress),
            answered_at: Some(UnixMillis(11)),
            ..patch(10)
        };
        let over = CallPatch {
            status: Some(CallStatus::Completed),
            ended_at: Some(UnixMillis(30)),
            ended_by: Some(CallEnd::Caller),
            ..patch(30)
        };
        let late = CallPatch {
            status: Some(CallStatus::Ringing),
            ended_at: Some(UnixMillis(40)),
            ended_by: Some(CallEnd::Agent),
            ani: Some(phone(8)),
            ..patch(40)
        };
        for told in [&ringing, &over, &late, &ringing] {
            tx.upsert_call(told)?;
        }
        let other = tx.create_tenant("other")?.tenant.id;
        let stolen = tx.upsert_call(&CallPatch::new(id, other, UnixMillis(1)));
        assert!(matches!(stolen, Err(WriteError::Refused(Refusal::CallNotFound))));
        Ok((tx.call(w.tenant, id)?.unwrap(), tx.call_by_carrier_id(w.tenant, "CA1")?.unwrap()))
    });
    assert_eq!(call, found);
    assert_eq!(call.status, CallStatus::Completed);
    assert_eq!(call.ani, Some(phone(7)));
    assert_eq!(call.created_at, UnixMillis(10));
    assert_eq!(call.ended_at, Some(UnixMillis(30)));
    assert_eq!(call.ended_by, Some(CallEnd::Caller));
}

#[test]
fn each_step_of_a_calls_life_is_told_once_and_after_its_commit() {
    let fixture = Fixture::new();
    let mut changes = fixture.store.call_changes();
    let tenant = fixture.done(world).tenant;
    let id = CallId(Uuid::from_u128(3));
    let patch = move |at, status| CallPatch {
        status: Some(status),
        ..CallPatch::new(id, tenant, UnixMillis(at))
    };
    let over = patch(30, CallStatus::Completed);
    for told in [patch(10, CallStatus::Ringing), patch(11, CallStatus::Ringing), over.clone(), over]
    {
        fixture.done(move |tx| tx.upsert_call(&told));
    }
    let refused = fixture.write(move |tx| {
        tx.upsert_call(&patch(40, CallStatus::Failed))?;
        Err::<(), _>(Refusal::CallNotFound.into())
    });
    assert!(refused.is_err());
    let began = changes.try_recv().unwrap();
    assert_eq!((began.before.as_ref(), began.after.status), (None, CallStatus::Ringing));
    let ended = changes.try_recv().unwrap();
    assert_eq!(ended.before.as_ref().map(|row| row.status), Some(CallStatus::Ringing));
    assert_eq!(ended.after.status, CallStatus::Completed);
    assert!(changes.try_recv().is_err(), "nothing new was told");
}

//! `decide` equals the naive model, after any history; `explain` equals `decide`.

use proptest::collection::vec;
use proptest::prelude::*;
use switchback::domain::{Direction, InboundCall, Target, UnixMillis};
use switchback::index::{Index, View, Writer};
use switchback::routing::{decide, explain, ladder};

use super::model::{self, Expected};
use super::world::{self, Edit, World};

#[derive(Clone, Debug)]
enum Step {
    /// Edits that one log entry of each stream carries.
    Write(Vec<Edit>),
    /// The streams start over from snapshots.
    Reload,
    Call(InboundCall, UnixMillis),
}

fn step() -> impl Strategy<Value = Step> {
    let edit = prop_oneof![3 => world::control_edit(), 2 => world::touch_edit()];
    prop_oneof![
        12 => vec(edit, 1..5).prop_map(Step::Write),
        1 => Just(Step::Reload),
        12 => world::call().prop_map(|(call, now)| Step::Call(call, now)),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    // A start with enough in it that calls meet something.
    let start = (vec(world::control_edit(), 40..80), vec(world::touch_edit(), 0..60));
    (start, vec(step(), 1..60)).prop_map(|((control, touches), rest)| {
        let mut steps = vec![Step::Write(control)];
        steps.extend(touches.into_iter().map(|edit| Step::Write(vec![edit])));
        steps.extend(rest);
        steps
    })
}

pub(crate) fn write(world: &mut World, writer: &mut Writer, edits: Vec<Edit>) {
    let (mut control, mut touches) = (Vec::new(), Vec::new());
    for edit in edits {
        let logged = world.edit(edit);
        control.extend(logged.0);
        touches.extend(logged.1);
    }
    // The streams run side by side: touches may come first.
    writer.apply(&touches);
    writer.apply(&control);
}

pub(crate) fn check_call(
    world: &World,
    default_target: Option<&Target>,
    view: &View<'_>,
    call: &InboundCall,
    now: UnixMillis,
) {
    let decision = decide(view, call, now);
    let expected = model::decide(world, default_target, call, now);
    let (explained, trace) = explain(view, call, now);
    assert_eq!(Expected::from(&decision), expected, "{call:?} at {now:?}: {trace:#?}");
    assert_eq!(decision, explained);
    assert!(!trace.is_empty());
    assert_eq!(
        decision.number.map(|number| (number.account, Some(number.e164))),
        decision.number.map(|_| (call.account, call.dnis))
    );
    assert_eq!(decision.tenant.map(|t| t.id), decision.number.map(|n| n.tenant));
    check_ladder(view, &decision);
}

/// Every rung can be tried, and no agent's rungs come twice: that would be a cycle.
fn check_ladder(view: &View<'_>, decision: &switchback::domain::Decision<'_>) {
    let rungs = ladder(view, decision.agent, decision.targets);
    let mut agents: Vec<_> = rungs.iter().map(|rung| rung.agent.as_ref().map(|a| a.id)).collect();
    agents.dedup();
    for rung in &rungs {
        assert!(!matches!(rung.target, Target::Agent(_)));
        let Some(agent) = &rung.agent else { continue };
        assert!(agent.is_live() && agent.direction == Direction::Inbound);
        let mine = rungs.iter().filter(|r| r.agent.as_ref().is_some_and(|a| a.id == agent.id));
        assert!(mine.count() <= view.targets(agent).len());
    }
    assert!(rungs.len() <= 4 * world::AGENTS);
}

fn check_contacts(world: &World, view: &View<'_>) {
    for tenant in 0..world::TENANTS {
        for contact in 0..world::PHONES {
            let (tenant, contact) = (world::tenant_id(tenant), world::phone(contact));
            let expected = model::remembered(world, tenant, contact);
            assert_eq!(view.contact(tenant, contact).to_vec(), expected);
        }
    }
}

proptest! {
    #![proptest_config(crate::histories(1000))]

    #[test]
    fn decide_is_the_rule(
        history in history(),
        default_target in prop::option::weighted(0.3, Just(Target::Say("default".to_owned()))),
    ) {
        let mut world = World::new();
        let (index, mut writer) = Index::new(default_target.clone());
        writer.apply(&world.snapshot().0);
        for step in history {
            match step {
                Step::Write(edits) => write(&mut world, &mut writer, edits),
                Step::Reload => {
                    let (control, touches) = world.snapshot();
                    writer.replace_touches(&touches);
                    writer.replace_directory(&control);
                }
                Step::Call(call, now) => {
                    check_call(&world, default_target.as_ref(), &index.view(), &call, now);
                }
            }
        }
        check_contacts(&world, &index.view());
    }
}

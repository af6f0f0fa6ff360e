//! Random histories of two tenants who often name each other's things.

use proptest::prelude::*;
use switchback::{
    domain::{
        AgentId, AgentState, CallId, CallPatch, Direction, NumberId, Outcome, Refusal, Target,
        TenantId, UnixMillis, UnixSeconds,
    },
    store::{
        AgentPatch, CallbackChange, NewAgent, NewNumber, NumberPatch, Role, SettingsPatch, Sharing,
        Tx, WriteError,
    },
};
use uuid::Uuid;

use crate::support::{Fixture, account, phone, touch};

/// When touches of histories were made: recent enough that opening does not forget them.
pub(crate) const AT: u64 = 4_000_000_000;
pub(crate) const PHONES: u64 = 5;

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) tenant: usize,
    op: Op,
}

/// Agents and numbers are named by their place among all that were ever made, by whomever.
#[derive(Clone, Debug)]
enum Op {
    Create { inbound: bool, live: bool, numbers: Vec<usize> },
    Retarget { agent: usize, to: Option<usize> },
    Calling { agent: usize, inbound: bool, numbers: Option<Vec<usize>> },
    Publish(usize),
    Unpublish(usize),
    Delete(usize),
    Archive(usize),
    Attach(usize, usize, bool),
    Detach(usize, usize),
    Primary(usize, usize),
    Callback { agent: usize, sources: Vec<usize>, window: Option<u32> },
    Uncallback(usize),
    AddNumber { e164: u64, account: Option<usize> },
    MoveNumber { number: usize, account: Option<usize> },
    Claim { number: usize, agent: usize },
    RemoveNumber(usize),
    Settings { fallback: Option<usize>, blocked: Option<u64> },
    Touch { id: u128, contact: u64, agent: usize, caller: u64, at: u64, outcome: Outcome },
    Purge(u64),
    Call(u128),
}

const ACCOUNTS: [&str; 4] = ["shared", "spare", "first's", "second's"];

fn op() -> impl Strategy<Value = Op> {
    let few = || prop::collection::vec(0..48_usize, 0..4);
    let who = || 0..48_usize;
    let outcome = prop::sample::select(Outcome::ALL);
    let calm = prop_oneof![
        (any::<bool>(), any::<bool>(), few()).prop_map(|(inbound, live, numbers)| Op::Create {
            inbound,
            live,
            numbers
        }),
        (who(), prop::option::of(who())).prop_map(|(agent, to)| Op::Retarget { agent, to }),
        who().prop_map(Op::Publish),
        who().prop_map(Op::Unpublish),
        who().prop_map(Op::Delete),
        who().prop_map(Op::Archive),
        (who(), who()).prop_map(|(agent, number)| Op::Detach(agent, number)),
        (who(), who()).prop_map(|(agent, number)| Op::Primary(agent, number)),
        who().prop_map(Op::Uncallback),
        who().prop_map(Op::RemoveNumber),
        (prop::option::of(who()), prop::option::of(0..PHONES))
            .prop_map(|(fallback, blocked)| Op::Settings { fallback, blocked }),
        (0..60_u64).prop_map(Op::Purge),
        (0..4_u128).prop_map(Op::Call),
    ];
    let busy = prop_oneof![
        (who(), any::<bool>(), prop::option::of(few()))
            .prop_map(|(agent, inbound, numbers)| Op::Calling { agent, inbound, numbers }),
        (0..PHONES, prop::option::of(0..4_usize))
            .prop_map(|(e164, account)| Op::AddNumber { e164, account }),
        (who(), prop::option::of(0..4_usize))
            .prop_map(|(number, account)| Op::MoveNumber { number, account }),
        (who(), who()).prop_map(|(number, agent)| Op::Claim { number, agent }),
        (who(), who(), any::<bool>())
            .prop_map(|(agent, number, free)| Op::Attach(agent, number, free)),
        (who(), few(), prop::option::of(0..500_u32))
            .prop_map(|(agent, sources, window)| Op::Callback { agent, sources, window }),
    ];
    let touches = (0..24_u128, 0..2_u64, who(), 0..PHONES, 0..60_u64, outcome).prop_map(
        |(id, contact, agent, caller, at, outcome)| Op::Touch {
            id,
            contact: 100 + contact,
            agent,
            caller,
            at,
            outcome,
        },
    );
    prop_oneof![3 => calm, 4 => busy, 3 => touches]
}

/// How many histories a property is tried on.
pub(crate) fn histories() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn history(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..2_usize, op()).prop_map(|(tenant, op)| Step { tenant, op });
    prop::collection::vec(step, 1..steps)
}

/// Two tenants, and everything they ever made.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) tenants: Vec<TenantId>,
    agents: Vec<(usize, AgentId)>,
    numbers: Vec<(usize, NumberId)>,
}

/// What an id becomes when it belongs to somebody else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Itself.
    AsItIs,
    /// An id that nothing ever had.
    Unknown,
}

enum Made {
    Agent(AgentId),
    Number(NumberId),
    Nothing,
}

impl World {
    /// Two tenants with an agent of each kind and a number each.
    pub(crate) fn begin(fixture: &Fixture) -> Self {
        let tenants = fixture.done(|tx| {
            let first = tx.create_tenant("first")?.tenant.id;
            let second = tx.create_tenant("second")?.tenant.id;
            let of = [None, None, Some(first), Some(second)];
            tx.reconcile_accounts(ACCOUNTS.iter().zip(of).map(|(n, t)| account(n, t)).collect())?;
            Ok(vec![first, second])
        });
        let mut world = Self { tenants, ..Self::default() };
        for tenant in 0..2 {
            for inbound in [true, false] {
                let op = Op::Create { inbound, live: true, numbers: Vec::new() };
                world.run(fixture, &Step { tenant, op }).unwrap();
            }
            let e164 = tenant as u64;
            let op = Op::AddNumber { e164, account: Some(tenant + 2) };
            world.run(fixture, &Step { tenant, op }).unwrap();
        }
        world
    }

    /// Takes a step for good.
    pub(crate) fn run(&mut self, fixture: &Fixture, step: &Step) -> Result<(), Refusal> {
        let (world, own) = (self.clone(), step.clone());
        let made = match fixture.write(move |tx| world.apply(tx, &own, Foreign::AsItIs)) {
            Ok(written) => written.value,
            Err(WriteError::Refused(refusal)) => return Err(refusal),
            Err(WriteError::Store(error)) => panic!("{error}"),
        };
        match made {
            Made::Agent(id) => self.agents.push((step.tenant, id)),
            Made::Number(id) if self.numbers.iter().all(|&(_, known)| known != id) => {
                self.numbers.push((step.tenant, id));
            }
            Made::Number(_) | Made::Nothing => {}
        }
        Ok(())
    }

    /// What a step would answer, without taking it.
    pub(crate) fn try_out(
        &self,
        fixture: &Fixture,
        step: &Step,
        foreign: Foreign,
    ) -> Result<(), Refusal> {
        let (world, step) = (self.clone(), step.clone());
        let (sender, answer) = std::sync::mpsc::channel();
        fixture.refused(move |tx| -> Result<(), WriteError> {
            sender.send(world.apply(tx, &step, foreign).map(drop)).unwrap();
            Err(Refusal::CallNotActive.into())
        });
        match answer.recv().unwrap() {
            Ok(()) => Ok(()),
            Err(WriteError::Refused(refusal)) => Err(refusal),
            Err(WriteError::Store(error)) => panic!("{error}"),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>, step: &Step, foreign: Foreign) -> Result<Made, WriteError> {
        let tenant = self.tenants[step.tenant];
        let shown = |owner: usize, id: Uuid| {
            let is_hidden = owner != step.tenant && foreign == Foreign::Unknown;
            if is_hidden { Uuid::from_u128(!id.as_u128()) } else { id }
        };
        let agent = |place: usize| {
            let picked = picked(&self.agents, step.tenant, place);
            AgentId(picked.map_or(NOTHING, |(owner, id)| shown(owner, id.0)))
        };
        let number = |place: usize| {
            let picked = picked(&self.numbers, step.tenant, place);
            NumberId(picked.map_or(NOTHING, |(owner, id)| shown(owner, id.0)))
        };
        let numbers = |places: &[usize]| places.iter().map(|&place| number(place)).collect();
        let named = |account: Option<usize>| account.map(|place| ACCOUNTS[place].to_owned());
        let way = |inbound| if inbound { Direction::Inbound } else { Direction::Outbound };
        match &step.op {
            Op::Create { inbound, live, numbers: attached } => {
                let state = if *live { AgentState::Live } else { AgentState::Draft };
                let targets = vec![Target::Busy];
                let numbers = numbers(attached);
                let new =
                    NewAgent { state, targets, numbers, ..NewAgent::named(way(*inbound), "x") };
                let made = tx.create_agent(tenant, new, Sharing::Allowed)?;
                return Ok(Made::Agent(made.agent.id));
            }
            Op::Retarget { agent: of, to } => {
                let targets = Some(to.map(|to| Target::Agent(agent(to))).into_iter().collect());
                let patch = AgentPatch { targets, ..AgentPatch::default() };
                tx.update_agent(tenant, agent(*of), patch)?;
            }
            Op::Calling { agent: of, inbound, numbers: attached } => {
                let attached = attached.as_deref().map(numbers);
                tx.set_calling(tenant, agent(*of), way(*inbound), attached)?;
            }
            Op::Publish(of) => drop(tx.publish(tenant, agent(*of))?),
            Op::Unpublish(of) => drop(tx.unpublish(tenant, agent(*of))?),
            Op::Delete(of) => tx.delete_agent(tenant, agent(*of))?,
            Op::Archive(of) => drop(tx.archive_agent(tenant, agent(*of))?),
            Op::Attach(of, to, free) => {
                let sharing = if *free { Sharing::Allowed } else { Sharing::Exclusive };
                tx.attach_number(tenant, agent(*of), number(*to), sharing)?;
            }
            Op::Detach(of, from) => drop(tx.detach_number(tenant, agent(*of), number(*from))?),
            Op::Primary(of, to) => drop(tx.set_primary(tenant, agent(*of), number(*to))?),
            Op::Callback { agent: of, sources, window } => {
                let sources = sources.iter().map(|&place| agent(place)).collect();
                let window_days = Some(*window);
                let change = CallbackChange { sources, window_days, trigger_outcomes: None };
                tx.set_callback(tenant, agent(*of), change, Role::TakeOrReplace)?;
            }
            Op::Uncallback(of) => drop(tx.remove_callback(tenant, agent(*of))?),
            Op::AddNumber { e164, account } => {
                let (e164, account) = (phone(*e164), named(*account));
                let new = NewNumber { e164, account, friendly_name: None, passthrough: None };
                return Ok(Made::Number(tx.add_number(tenant, new)?.0.id));
            }
            Op::MoveNumber { number: of, account } => {
                let patch =
                    NumberPatch { account: Some(named(*account)), ..NumberPatch::default() };
                tx.update_number(tenant, number(*of), patch)?;
            }
            Op::Claim { number: of, agent: by } => {
                let patch =
                    NumberPatch { default_agent: Some(agent(*by)), ..NumberPatch::default() };
                tx.update_number(tenant, number(*of), patch)?;
            }
            Op::RemoveNumber(of) => tx.remove_number(tenant, number(*of))?,
            Op::Settings { fallback, blocked } => {
                let patch = SettingsPatch {
                    fallback_agent: Some(fallback.map(agent)),
                    block_list: Some(blocked.iter().map(|&n| phone(100 + n)).collect()),
                    ..SettingsPatch::default()
                };
                tx.update_settings(tenant, patch)?;
            }
            Op::Touch { id, contact, agent: by, caller, at, outcome } => {
                let (by, contact, caller) = (agent(*by), phone(*contact), phone(*caller));
                let told = touch(tenant, *id, contact, by, caller, AT + at, *outcome);
                tx.merge_touches(tenant, vec![told])?;
            }
            Op::Purge(at) => drop(tx.purge_touches(tenant, UnixSeconds(AT + at / 4), 10)?),
            Op::Call(id) => {
                let id = CallId(Uuid::from_u128(*id + 1000 * step.tenant as u128));
                tx.upsert_call(&CallPatch::new(id, tenant, UnixMillis(1)))?;
            }
        }
        Ok(Made::Nothing)
    }
}

const NOTHING: Uuid = Uuid::from_u128(5);

/// Three in four times one of the tenant's own, else anybody's.
fn picked<T: Copy>(all: &[(usize, T)], tenant: usize, place: usize) -> Option<(usize, T)> {
    let is_meant = |owner: usize| place.is_multiple_of(4) || owner == tenant;
    let meant: Vec<_> = all.iter().filter(|(owner, _)| is_meant(*owner)).collect();
    meant.get(place / 4 % meant.len().max(1)).copied().copied()
}

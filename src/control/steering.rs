//! What is wanted of a call while it lives: that it ends, or goes on elsewhere. Whoever carries its
//! media is told; where nobody does, the carrier is, and its verdict is waited for.
//!
//! It is in the audit trail before anybody is told, and under an idempotency key done once; what
//! the carrier refuses may be asked again under the same key.

use std::sync::Arc;

use tokio::time::timeout;

use super::{Api, gate, party::Party, placing::VERDICT_WAIT};
use crate::{
    calls::LiveCall,
    carriers,
    dialects::Problem,
    dispatch::Steered,
    domain::{CallEnd, CallRefusal, CallStatus, DialFailure, Direction, Refusal, Rung, Warning},
    store::{Heads, Kept, Repeatable, Tx, WriteError},
};

/// What is done to a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Steering {
    HangUp,
    Transfer,
    Move,
}

impl Steering {
    /// As the audit trail has it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::HangUp => "call.hangup",
            Self::Transfer => "call.transfer",
            Self::Move => "call.move",
        }
    }
}

impl Api {
    /// Ends a call: one in progress, one the carrier was asked for, one that waits.
    pub(super) async fn end(&self, party: &Party) -> Result<Heads, Problem> {
        if let Some(heads) = self.was_steered(party).await? {
            return Ok(heads);
        }
        let Some(live) = self.steerable(party) else { return self.end_unheard(party).await };
        let (noted, heads) = self.steer_once(party, noting(party, Steering::HangUp)).await?;
        if noted.is_none() {
            return Ok(heads);
        }
        self.end_live(party, &live, heads).await
    }

    /// Takes a call that somebody has answered, or is being answered, to the first of these rungs.
    pub(super) async fn take_to(
        &self,
        party: &Party,
        steering: Steering,
        rungs: Vec<Rung>,
    ) -> Result<Heads, Problem> {
        let live = self.movable(party, &rungs).await?;
        let (noted, heads) = self.steer_once(party, noting(party, steering)).await?;
        if noted.is_none() {
            return Ok(heads);
        }
        let done = match live.move_on(rungs) {
            Some(place) => {
                let done = self.tell_carrier(&live, Some(place)).await;
                if done.is_err() {
                    live.stay(place);
                }
                done
            }
            None => Err(Refusal::Call(CallRefusal::NotMovable).into()),
        };
        self.settled(party, heads, done).await
    }

    /// Whether this was asked for before, under the same idempotency key; where the log then stood.
    pub(super) async fn was_steered(&self, party: &Party) -> Result<Option<Heads>, Problem> {
        let Some(once) = gate::once() else { return Ok(None) };
        let tenant = party.actor().tenant;
        let kept = self.read(move |rows| rows.kept(tenant, &once)).await?;
        Ok(kept.map(|(_, heads)| {
            gate::was_answered();
            heads
        }))
    }

    /// Ends a call of which nothing has been heard: it waits, or is on its way to the carrier.
    async fn end_unheard(&self, party: &Party) -> Result<Heads, Problem> {
        let (who, live) = (party.clone(), Arc::clone(&self.live));
        let cancel = move |tx: &mut Tx<'_>| {
            who.enter(tx)?;
            if tx.cancel_call(who.tenant, who.call)? {
                return Ok(true);
            }
            if !live.unwant(who.call, who.tenant) {
                return Err(Refusal::CallNotActive.into());
            }
            tx.note_steering(who.tenant, who.call, Steering::HangUp.as_str())?;
            Ok(false)
        };
        let (was_canceled, heads) = self.steer_once(party, cancel).await?;
        if was_canceled == Some(true) {
            self.live.forget(party.call);
        }
        // The carrier may have taken it in the meantime.
        let begun = was_canceled.filter(|canceled| !canceled).and_then(|_| self.steerable(party));
        match begun {
            Some(live) => self.end_live(party, &live, heads).await,
            None => Ok(heads),
        }
    }

    async fn end_live(
        &self,
        party: &Party,
        live: &LiveCall,
        heads: Heads,
    ) -> Result<Heads, Problem> {
        live.hang_up(CallEnd::Api);
        let done = self.tell_carrier(live, None).await;
        self.settled(party, heads, done).await
    }

    /// The call, if it can go to these rungs.
    async fn movable(&self, party: &Party, rungs: &[Rung]) -> Result<Arc<LiveCall>, Problem> {
        let (call, tenant) = (party.call, party.tenant);
        let Some(live) = self.steerable(party) else {
            let known = self.read(move |rows| rows.call(tenant, call)).await?;
            let is_over = known.ok_or(Refusal::CallNotFound)?.status.is_final();
            let refusal = if is_over {
                Refusal::CallNotActive
            } else {
                Refusal::Call(CallRefusal::NotAnswered)
            };
            return Err(refusal.into());
        };
        let is_out = live.facts.direction == Direction::Outbound;
        if is_out && live.state().status < CallStatus::InProgress {
            return Err(Refusal::Call(CallRefusal::NotAnswered).into());
        }
        let room = {
            let view = self.index.view();
            let account = view.account_by_id(live.facts.account);
            account.map(|account| carriers::room(account.carrier))
        };
        let can = |rung: &Rung| room.is_some_and(|room| room.can(&rung.target));
        if !rungs.iter().all(can) {
            return Err(Refusal::invalid("target", "The carrier cannot do that.").into());
        }
        Ok(live)
    }

    fn steerable(&self, party: &Party) -> Option<Arc<LiveCall>> {
        let live = self.live.get(party.call).filter(|call| call.facts.tenant == party.tenant);
        live.filter(|call| !call.is_over())
    }

    /// Writes what is done to a call, once: what the write answered, nothing where it had been
    /// written before, and where the log then stood.
    async fn steer_once<T, F>(
        &self,
        party: &Party,
        change: F,
    ) -> Result<(Option<T>, Heads), Problem>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        let Some(once) = gate::once() else {
            let done = self.write(party.actor(), change).await?;
            return Ok((Some(done.value), done.heads));
        };
        // How it then went is read off the call.
        let kept = Kept { status: 202, headers: Vec::new(), body: Vec::new() };
        let told = move |value, _: &[Warning]| (value, kept);
        Ok(match self.write_once(party.actor(), once, change, told).await? {
            Repeatable::Done(done) => (Some(done.value), done.heads),
            Repeatable::Before(_, heads) => (None, heads),
        })
    }

    /// What was not done is not kept as done.
    async fn settled(
        &self,
        party: &Party,
        heads: Heads,
        done: Result<(), Problem>,
    ) -> Result<Heads, Problem> {
        if done.is_err()
            && let Some(once) = gate::once()
        {
            self.write(party.actor(), move |tx| tx.unkeep(&once)).await?;
        }
        done.map(|()| heads)
    }

    /// Has the carrier end the call or take it to a place, where no socket of ours can, and waits
    /// for its verdict. Who gives none within the time, or says nothing clear, may have done it.
    async fn tell_carrier(&self, call: &LiveCall, place: Option<usize>) -> Result<(), Problem> {
        if call.has_socket() {
            return Ok(());
        }
        let facts = &call.facts;
        let Some(account) = self.index.view().account_by_id(facts.account).cloned() else {
            return Err(Refusal::CarrierRefused(DialFailure::NotSent, String::new()).into());
        };
        let verdict = match place {
            None => self.dispatch.hang_up(&account, &facts.carrier_call_id),
            Some(place) => {
                let room = carriers::room(account.carrier);
                let dialled = call.state().dialled.filter(|_| room.leaves_dial_by_its_leg());
                match dialled {
                    // Its end asks what follows, which is there.
                    Some(leg) => self.dispatch.hang_up(&account, &leg),
                    None => {
                        self.dispatch.redirect(&account, facts.id, &facts.carrier_call_id, place)
                    }
                }
            }
        };
        match timeout(VERDICT_WAIT, verdict).await {
            Ok(Ok(Steered::Refused(cause, said))) => {
                Err(Refusal::CarrierRefused(cause, said).into())
            }
            Ok(Ok(Steered::Done | Steered::Unclear) | Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// A line of the audit trail, for a call whose row the journal may not have brought yet.
fn noting(
    party: &Party,
    steering: Steering,
) -> impl FnOnce(&mut Tx<'_>) -> Result<(), WriteError> + Send + 'static {
    let who = party.clone();
    move |tx| {
        who.enter(tx)?;
        tx.note_steering(who.tenant, who.call, steering.as_str())
    }
}

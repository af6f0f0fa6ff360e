//! What is wanted of a call while it lives: that it ends, or goes on elsewhere. Whoever carries its
//! media is told; where nobody does, the carrier is.

use std::sync::Arc;

use super::{Api, party::Party};
use crate::{
    calls::LiveCall,
    carriers,
    dialects::Problem,
    domain::{CallEnd, CallRefusal, CallStatus, Direction, Refusal, Rung},
    store::Tx,
};

impl Api {
    /// Ends a call: one in progress, one the carrier was asked for, one that waits.
    pub(super) async fn end(&self, party: &Party) -> Result<(), Problem> {
        let (call, tenant) = (party.call, party.tenant);
        if let Some(live) = self.steerable(party) {
            live.hang_up(CallEnd::Api);
            self.tell_carrier(&live, None);
            return Ok(());
        }
        let who = party.clone();
        let cancel = move |tx: &mut Tx<'_>| {
            who.enter(tx)?;
            tx.cancel_call(tenant, call)
        };
        if self.write(party.actor(), cancel).await?.value {
            self.live.forget(call);
            return Ok(());
        }
        if self.live.unwant(call, tenant) { Ok(()) } else { Err(Refusal::CallNotActive.into()) }
    }

    /// Takes a call that somebody has answered, or is being answered, to the first of these rungs.
    pub(super) async fn take_to(&self, party: &Party, rungs: Vec<Rung>) -> Result<(), Problem> {
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
        let place = live.move_on(rungs).ok_or(Refusal::Call(CallRefusal::NotMovable))?;
        self.tell_carrier(&live, Some(place));
        Ok(())
    }

    fn steerable(&self, party: &Party) -> Option<Arc<LiveCall>> {
        let live = self.live.get(party.call).filter(|call| call.facts.tenant == party.tenant);
        live.filter(|call| !call.is_over())
    }

    /// Has the carrier end the call or take it to a place, where no socket of ours can be closed.
    fn tell_carrier(&self, call: &LiveCall, place: Option<usize>) {
        if call.has_socket() {
            return;
        }
        let facts = &call.facts;
        let Some(account) = self.index.view().account_by_id(facts.account).cloned() else { return };
        match place {
            None => self.dispatch.hang_up(&account, &facts.carrier_call_id),
            Some(place) => {
                self.dispatch.redirect(&account, facts.id, &facts.carrier_call_id, place);
            }
        }
    }
}

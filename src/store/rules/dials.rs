//! Calls that are placed here: the row at once, the touch when the phone may ring.
//!
//! A call is queued, then dialing, both committed before anything follows from it; then the carrier
//! has it, or refused it, or nobody can tell. Its touch is made as soon as the phone may have rung,
//! is never taken back, and is not made for tests.

use super::{Tx, WriteError};
use crate::{
    domain::{
        AgentRecord, AgentState, CallEnd, CallId, CallPatch, CallRecord, CallStatus, DialFailure,
        DialRecord, DialState, Direction, E164, NumberRecord, Outcome, Refusal, TenantId,
        UnixMillis,
    },
    store::{CallerId, DialFate, NewCall, PlacedCall},
};

/// How late a call may be placed whose time came while nobody was there to place it.
const LATE_MS_MAX: u64 = 5 * 60 * 1000;

impl Tx<'_> {
    /// Makes the row of a call that is to be placed.
    ///
    /// # Errors
    /// Unknown, archived, inactive or inbound agent; no number to show.
    pub fn place_call(&mut self, tenant: TenantId, new: NewCall) -> Result<PlacedCall, WriteError> {
        let record = self.open_agent(tenant, new.agent)?;
        if record.agent.direction != Direction::Outbound {
            return Err(Refusal::NotOutbound.into());
        }
        if record.agent.state != AgentState::Live {
            return Err(Refusal::AgentInactive.into());
        }
        let numbers = self.showable(&record, new.caller_id)?;
        let shown = self.shown(tenant, &new, &numbers)?;
        let accounts = self.usable_accounts(tenant)?;
        let account = accounts.iter().find(|account| Some(account.id) == shown.account);
        let account = account.ok_or(Refusal::NoCallerId)?.id;
        let id = CallId(self.new_id());
        let delay_ms = u64::from(new.delay_seconds) * 1000;
        let patch = CallPatch {
            account: Some(account),
            direction: Some(Direction::Outbound),
            ani: Some(shown.e164),
            dnis: Some(new.to),
            number: Some(shown.id),
            agent: Some(new.agent),
            ..CallPatch::new(id, tenant, self.now())
        };
        let profile = new.profile;
        let version = profile.map(|text| self.keep_texts(tenant, record.agent.name, text));
        let call = self.tell_call_as(None, &patch, version.transpose()?)?;
        if let Some(campaign) = new.campaign {
            self.insert_campaign_call(campaign, id, new.to)?;
        }
        let dial = DialRecord {
            call: id,
            tenant,
            account,
            agent: new.agent,
            caller_id: shown.e164,
            contact: new.to,
            state: DialState::Queued,
            asked_at: None,
            is_test: new.is_test,
            detects_machine: new.detects_machine,
            hangs_up_on_machine: new.hangs_up_on_machine,
            voicemail_message: new.voicemail_message.clone(),
            due_at: (delay_ms > 0).then_some(UnixMillis(self.now().0 + delay_ms)),
            brief: new.brief,
            error_message: None,
        };
        self.put_dial(&dial)?;
        self.insert_audit(Some(tenant), "call.place", Some(id.0))?;
        self.placed(call)
    }

    /// The numbers that a call can show: those attached, the primary one first, or of one that
    /// names no agent the tenant's.
    fn showable(
        &self,
        record: &AgentRecord,
        caller_id: CallerId,
    ) -> Result<Vec<NumberRecord>, WriteError> {
        let tenant = record.agent.tenant;
        match caller_id {
            CallerId::Any(Some(e164)) => {
                let found = self.number_by_e164(tenant, e164)?;
                if found.is_empty() {
                    let message = "Is none of your numbers.";
                    return Err(Refusal::invalid("from_number", message).into());
                }
                return Ok(found);
            }
            CallerId::Any(None) => return self.oldest_at_carrier(tenant),
            CallerId::Named(_) | CallerId::Primary | CallerId::Sticky => {}
        }
        let mut numbers = Vec::with_capacity(record.numbers.len());
        for id in &record.numbers {
            numbers.push(self.known_number(tenant, *id)?);
        }
        let primary = record.primary_number;
        numbers.sort_by_key(|number| Some(number.id) != primary);
        Ok(numbers)
    }

    /// The number to show, of those that can be. One without a carrier account can show nothing.
    fn shown<'n>(
        &self,
        tenant: TenantId,
        new: &NewCall,
        numbers: &'n [NumberRecord],
    ) -> Result<&'n NumberRecord, WriteError> {
        let of_value = |e164: E164| {
            numbers.iter().filter(move |n| n.e164 == e164).max_by_key(|n| n.account.is_some())
        };
        let found =
            match new.caller_id {
                CallerId::Named(e164) => Some(of_value(e164).ok_or_else(|| {
                    Refusal::invalid("from_number", "Is not attached to the agent.")
                })?),
                CallerId::Primary => numbers.first(),
                CallerId::Any(_) => numbers.iter().find(|number| number.account.is_some()),
                CallerId::Sticky => {
                    let last = self.last_shown(tenant, new.agent, new.to)?;
                    let last = last.and_then(of_value).filter(|number| number.account.is_some());
                    last.or_else(|| numbers.iter().find(|number| number.account.is_some()))
                }
            };
        Ok(found.ok_or(Refusal::NoCallerId)?)
    }

    /// The command is about to leave: from here on the phone may ring. False where the call is not
    /// waiting any more.
    ///
    /// # Errors
    /// The store's.
    pub fn begin_dial(&mut self, call: CallId) -> Result<bool, WriteError> {
        let Some(dial) = self.any_dial(call)?.filter(|dial| dial.state == DialState::Queued) else {
            return Ok(false);
        };
        let asked_at = Some(self.now());
        self.put_dial(&DialRecord { state: DialState::Dialing, asked_at, ..dial.clone() })?;
        self.note_call(call, dial.tenant, Some(CallStatus::Initiated), None)?;
        Ok(true)
    }

    /// The command's fate is known, or known to be unknown.
    ///
    /// # Errors
    /// No such call.
    pub fn end_dial(&mut self, call: CallId, fate: DialFate) -> Result<(), WriteError> {
        let tenant = self.any_call(call)?.ok_or(Refusal::CallNotFound)?.tenant;
        // Gone where its person was erased while it left: then only the call is told.
        let dial = self.any_dial(call)?;
        match fate {
            DialFate::Accepted(carrier_call_id) => {
                // Its patch says that the carrier has it; the rest follows.
                self.note_call(call, tenant, Some(CallStatus::Initiated), Some(carrier_call_id))
            }
            // Where not, a status webhook has come first, and knows better.
            DialFate::Unknown => match dial {
                Some(dial) if dial.state == DialState::Dialing => self.may_ring(dial),
                Some(_) | None => Ok(()),
            },
            DialFate::Refused(cause, message) => {
                if dial.as_ref().is_some_and(|dial| dial.state == DialState::Accepted) {
                    return Ok(());
                }
                let now = self.now();
                let error_message = Some(message).filter(|message| !message.is_empty());
                if let Some(dial) = dial {
                    let state = DialState::Refused;
                    self.put_dial(&DialRecord { state, due_at: None, error_message, ..dial })?;
                }
                self.upsert_call(&CallPatch {
                    status: Some(CallStatus::Failed),
                    ended_at: Some(now),
                    error_code: Some(cause.as_str().to_owned()),
                    ..CallPatch::new(call, tenant, now)
                })?;
                Ok(())
            }
        }
    }

    /// Takes the calls whose time has come, some of them, to be placed. From here on they are as
    /// those that never waited.
    ///
    /// # Errors
    /// The store's.
    pub fn take_due(&mut self, limit: u32) -> Result<Vec<PlacedCall>, WriteError> {
        let mut taken = Vec::new();
        for dial in self.due_dials(self.now(), limit)? {
            self.put_dial(&DialRecord { due_at: None, ..dial.clone() })?;
            let call = self.any_call(dial.call)?.filter(|_| dial.state == DialState::Queued);
            if let Some(call) = call {
                taken.push(self.placed(call)?);
            }
        }
        Ok(taken)
    }

    /// A call whose time has come waits a little longer.
    ///
    /// # Errors
    /// The store's.
    pub fn postpone(&mut self, call: CallId, due_at: UnixMillis) -> Result<(), WriteError> {
        let Some(dial) = self.any_dial(call)?.filter(|dial| dial.state == DialState::Queued) else {
            return Ok(());
        };
        self.put_dial(&DialRecord { due_at: Some(due_at), ..dial })
    }

    /// Nobody wants a call any more that has not been sent: it never will be. False where it has
    /// been sent, or was never to be.
    ///
    /// # Errors
    /// No such call.
    pub fn cancel_call(&mut self, tenant: TenantId, id: CallId) -> Result<bool, WriteError> {
        self.call(tenant, id)?.ok_or(Refusal::CallNotFound)?;
        let Some(dial) = self.any_dial(id)?.filter(|dial| dial.state == DialState::Queued) else {
            return Ok(false);
        };
        self.put_dial(&DialRecord { state: DialState::Refused, due_at: None, ..dial })?;
        let now = self.now();
        self.upsert_call(&CallPatch {
            status: Some(CallStatus::Canceled),
            ended_at: Some(now),
            ended_by: Some(CallEnd::Api),
            ..CallPatch::new(id, tenant, now)
        })?;
        self.insert_audit(Some(tenant), "call.cancel", Some(id.0))?;
        Ok(true)
    }

    /// What a start makes of the calls that the last process left: those that had not been sent are
    /// not sent any more, those that were leaving may ring, those whose time is to come wait on.
    /// Answers the calls that are on their way.
    ///
    /// # Errors
    /// The store's.
    pub fn settle_dials(&mut self) -> Result<Vec<PlacedCall>, WriteError> {
        let late = UnixMillis(self.now().0.saturating_sub(LATE_MS_MAX));
        for dial in self.dials(DialState::Queued)? {
            // Its time is to come, or came while nobody was there and is not long ago.
            if dial.due_at.is_some_and(|due_at| due_at > late) {
                continue;
            }
            self.end_dial(dial.call, DialFate::Refused(DialFailure::NotSent, String::new()))?;
        }
        for dial in self.dials(DialState::Dialing)? {
            self.may_ring(dial)?;
        }
        let mut open = Vec::new();
        for dial in self.open_dials()?.into_iter().filter(|dial| dial.due_at.is_none()) {
            if let Some(call) = self.any_call(dial.call)? {
                open.push(self.placed(call)?);
            }
        }
        Ok(open)
    }

    /// The carrier knows the call by this id: it was found among its calls. False where it is
    /// another call's.
    ///
    /// # Errors
    /// No such call.
    pub fn adopt_dial(&mut self, call: CallId, carrier_call_id: &str) -> Result<bool, WriteError> {
        let dial = self.any_dial(call)?.ok_or(Refusal::CallNotFound)?;
        if self.is_adopted(dial.tenant, carrier_call_id)? {
            return Ok(false);
        }
        self.end_dial(call, DialFate::Accepted(carrier_call_id.to_owned()))?;
        Ok(true)
    }

    /// Nobody can tell whether the phone rings: it is remembered as one that does.
    fn may_ring(&mut self, dial: DialRecord) -> Result<(), WriteError> {
        let dial = DialRecord { state: DialState::Unknown, ..dial };
        self.put_dial(&dial)?;
        self.remember(&dial, Outcome::Pending)
    }

    /// The carrier told of a call: it has it, and the touch follows.
    pub(super) fn follow_dial(
        &mut self,
        call: &CallRecord,
        by_machine: bool,
    ) -> Result<(), WriteError> {
        let Some(dial) = self.any_dial(call.id)? else { return Ok(()) };
        match dial.state {
            DialState::Queued | DialState::Refused => return Ok(()),
            DialState::Dialing if call.carrier_call_id.is_empty() => return Ok(()),
            DialState::Dialing | DialState::Unknown if !call.carrier_call_id.is_empty() => {
                let state = DialState::Accepted;
                self.put_dial(&DialRecord { state, ..dial.clone() })?;
            }
            DialState::Dialing | DialState::Unknown | DialState::Accepted => {}
        }
        let outcome = if by_machine { Outcome::Voicemail } else { outcome(call.status) };
        self.remember(&dial, outcome)
    }

    fn remember(&mut self, dial: &DialRecord, outcome: Outcome) -> Result<(), WriteError> {
        if !dial.is_test {
            // A call of which there is such a row was placed after any erasure of its person.
            self.merge(&dial.touch(outcome))?;
        }
        Ok(())
    }

    fn note_call(
        &mut self,
        call: CallId,
        tenant: TenantId,
        status: Option<CallStatus>,
        carrier_call_id: Option<String>,
    ) -> Result<(), WriteError> {
        let patch =
            CallPatch { status, carrier_call_id, ..CallPatch::new(call, tenant, self.now()) };
        self.upsert_call(&patch)?;
        Ok(())
    }
}

/// What the touch of a call with this status has come to.
pub(super) const fn outcome(status: CallStatus) -> Outcome {
    match status {
        CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => Outcome::Pending,
        CallStatus::Completed => Outcome::Answered,
        CallStatus::NoAnswer => Outcome::NoAnswer,
        CallStatus::Busy => Outcome::Busy,
        CallStatus::Canceled => Outcome::Canceled,
        CallStatus::Failed => Outcome::Failed,
    }
}

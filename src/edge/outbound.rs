//! Calls that go out: those placed here are known by the id on their URLs, those of other people's
//! dialers by the carrier's alone. What is not live here goes to a bounded queue.

use std::{borrow::Cow, sync::Arc};

use percent_encoding::percent_decode_str;

use super::{
    Edge,
    answering::{Answered, Asked},
    step,
};
use crate::{
    calls::{Event as CallEvent, LiveCall, Resume},
    carriers::{self, AnsweredBy, Order, Progress, Told},
    domain::{
        Account, CallEnd, CallId, CallPatch, CallStatus, E164, Rung, StrayEvent, Target, UnixMillis,
    },
    telemetry::metrics::WebhookOutcome,
};

impl Edge {
    /// The call placed here that a carrier asks instructions for.
    pub(super) fn placed(&self, asked: &Asked<'_>, target: &str) -> Option<Arc<LiveCall>> {
        let Asked { account, carrier_call_id, voice, now, event_id: _ } = *asked;
        if let Some(call) = self.live.by_carrier(account.id, carrier_call_id) {
            return Some(call);
        }
        let leg = voice.call.ani.number().zip(voice.call.dnis)?;
        self.live.begin(call_id(target)?, account.id, carrier_call_id, Some(leg), now)
    }

    /// Somebody has answered a call placed here: its agent's ladder, from where it stands.
    pub(super) fn instruct_placed(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        call: &Arc<LiveCall>,
    ) -> Answered {
        let now = asked.now;
        let answered = CallEvent::Status { status: CallStatus::InProgress, at: now };
        self.live.apply(call, answered, now);
        if let Some(who) = asked.voice.answered_by {
            self.note_machine(call, who, now);
            let _it_goes_there_now = call.take_detour();
        }
        match call.resume() {
            Resume::At(place) => self.rung(asked, call, place),
            Resume::HangUp => {
                let by = call.state().hang_up.unwrap_or(CallEnd::Agent);
                self.live.apply(call, CallEvent::Ending(by), now);
                self.hang_up(asked)
            }
        }
    }

    pub(super) fn outbound_progress(
        &self,
        account: &Account,
        carrier_call_id: &str,
        target: &str,
        progress: &Progress<'_>,
        now: UnixMillis,
    ) -> WebhookOutcome {
        let leg = progress.from.zip(progress.to);
        if let Some(call) = self.ours(account, carrier_call_id, progress.call, leg, now) {
            let then = progress.answered_by.map(|who| self.note_machine(&call, who, now));
            if let Some(then) = then.filter(|_| !progress.status.is_final()) {
                self.without_socket(&call, then);
            }
            let status = CallEvent::Status { status: progress.status, at: now };
            self.live.apply(&call, status, now);
            return WebhookOutcome::Accepted;
        }
        if !progress.is_placed {
            return WebhookOutcome::Unknown;
        }
        // Dialers that ask for the last event only tell the end; the call began before it.
        let talked = u64::from(progress.duration_seconds.unwrap_or(0)) * 1000;
        let told_at = progress.at.filter(|at| *at <= now).unwrap_or(now);
        self.strays.tell(StrayEvent {
            account: account.id,
            carrier_call_id: carrier_call_id.to_owned(),
            call: progress.call,
            agent: parameter(target, "agent").filter(|a| !a.is_empty()).map(Cow::into_owned),
            from: progress.from,
            to: progress.to,
            status: Some(progress.status),
            by_machine: progress.answered_by.is_some_and(AnsweredBy::is_machine),
            at: UnixMillis(told_at.0.saturating_sub(talked)),
        });
        WebhookOutcome::Accepted
    }

    /// The carrier found out who answered. It does not say whose call it is, only which.
    pub(super) fn answered_by(
        &self,
        account: &Account,
        carrier_call_id: &str,
        target: &str,
        who: AnsweredBy,
        now: UnixMillis,
    ) -> WebhookOutcome {
        let call = call_id(target);
        // It may be told before anything else is.
        let ours = self
            .live
            .by_carrier(account.id, carrier_call_id)
            .or_else(|| self.live.begin(call?, account.id, carrier_call_id, None, now));
        if let Some(call) = ours {
            let then = self.note_machine(&call, who, now);
            self.without_socket(&call, then);
        } else if who.is_machine() {
            self.strays.tell(StrayEvent {
                account: account.id,
                carrier_call_id: carrier_call_id.to_owned(),
                call,
                agent: None,
                from: None,
                to: None,
                status: None,
                by_machine: true,
                at: now,
            });
        }
        WebhookOutcome::Accepted
    }

    fn ours(
        &self,
        account: &Account,
        carrier_call_id: &str,
        call: Option<CallId>,
        leg: Option<(E164, E164)>,
        now: UnixMillis,
    ) -> Option<Arc<LiveCall>> {
        self.live
            .by_carrier(account.id, carrier_call_id)
            .or_else(|| self.live.begin(call?, account.id, carrier_call_id, Some(leg?), now))
    }

    /// A machine is noted in the row and its touch, whenever that is told. Its agent may talk to
    /// none, or have a text for it: what is to be done for that, and was not before.
    fn note_machine(&self, call: &LiveCall, who: AnsweredBy, now: UnixMillis) -> Then {
        if !who.is_machine() {
            return Then::Nothing;
        }
        let (id, tenant) = (call.facts.id, call.facts.tenant);
        let patch = CallPatch { by_machine: true, ..CallPatch::new(id, tenant, now) };
        self.live.record_late(patch);
        let Some(errand) = &call.facts.errand else { return Then::Nothing };
        if errand.hangs_up_on_machine {
            return if call.hang_up(CallEnd::Machine) { Then::End } else { Then::Nothing };
        }
        let tells = self
            .index
            .view()
            .account_by_id(call.facts.account)
            .is_some_and(|account| carriers::room(account.carrier).tells_recording());
        // Of some carriers' machines nobody hears when they record.
        let is_recording = match who {
            AnsweredBy::MachineEnd => true,
            AnsweredBy::MachineStart => !tells,
            AnsweredBy::Fax | AnsweredBy::Human | AnsweredBy::Unknown => false,
        };
        match (call.answered_by_machine(is_recording), &errand.voicemail_message) {
            (true, Some(text)) => {
                call.told_of_machine();
                let rung = Rung { agent: None, target: Target::Say(text.clone()) };
                call.move_on(vec![rung]).map_or(Then::Nothing, Then::Go)
            }
            // Where there is no text, the runtime is told.
            (true, None) | (false, _) => Then::Nothing,
        }
    }

    /// Has the carrier do it to a call that is dialling on, is spoken to, or was handed over: no
    /// socket of ours could, and nothing asks what follows. Where a socket is open, whoever carries
    /// its media has been told.
    fn without_socket(&self, call: &LiveCall, then: Then) {
        if call.has_socket() {
            return;
        }
        let view = self.index.view();
        let Some(account) = view.account_by_id(call.facts.account).map(Arc::clone) else { return };
        let told = match then {
            Then::Nothing => return,
            Then::End => Told::HangUp,
            Then::Go(place) => {
                let (base, id) = (&self.settings.public_url, call.facts.id);
                // No document of ours names this URL: its answer is nobody else's.
                let step = format!("resume?call={id}&attempt={place}&moved=1");
                Told::Redirect(format!("{base}/carriers/{}/{step}", account.name))
            }
        };
        let carrier_call_id = call.facts.carrier_call_id.clone();
        self.order(Order { account, carrier_call_id, told });
    }
}

/// What is to be done with a call that a machine answered.
#[derive(Clone, Copy)]
enum Then {
    /// Nothing more.
    Nothing,
    /// End it.
    End,
    /// Go on at this place of its ladder.
    Go(usize),
}

/// A parameter of the query that we, or who runs a dialer, put on the URL.
fn parameter<'t>(target: &'t str, name: &str) -> Option<Cow<'t, str>> {
    let value = step::parameter(target, name)?;
    if value.contains('+') {
        let spaced = value.replace('+', " ");
        return Some(Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned()));
    }
    Some(percent_decode_str(value).decode_utf8_lossy())
}

fn call_id(target: &str) -> Option<CallId> {
    parameter(target, "call")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, expected: Option<&str>) {
        assert_eq!(parameter(target, "agent").as_deref(), expected, "{target}");
    }

    #[test]
    fn an_agent_may_be_named_by_any_name() {
        check("/carriers/main/status?agent=Sales", Some("Sales"));
        check("/carriers/main/status?x=1&agent=Sales+team%20A%2B", Some("Sales team A+"));
        check("/carriers/main/status?agent=%C3%A9t%C3%A9", Some("été"));
        check("/carriers/main/status?agents=x", None);
        check("/carriers/main/status", None);
    }
}

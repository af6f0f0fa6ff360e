//! What carriers tell of media streams. A stream that could not begin leaves its caller in silence
//! where the carrier waits for its end: then the call is sent on, by the carrier's API.

use std::sync::Arc;

use super::Edge;
use crate::{
    calls::{LiveCall, Resume},
    carriers::{Order, StreamEvent, Told},
    domain::{Account, CallId, UnixMillis},
    telemetry::{metrics::WebhookOutcome, redact},
};

/// Of whose stream something is told.
pub(super) struct Streamed<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) carrier_call_id: &'a str,
    /// The carrier's id for the event, where it has one.
    pub(super) event_id: Option<&'a str>,
    /// Path and query that it was told to.
    pub(super) target: &'a str,
    /// Which place of the ladder follows, if that stands there.
    pub(super) follows: Option<usize>,
    pub(super) now: UnixMillis,
}

impl Edge {
    pub(super) fn streamed(&self, told: &Streamed<'_>, event: &StreamEvent<'_>) -> WebhookOutcome {
        let (why, is_stuck) = match event {
            StreamEvent::Started | StreamEvent::Stopped => return WebhookOutcome::Accepted,
            StreamEvent::Failed(why) => (why, false),
            StreamEvent::Rejected(why) => (why, true),
        };
        let call = self.live.by_carrier(told.account.id, told.carrier_call_id);
        let id = call.as_ref().map(|call| call.facts.id);
        tracing::warn!(
            account = told.account.name,
            call = id.map(tracing::field::display),
            trace_id = id.map(|id| tracing::field::display(id.trace_id())),
            why = redact::scrub(why),
            "the carrier's media stream failed"
        );
        match told.follows {
            Some(place) if is_stuck => self.send_on(told, call.as_deref(), place),
            Some(_) | None => WebhookOutcome::Accepted,
        }
    }

    /// A key was pressed, as a carrier tells it whose socket does not: once, however often it tells
    /// the same `event`. Where nothing carries the call's media, nobody hears it.
    pub(super) fn pressed(
        &self,
        account: &Account,
        carrier_call_id: &str,
        event: &str,
        key: char,
    ) -> WebhookOutcome {
        let Some(call) = self.live.by_carrier(account.id, carrier_call_id) else {
            return WebhookOutcome::Unknown;
        };
        if !self.is_news(call.facts.id, event) {
            return WebhookOutcome::Repeated;
        }
        call.press(key);
        WebhookOutcome::Accepted
    }

    /// Has the carrier ask for the rung at `place`: once, however often it tells the same, and not
    /// where the call has gone on meanwhile. One that is not live here is decided once more.
    fn send_on(
        &self,
        told: &Streamed<'_>,
        call: Option<&LiveCall>,
        place: usize,
    ) -> WebhookOutcome {
        let has_gone_on = |call: &LiveCall| {
            let is_elsewhere = matches!(call.resume(), Resume::At(at) if at + 1 != place);
            is_elsewhere || call.has_socket()
        };
        if call.is_some_and(has_gone_on) {
            return WebhookOutcome::Accepted;
        }
        let Streamed { account, carrier_call_id, event_id, target, now, .. } = *told;
        let id = CallId::of_carrier_call(account.id, carrier_call_id);
        if !self.is_news(id, event_id.unwrap_or(target)) {
            return WebhookOutcome::Repeated;
        }
        if let (Some(call), Some(at)) = (call, place.checked_sub(1)) {
            self.tried(call, at, "no_stream", now);
        }
        let url = format!("{}{target}", self.settings.public_url);
        let (account, carrier_call_id) = (Arc::clone(account), carrier_call_id.to_owned());
        self.order(Order { account, carrier_call_id, told: Told::Redirect(url) });
        WebhookOutcome::Accepted
    }
}

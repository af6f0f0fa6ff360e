//! Calls as they happen, as server-sent events.
//!
//! A stream reads the feed at its client's pace and queues a page of it at most. Who comes back
//! with the last event it had goes on there; who asks for what is no longer kept is told so by a
//! `reset`, and should then read the list of calls again.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Interval, MissedTickBehavior, interval},
};

use super::calls::shown;
use crate::{
    calls::{CallEvent, Next, Progress},
    control::{Api, answer::Answer, auth::Anybody},
    dialects::{Problem, own::CallEventBody},
};

/// Events looked through at once.
const PAGE: usize = 256;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells a proxy (nginx) to pass each event on at once.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Calls as they happen, as server-sent events.
///
/// Each event has an id; who comes back with the last one it had as `Last-Event-ID` goes on there.
/// The event `reset` says that what came in between is no longer kept.
#[utoipa::path(get, path = "/events", tag = "calls",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event one had.")),
    responses((status = 200, body = CallEventBody, content_type = "text/event-stream",
        description = "Events whose data is this, until either side ends it.")))]
pub(super) async fn stream(State(api): State<Api>, anybody: Anybody, headers: HeaderMap) -> Answer {
    // A stream is held open for hours: past the limit, others would find no room.
    let place = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| Problem::Busy)?;
    let progress = api.live.feed().watch();
    let at = match headers.get(LAST_EVENT_ID) {
        // What is no number of ours was never kept.
        Some(id) => id.to_str().ok().and_then(|id| id.trim().parse().ok()).unwrap_or(0),
        None => progress.borrow().latest,
    };
    let mut beat = interval(api.settings.event_beat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader { api, anybody, at, page: VecDeque::new(), progress, beat, _place: place };
    Ok(([UNBUFFERED], Sse::new(reader.events())).into_response())
}

/// One client.
struct Reader {
    api: Api,
    anybody: Anybody,
    /// The event up to which it has everything, this page included.
    at: u64,
    page: VecDeque<Arc<CallEvent>>,
    progress: watch::Receiver<Progress>,
    beat: Interval,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut reader| {
            let event = reader.next().await?;
            Some((Ok(event), reader))
        })
    }

    /// What its client is told next; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Some(self.told(&event));
            }
            let is_closed = self.progress.borrow_and_update().is_closed;
            match self.api.live.feed().after(self.at, self.anybody.tenant, PAGE) {
                Next::Gone(before) => {
                    self.at = before;
                    return Some(reset(before));
                }
                Next::Events(events, upto) if upto > self.at => {
                    self.at = upto;
                    self.page = events.into();
                }
                Next::Events(..) if is_closed => return None,
                Next::Events(..) => tokio::select! {
                    changed = self.progress.changed() => changed.ok()?,
                    _ = self.beat.tick() => {
                        return self.anybody.is_still_good(&self.api).await.then(|| beat(self.at));
                    }
                },
            }
        }
    }

    fn told(&self, event: &CallEvent) -> Event {
        let live = self.api.live.get(event.call.id);
        let tenant = event.call.tenant;
        let call = shown(&self.api, (*event.call).clone(), live.as_deref());
        let body = CallEventBody::new(event.what.as_str(), tenant, call);
        let told = Event::default().id(event.id.to_string()).event(event.what.as_str());
        told.json_data(body).unwrap_or_else(|error| {
            tracing::error!(%error, "an event could not be written");
            Event::default().comment("an event could not be written")
        })
    }
}

/// What the client has is not all there was.
fn reset(before: u64) -> Event {
    Event::default().id(before.to_string()).event("reset").data(r#"{"type":"reset"}"#)
}

/// A sign of life. Its id, without data, is remembered by the client and raises no event: others'
/// events pass meanwhile, and what it asks for later is not gone because of them.
fn beat(at: u64) -> Event {
    Event::default().id(at.to_string()).comment("beat")
}

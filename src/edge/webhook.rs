//! A carrier's request, from its bytes to our answer's. It waits for the request's own body and for
//! nothing else but memory; what is to be kept goes to a bounded queue.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Request, Response, body::Incoming};

use super::{
    Edge,
    answering::{Answered, Asked},
    step,
    streams::Streamed,
};
use crate::{
    calls::Event as CallEvent,
    carriers::{self, BODY_LEN_MAX, Carrier, Endpoint, Event, Progress, Refused, VoiceRequest},
    domain::{Account, CallId, CallPatch, Direction, UnixMillis, named},
    telemetry::{
        clock,
        metrics::{self, EdgeRefusal, WebhookKind, WebhookOutcome},
    },
};

/// From a request's headers to the last byte of its body. A carrier sends both in one packet.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Answers `/carriers/{account}/{endpoint}`.
pub(super) async fn handle(
    edge: Arc<Edge>,
    request: Request<Incoming>,
    peer: SocketAddr,
    account: Arc<Account>,
    endpoint: Endpoint,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST && parts.method != Method::GET {
        return super::plain(StatusCode::METHOD_NOT_ALLOWED, "POST or GET");
    }
    let body = match read(body, BODY_LEN_MAX).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let started = clock::instant();
    let now = clock::now();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let sent = Sent { method: &parts.method, target, headers: &parts.headers, body: &body };
    let (response, outcome) = edge.answer(&sent, peer, &account, endpoint, now);
    metrics::webhook(&account, kind(endpoint), outcome);
    metrics::webhook_seconds(started.elapsed());
    response
}

/// A body up to a limit, or what to answer instead.
pub(super) async fn read(body: Incoming, len_max: usize) -> Result<Bytes, Response<Full<Bytes>>> {
    let body = Limited::new(body, len_max).collect();
    match tokio::time::timeout(BODY_WAIT_MAX, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            metrics::edge_refused(EdgeRefusal::BodyBytes);
            Err(super::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))
        }
        Ok(Err(_)) => Err(super::plain(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => {
            metrics::edge_refused(EdgeRefusal::BodyTime);
            Err(super::plain(StatusCode::REQUEST_TIMEOUT, "the body did not come"))
        }
    }
}

/// A request as it was sent.
struct Sent<'a> {
    method: &'a Method,
    target: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Edge {
    fn answer(
        self: &Arc<Self>,
        sent: &Sent<'_>,
        peer: SocketAddr,
        account: &Arc<Account>,
        endpoint: Endpoint,
        now: UnixMillis,
    ) -> (Response<Full<Bytes>>, WebhookOutcome) {
        let url = [self.settings.public_url.as_str(), sent.target].concat();
        let forwarded = self.forwarded_url(sent, peer);
        let room = carriers::room(account.carrier);
        let receive = |url| {
            let Sent { method, headers, body, .. } = *sent;
            room.receive(endpoint, &carriers::Request { method, url, headers, body }, account, now)
        };
        let received = match (receive(&url), &forwarded) {
            (Err(Refused::WrongSignature), Some(forwarded)) => receive(forwarded),
            (received, _) => received,
        };
        let webhook = match received {
            Ok(webhook) => webhook,
            Err(refused) => return refuse(account, refused),
        };
        let call_id = webhook.carrier_call_id.as_ref();
        let event_id = webhook.event_id.as_deref();
        let step = webhook.step.as_deref().map(step::of);
        let Some((endpoint, target)) = step.unwrap_or(Some((endpoint, sent.target))) else {
            return refuse(account, Refused::Malformed("the step is none of ours"));
        };
        match webhook.event {
            Event::Voice(voice) => {
                let asked =
                    Asked { account, carrier_call_id: call_id, event_id, voice: &voice, now };
                let (answered, outcome) =
                    self.instruct(&asked, endpoint, target, webhook.is_fallback);
                (answer(answered), outcome)
            }
            Event::Progress(progress) => {
                (nothing(room), self.progress(account, call_id, target, &progress, now))
            }
            Event::Stream(event) => {
                let follows = (endpoint == Endpoint::Resume).then(|| step::attempt(target));
                let carrier_call_id = call_id;
                let told = Streamed { account, carrier_call_id, event_id, target, follows, now };
                (nothing(room), self.streamed(&told, &event))
            }
            Event::Connected => (nothing(room), self.connected(account, call_id, now)),
            Event::AnsweredBy(who) => {
                (nothing(room), self.answered_by(account, call_id, target, who, now))
            }
            Event::Dtmf(key) => {
                (nothing(room), self.pressed(account, call_id, event_id.unwrap_or(target), key))
            }
            Event::Unknown => (nothing(room), WebhookOutcome::Unknown),
        }
    }

    /// What a carrier that asks for instructions is told. The first delivery decides; a repeated
    /// one gets the same bytes, unless it says that our answer failed.
    fn instruct(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        endpoint: Endpoint,
        target: &str,
        is_fallback: bool,
    ) -> (Answered, WebhookOutcome) {
        let id = CallId::of_carrier_call(asked.account.id, asked.carrier_call_id);
        let said = asked.event_id.unwrap_or(target);
        if asked.tells() {
            if !self.is_news(id, said) {
                return (Answered::Ordered, WebhookOutcome::Repeated);
            }
            return self.reply(asked, id, endpoint, target);
        }
        let mut outcome = None;
        let mut make = || {
            let (reply, what) = self.reply(asked, id, endpoint, target);
            outcome = Some(what);
            reply
        };
        let key = named(id.0, said.as_bytes());
        let reply = match is_fallback {
            true => make(),
            false => self.answers.given_or(key, asked.now, make),
        };
        (reply, outcome.unwrap_or(WebhookOutcome::Repeated))
    }

    /// Whether a call's event is told for the first time, as far back as events are known.
    pub(super) fn is_news(&self, call: CallId, event: &str) -> bool {
        self.events.entry(named(call.0, event.as_bytes())).or_insert(()).is_fresh()
    }

    /// The reply, and what the request was to us.
    fn reply(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        id: CallId,
        endpoint: Endpoint,
        target: &str,
    ) -> (Answered, WebhookOutcome) {
        let VoiceRequest { direction, is_over, .. } = *asked.voice;
        if self.is_late(asked) {
            return (Answered::Ordered, WebhookOutcome::Late);
        }
        let attempt = || step::attempt(target);
        let reply = match (direction, endpoint) {
            // Over: nobody hears it.
            _ if is_over => self.hang_up(asked),
            (Direction::Inbound, Endpoint::Resume) => self.resume(asked, id, target, attempt()),
            (Direction::Inbound, Endpoint::Voice | Endpoint::Status) => self.decide(asked, id),
            (Direction::Outbound, _) => {
                let placed = self.placed(asked, target);
                let is_resume = endpoint == Endpoint::Resume;
                return match placed {
                    Some(_) if is_resume => {
                        (self.resume(asked, id, target, attempt()), WebhookOutcome::Accepted)
                    }
                    Some(call) => (self.instruct_placed(asked, &call), WebhookOutcome::Accepted),
                    None => (self.hang_up(asked), WebhookOutcome::Unknown),
                };
            }
        };
        (reply, WebhookOutcome::Accepted)
    }

    /// Whether an event is about a call that has ended, or that somebody else has taken elsewhere:
    /// its carrier asks nothing, it tells; what is due by the state that we left is due no more.
    fn is_late(&self, asked: &Asked<'_>) -> bool {
        let Asked { account, carrier_call_id, .. } = *asked;
        asked.tells()
            && match self.live.by_carrier(account.id, carrier_call_id) {
                Some(call) => call.is_elsewhere(),
                None => self.live.has_ended(account.id, carrier_call_id),
            }
    }

    /// A call was put together with somebody: by our own dialling, or by somebody else.
    fn connected(
        &self,
        account: &Account,
        carrier_call_id: &str,
        now: UnixMillis,
    ) -> WebhookOutcome {
        let Some(call) = self.live.by_carrier(account.id, carrier_call_id) else {
            return WebhookOutcome::Unknown;
        };
        if !call.dials() {
            tracing::info!(
                call = %call.facts.id, trace_id = %call.facts.id.trace_id(),
                "a call was taken elsewhere at its carrier"
            );
            self.live.apply(&call, CallEvent::Elsewhere, now);
        }
        WebhookOutcome::Accepted
    }

    fn progress(
        &self,
        account: &Account,
        carrier_call_id: &str,
        target: &str,
        progress: &Progress<'_>,
        now: UnixMillis,
    ) -> WebhookOutcome {
        if let Some(parent) = progress.parent.as_deref() {
            // The other leg of a dial: its end is told by the dial itself.
            if let Some(call) = self.live.by_carrier(account.id, parent) {
                let leg = (!progress.status.is_final()).then(|| carrier_call_id.to_owned());
                call.note(|state| state.dialled = leg);
            }
            return WebhookOutcome::Accepted;
        }
        if progress.direction == Direction::Outbound {
            return self.outbound_progress(account, carrier_call_id, target, progress, now);
        }
        let status = progress.status;
        if let Some(call) = self.live.by_carrier(account.id, carrier_call_id) {
            self.live.apply(&call, CallEvent::Status { status, at: now }, now);
            return WebhookOutcome::Accepted;
        }
        // Not live here: it was refused, or this process has been started since. The row is made
        // again under the same id, or learns how the call ended.
        let view = self.index.view();
        let number = progress.to.and_then(|to| view.number(Some(account.id), to));
        let Some(number) = number else { return WebhookOutcome::Unknown };
        let id = CallId::of_carrier_call(account.id, carrier_call_id);
        self.live.record_late(CallPatch {
            account: Some(account.id),
            carrier_call_id: Some(carrier_call_id.to_owned()),
            direction: Some(progress.direction),
            status: Some(status),
            ani: progress.from,
            dnis: progress.to,
            number: Some(number.id),
            ended_at: status.is_final().then_some(now),
            ..CallPatch::new(id, number.tenant, now)
        });
        WebhookOutcome::Accepted
    }

    /// The URL as a trusted proxy says it was asked for.
    fn forwarded_url(&self, sent: &Sent<'_>, peer: SocketAddr) -> Option<String> {
        let proxies = &self.settings.trusted_proxies;
        if !proxies.iter().any(|network| network.contains(peer.ip())) {
            return None;
        }
        let first = |name: &str| {
            let list = sent.headers.get(name)?.to_str().ok()?;
            list.split(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        let scheme = first("x-forwarded-proto")?;
        let host = first("x-forwarded-host")
            .or_else(|| sent.headers.get(header::HOST).and_then(|host| host.to_str().ok()))?;
        Some(format!("{scheme}://{host}{}", sent.target))
    }
}

fn refuse(account: &Account, refused: Refused) -> (Response<Full<Bytes>>, WebhookOutcome) {
    tracing::debug!(account = account.name, cause = refused.cause(), "refused a request");
    let room = carriers::room(account.carrier);
    let status = room.refusal_status(refused);
    if let Refused::Malformed(what) = refused {
        return (super::plain(status, what), WebhookOutcome::Malformed);
    }
    metrics::signature_failure(account.carrier, refused.cause());
    let mut response = super::plain(status, refused.cause());
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §11.6.1: it says how one would be let in.
        let challenge = header::HeaderValue::from_static(room.challenge());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    (response, WebhookOutcome::Refused)
}

fn answer(answered: Answered) -> Response<Full<Bytes>> {
    let (content_type, body) = match answered {
        Answered::Document(content_type, body) => (content_type, body),
        // Some carriers ask for this very status.
        Answered::Ordered => return Response::new(Full::default()),
    };
    let mut response = Response::new(Full::new(body));
    let value = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn nothing(room: &dyn Carrier) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = room.acknowledgement();
    response
}

const fn kind(endpoint: Endpoint) -> WebhookKind {
    match endpoint {
        Endpoint::Voice => WebhookKind::Voice,
        Endpoint::Status => WebhookKind::Status,
        Endpoint::Resume => WebhookKind::Resume,
    }
}

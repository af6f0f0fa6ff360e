//! TeXML: Telnyx's TwiML (Telnyx docs, texml-fundamentals). Forms are signed as events are, so only
//! by POST: with GET nothing of the call would be signed.

use std::borrow::Cow;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    commands, fetch, media, signature,
    webhook::{timestamp, validated},
};
use crate::{
    carriers::{
        Answer, AnsweredBy, ApiRequest, BODY_LEN_MAX, Command, CommandOutcome, Dial, Endpoint,
        Event, Leg, Progress, Refused, Request, StreamEvent, VoiceRequest, Webhook,
        shared::{
            form::{Form, call_id},
            party,
            twiml::{
                self,
                webhook::{answered_by, call_status, dial_outcome},
            },
        },
    },
    domain::{Account, CallStatus, Direction, InboundCall, MediaFormat, UnixMillis},
};

/// Reads a form that has proven itself.
pub(super) fn receive<'a>(
    endpoint: Endpoint,
    request: &Request<'a>,
    account: &Account,
    now: UnixMillis,
) -> Result<Webhook<'a>, Refused> {
    if request.method != Method::POST {
        return Err(Refused::Malformed("set the application's methods to POST: GET is not signed"));
    }
    let proof = signature::verify(request, account, now);
    // Nothing but a document is given for a token, and only where there is no signature at all.
    let is_fetch = proof == Err(Refused::Unsigned) && endpoint != Endpoint::Status;
    if !is_fetch || request.body.len() > BODY_LEN_MAX {
        proof?;
    }
    let body = std::str::from_utf8(request.body)
        .map_err(|_| Refused::Malformed("the form is not text"))?;
    let mut form = Form::parse(body).map_err(|_| Refused::Malformed("too many parameters"))?;
    let is_other = |name: &str, ours: &str| {
        !ours.is_empty() && form.get(name).is_some_and(|theirs| theirs != ours)
    };
    if is_other("AccountSid", &account.account_id)
        || is_other("ConnectionId", &account.application_id)
    {
        return Err(Refused::AccountMismatch);
    }
    let query = request.query();
    if is_fetch {
        let called = form.get("To").and_then(party::number).map(fetch::For::Number);
        let call = form.get("CallSid").map(fetch::For::Call);
        let what = if endpoint == Endpoint::Voice { called } else { call };
        if !what.is_some_and(|what| fetch::is_in(query, what, account)) {
            return Err(Refused::Unsigned);
        }
    }
    let event = match endpoint {
        Endpoint::Voice | Endpoint::Resume => Event::Voice(voice(&form, endpoint, query, account)),
        Endpoint::Status => status(&mut form, query),
    };
    let carrier_call_id = form.take("CallSid").ok_or(Refused::Malformed("no CallSid"))?;
    Ok(Webhook { carrier_call_id, event_id: None, step: None, is_fallback: false, event })
}

/// No parameter says which way a call goes: those that we place have our id on their URLs.
fn direction(endpoint: Endpoint, query: &str) -> Direction {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let is_outbound = match endpoint {
        Endpoint::Voice => has("call"),
        Endpoint::Status => has("call") || has("agent"),
        Endpoint::Resume => false,
    };
    if is_outbound { Direction::Outbound } else { Direction::Inbound }
}

fn voice(form: &Form<'_>, endpoint: Endpoint, query: &str, account: &Account) -> VoiceRequest {
    let status = form.get("CallStatus").and_then(call_status);
    let attested = form.get("ShakenStirAttestation");
    VoiceRequest {
        call: InboundCall {
            account: Some(account.id),
            dnis: form.get("To").and_then(party::number),
            ani: party::ani(form.get("From").unwrap_or_default()),
            forwarded_from: form.get("ForwardedFrom").and_then(party::number),
            attestation: validated(form.get("ShakenStirValidated") == Some("true"), attested),
        },
        direction: direction(endpoint, query),
        is_answered: matches!(status, Some(CallStatus::InProgress | CallStatus::Completed))
            || endpoint == Endpoint::Resume,
        is_over: status.is_some_and(CallStatus::is_final) && endpoint == Endpoint::Voice,
        dial: form.get("DialCallStatus").map(dial_outcome),
        answered_by: form.get("AnsweredBy").map(answered_by),
    }
}

fn status<'a>(form: &mut Form<'a>, query: &str) -> Event<'a> {
    // Costs may come to the same URL.
    if form.get("CallbackSource").is_some_and(|source| source != "call-progress-events") {
        return Event::Unknown;
    }
    match form.get("StreamEvent") {
        Some("stream-started") => return Event::Stream(StreamEvent::Started),
        Some("stream-stopped") => return Event::Stream(StreamEvent::Stopped),
        Some("stream-error" | "stream-failed") => {
            let why = form.take("StreamError").unwrap_or_default();
            return Event::Stream(StreamEvent::Failed(why));
        }
        Some(_) => return Event::Unknown,
        None => {}
    }
    let who = form.get("AnsweredBy").map(answered_by);
    match (form.get("CallStatus").map(call_status), who) {
        (Some(Some(status)), _) => Event::Progress(progress(form, query, status, who)),
        (None, Some(who)) => Event::AnsweredBy(who),
        (Some(None) | None, _) => Event::Unknown,
    }
}

fn progress<'a>(
    form: &mut Form<'a>,
    query: &str,
    status: CallStatus,
    answered_by: Option<AnsweredBy>,
) -> Progress<'a> {
    let parent = form.take("ParentCallSid").filter(|sid| !sid.is_empty());
    let direction = direction(Endpoint::Status, query);
    Progress {
        status,
        direction,
        is_placed: direction == Direction::Outbound && parent.is_none(),
        parent,
        from: form.get("From").and_then(|text| party::ani(text).number()),
        to: form.get("To").and_then(party::number),
        sequence: form.get("SequenceNumber").and_then(|text| text.parse().ok()),
        duration_seconds: form.get("CallDuration").and_then(|text| text.parse().ok()),
        answered_by,
        sip_code: None,
        at: form.get("Timestamp").and_then(timestamp),
        call: call_id(query),
    }
}

/// Writes the document in place of what `out` holds: TwiML, and what its `<Stream>` has besides.
pub(super) fn write(answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) {
    let step = |url: &str| fetch::step(url, leg.carrier_call_id, leg.account);
    match *answer {
        Answer::Media { url, status_url, resume_url, format, parameters } => {
            let resume_url = &step(resume_url);
            let answer = Answer::Media { url, status_url, resume_url, format, parameters };
            write_media(&answer, format, out);
        }
        Answer::DialNumber { number, resume_url } => {
            let resume_url = &step(resume_url);
            twiml::answer::write(&Answer::DialNumber { number, resume_url }, &[], out);
        }
        Answer::DialSip { address, resume_url } => {
            let resume_url = &step(resume_url);
            twiml::answer::write(&Answer::DialSip { address, resume_url }, &[], out);
        }
        Answer::Redirect { .. }
        | Answer::Say { .. }
        | Answer::PickUp { .. }
        | Answer::Busy
        | Answer::Reject
        | Answer::HangUp => twiml::answer::write(answer, &[], out),
    }
}

fn write_media(answer: &Answer<'_>, format: MediaFormat, out: &mut Vec<u8>) {
    let codec = media::format(format).codec.as_str();
    let attributes = [
        ("track", "inbound_track"),
        ("codec", codec),
        // The default takes MP3, and audio in that mode is not heard.
        ("bidirectionalMode", "rtp"),
        ("bidirectionalCodec", codec),
        ("bidirectionalSamplingRate", "8000"),
        // A ticket opens one socket.
        ("enableReconnect", "false"),
    ];
    twiml::answer::write(answer, &attributes, out);
}

/// The requests that differ from Call Control's: those about TeXML calls.
pub(super) fn request(command: &Command<'_>, account: &Account) -> Option<ApiRequest> {
    let sid = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    let calls = format!("/v2/texml/Accounts/{sid}/Calls");
    let call = |id: &str| format!("{calls}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let (path, body) = match command {
        Command::HangUp { carrier_call_id } => {
            (call(carrier_call_id), json!({ "Status": "completed" }))
        }
        Command::Redirect { carrier_call_id, url } => {
            (call(carrier_call_id), json!({ "Url": url, "Method": "POST" }))
        }
        Command::Dial(dial) => (calls, dial_body(dial, account)),
        Command::FindCalls { .. }
        | Command::ListCalls { .. }
        | Command::SearchNumbers(_)
        | Command::BuyNumber(_)
        | Command::FindNumber { .. }
        | Command::Numbers(_) => return None,
    };
    Some(commands::json_request(Method::POST, path, account, &body))
}

fn dial_body(call: &Dial<'_>, account: &Account) -> Value {
    let detection = match (call.detects_machine, call.awaits_recording) {
        (true, true) => "DetectMessageEnd",
        (true, false) => "Enable",
        (false, _) => "Disable",
    };
    json!({
        "ApplicationSid": account.application_id,
        "To": call.to.to_string(),
        "From": call.from.to_string(),
        "Url": call.voice_url,
        "UrlMethod": "POST",
        "FallbackUrl": call.voice_url,
        "StatusCallback": call.status_url,
        "StatusCallbackMethod": "POST",
        "StatusCallbackEvent": "initiated ringing answered completed",
        "Timeout": call.ring_seconds.clamp(5, 120),
        "MachineDetection": detection,
        // Nobody is kept waiting in silence while the carrier listens.
        "AsyncAmd": call.detects_machine,
        "AsyncAmdStatusCallback": call.status_url,
        "AsyncAmdStatusCallbackMethod": "POST",
    })
}

#[derive(Deserialize)]
struct CallBody<'a> {
    #[serde(borrow, alias = "call_sid", alias = "CallSid")]
    sid: Cow<'a, str>,
}

/// What the reply says of one of those requests.
pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    let is_placed = matches!(command, Command::Dial(_)) && (200..300).contains(&status);
    if !is_placed {
        return commands::outcome(command, status, body);
    }
    match serde_json::from_slice::<CallBody<'_>>(body) {
        Ok(call) => CommandOutcome::Accepted { carrier_call_id: call.sid.into_owned() },
        // The page names no id in the reply: the call's first webhook tells it.
        Err(_) => CommandOutcome::Unclear,
    }
}

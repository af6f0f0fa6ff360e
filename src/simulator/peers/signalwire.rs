//! SignalWire's compatibility API (SignalWire docs, compatibility-api): Twilio with fewer
//! parameters, UUIDs for ids, another signature and a token for the media socket.

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Asking, Manners, Peer, StationEvent, StreamTold,
    form::{Form, rfc2822, timestamp, word},
    twilio::{
        asked,
        form::{direction, verdict},
        rest,
        wire::Messages,
    },
    twiml,
};
use crate::{
    domain::{Account, AccountOrigin, ApiKey, CallStatus, CarrierId, MediaFormat, Secret},
    simulator::{
        exchange::Inner,
        leg::{Leg, Who},
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// What its `<Stream>` has besides Twilio's.
const STREAM: [&str; 3] = ["codec", "realtime", "authBearerToken"];

/// SignalWire, as its customers meet it.
pub(super) struct SignalWire;

impl Peer for SignalWire {
    fn account(&self, name: &str) -> (Account, Value) {
        let kind = CarrierId::SignalWire;
        let mut account = Account::named(name.to_owned(), kind, AccountOrigin::Api);
        let (token, key) = (format!("PT{}", Uuid::new_v4().simple()), Uuid::new_v4().to_string());
        account.account_id = Uuid::new_v4().to_string();
        account.application_id = "harbor".to_owned();
        let told = json!({ "account_id": account.account_id, "secrets": [token],
            "space": account.application_id, "signing_key": key });
        account.secrets = vec![Secret::new(key)];
        account.api.key = Some(ApiKey { id: String::new(), secret: Secret::new(token) });
        (account, told)
    }

    fn call_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn stream_id(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn manners(&self) -> Manners {
        Manners {
            user_agent: "SignalWire",
            connect_max: Duration::from_secs(2),
            answer_max: Duration::from_secs(5),
            // It shows the document's token instead.
            signs_upgrades: false,
        }
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        Letter::form(&asking.step.url, asked(form(leg), asking).encoded())
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        let mut verbs = twiml::parse(content_type, body, &STREAM)?;
        for verb in &mut verbs {
            if let Verb::Connect(stream) = verb {
                settle(stream)?;
            }
        }
        Ok(verbs)
    }

    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter {
        let mut form = form(leg);
        form.add("Timestamp", rfc2822(clock::now()));
        form.add("SequenceNumber", event.sequence.to_string());
        if let Some(seconds) = event.seconds {
            form.add("CallDuration", seconds.to_string());
            form.add("AudioInMos", "4.50");
            form.add("HangupBy", "caller");
            form.add("HangupDirection", "inbound");
            form.add("SipResultCode", sip_code(leg.state().status));
        }
        Letter::form(url, form.encoded())
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        let form = Form(vec![
            ("CallSid", leg.facts.sid.clone()),
            ("AccountSid", leg.facts.account_sid.clone()),
            ("AnsweredBy", verdict(who).to_owned()),
        ]);
        Letter::form(url, form.encoded())
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let mut form = Form(vec![
            ("AccountSid", leg.facts.account_sid.clone()),
            ("CallSid", leg.facts.sid.clone()),
            ("StreamSid", id.to_owned()),
            ("StreamName", id.to_owned()),
            ("StreamEvent", what.as_str().to_owned()),
            ("StreamTrack", "inbound_track".to_owned()),
            ("Timestamp", timestamp(clock::now()).to_string()),
        ]);
        if let StreamTold::Failed(_) = what {
            form.add("StreamError", "connection_refused_timeout_or_ssl_error");
        }
        stream.status_callback.as_ref().map(|url| Letter::form(url, form.encoded()))
    }

    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire> {
        Box::new(Messages::new(leg, stream, id, true))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange, rest::SIGNALWIRE.base)
    }

    fn error(&self, status: u16, code: Option<u32>, message: &str) -> Response {
        rest::error(status, code.unwrap_or(10_000), message)
    }
}

/// The parameters that are promised.
fn form(leg: &Leg) -> Form {
    let facts = &leg.facts;
    let mut form = Form(vec![
        ("CallSid", facts.sid.clone()),
        ("AccountSid", facts.account_sid.clone()),
        ("ApiVersion", "2010-04-01".to_owned()),
        ("Direction", direction(facts).to_owned()),
        ("From", facts.from.clone()),
        ("To", facts.to.clone()),
        ("CallStatus", word(leg.state().status)),
    ]);
    if let Some(forwarded) = &facts.forwarded_from {
        form.add("ForwardedFrom", forwarded);
    }
    form
}

/// What the attributes mean for the socket.
fn settle(stream: &mut Stream) -> Result<(), Problem> {
    stream.format = match stream.attribute("codec") {
        None | Some("PCMU@8000h") => MediaFormat::PCMU_8000,
        Some("L16@16000h") => MediaFormat::L16_16000,
        Some("L16@24000h") => MediaFormat::L16_24000,
        Some(codec) => return Err(Problem::schema(format!("Stream: codec {codec:?}"))),
    };
    let shown = stream.attribute("authBearerToken").map(|token| format!("Bearer {token}"));
    stream.headers.extend(shown.map(|shown| ("authorization".to_owned(), shown)));
    Ok(())
}

const fn sip_code(status: CallStatus) -> &'static str {
    match status {
        CallStatus::NoAnswer | CallStatus::Canceled => "487",
        CallStatus::Busy => "486",
        CallStatus::Failed => "404",
        CallStatus::Completed
        | CallStatus::Queued
        | CallStatus::Initiated
        | CallStatus::Ringing
        | CallStatus::InProgress => "200",
    }
}

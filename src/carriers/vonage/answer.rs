//! Writes NCCOs, Vonage's documents: a JSON array of actions (nexmo-developer, ncco-reference and
//! guides/websockets).
//!
//! No action asks a URL of ours what follows, so a leg's own events do: they go to the step's URL,
//! and what that answers takes the place of the document (`eventType: synchronous`). Such an event
//! is another leg's; the URL says whose call it is.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{media, signature};
use crate::{
    carriers::{
        Answer, Leg,
        shared::{query, speech},
    },
    domain::{Ani, Direction, E164, InboundCall, Target},
};

/// `talk` takes so many characters; the rest is cut off, for speech cut short is still speech.
const TALK_CHARS_MAX: usize = 1500;

/// What a websocket's `headers` take, as JSON, in bytes.
pub(super) const HEADERS_LEN_MAX: usize = 512;

/// The header of a media socket that names the call's leg.
pub(super) const CALL_REF: &str = "call_ref";

/// What stands behind a step's URL: the call's leg, which way the call goes, and who with whom.
pub(super) const LEG: &str = "leg";
pub(super) const WAY: &str = "way";
pub(super) const CALLER: &str = "caller";
pub(super) const CALLED: &str = "called";

/// The word for a call that goes out, as the value of [`WAY`].
pub(super) const OUT: &str = "out";

/// The word for a caller who hides, as the value of [`CALLER`].
const HIDDEN: &str = "anonymous";

/// Whether a document can do it: Vonage hands no call on to another application.
pub(super) const fn can(target: &Target) -> bool {
    match target {
        Target::Runtime(_)
        | Target::Builtin(_)
        | Target::Agent(_)
        | Target::Tel(_)
        | Target::Sip(_)
        | Target::Say(_)
        | Target::Busy
        | Target::Reject => true,
        Target::Redirect(_) => false,
    }
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Action<'a> {
    Connect {
        event_type: &'a str,
        event_url: [&'a str; 1],
        event_method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        endpoint: [Endpoint<'a>; 1],
    },
    Talk {
        text: &'a str,
        language: &'a str,
    },
    Notify {
        payload: Payload<'a>,
        event_url: [&'a str; 1],
        event_method: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Endpoint<'a> {
    Websocket {
        uri: &'a str,
        #[serde(rename = "content-type")]
        content_type: &'a str,
        headers: Headers<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        authorization: Option<Authorization>,
    },
    Phone {
        number: String,
    },
    Sip {
        uri: String,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Authorization {
    Custom { value: String },
}

/// What `notify` brings back.
#[derive(Serialize)]
struct Payload<'a> {
    call_ref: &'a str,
}

/// The call's leg, and as many of the parameters as there is room for.
struct Headers<'a> {
    call_ref: &'a str,
    parameters: &'a [(&'a str, &'a str)],
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(CALL_REF, self.call_ref)?;
        // With its quotes, a colon, a comma and the braces of all.
        let json_len = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |t| t.len());
        let pair_len = |name, value| json_len(name).saturating_add(json_len(value) + 2);
        let mut len = 2 + pair_len(CALL_REF, self.call_ref);
        for (name, value) in self.parameters {
            len = len.saturating_add(pair_len(name, value));
            if len > HEADERS_LEN_MAX {
                break;
            }
            // They come back among the first message's own fields.
            if ![CALL_REF, "event", "content-type"].contains(name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// Writes the document in place of what `out` holds.
pub(super) fn write(answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) {
    out.clear();
    match *answer {
        Answer::Media { url, status_url: _, resume_url, format, parameters } => {
            let secret = leg.account.secrets.first();
            let endpoint = Endpoint::Websocket {
                uri: url,
                content_type: media::content_type(format),
                headers: Headers { call_ref: leg.carrier_call_id, parameters },
                authorization: secret.map(|secret| Authorization::Custom {
                    value: signature::media_proof(secret, url),
                }),
            };
            connect(endpoint, resume_url, leg, out);
        }
        Answer::DialNumber { number, resume_url } => {
            connect(Endpoint::Phone { number: digits(number) }, resume_url, leg, out);
        }
        Answer::DialSip { address, resume_url } => {
            connect(Endpoint::Sip { uri: format!("sip:{address}") }, resume_url, leg, out);
        }
        Answer::Say { text, resume_url: _ } => {
            let text = speech::cut(text, TALK_CHARS_MAX);
            put(&[Action::Talk { text, language: "en-US" }], out);
        }
        Answer::PickUp { resume_url } => {
            ask(&step(resume_url, leg), leg.carrier_call_id, out);
        }
        // A document without an action ends the call: there is no action for that, nor one that
        // refuses it. Nothing that is saved asks for a redirect here.
        Answer::Redirect { .. } | Answer::Busy | Answer::Reject | Answer::HangUp => put(&[], out),
    }
}

/// A document that has Vonage ask a step's URL.
pub(super) fn ask(step: &str, carrier_call_id: &str, out: &mut Vec<u8>) {
    let payload = Payload { call_ref: carrier_call_id };
    put(&[Action::Notify { payload, event_url: [step], event_method: "POST" }], out);
}

fn connect(endpoint: Endpoint<'_>, resume_url: &str, leg: &Leg<'_>, out: &mut Vec<u8>) {
    let action = Action::Connect {
        event_type: "synchronous",
        event_url: [&step(resume_url, leg)],
        event_method: "POST",
        from: ours(leg).map(digits),
        endpoint: [endpoint],
    };
    put(&[action], out);
}

fn put(actions: &[Action<'_>], out: &mut Vec<u8>) {
    // Into memory, which takes everything.
    let _infallible = serde_json::to_writer(out, actions);
}

/// Our number in the call: the only one that Vonage shows to who is dialled.
fn ours(leg: &Leg<'_>) -> Option<E164> {
    match leg.direction {
        Direction::Inbound => leg.call.dnis,
        Direction::Outbound => leg.call.ani.number(),
    }
}

/// A step's URL, with what its events have to bring back.
fn step(url: &str, leg: &Leg<'_>) -> String {
    let InboundCall { dnis, ani, .. } = leg.call;
    let mut state = String::with_capacity(128);
    query::push(&mut state, LEG, leg.carrier_call_id);
    if leg.direction == Direction::Outbound {
        query::push(&mut state, WAY, OUT);
    }
    match ani {
        Ani::Number(number) => query::push(&mut state, CALLER, &digits(number)),
        Ani::Withheld => query::push(&mut state, CALLER, HIDDEN),
        Ani::Unusable => {}
    }
    if let Some(number) = dnis {
        query::push(&mut state, CALLED, &digits(number));
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{state}")
}

/// A number as Vonage writes it, without its plus.
pub(super) fn digits(number: E164) -> String {
    number.as_u64().to_string()
}

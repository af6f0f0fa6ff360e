//! Says why a request's signature does not verify: what goes wrong with SignalWire's alone, beside
//! what goes wrong with every carrier's.

use http::{HeaderName, header::AUTHORIZATION};

use super::signature::{self, SIGNATURE};
use crate::{
    carriers::{
        Refused, Request,
        shared::{
            diagnosis::{
                Axis, Diagnosis, Rule,
                probe::{self, Probe},
            },
            request::RawRequest,
        },
    },
    domain::Account,
};

/// Says whether a request verifies under one of the public URLs SignalWire may have been given,
/// and if not, which reading would.
#[must_use]
pub fn diagnose(request: &RawRequest, urls: &[&str], account: &Account) -> Diagnosis {
    probe::diagnose(request, urls, account, verify, rules())
}

/// The room's own verdict.
fn verify(request: &Request<'_>, account: &Account) -> Result<(), Refused> {
    if request.url.starts_with("ws://") || request.url.starts_with("wss://") {
        signature::verify_upgrade(request, account)
    } else {
        signature::verify(request, account).map(drop)
    }
}

fn rules() -> Vec<Rule<Probe>> {
    vec![
        Rule::new(
            Axis::Text,
            "the X-Twilio-Signature header",
            "Something changed the X-SignalWire-Signature header, and the older one is right.",
            |c, _, _| c.headers.remove(&SIGNATURE).is_some(),
        ),
        Rule::new(
            Axis::Text,
            "the signature in lower case",
            "Something changed the case of the signature's letters.",
            |c, _, _| c.map_header(SIGNATURE.as_str(), str::to_ascii_lowercase),
        ),
        Rule::new(
            Axis::Text,
            "the signature with its padding",
            "Something cut the = from the end of the signature header.",
            |c, _, _| c.map_header(SIGNATURE.as_str(), padded),
        ),
        Rule::new(
            Axis::Text,
            "the token with its padding",
            "Something cut the = from the end of the Authorization header.",
            |c, _, _| {
                let name: HeaderName = AUTHORIZATION;
                c.map_header(name.as_str(), padded)
            },
        ),
    ]
}

/// SHA-1 and SHA-256 in base64 end in one `=`.
fn padded(text: &str) -> String {
    format!("{}=", text.trim_end_matches('='))
}

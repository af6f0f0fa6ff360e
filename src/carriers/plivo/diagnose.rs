//! Says why a request's signature does not verify: what goes wrong with Plivo's alone, beside what
//! goes wrong with every carrier's.

use http::Method;

use super::signature::{self, V3};
use crate::{
    carriers::shared::{
        diagnosis::{
            Axis, Diagnosis, Rule,
            probe::{self, Probe},
        },
        request::RawRequest,
    },
    domain::Account,
};

/// Says whether a request verifies under one of the public URLs Plivo may have been given, and if
/// not, which reading would.
#[must_use]
pub fn diagnose(request: &RawRequest, urls: &[&str], account: &Account) -> Diagnosis {
    let verify: probe::Verify = |request, account| signature::verify(request, account).map(drop);
    probe::diagnose(request, urls, account, verify, rules())
}

fn rules() -> Vec<Rule<Probe>> {
    vec![
        Rule::new(
            Axis::Method,
            "as a POST",
            "It was sent as a POST, and a GET arrived: something on the way changed the method.",
            |c, _, _| set_method(c, Method::POST),
        ),
        Rule::new(
            Axis::Method,
            "as a GET",
            "It was signed as a GET: set the method at Plivo's application to POST.",
            |c, _, _| set_method(c, Method::GET),
        ),
        Rule::new(
            Axis::Text,
            "the V2 headers alone",
            "The V2 signature matches: the body, the query or the V3 headers were changed.",
            |c, _, _| {
                let own = c.headers.remove(&V3.own);
                let main = c.headers.remove(&V3.main);
                own.is_some() || main.is_some()
            },
        ),
        Rule::new(
            Axis::Text,
            "the signature with its padding",
            "Something cut the = from the end of the signature header.",
            |c, _, _| {
                let padded = |name: &str, c: &mut Probe| {
                    c.map_header(name, |text| format!("{}=", text.trim_end_matches('=')))
                };
                let own = padded(V3.own.as_str(), c);
                padded(V3.main.as_str(), c) || own
            },
        ),
    ]
}

fn set_method(candidate: &mut Probe, method: Method) -> bool {
    let is_changed = candidate.method != method;
    candidate.method = method;
    is_changed
}

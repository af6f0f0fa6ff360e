//! A candidate of any room: the request itself, changed and shown to the room once more.

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Axis, Candidate, Diagnosis, Evidence, Rule, Url};
use crate::{
    carriers::{
        Refused, Request,
        shared::{
            form::{Form, Pair, decoded},
            request::RawRequest,
        },
    },
    domain::{Account, Secret},
};

/// A room's verdict.
pub type Verify = fn(&Request<'_>, &Account) -> Result<(), Refused>;

/// A request as it may have been signed.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its URL.
    pub url: Url,
    /// Its method.
    pub method: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Whose secrets signed it.
    pub account: Account,
    verify: Verify,
}

impl Candidate for Probe {
    fn url_mut(&mut self) -> &mut Url {
        &mut self.url
    }

    fn signed_url(&self) -> String {
        self.url.to_string()
    }

    fn matches(&self) -> bool {
        let Self { method, headers, body, account, .. } = self;
        (self.verify)(&Request { method, url: &self.url.to_string(), headers, body }, account)
            .is_ok()
    }
}

impl Probe {
    /// Changes a header's text; `false` where it stays.
    pub fn map_header(&mut self, name: &str, map: impl FnOnce(&str) -> String) -> bool {
        let Some(old) = self.headers.get(name).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        let new = map(old);
        let is_changed = new != old;
        match HeaderValue::from_str(&new) {
            Ok(value) if is_changed => {
                if let Some(header) = self.headers.get_mut(name) {
                    *header = value;
                }
                true
            }
            _ => false,
        }
    }

    /// Changes the parameters of a form; `false` where they stay.
    pub fn map_form(&mut self, map: impl FnOnce(&mut Vec<Pair<'_>>)) -> bool {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let form = Form::parse(&text).unwrap_or_default();
        let given: Vec<_> = form.fields().map(Pair::from).collect();
        let mut pairs = given.clone();
        map(&mut pairs);
        if pairs == given {
            return false;
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pair = |pair: &Pair<'_>| format!("{}={}", encoded(pair.name()), encoded(&pair.value));
        self.body = pairs.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes();
        true
    }
}

/// Says whether a request verifies by `verify`, and if not, which reading would: of its URL, its
/// body and its secrets, and by the room's own rules.
#[must_use]
pub fn diagnose(
    request: &RawRequest,
    urls: &[&str],
    account: &Account,
    verify: Verify,
    own: Vec<Rule<Probe>>,
) -> Diagnosis {
    let mut rules = own;
    rules.extend(rules_of_every_room());
    let shown = |url: &str| {
        let RawRequest { method, headers, body, .. } = request;
        verify(&Request { method, url, headers, body }, account)
    };
    let probe = |reading: &super::Reading, _: &str| {
        Some(Probe {
            url: Url::parse(&reading.url)?,
            method: request.method.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            account: account.clone(),
            verify,
        })
    };
    super::diagnose(&Evidence { request, account }, urls, shown, probe, &rules)
}

fn body_not_signed() -> Rule<Probe> {
    Rule::new(
        Axis::Body,
        "the body not signed",
        "The URL is rightly signed but the body is not: pass on the raw bytes that came.",
        |c, _, _| {
            let was_empty = c.body.is_empty();
            c.body.clear();
            !was_empty
        },
    )
}

fn secret_unwrapped() -> Rule<Probe> {
    Rule::new(
        Axis::Key,
        "the secret without blanks or quotes around it",
        "The configured secret has a line end, a blank or quotes around it: take them off.",
        |c, _, _| {
            let bare =
                |secret: &Secret| secret.reveal().trim().trim_matches(['"', '\'']).to_owned();
            let secrets: Vec<_> = c.account.secrets.iter().map(bare).map(Secret::new).collect();
            let is_changed = secrets != c.account.secrets;
            c.account.secrets = secrets;
            is_changed
        },
    )
}

fn rules_of_every_room() -> [Rule<Probe>; 7] {
    [
        body_not_signed(),
        Rule::new(
            Axis::Query,
            "the query not decoded",
            "The signer did not decode the query; the carrier does. Or something encoded it twice.",
            |c, _, _| c.url.map_query(|query| query.replace('%', "%25").replace('+', "%2B")),
        ),
        Rule::new(
            Axis::Body,
            "without the body's last line end",
            "The file ends in a line end that is not part of the body: cut it off.",
            |c, _, _| {
                let len = c.body.trim_ascii_end().len();
                let is_cut = len != c.body.len();
                c.body.truncate(len);
                is_cut
            },
        ),
        Rule::new(
            Axis::Body,
            "the body as a form",
            "The Content-Type of a form was lost: pass it on as application/x-www-form-urlencoded.",
            |c, _, _| {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                let old = c.headers.insert(CONTENT_TYPE, form.clone());
                !c.body.is_empty() && old != Some(form)
            },
        ),
        Rule::new(
            Axis::Body,
            "blank parameters dropped",
            "The signer dropped parameters without a value; the carrier never does.",
            |c, _, _| c.map_form(|pairs| pairs.retain(|pair| !pair.value.is_empty())),
        ),
        Rule::new(
            Axis::Body,
            "values decoded twice",
            "The body was decoded once before it was written down or signed: use the raw body.",
            |c, _, _| {
                c.map_form(|pairs| {
                    for pair in pairs {
                        pair.value = decoded(&pair.value).into_owned().into();
                    }
                })
            },
        ),
        secret_unwrapped(),
    ]
}

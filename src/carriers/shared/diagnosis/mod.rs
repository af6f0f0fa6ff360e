//! Says why a request's signature does not verify: it tries what proxies, frameworks and
//! configurations are known to change, and names the readings that would have matched.
//!
//! A verdict is always a room's own; a reading is a hint to people and lets no request pass. How a
//! request is read and changed is a [`Candidate`]'s; what is tried on every URL is here.

pub mod probe;
mod url;

use super::request::RawRequest;
use crate::{carriers::Refused, domain::Account};

pub use url::{Url, replace};

/// How many things may be wrong at once: scheme, host and path behind one careless proxy.
const CHANGES_MAX: usize = 3;

/// What became of a request's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// It verifies; how the URL was read.
    Valid(Reading),
    /// It does not.
    Invalid {
        /// Why, as the daemon would count it.
        cause: Refused,
        /// The readings that would have matched, with the fewest changes; often none.
        would_match: Vec<Reading>,
    },
}

/// A way to read a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The URL that was signed.
    pub url: String,
    /// What differs from the request and the URL as given.
    pub changes: Vec<Change>,
}

impl Reading {
    /// Its changes in a few words; as given, where there are none.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<_> = self.changes.iter().map(|change| change.name).collect();
        if names.is_empty() { "as given".to_owned() } else { names.join(", ") }
    }

    /// What to do, a sentence each.
    pub fn remedies(&self) -> impl Iterator<Item = &'static str> {
        self.changes.iter().map(|change| change.remedy).filter(|remedy| !remedy.is_empty())
    }
}

/// One difference, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// A few words.
    pub name: &'static str,
    /// A sentence; empty where there is nothing to do.
    pub remedy: &'static str,
}

/// What a diagnosis has to go by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'e> {
    /// The request as it was written down.
    pub request: &'e RawRequest,
    /// Whose it should be.
    pub account: &'e Account,
}

/// A request as it may have been signed.
pub trait Candidate: Clone {
    /// Its URL, to be changed.
    fn url_mut(&mut self) -> &mut Url;

    /// The URL that was signed.
    fn signed_url(&self) -> String;

    /// Whether one of the account's secrets signed it.
    fn matches(&self) -> bool;
}

/// What a rule changes. At most one rule of each is applied, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Axis {
    /// The URL's scheme.
    Scheme,
    /// Its user and password.
    User,
    /// Its host.
    Host,
    /// Its port.
    Port,
    /// Its path.
    Path,
    /// Its query.
    Query,
    /// Its fragment.
    Fragment,
    /// The request's method.
    Method,
    /// Its body.
    Body,
    /// What it is signed with.
    Key,
    /// How the signature is written.
    Text,
}

/// One way to misread.
pub struct Rule<C> {
    axis: Axis,
    change: Change,
    attempts: usize,
    apply: Apply<C>,
}

/// Changes a candidate, the n-th way; `false` where that changes nothing.
type Apply<C> = fn(&mut C, &Evidence<'_>, usize) -> bool;

impl<C> Rule<C> {
    /// A rule that can be applied in one way.
    #[must_use]
    pub const fn new(
        axis: Axis,
        name: &'static str,
        remedy: &'static str,
        apply: Apply<C>,
    ) -> Self {
        Self { axis, change: Change { name, remedy }, attempts: 1, apply }
    }

    /// The same, in so many ways.
    #[must_use]
    pub const fn times(self, attempts: usize) -> Self {
        Self { attempts, ..self }
    }
}

/// Says whether a request verifies under one of the public URLs the carrier may have been given,
/// and if not, which reading would: `candidate` is what the room looked at, from a reading and the
/// fragment behind the URL, or none where that says enough. Fragments are never signed, so they
/// are dropped.
pub fn diagnose<C: Candidate>(
    evidence: &Evidence<'_>,
    urls: &[&str],
    verify: impl Fn(&str) -> Result<(), Refused>,
    candidate: impl Fn(&Reading, &str) -> Option<C>,
    rules: &[Rule<C>],
) -> Diagnosis {
    let mut cause = None;
    let mut candidates = Vec::new();
    for given in urls {
        let (url, fragment) = given.split_once('#').unwrap_or((given, ""));
        for mut reading in readings_of(url, evidence.request) {
            match verify(&reading.url) {
                Ok(()) => {
                    if url != *given {
                        reading.changes.push(Change { name: "fragment dropped", remedy: "" });
                    }
                    return Diagnosis::Valid(reading);
                }
                Err(refused) => cause = cause.or(Some(refused)),
            }
            if let Some(candidate) = candidate(&reading, fragment) {
                candidates.push(Tried { candidate, changes: reading.changes, axis: None });
            }
        }
    }
    let cause = cause.unwrap_or(Refused::Malformed("no URL to check it by"));
    Diagnosis::Invalid { cause, would_match: search(candidates, rules, evidence) }
}

/// The URL as given and, where the request line has a longer query, with that: a carrier adds
/// parameters and hashes to the URL it was given.
fn readings_of(url: &str, request: &RawRequest) -> Vec<Reading> {
    let mut readings = vec![Reading { url: url.to_owned(), changes: Vec::new() }];
    let (base, own) = url.split_once('?').unwrap_or((url, ""));
    if let Some(query) = request.query().filter(|query| query.starts_with(own) && *query != own) {
        let change = Change { name: "with the request line's query", remedy: "" };
        readings.push(Reading { url: format!("{base}?{query}"), changes: vec![change] });
    }
    readings
}

/// A candidate on the way.
#[derive(Clone)]
struct Tried<C> {
    candidate: C,
    changes: Vec<Change>,
    /// What was changed last; the next change is further on, so that no two are tried both ways.
    axis: Option<Axis>,
}

/// Breadth first, so that the readings with the fewest changes are found.
fn search<C: Candidate>(
    mut candidates: Vec<Tried<C>>,
    own: &[Rule<C>],
    evidence: &Evidence<'_>,
) -> Vec<Reading> {
    let of_urls = url::rules::<C>();
    for _ in 0..CHANGES_MAX {
        let rules = || of_urls.iter().chain(own);
        candidates = candidates.iter().flat_map(|tried| tried.changed(rules(), evidence)).collect();
        let mut found = Vec::new();
        for tried in candidates.iter().filter(|tried| tried.candidate.matches()) {
            let url = tried.candidate.signed_url();
            let reading = Reading { url, changes: tried.changes.clone() };
            if !found.contains(&reading) {
                found.push(reading);
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

impl<C: Candidate> Tried<C> {
    /// Every candidate that differs in one more thing, of those not yet looked at.
    fn changed<'r>(
        &self,
        rules: impl Iterator<Item = &'r Rule<C>>,
        evidence: &Evidence<'_>,
    ) -> Vec<Self>
    where
        C: 'r,
    {
        let mut all = Vec::new();
        for rule in rules.filter(|rule| Some(rule.axis) > self.axis) {
            for attempt in 0..rule.attempts {
                let mut tried = self.clone();
                if (rule.apply)(&mut tried.candidate, evidence, attempt) {
                    tried.axis = Some(rule.axis);
                    tried.changes.push(rule.change);
                    all.push(tried);
                }
            }
        }
        all
    }
}

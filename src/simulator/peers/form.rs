//! Forms (WHATWG URL, application/x-www-form-urlencoded) as carriers send and take them, and what
//! of their content several spell alike.

use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{CallStatus, UnixMillis};

/// What a form leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A form to send: names and values in the order they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(pub(super) Vec<(&'static str, String)>);

impl Form {
    pub(super) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// As it is sent.
    pub(super) fn encoded(&self) -> String {
        let encoded = |text| utf8_percent_encode(text, ENCODED).to_string().replace("%20", "+");
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// A form or a query that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent(Vec<(String, String)>);

impl Sent {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The same, where it is not empty.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A status as Twilio and those after it spell it.
pub(super) fn word(status: CallStatus) -> String {
    status.as_str().replace('_', "-")
}

/// A time as Twilio writes it nearly everywhere: `Thu, 01 Jan 2026 12:00:00 +0000`.
pub(super) fn rfc2822(at: UnixMillis) -> String {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(at));
    text.unwrap_or_default().replace("GMT", "+0000")
}

pub(super) fn timestamp(at: UnixMillis) -> Timestamp {
    let millis = i64::try_from(at.0).unwrap_or_default();
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

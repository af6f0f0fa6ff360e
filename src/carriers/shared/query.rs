//! Writes `application/x-www-form-urlencoded` text, and takes back pages' queries from carriers.

use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::UnixMillis;

/// Adds a pair.
pub fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
    form.push('=');
    form.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
}

/// A URI but for its path, which is ours: the credentials go nowhere else.
#[must_use]
pub fn of(uri: &str) -> Option<String> {
    uri.split_once('?').map(|(_, query)| query.to_owned())
}

/// What was once the query of a page's URI, as a query again, whoever kept it meanwhile.
#[must_use]
pub fn safe(query: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-._~%&=+:".contains(*c);
    query.chars().filter(is_plain).collect()
}

/// A time's day in UTC, which is what lists of calls are filtered by.
#[must_use]
pub fn day(at: UnixMillis) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

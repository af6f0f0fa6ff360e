//! Points in time as RFC 3339 texts, and days as `YYYY-MM-DD`, both in UTC. It has no clock.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::domain::{UnixDay, UnixMillis};

/// Writes `2026-05-02T09:00:00.125Z`: always milliseconds, as there are parsers that take three
/// digits or six, and no other number of them.
#[must_use]
pub fn rfc3339(at: UnixMillis) -> String {
    format!("{:.3}", timestamp(at))
}

/// Writes `2026-05-02T09:00:00.125000Z`.
pub(super) fn rfc3339_micros(at: UnixMillis) -> String {
    format!("{:.6}", timestamp(at))
}

fn timestamp(at: UnixMillis) -> Timestamp {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// Reads an RFC 3339 text of any offset, from 1970 on.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixMillis> {
    let at: Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(UnixMillis)
}

/// The first millisecond of a day written `YYYY-MM-DD`, or the moment of an RFC 3339 text.
#[must_use]
pub fn day_start(text: &str) -> Option<UnixMillis> {
    start_of(text, 0).or_else(|| parse_rfc3339(text))
}

/// The last millisecond of a day written `YYYY-MM-DD`, or the moment of an RFC 3339 text.
#[must_use]
pub fn day_end(text: &str) -> Option<UnixMillis> {
    let next = start_of(text, 1).map(|next| UnixMillis(next.0.saturating_sub(1)));
    next.or_else(|| parse_rfc3339(text))
}

/// The day written `YYYY-MM-DD`, from 1970 on.
#[must_use]
pub fn parse_day(text: &str) -> Option<UnixDay> {
    start_of(text, 0).map(UnixMillis::day)
}

/// Writes `2026-05-02`.
pub(super) fn shown_day(day: UnixDay) -> String {
    rfc3339(day.start()).chars().take("2026-05-02".len()).collect()
}

fn start_of(text: &str, days_later: i64) -> Option<UnixMillis> {
    if text.len() != "2026-05-02".len() {
        return None;
    }
    let day: Date = text.parse().ok()?;
    let day = day.checked_add(jiff::Span::new().try_days(days_later).ok()?).ok()?;
    let at = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    u64::try_from(at.as_millisecond()).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_alike() {
        for text in ["1970-01-01T00:00:00.000Z", "2026-05-02T09:00:00.120Z"] {
            assert_eq!(parse_rfc3339(text).map(rfc3339).as_deref(), Some(text));
        }
        let at = parse_rfc3339("2026-05-02T09:00:00.12Z").unwrap();
        assert_eq!(rfc3339_micros(at), "2026-05-02T09:00:00.120000Z");
        assert_eq!(
            parse_rfc3339("2026-05-02T11:00:00+02:00").map(rfc3339).unwrap(),
            "2026-05-02T09:00:00.000Z"
        );
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "2026-05-02T09:00:00"] {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_day_has_both_its_ends() {
        assert_eq!(day_start("2026-05-02").map(rfc3339).unwrap(), "2026-05-02T00:00:00.000Z");
        assert_eq!(day_end("2026-05-02").map(rfc3339).unwrap(), "2026-05-02T23:59:59.999Z");
        assert_eq!(
            day_end("2026-05-02T09:00:00Z").map(rfc3339).unwrap(),
            "2026-05-02T09:00:00.000Z"
        );
        assert_eq!(day_start("2026-02-30"), None);
    }
}

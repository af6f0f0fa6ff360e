//! Talkover's statistics of return calls.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    dialects::{Reader, date, time::shown_day},
    domain::{AgentId, Refusal, UnixDay},
};

/// Days asked for at once at most: a year and a day, both ends included.
const DAYS_MAX: u64 = 366;
/// How far back statistics look where nobody says otherwise.
const DAYS_BACK: u64 = 30;

/// Which days are asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// The first day, in UTC; 30 days before the last where it is not said.
    #[param(format = Date, example = "2026-05-02")]
    pub start_date: Option<String>,
    /// The last day, within 366 days of the first; today where it is not said.
    #[param(format = Date, example = "2026-05-31")]
    pub end_date: Option<String>,
}

/// Some days, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub start: UnixDay,
    /// The last.
    pub end: UnixDay,
}

impl Period {
    /// The days that statistics are of where nobody says otherwise.
    #[must_use]
    pub const fn until(end: UnixDay) -> Self {
        Self { start: UnixDay(end.0.saturating_sub(DAYS_BACK)), end }
    }

    /// Reads Get Callback Stats' query.
    ///
    /// # Errors
    /// A date is none, the range is reversed or too long.
    pub fn read(mut query: Reader, today: UnixDay) -> Result<Self, Refusal> {
        let (start, end) = (query.filter("start_date", date), query.filter("end_date", date));
        let period = Self::until(end.unwrap_or(today));
        let period = Self { start: start.unwrap_or(period.start), ..period };
        if period.start > period.end {
            query.blame("end_date", "must not be before start_date");
        } else if period.end.0 - period.start.0 >= DAYS_MAX {
            query.blame("end_date", format!("must be within {DAYS_MAX} days of start_date"));
        }
        query.finish().map(|()| period)
    }
}

/// Return calls of some days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallbackStats)]
pub struct StatsBody {
    period: PeriodBody,
    /// Calls that were routed to a callback agent because their callers had been called.
    total_callbacks_received: u64,
    /// Of those, the ones that connected.
    callbacks_answered: u64,
    /// Calls that reached a callback agent without a recent matching outbound call. They are not
    /// among those received.
    callbacks_unmatched: u64,
    /// Those received, each credited to one source agent; the counts add up to all of them.
    callbacks_by_source_agent: Vec<SourceCount>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Period)]
struct PeriodBody {
    #[schema(format = Date)]
    start: String,
    #[schema(format = Date)]
    end: String,
}

/// The return calls of one source agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::SourceCount)]
pub struct SourceCount {
    source_agent_id: Option<Uuid>,
    name: Option<String>,
    count: u64,
}

impl SourceCount {
    /// An agent that is gone has no name any more; a touch that was forgotten first, no agent.
    #[must_use]
    pub fn new(agent: Option<AgentId>, name: Option<String>, count: u64) -> Self {
        Self { source_agent_id: agent.map(|agent| agent.0), name, count }
    }
}

impl StatsBody {
    /// The counts of a period.
    #[must_use]
    pub fn new(
        period: Period,
        received: u64,
        answered: u64,
        unmatched: u64,
        sources: Vec<SourceCount>,
    ) -> Self {
        Self {
            period: PeriodBody { start: shown_day(period.start), end: shown_day(period.end) },
            total_callbacks_received: received,
            callbacks_answered: answered,
            callbacks_unmatched: unmatched,
            callbacks_by_source_agent: sources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let read = Period::read(Reader::of_query(pairs), UnixDay(20_575));
        let read = read.ok().map(|period| (period.start.0, period.end.0));
        assert_eq!(read, expected, "{query:?}");
    }

    #[test]
    fn a_period_is_read_or_refused() {
        check(&[], Some((20_545, 20_575)));
        check(&[("end_date", "2026-01-31")], Some((20_454, 20_484)));
        check(&[("start_date", "2026-05-02")], Some((20_575, 20_575)));
        check(&[("start_date", "2026-05-03")], None);
        check(&[("start_date", "2025-05-02")], Some((20_210, 20_575)));
        check(&[("start_date", "2025-05-01")], None);
        for wrong in ["2026-5-2", "yesterday", "2026-02-30", "2026-05-02T00:00:00Z"] {
            check(&[("start_date", wrong)], None);
        }
    }
}

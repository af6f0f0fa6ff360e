//! `--fail-over`: what a run must keep to be called good. Pure.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::simulator::load::Tally;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// The latency of that share of the requests.
    Latency(f64, Duration),
    /// The share of requests that fail.
    Errors(f64),
}

/// `p99=5ms`, `max=1s`, `errors=0.1%`.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    let wrong = || "must be like p99=5ms, p99.9=20ms, max=1s or errors=0.1%".to_owned();
    let (what, most) = text.split_once('=').ok_or_else(wrong)?;
    let percent = |text: &str| {
        let percent: f64 = text.parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
    };
    if what == "errors" {
        let share = percent(most.strip_suffix('%').unwrap_or(most)).ok_or_else(wrong)?;
        return Ok(Limit::Errors(share));
    }
    let share = match what {
        "max" => 1.0,
        _ => what.strip_prefix('p').and_then(percent).ok_or_else(wrong)?,
    };
    Ok(Limit::Latency(share, super::args::duration(most)?))
}

/// What was not kept, in words. Without a limit on errors there may be none.
pub(super) fn broken(limits: &[Limit], tally: &Tally) -> Vec<String> {
    let mut broken = Vec::new();
    let all = (tally.answered + tally.failures()).max(1);
    let share = tally.failures() as f64 / all as f64;
    if tally.answered == 0 {
        broken.push("nothing was answered".to_owned());
    }
    let errors = limits.iter().find_map(|limit| match limit {
        Limit::Errors(most) => Some(*most),
        Limit::Latency(..) => None,
    });
    if share > errors.unwrap_or(0.0) {
        broken.push(format!("{} of {all} requests failed", tally.failures()));
    }
    broken.extend(limits.iter().filter_map(|limit| exceeded(*limit, &tally.latency)));
    broken
}

/// A limit on latency that was not kept, in words.
pub(super) fn exceeded(limit: Limit, latency: &Histogram<u64>) -> Option<String> {
    let Limit::Latency(share, most) = limit else { return None };
    let is = Duration::from_micros(latency.value_at_quantile(share));
    let percent = share * 100.0;
    (is > most).then(|| format!("p{percent} is {is:?}, over {most:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let ms = Duration::from_millis;
        assert_eq!(limit("p99=5ms"), Ok(Limit::Latency(0.99, ms(5))));
        assert_eq!(limit("max=1s"), Ok(Limit::Latency(1.0, ms(1000))));
        assert_eq!(limit("errors=1%"), Ok(Limit::Errors(0.01)));
        for bad in ["", "p99", "p101=1s", "q=1s", "p50=5", "errors=-1", "errors=x"] {
            assert!(limit(bad).is_err(), "{bad:?}");
        }
    }
}

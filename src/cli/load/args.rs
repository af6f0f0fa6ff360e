//! How the arguments of `load` are spelled.

use std::{fs, path::Path, time::Duration};

use crate::simulator::load::{Pace, Pairs, Span};

/// The longest run: past a day somebody has mistaken the unit.
const LENGTH_MAX: Duration = Duration::from_secs(24 * 3600);

/// No generator sends more a second.
const RATE_MAX: f64 = 10_000_000.0;

/// `500us`, `20ms`, `10s`, `2m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number with us, ms, s, m or h, such as 10s".to_owned();
    let place = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(place);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let count: f64 = digits.parse().map_err(|_| wrong())?;
    let length = Duration::try_from_secs_f64(count * seconds).map_err(|_| wrong())?;
    if length > LENGTH_MAX {
        return Err("is longer than a day".to_owned());
    }
    Ok(length)
}

/// A duration that is not nothing.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than nothing".to_owned()),
        length => Ok(length),
    }
}

/// `2000`, `0.5`, `max`.
pub(super) fn pace(text: &str) -> Result<Pace, String> {
    if text == "max" {
        return Ok(Pace::Closed);
    }
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(Pace::Open(rate)),
        _ => Err(format!("must be a number from above 0 to {RATE_MAX}, or max")),
    }
}

/// A name and its share: `main`, `main=3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weighted {
    pub(super) name: String,
    pub(super) weight: u32,
}

pub(super) fn weighted(text: &str) -> Result<Weighted, String> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    match weight.parse() {
        Ok(weight) if weight > 0 => Ok(Weighted { name: name.to_owned(), weight }),
        _ => Err("its share must be a whole number above 0, such as main=3".to_owned()),
    }
}

/// Who calls whom.
#[derive(Debug, clap::Args)]
pub(super) struct Numbers {
    /// Who calls: numbers and ranges, separated by commas; each call takes one of them
    #[arg(long, value_name = "RANGES", value_delimiter = ',', value_parser = Span::parse,
        default_value = "+14155550100-+14155559999")]
    from: Vec<Span>,
    /// Who is called, likewise
    #[arg(long, value_name = "RANGES", value_delimiter = ',', value_parser = Span::parse)]
    to: Vec<Span>,
    /// A CSV file of who calls whom instead: from,to in each line; they call in turns
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    pairs: Option<std::path::PathBuf>,
}

impl Numbers {
    /// The pairs; where nobody says who is called, `known` are.
    pub(super) fn pairs(
        &self,
        known: impl FnOnce() -> Result<Vec<Span>, String>,
    ) -> Result<Pairs, String> {
        if let Some(path) = &self.pairs {
            return listed(path);
        }
        let to = if self.to.is_empty() { known()? } else { self.to.clone() };
        if to.is_empty() {
            return Err("say who is called: --to, or --pairs".to_owned());
        }
        Ok(Pairs::Each { from: self.from.clone(), to })
    }
}

fn listed(path: &Path) -> Result<Pairs, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "from,to" {
            continue;
        }
        let pair = line.split_once(',').filter(|(from, to)| !from.is_empty() && !to.is_empty());
        let (from, to) =
            pair.ok_or_else(|| format!("{name}, line {number}: {line:?} is not from,to"))?;
        pairs.push((from.trim().to_owned(), to.trim().to_owned()));
    }
    if pairs.is_empty() {
        return Err(format!("{name} lists nobody"));
    }
    Ok(Pairs::Listed(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_rates_and_shares_are_read() {
        for (text, micros) in [("500us", 500), ("1.5ms", 1500), ("2m", 120_000_000)] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)));
        }
        for bad in ["", "10", "s", "1d", "25h", "-1s", "1e3s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert!(some_duration("0s").is_err());
        assert_eq!((pace("max"), pace("0.5")), (Ok(Pace::Closed), Ok(Pace::Open(0.5))));
        for bad in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(pace(bad).is_err(), "{bad:?}");
        }
        assert_eq!(weighted("a=3"), Ok(Weighted { name: "a".to_owned(), weight: 3 }));
        assert!(weighted("a=0").is_err() && weighted("a=b").is_err());
    }

    #[test]
    fn pairs_are_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, "from,to\n+1,+2\n\n# none\nanonymous, +3\n").unwrap();
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let expected = Pairs::Listed(vec![pair("+1", "+2"), pair("anonymous", "+3")]);
        assert_eq!(listed(&path), Ok(expected));
        std::fs::write(&path, "+1;+2\n").unwrap();
        assert!(listed(&path).unwrap_err().contains("line 1"));
        std::fs::write(&path, "\n").unwrap();
        assert!(listed(&path).is_err());
    }
}

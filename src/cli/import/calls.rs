//! Calls that a carrier lists. The daemon asks the carrier, a page at a time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    super::{
        Daemon, Failure,
        client::{Client, segment},
        out,
    },
    progress,
};
use crate::{dialects::rfc3339, domain::UnixMillis, telemetry::clock};

const BAR: &str = "{spinner} {pos} calls listed, {msg}, {elapsed}";

#[derive(Debug, Args)]
pub(super) struct Calls {
    /// The carrier account, by name or id
    #[arg(long)]
    account: String,
    /// How far back: 30d, 12h
    #[arg(long, default_value = "30d", value_parser = millis)]
    since: u64,
    /// Whose calls show which number: a CSV file of caller_id, agent (id or name)
    #[arg(long)]
    map: Option<PathBuf>,
    /// Go on with this page, as an import that was stopped said
    #[arg(long)]
    page: Option<String>,
    /// Keep nothing, only say what would be kept
    #[arg(long)]
    dry_run: bool,
}

/// What came of the pages so far.
#[derive(Default)]
struct Total {
    listed: u64,
    accepted: u64,
    duplicates: u64,
    orphaned: BTreeMap<String, u64>,
}

impl Total {
    fn add(&mut self, page: &Value) {
        let count = |key: &str| page.get(key).and_then(Value::as_u64).unwrap_or(0);
        self.listed += count("listed");
        self.accepted += count("accepted");
        self.duplicates += count("duplicates");
        for (cause, count) in page.get("orphaned").and_then(Value::as_object).into_iter().flatten()
        {
            *self.orphaned.entry(cause.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
    }
}

impl Calls {
    pub(super) fn run(self, daemon: &Daemon) -> Result<ExitCode, Failure> {
        let client = Client::new(daemon)?;
        let path =
            format!("/switchback/v1/carrier-accounts/{}/import-calls", segment(&self.account));
        let since = UnixMillis(clock::now().0.saturating_sub(self.since));
        let agents = self.map.as_deref().map(agents).transpose()?.unwrap_or_default();
        let mut page = self.page.clone();
        let mut total = Total::default();
        let bar = progress(None, !daemon.json, BAR);
        loop {
            let body = json!({
                "since": rfc3339(since), "page": page, "agents": agents, "dry_run": self.dry_run,
            });
            let answer = client
                .ask(Method::POST, &path, &[], Some(&body))
                .map_err(|failure| stopped(failure, page.as_deref()))?;
            total.add(&answer);
            bar.set_position(total.listed);
            bar.set_message(format!("{} new", total.accepted));
            page = answer.get("next_page").and_then(Value::as_str).map(str::to_owned);
            if page.is_none() {
                break;
            }
        }
        bar.finish_and_clear();
        self.report(&total, daemon.json);
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, total: &Total, as_json: bool) {
        if as_json {
            out::json(&json!({
                "listed": total.listed, "accepted": total.accepted,
                "duplicates": total.duplicates, "orphaned": total.orphaned,
                "dry_run": self.dry_run,
            }));
            return;
        }
        let would = if self.dry_run { "would become" } else { "became" };
        out::line(&format!(
            "{} calls listed: {} {would} touches, {} known already",
            total.listed, total.accepted, total.duplicates
        ));
        for (cause, count) in &total.orphaned {
            out::line(&format!("{count} make no touch: {}{}", cause, remedy(cause)));
        }
    }
}

/// What can be done about calls that nobody made.
fn remedy(cause: &str) -> &'static str {
    match cause {
        "no_agent" => " (attach an outbound agent to the number, or name it with --map)",
        "ambiguous_agent" => " (say with --map whose the number's calls are)",
        "unknown_agent" => " (the map names an agent that is not here, or is not outbound)",
        "unknown_number" => " (the number shown is not one of this installation)",
        _ => "",
    }
}

/// Everything up to that page is kept.
fn stopped(failure: Failure, page: Option<&str>) -> Failure {
    match (failure, page) {
        (Failure::Refused(message), Some(page)) => {
            Failure::Refused(format!("{message}; go on with --page '{page}'"))
        }
        (failure, _) => failure,
    }
}

/// `30d`, `12h`, `90m`: in milliseconds.
fn millis(text: &str) -> Result<u64, String> {
    let wrong = || "must be a number with d, h or m, such as 30d".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "d" => 24 * 3600 * 1000,
        "h" => 3600 * 1000,
        "m" => 60 * 1000,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(unit).ok_or_else(wrong)
}

/// A map's rows: a number and an agent, with or without a heading.
fn agents(file: &Path) -> Result<Map<String, Value>, Failure> {
    let name = file.display();
    let unreadable = |error: csv::Error| Failure::Usage(format!("{name}: {error}"));
    let reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_path(file);
    let mut map = Map::new();
    for record in reader.map_err(unreadable)?.into_records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        match (record.get(0), record.get(1)) {
            (Some("caller_id"), _) if line == 1 => {}
            (Some(number), Some(agent)) if crate::domain::E164::parse(number).is_some() => {
                map.insert(number.to_owned(), agent.into());
            }
            _ => {
                let error = "must be a number such as +14155550100, a comma, and an agent";
                return Err(Failure::Usage(format!("{name}:{line}: {error}")));
            }
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn ages_are_read() {
        for (text, expected) in [
            ("30d", Some(2_592_000_000)),
            ("12h", Some(43_200_000)),
            ("90m", Some(5_400_000)),
            ("30", None),
            ("d", None),
            ("", None),
            ("3é", None),
        ] {
            assert_eq!(millis(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_map_is_two_columns() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"caller_id,agent\n+14155550100, Renewals\n").unwrap();
        assert_eq!(agents(file.path()).unwrap().get("+14155550100"), Some(&json!("Renewals")));
        file.write_all(b"4155550100,Renewals\n").unwrap();
        let Err(Failure::Usage(error)) = agents(file.path()) else { panic!("it is taken") };
        assert!(error.contains(":3: must be a number"), "{error}");
    }
}

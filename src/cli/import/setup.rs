//! Numbers and agents, as documents of a few hundred rows for the request that `apply` makes.

use std::{collections::BTreeSet, process::ExitCode};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{
    super::{Daemon, Failure, client::Client, out},
    BYTES_BAR, Rejected,
    apply::{Applier, Row},
    file::{self, Rows, Source},
    order::{Known, named_first},
    progress,
};
use crate::dialects::own::Listed;

/// Rows of a document at most: few enough that calls do not wait behind its writing, and that a
/// line which is refused costs little when the others are sent again.
const PART: usize = 500;
/// Bytes of a document at about which it is sent; with the line that goes over it, the daemon
/// still takes it.
const PART_LEN: usize = 4 * 1024 * 1024;
/// Agents of a file at most, ten times what an installation is made for: they are held in memory,
/// to be put in order.
const AGENTS_MAX: usize = 100_000;

const ROWS_BAR: &str = "{wide_bar} {pos}/{len} {elapsed}, {eta} left";

pub(super) fn run(listed: Listed, source: &Source, daemon: &Daemon) -> Result<ExitCode, Failure> {
    let bar = progress(source.size(), !daemon.json, BYTES_BAR);
    let read = bar.clone();
    let rows = source.rows(move |bytes| read.inc(bytes))?;
    if let Some(heading) = rows.heading() {
        let wrong = |error| Failure::Usage(format!("{}:1: {error}", source.name()));
        listed.check_heading(heading).map_err(wrong)?;
    }
    let mut import = Import {
        listed,
        is_dry_run: source.dry_run,
        applier: Applier::new(Client::new(daemon)?, listed, source.dry_run),
        part: Vec::new(),
        part_len: 0,
    };
    let done = match listed {
        Listed::Numbers => import.numbers(rows),
        Listed::Agents => import.agents(rows, &bar, !daemon.json),
    };
    bar.finish_and_clear();
    done.map_err(|failure| import.applier.stopped(failure))?;
    let came = import.applier.finish();
    Ok(came.report(&source.name(), source.dry_run, daemon.json))
}

struct Import<'a> {
    listed: Listed,
    is_dry_run: bool,
    applier: Applier<'a>,
    part: Vec<Row>,
    part_len: usize,
}

impl Import<'_> {
    /// Numbers name no other numbers: they are sent as they are read.
    fn numbers(&mut self, rows: Rows) -> Result<(), Failure> {
        let is_table = rows.heading().is_some();
        for row in rows {
            if let Some(row) = self.row(row?, is_table) {
                self.push(row, None)?;
            }
        }
        self.send(None)
    }

    /// Agents name each other: whoever is named goes first, so that a part names only what is in
    /// it or there already.
    fn agents(&mut self, rows: Rows, bar: &ProgressBar, is_shown: bool) -> Result<(), Failure> {
        let is_table = rows.heading().is_some();
        let mut agents = Vec::new();
        for row in rows {
            agents.extend(self.row(row?, is_table));
            if agents.len() > AGENTS_MAX {
                let error = format!("more than {AGENTS_MAX} agents: split the file");
                return Err(Failure::Usage(error));
            }
        }
        bar.finish_and_clear();
        let bar = progress(u64::try_from(agents.len()).ok(), is_shown, ROWS_BAR);
        let (agents, known) = named_first(agents);
        let mut drafts = Vec::new();
        for mut row in agents {
            let is_draft = row.value.get("state").is_some_and(|state| state == "draft");
            // Who is listed as a source must be published then; it is a draft when all are listed.
            if is_draft && known.is_source(&row) {
                drafts.push(row.clone());
                if let Value::Object(fields) = &mut row.value {
                    fields.remove("state");
                }
            }
            bar.inc(1);
            self.push(row, Some(&known))?;
        }
        self.send(Some(&known))?;
        drafts.retain(|row| !self.applier.is_rejected(row.line));
        for row in drafts {
            self.push(row, Some(&known))?;
        }
        self.send(Some(&known))
    }

    fn row(&mut self, row: file::Row, is_table: bool) -> Option<Row> {
        let (line, value) = row;
        let value = match value {
            Ok(Value::Object(cells)) if is_table => Ok(self.listed.object(cells)),
            value => value,
        };
        self.applier.read(line, value)
    }

    fn push(&mut self, row: Row, known: Option<&Known>) -> Result<(), Failure> {
        self.part_len += row.value.to_string().len();
        self.part.push(row);
        if self.part.len() == PART || self.part_len >= PART_LEN { self.send(known) } else { Ok(()) }
    }

    fn send(&mut self, known: Option<&Known>) -> Result<(), Failure> {
        self.part_len = 0;
        let mut part = std::mem::take(&mut self.part);
        // Nothing of the parts before was kept, so whom this one names from there comes along.
        if let (true, Some(known)) = (self.is_dry_run, known) {
            let here: BTreeSet<u64> = part.iter().map(|row| row.line).collect();
            let named = known.named_by(&part);
            let elsewhere = named.into_iter().filter(|row| !here.contains(&row.line));
            let passed = elsewhere.filter(|row| !self.applier.is_rejected(row.line));
            let passed: Vec<Row> = passed.collect();
            part.extend(passed);
        }
        self.applier.apply(part)
    }
}

/// What came of a file's lines.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    /// What else was changed on the way, such as numbers that agents name.
    pub(super) besides: u64,
    pub(super) warnings: Vec<Value>,
    pub(super) rejected: Rejected,
}

impl Came {
    fn report(&self, file: &str, is_dry_run: bool, as_json: bool) -> ExitCode {
        if as_json {
            out::json(&json!({
                "created": self.created, "updated": self.updated, "unchanged": self.unchanged,
                "besides": self.besides, "warnings": self.warnings,
                "rejected": self.rejected.count, "errors": self.rejected.json(),
                "dry_run": is_dry_run,
            }));
            return self.rejected.code();
        }
        self.rejected.print(file);
        for warning in &self.warnings {
            let message = warning.get("message").and_then(Value::as_str).unwrap_or_default();
            out::line(&format!("warning: {message}"));
        }
        let would = if is_dry_run { "would be " } else { "" };
        out::line(&format!(
            "{} {would}created, {} {would}updated, {} unchanged, {} rejected",
            self.created, self.updated, self.unchanged, self.rejected.count
        ));
        if self.besides > 0 {
            let would = if is_dry_run { "would change" } else { "changed" };
            out::line(&format!("{} other things {would} with them", self.besides));
        }
        self.rejected.code()
    }
}

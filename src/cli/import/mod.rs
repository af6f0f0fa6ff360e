//! `import`: what was before Switchback. Files are read line by line and sent in parts, so that
//! their size does not matter, but for agents, which are first put in order; each can be sent again
//! without harm.

mod apply;
mod calls;
mod file;
mod order;
mod setup;
mod touches;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Daemon, Failure, out};
use crate::dialects::own::Listed;

/// Rejected lines that are printed; past that they are only counted.
const REJECTED_SHOWN_MAX: usize = 1000;

/// For what is sent as it is read.
const BYTES_BAR: &str = "{wide_bar} {bytes}/{total_bytes} {elapsed}, {eta} left";

/// Brings in what was before Switchback.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    command: ImportCommand,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Numbers, from a CSV or NDJSON file: e164, account, friendly_name, passthrough, default_agent
    ///
    /// Each line says of one number what `apply` would; a field that it does not have, or an empty
    /// cell, stays as it is. Imported again, a file changes nothing. A line of NDJSON is an object
    /// of a document's `numbers`.
    Numbers(file::Source),
    /// Agents, from a CSV or NDJSON file: name, direction, state, numbers, targets, sources and
    /// whatever else `apply` takes of an agent
    ///
    /// As for numbers; agents may name each other in any order. In a cell, numbers and
    /// trigger_outcomes are separated by blanks, commas or semicolons, targets and sources by
    /// semicolons; a list or an object may also be written as JSON. The columns are id, name,
    /// direction, state, label, numbers, primary, targets, runtime_parameters,
    /// first_audio_timeout_ms, min_attestation, context_min_attestation, sources, window_days,
    /// trigger_outcomes, profile, and the fields of a profile by their names (persona,
    /// instructions, voice ...).
    Agents(file::Source),
    /// Outbound calls that another dialer made, from a CSV or NDJSON file: id, source_agent_id,
    /// contact, caller_id, at, outcome
    Touches(file::Source),
    /// Outbound calls that a carrier lists
    Calls(calls::Calls),
}

impl Import {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            ImportCommand::Numbers(source) => setup::run(Listed::Numbers, &source, &self.daemon),
            ImportCommand::Agents(source) => setup::run(Listed::Agents, &source, &self.daemon),
            ImportCommand::Touches(source) => touches::run(&source, &self.daemon),
            ImportCommand::Calls(calls) => calls.run(&self.daemon),
        }
    }
}

/// A bar where a person watches, else nothing. Without a length it counts.
pub(super) fn progress(length: Option<u64>, is_shown: bool, template: &str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    // It hides itself where standard error is no terminal.
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    bar.set_draw_target(target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// What came of touches.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    rejected: Rejected,
}

impl Tally {
    /// Prints it; 1 where a line was rejected.
    fn report(&self, file: &str, is_dry_run: bool, as_json: bool) -> ExitCode {
        if as_json {
            out::json(&json!({
                "accepted": self.accepted, "duplicates": self.duplicates,
                "rejected": self.rejected.count, "errors": self.rejected.json(),
                "dry_run": is_dry_run,
            }));
        } else {
            self.rejected.print(file);
            let would = if is_dry_run { "would be " } else { "" };
            out::line(&format!(
                "{} {would}accepted, {} known already, {} rejected",
                self.accepted, self.duplicates, self.rejected.count
            ));
        }
        self.rejected.code()
    }
}

/// The lines of a file that were not taken.
#[derive(Debug, Default)]
struct Rejected {
    count: u64,
    /// The file's line and what is wrong with it.
    shown: Vec<(u64, String)>,
}

impl Rejected {
    fn push(&mut self, line: u64, error: String) {
        self.count += 1;
        if self.shown.len() < REJECTED_SHOWN_MAX {
            self.shown.push((line, error));
        }
    }

    fn json(&self) -> Vec<Value> {
        let shown = self.shown.iter();
        shown.map(|(line, error)| json!({ "line": line, "error": error })).collect()
    }

    fn print(&self, file: &str) {
        for (line, error) in &self.shown {
            out::problem(&format!("{file}:{line}: {error}"));
        }
        let hidden = self.count.saturating_sub(self.shown.len() as u64);
        if hidden > 0 {
            out::problem(&format!("and {hidden} more"));
        }
    }

    /// 1 where there is one.
    fn code(&self) -> ExitCode {
        if self.count == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

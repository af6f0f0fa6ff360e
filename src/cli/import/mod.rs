//! `import`: what was before Switchback. Files are read line by line and sent in parts, so that
//! their size does not matter; each can be sent again without harm.

mod calls;
mod file;
mod touches;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Daemon, Failure, out};

/// Rejected lines that are printed; past that they are only counted.
const REJECTED_SHOWN_MAX: usize = 1000;

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
    /// Outbound calls that another dialer made, from a CSV or NDJSON file: id, source_agent_id,
    /// contact, caller_id, at, outcome
    Touches(file::Source),
    /// Outbound calls that a carrier lists
    Calls(calls::Calls),
}

impl Import {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            ImportCommand::Touches(source) => touches::run(&source, &self.daemon),
            ImportCommand::Calls(calls) => calls.run(&self.daemon),
        }
    }
}

/// A bar where a person watches, else nothing. Without a length it counts.
fn progress(length: Option<u64>, is_shown: bool, template: &str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    // It hides itself where standard error is no terminal.
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    bar.set_draw_target(target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// What came of a file's lines.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    /// The file's line and what is wrong with it.
    rejected: Vec<(u64, String)>,
    rejected_count: u64,
}

impl Tally {
    fn reject(&mut self, line: u64, error: String) {
        self.rejected_count += 1;
        if self.rejected.len() < REJECTED_SHOWN_MAX {
            self.rejected.push((line, error));
        }
    }

    /// Prints it; 1 where a line was rejected.
    fn report(&self, file: &str, is_dry_run: bool, as_json: bool) -> ExitCode {
        if as_json {
            let rejected = self.rejected.iter();
            let rejected: Vec<Value> =
                rejected.map(|(line, error)| json!({ "line": line, "error": error })).collect();
            out::json(&json!({
                "accepted": self.accepted, "duplicates": self.duplicates,
                "rejected": self.rejected_count, "errors": rejected, "dry_run": is_dry_run,
            }));
        } else {
            for (line, error) in &self.rejected {
                out::problem(&format!("{file}:{line}: {error}"));
            }
            let hidden = self.rejected_count.saturating_sub(self.rejected.len() as u64);
            if hidden > 0 {
                out::problem(&format!("and {hidden} more"));
            }
            let would = if is_dry_run { "would be " } else { "" };
            out::line(&format!(
                "{} {would}accepted, {} known already, {} rejected",
                self.accepted, self.duplicates, self.rejected_count
            ));
        }
        if self.rejected_count == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

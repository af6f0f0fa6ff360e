//! How a run is shown while it lasts, and told when it is over: as a text, as JSON, as a page.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::{
    super::{Failure, import::progress, out},
    page,
};
use crate::simulator::load::Live;

/// How often a person is told.
const GLANCE: Duration = Duration::from_millis(200);

const RUNNING: &str = "{wide_bar} {elapsed}, {msg}";

/// How a run is told.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Write a page with plots, which needs nothing else
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

/// A run in words.
pub(super) struct Text {
    /// How it was asked for, in a line.
    pub(super) title: String,
    /// What was counted, in a line.
    pub(super) counts: String,
    /// What the table's columns are; the first names its rows.
    pub(super) columns: &'static [&'static str],
    /// The table.
    pub(super) rows: Vec<Vec<String>>,
    /// What is to be said beside it.
    pub(super) remarks: Vec<String>,
}

impl Output {
    /// A path that cannot be written is better known before a run than after.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let written = self.report.as_deref().map_or(Ok(()), |path| write(path, ""));
        written.map_err(Failure::Usage)
    }

    /// Does it on a thread of its own, and shows how far it is; `sent` names what is sent.
    pub(super) fn watch<T: Send>(
        &self,
        length: Duration,
        sent: &str,
        live: &Live,
        run: impl FnOnce() -> Result<T, String> + Send,
    ) -> Result<T, Failure> {
        let millis = |of: Duration| u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
        let bar = progress(Some(millis(length)), !self.json, RUNNING);
        let done = thread::scope(|scope| {
            let running = scope.spawn(run);
            while !running.is_finished() {
                bar.set_position(millis(bar.elapsed().min(length)));
                let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
                bar.set_message(format!(
                    "{} {sent}, {} failed",
                    count(&live.sent),
                    count(&live.failed)
                ));
                thread::sleep(GLANCE.min(length));
            }
            running.join()
        });
        bar.finish_and_clear();
        let lost = |_| Failure::Refused("the generator has failed".to_owned());
        done.map_err(lost)?.map_err(Failure::Refused)
    }

    /// Tells of it; the exit code follows from what was not kept.
    pub(super) fn tell(
        &self,
        text: &Text,
        plots: &str,
        value: &Value,
        broken: &[String],
    ) -> Result<ExitCode, Failure> {
        if self.json {
            out::json(value);
        } else {
            text.print();
        }
        if let Some(path) = &self.report {
            write(path, &page::page(text, plots)).map_err(Failure::Refused)?;
            if !self.json {
                out::line(&format!("written to {}", path.display()));
            }
        }
        Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Text {
    fn print(&self) {
        out::line(&self.title);
        out::line(&self.counts);
        out::line("");
        let columns = self.columns.iter().map(|column| (*column).to_owned()).collect();
        let rows: Vec<_> = std::iter::once(columns).chain(self.rows.iter().cloned()).collect();
        out::table(&rows);
        out::line("");
        self.remarks.iter().for_each(|line| out::line(line));
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

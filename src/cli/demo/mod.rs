//! `demo`: a whole return call on this machine, with nobody's account: the same daemon as `serve`,
//! around it a simulated carrier and simulated agents, over real sockets.

mod scenes;
mod stage;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, out};
use crate::{
    carriers::CarrierId,
    telemetry::log::{self, LogFormat},
};
use stage::Stage;

/// The column of the time it took.
const WIDTH: usize = 78;

/// Plays a whole return call.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the last step; exit code 0 only if every step did what it should
    #[arg(long)]
    once: bool,
    /// Print one JSON object a step
    #[arg(long)]
    json: bool,
    /// Which carrier is simulated, by the kind of its accounts: twilio, telnyx, telnyx_texml, ...
    #[arg(long, value_name = "KIND", default_value = "twilio", value_parser = kind)]
    carrier: CarrierId,
    /// Show the daemon's log too, by level and module, such as info
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// What became of one step.
pub(super) struct Step {
    name: &'static str,
    title: String,
    expected: String,
    got: String,
    /// Why, in the daemon's own word for it.
    reason: String,
    /// Why, for people.
    why: String,
    /// What the time is of.
    timed: &'static str,
    ns: u64,
}

impl Step {
    fn is_ok(&self) -> bool {
        self.got == self.expected
    }

    fn print(&self, as_json: bool) {
        let Self { name, title, expected, got, reason, why, timed, ns } = self;
        if as_json {
            let ok = self.is_ok();
            let step = json!({ "name": name, "ok": ok, "expected": expected, "got": got,
                "reason": reason, "why": why, "ns": ns });
            return out::line(&step.to_string());
        }
        let mark = if self.is_ok() { "✓" } else { "✗" };
        let took = format!("{timed} {}", duration(*ns));
        out::line(&format!("{mark} {title:<width$}{took}", width = WIDTH - 2));
        if self.is_ok() {
            out::line(&format!("    as expected: {got} ({why})"));
        } else {
            out::line(&format!("    expected: {expected}; got: {got} ({why})"));
        }
    }
}

/// A duration in the largest unit that leaves a whole part.
fn duration(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        1_000_000_000.. => (1_000_000_000, "s"),
    };
    format!("{}.{} {name}", ns / unit, ns % unit * 10 / unit)
}

impl Demo {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let logging = self.log.as_ref().map(|filter| log::start(LogFormat::Text, filter));
        let _logging = logging
            .transpose()
            .map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
        runtime.block_on(self.play())
    }

    async fn play(self) -> Result<ExitCode, Failure> {
        let stage = Stage::set(self.carrier)
            .await
            .map_err(|error| Failure::Refused(format!("the demo cannot be set up: {error}")))?;
        if !self.json {
            out::line(&format!(
                "The real daemon, with a simulated carrier ({}) and simulated agents around it.\n",
                self.carrier
            ));
        }
        let failed = |error: std::io::Error| Failure::Refused(error.to_string());
        let mut term = signal(SignalKind::terminate()).map_err(failed)?;
        let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
        let played = async {
            let mut are_ok = true;
            scenes::play(&stage, |step| {
                are_ok &= step.is_ok();
                step.print(self.json);
            })
            .await;
            if !self.once {
                if !self.json {
                    invite(&stage);
                }
                std::future::pending::<()>().await;
            }
            are_ok
        };
        let are_ok = tokio::select! {
            are_ok = played => are_ok,
            _ = term.recv() => true,
            _ = int.recv() => true,
        };
        stage.strike().await;
        Ok(if are_ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// A kind of account, by its name.
fn kind(text: &str) -> Result<CarrierId, String> {
    let known: Vec<&str> = CarrierId::ALL.iter().map(|kind| kind.as_str()).collect();
    text.parse().map_err(|_| format!("is none of {}", known.join(", ")))
}

/// Where to look, and what to try.
fn invite(stage: &Stage) {
    let url = stage.control_url();
    let (key, operator) = (&stage.key, &stage.operator_key);
    out::line(&format!(
        "\nIt stays up until Ctrl-C. Look at http://{}/metrics, or try:\n\n  \
         export SWITCHBACK_URL={url}\n  \
         export SWITCHBACK_KEY={key} SWITCHBACK_OPERATOR_KEY={operator}\n  \
         switchback explain --from {} --to {}\n  \
         switchback call --from {} --to {} --seconds 3",
        stage.addresses.admin,
        stage::CONTACT,
        stage::NUMBER,
        stage::STRANGER,
        stage::NUMBER,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ns, text) in
            [(999, "999 ns"), (1_450, "1.4 µs"), (12_000_000, "12.0 ms"), (1_999_000_000, "1.9 s")]
        {
            assert_eq!(duration(ns), text);
        }
    }
}

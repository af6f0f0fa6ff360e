//! `load`: puts a load on a daemon, or on whatever else answers carriers' webhooks, and says how it
//! was borne. It never says that a figure is the server's where it may be the generator's.

mod accounts;
mod args;
mod calls;
mod limits;
mod media;
mod page;
mod plot;
mod report;
mod route;
mod shape;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Failure;

/// Puts a load on a daemon, and says how it was borne.
///
/// Each request has its time beforehand, and its latency counts from then on, however long it waits
/// for a connection: a server that stops is seen to stop for everybody who would have come
/// meanwhile. The report says when the generator itself was too slow for what it was asked for.
/// Ctrl-C ends a run early, with the report of what was measured until then.
///
/// Exit code 0: everything was answered, and within the limits of --fail-over; 1: not so;
/// 2: bad usage.
#[derive(Debug, Args)]
pub(crate) struct Load {
    #[command(subcommand)]
    command: LoadCommand,
}

#[derive(Debug, Subcommand)]
enum LoadCommand {
    /// Webhooks of calls, signed as their carriers sign them, at a rate
    Calls(calls::Calls),
    /// Calls that are talked over: media sockets with a frame every 20 ms, and its echo
    Media(media::Media),
    /// Dry-run decisions over the control API (GET /switchback/v1/route), at a rate
    Route(route::Route),
}

impl Load {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            LoadCommand::Calls(command) => command.run(),
            LoadCommand::Media(command) => command.run(),
            LoadCommand::Route(command) => command.run(),
        }
    }
}

//! `load`: puts a load on a daemon, or on whatever else answers carriers' webhooks, and says how it
//! was borne. It never says that a figure is the server's where it may be the generator's.

mod accounts;
mod args;
mod calls;
mod limits;
mod media;
mod output;
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
    ///
    /// Each is a new call. With a running daemon, its accounts call and it signs for its operator:
    ///
    ///   switchback load calls --operator-key op_... --key sk_... --rate 500 --duration 30s
    ///
    /// Without one, secrets come from a configuration file (--config), or one account is spelled
    /// out:
    ///
    ///   switchback load calls --url https://app.example.com/voice --kind twilio --secret TOKEN
    ///   --to +12125550142 --rate 200
    ///
    /// Every answer must have a status of success and, of every sixteenth, its carrier must
    /// understand the body; --expect asks for more. Only the first webhook of a call is sent:
    /// accounts of Telnyx Call Control are told by requests to their api_url what to do next, and
    /// nobody plays that here.
    #[command(verbatim_doc_comment)]
    Calls(calls::Calls),
    /// Calls that are talked over: media sockets with a frame every 20 ms, and its echo
    ///
    /// Each call asks by a signed webhook, opens the media socket it is told of, says a numbered
    /// frame every 20 ms and waits for that frame to come back. So the numbers' agent must say
    /// what it hears: its target is builtin:echo, or the runtime that --echo starts here:
    ///
    ///   switchback load media --operator-key op_... --calls 200 --echo 127.0.0.1:9000
    ///
    /// Calls come one by one while the ramp lasts and stay until the end. A frame's latency is
    /// from when it was sent to when its echo came: what the daemon adds on both ways, and the
    /// echo itself. Vonage's sound is resampled on its way, so that its frames lose their numbers
    /// and are taken to come back in their order. Telnyx Call Control opens no socket by its
    /// answer, and cannot be played here.
    #[command(verbatim_doc_comment)]
    Media(media::Media),
    /// Dry-run decisions over the control API (GET /switchback/v1/route), at a rate
    ///
    /// Each asks GET /switchback/v1/route where a call would go, with its trace; nothing is
    /// changed. It measures the control API and the decision together: what a decision takes alone
    /// is in the answer's decided_in_ns, and `cargo bench --bench decide`.
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

//! The commands. Each prints for people, or with `--json` for scripts, and ends with 0 (done),
//! 1 (refused, or not so) or 2 (bad usage or configuration).

mod call;
mod calls;
mod client;
mod demo;
mod doctor;
mod explain;
mod import;
mod keys;
mod load;
mod numbers;
mod out;
mod serve;
mod setup;
mod shadow;
mod signature;
mod sse;
mod tenants;
mod timeline;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// Routes every return call to the agent who knows why the person was called.
#[derive(Debug, Parser)]
#[command(name = "switchback", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::Serve),
    /// Play a whole return call on this machine, without any account
    Demo(demo::Demo),
    /// Play a simulated carrier call into the running daemon and its runtimes
    Call(call::Call),
    /// Say where a call would go, and why, without making it
    Explain(explain::Explain),
    /// List calls, follow them, show one from its webhook to its end, hang up
    Calls(calls::Calls),
    /// Make a file's configuration true, or say what that would change
    Apply(setup::Apply),
    /// Print the whole configuration as a file
    Export(setup::Export),
    /// Say which recorded calls would have gone elsewhere after a change
    Replay(setup::Replay),
    /// List what changed the configuration, show it, put it back
    Revisions(setup::Revisions),
    /// Bring in numbers and agents, and calls that were made before Switchback or by others
    Import(import::Import),
    /// Show who answers numbers at their carrier, point them here, put them back
    Numbers(numbers::Numbers),
    /// Make, list and revoke API keys
    Keys(keys::Keys),
    /// Make, list and remove tenants
    Tenants(tenants::Tenants),
    /// Say how a hosted service's past calls would have been routed
    Shadow(shadow::Shadow),
    /// Check configuration, clock and public URL; or one request's signature
    Doctor(doctor::Doctor),
    /// Put a load on a daemon, or on another application, and say how it was borne
    Load(Box<load::Load>),
}

/// How to reach a running daemon.
#[derive(Clone, Debug, Args)]
pub(crate) struct Daemon {
    /// The control API's URL
    #[arg(long, env = "SWITCHBACK_URL", default_value = "http://127.0.0.1:8081", global = true)]
    url: String,
    /// An API key
    #[arg(long, env = "SWITCHBACK_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, or not so: exit code 1.
    Refused(String),
    /// Bad usage, configuration or input: exit code 2.
    Usage(String),
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs the command that `args` name.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, with code 0 and standard output.
            let printed = error.print().is_ok();
            let code = if printed { error.exit_code() } else { 2 };
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    // One provider for every TLS client in the process. It can only be set once, and only here.
    drop(rustls::crypto::ring::default_provider().install_default());
    let result = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Call(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Calls(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Apply(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Revisions(command) => command.run(),
        Command::Numbers(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Tenants(command) => command.run(),
        Command::Shadow(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Load(command) => command.run(),
    };
    match result {
        Ok(code) => code,
        Err(Failure::Refused(message)) => {
            out::problem(&message);
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            out::problem(&message);
            ExitCode::from(2)
        }
    }
}

/// The default data folder, where nobody names one.
fn data_dir() -> PathBuf {
    PathBuf::from("switchback-data")
}

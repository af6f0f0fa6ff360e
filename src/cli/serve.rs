//! `serve`: the daemon, from configuration to the last drained call.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, data_dir, out};
use crate::{
    app::{Bound, Inherited, StopSwitch},
    config::{Config, process_env},
    telemetry::log,
};

/// Runs the daemon.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file; without one, the defaults hold
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where everything that is kept lies
    #[arg(long, default_value_os_t = data_dir())]
    data_dir: PathBuf,
    /// Check the configuration and exit
    #[arg(long)]
    check: bool,
}

impl Serve {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let config = Config::load(self.config.as_deref(), &self.data_dir, &process_env)?;
        if self.check {
            out::line("the configuration can be used");
            return Ok(ExitCode::SUCCESS);
        }
        // Before there are threads.
        let inherited = Inherited::take().map_err(|error| {
            Failure::Refused(format!("LISTEN_FDS: cannot use a socket handed over: {error}"))
        })?;
        let _logging = log::start(config.log_format, &config.log_filter)
            .map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
        runtime.block_on(serve(config, inherited))
    }
}

async fn serve(config: Config, inherited: Inherited) -> Result<ExitCode, Failure> {
    let started = Bound::bind_with(config, inherited).await;
    let bound = started.map_err(|error| Failure::Refused(error.to_string()))?;
    announce(&bound);
    let (switch, stop) = StopSwitch::new();
    let (reload, has_tls) = (bound.reload(), bound.has_tls());
    let failed = |error: std::io::Error| Failure::Refused(format!("cannot hear signals: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hup = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => switch.press(),
                _ = int.recv() => switch.press(),
                _ = hup.recv() => {
                    tracing::warn!(
                        "SIGHUP: only the certificate is read again; restart to apply the \
                         configuration"
                    );
                    if has_tls {
                        reload.press();
                    }
                }
            }
        }
    });
    let drained = bound.serve(stop).await;
    out::line(&format!("stopped; {} calls cut", drained.cut));
    Ok(ExitCode::SUCCESS)
}

fn announce(bound: &Bound) {
    let addresses = bound.addresses();
    for (what, key) in bound.new_keys() {
        out::line(&format!("{what} key (shown this once): {}", key.reveal()));
    }
    let scheme = if bound.has_tls() { "https" } else { "http" };
    out::line(&format!("carriers   {scheme}://{}", addresses.edge));
    out::line(&format!("control    http://{}", addresses.control));
    out::line(&format!("metrics    http://{}/metrics", addresses.admin));
    for warning in bound.warnings() {
        tracing::warn!("{warning}");
    }
}

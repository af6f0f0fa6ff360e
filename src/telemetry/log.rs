//! Structured logs on standard error. It never decides what we log, only how it looks; and it never
//! makes whoever logs wait: lines are written by a thread of their own, and those that nobody takes
//! in time are dropped and counted.
//!
//! What other crates say below `info` is left out whatever the filter: HTTP and websocket libraries
//! print what goes over the wire, and with it numbers, tokens and keys.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::metrics;
use crate::domain::spelled;

/// Lines that may wait for a slow standard error: a second of a thousand calls a second.
const LINES_QUEUED_MAX: usize = 8 * 1024;
/// How long the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);

spelled! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line, for machines.
        Json = "json",
    }
}

/// Logging that has been started. Dropping it waits a moment until what was logged is written.
#[derive(Debug)]
pub struct Logging(Option<SyncSender<Told>>);

/// Starts logging. A second call in one process changes nothing.
///
/// `filter` is in `tracing_subscriber::EnvFilter`'s syntax, such as `switchback=debug`.
///
/// # Errors
/// No thread can be had.
pub fn start(format: LogFormat, filter: &str) -> io::Result<Logging> {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let (lines, told) = sync_channel(LINES_QUEUED_MAX);
    thread::Builder::new().name("log".to_owned()).spawn(move || write(&told))?;
    let layer = fmt::layer().with_writer(Lines(lines.clone())).with_ansi(false).with_target(false);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let logged = tracing_subscriber::registry().with(filter).with(filter_fn(is_ours)).with(layer);
    if logged.try_init().is_err() {
        tracing::debug!("logging was started before");
        return Ok(Logging(None));
    }
    Ok(Logging(Some(lines)))
}

fn is_ours(what: &Metadata<'_>) -> bool {
    *what.level() <= Level::INFO || what.target().starts_with(env!("CARGO_CRATE_NAME"))
}

impl Drop for Logging {
    fn drop(&mut self) {
        let Some(lines) = self.0.take() else { return };
        let (done, is_done) = sync_channel(1);
        // Where the queue is full, standard error is stuck: there is nothing to wait for.
        if lines.try_send(Told::Flush(done)).is_ok()
            && is_done.recv_timeout(FLUSH_MAX) == Err(RecvTimeoutError::Timeout)
        {
            metrics::log_lines_dropped(1);
        }
    }
}

/// What the writing thread is told.
#[derive(Debug)]
enum Told {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

fn write(told: &Receiver<Told>) {
    let mut out = io::stderr();
    while let Ok(told) = told.recv() {
        match told {
            // Whoever took the lines has gone: there is nobody left to tell.
            Told::Line(line) => drop(out.write_all(&line)),
            Told::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// Queues lines. Each comes in one piece.
struct Lines(SyncSender<Told>);

impl<'w> MakeWriter<'w> for Lines {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> &'w Self {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Told::Line(line.to_vec())).is_err() {
            metrics::log_lines_dropped(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

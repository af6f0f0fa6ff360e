//! Sockets to agent runtimes: dialling, the breaker, the built-ins, what a return call's runtime is
//! told. It knows no carrier and no live call: what a runtime hears and says is [`crate::media`]'s.

pub mod breaker;
mod builtin;
pub mod context;
mod dial;
pub mod fetch;
mod handshake;
mod io;
pub mod link;
mod socket;
pub mod transcript;
pub mod websocket;

pub use context::{Context, ContextSource};
pub use dial::{CONNECT_MAX, Dial, DialError, Dialer, RuntimeHandle, Simulated};
pub use socket::RuntimeSocket;
pub use transcript::{Transcript, TranscriptSource};

use std::path::PathBuf;

/// Where what runtimes are told is found.
#[derive(Clone)]
pub struct Sources {
    /// What is known of calls that are being returned.
    pub context: ContextSource,
    /// What was said in calls.
    pub transcript: TranscriptSource,
}

/// How runtimes are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether loopback, private and link-local addresses are dialled. Everybody's first runtime is
    /// on loopback, so this is on unless somebody else's targets are served.
    pub allow_private: bool,
    /// Roots trusted besides the public ones, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { allow_private: true, ca_file: None }
    }
}

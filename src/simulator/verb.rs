//! What a carrier is told to do with a call, whatever the spelling.

use std::{fmt, time::Duration};

use crate::domain::MediaFormat;

/// What is asked for, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Speak.
    Say(String),
    /// Wait.
    Pause(Duration),
    /// Join the call to a media socket.
    Connect(Stream),
    /// Dial on.
    Dial(Dial),
    /// Ask what follows.
    Redirect(Step),
    /// Refuse, before anybody has answered.
    Reject {
        /// With a busy tone.
        is_busy: bool,
    },
    /// End the call.
    HangUp,
    /// A verb that is not simulated.
    Other(String),
}

/// Whom to ask what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Where.
    pub url: String,
    /// What is brought along, for carriers that bring back a text they were given.
    pub brings: String,
}

impl Step {
    /// A URL alone.
    #[must_use]
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), brings: String::new() }
    }
}

/// A media socket to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Where.
    pub url: String,
    /// Told when it starts, stops or fails.
    pub status_callback: Option<String>,
    /// Given to the socket's first message.
    pub parameters: Vec<(String, String)>,
    /// Shown with the upgrade.
    pub headers: Vec<(String, String)>,
    /// What it carries, both ways.
    pub format: MediaFormat,
    /// What else was said of it, in the carrier's words.
    pub attributes: Vec<(String, String)>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            url: String::new(),
            status_callback: None,
            parameters: Vec::new(),
            headers: Vec::new(),
            format: MediaFormat::PCMU_8000,
            attributes: Vec::new(),
        }
    }
}

impl Stream {
    /// An attribute, where it was given.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Whom to dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dial {
    /// A number, or an address with its `sip:`.
    pub callee: String,
    /// Asked what follows; without it, the next verb does.
    pub action: Option<Step>,
}

/// What a carrier would report to its customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its error code; Twilio's, for what others give no code of their own.
    pub code: u32,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    /// A problem.
    pub(super) fn new(code: u32, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }

    /// A document that is not of the carrier's kind.
    pub(super) fn schema(what: impl Into<String>) -> Self {
        Self::new(12_200, what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

//! The control API's dialects: what their clients write and read, mapped from and to the domain.
//!
//! Pure: JSON values and records in, values out. No room knows HTTP beyond a status number, asks
//! the store, or decides a rule; it finds words, and says which of them it did not understand.

mod agent;
mod brief;
pub mod callingbox;
mod number;
pub mod own;
mod page;
mod problem;
mod profile;
mod reader;
mod returns;
mod spelling;
pub mod talkover;
mod target;
mod time;
mod transcript;

pub use agent::{AgentFields, AgentShown, CallbackFields};
pub use brief::detects_machine;
pub use number::NumberShown;
pub use page::{All, Page, PageFields};
pub use problem::{Problem, Told};
pub use reader::{
    Given, Reader, Wrong, attestation, boolean, carrier_words, id, ids, integer, member, moment,
    phone, text,
};
pub use returns::result;
pub use spelling::meant;
pub use target::PrivateHosts;
pub use time::{day_end, day_start, parse_rfc3339, rfc3339};
pub use transcript::{MergedSegmentsBody, SegmentBody, SegmentRequest, TranscriptBody, segments};

use crate::domain::Warning;

/// A warning as every dialect shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WarningBody {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<uuid::Uuid>,
}

impl From<&Warning> for WarningBody {
    fn from(warning: &Warning) -> Self {
        Self {
            code: warning.code.as_str(),
            message: warning.message.clone(),
            number: warning.number.map(|number| number.to_string()),
            from: warning.from.map(|agent| agent.0),
            to: warning.to.map(|agent| agent.0),
        }
    }
}

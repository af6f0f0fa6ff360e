//! The control API's dialects: what their clients write and read, mapped from and to the domain.
//!
//! Pure: JSON values and records in, values out. No room knows HTTP beyond a status number, asks
//! the store, or decides a rule; it finds words, and says which of them it did not understand.

mod agent;
mod brief;
pub mod callingbox;
mod hosted;
mod number;
pub mod own;
mod page;
mod problem;
mod profile;
mod reader;
mod recorded;
mod returns;
pub mod schema;
mod spelling;
pub mod talkover;
mod target;
mod time;
mod transcript;
mod url;

pub use self::url::{is_allowed, web_url};
pub use agent::{AgentFields, AgentOwnRequest, AgentShown, CallbackFields, CallbackRequest};
pub use brief::{
    awaits_result, detects_machine, hangs_up_on_machine, voicemail_message, webhook_url,
};
pub use number::NumberShown;
pub use page::{All, Page, PageFields};
pub use problem::{Problem, Told};
pub use reader::{
    Given, Reader, Wrong, attestation, boolean, carrier_words, date, id, ids, integer, member,
    moment, phone, text,
};
pub use returns::result;
pub use spelling::meant;
pub use target::PrivateHosts;
pub use time::{day_end, day_start, parse_day, parse_rfc3339, rfc3339};
pub use transcript::{
    MergedSegmentsBody, SO_FAR_SEGMENTS_MAX, SegmentBody, SegmentRequest, TranscriptBody, segments,
    transcript_so_far,
};

use crate::domain::Warning;

/// Something a write did that its writer may not have meant.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Warning)]
pub struct WarningBody {
    #[schema(value_type = schema::WarningCode)]
    code: &'static str,
    /// For people.
    message: String,
    /// The number it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Phone)]
    number: Option<String>,
    /// The default agent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from: Option<uuid::Uuid>,
    /// The default agent after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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

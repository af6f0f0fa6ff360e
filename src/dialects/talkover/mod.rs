//! Talkover's dialect: `success` envelopes, field maps of errors, page numbers.

mod agent;
mod call;
mod callback;
mod error;
mod number;

pub use agent::{
    AgentBody, AgentChanged, AgentFilterFields, AgentQuery, AgentRequest, AgentState, CallingBody,
    CallingRequest, calling, create, filter,
};
pub use call::{CallFields, CallRequest, PlacedBody, call};
pub use callback::{CallbackAgentBody, CallbackBody, CallbackListed, SourceBody, SourcesBody};
pub use error::{ErrorBody, error};
pub use number::{NumberBody, NumberFilterFields, NumberQuery, number_filter};

use serde::Serialize;
use utoipa::ToSchema;

use super::WarningBody;

/// A success. Absent parts are not written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Envelope)]
pub struct Envelope<T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<WarningBody>>,
}

impl<T> Envelope<T> {
    /// An answer with data.
    #[must_use]
    pub const fn of(data: T) -> Self {
        Self { success: true, data: Some(data), message: None, meta: None, warnings: None }
    }

    /// An answer without data.
    #[must_use]
    pub const fn done(message: &'static str) -> Self {
        let message = Some(message);
        Self { success: true, data: None, message, meta: None, warnings: None }
    }

    /// The same with a message.
    #[must_use]
    pub fn says(self, message: &'static str) -> Self {
        Self { message: Some(message), ..self }
    }

    /// The same with a page's place.
    #[must_use]
    pub fn at(self, page: u32, per_page: u32, total: u64) -> Self {
        let last_page = total.div_ceil(u64::from(per_page.max(1))).max(1);
        Self { meta: Some(Meta { current_page: page, per_page, total, last_page }), ..self }
    }

    /// The same with what the write warns of.
    #[must_use]
    pub fn warns(self, warnings: Vec<WarningBody>) -> Self {
        Self { warnings: Some(warnings), ..self }
    }
}

/// No data.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = talkover::Nothing)]
pub struct Nothing {}

/// That the API answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Health)]
pub struct HealthBody {
    status: &'static str,
}

impl Default for HealthBody {
    fn default() -> Self {
        Self { status: "ok" }
    }
}

/// Where in its list a page is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Meta)]
struct Meta {
    current_page: u32,
    per_page: u32,
    total: u64,
    last_page: u64,
}

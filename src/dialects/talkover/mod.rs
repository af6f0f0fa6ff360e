//! Talkover's dialect: `success` envelopes, field maps of errors, page numbers.

pub(in crate::dialects) mod agent;
mod agent_area;
mod call;
mod call_list;
mod callback;
mod campaign;
mod campaign_shown;
mod constraints;
mod error;
mod event;
mod hosted;
mod number;
mod stats;
mod trunk;
mod webhook;

pub use agent::{
    AgentBody, AgentChanged, AgentFilterFields, AgentQuery, AgentRequest, AgentState, CallingBody,
    CallingRequest, calling, create, filter,
};
pub use agent_area::{VoiceRequest, area, voice};
pub use call::{CallFields, CallRequest, PlacedBody, call, no_phone};
pub use call_list::{
    ActiveBody, AgentCallQuery, AgentOfCall, CallListFields, CallListed, CallQuery, CallRow,
    CallShown, CallWhole, EndRequest, EndedBody, call_list, call_to_end,
};
pub use callback::{CallbackAgentBody, CallbackBody, CallbackListed, SourceBody, SourcesBody};
pub use campaign::{
    CampaignCallFields, CampaignCallRequest, CampaignFields, CampaignListFields, CampaignQuery,
    CampaignRequest, CampaignStatusRequest, TimeRange, campaign, campaign_call, campaign_list,
    campaign_status,
};
pub use campaign_shown::{CampaignBody, CampaignCallBody, CampaignCalled, CampaignWhole};
pub use constraints::{ConstraintFields, ConstraintsBody, ConstraintsRequest, constraints};
pub use error::{ErrorBody, error};
pub use event::{EVENTS, Frame, event, event_names, filled};
pub use hosted::{hosted_agent, hosted_call, hosted_callback, hosted_event, hosted_number};
pub use number::{NumberBody, NumberFilterFields, NumberQuery, number_filter};
pub use stats::{Period, SourceCount, StatsBody, StatsQuery};
pub use trunk::{
    DidBody, DidFields, DidRequest, ReleaseBody, ReleaseRequest, TrunkBody, TrunkChangeRequest,
    TrunkHealthBody, TrunkRequest, TrunkStanding, VerifiedBody, did, release, trunk, trunk_change,
};

use serde::Serialize;
use utoipa::ToSchema;
pub use webhook::{
    LogBody, LogQuery, RetryBody, TestBody, WebhookBody, WebhookFields, WebhookPatchRequest,
    WebhookRequest, WebhooksBody, log_page, webhook, webhook_patch,
};

use super::{Reader, WarningBody, integer};

/// Rows of a page where the client does not say.
const PER_PAGE: u32 = 20;
/// Rows of a page at most; more is cut to this.
const PER_PAGE_MAX: u32 = 100;
/// The highest number of a page, and of its rows: what a client's 32 bits hold.
const PAGE_MAX: u32 = 0x7fff_ffff;

/// Reads which page of a list is asked for, and how many rows of it.
fn page(query: &mut Reader) -> (u32, u32) {
    let page = query.filter("page", integer(1..=PAGE_MAX)).unwrap_or(1);
    let rows = query.filter("per_page", integer(1..=PAGE_MAX));
    (page, rows.map_or(PER_PAGE, |rows| rows.min(PER_PAGE_MAX)))
}

/// A success. Absent parts are not written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Envelope)]
pub struct Envelope<T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pagination: Option<Pagination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warnings: Option<Vec<WarningBody>>,
}

impl<T> Envelope<T> {
    /// An answer with data.
    #[must_use]
    pub fn of(data: T) -> Self {
        Self { data: Some(data), ..Self::empty() }
    }

    /// An answer with what was found, well or not.
    #[must_use]
    pub fn found(data: T, success: bool) -> Self {
        Self { success, ..Self::of(data) }
    }

    /// An answer without data.
    #[must_use]
    pub fn done(message: &'static str) -> Self {
        Self { message: Some(message), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            success: true,
            data: None,
            message: None,
            meta: None,
            pagination: None,
            warnings: None,
        }
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

    /// The same with a page's place among calls or campaigns; `rows` of them are on it.
    #[must_use]
    pub fn paged(self, page: u32, per_page: u32, total: u64, rows: usize) -> Self {
        let before = u64::from(page.saturating_sub(1)) * u64::from(per_page);
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        let pagination = Pagination {
            current_page: page,
            last_page: total.div_ceil(u64::from(per_page.max(1))).max(1),
            per_page,
            total,
            from: (rows > 0).then_some(before + 1),
            to: (rows > 0).then_some(before + rows),
        };
        Self { pagination: Some(pagination), ..self }
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

/// A page's place; `from` and `to` are the ordinals of its rows, null where it has none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Pagination)]
struct Pagination {
    current_page: u32,
    last_page: u64,
    per_page: u32,
    total: u64,
    from: Option<u64>,
    to: Option<u64>,
}

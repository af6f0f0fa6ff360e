//! Talkover's phone numbers. Prices and renewals are its own business; here they are null.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    dialects::{NumberShown, Reader, boolean, member, schema, text},
    domain::{NumberRecord, Refusal},
};

/// What a number can carry, in Talkover's words. Ours carry voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberType {
    Voice,
    Other,
}

impl std::str::FromStr for NumberType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "voice" => Ok(Self::Voice),
            "sms" | "whatsapp" | "mms" | "fax" => Ok(Self::Other),
            _ => Err(()),
        }
    }
}

/// Which numbers are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NumberQuery {
    /// That can carry this. Ours carry `voice`.
    #[param(pattern = "^(voice|sms|whatsapp|mms|fax)$")]
    pub r#type: Option<String>,
    /// That carry voice, or do not.
    pub has_voice: Option<bool>,
    /// That carry WhatsApp, or do not.
    pub has_whatsapp: Option<bool>,
    /// With this in the number, or as its id.
    #[param(max_length = 255)]
    pub search: Option<String>,
}

/// Which numbers are asked for.
#[derive(Clone, Debug)]
pub struct NumberFilterFields {
    kind: Option<NumberType>,
    has_voice: Option<bool>,
    has_whatsapp: Option<bool>,
    /// What is to be in them, or their id.
    pub search: Option<String>,
}

/// Reads a list's query.
///
/// # Errors
/// A parameter is not understood.
pub fn number_filter(mut query: Reader) -> Result<NumberFilterFields, Refusal> {
    let filter = NumberFilterFields {
        kind: query.filter("type", member("voice, sms, whatsapp, mms, fax")),
        has_voice: query.filter("has_voice", boolean),
        has_whatsapp: query.filter("has_whatsapp", boolean),
        search: query.filter("search", text(255)),
    };
    query.finish().map(|()| filter)
}

impl NumberFilterFields {
    /// Whether numbers, all of which are alike in this, are among them; what is searched for is not
    /// looked at.
    #[must_use]
    pub fn accepts_any(&self) -> bool {
        self.kind.is_none_or(|kind| kind == NumberType::Voice)
            && self.has_voice != Some(false)
            && self.has_whatsapp != Some(true)
    }
}

/// A number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Number)]
pub struct NumberBody {
    id: Uuid,
    #[schema(value_type = schema::Phone)]
    number: String,
    country_code: Option<&'static str>,
    formatted_number: String,
    international_number: String,
    #[serde(rename = "type")]
    kind: &'static str,
    has_voice: bool,
    has_sms: bool,
    has_mms: bool,
    has_fax: bool,
    has_whatsapp: bool,
    current_status: &'static str,
    is_sandbox: bool,
    current_price: Option<u32>,
    currency: Option<&'static str>,
    renewal_date: Option<String>,
    auto_renewal: bool,
    monthly_renewal_cost: Option<u32>,
    days_until_monthly_renewal: Option<u32>,
    is_due_for_monthly_renewal: bool,
    // Its documentation shows both as null.
    environment: Option<String>,
    agents: Option<String>,
    created_at: String,
    updated_at: String,
    /// Ours: the name of the upstream that it is mirrored from; it is given up there, not here.
    managed_by: Option<String>,
}

impl From<&NumberRecord> for NumberBody {
    fn from(record: &NumberRecord) -> Self {
        let shown = NumberShown::from(record);
        Self {
            id: record.id.0,
            number: record.e164.to_string(),
            country_code: shown.country,
            formatted_number: shown.national,
            international_number: shown.international,
            kind: "voice",
            has_voice: true,
            has_sms: false,
            has_mms: false,
            has_fax: false,
            has_whatsapp: false,
            current_status: "active",
            is_sandbox: false,
            current_price: None,
            currency: None,
            renewal_date: None,
            auto_renewal: false,
            monthly_renewal_cost: None,
            days_until_monthly_renewal: None,
            is_due_for_monthly_renewal: false,
            environment: None,
            agents: None,
            created_at: shown.created_at,
            updated_at: shown.updated_at,
            managed_by: record.upstream.clone(),
        }
    }
}

/// A number as an agent shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::NumberOfAgent)]
pub(super) struct NumberOfAgent {
    id: Uuid,
    #[schema(value_type = schema::Phone)]
    number: String,
    country_code: Option<&'static str>,
    formatted_number: String,
    international_number: String,
    current_status: &'static str,
}

impl From<&NumberRecord> for NumberOfAgent {
    fn from(record: &NumberRecord) -> Self {
        let shown = NumberShown::from(record);
        Self {
            id: record.id.0,
            number: record.e164.to_string(),
            country_code: shown.country,
            formatted_number: shown.national,
            international_number: shown.international,
            current_status: "active",
        }
    }
}

//! Talkover's SIP trunks and their numbers, and requests to give numbers back.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{NumberShown, Reader, boolean, integer, phone, rfc3339, schema, text},
    domain::{
        E164, NumberRecord, Refusal, ReleaseRecord, TrunkId, TrunkRecord, TrunkSettings, UnixMillis,
    },
};

const TRANSPORTS: &[&str] = &["udp", "tcp", "tls"];

/// A trunk as it is described. Its password is asked for and not kept: nobody here registers.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::TrunkRequest)]
pub struct TrunkRequest {
    /// A name for people.
    #[schema(max_length = 255, pattern = r"\S")]
    pub name: String,
    /// Whose it is.
    #[schema(max_length = 255, pattern = r"\S")]
    pub provider_name: String,
    /// Its SIP domain.
    #[schema(max_length = 255, pattern = r"\S")]
    pub domain: String,
    /// Who registers there.
    #[schema(max_length = 255, pattern = r"\S")]
    pub username: String,
    /// With what; asked for, and not kept.
    #[schema(max_length = 255, pattern = r"\S")]
    pub password: String,
    /// 5061 with tls, else 5060, where it is not said.
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// `tls` where it is not said.
    #[schema(pattern = "^(udp|tcp|tls)$")]
    pub transport: Option<String>,
    /// Its proxy.
    #[schema(max_length = 255, pattern = r"\S")]
    pub outbound_proxy: Option<String>,
    /// The realm it asks for.
    #[schema(max_length = 255, pattern = r"\S")]
    pub auth_realm: Option<String>,
    /// True only for a trunk that is verified.
    pub is_active: Option<bool>,
}

/// A change of a trunk: what is not said stays.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::TrunkChangeRequest)]
pub struct TrunkChangeRequest {
    /// A name for people.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Whose it is.
    #[schema(max_length = 255)]
    pub provider_name: Option<String>,
    /// Its SIP domain.
    #[schema(max_length = 255)]
    pub domain: Option<String>,
    /// Who registers there.
    #[schema(max_length = 255)]
    pub username: Option<String>,
    /// With what; asked for, and not kept.
    #[schema(max_length = 255)]
    pub password: Option<String>,
    /// Its port.
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// How it is spoken to.
    #[schema(pattern = "^(udp|tcp|tls)$")]
    pub transport: Option<String>,
    /// Its proxy.
    #[schema(max_length = 255)]
    pub outbound_proxy: Option<String>,
    /// The realm it asks for.
    #[schema(max_length = 255)]
    pub auth_realm: Option<String>,
    /// True only for a trunk that is verified.
    pub is_active: Option<bool>,
}

fn transport(value: &Value) -> Result<String, crate::dialects::Wrong> {
    let found = value.as_str().filter(|text| TRANSPORTS.contains(text));
    found.map(str::to_owned).ok_or_else(|| "must be one of udp, tcp, tls".into())
}

fn port(value: &Value) -> Result<u16, crate::dialects::Wrong> {
    let port = integer(1..=65_535)(value)?;
    u16::try_from(port).map_err(|_| "must be an integer from 1 to 65535".into())
}

/// Reads a trunk to describe.
///
/// # Errors
/// A field is missing, or not what its page asks for.
pub fn trunk(body: Value) -> Result<TrunkSettings, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let mut required = |name: &str| reader.required(name, text(255)).unwrap_or_default();
    let (name, provider_name) = (required("name"), required("provider_name"));
    let (domain, username) = (required("domain"), required("username"));
    required("password");
    let transport = reader.optional("transport", transport).unwrap_or_else(|| "tls".to_owned());
    let usual = if transport == "tls" { 5061 } else { 5060 };
    let settings = TrunkSettings {
        name,
        provider_name,
        domain,
        username,
        port: reader.optional("port", port).unwrap_or(usual),
        transport,
        outbound_proxy: reader.optional("outbound_proxy", text(255)),
        auth_realm: reader.optional("auth_realm", text(255)),
    };
    if reader.optional("is_active", boolean) == Some(true) {
        reader.blame("is_active", UNVERIFIED);
    }
    reader.finish().map(|()| settings)
}

const UNVERIFIED: &str = "cannot be true before the trunk is verified";

/// Applies a change to a trunk.
///
/// # Errors
/// A field is not what its page asks for.
pub fn trunk_change(body: Value, record: &mut TrunkRecord) -> Result<(), Refusal> {
    let mut reader = Reader::of_body(body)?;
    let settings = &mut record.settings;
    for (field, name) in [
        (&mut settings.name, "name"),
        (&mut settings.provider_name, "provider_name"),
        (&mut settings.domain, "domain"),
        (&mut settings.username, "username"),
    ] {
        if let Some(given) = reader.present(name, text(255)) {
            *field = given;
        }
    }
    reader.present("password", text(255));
    settings.transport =
        reader.present("transport", transport).unwrap_or_else(|| settings.transport.clone());
    settings.port = reader.present("port", port).unwrap_or(settings.port);
    for (field, name) in
        [(&mut settings.outbound_proxy, "outbound_proxy"), (&mut settings.auth_realm, "auth_realm")]
    {
        if let Some(given) = reader.given(name, text(255)) {
            *field = given;
        }
    }
    if let Some(is_active) = reader.present("is_active", boolean) {
        if is_active && !record.is_verified {
            reader.blame("is_active", UNVERIFIED);
        }
        record.is_active = is_active;
    }
    reader.finish()
}

/// A trunk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Trunk)]
pub struct TrunkBody {
    id: Uuid,
    name: String,
    provider_name: String,
    domain: String,
    username: String,
    port: u16,
    transport: String,
    outbound_proxy: Option<String>,
    auth_realm: Option<String>,
    is_active: bool,
    is_verified: bool,
    /// `healthy` or `unhealthy` when it was last verified; null before.
    health_status: Option<&'static str>,
    last_health_check_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&TrunkRecord> for TrunkBody {
    fn from(record: &TrunkRecord) -> Self {
        let settings = record.settings.clone();
        Self {
            id: record.id.0,
            name: settings.name,
            provider_name: settings.provider_name,
            domain: settings.domain,
            username: settings.username,
            port: settings.port,
            transport: settings.transport,
            outbound_proxy: settings.outbound_proxy,
            auth_realm: settings.auth_realm,
            is_active: record.is_active,
            is_verified: record.is_verified,
            health_status: record.checked_at.map(|_| health(record.is_verified)),
            last_health_check_at: record.checked_at.map(rfc3339),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
        }
    }
}

const fn health(is_well: bool) -> &'static str {
    if is_well { "healthy" } else { "unhealthy" }
}

/// What is known of a trunk without speaking SIP: who carries its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStanding {
    /// Its numbers.
    pub dids: usize,
    /// Of those, the ones a carrier account delivers.
    pub carried: usize,
    /// Whether the tenant has a carrier account at all.
    pub has_account: bool,
}

impl TrunkStanding {
    /// Whether calls to all its numbers, and to those to come, can arrive.
    #[must_use]
    pub const fn is_well(&self) -> bool {
        self.has_account && self.carried == self.dids
    }

    fn error(&self) -> Option<String> {
        if !self.has_account {
            return Some("There is no carrier account to deliver the trunk's calls".to_owned());
        }
        let missing = self.dids.saturating_sub(self.carried);
        (missing > 0).then(|| format!("{missing} of the trunk's DIDs have no carrier account"))
    }
}

/// What Verify SIP Trunk finds. The trunk itself is not spoken to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::TrunkVerified)]
pub struct VerifiedBody {
    is_verified: bool,
    health_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    last_health_check_at: String,
}

impl VerifiedBody {
    /// A finding of this moment.
    #[must_use]
    pub fn new(found: &TrunkStanding, now: UnixMillis) -> Self {
        Self {
            is_verified: found.is_well(),
            health_status: health(found.is_well()),
            error: found.error(),
            last_health_check_at: rfc3339(now),
        }
    }
}

/// What Get SIP Trunk Health finds. The trunk itself is not spoken to, so nothing is timed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::TrunkHealth)]
pub struct TrunkHealthBody {
    is_healthy: bool,
    response_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    checked_at: String,
}

impl TrunkHealthBody {
    /// A finding of this moment.
    #[must_use]
    pub fn new(found: &TrunkStanding, now: UnixMillis) -> Self {
        Self {
            is_healthy: found.is_well(),
            response_time_ms: None,
            error: found.error(),
            checked_at: rfc3339(now),
        }
    }
}

/// A number to add by way of a trunk.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::DidRequest)]
pub struct DidRequest {
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$", example = "US")]
    pub country_code: String,
    /// The number.
    pub number: schema::Phone,
    /// The name of the carrier account that delivers it; an extension. The only one where it is
    /// not said.
    #[schema(max_length = 255, pattern = r"\S")]
    pub account: Option<String>,
}

/// A number to add by way of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidFields {
    /// The country it is said to be of.
    pub country_code: String,
    /// The number.
    pub number: E164,
    /// The name of the account that delivers it.
    pub account: Option<String>,
}

/// Reads a number to add.
///
/// # Errors
/// A field is missing, or not what its page asks for.
pub fn did(body: Value) -> Result<DidFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let country = reader.required("country_code", |value| {
        let is_code = |text: &&str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        let found = value.as_str().filter(is_code);
        found.map(str::to_owned).ok_or_else(|| "must be an ISO 3166-1 alpha-2 code".into())
    });
    let number = reader.required("number", phone);
    let account = reader.optional("account", text(255));
    let (Some(country_code), Some(number)) = (country, number) else {
        return Err(reader.refusal());
    };
    reader.finish().map(|()| DidFields { country_code, number, account })
}

/// A trunk's number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Did)]
pub struct DidBody {
    id: Uuid,
    #[schema(value_type = schema::Phone)]
    number: String,
    country_code: String,
    formatted_number: String,
    trunk_id: Uuid,
}

impl DidBody {
    /// A number of that trunk.
    #[must_use]
    pub fn new(number: &NumberRecord, country_code: String, trunk: TrunkId) -> Self {
        Self {
            id: number.id.0,
            number: number.e164.to_string(),
            country_code,
            formatted_number: NumberShown::national(number.e164),
            trunk_id: trunk.0,
        }
    }
}

/// Why a number is to be given back.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::ReleaseRequest)]
pub struct ReleaseRequest {
    /// Why.
    #[schema(min_length = 10, max_length = 500)]
    pub reason: String,
}

/// Reads why a number is to be given back.
///
/// # Errors
/// It is not said, or not in 10 to 500 characters.
pub fn release(body: Value) -> Result<String, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let reason = reader.required("reason", |value| {
        let reason = text(500)(value)?;
        match reason.chars().count() {
            0..=9 => Err("must be at least 10 characters".into()),
            _ => Ok(reason),
        }
    });
    match reason {
        Some(reason) => reader.finish().map(|()| reason),
        None => Err(reader.refusal()),
    }
}

/// A request to give a number back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Release)]
pub struct ReleaseBody {
    id: Uuid,
    phone_number_id: Uuid,
    #[schema(value_type = schema::Phone)]
    phone_number: String,
    reason: String,
    /// `pending`; `approved` once the number has been removed; `rejected`; `cancelled`.
    status: &'static str,
    requested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resolved_at: Option<String>,
}

impl From<&ReleaseRecord> for ReleaseBody {
    fn from(record: &ReleaseRecord) -> Self {
        Self {
            id: record.id.0,
            phone_number_id: record.number.0,
            phone_number: record.e164.to_string(),
            reason: record.reason.clone(),
            status: record.status.as_str(),
            requested_at: rfc3339(record.created_at),
            resolved_at: record.resolved_at.map(rfc3339),
        }
    }
}

//! The log's bodies: JSON, one array of deltas an entry, ids as text, secrets included.
//!
//! The shapes below mirror the domain's, field by field, so that the domain knows no wire and a
//! field added there does not compile until it is carried here.

use std::{num::NonZeroU32, str::Utf8Error};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_with::{As, DeserializeAs, DisplayFromStr, SerializeAs, serde_as};

use crate::domain::{
    Account, AccountApi, AccountId, AccountOrigin, Agent, AgentId, AgentState, ApiKey, Attestation,
    BelowMin, ByteOrder, Callback, CarrierId, Direction, E164, MediaKey, Number, NumberId, Outcome,
    OutcomeSet, Owner, RuntimeMedia, Secret, SharedKey, Target, Tenant, TenantId, TenantSettings,
    Touch, TouchId, UnixSeconds,
};
use crate::index::Delta;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is no text.
    #[error("log body is not readable: {0}")]
    Text(#[from] Utf8Error),
    /// It is not what we write.
    #[error("log body is not readable: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes an entry's body.
#[must_use]
pub fn encode(deltas: &[Delta]) -> Vec<u8> {
    let mut body = Vec::with_capacity(256 * deltas.len());
    let mut json = serde_json::Serializer::new(&mut body);
    // Writing to memory cannot fail, and no map here has a key that is not text.
    let written = <[DeltaDef] as SerializeAs<[Delta]>>::serialize_as(deltas, &mut json);
    debug_assert!(written.is_ok(), "{written:?}");
    body
}

/// Reads an entry's body.
///
/// # Errors
/// It is not what [`encode`] writes, or a newer version of it.
pub fn decode(body: &[u8]) -> Result<Vec<Delta>, WireError> {
    // Proven to be text once, not each string by itself: a quarter less work.
    let mut json = serde_json::Deserializer::from_str(str::from_utf8(body)?);
    let deltas = As::<Vec<DeltaDef>>::deserialize(&mut json)?;
    json.end()?;
    Ok(deltas)
}

/// Makes a mirror usable inside lists and options.
macro_rules! mirrors {
    ($($def:ident of $of:ty,)+) => {$(
        impl SerializeAs<$of> for $def {
            fn serialize_as<S: Serializer>(value: &$of, s: S) -> Result<S::Ok, S::Error> {
                Self::serialize(value, s)
            }
        }

        impl<'de> DeserializeAs<'de, $of> for $def {
            fn deserialize_as<D: Deserializer<'de>>(d: D) -> Result<$of, D::Error> {
                Self::deserialize(d)
            }
        }
    )+};
}

mirrors! {
    AccountApiDef of AccountApi,
    AccountDef of Account,
    AgentDef of Agent,
    ApiKeyDef of ApiKey,
    BelowMinDef of BelowMin,
    CallbackDef of Callback,
    DeltaDef of Delta,
    MediaKeyDef of MediaKey,
    NumberDef of Number,
    OwnerDef of Owner,
    SharedKeyDef of SharedKey,
    TenantDef of Tenant,
    TenantSettingsDef of TenantSettings,
    TouchDef of Touch,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Delta", rename_all = "snake_case")]
enum DeltaDef {
    Tenant(#[serde_as(as = "TenantDef")] Tenant),
    TenantRemoved(#[serde_as(as = "DisplayFromStr")] TenantId),
    Account(#[serde_as(as = "AccountDef")] Account),
    AccountRemoved(#[serde_as(as = "DisplayFromStr")] AccountId),
    Agent(#[serde_as(as = "AgentDef")] Agent),
    AgentRemoved(#[serde_as(as = "DisplayFromStr")] AgentId),
    Number(#[serde_as(as = "NumberDef")] Number),
    NumberRemoved(#[serde_as(as = "DisplayFromStr")] NumberId),
    MediaKeys(#[serde_as(as = "Vec<MediaKeyDef>")] Vec<MediaKey>),
    Touches(#[serde_as(as = "Vec<TouchDef>")] Vec<Touch>),
    Contact {
        #[serde_as(as = "DisplayFromStr")]
        tenant: TenantId,
        #[serde_as(as = "DisplayFromStr")]
        contact: E164,
        #[serde_as(as = "Vec<TouchDef>")]
        touches: Vec<Touch>,
    },
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Tenant")]
struct TenantDef {
    #[serde_as(as = "DisplayFromStr")]
    id: TenantId,
    name: String,
    #[serde_as(as = "TenantSettingsDef")]
    settings: TenantSettings,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "TenantSettings")]
struct TenantSettingsDef {
    window_days: u32,
    touch_retention_days: u32,
    #[serde_as(as = "DisplayFromStr")]
    min_attestation: Attestation,
    #[serde_as(as = "BelowMinDef")]
    below_min: BelowMin,
    #[serde_as(as = "DisplayFromStr")]
    context_min_attestation: Attestation,
    #[serde_as(as = "Option<DisplayFromStr>")]
    fallback_agent: Option<AgentId>,
    #[serde_as(as = "DisplayFromStr")]
    last_resort: Target,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    block_list: Vec<E164>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    block_target: Option<Target>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "BelowMin", rename_all = "snake_case")]
enum BelowMinDef {
    AsWithheld,
    Reject,
    Agent(#[serde_as(as = "DisplayFromStr")] AgentId),
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Account")]
struct AccountDef {
    #[serde_as(as = "DisplayFromStr")]
    id: AccountId,
    name: String,
    #[serde_as(as = "DisplayFromStr")]
    carrier: CarrierId,
    #[serde_as(as = "Option<DisplayFromStr>")]
    tenant: Option<TenantId>,
    account_id: String,
    #[serde(default)]
    application_id: String,
    #[serde_as(as = "Vec<SecretText>")]
    secrets: Vec<Secret>,
    #[serde_as(as = "Vec<SharedKeyDef>")]
    shared_keys: Vec<SharedKey>,
    #[serde(default)]
    #[serde_as(as = "AccountApiDef")]
    api: AccountApi,
    #[serde_as(as = "DisplayFromStr")]
    origin: AccountOrigin,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "AccountApi")]
struct AccountApiDef {
    url: Option<String>,
    #[serde_as(as = "Option<ApiKeyDef>")]
    key: Option<ApiKey>,
    #[serde(default)]
    #[serde_as(as = "Option<ApiKeyDef>")]
    client: Option<ApiKey>,
    #[serde(default)]
    #[serde_as(as = "Option<SecretText>")]
    private_key: Option<Secret>,
    #[serde(default = "little")]
    #[serde_as(as = "DisplayFromStr")]
    byte_order: ByteOrder,
    calls_per_second: NonZeroU32,
}

/// What is meant where nothing is said.
const fn little() -> ByteOrder {
    ByteOrder::Little
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "ApiKey")]
struct ApiKeyDef {
    id: String,
    #[serde_as(as = "SecretText")]
    secret: Secret,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "SharedKey")]
struct SharedKeyDef {
    id: String,
    #[serde_as(as = "SecretText")]
    secret: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "MediaKey")]
struct MediaKeyDef {
    id: u8,
    secret: [u8; 32],
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Agent")]
struct AgentDef {
    #[serde_as(as = "DisplayFromStr")]
    id: AgentId,
    #[serde_as(as = "DisplayFromStr")]
    tenant: TenantId,
    name: String,
    #[serde_as(as = "DisplayFromStr")]
    direction: Direction,
    #[serde_as(as = "DisplayFromStr")]
    state: AgentState,
    #[serde_as(as = "Vec<DisplayFromStr>")]
    targets: Vec<Target>,
    #[serde_as(as = "Option<CallbackDef>")]
    callback: Option<Callback>,
    runtime_parameters: Vec<(String, String)>,
    first_audio_timeout_ms: Option<u32>,
    #[serde(default)]
    #[serde_as(as = "Option<DisplayFromStr>")]
    min_attestation: Option<Attestation>,
    #[serde(default)]
    #[serde_as(as = "Option<DisplayFromStr>")]
    context_min_attestation: Option<Attestation>,
    #[serde(default)]
    #[serde_as(as = "Option<DisplayFromStr>")]
    runtime_media: Option<RuntimeMedia>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Callback")]
struct CallbackDef {
    #[serde_as(as = "Vec<DisplayFromStr>")]
    sources: Vec<AgentId>,
    window_days: Option<u32>,
    #[serde_as(as = "Outcomes")]
    trigger_outcomes: OutcomeSet,
    since: u64,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Number")]
struct NumberDef {
    #[serde_as(as = "DisplayFromStr")]
    id: NumberId,
    #[serde_as(as = "DisplayFromStr")]
    tenant: TenantId,
    #[serde_as(as = "Option<DisplayFromStr>")]
    account: Option<AccountId>,
    #[serde_as(as = "DisplayFromStr")]
    e164: E164,
    #[serde_as(as = "Option<DisplayFromStr>")]
    passthrough: Option<Target>,
    #[serde_as(as = "Vec<OwnerDef>")]
    owners: Vec<Owner>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Owner")]
struct OwnerDef {
    #[serde_as(as = "DisplayFromStr")]
    agent: AgentId,
    attached: u64,
    claim: Option<u64>,
}

#[serde_as]
#[derive(Serialize, Deserialize)]
#[serde(remote = "Touch")]
struct TouchDef {
    #[serde_as(as = "DisplayFromStr")]
    id: TouchId,
    #[serde_as(as = "DisplayFromStr")]
    tenant: TenantId,
    #[serde_as(as = "DisplayFromStr")]
    contact: E164,
    #[serde_as(as = "DisplayFromStr")]
    agent: AgentId,
    #[serde_as(as = "DisplayFromStr")]
    caller_id: E164,
    #[serde_as(as = "Seconds")]
    at: UnixSeconds,
    #[serde_as(as = "DisplayFromStr")]
    outcome: Outcome,
}

/// The secret itself: the log is where edges learn what to verify with.
struct SecretText;

impl SerializeAs<Secret> for SecretText {
    fn serialize_as<S: Serializer>(value: &Secret, s: S) -> Result<S::Ok, S::Error> {
        value.reveal().serialize(s)
    }
}

impl<'de> DeserializeAs<'de, Secret> for SecretText {
    fn deserialize_as<D: Deserializer<'de>>(d: D) -> Result<Secret, D::Error> {
        String::deserialize(d).map(Secret::new)
    }
}

struct Seconds;

impl SerializeAs<UnixSeconds> for Seconds {
    fn serialize_as<S: Serializer>(value: &UnixSeconds, s: S) -> Result<S::Ok, S::Error> {
        value.0.serialize(s)
    }
}

impl<'de> DeserializeAs<'de, UnixSeconds> for Seconds {
    fn deserialize_as<D: Deserializer<'de>>(d: D) -> Result<UnixSeconds, D::Error> {
        u64::deserialize(d).map(UnixSeconds)
    }
}

struct Outcomes;

impl SerializeAs<OutcomeSet> for Outcomes {
    fn serialize_as<S: Serializer>(value: &OutcomeSet, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(value.iter().map(Outcome::as_str))
    }
}

impl<'de> DeserializeAs<'de, OutcomeSet> for Outcomes {
    fn deserialize_as<D: Deserializer<'de>>(d: D) -> Result<OutcomeSet, D::Error> {
        let outcomes: Vec<Outcome> = As::<Vec<DisplayFromStr>>::deserialize(d)?;
        Ok(outcomes.into_iter().collect())
    }
}

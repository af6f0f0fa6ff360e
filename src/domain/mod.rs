//! The nouns every other layer speaks of: numbers, agents, bindings, touches, calls, decisions.
//!
//! Values only. It has no serde, no async, no clock, no carrier's spelling, and names nothing else
//! of ours: who needs a wire form, a row or a timestamp brings its own.

mod account;
mod account_keys;
mod address;
mod agent;
mod attestation;
mod call;
mod decision;
mod detail;
mod e164;
mod erasure;
mod hosted;
mod id;
mod key;
mod media;
mod number;
mod outcome;
mod pointing;
mod record;
mod recorded;
mod refusal;
mod retention;
mod revision;
mod setup;
mod target;
mod tenant;
mod time;
mod touch;
mod webhook;

pub use account::{
    Account, AccountApi, AccountOrigin, ApiKey, CarrierId, MediaKey, Secret, SharedKey,
};
pub use account_keys::{AccountKey, KeyShape, KeyValue};
pub use address::is_public;
pub use agent::{Agent, AgentState, Callback, Direction};
pub use attestation::Attestation;
pub use call::{Ani, CallEnd, CallStatus, DialFailure, DialState, InboundCall};
pub use decision::{Decision, RouteReason, Rung, Verdict};
pub use detail::{AgentVersion, CallResult, ResultStatus, Segment};
pub use e164::E164;
pub use erasure::{ContactRefusal, Erased};
pub use hosted::{
    HostedAgent, HostedCall, HostedCallback, HostedKind, HostedNumber, MirroredCounts,
    UpstreamRecord, hosted_id,
};
pub use id::{
    AccountId, AgentId, AttemptId, CallId, CampaignId, DeliveryId, KeyId, NumberId, ReleaseId,
    RevisionId, TenantId, TouchId, TrunkId, VersionId, WebhookId, named,
};
pub use key::{KeyReach, KeyRecord, KeyScope, Scope, Scopes};
pub use media::{ByteOrder, Codec, MediaFormat, RuntimeMedia};
pub use number::{Number, NumberKind, Owner, default_agent};
pub use outcome::{Outcome, OutcomeSet};
pub use pointing::{
    CarrierFields, PointCause, PointNote, PointState, PointStep, PointedApplication, PointedNumber,
    as_held, unlike,
};
pub use record::{
    AgentRecord, BindingRecord, CallBrief, CallPatch, CallRecord, CallSummary, DialRecord,
    InboundConfig, MediaSession, NumberRecord, OrphanCause, StrayEvent, TargetTried, TenantRecord,
    TouchRecord, TraceStep,
};
pub use recorded::{
    CampaignCall, CampaignCounts, CampaignRecord, CampaignStatus, RecordRefusal, ReleaseRecord,
    ReleaseStatus, TrunkRecord, TrunkSettings,
};
pub use refusal::{CallRefusal, FieldError, Refusal, TenantTie, Warning, WarningCode};
pub use retention::{Purge, PurgeKind, Purged, Retention};
pub use revision::{Names, Revised, RevisionRecord, Thing, ThingKind};
pub use setup::{
    AgentRef, AgentSetup, BelowMinRef, NumberRef, NumberSetup, SettingsSetup, Setup, TargetRef,
};
pub use target::{Builtin, Target, TargetError};
pub use tenant::{BelowMin, Tenant, TenantSettings};
pub use time::{UnixDay, UnixMillis, UnixSeconds};
pub use touch::{REMEMBERED_MAX, Touch};
pub use webhook::{
    AgentWebhook, Attempt, AttemptStatus, CallStep, Delivery, DeliveryStatus, HookAuthorization,
    HookMethod, InlineHook, Webhook, WebhookTrouble,
};

/// Declares an enum whose variants each have one spelling, with `as_str`, `Display` and `FromStr`.
macro_rules! spelled {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The one spelling used in rows, the log, labels and our own API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::domain::UnknownWord),
                }
            }
        }
    };
}
pub(crate) use spelled;

/// A word that is not in the closed set it was looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord;

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unknown word")
    }
}

impl std::error::Error for UnknownWord {}

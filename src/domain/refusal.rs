//! Why a write is refused, and what it warns of. The dialects give these their words and numbers.

use super::{
    AgentId, CampaignCall, CampaignStatus, ContactRefusal, DialFailure, E164, RecordRefusal,
    spelled,
};

/// Why a write or a read is refused: the asker's fault, sorted by what they must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such agent for this tenant.
    AgentNotFound,
    /// No such number for this tenant.
    NumberNotFound,
    /// No such call for this tenant.
    CallNotFound,
    /// No such tenant.
    TenantNotFound,
    /// The tenant stays: why.
    TenantStays(TenantTie),
    /// No such carrier account, or not this tenant's.
    AccountNotFound,
    /// The account is kept by the configuration file.
    AccountFromFile,
    /// Nothing is signed for anybody: the control API is not on loopback.
    SigningOff,
    /// No such key.
    KeyNotFound,
    /// The key is revoked or has expired.
    KeyOver,
    /// A key may not give or end what it has not itself.
    KeyWider,
    /// About a person.
    Contact(ContactRefusal),
    /// The agent does not hold the callback role.
    NotCallbackAgent,
    /// Only an inbound agent can do this.
    NotInbound,
    /// Only an outbound agent can do this.
    NotOutbound,
    /// The agent is not live.
    AgentInactive,
    /// The agent has no number that a carrier account delivers, so nothing to show.
    NoCallerId,
    /// A call that names no agent has nowhere to go: no default target is configured.
    NoDefaultTarget,
    /// The number to call is missing.
    PhoneMissing,
    /// A number is none: which field has it, and what it says.
    PhoneInvalid(&'static str, String),
    /// The call was not placed: why, and in the carrier's words.
    NotPlaced(DialFailure, String),
    /// The carrier does not sell the number: why, and in its words.
    NotBought(DialFailure, String),
    /// The carrier does not answer what it was asked: why, and in its words.
    CarrierRefused(DialFailure, String),
    /// The agent is archived.
    AgentArchived,
    /// The agent must be unpublished first.
    AgentPublished,
    /// The agent has calls in progress.
    AgentHasActiveCalls,
    /// The agent holds the callback role, which keeps it inbound.
    AgentHasCallbackRole,
    /// Another inbound agent answers on the number (CallingBox's rule).
    NumberClaimed(AgentId),
    /// The number is not attached to the agent.
    NumberNotAttached,
    /// Somebody owns (account, number) already. It says nothing of whom.
    NumberTaken,
    /// The number is attached to agents.
    NumberInUse,
    /// The tenant has more than one account: say which.
    AccountAmbiguous,
    /// A name that must be unique is taken.
    NameTaken,
    /// A source agent does not qualify, by its place in the list.
    SourceNotOutbound(usize),
    /// The agent is not ready to publish; what is missing.
    NotReady(Vec<&'static str>),
    /// The agent's type cannot change (CallingBox).
    TypeFixed,
    /// The call is over.
    CallNotActive,
    /// The call is not in a state for that.
    Call(CallRefusal),
    /// No such subscription for this tenant or agent.
    WebhookNotFound,
    /// The subscription is switched off, or gone.
    WebhookDisabled,
    /// There are as many subscriptions as there may be.
    WebhooksFull,
    /// No such delivery for this tenant.
    DeliveryNotFound,
    /// No such line in the webhook's log.
    LogNotFound,
    /// The attempt did not fail for good.
    LogNotRetriable,
    /// What is recorded cannot be read or written so.
    Record(RecordRefusal),
    /// A campaign cannot go from there to there.
    Transition(CampaignStatus, CampaignStatus),
    /// The campaign is calling that person already.
    DuplicateCall(Box<CampaignCall>),
    /// It is a hosted control API's, which is named, and only mirrored here.
    Mirrored(String),
    /// No such upstream, or not this tenant's.
    UpstreamNotFound,
    /// The upstream is not in shadow mode.
    NotShadowed,
    /// The agent has no call in progress with that person.
    NoActiveCall,
    /// The agent has calls in progress, which keep its direction.
    DirectionBusy,
    /// The thing is not at the version that the request is meant for.
    VersionOther,
    /// An idempotency key was used before, for another request.
    KeyReused,
    /// No such line of this tenant's configuration history, or not kept any more.
    RevisionNotFound,
    /// Parts of one document are refused, each by its path in it; nothing was applied.
    Parts(Vec<(String, Refusal)>),
    /// One or more fields are wrong; nothing was applied.
    Invalid(Vec<FieldError>),
}

/// Why something cannot be done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRefusal {
    /// Nobody has answered it.
    NotAnswered,
    /// Somebody has answered it.
    Answered,
    /// It was moved as often as it may be, or is about to end.
    NotMovable,
    /// Who shall take it has no target, or is not live.
    NoTarget,
    /// As much as is kept of one call has been said in it.
    TranscriptFull,
}

/// What keeps a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantTie {
    /// It has calls in progress.
    ActiveCalls,
    /// The configuration file keeps an account or an upstream of it.
    File,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's path, as the asker wrote it: `source_agent_ids.1`.
    pub field: String,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl Refusal {
    /// One wrong field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }
}

impl From<RecordRefusal> for Refusal {
    fn from(refusal: RecordRefusal) -> Self {
        Self::Record(refusal)
    }
}

/// Something a write did that its writer may not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind.
    pub code: WarningCode,
    /// For people.
    pub message: String,
    /// The number it concerns.
    pub number: Option<E164>,
    /// The default before, where it moved.
    pub from: Option<AgentId>,
    /// The default after, where it moved.
    pub to: Option<AgentId>,
}

spelled! {
    /// The kinds of warning.
    pub enum WarningCode {
        /// A callback agent does not own a caller ID that its sources use.
        CallerIdNotOwned = "caller_id_not_owned",
        /// A number's default agent moved.
        DefaultMoved = "default_moved",
        /// A live agent has no target: it is passed over.
        NoTarget = "no_target",
        /// A builtin target answers real callers.
        BuiltinTarget = "builtin_target",
        /// An inbound agent keeps bindings that claim nothing.
        NoClaim = "no_claim",
    }
}

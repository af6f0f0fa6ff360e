//! Everything that can stand between a request and its answer, with our own number and words for
//! it. The dialects put their own in their place where they have any.

use super::{
    reader::{joined, sentence},
    recorded,
};
use crate::domain::{
    AgentId, CallRefusal, CampaignStatus, ContactRefusal, DialFailure, FieldError, Refusal, Scope,
    TenantTie,
};

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A rule refuses it.
    Refused(Refusal),
    /// No `Authorization: Bearer`.
    KeyMissing,
    /// A key that opens nothing (any more).
    KeyUnknown,
    /// A key that opens other things.
    Forbidden,
    /// A key that may not do this with what it opens.
    ScopeMissing(Scope),
    /// The key has asked too often; so many seconds on, it may again.
    TooOften(u64),
    /// No such path.
    RouteUnknown,
    /// The path knows no such method.
    MethodUnknown,
    /// The body is over this many bytes.
    BodyTooLarge(usize),
    /// The body is not what its kind promises.
    BodyUnreadable(String),
    /// The write has committed; this process has not routed by it within the time allowed.
    NotApplied,
    /// This process has not come as far as `min_rev` within the time allowed.
    NotReached,
    /// The store is busy; nothing was applied.
    Busy,
    /// It took too long.
    TimedOut,
    /// Our own fault.
    Internal,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A problem put in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The machine's word for it.
    pub code: &'static str,
    /// The person's words for it.
    pub message: String,
    /// Which fields are wrong.
    pub fields: Vec<FieldError>,
}

impl Told {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new() }
    }
}

impl Problem {
    /// The problem in our own words.
    #[must_use]
    pub fn told(&self) -> Told {
        match self {
            Self::Refused(refusal) => told(refusal),
            Self::KeyMissing => Told::new(401, "key_missing", "missing bearer key"),
            Self::KeyUnknown => Told::new(401, "key_unknown", "unknown, expired or revoked key"),
            Self::Forbidden => Told::new(403, "forbidden", "this key may not do that"),
            Self::ScopeMissing(scope) => {
                Told::new(403, "scope_missing", format!("this key lacks the scope {scope}"))
            }
            Self::TooOften(_) => Told::new(429, "rate_limit_exceeded", "rate limit exceeded"),
            Self::RouteUnknown => Told::new(404, "not_found", "no such path"),
            Self::MethodUnknown => {
                Told::new(405, "method_not_allowed", "the path does not know this method")
            }
            Self::BodyTooLarge(max) => {
                Told::new(413, "body_too_large", format!("the body is over {max} bytes"))
            }
            Self::BodyUnreadable(why) => {
                Told::new(400, "body_unreadable", format!("the body cannot be read: {why}"))
            }
            Self::NotApplied => Told::new(
                503,
                "not_applied",
                "committed, but this process does not route by it yet",
            ),
            Self::NotReached => {
                Told::new(503, "min_rev_not_reached", "this process is not at min_rev yet")
            }
            Self::Busy => Told::new(503, "busy", "the store is busy; nothing was applied"),
            Self::TimedOut => Told::new(504, "timed_out", "it took too long"),
            Self::Internal => Told::new(500, "server_error", "internal error"),
        }
    }
}

fn told(refusal: &Refusal) -> Told {
    let (status, code) = code(refusal);
    Told { status, code, message: message(refusal), fields: fields(refusal) }
}

/// The carrier has the number no more, or never had it.
const NOT_AVAILABLE: (u16, &str) = (422, "number_not_available");

const fn code(refusal: &Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::AgentNotFound => (404, "agent_not_found"),
        Refusal::NumberNotFound => (404, "number_not_found"),
        Refusal::CallNotFound | Refusal::NoActiveCall => (404, "call_not_found"),
        Refusal::TenantNotFound => (404, "tenant_not_found"),
        Refusal::TenantStays(tie) => (409, of_tenant(*tie).0),
        Refusal::AccountNotFound => (404, "account_not_found"),
        Refusal::AccountFromFile => (409, "account_from_file"),
        Refusal::SigningOff => (403, "signing_off"),
        Refusal::KeyNotFound => (404, "key_not_found"),
        Refusal::KeyOver => (409, "key_over"),
        Refusal::KeyWider => (403, "key_wider"),
        Refusal::Contact(refusal) => contact_code(*refusal),
        Refusal::NotCallbackAgent => (404, "not_callback_agent"),
        Refusal::NumberNotAttached => (404, "number_not_attached"),
        Refusal::AgentArchived => (409, "agent_archived"),
        Refusal::AgentPublished => (409, "agent_is_published"),
        Refusal::AgentHasActiveCalls | Refusal::DirectionBusy => (409, "agent_has_active_calls"),
        Refusal::AgentHasCallbackRole => (409, "agent_has_callback_role"),
        Refusal::NumberClaimed(_) => (409, "number_claimed"),
        Refusal::NumberTaken => (409, "number_taken"),
        Refusal::NumberInUse => (409, "number_in_use"),
        Refusal::AccountAmbiguous => (409, "account_ambiguous"),
        Refusal::NameTaken => (409, "name_taken"),
        Refusal::CallNotActive => (409, "call_not_active"),
        Refusal::Call(refusal) => (409, of_call(*refusal).0),
        Refusal::WebhookNotFound => (404, "webhook_not_found"),
        Refusal::WebhookDisabled => (409, "webhook_disabled"),
        Refusal::WebhooksFull => (409, "too_many_webhooks"),
        Refusal::DeliveryNotFound => (404, "delivery_not_found"),
        Refusal::LogNotFound => (404, "log_not_found"),
        Refusal::LogNotRetriable => (422, "log_not_retriable"),
        Refusal::Mirrored(_) => (409, "mirrored"),
        Refusal::UpstreamNotFound => (404, "upstream_not_found"),
        Refusal::NotShadowed => (409, "not_shadowed"),
        Refusal::Record(refusal) => recorded::code(*refusal),
        Refusal::Transition(..) => (400, "invalid_transition"),
        Refusal::DuplicateCall(_) => (409, "duplicate_call"),
        Refusal::NotInbound | Refusal::NotOutbound => (422, "invalid_agent_direction"),
        Refusal::AgentInactive => (409, "agent_inactive"),
        Refusal::NoCallerId => (409, "no_caller_id"),
        Refusal::NoDefaultTarget => (422, "no_target"),
        Refusal::PhoneMissing => (422, "missing_phone_number"),
        Refusal::PhoneInvalid(..) => (422, "invalid_phone_number"),
        // Whoever asks may ask again, later; all else is between the carrier and its customer.
        Refusal::NotPlaced(DialFailure::Busy, _) => (429, DialFailure::Busy.as_str()),
        Refusal::NotBought(DialFailure::Refused | DialFailure::InvalidNumber, _) => NOT_AVAILABLE,
        Refusal::CarrierRefused(DialFailure::Busy, _)
        | Refusal::NotBought(DialFailure::Busy, _) => (429, "carrier_busy"),
        Refusal::NotPlaced(why, _)
        | Refusal::CarrierRefused(why, _)
        | Refusal::NotBought(why, _) => (502, why.as_str()),
        Refusal::SourceNotOutbound(_) => (422, "invalid_source_agent_direction"),
        Refusal::NotReady(_) => (422, "agent_not_ready"),
        Refusal::TypeFixed => (422, "type_fixed"),
        Refusal::VersionOther => (412, "precondition_failed"),
        Refusal::KeyReused => (409, "idempotency_key_reused"),
        Refusal::RevisionNotFound => (404, "revision_not_found"),
        Refusal::Parts(_) | Refusal::Invalid(_) => (422, "validation_error"),
    }
}

/// Why a call is not steered or kept: a code and a sentence.
const fn of_call(refusal: CallRefusal) -> (&'static str, &'static str) {
    match refusal {
        CallRefusal::NotAnswered => ("call_not_answered", "nobody has answered the call"),
        CallRefusal::Answered => ("call_answered", "somebody has answered the call"),
        CallRefusal::NotMovable => {
            ("call_not_movable", "the call is about to end, or was moved too often")
        }
        CallRefusal::NoTarget => ("no_target", "the agent is not live or has no target"),
        CallRefusal::TranscriptFull => {
            ("transcript_full", "no more is kept of what is said in one call")
        }
    }
}

/// Why a tenant is not removed: a code and a sentence.
const fn of_tenant(tie: TenantTie) -> (&'static str, &'static str) {
    match tie {
        TenantTie::ActiveCalls => ("tenant_has_active_calls", "the tenant has calls in progress"),
        TenantTie::File => (
            "tenant_from_file",
            "the configuration file keeps an account or an upstream of the tenant: remove it there",
        ),
    }
}

const SIGNING_OFF: &str =
    "nothing is signed here: the control API is not on loopback (see control.allow_sign)";

const NO_DEFAULT_TARGET: &str = "a call that names no agent goes to runtime.default_target, and \
    none is set: set it, or name an agent that has targets";

fn claimed(agent: AgentId) -> String {
    format!("the number is attached to another inbound agent, {agent}")
}

fn message(refusal: &Refusal) -> String {
    let text = match refusal {
        Refusal::AgentNotFound => "agent not found",
        Refusal::NumberNotFound => "number not found",
        Refusal::CallNotFound => "call not found",
        Refusal::TenantNotFound => "tenant not found",
        Refusal::TenantStays(tie) => of_tenant(*tie).1,
        Refusal::AccountNotFound => "carrier account not found",
        Refusal::AccountFromFile => "the configuration file keeps this account: change it there",
        Refusal::SigningOff => SIGNING_OFF,
        Refusal::KeyNotFound => "key not found",
        Refusal::KeyOver => "the key is revoked or has expired",
        Refusal::KeyWider => "a key makes and ends no key that goes further than itself",
        Refusal::Contact(refusal) => of_contact(*refusal),
        Refusal::NotCallbackAgent => "agent is not configured as a callback agent",
        Refusal::NumberNotAttached => "the number is not attached to the agent",
        Refusal::AgentArchived => "agent is archived",
        Refusal::AgentPublished => "the agent is published; unpublish it first",
        Refusal::AgentHasActiveCalls => "the agent has calls in progress",
        Refusal::AgentHasCallbackRole => "the agent holds the callback role",
        Refusal::NumberClaimed(agent) => return claimed(*agent),
        Refusal::NumberTaken => "the number is taken",
        Refusal::NumberInUse => "the number is attached to agents; detach it first",
        Refusal::AccountAmbiguous => "more than one carrier account: say which",
        Refusal::NameTaken => "the name is taken",
        Refusal::CallNotActive => "the call is over",
        Refusal::Call(refusal) => of_call(*refusal).1,
        Refusal::WebhookNotFound => "webhook not found",
        Refusal::WebhookDisabled => "the webhook is disabled or deleted",
        Refusal::WebhooksFull => "there are as many webhooks as there may be",
        Refusal::DeliveryNotFound => "delivery not found",
        Refusal::LogNotFound => "log not found",
        Refusal::LogNotRetriable => "only an attempt that failed for good can be made again",
        Refusal::Record(refusal) => recorded::message(*refusal),
        Refusal::Transition(from, to) => return stuck(*from, *to),
        Refusal::DuplicateCall(_) => "this number is being called by the campaign already",
        Refusal::Mirrored(owner) => return format!("belongs to {owner}: change it there"),
        Refusal::UpstreamNotFound => "upstream not found",
        Refusal::NotShadowed => "the upstream is mirrored; set its mode to shadow for a report",
        Refusal::NoActiveCall => "no active call found for this phone number",
        Refusal::DirectionBusy => "the agent has calls in progress: its direction cannot change",
        Refusal::NotInbound => "the agent must be inbound",
        Refusal::NotOutbound => "the agent must be outbound",
        Refusal::AgentInactive => "the agent is not published",
        Refusal::NoCallerId => "the agent has no number at a carrier account to show",
        Refusal::NoDefaultTarget => NO_DEFAULT_TARGET,
        Refusal::PhoneMissing => "to is required",
        Refusal::PhoneInvalid(field, _) => return no_phone(field),
        Refusal::NotPlaced(why, said) => return not_placed(*why, said),
        Refusal::NotBought(why, said) => return not_bought(*why, said),
        Refusal::CarrierRefused(why, said) => return carrier_refused(*why, said),
        Refusal::SourceNotOutbound(_) => "source agents must be outbound",
        Refusal::NotReady(missing) => return not_ready(missing),
        Refusal::TypeFixed => "the agent's type cannot change",
        Refusal::VersionOther => "it has been changed meanwhile; read it again",
        Refusal::KeyReused => "the idempotency key was used for another request",
        Refusal::RevisionNotFound => "no such revision, or not kept any more",
        Refusal::Parts(_) | Refusal::Invalid(_) => return line(&fields(refusal)),
    };
    text.to_owned()
}

const fn contact_code(refusal: ContactRefusal) -> (u16, &'static str) {
    match refusal {
        ContactRefusal::NotFound => (404, "contact_not_found"),
        ContactRefusal::Erased => (409, "contact_erased"),
        ContactRefusal::OwnNumber => (409, "contact_is_own_number"),
    }
}

const fn of_contact(refusal: ContactRefusal) -> &'static str {
    match refusal {
        ContactRefusal::NotFound => "nothing is remembered of this contact",
        ContactRefusal::Erased => "the person of this call has been erased",
        ContactRefusal::OwnNumber => "the number is your own, not a person's",
    }
}

fn fields(refusal: &Refusal) -> Vec<FieldError> {
    let gone = |field: &&str| one(*field, "Is missing.");
    match refusal {
        Refusal::Invalid(fields) => fields.clone(),
        Refusal::Parts(parts) => parts.iter().flat_map(part).collect(),
        Refusal::NotReady(missing) => missing.iter().map(gone).collect(),
        Refusal::SourceNotOutbound(at) => vec![one(source(*at), "Must be an outbound agent.")],
        Refusal::TypeFixed => vec![one("type", "Cannot change.")],
        Refusal::AgentNotFound
        | Refusal::NumberNotFound
        | Refusal::CallNotFound
        | Refusal::NoActiveCall
        | Refusal::Record(_)
        | Refusal::Transition(..)
        | Refusal::DuplicateCall(_)
        | Refusal::DirectionBusy
        | Refusal::TenantNotFound
        | Refusal::TenantStays(_)
        | Refusal::AccountNotFound
        | Refusal::AccountFromFile
        | Refusal::SigningOff
        | Refusal::KeyNotFound
        | Refusal::KeyOver
        | Refusal::KeyWider
        | Refusal::Contact(_)
        | Refusal::NotCallbackAgent
        | Refusal::NumberNotAttached
        | Refusal::AgentArchived
        | Refusal::AgentPublished
        | Refusal::AgentHasActiveCalls
        | Refusal::AgentHasCallbackRole
        | Refusal::NumberClaimed(_)
        | Refusal::NumberTaken
        | Refusal::NumberInUse
        | Refusal::AccountAmbiguous
        | Refusal::NameTaken
        | Refusal::CallNotActive
        | Refusal::Call(_)
        | Refusal::WebhookNotFound
        | Refusal::WebhookDisabled
        | Refusal::WebhooksFull
        | Refusal::DeliveryNotFound
        | Refusal::LogNotFound
        | Refusal::LogNotRetriable
        | Refusal::Mirrored(_)
        | Refusal::UpstreamNotFound
        | Refusal::NotShadowed
        | Refusal::NotInbound
        | Refusal::NotOutbound
        | Refusal::AgentInactive
        | Refusal::NoCallerId
        | Refusal::NoDefaultTarget
        | Refusal::VersionOther
        | Refusal::KeyReused
        | Refusal::NotPlaced(..)
        | Refusal::CarrierRefused(..)
        | Refusal::NotBought(..)
        | Refusal::RevisionNotFound => Vec::new(),
        Refusal::PhoneMissing => vec![one("to", "Is required.")],
        Refusal::PhoneInvalid(field, _) => vec![one(*field, "Must be an E.164 number.")],
    }
}

fn one(field: impl Into<String>, message: &str) -> FieldError {
    FieldError { field: field.into(), message: message.to_owned() }
}

fn source(at: usize) -> String {
    format!("source_agent_ids.{at}")
}

/// What is wrong with one part of a document, by the paths of its fields.
fn part((path, refusal): &(String, Refusal)) -> Vec<FieldError> {
    let told = told(refusal);
    if told.fields.is_empty() {
        let message = sentence(&told.message);
        return vec![FieldError { field: path.clone(), message }];
    }
    let within = |error: FieldError| FieldError { field: joined(path, &error.field), ..error };
    told.fields.into_iter().map(within).collect()
}

pub(in crate::dialects) fn carrier_refused(why: DialFailure, said: &str) -> String {
    let text = match why {
        DialFailure::Credentials => "the carrier does not know the account's credentials",
        DialFailure::Busy => "the carrier is busy; try again later",
        DialFailure::CarrierUnreachable => "the carrier's API cannot be reached",
        DialFailure::InvalidNumber
        | DialFailure::InvalidCallerId
        | DialFailure::Unreachable
        | DialFailure::NotPermitted
        | DialFailure::NotSent
        | DialFailure::Refused => "the carrier refused the request",
    };
    if said.is_empty() { text.to_owned() } else { format!("{text}: {said}") }
}

fn stuck(from: CampaignStatus, to: CampaignStatus) -> String {
    format!("cannot transition from {from} to {to} status")
}

fn not_bought(why: DialFailure, said: &str) -> String {
    if !matches!(why, DialFailure::Refused | DialFailure::InvalidNumber) {
        return carrier_refused(why, said);
    }
    let text = "the number is not available";
    if said.is_empty() { text.to_owned() } else { format!("{text}: {said}") }
}

fn not_ready(missing: &[&'static str]) -> String {
    format!("the agent is not ready to publish; missing: {}", missing.join(", "))
}

fn not_placed(why: DialFailure, said: &str) -> String {
    let text = match why {
        DialFailure::InvalidNumber => "the carrier cannot call this number",
        DialFailure::InvalidCallerId => "the carrier does not let the account show this number",
        DialFailure::Unreachable => "the carrier does not reach this number",
        DialFailure::NotPermitted => "the carrier does not let the account call there",
        DialFailure::Credentials => "the carrier does not know the account's credentials",
        DialFailure::Busy => "more calls wait than can be placed in time; try again later",
        DialFailure::CarrierUnreachable => "the carrier's API cannot be reached",
        DialFailure::NotSent => "the daemon ended before the call was placed",
        DialFailure::Refused => "the carrier refused the call",
    };
    if said.is_empty() { text.to_owned() } else { format!("{text}: {said}") }
}

fn no_phone(field: &str) -> String {
    format!("{field}: must be an E.164 number such as +14155550100")
}

/// The fields' messages as one line.
fn line(fields: &[FieldError]) -> String {
    let one = |error: &FieldError| {
        let mut chars = error.message.strip_suffix('.').unwrap_or(&error.message).chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        let fragment: String = first.into_iter().chain(chars).collect();
        // As CallingBox says it of `agent_id`.
        let mark = if fragment == "is required" { "" } else { ":" };
        format!("{}{mark} {fragment}", error.field)
    };
    fields.iter().map(one).collect::<Vec<_>>().join("; ")
}

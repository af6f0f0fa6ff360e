//! What is asked of the store, the arguments of writes and the filters of lists, and what it tells
//! of calls. Values only.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    AgentId, AgentState, AgentVersion, AgentWebhook, Attestation, BelowMin, CallBrief, CallId,
    CallRecord, CallResult, CampaignId, CampaignStatus, DeliveryStatus, DialFailure, DialRecord,
    Direction, E164, InlineHook, KeyScope, NumberId, OrphanCause, OutcomeSet, RevisionId,
    RuntimeMedia, Scopes, Secret, Target, TenantId, UnixDay, UnixMillis, UnixSeconds, Webhook,
    WebhookId,
};

/// An agent to be made.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Which way its calls go.
    pub direction: Direction,
    /// Draft (Talkover) or live (CallingBox).
    pub state: AgentState,
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// The text of one JSON object.
    pub profile: String,
    /// Its ladder.
    pub targets: Vec<Target>,
    /// Constant parameters for its runtime.
    pub runtime_parameters: Vec<(String, String)>,
    /// See `domain::Agent`.
    pub first_audio_timeout_ms: Option<u32>,
    /// See `domain::Agent`.
    pub min_attestation: Option<Attestation>,
    /// See `domain::Agent`.
    pub context_min_attestation: Option<Attestation>,
    /// See `domain::Agent`.
    pub runtime_media: Option<RuntimeMedia>,
    /// Numbers to attach, in order.
    pub numbers: Vec<NumberId>,
    /// One of `numbers`; the first where none is said.
    pub primary: Option<NumberId>,
}

impl NewAgent {
    /// A draft with nothing but a direction and a name.
    #[must_use]
    pub fn named(direction: Direction, name: impl Into<String>) -> Self {
        Self {
            direction,
            state: AgentState::Draft,
            name: name.into(),
            label: None,
            profile: "{}".to_owned(),
            targets: Vec::new(),
            runtime_parameters: Vec::new(),
            first_audio_timeout_ms: None,
            min_attestation: None,
            context_min_attestation: None,
            runtime_media: None,
            numbers: Vec::new(),
            primary: None,
        }
    }
}

/// What changes of an agent; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AgentPatch {
    /// Its name.
    pub name: Option<String>,
    /// Its label; `Some(None)` clears it.
    pub label: Option<Option<String>>,
    /// Its whole profile, the text of one JSON object.
    pub profile: Option<String>,
    /// Its whole ladder.
    pub targets: Option<Vec<Target>>,
    /// All its constant parameters.
    pub runtime_parameters: Option<Vec<(String, String)>>,
    /// See `domain::Agent`; `Some(None)` clears it.
    pub first_audio_timeout_ms: Option<Option<u32>>,
    /// See `domain::Agent`; `Some(None)` clears it.
    pub min_attestation: Option<Option<Attestation>>,
    /// See `domain::Agent`; `Some(None)` clears it.
    pub context_min_attestation: Option<Option<Attestation>>,
    /// See `domain::Agent`; `Some(None)` clears it.
    pub runtime_media: Option<Option<RuntimeMedia>>,
}

/// Whether several inbound agents may answer on one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// CallingBox: attaching an inbound agent without the callback role is refused where another
    /// such agent that is live has claimed the number.
    Exclusive,
    /// Talkover: allowed; the new claim becomes the default, and the answer warns.
    Allowed,
}

/// A callback role as it shall be.
#[derive(Clone, Debug, Default)]
pub struct CallbackChange {
    /// Its sources, in order; all of them.
    pub sources: Vec<AgentId>,
    /// Its window; `None` keeps it, `Some(None)` is the tenant's.
    pub window_days: Option<Option<u32>>,
    /// Which outcomes count; `None` keeps them (all, for a new role).
    pub trigger_outcomes: Option<OutcomeSet>,
}

/// Whether a callback change may give the role to an agent that does not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// POST, and our own PUT.
    TakeOrReplace,
    /// Talkover's PUT.
    ReplaceOnly,
}

/// What a number is to say itself of how it is answered.
#[derive(Clone, Debug)]
pub struct InboundChange {
    /// Whether it is.
    pub is_enabled: bool,
    /// All that would be an agent's, as the text of a JSON object.
    pub profile: String,
    /// Where its calls go; `None` leaves that alone.
    pub targets: Option<Vec<Target>>,
}

/// A number to be added.
#[derive(Clone, Debug)]
pub struct NewNumber {
    /// The number.
    pub e164: E164,
    /// The account's name; `None` is the tenant's only usable account.
    pub account: Option<String>,
    /// A name for people.
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<Target>,
}

/// What changes of a number; `None` stays as it is, `Some(None)` clears.
#[derive(Clone, Debug, Default)]
pub struct NumberPatch {
    /// The account's name.
    pub account: Option<Option<String>>,
    /// A name for people.
    pub friendly_name: Option<Option<String>>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<Option<Target>>,
    /// Claims the number for this inbound agent, which must be attached.
    pub default_agent: Option<AgentId>,
}

/// What changes of a tenant's settings; `None` stays as it is, `Some(None)` clears.
#[derive(Clone, Debug, Default)]
pub struct SettingsPatch {
    /// See `domain::TenantSettings`, here and below.
    pub window_days: Option<u32>,
    /// How long touches are kept.
    pub touch_retention_days: Option<u32>,
    /// The least attestation a caller needs.
    pub min_attestation: Option<Attestation>,
    /// What becomes of a call below it.
    pub below_min: Option<BelowMin>,
    /// The least attestation for the whole return context.
    pub context_min_attestation: Option<Attestation>,
    /// Who answers when nobody else does.
    pub fallback_agent: Option<Option<AgentId>>,
    /// What a caller hears when every target is used up.
    pub last_resort: Option<Target>,
    /// Callers who are not served; all of them.
    pub block_list: Option<Vec<E164>>,
    /// What they get.
    pub block_target: Option<Option<Target>>,
}

/// How a document is applied.
#[derive(Clone, Debug, Default)]
pub struct ApplyHow {
    /// Whether what the document does not name is taken away, of the kinds it lists.
    pub prune: bool,
    /// The newest revision that the document was written against.
    pub expected: Option<RevisionId>,
    /// Agents with calls in progress, which keep their direction.
    pub busy: BTreeSet<AgentId>,
}

/// On which side of a revision a rollback ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// As it was after it.
    After,
    /// As it was before it: it is undone too.
    Before,
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// Who calls.
    pub agent: AgentId,
    /// Who is called.
    pub to: E164,
    /// Which number is shown.
    pub caller_id: CallerId,
    /// In place of the agent's own profile, for a call that names no agent.
    pub profile: Option<String>,
    /// A test: it leaves no touch.
    pub is_test: bool,
    /// Whether the carrier is to find out if a machine answers.
    pub detects_machine: bool,
    /// Whether a machine that answers is hung up on.
    pub hangs_up_on_machine: bool,
    /// What is said to one that records.
    pub voicemail_message: Option<String>,
    /// How long it waits before it is placed.
    pub delay_seconds: u32,
    /// Which campaign's it is.
    pub campaign: Option<CampaignId>,
    /// What is given along.
    pub brief: CallBrief,
}

/// Which of an agent's numbers a call shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerId {
    /// This one, which must be attached.
    Named(E164),
    /// Its primary one.
    Primary,
    /// This one of the tenant's, whoever shows it, else the oldest; for a call that names no agent.
    Any(Option<E164>),
    /// The one that this person saw last from this agent, so that return calls land where they are
    /// owned; else the primary one, else the oldest.
    Sticky,
}

/// A call as it is kept, with all but its transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedCall {
    /// Its row.
    pub call: CallRecord,
    /// What was asked of the carrier; `None` for a call that came to us.
    pub dial: Option<DialRecord>,
    /// Its agent as it was when the call began; `None` where there is none.
    pub version: Option<AgentVersion>,
    /// What came of it; `None` where nobody has said.
    pub result: Option<CallResult>,
    /// What became of telling the URL that it or its agent brought along.
    pub hook: Option<InlineHook>,
}

impl From<CallRecord> for PlacedCall {
    /// A call of which nothing is kept but its row.
    fn from(call: CallRecord) -> Self {
        Self { call, dial: None, version: None, result: None, hook: None }
    }
}

/// What became of the command that places a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialFate {
    /// The carrier has it, under this id.
    Accepted(String),
    /// Nobody can tell.
    Unknown,
    /// It was not placed: why, and in the carrier's words.
    Refused(DialFailure, String),
}

/// What became of a stray event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayFate {
    /// It was of a call, or made or raised a touch.
    Taken,
    /// Nobody here can be said to have made the call; the tenant, where that much is known.
    Orphaned(OrphanCause, Option<TenantId>),
}

/// What became of a carrier's list of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedCalls {
    /// Those that are touches now, and were none before.
    pub accepted: u64,
    /// Those that were known.
    pub duplicates: u64,
    /// How many make no touch, by cause.
    pub orphans: BTreeMap<&'static str, u64>,
}

impl ImportedCalls {
    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.accepted + self.duplicates + self.orphans.values().sum::<u64>()
    }
}

/// What became of a set of touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedTouches {
    /// How many were new or changed what was known.
    pub accepted: u64,
    /// How many changed nothing.
    pub duplicates: u64,
    /// Places in the set of those that came too late: their person has been erased.
    pub erased: Vec<usize>,
}

/// What became of a part of a transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergedSegments {
    /// How many segments were new or changed what was known.
    pub accepted: u64,
    /// How many changed nothing.
    pub duplicates: u64,
}

/// A campaign as it is written.
#[derive(Clone, Debug)]
pub struct NewCampaign {
    /// Who calls.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: String,
    /// What it is about; may be empty.
    pub description: String,
    /// All else, as the text of one JSON object.
    pub fields: String,
}

/// Which campaigns. `None` is any.
#[derive(Clone, Debug, Default)]
pub struct CampaignFilter {
    /// Where they stand.
    pub status: Option<CampaignStatus>,
    /// What they are for.
    pub kind: Option<String>,
    /// Who calls.
    pub agent: Option<AgentId>,
    /// Not made before this day.
    pub from: Option<UnixDay>,
    /// Not made after this day.
    pub to: Option<UnixDay>,
    /// Part of name or description.
    pub search: Option<String>,
}

/// How many return calls came in some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallbackStats {
    /// Routed to callback agents because they had been called.
    pub received: u64,
    /// Of those, answered.
    pub answered: u64,
    /// Reached a callback agent without having been called.
    pub unmatched: u64,
    /// Received, by the agent whose call was returned, most first; `None` is a touch that was
    /// forgotten before its return was written down.
    pub by_source: Vec<(Option<AgentId>, u64)>,
}

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where events go.
    pub url: String,
    /// What people call it.
    pub name: Option<String>,
    /// Which events.
    pub events: Vec<String>,
    /// What it is signed with; one is made for an endpoint.
    pub secret: Option<Secret>,
    /// Of which agent, and how; `None` makes an endpoint.
    pub agent: Option<AgentWebhook>,
    /// Whether it begins switched on.
    pub is_enabled: bool,
}

/// What is to change about a subscription. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    /// Where events go.
    pub url: Option<String>,
    /// What people call it.
    pub name: Option<Option<String>>,
    /// Which events.
    pub events: Option<Vec<String>>,
    /// What it is signed with.
    pub secret: Option<Option<Secret>>,
    /// How an agent's webhook is delivered; its agent stays.
    pub policy: Option<AgentWebhook>,
    /// Whether it is switched on. Switching on forgets failures.
    pub is_enabled: Option<bool>,
}

/// Which deliveries. `None` is any.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this subscription.
    pub webhook: Option<WebhookId>,
    /// Of this call.
    pub call: Option<CallId>,
    /// Where they stand.
    pub status: Option<DeliveryStatus>,
}

/// How a delivery is sent now.
#[derive(Clone, Debug)]
pub enum Way {
    /// As the subscription says.
    Webhook(Box<Webhook>),
    /// To a URL that came along, signed with the tenant's secret.
    Inline(Secret),
    /// Not at all: why.
    None(&'static str),
}

/// What came of one attempt to deliver.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// It arrived.
    pub is_delivered: bool,
    /// When it is to be tried again, where it did not arrive.
    pub retry_at: Option<UnixMillis>,
    /// When it began.
    pub at: UnixMillis,
    /// How long it took.
    pub duration_ms: u64,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// What was sent, where that is not the delivery's body.
    pub request: Option<String>,
    /// The answer's body, cut.
    pub response_body: Option<String>,
    /// The answer's headers, as the text of a JSON object.
    pub response_headers: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// A number that people were shown and may ring back, with nobody on it who knows why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncoveredCaller {
    /// The number.
    pub caller_id: E164,
    /// The source agents that show it, and when they last did.
    pub sources: Vec<(AgentId, Option<UnixSeconds>)>,
}

/// A call's row before and after a write that said something new. Whoever takes every change of a
/// call sees each step of its life once: a row becomes answered, or final, in one write only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallChange {
    /// The row as it was; `None` where this write made it.
    pub before: Option<CallRecord>,
    /// The row as it is.
    pub after: CallRecord,
}

/// A key to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What it opens.
    pub scope: KeyScope,
    /// Whose it is; none for an operator's.
    pub tenant: Option<TenantId>,
    /// A name for people.
    pub name: String,
    /// What it may do there.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
}

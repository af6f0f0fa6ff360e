//! Rows as people read them: what the store keeps of each noun beyond what routing needs.

use super::{
    AccountId, Agent, AgentId, CallEnd, CallId, CallStatus, DialState, Direction, E164, NumberId,
    Outcome, RouteReason, Target, TenantId, Touch, TouchId, UnixMillis, VersionId, spelled,
};

/// An agent with everything the control APIs show of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRecord {
    /// What routing knows of it.
    pub agent: Agent,
    /// Its label, where it has one (Talkover).
    pub label: Option<String>,
    /// All other fields its clients wrote, as the text of one JSON object; stored, never
    /// interpreted.
    pub profile: String,
    /// The number it shows first (outbound) or owns (inbound).
    pub primary_number: Option<NumberId>,
    /// The numbers attached to it, oldest attachment first.
    pub numbers: Vec<NumberId>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
    /// When it was archived, if it is.
    pub archived_at: Option<UnixMillis>,
    /// The name of the upstream that it is mirrored from, and that changes it.
    pub upstream: Option<String>,
}

/// A number with everything the control APIs show of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRecord {
    /// Its identity.
    pub id: NumberId,
    /// Its owner.
    pub tenant: TenantId,
    /// The account that delivers its calls.
    pub account: Option<AccountId>,
    /// The number itself.
    pub e164: E164,
    /// A name for people.
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<Target>,
    /// Who is attached, oldest first, both directions.
    pub bindings: Vec<BindingRecord>,
    /// Its default inbound agent, recomputed at each write.
    pub default_agent: Option<AgentId>,
    /// What the number says itself of how it is answered, if anything.
    pub inbound: Option<InboundConfig>,
    /// When it was added.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
    /// The name of the upstream that it is mirrored from, and that takes it away.
    pub upstream: Option<String>,
}

/// What a number says itself of how it is answered: kept as an agent that nobody named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundConfig {
    /// That agent.
    pub agent: AgentId,
    /// Whether it answers.
    pub is_enabled: bool,
    /// Its profile, as the text of a JSON object.
    pub profile: String,
}

/// An agent attached to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRecord {
    /// Who.
    pub agent: AgentId,
    /// To what.
    pub number: NumberId,
    /// As what: an inbound agent owns the number, an outbound agent may show it.
    pub direction: Direction,
    /// Place in the control log where it was attached.
    pub attached: u64,
    /// Place in the control log of its claim, if it makes one.
    pub claim: Option<u64>,
    /// Its place in the order of all attachments.
    pub place: u64,
}

/// A touch as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchRecord {
    /// The touch.
    pub touch: Touch,
    /// The id its owner gave it, where that is no UUID.
    pub external_id: Option<String>,
    /// The call it was, where that was placed through us.
    pub call: Option<CallId>,
}

/// A call's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Its identity.
    pub id: CallId,
    /// Its owner.
    pub tenant: TenantId,
    /// The account that carries it.
    pub account: Option<AccountId>,
    /// The carrier's id for its first leg.
    pub carrier_call_id: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Where it stands.
    pub status: CallStatus,
    /// Who calls, where that is a number.
    pub ani: Option<E164>,
    /// The number that was dialled.
    pub dnis: Option<E164>,
    /// Our number.
    pub number: Option<NumberId>,
    /// Who was decided on.
    pub agent: Option<AgentId>,
    /// That agent as it then was.
    pub version: Option<VersionId>,
    /// Why.
    pub reason: Option<RouteReason>,
    /// The callback agent was reached by somebody who was not called before.
    pub unmatched: bool,
    /// The touch it returns.
    pub touch: Option<TouchId>,
    /// How the decision was reached.
    pub trace: Vec<TraceStep>,
    /// What was tried, in order.
    pub targets_tried: Vec<TargetTried>,
    /// Its media sockets that have closed, in order.
    pub media: Vec<MediaSession>,
    /// When the webhook came.
    pub created_at: UnixMillis,
    /// When it was first known to ring.
    pub ringing_at: Option<UnixMillis>,
    /// When somebody answered.
    pub answered_at: Option<UnixMillis>,
    /// When it was over.
    pub ended_at: Option<UnixMillis>,
    /// When the row was last written.
    pub updated_at: UnixMillis,
    /// Who ended it.
    pub ended_by: Option<CallEnd>,
    /// Why it failed, in a word.
    pub error_code: Option<String>,
    /// Whether the caller was vouched for in full.
    pub caller_verified: bool,
    /// A machine answered.
    pub by_machine: bool,
    /// The person of the call has been erased: it names nobody any more, and never again.
    pub is_erased: bool,
}

impl CallRecord {
    /// Whether it is a call with this person.
    #[must_use]
    pub fn is_with(&self, contact: E164) -> bool {
        self.ani == Some(contact) || self.dnis == Some(contact)
    }

    /// Where it stands for people: who has talked to a machine has reached nobody.
    #[must_use]
    pub fn standing(&self) -> CallStatus {
        let is_nobody = self.by_machine && self.status == CallStatus::Completed;
        if is_nobody { CallStatus::NoAnswer } else { self.status }
    }

    /// Takes the person out of it. That there was a call, by whom it was taken and how it ended,
    /// stays.
    pub fn erase(&mut self, contact: E164) {
        const IN_PLACE: &str = "erased";
        self.ani = self.ani.filter(|ani| *ani != contact);
        self.dnis = self.dnis.filter(|dnis| *dnis != contact);
        self.touch = None;
        self.is_erased = true;
        let digits = contact.as_u64().to_string();
        for step in &mut self.trace {
            step.detail = step.detail.replace(&digits, IN_PLACE);
        }
        for tried in &mut self.targets_tried {
            tried.target = tried.target.replace(&digits, IN_PLACE);
        }
    }
}

/// What has become known of a call, to be merged into its row. `None` leaves a field as it is.
///
/// Merging is monotonic: the status only advances ([`CallStatus::advanced`]), points in time keep
/// their first value, [`CallPatch::targets_tried`] and [`CallPatch::media`] are appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPatch {
    /// The call.
    pub id: CallId,
    /// Its owner.
    pub tenant: TenantId,
    /// When this became known; the row's `updated_at`, and its `created_at` where it has none.
    pub updated_at: UnixMillis,
    /// See [`CallRecord::account`].
    pub account: Option<AccountId>,
    /// See [`CallRecord::carrier_call_id`].
    pub carrier_call_id: Option<String>,
    /// See [`CallRecord::direction`].
    pub direction: Option<Direction>,
    /// See [`CallRecord::status`].
    pub status: Option<CallStatus>,
    /// See [`CallRecord::ani`].
    pub ani: Option<E164>,
    /// See [`CallRecord::dnis`].
    pub dnis: Option<E164>,
    /// See [`CallRecord::number`].
    pub number: Option<NumberId>,
    /// See [`CallRecord::agent`].
    pub agent: Option<AgentId>,
    /// See [`CallRecord::reason`].
    pub reason: Option<RouteReason>,
    /// See [`CallRecord::unmatched`].
    pub unmatched: Option<bool>,
    /// See [`CallRecord::touch`].
    pub touch: Option<TouchId>,
    /// See [`CallRecord::trace`].
    pub trace: Option<Vec<TraceStep>>,
    /// Targets tried since the last patch.
    pub targets_tried: Vec<TargetTried>,
    /// Media sockets that have closed since the last patch.
    pub media: Vec<MediaSession>,
    /// See [`CallRecord::created_at`].
    pub created_at: Option<UnixMillis>,
    /// See [`CallRecord::answered_at`].
    pub answered_at: Option<UnixMillis>,
    /// See [`CallRecord::ended_at`].
    pub ended_at: Option<UnixMillis>,
    /// See [`CallRecord::ended_by`].
    pub ended_by: Option<CallEnd>,
    /// See [`CallRecord::error_code`].
    pub error_code: Option<String>,
    /// See [`CallRecord::caller_verified`].
    pub caller_verified: Option<bool>,
    /// See [`CallRecord::by_machine`]. It is the outcome of the touch that an outbound call is.
    pub by_machine: bool,
}

impl CallPatch {
    /// A patch that says nothing yet.
    #[must_use]
    pub const fn new(id: CallId, tenant: TenantId, updated_at: UnixMillis) -> Self {
        Self {
            id,
            tenant,
            updated_at,
            account: None,
            carrier_call_id: None,
            direction: None,
            status: None,
            ani: None,
            dnis: None,
            number: None,
            agent: None,
            reason: None,
            unmatched: None,
            touch: None,
            trace: None,
            targets_tried: Vec::new(),
            media: Vec::new(),
            created_at: None,
            answered_at: None,
            ended_at: None,
            ended_by: None,
            error_code: None,
            caller_verified: None,
            by_machine: false,
        }
    }
}

/// What was asked of a carrier for a call placed here, beside the call's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialRecord {
    /// The call; its touch has the same id.
    pub call: CallId,
    /// Its owner.
    pub tenant: TenantId,
    /// The account that places it.
    pub account: AccountId,
    /// Who calls.
    pub agent: AgentId,
    /// The number shown.
    pub caller_id: E164,
    /// Who is called.
    pub contact: E164,
    /// Where the placing stands.
    pub state: DialState,
    /// When the command left, or was about to.
    pub asked_at: Option<UnixMillis>,
    /// A test: nobody is to be remembered for it.
    pub is_test: bool,
    /// Whether the carrier is to find out if a machine answers.
    pub detects_machine: bool,
    /// Whether a machine that answers is hung up on.
    pub hangs_up_on_machine: bool,
    /// What is said to one that records, where its agent's runtime does not.
    pub voicemail_message: Option<String>,
    /// When it is to be placed, while it waits for that.
    pub due_at: Option<UnixMillis>,
    /// What the caller of the API gave along.
    pub brief: CallBrief,
    /// Why it was not placed, in the carrier's words.
    pub error_message: Option<String>,
}

impl DialRecord {
    /// The touch that the call is, ended so.
    #[must_use]
    pub fn touch(&self, outcome: Outcome) -> TouchRecord {
        let touch = Touch {
            id: TouchId(self.call.0),
            tenant: self.tenant,
            contact: self.contact,
            agent: self.agent,
            caller_id: self.caller_id,
            at: self.asked_at.unwrap_or_default().seconds(),
            outcome,
        };
        TouchRecord { touch, external_id: None, call: Some(self.call) }
    }
}

/// What is given along with a call to be placed: kept, shown, told to who answers a return call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallBrief {
    /// In place of the agent's own instructions.
    pub instructions: Option<String>,
    /// For the agent, as the text of a JSON object.
    pub variables: Option<String>,
    /// Opaque, for who placed the call, as the text of a JSON object.
    pub echo: Option<String>,
    /// In place of the agent's own webhook.
    pub webhook_url: Option<String>,
}

/// What a carrier told of an outbound call that is not live here: one that somebody else's dialer
/// placed, or one of ours that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrayEvent {
    /// The account it came by.
    pub account: AccountId,
    /// The carrier's id for the call.
    pub carrier_call_id: String,
    /// Our id for it, where the URL had one.
    pub call: Option<CallId>,
    /// The agent that the URL named, by id or name.
    pub agent: Option<String>,
    /// The number shown.
    pub from: Option<E164>,
    /// Who was called.
    pub to: Option<E164>,
    /// Where it stands; `None` where only the answering machine is told of.
    pub status: Option<CallStatus>,
    /// A machine answered.
    pub by_machine: bool,
    /// When the call began, as far as the event tells.
    pub at: UnixMillis,
}

spelled! {
    /// Why a call of somebody else's dialer makes no touch.
    pub enum OrphanCause {
        /// The number shown is nobody's here, or withheld, and the account serves several tenants.
        UnknownNumber = "unknown_number",
        /// Who was called is no number.
        NoContact = "no_contact",
        /// No agent was named, and no outbound agent is attached to the number shown.
        NoAgent = "no_agent",
        /// No agent was named and several are attached, or the name is several agents'.
        AmbiguousAgent = "ambiguous_agent",
        /// The agent that was named is none, or not outbound.
        UnknownAgent = "unknown_agent",
        /// It claims to be a call of ours, and is none.
        UnknownCall = "unknown_call",
        /// The queue was full.
        QueueFull = "queue_full",
    }
}

/// What a runtime is told of the call that is being returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSummary {
    /// The source agent's name.
    pub source_agent: Option<(AgentId, String)>,
    /// The touch.
    pub touch: Touch,
    /// The outbound call's variables, echo and result as JSON texts, where it was placed by us.
    pub variables: Option<String>,
    /// The same, opaque.
    pub echo: Option<String>,
    /// The same, after extraction.
    pub result: Option<String>,
}

/// One step of a decision, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// Which step of the rule.
    pub step: &'static str,
    /// What came of it.
    pub result: &'static str,
    /// Of whom or what, for people.
    pub detail: String,
}

/// One target that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTried {
    /// Its place in the ladder, from 0.
    pub attempt: u32,
    /// Whose it was.
    pub agent: Option<AgentId>,
    /// The target as written.
    pub target: String,
    /// When.
    pub at: UnixMillis,
    /// What came of it: `answered`, or why not.
    pub outcome: String,
    /// The websocket's close code, where it had one.
    pub close_code: Option<u16>,
}

/// What went through one media socket of a call, from the carrier's `start` to the close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSession {
    /// When the carrier's `start` came.
    pub started_at: UnixMillis,
    /// When the socket closed.
    pub ended_at: UnixMillis,
    /// How it ended, in a word.
    pub end: String,
    /// After the `start`: when a runtime first had the caller's audio.
    pub first_audio_to_runtime_ms: Option<u64>,
    /// After the `start`: when the carrier first had a runtime's audio.
    pub first_audio_to_carrier_ms: Option<u64>,
    /// Frames of audio a runtime was given.
    pub frames_to_runtime: u64,
    /// Frames of audio the carrier was given.
    pub frames_to_carrier: u64,
    /// Frames that were lost on the way, for whatever reason.
    pub frames_dropped: u64,
    /// Marks that runtimes set in what they said.
    pub marks_set: u64,
    /// Of those, played: the carrier gave them back.
    pub marks_played: u64,
}

/// A tenant's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// Its identity, name and settings.
    pub tenant: super::Tenant,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl TouchRecord {
    /// The id as its owner knows it.
    #[must_use]
    pub fn shown_id(&self) -> String {
        self.external_id.clone().unwrap_or_else(|| self.touch.id.to_string())
    }

    /// How it ended, as far as is known.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.touch.outcome
    }
}

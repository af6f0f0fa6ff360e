//! Who is told what happens to calls, over HTTP, and what has become of telling them.
//!
//! One model for three kinds of subscription: a tenant's endpoint, an agent's webhook with a policy
//! of its own, and a URL that an agent or a call brings along.

use super::{
    AgentId, AttemptId, CallId, CallRecord, CallStatus, DeliveryId, Direction, Secret, TenantId,
    UnixMillis, WebhookId, spelled,
};

spelled! {
    /// A step of a call's life that subscribers may be told of, each once. The dialects have names
    /// of their own for them.
    pub enum CallStep {
        /// A call to be placed is known, and nothing has been sent yet.
        Queued = "queued",
        /// It is under way: with the carrier, or come in.
        Started = "started",
        /// It rings.
        Ringing = "ringing",
        /// Somebody, or a machine, answered.
        Answered = "answered",
        /// It was a machine.
        Voicemail = "voicemail",
        /// Over, after it was answered.
        Completed = "completed",
        /// Nobody answered, or a machine.
        NoAnswer = "no_answer",
        /// The line was busy.
        Busy = "busy",
        /// Given up before it was answered.
        Canceled = "canceled",
        /// It could not be carried out.
        Failed = "failed",
    }
}

impl CallStep {
    /// The steps from one state of a call's row to the next, in order. A station of which nobody
    /// told is not invented; of the last ones, a call ever has one.
    pub fn between(before: Option<&CallRecord>, after: &CallRecord) -> impl Iterator<Item = Self> {
        let was = before.map(|call| call.status);
        let is = after.status;
        let is_ours = after.direction == Direction::Outbound;
        let begins = match was {
            None => Some(if is_ours { Self::Queued } else { Self::Started }),
            Some(was) => {
                let sets_out = is_ours && was == CallStatus::Queued && !is.is_final();
                (sets_out && is != CallStatus::Queued).then_some(Self::Started)
            }
        };
        let reaches = (was != Some(is)).then(|| Self::of(is)).flatten();
        let reaches = reaches.filter(|_| !was.is_some_and(CallStatus::is_final));
        let is_news = after.by_machine && !before.is_some_and(|call| call.by_machine);
        let machine = is_news.then_some(Self::Voicemail);
        // An end comes last.
        let (first, last) = if is.is_final() { (machine, reaches) } else { (reaches, machine) };
        begins.into_iter().chain(first).chain(last)
    }

    const fn of(status: CallStatus) -> Option<Self> {
        match status {
            CallStatus::Queued | CallStatus::Initiated => None,
            CallStatus::Ringing => Some(Self::Ringing),
            CallStatus::InProgress => Some(Self::Answered),
            CallStatus::Completed => Some(Self::Completed),
            CallStatus::NoAnswer => Some(Self::NoAnswer),
            CallStatus::Busy => Some(Self::Busy),
            CallStatus::Canceled => Some(Self::Canceled),
            CallStatus::Failed => Some(Self::Failed),
        }
    }
}

spelled! {
    /// Why a subscription was switched off by itself.
    pub enum WebhookTrouble {
        /// Event after event was given up.
        TooManyFailures = "too_many_failures",
    }
}

/// A subscription that is kept: a tenant's endpoint, or an agent's webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its identity.
    pub id: WebhookId,
    /// Its owner.
    pub tenant: TenantId,
    /// Where events go.
    pub url: String,
    /// What people call it.
    pub name: Option<String>,
    /// Which events, by their names in its dialect; `*` is all of them.
    pub events: Vec<String>,
    /// What deliveries are signed with; an endpoint always has one.
    pub secret: Option<Secret>,
    /// Of which agent's calls, and how; `None`: an endpoint, of all the tenant's calls.
    pub agent: Option<AgentWebhook>,
    /// Since when it is off.
    pub disabled_at: Option<UnixMillis>,
    /// Why, where nobody asked for it.
    pub trouble: Option<WebhookTrouble>,
    /// Events that were given up since one last arrived.
    pub failures: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
}

impl Webhook {
    /// Whether it wants events of that name.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.disabled_at.is_none() && self.events.iter().any(|name| name == event || name == "*")
    }
}

/// How an agent's webhook is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentWebhook {
    /// Whose calls.
    pub agent: AgentId,
    /// How long an answer may take.
    pub timeout_seconds: u32,
    /// How often a delivery that failed is tried again.
    pub retries_max: u32,
    /// The request's method.
    pub method: HookMethod,
    /// How the request proves whose it is, besides its signature.
    pub authorization: HookAuthorization,
    /// Headers to add.
    pub headers: Vec<(String, Secret)>,
    /// Bodies in place of the usual one, by event.
    pub templates: Vec<(String, String)>,
}

spelled! {
    /// The methods a webhook may use.
    pub enum HookMethod {
        /// POST.
        Post = "POST",
        /// PUT.
        Put = "PUT",
        /// PATCH.
        Patch = "PATCH",
    }
}

spelled! {
    /// How a webhook's secret is shown besides being signed with.
    pub enum HookAuthorization {
        /// Not at all.
        None = "none",
        /// `Authorization: Bearer`.
        Bearer = "bearer",
        /// `Authorization: Basic`; the secret is `user:password`.
        Basic = "basic",
        /// `X-API-Key`.
        ApiKey = "api_key",
        /// By the custom headers.
        Custom = "custom",
    }
}

spelled! {
    /// Where a delivery stands.
    pub enum DeliveryStatus {
        /// To be tried, for the first time or again.
        Pending = "pending",
        /// The subscriber has it.
        Delivered = "delivered",
        /// Given up.
        Exhausted = "exhausted",
    }
}

/// One event for one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity, and the event's.
    pub id: DeliveryId,
    /// Its owner.
    pub tenant: TenantId,
    /// The subscription; `None` for a URL that the agent or the call brought along.
    pub webhook: Option<WebhookId>,
    /// Whether that is an agent's: then every attempt is logged.
    pub is_agents: bool,
    /// Of which call.
    pub call: CallId,
    /// The event's name in the subscriber's dialect.
    pub event: String,
    /// Where it goes.
    pub url: String,
    /// What is told.
    pub body: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Attempts that failed or arrived, since it was made or last asked for again.
    pub attempts: u32,
    /// How often it was asked for again.
    pub manual_retries: u32,
    /// When it is tried next; `None` where it is over, or waits for an earlier one.
    pub due_at: Option<UnixMillis>,
    /// Until when it waits for what is yet to be known of the call.
    pub held_until: Option<UnixMillis>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// What the subscriber last answered.
    pub last_status: Option<u16>,
    /// When it arrived.
    pub delivered_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
}

spelled! {
    /// What came of one attempt.
    pub enum AttemptStatus {
        /// It has not been made yet.
        Pending = "pending",
        /// It arrived.
        Success = "success",
        /// It failed, and was the last.
        Failed = "failed",
        /// It failed, and another follows.
        Retrying = "retrying",
    }
}

/// One attempt to deliver to an agent's webhook, as its log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its identity.
    pub id: AttemptId,
    /// Its owner.
    pub tenant: TenantId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What was delivered.
    pub delivery: DeliveryId,
    /// The event's name.
    pub event: String,
    /// Which attempt, from 1.
    pub number: u32,
    /// What came of it.
    pub status: AttemptStatus,
    /// What was sent.
    pub request: String,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// The answer's body, cut.
    pub response_body: Option<String>,
    /// The answer's headers, as the text of a JSON object.
    pub response_headers: Option<String>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it arrived.
    pub delivered_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What became of the latest event of a call that went to the URL the agent or the call brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineHook {
    /// Where it goes.
    pub url: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What went wrong last.
    pub error: Option<String>,
}

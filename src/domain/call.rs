//! A call as it arrives, and the stations of its life.

use super::{AccountId, Attestation, E164, spelled};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ani {
    /// A number that can be looked up.
    Number(E164),
    /// The caller hides it. Every spelling of that is one thing, and never a contact.
    Withheld,
    /// A caller without a number: `client:`, `sip:`, a short code.
    Unusable,
}

impl Ani {
    /// The number, where there is one.
    #[must_use]
    pub const fn number(self) -> Option<E164> {
        match self {
            Self::Number(number) => Some(number),
            Self::Withheld | Self::Unusable => None,
        }
    }
}

/// What a decision is made from, besides the index and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundCall {
    /// The carrier account it came by; `None` only for a number that has none.
    pub account: Option<AccountId>,
    /// Which number was dialled; `None` where it is no number (an empty To, a SIP name).
    pub dnis: Option<E164>,
    /// Who calls.
    pub ani: Ani,
    /// The number that forwarded the call here, if the carrier says so.
    pub forwarded_from: Option<E164>,
    /// How far the network vouches for the caller's number.
    pub attestation: Attestation,
}

impl InboundCall {
    /// A call of which nobody knows anything.
    pub const UNKNOWN: Self = Self {
        account: None,
        dnis: None,
        ani: Ani::Unusable,
        forwarded_from: None,
        attestation: Attestation::None,
    };
}

spelled! {
    /// A call's status, in the order of its life; the last five are final.
    pub enum CallStatus {
        /// Accepted by us, not yet sent.
        Queued = "queued",
        /// Sent to the carrier.
        Initiated = "initiated",
        /// Ringing.
        Ringing = "ringing",
        /// Somebody answered.
        InProgress = "in_progress",
        /// Over, after it was answered.
        Completed = "completed",
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// The line was busy.
        Busy = "busy",
        /// Given up before it was answered.
        Canceled = "canceled",
        /// It could not be carried out.
        Failed = "failed",
    }
}

impl CallStatus {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::Completed
    }

    /// The later of two accounts of one call: a final status stays, else the further one wins.
    #[must_use]
    pub fn advanced(self, next: Self) -> Self {
        if self.is_final() || next < self { self } else { next }
    }
}

spelled! {
    /// Why a call was not placed.
    pub enum DialFailure {
        /// The number called is none, or cannot be called.
        InvalidNumber = "invalid_number",
        /// The carrier does not let the account show that number.
        InvalidCallerId = "invalid_caller_id",
        /// The carrier reaches no such number.
        Unreachable = "unreachable",
        /// The account may not call there: a country, a block, a trial's limits.
        NotPermitted = "not_permitted",
        /// The carrier does not know the account's credentials.
        Credentials = "credentials",
        /// More calls wait than can be placed in time, with us or at the carrier.
        Busy = "busy",
        /// The carrier's API was not reached.
        CarrierUnreachable = "carrier_unreachable",
        /// The daemon ended before it was sent.
        NotSent = "not_sent",
        /// Another reason of the carrier's.
        Refused = "refused",
    }
}

spelled! {
    /// Where the placing of a call stands.
    pub enum DialState {
        /// It waits its turn; nothing has been sent.
        Queued = "queued",
        /// The command is leaving, or has left; no answer yet.
        Dialing = "dialing",
        /// The carrier has it.
        Accepted = "accepted",
        /// No answer came, so the phone may ring. It is never sent again.
        Unknown = "unknown",
        /// It was not placed, and will not be.
        Refused = "refused",
    }
}

spelled! {
    /// Who ended a call.
    pub enum CallEnd {
        /// The person.
        Caller = "caller",
        /// The agent's runtime closed with 1000.
        Agent = "agent",
        /// Somebody asked for it through the API.
        Api = "api",
        /// A machine answered, and its agent talks to none.
        Machine = "machine",
        /// The last target had spoken, refused or failed.
        LastTarget = "last_target",
        /// Nobody here: it was taken elsewhere by somebody else's request to its carrier.
        TransferredExternally = "transferred_externally",
        /// The daemon was told to stop.
        Drain = "drain",
    }
}

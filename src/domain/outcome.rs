//! How an outbound call ended, and sets of such ends.

use super::{UnixMillis, UnixSeconds, spelled};

spelled! {
    /// How an outbound call ended. The order is the order of merging: the store keeps the higher,
    /// so that events may come in any order.
    pub enum Outcome {
        /// Still being placed or ringing.
        Pending = "pending",
        /// The carrier or the network failed it.
        Failed = "failed",
        /// Given up before anybody answered.
        Canceled = "canceled",
        /// The line was busy.
        Busy = "busy",
        /// It rang out.
        NoAnswer = "no_answer",
        /// A person answered.
        Answered = "answered",
        /// A machine answered.
        Voicemail = "voicemail",
    }
}

/// A call that has been pending this long has failed without telling us.
const PENDING_SECONDS_MAX: u64 = 4 * 3600;

impl Outcome {
    /// The outcome as filters see it: a pending touch older than four hours counts as failed.
    #[must_use]
    pub fn aged(self, at: UnixSeconds, now: UnixMillis) -> Self {
        let stale = now.seconds().0.saturating_sub(at.0) > PENDING_SECONDS_MAX;
        if self == Self::Pending && stale { Self::Failed } else { self }
    }

    /// Reads an outcome in our words or either dialect's (`completed`, `no-answer`).
    #[must_use]
    pub fn from_any_dialect(word: &str) -> Option<Self> {
        Some(match word {
            "completed" | "in_progress" | "in-progress" => Self::Answered,
            "no-answer" => Self::NoAnswer,
            "cancelled" => Self::Canceled,
            "queued" | "initiated" | "ringing" => Self::Pending,
            ours => return ours.parse().ok(),
        })
    }
}

/// A set of outcomes in one byte. The empty set is not used: "all" is [`OutcomeSet::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeSet(u8);

impl OutcomeSet {
    /// Every outcome.
    pub const ALL: Self = Self(0x7f);

    /// Whether a touch with this (aged) outcome passes. `Pending` always does: people ring back
    /// while our call still rings.
    #[must_use]
    pub const fn accepts(self, outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Pending) || self.0 & (1 << outcome as u8) != 0
    }

    /// The members, lowest first.
    pub fn iter(self) -> impl Iterator<Item = Outcome> {
        Outcome::ALL.iter().copied().filter(move |outcome| self.0 & (1 << *outcome as u8) != 0)
    }
}

impl FromIterator<Outcome> for OutcomeSet {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        Self(outcomes.into_iter().fold(0, |set, outcome| set | (1 << outcome as u8)))
    }
}

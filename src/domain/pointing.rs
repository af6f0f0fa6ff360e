//! Numbers that were pointed here at their carrier, and what was there before: all that is needed
//! to put it back.

use std::collections::BTreeMap;

use super::{AccountId, E164, Target, UnixMillis, spelled};

/// Fields of a carrier's record by the carrier's own names; `None` is null there.
pub type CarrierFields = BTreeMap<String, Option<String>>;

/// Those of the wanted fields that the record does not hold. Null is as good as the empty text:
/// forms cannot say the one, and carriers answer either.
#[must_use]
pub fn unlike(held: &CarrierFields, wanted: &CarrierFields) -> CarrierFields {
    let text = |value: Option<&Option<String>>| value.cloned().flatten().unwrap_or_default();
    let differs =
        |(name, value): &(&String, &Option<String>)| text(held.get(*name)) != text(Some(value));
    let unlike = wanted.iter().filter(differs);
    unlike.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The same fields as a record holds them.
#[must_use]
pub fn as_held(held: &CarrierFields, named: &CarrierFields) -> CarrierFields {
    let held = |name: &String| (name.clone(), held.get(name).cloned().flatten());
    named.keys().map(held).collect()
}

spelled! {
    /// What becomes of a number that is to be pointed here, or back.
    pub enum PointStep {
        /// It would be pointed here.
        ToPoint = "to_point",
        /// It was.
        Pointed = "pointed",
        /// It would be put back.
        ToUnpoint = "to_unpoint",
        /// It was.
        Unpointed = "unpointed",
        /// It is as it is wanted.
        Already = "already",
        /// It waits for another request: more were asked for than are changed at once.
        Waits = "waits",
        /// Nothing was changed, for a cause.
        Refused = "refused",
        /// The carrier did not do it, or did not say.
        Failed = "failed",
    }
}

spelled! {
    /// Why a number is not pointed here, or back.
    pub enum PointCause {
        /// The account does not have it.
        NotAtAccount = "not_at_account",
        /// It is not in service, or not for calls.
        NotForCalls = "not_for_calls",
        /// The carrier puts numbers to applications, and the account names none here.
        NoApplication = "no_application",
        /// The carrier knows no application of the account's, or it is of another kind.
        ApplicationNotFound = "application_not_found",
        /// The account's application answers other numbers at another URL.
        ApplicationInUse = "application_in_use",
        /// It is put back with the others that the same application answers, or not at all.
        ApplicationShared = "application_shared",
        /// The account's application asks without a signature, and would be refused here.
        Unsigned = "unsigned",
        /// The carrier routes the number with its location, which is not changed from here.
        ByLocation = "by_location",
        /// Calls cannot be handed on to who answers today.
        CannotHandBack = "cannot_hand_back",
        /// Nobody here has it, and it is not clear whose it is to be.
        UnknownHere = "unknown_here",
        /// Another tenant has it.
        Taken = "taken",
        /// It was changed at the carrier since it was pointed.
        ChangedSince = "changed_since",
        /// It was not pointed by Switchback.
        NotPointed = "not_pointed",
        /// The carrier did not do it.
        Carrier = "carrier",
    }
}

spelled! {
    /// What is to be known of a number that is pointed here, or back.
    pub enum PointNote {
        /// Who answered was asked by GET, and is asked by POST where a call is handed on.
        AskedByGet = "asked_by_get",
        /// Who is told how calls end stays: here it is not told of calls that are handed on.
        StatusStays = "status_stays",
        /// It has a passthrough here, which stays.
        PassthroughKept = "passthrough_kept",
        /// An agent here would answer it, were it not for the passthrough.
        AgentPassedOver = "agent_passed_over",
        /// Nobody answered it, and nobody does here.
        NobodyAnswers = "nobody_answers",
        /// It is answered here, and nothing is known of what was there before.
        ByHand = "by_hand",
        /// The application has no one URL to fall back to: its numbers had several.
        NoCommonFallback = "no_common_fallback",
        /// The account has it no more: there was nothing to put back.
        Gone = "gone",
    }
}

spelled! {
    /// How a number stands between here and its carrier.
    pub enum PointState {
        /// As Switchback pointed it.
        Pointed = "pointed",
        /// Answered here, and not by Switchback's doing.
        Here = "here",
        /// It was to be pointed, or put back, and the carrier has not confirmed it.
        Unconfirmed = "unconfirmed",
        /// Changed at the carrier since.
        Changed = "changed",
        /// Pointed to a URL that the edge had once.
        Outdated = "outdated",
        /// The account has it no more.
        Gone = "gone",
        /// Answered elsewhere.
        Elsewhere = "elsewhere",
        /// The account has it; the carrier does not say who answers.
        Unknown = "unknown",
    }
}

impl PointState {
    /// Calls do not come here, or not as they should, though they were meant to.
    #[must_use]
    pub const fn is_amiss(self) -> bool {
        match self {
            Self::Unconfirmed | Self::Changed | Self::Outdated | Self::Gone => true,
            Self::Pointed | Self::Here | Self::Elsewhere | Self::Unknown => false,
        }
    }
}

/// A number that was pointed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointedNumber {
    /// At which account.
    pub account: AccountId,
    /// The number.
    pub e164: E164,
    /// The carrier's id for it.
    pub carrier_number_id: String,
    /// What was changed, as it was.
    pub previous: CarrierFields,
    /// What it was changed to.
    pub pointed: CarrierFields,
    /// The URL that was asked before, where one was.
    pub asked_before: Option<String>,
    /// The application by which it is answered here, at carriers that put numbers to applications.
    pub application: Option<String>,
    /// The passthrough that it was given with that; none where it had one, or was to have none.
    pub passthrough: Option<Target>,
    /// The carrier has confirmed it. Until then nobody can tell what it holds.
    pub is_confirmed: bool,
    /// When.
    pub at: UnixMillis,
}

/// An application at a carrier that was changed so that numbers put to it are answered here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointedApplication {
    /// At which account.
    pub account: AccountId,
    /// The carrier's id for it.
    pub application: String,
    /// What was changed, as it was.
    pub previous: CarrierFields,
    /// What it was changed to.
    pub pointed: CarrierFields,
    /// When.
    pub at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, Option<&str>)]) -> CarrierFields {
        pairs.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect()
    }

    #[test]
    fn only_what_differs_is_sent() {
        let held = fields(&[("a", Some("1")), ("b", None), ("c", Some("x"))]);
        let wanted = fields(&[("a", Some("1")), ("b", Some("")), ("c", None), ("d", Some("2"))]);
        assert_eq!(unlike(&held, &wanted), fields(&[("c", None), ("d", Some("2"))]));
        let named = fields(&[("b", Some("y")), ("c", None), ("d", None)]);
        assert_eq!(as_held(&held, &named), fields(&[("b", None), ("c", Some("x")), ("d", None)]));
    }
}

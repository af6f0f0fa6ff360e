//! Why what is recorded is refused, in words.

use crate::domain::RecordRefusal;

/// Our number and word for it. Talkover's words are the same in capitals.
pub(super) const fn code(refusal: RecordRefusal) -> (u16, &'static str) {
    let status = match refusal {
        RecordRefusal::CampaignNotFound
        | RecordRefusal::TrunkNotFound
        | RecordRefusal::ReleaseNotFound => 404,
        RecordRefusal::CampaignNotActive => 400,
        RecordRefusal::CampaignActive => 403,
        RecordRefusal::ReleaseInUse => 422,
        RecordRefusal::CampaignHasActiveCalls
        | RecordRefusal::CampaignLimitReached
        | RecordRefusal::TrunkLimitReached
        | RecordRefusal::TrunkHasDids
        | RecordRefusal::DidExists
        | RecordRefusal::DidInUse
        | RecordRefusal::ReleasePending
        | RecordRefusal::ReleaseResolved => 409,
    };
    (status, refusal.as_str())
}

/// The person's words for it.
pub(super) const fn message(refusal: RecordRefusal) -> &'static str {
    match refusal {
        RecordRefusal::CampaignNotFound => "campaign not found",
        RecordRefusal::CampaignNotActive => "campaign is not active",
        RecordRefusal::CampaignHasActiveCalls => "campaign has active calls in progress",
        RecordRefusal::CampaignLimitReached => "there are as many campaigns as are kept",
        RecordRefusal::CampaignActive => {
            "cannot change or delete a campaign while it is active; pause it first"
        }
        RecordRefusal::TrunkNotFound => "SIP trunk not found",
        RecordRefusal::TrunkLimitReached => "there are as many SIP trunks as are kept",
        RecordRefusal::TrunkHasDids => {
            "trunk still has DIDs attached; delete DIDs before deleting the trunk"
        }
        RecordRefusal::DidExists => "this number is already registered",
        RecordRefusal::DidInUse => "DID is still assigned to agents",
        RecordRefusal::ReleaseNotFound => "release request not found",
        RecordRefusal::ReleasePending => "a release of this number is requested already",
        RecordRefusal::ReleaseResolved => "release request already resolved",
        RecordRefusal::ReleaseInUse => "the phone number is attached to agents; detach it first",
    }
}

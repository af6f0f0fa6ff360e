//! What is recorded for people and for other systems, and routes nothing: campaigns, SIP trunks,
//! requests to give a number back.

use super::{
    AgentId, CallId, CallStatus, CampaignId, E164, NumberId, ReleaseId, TenantId, TrunkId,
    UnixMillis, spelled,
};

spelled! {
    /// Where a campaign stands.
    pub enum CampaignStatus {
        /// Not begun.
        Draft = "draft",
        /// Its calls may be placed.
        Active = "active",
        /// They may not, for now.
        Paused = "paused",
        /// Over.
        Completed = "completed",
        /// Given up.
        Cancelled = "cancelled",
    }
}

impl CampaignStatus {
    /// Whether it may become that: drafts begin, what is over stays over.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft, Self::Active | Self::Cancelled)
                | (Self::Active, Self::Paused | Self::Completed | Self::Cancelled)
                | (Self::Paused, Self::Active | Self::Completed | Self::Cancelled)
        )
    }
}

/// A campaign. Nothing is dialled by itself: its calls are asked for one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignRecord {
    /// Its identity.
    pub id: CampaignId,
    /// Its owner.
    pub tenant: TenantId,
    /// Who calls.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// What it is for, in the dialect's word.
    pub kind: String,
    /// Where it stands.
    pub status: CampaignStatus,
    /// What it is about; may be empty.
    pub description: String,
    /// All else that was written of it, as the text of one JSON object.
    pub fields: String,
    /// What became of its calls.
    pub counts: CampaignCounts,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
}

/// What became of a campaign's calls. Kept when the calls are forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignCounts {
    /// Placed.
    pub calls: u64,
    /// Of those, answered and over.
    pub completed: u64,
    /// Of those, over without an answer.
    pub failed: u64,
    /// How long the answered ones lasted together.
    pub lasted_ms: u64,
}

/// A call of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignCall {
    /// The call.
    pub call: CallId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Who is called.
    pub to: E164,
    /// Where it stands.
    pub status: CallStatus,
    /// When it was asked for.
    pub created_at: UnixMillis,
}

/// A SIP trunk as it was described. Nobody here speaks SIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRecord {
    /// Its identity.
    pub id: TrunkId,
    /// Its owner.
    pub tenant: TenantId,
    /// What it is set to.
    pub settings: TrunkSettings,
    /// Whether it is in use, as far as its owner says.
    pub is_active: bool,
    /// Whether a carrier account carried all its numbers when that was last asked for.
    pub is_verified: bool,
    /// When that was.
    pub checked_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last written.
    pub updated_at: UnixMillis,
}

/// What a trunk is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkSettings {
    /// A name for people.
    pub name: String,
    /// Whose it is.
    pub provider_name: String,
    /// Its SIP domain.
    pub domain: String,
    /// Who registers there.
    pub username: String,
    /// Its port.
    pub port: u16,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Its proxy.
    pub outbound_proxy: Option<String>,
    /// The realm it asks for.
    pub auth_realm: Option<String>,
}

spelled! {
    /// Where a request to give a number back stands.
    pub enum ReleaseStatus {
        /// Nobody has decided.
        Pending = "pending",
        /// The number has been removed.
        Approved = "approved",
        /// It stays: an operator has decided so.
        Rejected = "rejected",
        /// Taken back.
        Cancelled = "cancelled",
    }
}

/// A request to give a number back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// Its identity.
    pub id: ReleaseId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The number.
    pub number: NumberId,
    /// Its value, which is known when the number is gone.
    pub e164: E164,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub status: ReleaseStatus,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// When it was decided.
    pub resolved_at: Option<UnixMillis>,
}

spelled! {
    /// Why something recorded cannot be read or written so.
    pub enum RecordRefusal {
        /// No such campaign for this tenant.
        CampaignNotFound = "campaign_not_found",
        /// The campaign places no calls.
        CampaignNotActive = "campaign_not_active",
        /// Calls of the campaign are in progress.
        CampaignHasActiveCalls = "campaign_has_active_calls",
        /// The tenant has as many campaigns as are kept.
        CampaignLimitReached = "campaign_limit_reached",
        /// An active campaign is neither changed nor deleted.
        CampaignActive = "forbidden",
        /// No such trunk for this tenant.
        TrunkNotFound = "sip_trunk_not_found",
        /// The tenant has as many trunks as are kept.
        TrunkLimitReached = "sip_trunk_limit_reached",
        /// The trunk has numbers.
        TrunkHasDids = "trunk_has_dids",
        /// The number is there already.
        DidExists = "did_already_exists",
        /// The number is attached to agents.
        DidInUse = "did_in_use",
        /// No such request for this tenant.
        ReleaseNotFound = "release_request_not_found",
        /// The number is asked to be given back already.
        ReleasePending = "release_already_pending",
        /// The request has been decided, or taken back.
        ReleaseResolved = "release_already_resolved",
        /// The number is attached to agents.
        ReleaseInUse = "phone_number_in_use",
    }
}

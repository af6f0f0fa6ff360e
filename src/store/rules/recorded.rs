//! Campaigns, SIP trunks and requests to give numbers back: recorded for people and programs. No
//! schedule is kept, no trunk registered, no number released at a carrier.

use super::{Tx, WriteError, named};
use crate::{
    domain::{
        AgentId, CallRecord, CallStatus, CampaignCounts, CampaignId, CampaignRecord,
        CampaignStatus, Direction, E164, NumberId, NumberRecord, RecordRefusal, Refusal, ReleaseId,
        ReleaseRecord, ReleaseStatus, TenantId, TrunkId, TrunkRecord, TrunkSettings,
    },
    store::{NewCampaign, NewNumber},
};

/// Campaigns of a tenant at most: a list of them counts them.
const CAMPAIGNS_MAX: u64 = 10_000;
/// Trunks of a tenant at most: they are listed whole.
const TRUNKS_MAX: usize = 100;

impl Tx<'_> {
    /// Makes a campaign, as a draft.
    ///
    /// # Errors
    /// Unknown or inbound agent; as many as are kept; wrong fields.
    pub fn create_campaign(
        &mut self,
        tenant: TenantId,
        new: NewCampaign,
    ) -> Result<CampaignRecord, WriteError> {
        if self.campaigns_count(tenant)? >= CAMPAIGNS_MAX {
            return Err(RecordRefusal::CampaignLimitReached.into());
        }
        self.check_caller(tenant, new.agent)?;
        let now = self.now();
        let record = CampaignRecord {
            id: CampaignId(self.new_id()),
            tenant,
            agent: new.agent,
            name: named("name", &new.name)?,
            kind: new.kind,
            status: CampaignStatus::Draft,
            description: new.description,
            fields: new.fields,
            counts: CampaignCounts::default(),
            created_at: now,
            updated_at: now,
        };
        self.put_campaign(&record)?;
        self.insert_audit(Some(tenant), "campaign.create", Some(record.id.0))?;
        Ok(record)
    }

    /// Changes a campaign.
    ///
    /// # Errors
    /// Unknown campaign; it is active; unknown or inbound agent; wrong fields.
    pub fn update_campaign(
        &mut self,
        tenant: TenantId,
        id: CampaignId,
        change: impl FnOnce(&mut NewCampaign) -> Result<(), Refusal>,
    ) -> Result<CampaignRecord, WriteError> {
        let record = self.idle_campaign(tenant, id)?;
        let mut new = NewCampaign {
            agent: record.agent,
            name: record.name.clone(),
            kind: record.kind.clone(),
            description: record.description.clone(),
            fields: record.fields.clone(),
        };
        change(&mut new)?;
        self.check_caller(tenant, new.agent)?;
        let record = CampaignRecord {
            agent: new.agent,
            name: named("name", &new.name)?,
            kind: new.kind,
            description: new.description,
            fields: new.fields,
            updated_at: self.now(),
            ..record
        };
        self.put_campaign(&record)?;
        self.insert_audit(Some(tenant), "campaign.update", Some(id.0))?;
        Ok(record)
    }

    /// Has a campaign begin, pause or end. Calls in progress go on.
    ///
    /// # Errors
    /// Unknown campaign; it cannot become that.
    pub fn set_campaign_status(
        &mut self,
        tenant: TenantId,
        id: CampaignId,
        status: CampaignStatus,
    ) -> Result<CampaignRecord, WriteError> {
        let mut record = self.known_campaign(tenant, id)?;
        if record.status != status {
            if !record.status.may_become(status) {
                return Err(Refusal::Transition(record.status, status).into());
            }
            (record.status, record.updated_at) = (status, self.now());
            self.put_campaign(&record)?;
            self.insert_audit(Some(tenant), "campaign.status", Some(id.0))?;
        }
        Ok(record)
    }

    /// Deletes a campaign. Its calls stay: people may ring back.
    ///
    /// # Errors
    /// Unknown campaign; it is active; its calls are in progress.
    pub fn delete_campaign(&mut self, tenant: TenantId, id: CampaignId) -> Result<(), WriteError> {
        self.idle_campaign(tenant, id)?;
        if self.has_open_calls(id)? {
            return Err(RecordRefusal::CampaignHasActiveCalls.into());
        }
        self.delete_campaign_rows(id)?;
        self.insert_audit(Some(tenant), "campaign.delete", Some(id.0))
    }

    /// The campaign, where it may call that person now.
    ///
    /// # Errors
    /// Unknown campaign; it is not active; it is calling that person already, unless it may.
    pub fn calling_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
        to: E164,
        may_repeat: bool,
    ) -> Result<CampaignRecord, WriteError> {
        let record = self.known_campaign(tenant, id)?;
        if record.status != CampaignStatus::Active {
            return Err(RecordRefusal::CampaignNotActive.into());
        }
        match self.open_campaign_call(id, to)?.filter(|_| !may_repeat) {
            Some(open) => Err(Refusal::DuplicateCall(Box::new(open)).into()),
            None => Ok(record),
        }
    }

    /// A call became what it is: where it ended, and was a campaign's, that is counted.
    pub(super) fn count_campaign_call(
        &mut self,
        before: Option<&CallRecord>,
        after: &CallRecord,
    ) -> Result<(), WriteError> {
        let was_over = before.is_some_and(|before| before.status.is_final());
        let ended = after.direction == Direction::Outbound && after.status.is_final() && !was_over;
        if let Some(campaign) = ended.then(|| self.campaign_of(after.id)).transpose()?.flatten() {
            let lasted = after.answered_at.zip(after.ended_at);
            let lasted_ms = lasted.map_or(0, |(from, to)| to.0.saturating_sub(from.0));
            self.count_ended(campaign, after.status == CallStatus::Completed, lasted_ms)?;
        }
        Ok(())
    }

    fn known_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<CampaignRecord, WriteError> {
        let found = self.campaign(tenant, id)?;
        found.ok_or_else(|| RecordRefusal::CampaignNotFound.into())
    }

    fn idle_campaign(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<CampaignRecord, WriteError> {
        let record = self.known_campaign(tenant, id)?;
        if record.status == CampaignStatus::Active {
            return Err(RecordRefusal::CampaignActive.into());
        }
        Ok(record)
    }

    fn check_caller(&self, tenant: TenantId, agent: AgentId) -> Result<(), WriteError> {
        if self.open_agent(tenant, agent)?.agent.direction != Direction::Outbound {
            return Err(Refusal::NotOutbound.into());
        }
        Ok(())
    }

    /// Describes a trunk.
    ///
    /// # Errors
    /// As many as are kept.
    pub fn create_trunk(
        &mut self,
        tenant: TenantId,
        settings: TrunkSettings,
    ) -> Result<TrunkRecord, WriteError> {
        if self.trunks(tenant)?.len() >= TRUNKS_MAX {
            return Err(RecordRefusal::TrunkLimitReached.into());
        }
        let now = self.now();
        let record = TrunkRecord {
            id: TrunkId(self.new_id()),
            tenant,
            settings,
            is_active: false,
            is_verified: false,
            checked_at: None,
            created_at: now,
            updated_at: now,
        };
        self.put_trunk(&record)?;
        self.insert_audit(Some(tenant), "trunk.create", Some(record.id.0))?;
        Ok(record)
    }

    /// Changes a trunk.
    ///
    /// # Errors
    /// Unknown trunk; what the change refuses.
    pub fn update_trunk(
        &mut self,
        tenant: TenantId,
        id: TrunkId,
        change: impl FnOnce(&mut TrunkRecord) -> Result<(), Refusal>,
    ) -> Result<TrunkRecord, WriteError> {
        let mut record = self.known_trunk(tenant, id)?;
        change(&mut record)?;
        record.updated_at = self.now();
        self.put_trunk(&record)?;
        self.insert_audit(Some(tenant), "trunk.update", Some(id.0))?;
        Ok(record)
    }

    /// Removes a trunk.
    ///
    /// # Errors
    /// Unknown trunk; it has numbers.
    pub fn remove_trunk(&mut self, tenant: TenantId, id: TrunkId) -> Result<(), WriteError> {
        self.known_trunk(tenant, id)?;
        if !self.dids(id)?.is_empty() {
            return Err(RecordRefusal::TrunkHasDids.into());
        }
        self.delete_trunk(id)?;
        self.insert_audit(Some(tenant), "trunk.remove", Some(id.0))
    }

    /// Adds a number by way of a trunk: it is the tenant's like any other.
    ///
    /// # Errors
    /// Unknown trunk or account; the number is there, or somebody else's; see
    /// [`Tx::add_number`].
    pub fn add_did(
        &mut self,
        tenant: TenantId,
        trunk: TrunkId,
        new: NewNumber,
        country_code: &str,
    ) -> Result<NumberRecord, WriteError> {
        self.known_trunk(tenant, trunk)?;
        let (number, is_new) = match self.add_number(tenant, new) {
            // Whose it is, nobody is told.
            Err(WriteError::Refused(Refusal::NumberTaken)) => {
                return Err(RecordRefusal::DidExists.into());
            }
            added => added?,
        };
        if !is_new {
            return Err(RecordRefusal::DidExists.into());
        }
        self.insert_did(trunk, number.id, country_code)?;
        Ok(number)
    }

    /// Removes a trunk's number.
    ///
    /// # Errors
    /// Unknown trunk, or no number of it; agents are attached to it.
    pub fn remove_did(
        &mut self,
        tenant: TenantId,
        trunk: TrunkId,
        number: NumberId,
    ) -> Result<(), WriteError> {
        self.known_trunk(tenant, trunk)?;
        if !self.dids(trunk)?.iter().any(|(did, _)| *did == number) {
            return Err(Refusal::NumberNotFound.into());
        }
        match self.remove_number(tenant, number) {
            Err(WriteError::Refused(Refusal::NumberInUse)) => Err(RecordRefusal::DidInUse.into()),
            removed => removed,
        }
    }

    fn known_trunk(&self, tenant: TenantId, id: TrunkId) -> Result<TrunkRecord, WriteError> {
        self.trunk(tenant, id)?.ok_or_else(|| RecordRefusal::TrunkNotFound.into())
    }

    /// Writes down that a number is to be given back.
    ///
    /// # Errors
    /// Unknown number; agents are attached to it; that is written down already.
    pub fn request_release(
        &mut self,
        tenant: TenantId,
        number: NumberId,
        reason: String,
    ) -> Result<ReleaseRecord, WriteError> {
        let known = self.known_number(tenant, number)?;
        if !known.bindings.is_empty() {
            return Err(RecordRefusal::ReleaseInUse.into());
        }
        if self.has_pending_release(number)? {
            return Err(RecordRefusal::ReleasePending.into());
        }
        let record = ReleaseRecord {
            id: ReleaseId(self.new_id()),
            tenant,
            number,
            e164: known.e164,
            reason,
            status: ReleaseStatus::Pending,
            created_at: self.now(),
            resolved_at: None,
        };
        self.put_release(&record)?;
        self.insert_audit(Some(tenant), "release.request", Some(record.id.0))?;
        Ok(record)
    }

    /// Takes such a request back.
    ///
    /// # Errors
    /// Unknown request; it is decided, or taken back.
    pub fn cancel_release(&mut self, tenant: TenantId, id: ReleaseId) -> Result<(), WriteError> {
        let mut record = self.release(tenant, id)?.ok_or(RecordRefusal::ReleaseNotFound)?;
        if record.status != ReleaseStatus::Pending {
            return Err(RecordRefusal::ReleaseResolved.into());
        }
        (record.status, record.resolved_at) = (ReleaseStatus::Cancelled, Some(self.now()));
        self.put_release(&record)?;
        self.insert_audit(Some(tenant), "release.cancel", Some(id.0))
    }

    /// Decides on anybody's request: the number goes, or stays.
    ///
    /// # Errors
    /// Unknown request; it is decided, or taken back; see [`Tx::remove_number`].
    pub fn decide_release(
        &mut self,
        id: ReleaseId,
        goes: bool,
    ) -> Result<ReleaseRecord, WriteError> {
        let record = self.any_release(id)?.ok_or(RecordRefusal::ReleaseNotFound)?;
        if record.status != ReleaseStatus::Pending {
            return Err(RecordRefusal::ReleaseResolved.into());
        }
        if goes {
            self.remove_number(record.tenant, record.number)?;
        }
        let (status, action) = match goes {
            true => (ReleaseStatus::Approved, "release.approve"),
            false => (ReleaseStatus::Rejected, "release.reject"),
        };
        let record = ReleaseRecord { status, resolved_at: Some(self.now()), ..record };
        self.put_release(&record)?;
        self.insert_audit(Some(record.tenant), action, Some(id.0))?;
        Ok(record)
    }
}

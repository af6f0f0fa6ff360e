//! What is known of an account's numbers at one moment: at the carrier, and here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    carriers::{self, Answerer, AskedUrl, HeldApplication, HeldNumber, Pointing},
    control::{Api, auth::Anybody, own::import::usable},
    dialects::Problem,
    domain::{
        Account, AccountId, DialFailure, E164, NumberRecord, PointedApplication, PointedNumber,
        Refusal, TenantId,
    },
};

/// Pages of a carrier's list: a quarter of a million numbers of Telnyx's, ten thousand of Plivo's.
const PAGES_MAX: usize = 1000;

/// An account's numbers.
pub(super) struct Survey {
    pub(super) account: Account,
    pub(super) pointing: &'static dyn Pointing,
    /// Where the carrier is to ask about calls.
    pub(super) voice_url: String,
    /// Where it is to tell how they end.
    pub(super) status_url: String,
    /// Whose key asks; none is an operator's.
    tenant: Option<TenantId>,
    /// As the carrier has them, as far as they have been listed.
    pub(super) held: BTreeMap<E164, HeldNumber>,
    /// As they are here.
    pub(super) here: BTreeMap<E164, NumberRecord>,
    /// What is known of those that were pointed.
    pub(super) pointed: BTreeMap<E164, PointedNumber>,
    /// The applications that have been read; none where there is no such one.
    pub(super) applications: BTreeMap<String, Option<HeldApplication>>,
    /// Those that were changed.
    pub(super) changed_applications: Vec<PointedApplication>,
}

impl Survey {
    /// What is known here. The carrier is not asked yet.
    pub(super) async fn open(api: &Api, who: Anybody, id: AccountId) -> Result<Self, Problem> {
        let tenant = who.tenant;
        let (account, here, pointed, changed_applications) = api
            .read(move |rows| {
                let account = usable(rows, tenant, id)?.ok_or(Refusal::AccountNotFound)?;
                let here = rows.numbers_at(id)?;
                Ok((account, here, rows.pointed_numbers(id)?, rows.pointed_applications(id)?))
            })
            .await?;
        let pointing = carriers::room(account.carrier).pointing(&account).map_err(|lacks| {
            let message =
                format!("Its numbers are asked for with {lacks}, which it does not have.");
            Refusal::invalid("account", message)
        })?;
        let url = |kind| format!("{}/carriers/{}/{kind}", api.settings.public_url, account.name);
        Ok(Self {
            voice_url: url("voice"),
            status_url: url("status"),
            account,
            pointing,
            tenant,
            held: BTreeMap::new(),
            here: here.into_iter().map(|number| (number.e164, number)).collect(),
            pointed: pointed.into_iter().map(|number| (number.e164, number)).collect(),
            applications: BTreeMap::new(),
            changed_applications,
        })
    }

    /// Lists one page of the carrier's numbers; which is next.
    pub(super) async fn list_page(
        &mut self,
        api: &Api,
        page: Option<&str>,
    ) -> Result<Option<String>, Problem> {
        let listed = api.dispatch.list_numbers(&self.account, page).await;
        let listed = listed.map_err(|(why, said)| Refusal::CarrierRefused(why, said))?;
        self.held.extend(listed.numbers.into_iter().map(|held| (held.number, held)));
        Ok(listed.next)
    }

    /// Lists them all.
    pub(super) async fn list_all(&mut self, api: &Api) -> Result<(), Problem> {
        let mut page = None;
        for _ in 0..PAGES_MAX {
            page = self.list_page(api, page.as_deref()).await?;
            if page.is_none() {
                return Ok(());
            }
        }
        let said = "its list of numbers does not end".to_owned();
        Err(Refusal::CarrierRefused(DialFailure::Refused, said).into())
    }

    /// Reads the applications that answer what has been listed and may be seen, and our own.
    pub(super) async fn read_answering_applications(&mut self, api: &Api) -> Result<(), Problem> {
        let answering = self.visible().filter_map(|held| match &held.answerer {
            Answerer::Application { id, .. } => Some(id.clone()),
            Answerer::Nobody | Answerer::Url(_) | Answerer::Trunk { .. } | Answerer::Unknown => {
                None
            }
        });
        let ids: BTreeSet<String> = answering.collect();
        self.read_applications(api, ids).await
    }

    /// Reads applications that have not been read.
    pub(super) async fn read_applications(
        &mut self,
        api: &Api,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<(), Problem> {
        for id in ids {
            if !self.applications.contains_key(&id) {
                let read = api.dispatch.read_application(&self.account, &id).await;
                let read = read.map_err(|(why, said)| Refusal::CarrierRefused(why, said))?;
                self.applications.insert(id, read);
            }
        }
        Ok(())
    }

    /// Whether who asks may be told of the number: what else is at a shared account is others'.
    pub(super) fn may_see(&self, number: E164) -> bool {
        let owner = self.here.get(&number).map(|record| record.tenant);
        self.tenant.is_none() || owner == self.tenant || {
            owner.is_none() && self.account.tenant == self.tenant
        }
    }

    /// What has been listed and may be seen.
    pub(super) fn visible(&self) -> impl Iterator<Item = &HeldNumber> {
        self.held.values().filter(|held| self.may_see(held.number))
    }

    /// Whose a number is, or is to be.
    pub(super) fn owner(&self, number: E164) -> Option<TenantId> {
        let owner = self.here.get(&number).map(|record| record.tenant);
        owner.or(self.account.tenant)
    }

    /// The application that numbers are put to, at carriers that put them to one.
    pub(super) fn own_application(&self) -> Option<&HeldApplication> {
        self.applications.get(&self.account.application_id)?.as_ref()
    }

    /// Who is asked about a number's calls, whoever says so.
    pub(super) fn asked<'s>(&'s self, held: &'s HeldNumber) -> Option<&'s AskedUrl> {
        match &held.answerer {
            Answerer::Url(asked) => Some(asked),
            Answerer::Application { id, .. } => self.applications.get(id)?.as_ref()?.asked.as_ref(),
            Answerer::Nobody | Answerer::Trunk { .. } | Answerer::Unknown => None,
        }
    }

    /// Whether a URL that a carrier asks is ours, whatever the carrier takes behind it.
    pub(super) fn is_ours(&self, asked: &AskedUrl) -> bool {
        asked.url.split('#').next() == Some(self.voice_url.as_str())
    }

    /// Whether a number's calls come here.
    pub(super) fn comes_here(&self, held: &HeldNumber) -> bool {
        self.asked(held).is_some_and(|asked| self.is_ours(asked))
    }
}

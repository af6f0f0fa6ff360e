//! Refuses, at a write's end, what a carrier cannot do: a target of an agent that answers or shows
//! a number there, a number's passthrough, a tenant's last resort and block target.
//!
//! Only what the write itself brings about is refused; what stood before may stay. Agents behind
//! `agent:` targets are not followed: their callers are passed on to the next target.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tx, WriteError};
use crate::domain::{
    AccountId, AgentId, CarrierId, FieldError, NumberRecord, Refusal, Target, Tenant, TenantId,
};

/// Whether a carrier can do what a target asks. The store knows no carrier: whoever opens it does.
pub type Can = fn(CarrierId, &Target) -> bool;

/// Reasons that one refusal gives; who sees so many needs no more.
const REASONS_MAX: usize = 16;

impl Tx<'_> {
    /// Refuses what cannot be done. What is mirrored is not ours to refuse.
    pub(super) fn refuse_impossible(&self) -> Result<(), WriteError> {
        let Some(can) = self.settings().can.filter(|_| !self.is_mirroring) else { return Ok(()) };
        let (carriers, targets) = (BTreeMap::new(), BTreeMap::new());
        let mut look = Look { tx: self, can, carriers, targets, wrong: BTreeSet::new() };
        for (&id, before) in &self.before.numbers {
            if let Some(after) = self.any_number(id)? {
                look.at_number(before.as_ref(), &after)?;
            }
        }
        for (&id, before) in &self.before.tenants {
            look.at_tenant(id, before.as_ref())?;
        }
        if look.wrong.is_empty() {
            return Ok(());
        }
        let told = look.wrong.into_iter().take(REASONS_MAX);
        let told = told.map(|(field, message)| FieldError { field, message });
        Err(Refusal::Invalid(told.collect()).into())
    }
}

/// A look at what a write leaves.
struct Look<'t, 'c> {
    tx: &'t Tx<'c>,
    can: Can,
    carriers: BTreeMap<AccountId, Option<CarrierId>>,
    targets: BTreeMap<AgentId, Vec<Target>>,
    /// By field.
    wrong: BTreeSet<(String, String)>,
}

impl Look<'_, '_> {
    fn at_number(
        &mut self,
        before: Option<&NumberRecord>,
        after: &NumberRecord,
    ) -> Result<(), WriteError> {
        let Some(carrier) = self.carrier(after.account)? else { return Ok(()) };
        // How it was, if it was at this carrier already.
        let was_at = self.carrier(before.and_then(|before| before.account))?;
        let before = before.filter(|_| was_at == Some(carrier));
        let where_it_is = format!("{} is", after.e164);
        if before.is_none_or(|before| before.passthrough != after.passthrough)
            && let Some(target) = &after.passthrough
        {
            self.check("passthrough".to_owned(), target, &where_it_is, carrier);
        }
        for agent in after.bindings.iter().map(|binding| binding.agent) {
            let was_bound = before.is_some_and(|b| b.bindings.iter().any(|b| b.agent == agent));
            let touched = self.tx.before.agents.get(&agent);
            if was_bound && touched.is_none() {
                continue;
            }
            let had = touched.and_then(Option::as_ref).filter(|_| was_bound);
            let had = had.map_or(&[][..], |had| &had.agent.targets);
            for (place, target) in self.targets(agent)?.iter().enumerate() {
                if !had.contains(target) {
                    self.check(format!("targets.{place}"), target, &where_it_is, carrier);
                }
            }
        }
        Ok(())
    }

    fn at_tenant(&mut self, id: TenantId, before: Option<&Tenant>) -> Result<(), WriteError> {
        let Some(after) = self.tx.tenant(id)? else { return Ok(()) };
        let after = after.tenant.settings;
        let before = before.map(|before| &before.settings);
        let had = [
            before.map(|before| &before.last_resort),
            before.and_then(|before| before.block_target.as_ref()),
        ];
        let has = [
            ("last_resort", Some(&after.last_resort)),
            ("block_target", after.block_target.as_ref()),
        ];
        for ((field, target), had) in has.into_iter().zip(had) {
            let Some(target) = target.filter(|_| had != target) else { continue };
            for carrier in self.tx.carriers_of(id)? {
                self.check(field.to_owned(), target, "Numbers are", carrier);
            }
        }
        Ok(())
    }

    fn check(&mut self, field: String, target: &Target, what: &str, carrier: CarrierId) {
        if !(self.can)(carrier, target) {
            let kind = target.kind();
            let message = format!("{what} at {carrier}, which cannot do {kind} targets.");
            self.wrong.insert((field, message));
        }
    }

    fn carrier(&mut self, account: Option<AccountId>) -> Result<Option<CarrierId>, WriteError> {
        let Some(account) = account else { return Ok(None) };
        if let Some(known) = self.carriers.get(&account) {
            return Ok(*known);
        }
        let carrier = self.tx.account(account)?.map(|account| account.carrier);
        self.carriers.insert(account, carrier);
        Ok(carrier)
    }

    fn targets(&mut self, agent: AgentId) -> Result<Vec<Target>, WriteError> {
        if let Some(known) = self.targets.get(&agent) {
            return Ok(known.clone());
        }
        let found = self.tx.any_agent(agent)?;
        let targets = found.map(|found| found.agent.targets).unwrap_or_default();
        self.targets.insert(agent, targets.clone());
        Ok(targets)
    }
}

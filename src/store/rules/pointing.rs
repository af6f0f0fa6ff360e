//! Numbers that are pointed here at their carrier. What was there is written down before the
//! carrier is told, so that it can be put back whatever happens in between.

use super::{Tx, WriteError};
use crate::{
    domain::{AccountId, E164, PointedApplication, PointedNumber, Refusal, TenantId},
    store::NewNumber,
};

impl Tx<'_> {
    /// Makes numbers ours that are about to be pointed here, gives those their passthrough that
    /// have none, and writes down what was at the carrier. What is known of a number from before
    /// stays what is put back: the caller has looked at [`Rows::pointed_numbers`].
    ///
    /// [`Rows::pointed_numbers`]: crate::store::Rows::pointed_numbers
    ///
    /// # Errors
    /// Unknown account or tenant; somebody else has a number there; a target that cannot be.
    pub fn begin_pointing(
        &mut self,
        account: AccountId,
        numbers: Vec<(TenantId, PointedNumber)>,
        application: Option<PointedApplication>,
    ) -> Result<(), WriteError> {
        let known = self.account(account)?.ok_or(Refusal::AccountNotFound)?;
        for (tenant, mut row) in numbers {
            let new = NewNumber {
                e164: row.e164,
                account: Some(known.name.clone()),
                friendly_name: None,
                passthrough: None,
            };
            let (number, _) = self.add_number(tenant, new)?;
            let given = self.pointed_number(account, row.e164)?.and_then(|row| row.passthrough);
            match (&number.passthrough, &row.passthrough) {
                (None, Some(target)) => {
                    self.check_target(tenant, "passthrough", target)?;
                    let name = number.friendly_name.as_deref();
                    self.put_number(number.id, number.account, name, Some(target))?;
                }
                (Some(_), _) => row.passthrough = given,
                (None, None) => {}
            }
            self.put_pointed_number(&row)?;
            self.insert_audit(Some(tenant), "number.point", Some(number.id.0))?;
        }
        if let Some(row) = application {
            self.put_pointed_application(&row)?;
            self.insert_audit(known.tenant, "application.point", Some(account.0))?;
        }
        Ok(())
    }

    /// Notes that the carrier has confirmed that numbers are pointed here.
    ///
    /// # Errors
    /// The store's.
    pub fn confirm_pointing(
        &mut self,
        account: AccountId,
        numbers: &[E164],
    ) -> Result<(), WriteError> {
        for &e164 in numbers {
            if let Some(row) = self.pointed_number(account, e164)? {
                self.put_pointed_number(&PointedNumber { is_confirmed: true, ..row })?;
            }
        }
        Ok(())
    }

    /// Forgets numbers, and an application, that the carrier has as they were before. The
    /// passthrough that they were given with that goes as well; they stay ours.
    ///
    /// # Errors
    /// The store's.
    pub fn end_pointing(
        &mut self,
        account: AccountId,
        numbers: &[E164],
        application: Option<&str>,
    ) -> Result<(), WriteError> {
        for &e164 in numbers {
            let Some(row) = self.pointed_number(account, e164)? else { continue };
            self.delete_pointed_number(account, e164)?;
            let Some(number) = self.number_at(Some(account), e164)? else { continue };
            if row.passthrough.is_some() && number.passthrough == row.passthrough {
                let name = number.friendly_name.as_deref();
                self.put_number(number.id, number.account, name, None)?;
            }
            self.insert_audit(Some(number.tenant), "number.unpoint", Some(number.id.0))?;
        }
        if let Some(application) = application {
            self.delete_pointed_application(account, application)?;
            self.insert_audit(None, "application.unpoint", Some(account.0))?;
        }
        Ok(())
    }
}

//! Numbers and applications that were pointed here at their carrier.

use rusqlite::{Row, params};

use super::{Rows, codec::Json};
use crate::{
    domain::{AccountId, CarrierFields, E164, NumberRecord, PointedApplication, PointedNumber},
    store::{Tx, WriteError},
};

const NUMBER: &str = "account, e164, carrier_number_id, previous, pointed, asked_before,
    application, passthrough, is_confirmed, at";

const APPLICATION: &str = "account, application, previous, pointed, at";

fn number(row: &Row<'_>) -> rusqlite::Result<PointedNumber> {
    Ok(PointedNumber {
        account: row.get(0)?,
        e164: row.get(1)?,
        carrier_number_id: row.get(2)?,
        previous: row.get::<_, Json<CarrierFields>>(3)?.0,
        pointed: row.get::<_, Json<CarrierFields>>(4)?.0,
        asked_before: row.get(5)?,
        application: row.get(6)?,
        passthrough: row.get(7)?,
        is_confirmed: row.get(8)?,
        at: row.get(9)?,
    })
}

fn application(row: &Row<'_>) -> rusqlite::Result<PointedApplication> {
    Ok(PointedApplication {
        account: row.get(0)?,
        application: row.get(1)?,
        previous: row.get::<_, Json<CarrierFields>>(2)?.0,
        pointed: row.get::<_, Json<CarrierFields>>(3)?.0,
        at: row.get(4)?,
    })
}

impl Rows<'_> {
    /// The numbers of an account that were pointed here, in order.
    ///
    /// # Errors
    /// The store's.
    pub fn pointed_numbers(&self, account: AccountId) -> Result<Vec<PointedNumber>, WriteError> {
        let sql = format!("SELECT {NUMBER} FROM pointed_numbers WHERE account = ?1 ORDER BY e164");
        self.all(&sql, [account], number)
    }

    pub(in crate::store) fn pointed_number(
        &self,
        account: AccountId,
        e164: E164,
    ) -> Result<Option<PointedNumber>, WriteError> {
        let sql = format!("SELECT {NUMBER} FROM pointed_numbers WHERE account = ?1 AND e164 = ?2");
        self.one(&sql, params![account, e164], number)
    }

    /// The applications of an account that were pointed here.
    ///
    /// # Errors
    /// The store's.
    pub fn pointed_applications(
        &self,
        account: AccountId,
    ) -> Result<Vec<PointedApplication>, WriteError> {
        let sql = format!("SELECT {APPLICATION} FROM pointed_applications WHERE account = ?1");
        self.all(&sql, [account], application)
    }

    /// Every tenant's numbers at an account.
    ///
    /// # Errors
    /// The store's.
    pub fn numbers_at(&self, account: AccountId) -> Result<Vec<NumberRecord>, WriteError> {
        let sql = "SELECT id FROM numbers WHERE account = ?1 ORDER BY e164";
        let ids = self.all(sql, [account], |row| row.get(0))?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.any_number(id)?);
        }
        Ok(found)
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_pointed_number(
        &mut self,
        row: &PointedNumber,
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT OR REPLACE INTO pointed_numbers ({NUMBER})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            ),
            params![
                row.account,
                row.e164,
                row.carrier_number_id,
                Json(&row.previous),
                Json(&row.pointed),
                row.asked_before,
                row.application,
                row.passthrough,
                row.is_confirmed,
                row.at,
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_pointed_number(
        &mut self,
        account: AccountId,
        e164: E164,
    ) -> Result<(), WriteError> {
        let sql = "DELETE FROM pointed_numbers WHERE account = ?1 AND e164 = ?2";
        self.run(sql, params![account, e164])?;
        Ok(())
    }

    pub(in crate::store) fn put_pointed_application(
        &mut self,
        row: &PointedApplication,
    ) -> Result<(), WriteError> {
        self.run(
            &format!(
                "INSERT OR REPLACE INTO pointed_applications ({APPLICATION})
                 VALUES (?1, ?2, ?3, ?4, ?5)"
            ),
            params![row.account, row.application, Json(&row.previous), Json(&row.pointed), row.at],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_pointed_application(
        &mut self,
        account: AccountId,
        application: &str,
    ) -> Result<(), WriteError> {
        let sql = "DELETE FROM pointed_applications WHERE account = ?1 AND application = ?2";
        self.run(sql, params![account, application])?;
        Ok(())
    }
}

//! Carrier accounts and the keys media tokens are signed with.
//!
//! Secrets lie here in the clear, in a file of mode 0600: edges need them to verify and to sign.

use std::num::NonZeroU32;

use rusqlite::{Row, params};

use super::{Rows, codec::Json};
use crate::{
    domain::{
        Account, AccountApi, AccountId, AccountOrigin, ApiKey, CarrierId, MediaKey, Secret,
        SharedKey, TenantId,
    },
    store::{Tx, WriteError},
};

const COLUMNS: &str = "id, name, carrier, tenant, account_id, secrets, shared_keys, origin,
    api_url, api_key, calls_per_second, application_id, private_key, byte_order, api_client";

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    let secrets: Json<Vec<String>> = row.get(5)?;
    let shared_keys: Json<Vec<(String, String)>> = row.get(6)?;
    let api_key: Option<Json<(String, String)>> = row.get(9)?;
    let client: Option<Json<(String, String)>> = row.get(14)?;
    let key = |Json((id, secret))| ApiKey { id, secret: Secret::new(secret) };
    let calls_per_second = NonZeroU32::new(row.get(10)?).unwrap_or(AccountApi::CALLS_PER_SECOND);
    let shared = |(id, secret)| SharedKey { id, secret: Secret::new(secret) };
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        carrier: row.get(2)?,
        tenant: row.get(3)?,
        account_id: row.get(4)?,
        application_id: row.get(11)?,
        secrets: secrets.0.into_iter().map(Secret::new).collect(),
        shared_keys: shared_keys.0.into_iter().map(shared).collect(),
        api: AccountApi {
            url: row.get(8)?,
            key: api_key.map(key),
            client: client.map(key),
            private_key: row.get::<_, Option<String>>(12)?.map(Secret::new),
            byte_order: row.get(13)?,
            calls_per_second,
        },
        origin: row.get(7)?,
    })
}

impl Rows<'_> {
    /// All carrier accounts, by name. Their secrets are for who verifies and signs only.
    ///
    /// # Errors
    /// The store's.
    pub fn accounts(&self) -> Result<Vec<Account>, WriteError> {
        self.all(&format!("SELECT {COLUMNS} FROM accounts ORDER BY name"), [], read)
    }

    /// The accounts that somebody may change and look at, by name: a tenant its own, an operator
    /// (`None`) all of them.
    ///
    /// # Errors
    /// The store's.
    pub fn accounts_of(&self, tenant: Option<TenantId>) -> Result<Vec<Account>, WriteError> {
        let Some(tenant) = tenant else { return self.accounts() };
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE tenant = ?1 ORDER BY name");
        self.all(&sql, [tenant], read)
    }

    /// One of [`Rows::accounts_of`].
    ///
    /// # Errors
    /// The store's.
    pub fn account_of(
        &self,
        tenant: Option<TenantId>,
        id: AccountId,
    ) -> Result<Option<Account>, WriteError> {
        Ok(self.account(id)?.filter(|found| tenant.is_none() || found.tenant == tenant))
    }

    /// Whether numbers of others than this tenant answer, or wait for, an account of this id.
    pub(in crate::store) fn is_awaited_by_others(
        &self,
        id: AccountId,
        tenant: TenantId,
    ) -> Result<bool, WriteError> {
        let sql = "SELECT 1 FROM numbers WHERE account = ?1 AND tenant <> ?2 LIMIT 1";
        Ok(self.one(sql, params![id, tenant], |_| Ok(()))?.is_some())
    }

    /// The accounts a tenant may use: its own and the shared ones, by name.
    ///
    /// # Errors
    /// The store's.
    pub fn usable_accounts(&self, tenant: TenantId) -> Result<Vec<Account>, WriteError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM accounts WHERE tenant IS NULL OR tenant = ?1 ORDER BY name"
        );
        self.all(&sql, [tenant], read)
    }

    pub(in crate::store) fn account(&self, id: AccountId) -> Result<Option<Account>, WriteError> {
        self.one(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1"), [id], read)
    }

    /// The carriers that a tenant's numbers are at.
    pub(in crate::store) fn carriers_of(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<CarrierId>, WriteError> {
        self.all(
            "SELECT DISTINCT carrier FROM numbers JOIN accounts ON accounts.id = numbers.account
             WHERE numbers.tenant = ?1 ORDER BY carrier",
            [tenant],
            |row| row.get(0),
        )
    }

    /// The keys media tokens are signed with; the newest signs, all verify.
    ///
    /// # Errors
    /// The store's.
    pub fn media_keys(&self) -> Result<Vec<MediaKey>, WriteError> {
        self.all("SELECT id, secret FROM media_keys ORDER BY created_at DESC, id DESC", [], |row| {
            Ok(MediaKey { id: row.get(0)?, secret: row.get(1)? })
        })
    }
}

impl Tx<'_> {
    pub(in crate::store) fn put_account(&mut self, account: &Account) -> Result<(), WriteError> {
        self.touch_account(account.id)?;
        let secrets: Vec<_> = account.secrets.iter().map(Secret::reveal).collect();
        let shared: Vec<_> =
            account.shared_keys.iter().map(|key| (&key.id, key.secret.reveal())).collect();
        let parts = |key: &'_ ApiKey| Json((key.id.clone(), key.secret.reveal().to_owned()));
        self.run(
            &format!(
                "INSERT INTO accounts ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                    ?11, ?12, ?13, ?14, ?15)
                 ON CONFLICT (id) DO UPDATE SET name = ?2, carrier = ?3, tenant = ?4,
                    account_id = ?5, secrets = ?6, shared_keys = ?7, origin = ?8,
                    api_url = ?9, api_key = ?10, calls_per_second = ?11, application_id = ?12,
                    private_key = ?13, byte_order = ?14, api_client = ?15"
            ),
            params![
                account.id,
                account.name,
                account.carrier,
                account.tenant,
                account.account_id,
                Json(secrets),
                Json(shared),
                account.origin,
                account.api.url,
                account.api.key.as_ref().map(parts),
                account.api.calls_per_second.get(),
                account.application_id,
                account.api.private_key.as_ref().map(Secret::reveal),
                account.api.byte_order,
                account.api.client.as_ref().map(parts),
            ],
        )?;
        Ok(())
    }

    pub(in crate::store) fn delete_account(
        &mut self,
        id: AccountId,
        origin: AccountOrigin,
    ) -> Result<(), WriteError> {
        self.touch_account(id)?;
        self.run("DELETE FROM accounts WHERE id = ?1 AND origin = ?2", params![id, origin])?;
        Ok(())
    }

    pub(in crate::store) fn insert_media_key(&mut self, key: &MediaKey) -> Result<(), WriteError> {
        self.touch_media_keys()?;
        let created_at = self.now();
        self.run(
            "INSERT INTO media_keys (id, secret, created_at) VALUES (?1, ?2, ?3)",
            params![key.id, key.secret, created_at],
        )?;
        Ok(())
    }
}

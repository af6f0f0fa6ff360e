//! Tokens for the APIs of carriers that want one fetched first (RFC 6749 §4.4).
//!
//! Each account has one at a time, fetched by whoever needs it first while the others wait, and
//! kept until shortly before it ends or the API takes it no more. It is never written down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use http::header;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::{Sent, lost, read};
use crate::{
    carriers::{ApiError, CommandOutcome, shared::credentials},
    domain::{Account, AccountId, DialFailure, Secret},
    telemetry::clock,
};

/// A token is fetched anew this long before it ends.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// The longest that a token is kept, whatever its carrier says: a day.
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Whose token is wanted, and where it is given.
pub(super) struct Grant<'a> {
    /// The whole URL.
    pub(super) url: String,
    pub(super) client_id: &'a str,
    pub(super) client_secret: &'a Secret,
}

/// The tokens in use: as many as accounts.
#[derive(Default)]
pub(super) struct Tokens(DashMap<AccountId, Arc<Mutex<Option<Held>>>>);

struct Held {
    /// What it was given for: an account whose credentials have changed needs another.
    url: String,
    client_id: String,
    client_secret: Secret,
    header: Secret,
    until: Instant,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    /// Seconds.
    #[serde(default)]
    expires_in: u64,
}

impl Tokens {
    /// The `Authorization` to send, fetched where none is held. One that the API refused a moment
    /// ago is held no longer.
    ///
    /// # Errors
    /// What came of the request that this was for, since it was not sent.
    pub(super) async fn of(
        &self,
        http: &reqwest::Client,
        account: &Account,
        grant: &Grant<'_>,
        refused: Option<&Secret>,
    ) -> Result<Secret, Sent> {
        let slot = Arc::clone(&self.0.entry(account.id).or_default());
        let mut slot = slot.lock().await;
        if let Some(held) = slot.as_ref()
            && held.is_for(grant)
            && clock::instant() < held.until
            && refused != Some(&held.header)
        {
            return Ok(held.header.clone());
        }
        *slot = None;
        let held = fetch(http, account, grant).await?;
        Ok(slot.insert(held).header.clone())
    }
}

impl Held {
    fn is_for(&self, grant: &Grant<'_>) -> bool {
        self.url == grant.url
            && self.client_id == grant.client_id
            && self.client_secret == *grant.client_secret
    }
}

async fn fetch(http: &reqwest::Client, account: &Account, grant: &Grant<'_>) -> Result<Held, Sent> {
    let Grant { url, client_id, client_secret } = grant;
    let basic = credentials::basic(client_id, client_secret.reveal());
    let asked = http
        .post(url)
        .header(header::AUTHORIZATION, basic.reveal())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    let asked_at = clock::instant();
    let response = match asked.send().await {
        Ok(response) => response,
        Err(error) => {
            // Nothing of what the token is for has left.
            let _logged = lost(account, error);
            return Err(Sent::Unreachable);
        }
    };
    let status = response.status().as_u16();
    let body = read(response).await;
    let token = serde_json::from_slice::<TokenBody>(&body).ok().filter(|_| status == 200);
    match (token, status) {
        (Some(token), _) => {
            let life = Duration::from_secs(token.expires_in).min(LIFE_MAX);
            Ok(Held {
                url: url.clone(),
                client_id: (*client_id).to_owned(),
                client_secret: (*client_secret).clone(),
                header: Secret::new(format!("Bearer {}", token.access_token)),
                until: asked_at + life.saturating_sub(RENEW_BEFORE),
            })
        }
        (None, 200 | 408 | 429 | 500..) => Err(Sent::Later(None)),
        (None, _) => {
            tracing::error!(account = account.name, status, "a carrier gives no token");
            Err(Sent::Outcome(CommandOutcome::Refused(ApiError {
                cause: DialFailure::Credentials,
                status,
                code: None,
                message: "no token is given for this client_id and client_secret".to_owned(),
            })))
        }
    }
}

//! Tokens for the APIs of carriers that want one fetched first (RFC 6749 §4.4).

use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use dashmap::DashMap;
use http::header;
use serde::Deserialize;

use super::client::{Sent, lost, read};
use crate::{
    carriers::{ApiError, Authorization, CommandOutcome},
    domain::{Account, AccountId, DialFailure, Secret},
    telemetry::clock,
};

/// A token is fetched anew this long before it ends.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// The tokens in use: one for each account and set of credentials.
#[derive(Default)]
pub(super) struct Tokens(DashMap<AccountId, Held>);

struct Held {
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
    /// The `Authorization` to send, fetched where none is held.
    ///
    /// # Errors
    /// What came of the request that this was for, since it was not sent.
    pub(super) async fn of(
        &self,
        http: &reqwest::Client,
        account: &Account,
        authorization: &Authorization,
    ) -> Result<Secret, Sent> {
        let Authorization::ClientCredentials { token_host, token_path, client_id, client_secret } =
            authorization
        else {
            return Err(Sent::Unreachable);
        };
        if let Some(held) = self.0.get(&account.id)
            && held.client_id == *client_id
            && held.client_secret == *client_secret
            && clock::instant() < held.until
        {
            return Ok(held.header.clone());
        }
        let base = account.api.url.as_deref().unwrap_or(token_host);
        let basic = format!("{client_id}:{}", client_secret.reveal());
        let asked = http
            .post(format!("{base}{token_path}"))
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode_to_string(basic)))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let response = match asked.send().await {
            Ok(response) => response,
            // Nothing of what it was for has left.
            Err(error) => {
                let _logged = lost(account, error);
                return Err(Sent::Unreachable);
            }
        };
        let status = response.status().as_u16();
        let body = read(response).await;
        let token = serde_json::from_slice::<TokenBody>(&body).ok().filter(|_| status == 200);
        let Some(token) = token else {
            return Err(match status {
                429 | 500.. => Sent::Later(None),
                _ => Sent::Outcome(CommandOutcome::Refused(ApiError {
                    cause: DialFailure::Credentials,
                    status,
                    code: None,
                    message: "no token was given for these credentials".to_owned(),
                })),
            });
        };
        let header = Secret::new(format!("Bearer {}", token.access_token));
        let life = Duration::from_secs(token.expires_in).saturating_sub(RENEW_BEFORE);
        let held = Held {
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            header: header.clone(),
            until: clock::instant() + life,
        };
        self.0.insert(account.id, held);
        Ok(header)
    }
}

//! Sends one request to a carrier's API and says whether it can have arrived.

use std::{borrow::Cow, time::Duration};

use http::header;
use reqwest::redirect::Policy;
use uuid::Uuid;

use crate::{
    carriers::{self, ApiError, ApiRequest, Command, CommandOutcome},
    domain::Account,
    telemetry::clock,
};

/// How long a connection may take: the carrier is a few round trips away, or not there.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// The longest reply that is read: a thousand listed calls are about 3 MiB.
const REPLY_LEN_MAX: usize = 8 * 1024 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
}

/// What came of sending a command.
pub(super) enum Sent {
    /// The carrier answered, or may have acted.
    Outcome(CommandOutcome),
    /// The carrier did not process it; it says when to come again, if it says so.
    Later(Option<Duration>),
    /// No connection: nothing was sent.
    Unreachable,
}

impl Client {
    pub(super) fn new(answer_wait: Duration) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .timeout(answer_wait)
            .connect_timeout(CONNECT_WAIT)
            // A redirect would carry the credentials to somebody else, or a call out twice.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http })
    }

    pub(super) async fn send(&self, account: &Account, command: &Command<'_>) -> Sent {
        let room = carriers::room(account.carrier);
        let request = room.request(command, account, clock::now(), Uuid::now_v7());
        let Some(request) = request else {
            return Sent::Outcome(CommandOutcome::Refused(ApiError::unknown_there()));
        };
        match self.exchange(account, request).await {
            Ok(reply) => {
                let outcome = room.outcome(command, reply.status, &reply.body);
                sent(outcome, reply.after)
            }
            Err(sent) => sent,
        }
    }

    /// Sends an answer that is a request.
    pub(super) async fn answer(&self, account: &Account, request: ApiRequest) -> Sent {
        match self.exchange(account, request).await {
            Ok(reply) => {
                let room = carriers::room(account.carrier);
                sent(room.reply_outcome(reply.status, &reply.body), reply.after)
            }
            Err(sent) => sent,
        }
    }

    /// Sends a request, and reads the reply; or what is known without one.
    async fn exchange(&self, account: &Account, request: ApiRequest) -> Result<Reply, Sent> {
        let base = match account.api.url.as_deref() {
            Some(configured) => Cow::Borrowed(configured),
            None => carriers::room(account.carrier).api_url(account),
        };
        let request = self
            .http
            .request(request.method, format!("{base}{}", request.path))
            .header(header::AUTHORIZATION, request.authorization.reveal())
            .header(header::CONTENT_TYPE, request.content_type)
            .body(request.body);
        let response = request.send().await.map_err(|error| lost(account, error))?;
        let status = response.status().as_u16();
        let after = retry_after(&response);
        Ok(Reply { status, after, body: read(response).await })
    }
}

/// What came back.
struct Reply {
    status: u16,
    after: Option<Duration>,
    body: Vec<u8>,
}

fn sent(outcome: CommandOutcome, after: Option<Duration>) -> Sent {
    if outcome == CommandOutcome::Busy { Sent::Later(after) } else { Sent::Outcome(outcome) }
}

/// What is known of a request without a reply.
fn lost(account: &Account, error: reqwest::Error) -> Sent {
    let is_unsent = error.is_connect() || error.is_builder();
    // Without its URL: that holds the account.
    let error = error.without_url();
    if is_unsent {
        tracing::warn!(account = account.name, %error, "a carrier's API is not reached");
        return Sent::Unreachable;
    }
    tracing::warn!(account = account.name, %error, "a carrier's API did not answer");
    Sent::Outcome(CommandOutcome::Unclear)
}

/// A reply that breaks off is one that cannot be read.
async fn read(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        if body.len() + part.len() > REPLY_LEN_MAX {
            return Vec::new();
        }
        body.extend_from_slice(&part);
    }
    body
}

/// In seconds (RFC 9110 §10.2.3); the date form is not used by carriers.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// The public authorities' certificates: a fresh machine may have none of its own.
fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

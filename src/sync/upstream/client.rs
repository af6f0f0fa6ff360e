//! Asks a hosted API, within its limits: a request at a time, none repeated that can have changed
//! something, since it only ever reads.

use std::time::Duration;

use http::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    Trouble, UpstreamSettings,
    pace::{Limits, PAUSE_MAX},
};
use crate::{domain::HostedKind, telemetry::clock};

/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// How long an answer may take: a page of a hundred agents with long personas.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// The longest answer that is read: a hundred profiles of the largest size that is kept.
const ANSWER_LEN_MAX: usize = 32 * 1024 * 1024;

/// How often one request is tried before the pull is given up.
const TRIES_MAX: u32 = 3;

/// The first wait after an answer that says nothing of waiting; each further one is four times as
/// long.
const RETRY_WAIT: Duration = Duration::from_millis(250);

pub(super) struct Client {
    http: reqwest::Client,
    kind: HostedKind,
    base_url: String,
    key: crate::domain::Secret,
    /// How long to wait before the next request.
    pause: Duration,
}

impl Client {
    pub(super) fn new(settings: &UpstreamSettings) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_WAIT)
            .connect_timeout(CONNECT_WAIT)
            // A redirect would carry the key to somebody else.
            .redirect(Policy::none())
            .tls_backend_preconfigured(tls())
            .build()
            .map_err(|error| error.to_string())?;
        let (kind, base_url) = (settings.kind, settings.base_url.clone());
        Ok(Self { http, kind, base_url, key: settings.key.clone(), pause: Duration::ZERO })
    }

    pub(super) const fn kind(&self) -> HostedKind {
        self.kind
    }

    /// Reads one page. What the API is too busy for is asked for again, a few times.
    pub(super) async fn get(&mut self, path: &str) -> Result<Value, Trouble> {
        let mut wait = RETRY_WAIT;
        let mut tries = 0;
        loop {
            sleep(std::mem::take(&mut self.pause)).await;
            let error = match self.try_get(path).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            tries += 1;
            let pause = match error {
                Trouble::Limited(after) if after <= PAUSE_MAX => after,
                Trouble::Away(_) | Trouble::Failing(..) => wait,
                Trouble::Limited(_)
                | Trouble::Refused(..)
                | Trouble::Key(_)
                | Trouble::TooLong
                | Trouble::Unreadable(_)
                | Trouble::List(..)
                | Trouble::Row(_)
                | Trouble::Doubtful(_)
                | Trouble::Store(_) => return Err(error),
            };
            if tries >= TRIES_MAX {
                return Err(error);
            }
            sleep(pause).await;
            wait *= 4;
        }
    }

    async fn try_get(&mut self, path: &str) -> Result<Value, Trouble> {
        let request = self.http.get(format!("{}{path}", self.base_url));
        let request = request.bearer_auth(self.key.reveal());
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let limits = Limits::read(response.headers(), clock::now());
        self.pause = limits.before_next();
        let place = || path.split('?').next().unwrap_or_default().to_owned();
        match status {
            StatusCode::OK => {
                let body = read(response).await?;
                serde_json::from_slice(&body).map_err(|_| Trouble::Unreadable(place()))
            }
            StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Limited(limits.after_refusal())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::Key(status.as_u16())),
            _ if status.is_server_error() => Err(Trouble::Failing(status.as_u16(), place())),
            _ => Err(Trouble::Refused(status.as_u16(), place())),
        }
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(away)? {
        if body.len() + part.len() > ANSWER_LEN_MAX {
            return Err(Trouble::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// The innermost cause: those around it say no more than that a request failed.
fn away(error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Trouble::Away(cause.to_string())
}

/// The public authorities' certificates: a fresh machine may have none of its own.
fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

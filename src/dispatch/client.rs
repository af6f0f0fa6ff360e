//! Sends one request to a carrier's API and says whether it can have arrived.

use std::{borrow::Cow, time::Duration};

use http::{StatusCode, header};
use reqwest::redirect::Policy;
use uuid::Uuid;

use super::tokens::{Grant, Tokens};
use crate::{
    carriers::{self, ApiError, ApiRequest, Authorization, Command, CommandOutcome},
    domain::{Account, CallStatus, Secret},
    telemetry::clock,
};

/// How long a connection may take: the carrier is a few round trips away, or not there.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// The longest reply that is read: a thousand listed calls are about 3 MiB.
const REPLY_LEN_MAX: usize = 8 * 1024 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    tokens: Tokens,
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
        Ok(Self { http, tokens: Tokens::default() })
    }

    /// Sends a command; `nonce` is the same however often it is sent.
    pub(super) async fn send(&self, account: &Account, command: &Command<'_>, nonce: Uuid) -> Sent {
        let room = carriers::room(account.carrier);
        let request = room.request(command, account, clock::now(), nonce);
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

    /// Asks where a call stands; none where that is not clear.
    pub(super) async fn look(
        &self,
        account: &Account,
        carrier_call_id: &str,
    ) -> Option<CallStatus> {
        let room = carriers::room(account.carrier);
        let request = room.look(carrier_call_id, account)?;
        let reply = self.exchange(account, request).await.ok()?;
        room.looked(reply.status, &reply.body)
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
        let (grant, token) = match &request.authorization {
            Authorization::Header(header) => {
                return self.exchange_as(header, account, &request).await;
            }
            Authorization::ClientCredentials {
                token_host,
                token_path,
                client_id,
                client_secret,
            } => {
                let host = account.api.url.as_deref().unwrap_or(token_host);
                let grant = Grant { url: format!("{host}{token_path}"), client_id, client_secret };
                let token = self.tokens.of(&self.http, account, &grant, None).await?;
                (grant, token)
            }
        };
        let reply = self.exchange_as(&token, account, &request).await?;
        if reply.status != StatusCode::UNAUTHORIZED.as_u16() {
            return Ok(reply);
        }
        // Taken back before its time: once more with a new one, since nothing was done.
        let token = self.tokens.of(&self.http, account, &grant, Some(&token)).await?;
        self.exchange_as(&token, account, &request).await
    }

    async fn exchange_as(
        &self,
        authorization: &Secret,
        account: &Account,
        request: &ApiRequest,
    ) -> Result<Reply, Sent> {
        let base = match (account.api.url.as_deref(), request.host) {
            (Some(configured), _) => Cow::Borrowed(configured),
            (None, Some(host)) => Cow::Borrowed(host),
            (None, None) => carriers::room(account.carrier).api_url(account),
        };
        let request = self
            .http
            .request(request.method.clone(), format!("{base}{}", request.path))
            .header(header::AUTHORIZATION, authorization.reveal())
            .header(header::CONTENT_TYPE, request.content_type)
            .body(request.body.clone());
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
pub(super) fn lost(account: &Account, error: reqwest::Error) -> Sent {
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
pub(super) async fn read(mut response: reqwest::Response) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, extract::State, routing};
    use http::{HeaderMap, Method};
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{AccountOrigin, CarrierId, DialFailure};

    /// A stand-in for an API and its tokens: the n-th token is `t<n>`.
    #[derive(Default)]
    struct Peer {
        /// What the n-th asking for a token is answered; past the end a token for an hour.
        tokens: Vec<(u16, Value)>,
        /// Tokens that the API does not take.
        taken_back: Vec<String>,
        given: usize,
        asked: Vec<String>,
    }

    type Shared = Arc<Mutex<Peer>>;

    async fn start(peer: Peer) -> (Shared, Account, Client) {
        drop(rustls::crypto::ring::default_provider().install_default());
        let shared = Arc::new(Mutex::new(peer));
        let shown = |headers: &HeaderMap| headers["authorization"].to_str().unwrap().to_owned();
        let token = async move |State(peer): State<Shared>, headers: HeaderMap, body: String| {
            let mut peer = peer.lock().unwrap();
            peer.asked.push(format!("{} {body}", shown(&headers)));
            peer.given += 1;
            let n = peer.given;
            let usual = (200, json!({ "access_token": format!("t{n}"), "expires_in": 3600 }));
            let (status, body) = peer.tokens.get(n - 1).cloned().unwrap_or(usual);
            (StatusCode::from_u16(status).unwrap(), Json(body))
        };
        let api = async move |State(peer): State<Shared>, headers: HeaderMap| {
            let mut peer = peer.lock().unwrap();
            peer.asked.push(shown(&headers));
            match peer.taken_back.contains(&shown(&headers)) {
                true => StatusCode::UNAUTHORIZED,
                false => StatusCode::OK,
            }
        };
        let router = Router::new()
            .route("/token", routing::post(token))
            .route("/api", routing::get(api))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut account = Account::named("main".into(), CarrierId::Twilio, AccountOrigin::File);
        account.api.url = Some(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(axum::serve(listener, router).into_future());
        (shared, account, Client::new(Duration::from_secs(5)).unwrap())
    }

    fn asking(client_secret: &str) -> ApiRequest {
        ApiRequest {
            method: Method::GET,
            host: Some("https://nowhere.invalid"),
            path: "/api".to_owned(),
            authorization: Authorization::ClientCredentials {
                token_host: "https://nowhere.invalid",
                token_path: "/token",
                client_id: "c1".to_owned(),
                client_secret: Secret::new(client_secret.to_owned()),
            },
            content_type: "application/json",
            body: String::new(),
        }
    }

    fn asked(peer: &Shared) -> Vec<String> {
        std::mem::take(&mut peer.lock().unwrap().asked)
    }

    /// `c1:s1` in base64.
    const ASKED: &str = "Basic YzE6czE= grant_type=client_credentials";

    #[tokio::test]
    async fn a_token_is_fetched_once_for_all_that_need_it() {
        let (peer, account, client) = start(Peer::default()).await;
        let all = (0..8).map(|_| client.exchange(&account, asking("s1")));
        for reply in futures_util::future::join_all(all).await {
            assert_eq!(reply.unwrap_or_else(|_| panic!("no reply")).status, 200);
        }
        let first = asked(&peer);
        assert_eq!(first.iter().filter(|asked| asked.starts_with("Basic")).count(), 1, "{first:?}");
        assert_eq!((first[0].as_str(), first.len()), (ASKED, 9));
        assert!(first[1..].iter().all(|asked| asked == "Bearer t1"), "{first:?}");
        // Other credentials have other tokens.
        assert!(client.exchange(&account, asking("s2")).await.is_ok());
        assert_eq!(asked(&peer).last().unwrap(), "Bearer t2");
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_it_ends() {
        let short = |n: u32| (200, json!({ "access_token": format!("t{n}"), "expires_in": 61 }));
        let (peer, account, client) =
            start(Peer { tokens: vec![short(1), short(2)], ..Peer::default() }).await;
        for _ in 0..2 {
            assert!(client.exchange(&account, asking("s1")).await.is_ok());
        }
        assert_eq!(asked(&peer), [ASKED, "Bearer t1", "Bearer t1"]);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert!(client.exchange(&account, asking("s1")).await.is_ok());
        assert_eq!(asked(&peer), [ASKED, "Bearer t2"]);
    }

    #[tokio::test]
    async fn a_token_that_is_not_taken_is_renewed_once() {
        let taken_back = vec!["Bearer t1".to_owned()];
        let (peer, account, client) = start(Peer { taken_back, ..Peer::default() }).await;
        for _ in 0..2 {
            let reply = client.exchange(&account, asking("s1")).await;
            assert_eq!(reply.unwrap_or_else(|_| panic!("no reply")).status, 200);
        }
        assert_eq!(asked(&peer), [ASKED, "Bearer t1", ASKED, "Bearer t2", "Bearer t2"]);

        let taken_back = ["t1", "t2"].map(|token| format!("Bearer {token}")).to_vec();
        let (peer, account, client) = start(Peer { taken_back, ..Peer::default() }).await;
        let reply = client.exchange(&account, asking("s1")).await;
        assert_eq!(reply.unwrap_or_else(|_| panic!("no reply")).status, 401);
        assert_eq!(asked(&peer), [ASKED, "Bearer t1", ASKED, "Bearer t2"]);
    }

    #[tokio::test]
    async fn credentials_that_are_given_no_token_are_named() {
        let tokens = vec![(401, json!({ "error": "invalid_client" })), (503, json!({}))];
        let (peer, account, client) = start(Peer { tokens, ..Peer::default() }).await;
        let Err(Sent::Outcome(CommandOutcome::Refused(error))) =
            client.exchange(&account, asking("s1")).await
        else {
            panic!("not refused")
        };
        assert_eq!((error.cause, error.status), (DialFailure::Credentials, 401));
        assert!(error.message.contains("client_secret"), "{}", error.message);
        // Nothing was sent, so it can be later.
        assert!(matches!(client.exchange(&account, asking("s1")).await, Err(Sent::Later(None))));
        assert!(client.exchange(&account, asking("s1")).await.is_ok());
        assert_eq!(asked(&peer), [ASKED, ASKED, ASKED, "Bearer t3"]);
    }
}

//! Sends one request to a subscriber: no redirect, no private address, no endless answer.

use std::{error::Error, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::{dialects::is_allowed, domain::is_public, telemetry::clock};

/// How long a connection may take: a subscriber is a few round trips away, or not there.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Connections to one host that are kept open between deliveries.
const IDLE_MAX: usize = 4;
/// How long they are kept.
const IDLE_WAIT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read; the log shows them, and nobody needs more.
const ANSWER_LEN_MAX: usize = 16 * 1024;
/// Bytes of an answer's headers that the log shows.
const HEADERS_LEN_MAX: usize = 8 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    allow_private: bool,
}

/// One request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) answer_wait: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) status: Option<u16>,
    pub(super) body: Option<String>,
    /// The text of a JSON object.
    pub(super) headers: Option<String>,
    pub(super) took: Duration,
    /// Why it is a failure; `None`: it arrived.
    pub(super) error: Option<String>,
}

impl Client {
    pub(super) fn new(allow_private: bool) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_WAIT)
            // A redirect could lead anywhere, and would carry the event with it.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            // A proxy would look names up by itself.
            .no_proxy()
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .user_agent(concat!("Switchback/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, allow_private })
    }

    pub(super) async fn send(&self, request: Request) -> Sent {
        let began = clock::instant();
        let mut sent = self.answer_to(request).await;
        sent.took = clock::instant() - began;
        sent
    }

    async fn answer_to(&self, request: Request) -> Sent {
        // Asked again, since the address in a URL is not looked up: no resolver sees it.
        if let Err(why) = is_allowed(&request.url, self.allow_private) {
            return Sent { error: Some(format!("the URL {why}")), ..Sent::default() };
        }
        let sending = self
            .http
            .request(request.method, &request.url)
            .headers(request.headers)
            .timeout(request.answer_wait)
            .body(request.body)
            .send();
        let response = match sending.await {
            Ok(response) => response,
            Err(error) => return Sent { error: Some(why(&error)), ..Sent::default() },
        };
        let status = response.status();
        let error = match status.as_u16() {
            200..300 => None,
            300..400 => Some(format!("HTTP {}: redirects are not followed", status.as_u16())),
            other => Some(format!("HTTP {other}")),
        };
        let headers = Some(shown(response.headers()));
        let body = Some(read(response).await);
        Sent { status: Some(status.as_u16()), body, headers, error, ..Sent::default() }
    }
}

/// The beginning of an answer. Its status has said all that counts, so one that breaks off is read
/// as far as it goes.
async fn read(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while body.len() < ANSWER_LEN_MAX
        && let Ok(Some(part)) = response.chunk().await
    {
        let room = ANSWER_LEN_MAX - body.len();
        body.extend_from_slice(part.get(..room).unwrap_or(&part));
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Headers as a JSON object, as many as fit.
fn shown(headers: &HeaderMap) -> String {
    let mut object = serde_json::Map::new();
    let mut len = 0;
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        len += name.as_str().len() + value.len();
        if len > HEADERS_LEN_MAX {
            break;
        }
        object.insert(name.as_str().to_owned(), value.into());
    }
    serde_json::Value::Object(object).to_string()
}

/// Why no answer came, without the URL: that may hold a secret.
fn why(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(private) = error.downcast_ref::<Unresolved>() {
            return private.to_string();
        }
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return "connection refused".to_owned();
        }
        cause = error.source();
    }
    let text = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection in time",
        (true, false) => "no answer in time",
        (false, true) => "no connection",
        (false, false) => "the connection broke",
    };
    text.to_owned()
}

/// Looks names up, and gives the connection exactly the addresses that were looked at here: a name
/// that changes between check and use is checked by its use.
struct Resolver {
    allow_private: bool,
}

/// Why a name has no address for us.
#[derive(Debug)]
enum Unresolved {
    Unknown,
    Private,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the host's name has no address",
            Self::Private => "the host's name has private addresses only",
        })
    }
}

impl Error for Unresolved {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| Unresolved::Unknown)?.collect();
            if found.is_empty() {
                return Err(Unresolved::Unknown.into());
            }
            let allowed = |address: &SocketAddr| allow_private || is_public(address.ip());
            let allowed: Vec<_> = found.into_iter().filter(allowed).collect();
            if allowed.is_empty() {
                return Err(Unresolved::Private.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The public authorities' certificates: a fresh machine may have none of its own.
fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

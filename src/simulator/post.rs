//! How a simulated carrier reaches the daemon: requests and upgrades signed as the real one signs
//! them, with its timeouts and one retry where the connection fails. It never reads an answer's
//! content.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest},
};

use super::{peers::Manners, verb::Problem};
use crate::{
    carriers::{self, Request},
    domain::{Account, Secret},
    telemetry::clock,
};

/// Who signs.
#[derive(Clone, Debug)]
pub enum Signer {
    /// We do, with the account's own credentials.
    Account,
    /// A running daemon does, for its operator.
    Daemon {
        /// Its control API.
        url: String,
        /// An operator's key.
        key: Secret,
    },
}

/// Where the daemon is.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Instead of a URL that begins with the first, one that begins with the second is connected
    /// to; what is signed stays the first. For a daemon whose public URL leads elsewhere.
    pub instead: Vec<(String, String)>,
    /// Where not empty: a URL that begins with none of these is another application's, which is
    /// never sent a simulated call.
    pub within: Vec<String>,
}

/// A request that is not signed yet.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Letter {
    /// Posts a form.
    pub(super) fn form(url: &str, body: String) -> Self {
        Self::post(url, "application/x-www-form-urlencoded", body)
    }

    /// Posts a body of that media type.
    pub(super) fn post(url: &str, content_type: &'static str, body: String) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { method: Method::POST, url: url.to_owned(), headers, body }
    }

    /// With one header more, if it can be one.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its method.
    pub method: Method,
    /// The URL that was signed.
    pub url: String,
    /// Its headers, the signature among them.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// What it was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// From the request's first byte to the answer's last.
    pub took: Duration,
}

/// A byte stream under a websocket.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// An open media socket.
pub(super) type Socket = WebSocketStream<Box<dyn Pipe>>;

/// Sends requests.
pub(super) struct Post {
    http: reqwest::Client,
    tls: TlsConnector,
    manners: Manners,
    account: Account,
    signer: Signer,
    reach: Reach,
}

impl Post {
    pub(super) fn new(
        manners: Manners,
        account: Account,
        signer: Signer,
        reach: Reach,
    ) -> Result<Self, String> {
        let tls = tls()?;
        let http = reqwest::Client::builder()
            .connect_timeout(manners.connect_max)
            .timeout(manners.answer_max)
            .user_agent(manners.user_agent)
            .no_proxy()
            .tls_backend_preconfigured((*tls).clone())
            .build()
            .map_err(|error| error.to_string())?;
        let tls = TlsConnector::from(tls);
        Ok(Self { http, tls, manners, account, signer, reach })
    }

    /// Whether the URL is the daemon's to answer.
    pub(super) fn is_ours(&self, url: &str) -> bool {
        let within = &self.reach.within;
        within.is_empty() || within.iter().any(|base| url.starts_with(base))
    }

    /// Signs a request and sends it.
    pub(super) async fn send(&self, letter: Letter) -> Result<(Sent, Reply), Problem> {
        let sent = self.signed(letter).await?;
        let reply = self.deliver(&sent).await?;
        Ok((sent, reply))
    }

    /// Signs a request, for who sends it otherwise.
    pub(super) async fn signed(&self, letter: Letter) -> Result<Sent, Problem> {
        let Letter { method, url, mut headers, body } = letter;
        // A fragment is neither sent nor signed.
        let url = url.split('#').next().unwrap_or_default().to_owned();
        let signature = self.sign(&method, &url, &headers, &body).await?;
        headers.extend(signature);
        Ok(Sent { method, url, headers, body })
    }

    /// Sends a request, perhaps again, to the letter. Only a connection that fails is tried twice.
    pub(super) async fn deliver(&self, sent: &Sent) -> Result<Reply, Problem> {
        let started = clock::instant();
        let once = || {
            let request = self.http.request(sent.method.clone(), self.connect_to(&sent.url));
            request.headers(sent.headers.clone()).body(sent.body.clone()).send()
        };
        let answer = once()
            .or_else(|error| async { if error.is_connect() { once().await } else { Err(error) } });
        let failed = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Problem::new(11_205, cause.unwrap_or_else(|| error.to_string()))
        };
        let answer = answer.await.map_err(failed)?;
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (status, content_type) = (answer.status().as_u16(), content_type.to_owned());
        let body = answer.bytes().await.map_err(failed)?;
        Ok(Reply { status, content_type, body, took: started.elapsed() })
    }

    /// Opens a media socket; `shown` are headers that the document asked for.
    pub(super) async fn upgrade(
        &self,
        url: &str,
        shown: &[(String, String)],
    ) -> Result<Socket, Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in shown {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        if self.manners.signs_upgrades {
            let signature = self.sign(&Method::GET, url, &headers, "").await?;
            headers.extend(signature);
        }
        let malformed = |_| Problem::new(31_923, "malformed URL");
        let target = self.connect_to(url);
        let mut request = target.as_str().into_client_request().map_err(malformed)?;
        request.headers_mut().extend(headers);
        let agent = HeaderValue::from_static(self.manners.user_agent);
        request.headers_mut().insert(header::USER_AGENT, agent);
        let pipe = match timeout(self.manners.connect_max, self.pipe(request.uri())).await {
            Ok(pipe) => pipe?,
            Err(_) => return Err(Problem::new(31_901, "connect timeout")),
        };
        match timeout(self.manners.connect_max, client_async(request, pipe)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                Err(Problem::new(31_920, format!("handshake answered {}", answer.status())))
            }
            Ok(Err(error)) => Err(Problem::new(31_920, error.to_string())),
            Err(_) => Err(Problem::new(31_901, "handshake timeout")),
        }
    }

    async fn pipe(&self, uri: &http::Uri) -> Result<Box<dyn Pipe>, Problem> {
        let is_tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(Problem::new(31_922, "the scheme is not wss")),
        };
        let host = uri.host().unwrap_or_default();
        let name = host.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let refused = |error: std::io::Error| Problem::new(31_902, error.to_string());
        let tcp = TcpStream::connect((name, port)).await.map_err(refused)?;
        tcp.set_nodelay(true).map_err(refused)?;
        if !is_tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|error| Problem::new(31_923, error.to_string()))?;
        let tls = self.tls.connect(name, tcp).await;
        Ok(Box::new(tls.map_err(|error| Problem::new(31_910, error.to_string()))?))
    }

    fn connect_to(&self, url: &str) -> String {
        let instead = self.reach.instead.iter();
        let found =
            instead.filter_map(|(from, to)| Some(format!("{to}{}", url.strip_prefix(from)?)));
        found.into_iter().next().unwrap_or_else(|| url.to_owned())
    }

    async fn sign(
        &self,
        method: &Method,
        url: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<HeaderMap, Problem> {
        match &self.signer {
            Signer::Account => {
                let account = &self.account;
                let request = Request { method, url, headers, body: body.as_bytes() };
                Ok(carriers::room(account.carrier).sign(&request, account, clock::now()))
            }
            Signer::Daemon { url: api, key } => {
                let account = utf8_percent_encode(&self.account.name, NON_ALPHANUMERIC);
                let target = format!("{api}/switchback/v1/carrier-accounts/{account}/sign");
                let asked = json!({ "method": method.as_str(), "url": url, "body": body });
                let answer = self.http.post(target).bearer_auth(key.reveal()).json(&asked).send();
                signature(answer).await.map_err(|what| Problem::new(20_003, what))
            }
        }
    }
}

/// How a carrier proves who it speaks to.
pub(super) fn tls() -> Result<Arc<ClientConfig>, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// The headers a daemon signs with.
async fn signature(
    answer: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<HeaderMap, String> {
    let unreachable = |error: reqwest::Error| format!("the daemon does not sign: {error}");
    let answer = answer.await.map_err(unreachable)?;
    let is_done = answer.status().is_success();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or(Value::Null);
    if !is_done {
        let said = body.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(format!("the daemon does not sign: {said} ({status})"));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in body.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

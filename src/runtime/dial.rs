//! Dialling a runtime: URL, address, TCP, TLS, websocket, all within one second.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri, header};
use moka::sync::Cache;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::DuplexStream;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self};

use crate::domain::{AgentId, Builtin, CallId, Target, is_public, spelled};
use crate::media::messages::RUNTIME_MESSAGE_LEN_MAX;
use crate::media::websocket::Role;
use crate::telemetry::{clock, metrics};

use super::breaker::Breaker;
use super::builtin::BuiltinSocket;
use super::io::Io;
use super::websocket::WebSocket;
use super::{RuntimeSocket, Settings, handshake, link};

/// Name look-up, TCP, TLS and the websocket's handshake together.
pub const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What the kernel may hold of one call towards its runtime: about a second of audio, since what it
/// holds cannot be dropped any more when the runtime reads too slowly.
///
/// A link has no such limit: what is on its way to a runtime that is twenty milliseconds off would
/// be a hundred calls' at most, and where a packet is larger than the limit, each waits for an
/// answer that the other side puts off. There the kernel finds out how much is on its way, and the
/// link bounds what waits for that.
const SEND_BUFFER_LEN: u32 = 16 * 1024;

/// Dialer remembered by the breaker; past it the least used is forgotten, which closes it.
const BREAKERS_MAX: u64 = 10_000;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

spelled! {
    /// Why a runtime was not reached.
    pub enum DialError {
        /// The URL cannot be dialled.
        Url = "bad_url",
        /// The name has no address.
        Unresolved = "unresolved",
        /// Every address is private, and those are not dialled.
        Private = "private_address",
        /// Nothing listens there.
        Refused = "refused",
        /// A second went by.
        TimedOut = "timeout",
        /// No trusted TLS.
        Tls = "tls",
        /// It listens, and declined the websocket.
        Declined = "declined",
        /// The connection broke.
        Broken = "broken",
        /// It has just failed again and again: not tried.
        Breaker = "breaker_open",
    }
}

/// What is dialled, and for whom.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The runtime.
    pub target: Target,
    /// Whose it is.
    pub agent: Option<AgentId>,
    /// For which call.
    pub call: CallId,
    /// The call's own token.
    pub token: String,
    /// W3C trace context.
    pub traceparent: String,
}

/// A runtime being dialled. It goes on while nobody looks, so that it can start as soon as the
/// decision is made; dropping it gives up.
#[derive(Debug)]
pub struct RuntimeHandle(JoinHandle<Result<RuntimeSocket, DialError>>);

impl Future for RuntimeHandle {
    type Output = Result<RuntimeSocket, DialError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| joined.unwrap_or(Err(DialError::Broken)))
    }
}

impl Drop for RuntimeHandle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The far ends of a simulation: given a dial, the pipe whose other end its runtime holds, a
/// websocket whose handshake is done.
pub type Simulated = Arc<dyn Fn(&Dial) -> Result<DuplexStream, DialError> + Send + Sync>;

/// The way to all runtimes.
#[derive(Clone)]
pub struct Dialer {
    allow_private: bool,
    tls: TlsConnector,
    breakers: Cache<String, Arc<Mutex<Breaker>>>,
    links: link::Links,
    simulated: Option<Simulated>,
}

impl Dialer {
    /// Ready to dial.
    ///
    /// # Errors
    /// The file of further roots cannot be read; the text says which and why.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &settings.ca_file {
            let unreadable = |error| format!("{}: {error}", path.display());
            for root in
                CertificateDer::pem_file_iter(path).map_err(|e| unreadable(e.to_string()))?
            {
                let root = root.map_err(|error| unreadable(error.to_string()))?;
                roots.add(root).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            allow_private: settings.allow_private,
            tls: TlsConnector::from(Arc::new(config)),
            breakers: Cache::new(BREAKERS_MAX),
            links: link::Links::new(),
            simulated: None,
        })
    }

    /// The same, to runtimes that are simulated in this process: no address is looked up, no
    /// connection opened and no failure remembered.
    #[must_use]
    pub fn simulating(self, simulated: Simulated) -> Self {
        Self { simulated: Some(simulated), ..self }
    }

    /// Starts to dial.
    #[must_use]
    pub fn dial(&self, dial: Dial) -> RuntimeHandle {
        let dialer = self.clone();
        RuntimeHandle(tokio::spawn(async move {
            match &dial.target {
                Target::Builtin(builtin) => Ok(builtin_socket(*builtin)),
                Target::Runtime(url) => match &dialer.simulated {
                    None => dialer.connect(url, &dial).await,
                    Some(simulated) => {
                        let io = Io::Simulated(simulated(&dial)?);
                        Ok(RuntimeSocket::Remote(Box::new(socket(io, Vec::new()))))
                    }
                },
                Target::Agent(_)
                | Target::Tel(_)
                | Target::Sip(_)
                | Target::Redirect(_)
                | Target::Say(_)
                | Target::Busy
                | Target::Reject => Err(DialError::Url),
            }
        }))
    }

    async fn connect(&self, url: &str, dial: &Dial) -> Result<RuntimeSocket, DialError> {
        let url = filled(url, dial);
        let shared = url.strip_prefix(link::SCHEME);
        let uri = shared.unwrap_or(&url).parse::<Uri>().map_err(|_| DialError::Url)?;
        let place = Place::of(&uri).ok_or(DialError::Url)?;
        let breaker =
            self.breakers.get_with(format!("{}:{}", place.host, place.port), Arc::default);
        let lock = || breaker.lock().unwrap_or_else(PoisonError::into_inner);
        if !lock().allows(clock::instant()) {
            return Err(DialError::Breaker);
        }
        let began = clock::instant();
        let reach = async {
            if shared.is_some() {
                let connect = self.reach(&uri, &place, dial, Some(link::PROTOCOL));
                let call = self.links.open(&url, dial, connect).await?;
                return Ok(RuntimeSocket::Linked(Box::new(call)));
            }
            let socket = self.reach(&uri, &place, dial, None).await?;
            Ok(RuntimeSocket::Remote(Box::new(socket)))
        };
        let reached = timeout(CONNECT_MAX, reach).await.unwrap_or(Err(DialError::TimedOut));
        let ended = clock::instant();
        // That we do not dial private addresses says nothing of the runtime.
        if !matches!(reached, Err(DialError::Url | DialError::Private)) {
            let (was_open, is_open) = {
                let mut breaker = lock();
                let was_open = breaker.is_open();
                breaker.record(reached.is_ok(), ended);
                (was_open, breaker.is_open())
            };
            if was_open != is_open {
                metrics::runtime_breaker_open(self.open_breakers());
            }
        }
        if reached.is_ok() {
            metrics::runtime_connect(ended - began);
        }
        reached
    }

    async fn reach(
        &self,
        uri: &Uri,
        place: &Place,
        dial: &Dial,
        protocol: Option<&'static str>,
    ) -> Result<WebSocket<Io>, DialError> {
        let held_max = protocol.is_none().then_some(SEND_BUFFER_LEN);
        let tcp = self.reach_tcp(place, held_max).await?;
        let io = if place.is_tls {
            let name = ServerName::try_from(place.host.clone()).map_err(|_| DialError::Url)?;
            let tls = self.tls.connect(name, tcp).await.map_err(|_| DialError::Tls)?;
            Io::Tls(Box::new(tls))
        } else {
            Io::Plain(tcp)
        };
        let mut request = uri.into_client_request().map_err(|_| DialError::Url)?;
        for (name, value) in [
            ("authorization", format!("Bearer {}", dial.token)),
            ("x-switchback-call-id", dial.call.to_string()),
            ("traceparent", dial.traceparent.clone()),
        ] {
            let value = HeaderValue::try_from(value).map_err(|_| DialError::Url)?;
            request.headers_mut().insert(name, value);
        }
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_static(protocol);
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        match handshake::shake(request, io).await {
            Ok((io, came)) => Ok(socket(io, came)),
            Err(tungstenite::Error::Io(_)) => Err(DialError::Broken),
            Err(_) => Err(DialError::Declined),
        }
    }

    /// Connects to exactly the addresses that were checked, each within its share of the time.
    async fn reach_tcp(
        &self,
        place: &Place,
        held_max: Option<u32>,
    ) -> Result<TcpStream, DialError> {
        let deadline = Instant::from_std(clock::instant()) + CONNECT_MAX;
        let found = tokio::net::lookup_host((place.host.as_str(), place.port)).await;
        let found: Vec<_> = found.map_err(|_| DialError::Unresolved)?.take(ADDRESSES_MAX).collect();
        let allowed = |address: &&SocketAddr| self.allow_private || is_public(address.ip());
        let addresses: Vec<_> = found.iter().filter(allowed).collect();
        let mut error = if found.is_empty() { DialError::Unresolved } else { DialError::Private };
        for (index, &&address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::from_std(clock::instant()));
            let shares = u32::try_from(addresses.len() - index).unwrap_or(1);
            match timeout(left / shares, tcp(address, held_max)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) => error = DialError::Refused,
                Err(_) => error = DialError::TimedOut,
            }
        }
        Err(error)
    }

    fn open_breakers(&self) -> u32 {
        let is_open =
            |breaker: &Mutex<Breaker>| breaker.lock().is_ok_and(|breaker| breaker.is_open());
        let open = self.breakers.iter().filter(|(_, breaker)| is_open(breaker)).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }
}

/// A connection towards which the kernel holds so much, or what it finds to be needed.
async fn tcp(address: SocketAddr, held_max: Option<u32>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(held_max) = held_max {
        socket.set_send_buffer_size(held_max)?;
    }
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

fn builtin_socket(builtin: Builtin) -> RuntimeSocket {
    RuntimeSocket::Builtin(Box::new(BuiltinSocket::new(builtin)))
}

fn socket(io: Io, came: Vec<u8>) -> WebSocket<Io> {
    WebSocket::new(io, Role::Client, RUNTIME_MESSAGE_LEN_MAX, came)
}

fn filled(url: &str, dial: &Dial) -> String {
    let agent = dial.agent.map(|agent| agent.to_string()).unwrap_or_default();
    url.replace("{agent_id}", &agent).replace("{call_id}", &dial.call.to_string())
}

struct Place {
    host: String,
    port: u16,
    is_tls: bool,
}

impl Place {
    fn of(uri: &Uri) -> Option<Self> {
        let is_tls = match uri.scheme_str()? {
            "wss" => true,
            "ws" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }), is_tls })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn dial(url: &str) -> Dial {
        Dial {
            target: Target::Runtime(url.to_owned()),
            agent: Some(AgentId(Uuid::from_u128(1))),
            call: CallId(Uuid::from_u128(2)),
            token: "token".to_owned(),
            traceparent: "00-0-0-00".to_owned(),
        }
    }

    #[test]
    fn placeholders_are_filled() {
        let url = "ws://bot:1/{agent_id}/{call_id}";
        assert_eq!(
            filled(url, &dial(url)),
            "ws://bot:1/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000002"
        );
    }

    /// What the kernel takes that nobody reads.
    async fn held(held_max: Option<u32>) -> usize {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = tcp(listener.local_addr().unwrap(), held_max).await.unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        near.writable().await.unwrap();
        std::iter::from_fn(|| near.try_write(&[0; 4096]).ok()).sum()
    }

    #[tokio::test]
    async fn a_link_may_have_more_on_its_way_than_a_call() {
        let (call, link) = (held(Some(SEND_BUFFER_LEN)).await, held(None).await);
        assert!(link >= call + 256 * 1024, "{call} and {link}");
    }

    async fn outcome(dialer: &Dialer, url: &str) -> Option<DialError> {
        dialer.dial(dial(url)).await.err()
    }

    #[tokio::test]
    async fn what_cannot_be_dialled_says_why() {
        let strict = Dialer::new(&Settings { allow_private: false, ca_file: None }).unwrap();
        assert_eq!(outcome(&strict, "ws://127.0.0.1:1/").await, Some(DialError::Private));
        assert_eq!(outcome(&strict, "ws://localhost:1/").await, Some(DialError::Private));
        assert_eq!(outcome(&strict, "ws://[::1]:1/").await, Some(DialError::Private));
        let open = Dialer::new(&Settings::default()).unwrap();
        assert_eq!(outcome(&open, "http://127.0.0.1:1/").await, Some(DialError::Url));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        drop(listener);
        for _ in 0..5 {
            assert_eq!(outcome(&open, &url).await, Some(DialError::Refused));
        }
        assert_eq!(outcome(&open, &url).await, Some(DialError::Breaker));
    }

    #[test]
    fn a_missing_root_file_is_named() {
        let ca_file = Some("/nonexistent/roots.pem".into());
        let error = Dialer::new(&Settings { allow_private: true, ca_file }).err().unwrap();
        assert!(error.contains("/nonexistent/roots.pem"), "{error}");
    }
}

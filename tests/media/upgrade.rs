//! Who may open a media socket, and who may not.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Method};
use switchback::calls::Live;
use switchback::carriers::{self, CarrierId};
use switchback::domain::{
    Account, AccountApi, AccountOrigin, CallStatus, MediaKey, RuntimeMedia, Secret, Tenant,
    TenantId, TenantSettings, UnixMillis,
};
use switchback::edge::media_socket::MediaSockets;
use switchback::edge::session::Wiring;
use switchback::edge::{accept, prewarm, token};
use switchback::index::{Delta, Index};
use switchback::telemetry::clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use crate::stage::{CALL, SESSION, account, agent, facts, wiring};

struct House {
    address: std::net::SocketAddr,
    sockets: Arc<MediaSockets>,
    wiring: Wiring,
    _stop: watch::Sender<bool>,
}

fn twilio() -> Account {
    Account {
        id: account(),
        name: "main".to_owned(),
        carrier: CarrierId::Twilio,
        tenant: None,
        account_id: "AC66acdc865fff60921f34dac80d62be2f".to_owned(),
        secrets: vec![Secret::new("3f1c0a9e7b5d48264c8e1f2a6b3d5c70".to_owned())],
        application_id: String::new(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }
}

fn key() -> MediaKey {
    MediaKey { id: 1, secret: [5; 32] }
}

async fn house() -> House {
    let (index, mut writer) = Index::new(None);
    let tenant = Tenant {
        id: TenantId(Uuid::from_u128(1)),
        name: "default".to_owned(),
        settings: TenantSettings::default(),
    };
    writer.apply(&[
        Delta::Tenant(tenant),
        Delta::Account(twilio()),
        Delta::Agent(agent(2, &["builtin:echo".to_owned()])),
        Delta::MediaKeys(vec![key()]),
    ]);
    let wiring = wiring();
    let url = "wss://edge.example.com".to_owned();
    let settings = prewarm::Settings::default();
    let sockets = Arc::new(MediaSockets::new(index, wiring.clone(), url, settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn({
        let sockets = Arc::clone(&sockets);
        async move {
            let (settings, workers) =
                (accept::Settings::default(), accept::Workers::start(NonZeroUsize::MIN).unwrap());
            accept::serve(listener, settings, &workers, stopped, move |request, _| {
                std::future::ready(sockets.handle(request))
            })
            .await;
        }
    });
    House { address, sockets, wiring, _stop: stop }
}

fn ticket(carrier_call_id: &str) -> String {
    let call = switchback::domain::CallId::of_carrier_call(account(), carrier_call_id);
    let agent = agent(2, &[]).id;
    let mut out = String::from("/media/");
    let claims =
        token::Claims::new((call, account()), Some(agent), (0, RuntimeMedia::Pcmu), clock::now());
    token::write_into(&mut out, &key(), &claims);
    out
}

fn signed(path: &str, account: &Account) -> HeaderMap {
    let url = format!("wss://edge.example.com{path}");
    let headers = HeaderMap::new();
    let request =
        carriers::Request { method: &Method::GET, url: &url, headers: &headers, body: &[] };
    carriers::room(CarrierId::Twilio).sign(&request, account, UnixMillis(0))
}

type Ws = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

impl House {
    /// Opens the socket; `Err` is the status it is refused with.
    async fn open(&self, path: &str, headers: HeaderMap) -> Result<Ws, u16> {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://edge.example.com{path}");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().extend(headers);
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn live(&self) -> &Live {
        &self.wiring.live
    }
}

/// Plays the session; how many frames came back.
async fn play(mut socket: Ws) -> usize {
    for line in SESSION.lines() {
        socket.send(Message::Text(line.into())).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let mut frames = 0;
    while let Some(Ok(message)) = socket.next().await {
        frames += usize::from(message.is_text());
    }
    frames
}

#[tokio::test]
async fn a_ticket_and_a_signature_open_the_call_once() {
    let house = house().await;
    let facts = facts(agent(2, &["builtin:echo".to_owned()]), CALL);
    house.live().open(facts, CallStatus::Ringing, clock::now());
    let path = ticket(CALL);
    let headers = signed(&path, &twilio());

    assert_eq!(house.open(&path, HeaderMap::new()).await.err(), Some(403), "no signature");
    let stranger = Account { secrets: vec![Secret::new("x".to_owned())], ..twilio() };
    assert_eq!(house.open(&path, signed(&path, &stranger)).await.err(), Some(403), "a wrong one");
    let other = ticket("CAother");
    assert_eq!(house.open(&other, headers.clone()).await.err(), Some(403), "another's");
    let forged = format!("{path}A");
    assert_eq!(house.open(&forged, signed(&forged, &twilio())).await.err(), Some(403), "forged");
    assert_eq!(house.open("/media/", headers.clone()).await.err(), Some(403));

    let socket = house.open(&path, headers.clone()).await.unwrap();
    assert_eq!(house.sockets.open(), 1);
    assert_eq!(house.open(&path, headers).await.err(), Some(403), "used");
    assert_eq!(play(socket).await, 50);
}

#[tokio::test]
async fn a_call_survives_the_process_that_answered_it() {
    let house = house().await;
    let path = ticket(CALL);
    let socket = house.open(&path, signed(&path, &twilio())).await.unwrap();
    assert_eq!(play(socket).await, 50);
    let call = house.live().by_carrier(account(), CALL).unwrap();
    assert_eq!(call.facts.reason, None);
}

#[tokio::test]
async fn anothers_call_is_not_carried() {
    let house = house().await;
    // The ticket is for another call than `start` then speaks of.
    let path = ticket("CA00000000000000000000000000000000");
    let socket = house.open(&path, signed(&path, &twilio())).await.unwrap();
    let mut socket = socket;
    for line in SESSION.lines().take(2) {
        socket.send(Message::Text(line.into())).await.unwrap();
    }
    while socket.next().await.is_some_and(|read| read.is_ok()) {}
    assert!(house.live().is_empty());
    while house.sockets.open() > 0 {
        tokio::task::yield_now().await;
    }
}

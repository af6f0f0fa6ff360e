//! What every scene needs: a carrier, a call, runtimes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use switchback::calls::{Event, Facts, Journal, Live, LiveCall};
use switchback::domain::{
    AccountId, Agent, AgentId, AgentState, Ani, Attestation, CallId, CallStatus, Direction, E164,
    InboundCall, RouteReason, Rung, Target, TenantId, UnixMillis,
};
use switchback::edge::comfort::Comfort;
use switchback::edge::prewarm::{self, Prewarms};
use switchback::edge::report::Report;
use switchback::edge::session::{Wiring, carry, carry_ahead};
use switchback::edge::socket::{Arrival, begin};
use switchback::media::comfort::ComfortTone;
use switchback::media::messages::{self, Message as Said, Start};
use switchback::media::websocket;
use switchback::runtime::websocket::WebSocket;
use switchback::runtime::{Dialer, Settings, Sources};
use switchback::telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, accept_async};
use uuid::Uuid;

pub(crate) const SESSION: &str = include_str!("../fixtures/twilio/media_stream_session.jsonl");
pub(crate) const STREAM: &str = "MZ21bd369606e058bea233829118802bf4";

/// What a stream is called until the carrier's begins.
pub(crate) const AHEAD: &str = "MZ00000000000000000000000000000001";

pub(crate) const CALL: &str = "CAb27b806e16e007b36784197374f40f63";

/// What no scene waits longer for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type Ws = WebSocketStream<TcpStream>;

pub(crate) fn account() -> AccountId {
    AccountId::of_name("main")
}

pub(crate) fn agent(id: u128, targets: &[String]) -> Agent {
    Agent {
        id: AgentId(Uuid::from_u128(id)),
        tenant: TenantId(Uuid::from_u128(1)),
        name: "Callback".to_owned(),
        direction: Direction::Inbound,
        state: AgentState::Live,
        targets: targets.iter().map(|target| target.parse().unwrap()).collect(),
        callback: None,
        runtime_parameters: vec![
            ("voice".to_owned(), "anna".to_owned()),
            ("call_id".to_owned(), "mine".to_owned()),
        ],
        first_audio_timeout_ms: None,
        min_attestation: None,
        context_min_attestation: None,
        runtime_media: None,
    }
}

pub(crate) fn facts(agent: Agent, carrier_call_id: &str) -> Facts {
    let ladder = agent.targets.clone();
    let agent = Arc::new(agent);
    Facts {
        id: CallId::of_carrier_call(account(), carrier_call_id),
        tenant: agent.tenant,
        account: account(),
        carrier_call_id: carrier_call_id.to_owned(),
        direction: Direction::Inbound,
        call: InboundCall {
            account: Some(account()),
            dnis: E164::parse("+14155550100"),
            ani: Ani::Number(E164::parse("+14155550117").unwrap()),
            forwarded_from: None,
            attestation: Attestation::A,
        },
        number: None,
        agent: Some(Arc::clone(&agent)),
        reason: Some(RouteReason::Callback),
        unmatched: false,
        touch: None,
        ladder: ladder
            .into_iter()
            .map(|target| Rung { agent: Some(Arc::clone(&agent)), target })
            .collect(),
        last_resort: Target::Say("sorry".to_owned()),
        context_min_attestation: Attestation::None,
        trace: Vec::new(),
        errand: None,
        created_at: UnixMillis(1),
    }
}

pub(crate) fn wiring() -> Wiring {
    let (journal, _) = Journal::new();
    Wiring {
        live: Arc::new(Live::new(journal)),
        dialer: Dialer::new(&Settings::default()).unwrap(),
        sources: sources(),
        control_url: None,
        // What is heard is the runtimes'.
        comfort: Comfort::new(ComfortTone::Off),
    }
}

/// Nothing is known of any call.
pub(crate) fn sources() -> Sources {
    Sources {
        context: Arc::new(|_, _| Box::pin(async { None })),
        transcript: Arc::new(|_, _, _| Box::pin(async { Some(Vec::new()) })),
    }
}

/// A carrier's end of a call that is being carried.
pub(crate) struct Carrier {
    pub(crate) socket: Ws,
    pub(crate) call: Arc<LiveCall>,
    pub(crate) wiring: Wiring,
    pub(crate) session: JoinHandle<Report>,
    /// When `start` was sent.
    pub(crate) started: Instant,
    sequence: u64,
}

/// Two ends of a TCP connection, each with little room in the kernel.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(16 * 1024).unwrap();
    let (client, server) = tokio::join!(client.connect(address), listener.accept());
    let (client, (server, _)) = (client.unwrap(), server.unwrap());
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    (client, server)
}

/// The daemon's end of a carrier's socket.
pub(crate) fn served<S: AsyncRead + AsyncWrite + Unpin + Send>(io: S) -> WebSocket<S> {
    WebSocket::new(io, websocket::Role::Server, messages::CARRIER_MESSAGE_LEN_MAX, Vec::new())
}

/// A listener whose connections take little.
pub(crate) fn listen() -> (TcpListener, std::net::SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(64).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl Carrier {
    /// Calls the ladder's targets.
    pub(crate) async fn call(targets: &[String]) -> Self {
        Self::call_agent(agent(2, targets)).await
    }

    pub(crate) async fn call_agent(agent: Agent) -> Self {
        Self::call_facts(wiring(), facts(agent, CALL)).await
    }

    pub(crate) async fn call_facts(wiring: Wiring, facts: Facts) -> Self {
        let call = wiring.live.open(facts, CallStatus::Ringing, clock::now());
        let (client, server) = pair().await;
        let socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let mut server = served(server);
        let session = tokio::spawn({
            let (wiring, call) = (wiring.clone(), Arc::clone(&call));
            async move {
                let start = begin(&mut server).await.unwrap();
                let arrival = Arrival { socket: Box::new(server), start, open: None };
                carry(arrival, call, 0, "token".to_owned(), &wiring).await
            }
        });
        let mut carrier =
            Self { socket, call, wiring, session, started: clock::instant(), sequence: 1 };
        for line in SESSION.lines().take(2) {
            carrier.say(line.to_owned()).await;
        }
        carrier.started = clock::instant();
        carrier
    }

    pub(crate) async fn say(&mut self, text: String) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    /// One frame; `number` is told from its payload.
    pub(crate) async fn speak(&mut self, number: u64) {
        self.sequence += 1;
        let mut text = String::new();
        let place = (number, number * 20);
        messages::write_media(&mut text, STREAM, self.sequence, place, &payload(number));
        self.say(text).await;
    }

    pub(crate) async fn press(&mut self, digit: &str) {
        let mut text = String::new();
        messages::write_dtmf(&mut text, STREAM, 0, digit);
        self.say(text).await;
    }

    pub(crate) async fn return_mark(&mut self, name: &str) {
        let mut text = String::new();
        messages::write_mark(&mut text, STREAM, Some(0), name);
        self.say(text).await;
    }

    /// What the carrier is told next; `None` is the end.
    pub(crate) async fn hear(&mut self) -> Option<Said> {
        hear_of(&mut self.socket, &[STREAM]).await
    }

    /// Waits until the socket is closed; with what code, and how long after `start`.
    pub(crate) async fn closed(&mut self) -> (Option<u16>, Duration) {
        let closed = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Close(frame) = message {
                    return frame.map(|frame| frame.code.into());
                }
            }
            None
        };
        let code = tokio::time::timeout(PATIENCE, closed).await.unwrap();
        (code, self.started.elapsed())
    }

    pub(crate) async fn report(self) -> Report {
        drop(self.socket);
        tokio::time::timeout(PATIENCE, self.session).await.unwrap().unwrap()
    }

    pub(crate) fn status(&self, status: CallStatus) {
        let now = clock::now();
        self.wiring.live.apply(&self.call, Event::Status { status, at: now }, now);
    }
}

/// A call that has been answered, and whose carrier has not opened its socket yet.
pub(crate) struct Ahead {
    pub(crate) prewarms: Prewarms,
    pub(crate) call: Arc<LiveCall>,
    pub(crate) wiring: Wiring,
    pub(crate) session: JoinHandle<Report>,
}

impl Ahead {
    pub(crate) fn call(targets: &[String]) -> Self {
        Self::call_agent(agent(2, targets), prewarm::Settings::default())
    }

    pub(crate) fn call_agent(agent: Agent, settings: prewarm::Settings) -> Self {
        let (wiring, prewarms) = (wiring(), Prewarms::new(settings));
        let call = wiring.live.open(facts(agent, CALL), CallStatus::Ringing, clock::now());
        let expected = prewarms.expect(call.facts.id, 0).unwrap();
        let start =
            Start { stream_sid: AHEAD.to_owned(), call_sid: CALL.to_owned(), ..Start::default() };
        let session = tokio::spawn({
            let (wiring, call) = (wiring.clone(), Arc::clone(&call));
            async move { carry_ahead(expected, start, call, 0, "token".to_owned(), &wiring).await }
        });
        Self { prewarms, call, wiring, session }
    }

    /// The carrier opens its socket, and its stream begins.
    pub(crate) async fn media_comes(self) -> Carrier {
        let Self { prewarms, call, wiring, session } = self;
        let (client, server) = pair().await;
        let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        for line in SESSION.lines().take(2) {
            socket.send(Message::text(line)).await.unwrap();
        }
        let started = clock::instant();
        let mut server = served(server);
        let start = begin(&mut server).await.unwrap();
        let arrival = Arrival { socket: Box::new(server), start, open: None };
        assert!(prewarms.hand_over(call.facts.id, 0, arrival).is_none(), "somebody waits for it");
        Carrier { socket, call, wiring, session, started, sequence: 1 }
    }

    /// It never does; what the session came to.
    pub(crate) async fn never_comes(self) -> Report {
        let report = tokio::time::timeout(PATIENCE, self.session).await.unwrap().unwrap();
        assert!(self.prewarms.is_empty() && self.prewarms.expected() == 0);
        report
    }
}

/// The next message of a socket, its stream checked; pings are nothing.
pub(crate) async fn hear(socket: &mut Ws) -> Option<Said> {
    hear_of(socket, &[STREAM, AHEAD]).await
}

async fn hear_of(socket: &mut Ws, streams: &[&str]) -> Option<Said> {
    let next = async {
        loop {
            match socket.next().await? {
                Ok(Message::Text(text)) => {
                    let envelope = messages::parse(&text).unwrap();
                    let has_stream = envelope.message != Said::Connected;
                    let stream = envelope.stream_sid.as_str();
                    assert!(!has_stream || streams.contains(&stream), "{text}");
                    return Some(envelope.message);
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

/// 160 bytes of base64 audio that say their number.
pub(crate) fn payload(number: u64) -> String {
    format!("{number:0>216}")
}

pub(crate) fn number(message: &Said) -> Option<u64> {
    let Said::Media(payload) = message else { return None };
    payload.parse().ok()
}

/// A runtime that does with each connection what it likes; its URL.
pub(crate) async fn runtime<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(act(stream));
        }
    });
    format!("ws://{address}/{{agent_id}}/{{call_id}}")
}

/// A runtime that speaks websocket; it is given the socket after `connected` and `start`.
pub(crate) async fn bot<F>(
    act: impl Fn(Ws, messages::Start) -> F + Clone + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime(move |stream| {
        let act = act.clone();
        async move {
            let mut socket = accept_async(stream).await.unwrap();
            assert_eq!(hear(&mut socket).await, Some(Said::Connected));
            let Some(Said::Start(start)) = hear(&mut socket).await else { panic!("no start") };
            act(socket, start).await;
        }
    })
    .await
}

pub(crate) async fn send(socket: &mut Ws, write: impl FnOnce(&mut String)) {
    let mut text = String::new();
    write(&mut text);
    socket.send(Message::Text(text.into())).await.unwrap();
}

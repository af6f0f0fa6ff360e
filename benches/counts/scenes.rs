//! What is counted, made ready: each scene has done its work before, so that nothing that happens
//! once is counted.

use std::{fs, hint::black_box, sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use switchback::{
    calls::{Entry, Journal, Live, Strays},
    carriers::{Answer, CarrierId, Endpoint, Leg, Request, room},
    domain::{
        Account, AccountOrigin, Direction, InboundCall, MediaFormat, MediaKey, Secret, UnixMillis,
    },
    edge::{Edge, Settings, prewarm},
    index::{Delta, Index, Writer},
    media::{
        bridge::Bridge,
        comfort::ComfortTone,
        interpreter::Interpreter,
        messages::{self, Message, Start},
    },
    runtime::{self, Dialer, Sources},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    runtime::Runtime,
    sync::mpsc,
};

use crate::common::{self, Seeded};

/// How often a thing is done while it is counted.
pub(crate) const ROUNDS: usize = 100;

const CONTACTS: u64 = 10_000;
const CALLS: u64 = 1000;
const NOW: UnixMillis = UnixMillis(common::NOW * 1000);
const HOST: &str = "edge.example.com";
const URL: &str = "https://edge.example.com/carriers/main/voice";

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn index() -> (Index, Writer) {
    let (index, mut writer) = Index::new(None);
    writer.apply(&common::installation());
    for first in (0..CONTACTS).step_by(1000) {
        writer.apply(&[Delta::Touches((first..first + 1000).flat_map(common::touches).collect())]);
    }
    (index, writer)
}

/// A thousand decisions.
pub(crate) struct Deciding {
    pub(crate) index: Index,
    pub(crate) calls: Vec<InboundCall>,
    pub(crate) now: UnixMillis,
}

impl Deciding {
    pub(crate) fn return_calls() -> Self {
        Self::of((0..CALLS).map(|n| common::return_call(n * 7 % CONTACTS)).collect())
    }

    pub(crate) fn strangers() -> Self {
        let mut seeded = Seeded(1);
        Self::of((0..CALLS).map(|_| common::strangers_call(&mut seeded)).collect())
    }

    fn of(calls: Vec<InboundCall>) -> Self {
        let scene = Self { index: index().0, calls, now: NOW };
        for call in &scene.calls {
            black_box(switchback::routing::decide(&scene.index.view(), call, NOW));
        }
        scene
    }
}

/// A thousand contacts' touches, an entry each.
pub(crate) struct Applying {
    pub(crate) writer: Writer,
    pub(crate) entries: Vec<[Delta; 1]>,
    _index: Index,
}

impl Applying {
    pub(crate) fn new() -> Self {
        let (index, writer) = index();
        let entries = (CONTACTS..CONTACTS + CALLS).map(|n| [Delta::Touches(common::touches(n))]);
        Self { writer, entries: entries.collect(), _index: index }
    }
}

/// A carrier's call to us, as its room reads and answers it.
pub(crate) struct Rooming {
    carrier: CarrierId,
    account: Account,
    headers: HeaderMap,
    body: String,
    out: Vec<u8>,
}

impl Rooming {
    pub(crate) fn new(carrier: CarrierId) -> Self {
        let (account, body) = peer(carrier);
        let is_form = body.contains('=') && !body.starts_with('{');
        let media_type =
            if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let unsigned =
            Request { method: &Method::POST, url: URL, headers: &headers, body: body.as_bytes() };
        let signed = room(carrier).sign(&unsigned, &account, NOW);
        headers.extend(signed);
        let mut scene = Self { carrier, account, headers, body, out: Vec::with_capacity(2048) };
        scene.receive();
        scene.answer();
        scene
    }

    pub(crate) fn receive(&self) {
        let Self { carrier, account, headers, body, .. } = self;
        let request = Request { method: &Method::POST, url: URL, headers, body: body.as_bytes() };
        let received = room(*carrier).receive(Endpoint::Voice, black_box(&request), account, NOW);
        black_box(received.unwrap());
    }

    pub(crate) fn answer(&mut self) {
        let answer = Answer::Media {
            url: "wss://edge.example.com/media/0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d8",
            status_url: "https://edge.example.com/carriers/main/status",
            resume_url: "https://edge.example.com/carriers/main/resume?call=1&attempt=0",
            format: MediaFormat::PCMU_8000,
            parameters: &[("call_id", "0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c")],
        };
        let leg = Leg {
            account: &self.account,
            carrier_call_id: "45511683-6b91-4098-85cb-e08fa3a11f22",
            event_id: None,
            direction: Direction::Inbound,
            is_answered: false,
            call: InboundCall::UNKNOWN,
        };
        black_box(room(self.carrier).answer(black_box(&answer), &leg, &mut self.out));
        black_box(&self.out);
    }
}

/// An account of that kind, and the body that tells it of a call.
fn peer(carrier: CarrierId) -> (Account, String) {
    let mut account = Account::named("main".to_owned(), carrier, AccountOrigin::File);
    let json = |file: &str| -> Value { serde_json::from_str(&fixture(file)).unwrap() };
    let text = |of: &Value, at: &str| of.pointer(at).and_then(Value::as_str).unwrap().to_owned();
    let body = match carrier {
        CarrierId::Twilio | CarrierId::TelnyxTexml => {
            account.account_id = "AC66acdc865fff60921f34dac80d62be2f".to_owned();
            account.secrets = vec![Secret::new("3f1c0a9e7b5d48264c8e1f2a6b3d5c70".to_owned())];
            fixture("twilio/inbound_voice.form")
        }
        CarrierId::SignalWire => {
            account.account_id = "b08dacad-2f6c-4de1-93d6-cc732e0c69c5".to_owned();
            account.secrets = vec![Secret::new("PSK_3f1c0a9e7b5d48264c8e1f2a6b3d".to_owned())];
            let call = fixture("twilio/inbound_voice.form");
            call.replace("AC66acdc865fff60921f34dac80d62be2f", &account.account_id)
        }
        CarrierId::Plivo => {
            let webhooks = json("plivo/webhooks.json");
            account.account_id = text(&webhooks, "/auth_id");
            account.secrets = vec![Secret::new(text(&webhooks, "/auth_token"))];
            text(&webhooks, "/webhooks/0/body")
        }
        CarrierId::Bandwidth => {
            let webhooks = json("bandwidth/webhooks.json");
            account.account_id = "9915855".to_owned();
            let shown = [text(&webhooks, "/username"), text(&webhooks, "/password")].join(":");
            account.secrets = vec![Secret::new(shown)];
            text(&webhooks, "/webhooks/1/body")
        }
        CarrierId::Vonage => {
            let webhooks = json("vonage/webhooks.json");
            account.account_id = text(&webhooks, "/api_key");
            account.application_id = text(&webhooks, "/application_id");
            account.secrets = vec![Secret::new(text(&webhooks, "/signature_secret"))];
            text(&webhooks, "/webhooks/0/body")
        }
        CarrierId::Telnyx => {
            let seed = [7; 32];
            let public = SigningKey::from_bytes(&seed).verifying_key();
            let written = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
            account.secrets = vec![Secret::new(written(public.as_bytes()))];
            account.api.private_key = Some(Secret::new(written(&seed)));
            let event = fixture("telnyx/call_initiated.json");
            let named: Value = serde_json::from_str(&event).unwrap();
            account.application_id = text(&named, "/data/payload/connection_id");
            event
        }
    };
    (account, body.trim_end().to_owned())
}

/// Whole requests, as hyper hands them to the edge and takes its answers; what the edge hands on is
/// thrown away. A hundred calls, no two alike.
pub(crate) struct Edging {
    runtime: Runtime,
    socket: DuplexStream,
    updates: mpsc::Receiver<Entry>,
    requests: Vec<Vec<u8>>,
    _edge: Arc<Edge>,
}

impl Edging {
    pub(crate) fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (index, mut writer) = index();
        let (mut account, body) = peer(CarrierId::Twilio);
        account.id = common::ACCOUNT;
        let key = MediaKey { id: 1, secret: [5; 32] };
        writer.apply(&[Delta::Account(account.clone()), Delta::MediaKeys(vec![key])]);
        let (journal, updates) = Journal::new();
        let live = Arc::new(Live::new(journal));
        let (strays, _) = Strays::new();
        let (orders, _) = mpsc::channel(1);
        let settings = Settings {
            public_url: format!("https://{HOST}"),
            media_url: format!("wss://{HOST}"),
            trusted_proxies: Vec::new(),
            prewarm: prewarm::Settings { is_on: false, ..Default::default() },
            comfort_tone: ComfortTone::Off,
            control_url: None,
        };
        let dialer = Dialer::new(&runtime::Settings::default()).unwrap();
        let sources = Sources {
            context: Arc::new(|_, _| Box::pin(async { None })),
            transcript: Arc::new(|_, _, _| Box::pin(async { Some(Vec::new()) })),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let edge = runtime.block_on(async {
            Arc::new(Edge::new(settings, index, live, strays, dialer, sources, orders))
        });
        let (socket, served) = tokio::io::duplex(64 * 1024);
        let handler = Arc::clone(&edge);
        let service = service_fn(move |request| {
            let answered = Arc::clone(&handler).handle(request, ([127, 0, 0, 1], 9).into());
            async move { Ok::<_, std::convert::Infallible>(answered.await) }
        });
        runtime.spawn(http1::Builder::new().serve_connection(TokioIo::new(served), service));
        let calls =
            |first: u64| (first..first + ROUNDS as u64).map(|n| request(n, &account, &body));
        let requests = calls(0).collect();
        let mut scene = Self { runtime, socket, updates, requests, _edge: edge };
        scene.ask();
        scene.requests = calls(ROUNDS as u64).collect();
        scene
    }

    /// Sends every request and reads its answer.
    pub(crate) fn ask(&mut self) {
        let Self { runtime, socket, updates, requests, .. } = self;
        let mut buffer = vec![0; 16 * 1024];
        runtime.block_on(async {
            for request in requests {
                socket.write_all(request).await.unwrap();
                let len = socket.read(&mut buffer).await.unwrap();
                let answer = buffer.get(..len).unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200"), "answered");
                assert!(answer.ends_with(b"</Response>"), "whole");
                while updates.try_recv().is_ok() {}
            }
        });
    }
}

/// The `n`th person's return call.
fn request(n: u64, account: &Account, form: &str) -> Vec<u8> {
    let call = common::return_call(n);
    let body = form
        .replace("14155550117", &common::person(n).as_u64().to_string())
        .replace("12125550142", &call.dnis.unwrap().as_u64().to_string())
        .replace("CAb27b806e16e007b36784197374f40f63", &format!("CA{n:032x}"));
    let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, media_type)]);
    let (method, bytes) = (&Method::POST, body.as_bytes());
    let unsigned = Request { method, url: URL, headers: &headers, body: bytes };
    let signed = room(CarrierId::Twilio).sign(&unsigned, account, NOW);
    let signature = signed.get("x-twilio-signature").unwrap().to_str().unwrap();
    format!(
        "POST /carriers/main/voice HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: TwilioProxy/1.1\r\n\
         Accept: */*\r\nX-Twilio-Signature: {signature}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    )
    .into_bytes()
}

/// A frame of audio on its way through the bridge.
pub(crate) struct Relaying {
    bridge: Bridge,
    frame: String,
}

impl Relaying {
    pub(crate) fn passed() -> Self {
        Self::of(|start| start)
    }

    pub(crate) fn renamed() -> Self {
        Self::of(|start| Start { stream_sid: "MZ0".repeat(11), ..start })
    }

    fn of(joined: impl FnOnce(Start) -> Start) -> Self {
        let session = fixture("twilio/media_stream_session.jsonl");
        let first = messages::parse(session.lines().nth(1).unwrap()).unwrap().message;
        let Message::Start(start) = first else { unreachable!("the fixture's second line") };
        let mut bridge = Bridge::new(start.clone());
        bridge.begin(start.clone());
        bridge.join(&joined(start));
        while bridge.next_for_runtime().is_some() {}
        let mut scene = Self { bridge, frame: session.lines().nth(10).unwrap().into() };
        scene.relay();
        scene
    }

    pub(crate) fn relay(&mut self) {
        self.bridge.from_carrier(black_box(&self.frame));
        black_box(self.bridge.next_for_runtime()).unwrap();
    }
}

/// A frame of audio each way between mu-law and a runtime that wants linear samples.
pub(crate) struct Translating {
    between: Interpreter,
    heard: String,
    said: String,
}

impl Translating {
    pub(crate) fn new(format: MediaFormat) -> Self {
        let carrier = MediaFormat::PCMU_8000;
        let frame = |format: MediaFormat| {
            let mut text = String::new();
            let bytes = vec![0x55; format.bytes_of_ms(20)];
            let payload = base64_simd::STANDARD.encode_to_string(bytes);
            messages::write_audio(&mut text, "MZ1", &payload);
            text
        };
        let between = Interpreter::new(carrier, format, "MZ1".to_owned()).unwrap();
        let mut scene = Self { between, heard: frame(carrier), said: frame(format) };
        scene.both_ways();
        scene
    }

    pub(crate) fn both_ways(&mut self) {
        black_box(self.between.for_runtime(black_box(&self.heard)));
        self.between.from_runtime(black_box(&self.said), Duration::ZERO);
        black_box(self.between.next_for_bridge());
    }
}

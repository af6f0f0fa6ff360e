//! What one webhook costs besides the network (verify, parse, answer), and one frame of audio. Run
//! with `cargo bench --bench codec`.
#![expect(unsafe_code, reason = "a counting allocator has to be one")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints what it measures")]

#[path = "common/framings.rs"]
mod framings;
#[expect(dead_code, reason = "only what was asked of it counts here")]
#[path = "common/heap.rs"]
mod heap;

use std::{borrow::Cow, fs, hint::black_box, time::Duration};

use criterion::{Criterion, Throughput};
use heap::Heap;
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use switchback::{
    carriers::{
        Answer, CarrierId, Endpoint, Leg, Request, room,
        shared::{
            form::Form,
            hmac::{Algorithm, MacText},
        },
    },
    domain::{
        Account, AccountApi, AccountId, AccountOrigin, ByteOrder, Direction, InboundCall,
        MediaFormat, Secret, UnixMillis,
    },
    media::{
        bridge::Bridge,
        carrier_leg::CarrierLeg,
        framing::{Frame, Framing, Heard, Said},
        interpreter::Interpreter,
        messages::{self, Message, Start},
    },
};

#[global_allocator]
static HEAP: Heap = Heap;

const URL: &str = "https://edge.example.com/carriers/main/voice";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    webhook(&mut criterion);
    plivo(&mut criterion);
    signalwire(&mut criterion);
    bandwidth(&mut criterion);
    vonage(&mut criterion);
    telnyx(&mut criterion);
    media_frame(&mut criterion);
    carrier_frame(&mut criterion);
    other_format(&mut criterion);
    criterion.final_summary();
}

/// A frame of audio on its way through the bridge: read, queued, handed on; untouched, and as of
/// another stream.
fn media_frame(criterion: &mut Criterion) {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/twilio/media_stream_session.jsonl");
    let session = fs::read_to_string(file).unwrap();
    let Message::Start(start) = messages::parse(session.lines().nth(1).unwrap()).unwrap().message
    else {
        return;
    };
    let frame = session.lines().nth(10).unwrap();
    let mut group = criterion.benchmark_group("media_frame");
    group.throughput(Throughput::Elements(1));
    group.bench_function("scan", |bencher| {
        bencher.iter(|| black_box(messages::media(black_box(frame))).is_some());
    });
    let renamed = Start { stream_sid: "MZ0".repeat(11), ..start.clone() };
    for (name, joined) in [("passed", &start), ("renamed", &renamed)] {
        let mut bridge = Bridge::new(start.clone());
        bridge.begin(start.clone());
        bridge.join(joined);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                bridge.from_carrier(black_box(frame));
                black_box(bridge.next_for_runtime()).is_some()
            });
        });
    }
    // What anybody would write first.
    let through_a_tree = || {
        let mut tree: serde_json::Value = serde_json::from_str(black_box(frame)).unwrap();
        *tree.get_mut("streamSid").unwrap() = renamed.stream_sid.as_str().into();
        black_box(tree.to_string())
    };
    group.bench_function("renamed_through_serde_json_value", |bencher| {
        bencher.iter(through_a_tree);
    });
    group.finish();

    for (name, joined) in [("passed", &start), ("renamed", &renamed)] {
        let mut bridge = Bridge::new(start.clone());
        bridge.begin(start.clone());
        bridge.join(joined);
        let pass = || {
            bridge.from_carrier(black_box(frame));
            black_box(bridge.next_for_runtime());
        };
        println!("media_frame/{name}: {:.2} allocations a frame", allocations(pass));
    }
    let tree = allocations(|| drop(through_a_tree()));
    println!("media_frame/renamed_through_serde_json_value: {tree:.2} allocations a frame");
}

/// A frame of audio to and from a carrier that speaks otherwise than Twilio, in time.
fn carrier_frame(criterion: &mut Criterion) {
    for name in ["text", "binary"] {
        let framing = || -> Box<dyn Framing> {
            match name {
                "text" => Box::new(framings::Text),
                _ => Box::new(framings::Binary),
            }
        };
        let format = framing().outbound_format();
        let bytes = vec![0x55; format.bytes_of_ms(20)];
        let payload = base64_simd::STANDARD.encode_to_string(&bytes);
        let mut said = String::new();
        messages::write_audio(&mut said, "MZ1", &payload);
        let heard = match name {
            "text" => Frame::Text(Cow::Borrowed(said.as_str())),
            _ => Frame::Binary(Cow::Borrowed(bytes.as_slice())),
        };
        let start = Start { stream_sid: "MZ1".to_owned(), ..Start::default() };
        let order = ByteOrder::Little;
        let Some(mut leg) = CarrierLeg::new(framing(), String::new(), format, order, start) else {
            return;
        };
        let mut now = Duration::ZERO;
        let mut group = criterion.benchmark_group("carrier_frame");
        group.throughput(Throughput::Elements(1));
        let mut read = || {
            leg.read(black_box(&heard), now);
            black_box(leg.next_for_bridge());
        };
        group.bench_function(format!("{name}_in"), |bencher| bencher.iter(&mut read));
        println!("carrier_frame/{name}_in: {:.2} allocations a frame", allocations(&mut read));
        let mut write = || {
            leg.take(black_box(&said), now);
            drop(black_box(leg.next_for_carrier(now)));
            now += Duration::from_millis(20);
        };
        group.bench_function(format!("{name}_out"), |bencher| bencher.iter(&mut write));
        println!("carrier_frame/{name}_out: {:.2} allocations a frame", allocations(&mut write));
        group.finish();
    }
}

/// A frame of audio between a carrier that speaks mu-law and a runtime that does not.
fn other_format(criterion: &mut Criterion) {
    let carrier = MediaFormat::PCMU_8000;
    let frame = |format: MediaFormat| {
        let mut text = String::new();
        let payload = base64_simd::STANDARD.encode_to_string(vec![0x55; format.bytes_of_ms(20)]);
        messages::write_audio(&mut text, "MZ1", &payload);
        text
    };
    let heard = frame(MediaFormat::PCMU_8000);
    base64_alone(criterion, carrier);
    for (name, format) in [
        ("l16_8000", MediaFormat::L16_8000),
        ("l16_16000", MediaFormat::L16_16000),
        ("l16_24000", MediaFormat::L16_24000),
    ] {
        let said = frame(format);
        let Some(mut between) = Interpreter::new(carrier, format, "MZ1".to_owned()) else {
            return;
        };
        let mut group = criterion.benchmark_group("other_format");
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{name}_to_runtime"), |bencher| {
            bencher.iter(|| between.for_runtime(black_box(&heard)).is_some());
        });
        group.bench_function(format!("{name}_to_carrier"), |bencher| {
            bencher.iter(|| {
                between.from_runtime(black_box(&said), Duration::ZERO);
                black_box(between.next_for_bridge()).is_some()
            });
        });
        group.finish();
        let heard = allocations(|| {
            black_box(between.for_runtime(&heard).is_some());
        });
        println!("other_format/{name}_to_runtime: {heard:.2} allocations a frame");
        let said = allocations(|| {
            between.from_runtime(&said, Duration::ZERO);
            black_box(between.next_for_bridge());
        });
        println!("other_format/{name}_to_carrier: {said:.2} allocations a frame");
    }
}

/// What no way of translating a frame is without: its payload read and written.
fn base64_alone(criterion: &mut Criterion, format: MediaFormat) {
    let mut bytes = vec![0x55; format.bytes_of_ms(20)];
    let payload = base64_simd::STANDARD.encode_to_string(&bytes);
    let mut coded = String::with_capacity(payload.len());
    criterion.benchmark_group("other_format").bench_function("base64_alone", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            coded.clear();
            drop(base64_simd::STANDARD.decode_append(black_box(&payload), &mut bytes));
            base64_simd::STANDARD.encode_append(&bytes, &mut coded);
            black_box(&coded);
        });
    });
}

fn allocations(mut run: impl FnMut()) -> f64 {
    const RUNS: u32 = 10_000;
    // The queues have grown after a few.
    (0..100).for_each(|_| run());
    let before = Heap::allocations();
    (0..RUNS).for_each(|_| run());
    (Heap::allocations() - before) as f64 / f64::from(RUNS)
}

/// A recorded inbound call's webhook, and the document that connects it to a media socket.
fn webhook(criterion: &mut Criterion) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/twilio/inbound_voice.form");
    let body = fs::read(file).unwrap();
    let account = account();
    let twilio = room(CarrierId::Twilio);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    let request = Request { method: &Method::POST, url: URL, headers: &headers, body: &body };
    let mut signed = twilio.sign(&request, &account, UnixMillis(0));
    signed.extend(headers.clone());
    let request = Request { headers: &signed, ..request };
    let answer = Answer::Media {
        url: concat!(
            "wss://edge.example.com/media/",
            "0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d87e3b9a6c5d4e",
        ),
        status_url: "https://edge.example.com/carriers/main/status",
        resume_url: concat!(
            "https://edge.example.com/carriers/main/resume",
            "?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c&attempt=0",
        ),
        format: MediaFormat::PCMU_8000,
        parameters: &[("call_id", "0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c")],
    };
    let leg = Leg {
        account: &account,
        carrier_call_id: "CA",
        event_id: None,
        direction: Direction::Inbound,
        is_answered: false,
        call: InboundCall::UNKNOWN,
    };
    let mut out = Vec::with_capacity(1024);
    let receive = || twilio.receive(Endpoint::Voice, &request, &account, UnixMillis(0)).unwrap();

    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(1));
    group.bench_function("webhook", |bencher| {
        bencher.iter(|| {
            black_box(receive());
            black_box(twilio.answer(black_box(&answer), &leg, &mut out));
            black_box(&out);
        });
    });
    group.bench_function("receive", |bencher| bencher.iter(receive));
    group.bench_function("answer", |bencher| {
        bencher.iter(|| {
            black_box(twilio.answer(black_box(&answer), &leg, &mut out));
            black_box(&out);
        });
    });
    let text = signing_string(std::str::from_utf8(&body).unwrap());
    let key = account.secrets.first().unwrap().reveal().as_bytes();
    group.bench_function("hmac_sha1_alone", |bencher| {
        bencher.iter(|| {
            let pieces = std::iter::once(black_box(text.as_bytes()));
            black_box(MacText::compute(Algorithm::Sha1, key, pieces))
        });
    });
    group.finish();
}

/// The same of Plivo, and its frames of audio both ways.
fn plivo(criterion: &mut Criterion) {
    let fixture = |name: &str| -> serde_json::Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plivo");
        serde_json::from_slice(&fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
    };
    let (webhooks, sessions) = (fixture("webhooks.json"), fixture("media_sessions.json"));
    let text = |file: &serde_json::Value, at: &str| {
        file.pointer(at).and_then(serde_json::Value::as_str).unwrap().to_owned()
    };
    let mut account = Account::named("main".to_owned(), CarrierId::Plivo, AccountOrigin::File);
    account.account_id = text(&webhooks, "/auth_id");
    account.secrets = vec![Secret::new(text(&webhooks, "/auth_token"))];
    let room_bench = RoomBench {
        carrier: CarrierId::Plivo,
        account: &account,
        content_type: "application/x-www-form-urlencoded",
        body: &text(&webhooks, "/webhooks/0/body"),
        frame: Frame::Text(text(&sessions, "/sessions/0/lines/1/text").into()),
    };
    room_bench.run(criterion);
}

/// The same of SignalWire, whose bodies and frames are Twilio's with other ids.
fn signalwire(criterion: &mut Criterion) {
    let fixture = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/twilio");
        fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    let (call, session) = (fixture("inbound_voice.form"), fixture("media_stream_session.jsonl"));
    let mut account = Account::named("main".to_owned(), CarrierId::SignalWire, AccountOrigin::File);
    account.account_id = "b08dacad-2f6c-4de1-93d6-cc732e0c69c5".to_owned();
    account.secrets = vec![Secret::new("PSK_3f1c0a9e7b5d48264c8e1f2a6b3d5c70".to_owned())];
    let body = call.replace("AC66acdc865fff60921f34dac80d62be2f", &account.account_id);
    let room_bench = RoomBench {
        carrier: CarrierId::SignalWire,
        account: &account,
        content_type: "application/x-www-form-urlencoded",
        body: &body,
        frame: Frame::Text(session.lines().nth(10).unwrap().into()),
    };
    room_bench.run(criterion);
}

/// The same of Vonage, whose frames are bytes.
fn vonage(criterion: &mut Criterion) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vonage");
    let webhooks = fs::read(format!("{folder}/webhooks.json")).unwrap();
    let webhooks: serde_json::Value = serde_json::from_slice(&webhooks).unwrap();
    let text = |at: &str| webhooks.pointer(at).and_then(serde_json::Value::as_str).unwrap();
    let mut account = Account::named("main".to_owned(), CarrierId::Vonage, AccountOrigin::File);
    account.account_id = text("/api_key").to_owned();
    account.application_id = text("/application_id").to_owned();
    account.secrets = vec![Secret::new(text("/signature_secret").to_owned())];
    let room_bench = RoomBench {
        carrier: CarrierId::Vonage,
        account: &account,
        content_type: "application/json",
        body: text("/webhooks/0/body"),
        frame: Frame::Binary(vec![7; 320].into()),
    };
    room_bench.run(criterion);
}

/// The same of Bandwidth.
fn bandwidth(criterion: &mut Criterion) {
    let fixture = |name: &str| -> serde_json::Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bandwidth");
        serde_json::from_slice(&fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
    };
    let (webhooks, sessions) = (fixture("webhooks.json"), fixture("media_sessions.json"));
    let text = |file: &serde_json::Value, at: &str| {
        file.pointer(at).and_then(serde_json::Value::as_str).unwrap().to_owned()
    };
    let mut account = Account::named("main".to_owned(), CarrierId::Bandwidth, AccountOrigin::File);
    account.account_id = "9915855".to_owned();
    let shown = [text(&webhooks, "/username"), text(&webhooks, "/password")].join(":");
    account.secrets = vec![Secret::new(shown)];
    let room_bench = RoomBench {
        carrier: CarrierId::Bandwidth,
        account: &account,
        content_type: "application/json",
        // With an attestation, as most calls of that country.
        body: &text(&webhooks, "/webhooks/1/body"),
        frame: Frame::Text(text(&sessions, "/sessions/0/lines/1/text").into()),
    };
    room_bench.run(criterion);
}

/// The same of Telnyx, whose webhooks are signed by a key pair.
fn telnyx(criterion: &mut Criterion) {
    let fixture = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/telnyx");
        fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    let seed = [7; 32];
    let public_key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let base64 = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
    let mut account = Account::named("main".to_owned(), CarrierId::Telnyx, AccountOrigin::File);
    account.secrets = vec![Secret::new(base64(public_key.as_bytes()))];
    account.api.private_key = Some(Secret::new(base64(&seed)));
    let (call, session) = (fixture("call_initiated.json"), fixture("media_stream_session.jsonl"));
    let room_bench = RoomBench {
        carrier: CarrierId::Telnyx,
        account: &account,
        content_type: "application/json",
        body: &call,
        frame: Frame::Text(session.lines().nth(10).unwrap().into()),
    };
    room_bench.run(criterion);
}

/// What is measured of a room.
struct RoomBench<'b> {
    carrier: CarrierId,
    account: &'b Account,
    content_type: &'static str,
    /// An inbound call's webhook.
    body: &'b str,
    /// A message of the media socket with 20 ms of audio.
    frame: Frame<'b>,
}

impl RoomBench<'_> {
    fn run(&self, criterion: &mut Criterion) {
        let (room, account) = (room(self.carrier), self.account);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, self.content_type.parse().unwrap());
        let body = self.body.as_bytes();
        let request = Request { method: &Method::POST, url: URL, headers: &headers, body };
        let mut signed = room.sign(&request, account, UnixMillis(0));
        signed.extend(headers.clone());
        let request = Request { headers: &signed, ..request };
        let answer = Answer::Media {
            url: "wss://edge.example.com/media/0190f7a2c4d87e3b9a6c5d4e3f2a1b0c0190f7a2c4d8",
            status_url: "https://edge.example.com/carriers/main/status",
            resume_url: "https://edge.example.com/carriers/main/resume?call=1&attempt=0",
            format: MediaFormat::PCMU_8000,
            parameters: &[],
        };
        let leg = Leg {
            account,
            carrier_call_id: "45511683-6b91-4098-85cb-e08fa3a11f22",
            event_id: None,
            direction: Direction::Inbound,
            is_answered: false,
            call: InboundCall::UNKNOWN,
        };
        let mut out = Vec::with_capacity(1024);
        let mut group = criterion.benchmark_group(self.carrier.as_str());
        group.throughput(Throughput::Elements(1));
        group.bench_function("receive", |bencher| {
            bencher.iter(|| room.receive(Endpoint::Voice, &request, account, UnixMillis(0)));
        });
        group.bench_function("answer", |bencher| {
            bencher.iter(|| {
                black_box(room.answer(black_box(&answer), &leg, &mut out));
                black_box(&out);
            });
        });
        let framing = room.framing(MediaFormat::PCMU_8000, account).unwrap();
        let frame = &self.frame;
        group.bench_function("frame_in", |bencher| {
            bencher.iter(|| framing.read(black_box(frame)).is_ok());
        });
        let Heard::Audio(audio) = framing.read(frame).unwrap() else { return };
        let said = Said::Audio(audio.payload.clone());
        group.bench_function("frame_out", |bencher| {
            bencher.iter(|| framing.write(black_box(&said), "stream"));
        });
        group.finish();
        let carrier = self.carrier;
        let read = allocations(|| {
            black_box(framing.read(frame).is_ok());
        });
        println!("{carrier}/frame_in: {read:.2} allocations a frame");
        let write = allocations(|| drop(black_box(framing.write(&said, "stream"))));
        println!("{carrier}/frame_out: {write:.2} allocations a frame");
    }
}

/// The text that is signed: the least that any verification must read.
fn signing_string(body: &str) -> String {
    let form = Form::parse(body).unwrap();
    let pairs = form.sorted();
    let parameters = pairs.iter().flat_map(|pair| [pair.name(), pair.value()]);
    std::iter::once(URL).chain(parameters).collect()
}

fn account() -> Account {
    Account {
        id: AccountId::of_name("main"),
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

//! What reads what somebody else wrote, under libFuzzer: the first byte says which
//! parser gets the rest. A panic, a hang and memory beyond a limit are found; where two readers
//! should agree, that they do.
#![no_main]

use std::{borrow::Cow, hint::black_box, sync::LazyLock};

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use libfuzzer_sys::{Corpus, fuzz_target};
use switchback::{
    carriers::{
        CarrierId, Endpoint, Request, room,
        shared::{form::Form, query, request::RawRequest},
    },
    dialects::{PrivateHosts, own::Document},
    domain::{Account, E164, MediaFormat, MediaKey, UnixMillis},
    edge::token,
    media::{
        bridge::Bridge,
        framing::{Frame, Framing},
        messages::{self, CARRIER_MESSAGE_LEN_MAX, Message, Start},
        websocket::{Heard, Reader, Role, Violation},
    },
    replica::wire,
    simulator::open_account,
};

const NOW: UnixMillis = UnixMillis(1_767_268_800_000);
const URL: &str = "https://edge.example.com/carriers/main/voice";

/// One carrier's account, and the ways its media socket may speak.
struct Peer {
    account: Account,
    framings: Vec<Box<dyn Framing>>,
}

static PEERS: LazyLock<Vec<Peer>> = LazyLock::new(|| {
    let opened = CarrierId::ALL.iter().filter_map(|carrier| open_account(*carrier, "main"));
    let peers = opened.map(|(account, _)| {
        let spoken = [MediaFormat::PCMU_8000, MediaFormat::L16_16000];
        let framing = |format| room(account.carrier).framing(format, &account);
        Peer { framings: spoken.into_iter().filter_map(framing).collect(), account }
    });
    peers.collect()
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((&which, rest)) = input.split_first() else { return Corpus::Reject };
    match which % 16 {
        0..4 => webhook(rest),
        4 => reply(rest),
        5 => carrier_frame(rest),
        6..8 => message(rest),
        8 => bridge(rest),
        9..11 => websocket_bytes(rest),
        11 => form(rest),
        12 => document(rest),
        13 => log_entry(rest),
        14 => ticket(rest),
        _ => saved(rest),
    }
});

/// The text of an input, as far as it is one.
fn text(input: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// The peer that the next byte names. Signatures of curves take a hundred times what reading does,
/// so those who make them come up in one of sixteen.
fn peer(input: &[u8]) -> Option<(&'static Peer, &[u8])> {
    let (&which, rest) = input.split_first()?;
    let is_slow =
        |peer: &&Peer| matches!(peer.account.carrier, CarrierId::Telnyx | CarrierId::TelnyxTexml);
    let (place, is_wanted_slow) = (usize::from(which / 16), which % 16 == 15);
    let mut wanted = PEERS.iter().filter(|peer| is_slow(peer) == is_wanted_slow);
    let count = wanted.clone().count();
    Some((wanted.nth(place % count)?, rest))
}

/// A webhook with its carrier's own signature, so that all of it is read; and without one, so that
/// none of it is.
fn webhook(input: &[u8]) -> Corpus {
    let Some((Peer { account, .. }, rest)) = peer(input) else { return Corpus::Reject };
    let Some((&how, rest)) = rest.split_first() else { return Corpus::Reject };
    let endpoint = [Endpoint::Voice, Endpoint::Status, Endpoint::Resume][usize::from(how % 3)];
    let method = if how & 0x80 == 0 { Method::POST } else { Method::GET };
    let mut url = URL.to_owned();
    let mut body = rest;
    if how & 0x40 != 0 {
        // A query that the carrier gives back as it was given.
        let len = usize::from(how & 0x3f).min(rest.len());
        let (query, after) = rest.split_at(len);
        if let Ok(query) = str::from_utf8(query)
            && query.bytes().all(|byte| byte.is_ascii_graphic())
        {
            url = format!("{URL}?{query}");
        }
        body = after;
    }
    let form = "application/x-www-form-urlencoded; charset=UTF-8";
    let media_type = if body.first() == Some(&b'{') { "application/json" } else { form };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    let room = room(account.carrier);
    let request = Request { method: &method, url: &url, headers: &headers, body };
    let is_taken_unsigned = room.receive(endpoint, &request, account, NOW).is_ok();
    assert!(!is_taken_unsigned, "{}: unsigned", account.carrier);
    let mut signed = room.sign(&request, account, NOW);
    signed.extend(headers.clone());
    let request = Request { headers: &signed, ..request };
    black_box(room.receive(endpoint, &request, account, NOW).is_ok());
    black_box(room.verify_upgrade(&request, account).is_ok());
    Corpus::Keep
}

/// What a carrier's API replies.
fn reply(input: &[u8]) -> Corpus {
    const STATUSES: [u16; 8] = [200, 201, 202, 204, 400, 404, 429, 500];
    let Some((Peer { account, .. }, rest)) = peer(input) else { return Corpus::Reject };
    let Some((&status, body)) = rest.split_first() else { return Corpus::Reject };
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let room = room(account.carrier);
    black_box(room.looked(status, body));
    black_box(room.reply_outcome(status, body));
    black_box(room.is_account_id(&text(body)));
    Corpus::Keep
}

/// What a carrier's media socket says.
fn carrier_frame(input: &[u8]) -> Corpus {
    let Some((Peer { framings, .. }, rest)) = peer(input) else { return Corpus::Reject };
    for framing in framings {
        black_box(framing.read(&Frame::Text(text(rest))).is_ok());
        black_box(framing.read(&Frame::Binary(Cow::Borrowed(rest))).is_ok());
    }
    Corpus::Keep
}

/// A message as runtimes are spoken to. What the scan takes for audio is what the parser does.
fn message(input: &[u8]) -> Corpus {
    let text = text(input);
    let read = messages::parse(&text).map(|envelope| envelope.message);
    if let Some(media) = messages::media(&text)
        && let Ok(read) = read
    {
        assert_eq!(read, Message::Media(media.payload().to_owned()));
    }
    Corpus::Keep
}

/// Lines that a carrier and a runtime say in turns, and what is passed on of them.
fn bridge(input: &[u8]) -> Corpus {
    let mut bridge = Bridge::new(Start::default());
    for (place, line) in text(input).split('\n').enumerate() {
        match messages::parse(line).map(|envelope| envelope.message) {
            Ok(Message::Start(start)) => {
                bridge.begin(start.clone());
                bridge.join(&start);
            }
            _ if place % 2 == 0 => drop(black_box(bridge.from_carrier(line))),
            _ => drop(black_box(bridge.from_runtime(line))),
        }
        while bridge.next_for_carrier().is_some() {}
        if place % 8 == 7 {
            while bridge.next_for_runtime().is_some() {}
        }
    }
    Corpus::Keep
}

/// What was heard, with its payload, until something was wrong.
type Told = (Vec<(Heard, Vec<u8>)>, Option<Violation>);

fn told(role: Role, bytes: &[u8], piece: usize) -> Told {
    let mut reader = Reader::new(role, CARRIER_MESSAGE_LEN_MAX, Vec::new());
    let (mut told, mut rest) = (Vec::new(), bytes);
    loop {
        match reader.advance() {
            Ok(Some(heard)) => told.push((heard, reader.bytes().to_vec())),
            Ok(None) if rest.is_empty() => return (told, None),
            Ok(None) => {
                let room = reader.room();
                let (now, later) = rest.split_at(piece.min(rest.len()).min(room.len()));
                room[..now.len()].copy_from_slice(now);
                reader.came(now.len());
                rest = later;
            }
            Err(violation) => return (told, Some(violation)),
        }
    }
}

/// A websocket's bytes say the same in whatever pieces they come.
fn websocket_bytes(input: &[u8]) -> Corpus {
    let Some((&how, rest)) = input.split_first() else { return Corpus::Reject };
    let role = if how & 1 == 0 { Role::Client } else { Role::Server };
    assert_eq!(told(role, rest, usize::MAX), told(role, rest, 1 + usize::from(how >> 1)));
    Corpus::Keep
}

/// A form, and a URL's query.
fn form(input: &[u8]) -> Corpus {
    let text = text(input);
    if let Ok(form) = Form::parse(&text) {
        black_box(form.fields().len());
        for field in form.sorted().iter() {
            black_box(field);
        }
        black_box(form.get("CallSid"));
    }
    black_box(query::of(&text));
    black_box(E164::parse(&text));
    Corpus::Keep
}

/// A whole installation's setup, in YAML and in JSON.
fn document(input: &[u8]) -> Corpus {
    let private = PrivateHosts { runtime: false, redirect: false };
    for is_json in [true, false] {
        black_box(Document::read(input, is_json, private).is_ok());
    }
    Corpus::Keep
}

/// An entry of the log: what can be read is written as what says the same.
fn log_entry(input: &[u8]) -> Corpus {
    if let Ok(deltas) = wire::decode(input) {
        let again = wire::decode(&wire::encode(&deltas));
        assert_eq!(again.ok().as_deref(), Some(&*deltas));
    }
    Corpus::Keep
}

/// A ticket that nobody here signed.
fn ticket(input: &[u8]) -> Corpus {
    let keys = [MediaKey { id: 1, secret: [7; 32] }, MediaKey { id: 2, secret: [9; 32] }];
    assert!(token::read(&text(input), &keys, NOW).is_err());
    Corpus::Keep
}

/// A request that was saved in a file.
fn saved(input: &[u8]) -> Corpus {
    if let Ok(request) = RawRequest::parse(input) {
        black_box((request.path().len(), request.query().map(str::len)));
    }
    Corpus::Keep
}

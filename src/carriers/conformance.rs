//! What every room must keep, run against all of them. A carrier's own quirks are tested in its
//! room; here nothing is said of any carrier but what its requests look like.

use base64_simd::STANDARD;
use ed25519_dalek::SigningKey;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::domain::{AccountApi, AccountId, AccountOrigin, Ani, Direction, InboundCall, Secret};

pub(super) const NOW: UnixMillis = UnixMillis(1_767_268_800_000);
pub(super) const URL: &str = "https://edge.example.com/carriers/main/voice";

/// A carrier's requests as far as the table needs them.
pub(super) struct Peer {
    pub(super) account_id: &'static str,
    pub(super) media_type: &'static str,
    /// An inbound call: carrier's account, caller.
    pub(super) call: fn(&str, &str) -> String,
    /// An event nobody has heard of, of the carrier's account.
    unknown: fn(&str) -> String,
    /// Callers who hide their number.
    withheld: &'static [&'static str],
    /// Another account of the carrier's.
    foreign: &'static str,
    /// Its signature covers the body: where it does not, it is a password, and proves no more.
    pub(super) signs_body: bool,
    /// Its signature covers the URL.
    pub(super) signs_url: bool,
    /// It signs the upgrade of its media socket.
    signs_upgrade: bool,
}

pub(super) fn peer(carrier: CarrierId) -> Peer {
    match carrier {
        CarrierId::Bandwidth => bandwidth(),
        CarrierId::Plivo => plivo(),
        CarrierId::SignalWire => signalwire(),
        CarrierId::Telnyx => telnyx(),
        CarrierId::TelnyxTexml => telnyx_texml(),
        CarrierId::Twilio => twilio(),
        CarrierId::Vonage => vonage(),
    }
}

/// What a body is refused for that another was signed for.
fn tampered(carrier: CarrierId) -> Refused {
    match carrier {
        // Its token is as good as ever; the hash within is another's.
        CarrierId::Vonage => Refused::BodyMismatch,
        CarrierId::Bandwidth
        | CarrierId::Plivo
        | CarrierId::SignalWire
        | CarrierId::Telnyx
        | CarrierId::TelnyxTexml
        | CarrierId::Twilio => Refused::WrongSignature,
    }
}

fn bandwidth() -> Peer {
    Peer {
        account_id: "9915855",
        media_type: "application/json",
        call: |account, caller| {
            format!(
                r#"{{"eventType":"initiate","eventTime":"2026-01-01T12:00:00.000Z","accountId":
                "{account}","callId":"c-9bb346f5-e1c601de","from":"{caller}","to":"+12125550142",
                "direction":"inbound"}}"#
            )
        },
        unknown: |account| {
            format!(r#"{{"eventType":"newThing","accountId":"{account}","callId":"c-1"}}"#)
        },
        withheld: &["Private", "Restricted", "Unavailable", "Anonymous", ""],
        foreign: "9900008",
        signs_body: false,
        signs_url: false,
        signs_upgrade: true,
    }
}

fn plivo() -> Peer {
    Peer {
        account_id: "MAMO7XWB2XYF3PE8DP3J",
        media_type: "application/x-www-form-urlencoded",
        call: |account, caller| {
            let caller = caller.replace('+', "%2B");
            format!(
                "CallUUID=45511683-6b91-4098-85cb-e08fa3a11f22&ParentAuthID={account}\
                 &From={caller}&To=12125550142&CallStatus=ringing&Direction=inbound\
                 &Event=StartApp"
            )
        },
        unknown: |account| format!("ParentAuthID={account}&CallUUID=1&Event=SentimentGlad"),
        withheld: &["anonymous", "Restricted", "+266696687", "266696687", ""],
        foreign: "ACffffffffffffffffffffffffffffffff",
        signs_body: true,
        signs_url: true,
        signs_upgrade: true,
    }
}

fn signalwire() -> Peer {
    Peer {
        account_id: "b08dacad-2f6c-4de1-93d6-cc732e0c69c5",
        media_type: "application/x-www-form-urlencoded",
        call: |account, caller| {
            let caller = caller.replace('+', "%2B");
            format!(
                "CallSid=8d1b44b5-0d4c-4b4e-9b6f-2c3e6f1f7a01&AccountSid={account}&From={caller}\
                 &To=%2B12125550142&CallStatus=ringing&Direction=inbound"
            )
        },
        unknown: |account| format!("AccountSid={account}&CallSid=1&SentimentEvent=glad"),
        withheld: &["anonymous", "Restricted", "+266696687", ""],
        foreign: "00000000-0000-4000-8000-000000000000",
        signs_body: true,
        signs_url: true,
        signs_upgrade: true,
    }
}

fn telnyx() -> Peer {
    Peer {
        account_id: "2852154973938025540",
        media_type: "application/json",
        call: |account, caller| {
            format!(
                r#"{{"data":{{"event_type":"call.initiated","id":"0b9c4f0e","payload":{{
                "call_control_id":"v3:abc","connection_id":"{account}","from":"{caller}",
                "to":"+12125550142","direction":"incoming","state":"parked"}}}}}}"#
            )
        },
        unknown: |account| {
            format!(
                r#"{{"data":{{"event_type":"call.new.thing","payload":{{
                "call_control_id":"v3:abc","connection_id":"{account}"}}}}}}"#
            )
        },
        withheld: &["anonymous", "Restricted", ""],
        foreign: "1",
        signs_body: true,
        signs_url: false,
        signs_upgrade: false,
    }
}

fn telnyx_texml() -> Peer {
    Peer {
        account_id: "fdff4639-fa80-4d19-b199-315b7abe95be",
        media_type: "application/x-www-form-urlencoded",
        call: |account, caller| {
            let caller = caller.replace('+', "%2B");
            format!(
                "CallSid=v3%3Aabc&AccountSid={account}&From={caller}&To=%2B12125550142\
                 &CallStatus=ringing"
            )
        },
        unknown: |account| format!("AccountSid={account}&CallSid=v3%3Aabc&NewThing=1"),
        withheld: &["anonymous", "Restricted", ""],
        foreign: "00000000-0000-4000-8000-000000000000",
        signs_body: true,
        signs_url: false,
        signs_upgrade: false,
    }
}

fn twilio() -> Peer {
    Peer {
        account_id: "AC66acdc865fff60921f34dac80d62be2f",
        media_type: "application/x-www-form-urlencoded",
        call: |account, caller| {
            let caller = caller.replace('+', "%2B");
            format!(
                "CallSid=CAb27b806e16e007b36784197374f40f63&AccountSid={account}&From={caller}\
                 &To=%2B12125550142&CallStatus=ringing&Direction=inbound"
            )
        },
        unknown: |account| format!("AccountSid={account}&CallSid=CA1&SentimentEvent=glad"),
        withheld: &["anonymous", "Restricted", "+266696687", "266696687", ""],
        foreign: "ACffffffffffffffffffffffffffffffff",
        signs_body: true,
        signs_url: true,
        signs_upgrade: true,
    }
}

fn vonage() -> Peer {
    Peer {
        account_id: "dfe52f80",
        media_type: "application/json",
        call: |_, caller| {
            format!(
                r#"{{"from":"{caller}","to":"12125550142","conversation_uuid":"CON-1",
                "uuid":"37fbede4-8bef-46a4-a2ef-78f83147d680"}}"#
            )
        },
        unknown: |_| r#"{"conversation_uuid":"CON-1","new":["thing"]}"#.to_owned(),
        withheld: &["anonymous", "Restricted", "+266696687", "266696687", ""],
        // Its token names the account; the room's own tests change it.
        foreign: "",
        signs_body: true,
        signs_url: false,
        signs_upgrade: true,
    }
}

pub(super) fn account(carrier: CarrierId, secrets: &[&str]) -> Account {
    let mut account = Account {
        id: AccountId::of_name("main"),
        name: "main".to_owned(),
        carrier,
        tenant: None,
        account_id: peer(carrier).account_id.to_owned(),
        secrets: secrets.iter().map(|&secret| Secret::new(secret.to_owned())).collect(),
        application_id: String::new(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    };
    if matches!(carrier, CarrierId::Telnyx | CarrierId::TelnyxTexml) {
        // A public key signs nothing: who plays the carrier has the private one.
        let seed = |secret: &&str| <[u8; 32]>::from(Sha256::digest(secret));
        let public = |secret| {
            let key = SigningKey::from_bytes(&seed(secret)).verifying_key();
            Secret::new(STANDARD.encode_to_string(key.as_bytes()))
        };
        account.secrets = secrets.iter().map(public).collect();
        let first = secrets.first().map(|secret| STANDARD.encode_to_string(seed(secret)));
        account.api.private_key = first.map(Secret::new);
    }
    if carrier == CarrierId::Bandwidth {
        let shown = |secret| Secret::new(format!("switchback:{secret}"));
        account.secrets = secrets.iter().map(shown).collect();
    }
    if carrier == CarrierId::Vonage {
        // What its API is asked with; webhooks are signed with the secrets.
        let key = include_str!("../../tests/fixtures/vonage/test_only_rsa_key.pem");
        account.api.private_key = Some(Secret::new(key.to_owned()));
    }
    if carrier == CarrierId::Telnyx {
        account.application_id = std::mem::take(&mut account.account_id);
    }
    account
}

/// Signs one body and has the room receive another.
pub(super) fn receive<T>(
    carrier: CarrierId,
    endpoint: Endpoint,
    signed: &str,
    received: &str,
    then: impl FnOnce(Result<Webhook<'_>, Refused>) -> T,
) -> T {
    let account = account(carrier, &["the first", "the second"]);
    let plain = headers(carrier);
    let request = post(&plain, signed);
    let mut headers = room(carrier).sign(&request, &account, NOW);
    headers.extend(plain.clone());
    then(room(carrier).receive(endpoint, &post(&headers, received), &account, NOW))
}

pub(super) fn headers(carrier: CarrierId) -> HeaderMap {
    let media_type = HeaderValue::from_static(peer(carrier).media_type);
    HeaderMap::from_iter([(CONTENT_TYPE, media_type)])
}

pub(super) fn post<'a>(headers: &'a HeaderMap, body: &'a str) -> Request<'a> {
    Request { method: &Method::POST, url: URL, headers, body: body.as_bytes() }
}

#[track_caller]
fn refused(carrier: CarrierId, signed: &str, received: &str) -> Refused {
    receive(carrier, Endpoint::Voice, signed, received, |result| result.unwrap_err())
}

fn call(carrier: CarrierId, caller: &str) -> String {
    let Peer { account_id, call, .. } = peer(carrier);
    call(account_id, caller)
}

#[test]
fn only_what_the_accounts_carrier_signed_is_received() {
    for &carrier in CarrierId::ALL {
        let (body, other) = (call(carrier, "+14155550117"), call(carrier, "+14155550118"));
        receive(carrier, Endpoint::Voice, &body, &body, |result| assert!(result.is_ok()));
        receive(carrier, Endpoint::Voice, &body, &other, |result| {
            let expected = match peer(carrier).signs_body {
                true => Err(tampered(carrier)),
                false => Ok(()),
            };
            assert_eq!(result.map(drop), expected, "{carrier}: tampered");
        });

        let ours = account(carrier, &["ours"]);
        let plain = headers(carrier);
        let unsigned = post(&plain, &body);
        let receive = |request: &Request<'_>| {
            room(carrier).receive(Endpoint::Voice, request, &ours, NOW).map(drop)
        };
        assert_eq!(receive(&unsigned), Err(Refused::Unsigned), "{carrier}");
        let upgrade = room(carrier).verify_upgrade(&unsigned, &ours);
        let expected = if peer(carrier).signs_upgrade { Err(Refused::Unsigned) } else { Ok(()) };
        assert_eq!(upgrade, expected, "{carrier}: upgrade");

        let mut foreign = room(carrier).sign(&unsigned, &account(carrier, &["theirs"]), NOW);
        foreign.extend(plain.clone());
        let wrong = receive(&post(&foreign, &body));
        assert_eq!(wrong, Err(Refused::WrongSignature), "{carrier}: secret");
        let mut signed = room(carrier).sign(&unsigned, &ours, NOW);
        signed.extend(plain.clone());
        let url = "https://edge.example.com/carriers/other/voice";
        let wrong = receive(&Request { url, ..post(&signed, &body) });
        let expected = if peer(carrier).signs_url { Err(Refused::WrongSignature) } else { Ok(()) };
        assert_eq!(wrong, expected, "{carrier}: URL");
    }
}

#[test]
fn a_signature_excuses_neither_size_nor_another_account() {
    for &carrier in CarrierId::ALL {
        let long = format!("{}&x={}", call(carrier, "+14155550117"), "x".repeat(BODY_LEN_MAX));
        let cause = refused(carrier, &long, &long);
        assert!(matches!(cause, Refused::Malformed(_)), "{carrier}: {cause:?}");
        if peer(carrier).foreign.is_empty() {
            continue;
        }
        let foreign = (peer(carrier).call)(peer(carrier).foreign, "+14155550117");
        assert_eq!(refused(carrier, &foreign, &foreign), Refused::AccountMismatch, "{carrier}");
    }
}

#[test]
fn a_hidden_caller_is_nobody() {
    for &carrier in CarrierId::ALL {
        for caller in peer(carrier).withheld {
            let body = call(carrier, caller);
            receive(carrier, Endpoint::Voice, &body, &body, |result| {
                let Ok(Webhook { event: Event::Voice(voice), .. }) = result else {
                    panic!("{carrier}: {result:?}")
                };
                assert_eq!(voice.call.ani, Ani::Withheld, "{carrier}: {caller:?}");
                assert!(voice.call.dnis.is_some(), "{carrier}: {caller:?}");
            });
        }
    }
}

#[test]
fn a_repeated_request_reads_alike() {
    for &carrier in CarrierId::ALL {
        let body = call(carrier, "+14155550117");
        receive(carrier, Endpoint::Voice, &body, &body, |first| {
            receive(carrier, Endpoint::Voice, &body, &body, |second| {
                assert_eq!(first, second, "{carrier}");
            });
        });
    }
}

#[test]
fn an_unknown_event_is_taken_for_one() {
    for &carrier in CarrierId::ALL {
        let Peer { account_id, unknown, .. } = peer(carrier);
        let body = unknown(account_id);
        receive(carrier, Endpoint::Status, &body, &body, |result| {
            assert_eq!(result.unwrap().event, Event::Unknown, "{carrier}");
        });
    }
}

#[test]
fn no_text_breaks_out_of_an_answer() {
    let texts = [
        "</Say><Dial>+19005550100</Dial><Say>",
        "\"/><Parameter name=\"agent\" value=\"1",
        "'><x y='",
        "]]><!-- -->&lt;&#60;x&#62;",
        "\u{0}\u{1b}\r\n\t\u{fffe}",
        "{\"x\":\"\\\"}",
    ];
    for &carrier in CarrierId::ALL {
        for text in texts {
            let (hostile, harmless) = (answers(text), answers("x"));
            for (hostile, harmless) in hostile.iter().zip(&harmless) {
                let (hostile, harmless) = (document(carrier, hostile), document(carrier, harmless));
                assert_eq!(shape(&hostile), shape(&harmless), "{carrier}: {hostile}");
            }
        }
    }
}

/// Every answer that holds a text, with this text in every place.
fn answers(text: &str) -> [Answer<'_>; 4] {
    [
        Answer::Media {
            url: text,
            status_url: text,
            resume_url: text,
            format: MediaFormat::PCMU_8000,
            parameters: &[],
        },
        Answer::DialSip { address: text, resume_url: text },
        Answer::Redirect { url: text },
        Answer::Say { text, resume_url: text },
    ]
}

fn document(carrier: CarrierId, answer: &Answer<'_>) -> String {
    let mut out = Vec::new();
    let account = account(carrier, &["ours"]);
    let leg = Leg {
        account: &account,
        carrier_call_id: "call",
        event_id: None,
        direction: Direction::Inbound,
        is_answered: false,
        call: InboundCall::UNKNOWN,
    };
    match room(carrier).answer(answer, &leg, &mut out) {
        Reply::Document(_) => String::from_utf8(out).unwrap(),
        Reply::Request(request) => request.body,
    }
}

/// The names of its elements, with their attributes' names; of JSON the names in its objects.
fn shape(document: &str) -> Vec<Vec<String>> {
    if let Ok(json) = serde_json::from_str::<Value>(document) {
        return vec![names(&json)];
    }
    let document = roxmltree::Document::parse(document).unwrap();
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    elements
        .map(|node| {
            let attributes = node.attributes().map(|attribute| attribute.name().to_owned());
            std::iter::once(node.tag_name().name().to_owned()).chain(attributes).collect()
        })
        .collect()
}

fn names(json: &Value) -> Vec<String> {
    match json {
        Value::Object(fields) => {
            let named = |(name, value): (&String, &Value)| {
                std::iter::once(name.clone()).chain(names(value)).collect::<Vec<_>>()
            };
            fields.iter().flat_map(named).collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

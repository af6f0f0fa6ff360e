//! The room against tokens made by Vonage's own library, recorded webhooks, documents and media
//! sessions, and against noise.

use std::{fs, path::PathBuf, time::Duration};

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    carriers::{
        AnsweredBy, ApiError, Authorization, CallPage, Dial, DialOutcome, Event, FoundCall,
        NumberSearch, Progress, StreamEvent, VoiceRequest,
        shared::{
            diagnosis::{Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{
        AccountOrigin, Ani, CallStatus, CarrierId, DialFailure, Direction, E164, InboundCall,
        Secret,
    },
    media::{
        carrier_leg::CarrierLeg,
        framing::{Audio, Began, CallNamed, Frame, Heard, Payload, Piece, Said},
        messages::{self, Malformed, Start},
    },
};

const API_KEY: &str = "dfe52f80";
const APPLICATION: &str = "b27451af-72ae-4dcb-b089-35a40a274a99";
const SECRET: &str = "ZkutmCH3Acswv6H4JSQU4istLYGGDeYzHQsRhm3Sqo8jw3D7";
const NOW: UnixMillis = UnixMillis(1_791_335_950_000);
const CALL: &str = "37fbede4-8bef-46a4-a2ef-78f83147d680";
const SOCKET: &str = "wss://edge.example.com/media/7f3a";
const STEP: &str = "https://edge.example.com/carriers/main/resume?call=1&attempt=1";
const VOICE: &str = "https://edge.example.com/carriers/main/voice";

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/vonage", name].iter().collect();
    fs::read(path).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&file(name)).unwrap()
}

fn account(secrets: &[&str]) -> Account {
    let mut account = Account::named("main".to_owned(), CarrierId::Vonage, AccountOrigin::File);
    account.account_id = API_KEY.to_owned();
    account.application_id = APPLICATION.to_owned();
    account.secrets = secrets.iter().map(|&secret| Secret::new(secret.to_owned())).collect();
    let pem = String::from_utf8(file("test_only_rsa_key.pem")).unwrap();
    account.api.private_key = Some(Secret::new(pem));
    account
}

fn e164(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

/// A request as a fixture tells it.
struct Sent {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
}

impl Sent {
    fn of(case: &Value) -> Self {
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        let headers = case["headers"].as_object().unwrap().iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
        });
        Self {
            method: text("method").parse().unwrap(),
            url: text("url"),
            headers: headers.collect(),
            body: case["body"].as_str().unwrap_or_default().to_owned(),
        }
    }

    fn signed(id: &str) -> Self {
        let file = json("signed_webhooks.json");
        let cases = file["cases"].as_array().unwrap();
        Self::of(cases.iter().find(|case| case["id"] == id).unwrap())
    }

    /// Signed here, a minute ago.
    fn ours(url: &str, body: &Value) -> Self {
        let (method, body) = (Method::POST, body.to_string());
        let mut sent = Self { method, url: url.to_owned(), headers: HeaderMap::new(), body };
        sent.headers =
            Vonage.sign(&sent.request(), &account(&[SECRET]), UnixMillis(NOW.0 - 60_000));
        sent
    }

    fn request(&self) -> Request<'_> {
        let Self { method, url, headers, body } = self;
        Request { method, url, headers, body: body.as_bytes() }
    }

    fn receive(&self, endpoint: Endpoint) -> Result<Webhook<'_>, Refused> {
        Vonage.receive(endpoint, &self.request(), &account(&[SECRET]), NOW)
    }

    /// As a file for `doctor`.
    fn raw(&self) -> RawRequest {
        let target = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        RawRequest {
            method: self.method.clone(),
            target: format!("/{target}"),
            headers: self.headers.clone(),
            body: self.body.clone().into_bytes(),
        }
    }
}

#[test]
fn tokens_are_judged_as_the_vectors_say() {
    let file = json("signed_webhooks.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 35);
    for case in cases {
        let (id, sent) = (&case["id"], Sent::of(case));
        let now = UnixMillis(case["now"].as_u64().unwrap() * 1000);
        for secrets in [&[SECRET][..], &["another", SECRET], &[SECRET, "another"]] {
            let verdict = signature::verify(&sent.request(), &account(secrets), now);
            let expected = match case["reason"].as_str().unwrap() {
                // Whether it was seen before is for who has seen it.
                "ok" | "ok-compact-fallback" | "duplicate-jti" => Ok(()),
                "payload_hash" => Err(Refused::BodyMismatch),
                "signature" | "malformed" => Err(Refused::WrongSignature),
                "alg" | "iss" => Err(Refused::UnknownKey),
                "missing" => Err(Refused::Unsigned),
                "api_key" | "application_id" => Err(Refused::AccountMismatch),
                "iat" | "exp" => Err(Refused::Stale),
                other => panic!("{id}: {other}"),
            };
            assert_eq!(verdict, expected, "{id}");
            assert_eq!(verdict.is_ok(), case["accept"].as_bool().unwrap(), "{id}");
        }
        let wrong = signature::verify(&sent.request(), &account(&["another"]), now);
        assert!(wrong.is_err(), "{id}");
    }
}

#[test]
fn a_token_has_its_window_and_no_other_words() {
    let body = json!({ "uuid": CALL });
    let sent = |claims: &Value| {
        let mut sent = Sent::ours(VOICE, &body);
        let issued = URL_SAFE_NO_PAD.encode_to_string(claims.to_string());
        let head = URL_SAFE_NO_PAD.encode_to_string(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{head}.{issued}");
        let mac = signature::compute(&Secret::new(SECRET.to_owned()), &signed).base64url();
        let bearer = format!("Bearer {signed}.{mac}");
        sent.headers.insert(AUTHORIZATION, bearer.parse().unwrap());
        sent
    };
    let claims = |changed: Value| {
        let hash = "f8e0fd8e9c77ea5bbf35a6de2bbc4c9f9d3ba1f38d2ab8ee1d3ba9a1d2fb6d7a";
        let mut claims = json!({ "iat": NOW.0 / 1000, "jti": "1", "iss": "Vonage",
            "payload_hash": hash, "api_key": API_KEY });
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let check = |changed: Value, expected: Refused| {
        let sent = sent(&claims(changed.clone()));
        assert_eq!(sent.receive(Endpoint::Voice).unwrap_err(), expected, "{changed}");
    };
    let now = NOW.0 / 1000;
    // Rightly timed, it is refused for the hash, which is looked at last.
    for iat in [now - 300, now + 300] {
        check(json!({ "iat": iat }), Refused::BodyMismatch);
    }
    check(json!({ "iat": now as f64 + 0.5, "exp": now + 1, "nbf": now }), Refused::BodyMismatch);
    for changed in [
        json!({ "iat": now - 301 }),
        json!({ "iat": now + 301 }),
        json!({ "exp": now }),
        json!({ "nbf": now + 1 }),
        json!({ "iat": -5 }),
        json!({ "exp": 1e300 }),
    ] {
        check(changed, Refused::Stale);
    }
    // A time that is a text is no time: such a token says nothing.
    let text = Refused::Malformed("the token's claims are none");
    check(json!({ "exp": "4102444800" }), text);
    check(json!({ "nbf": "0" }), text);
}

#[test]
fn tokens_are_made_as_vonage_makes_them() {
    let file = json("signed_webhooks.json");
    for case in file["cases"].as_array().unwrap() {
        if case["accept"] != true || case["id"] == "extra-claims" {
            continue;
        }
        let claims = serde_json::from_value(case["claims"].clone()).unwrap();
        let token = signature::issue(&claims, &Secret::new(SECRET.to_owned()));
        let theirs = case["headers"]["Authorization"].as_str().unwrap();
        assert_eq!(token, theirs.split(' ').nth(1).unwrap(), "{}", case["id"]);
    }
}

#[test]
fn json_is_made_compact_in_its_own_order() {
    let check = |json: &str, expected: Option<&str>| {
        let compact = signature::compact(json.as_bytes());
        assert_eq!(compact.as_deref(), expected.map(str::as_bytes), "{json}");
    };
    check(
        "{ \"b\" : [1.50, true ,null],\r\n\t\"a\":\"x \\\" { y\" }",
        Some(r#"{"b":[1.50,true,null],"a":"x \" { y"}"#),
    );
    check(r#"{"a":"S\u00f8ren \/ \\"}"#, Some(r#"{"a":"Søren / \\"}"#));
    check(r#"{"a":"never ends}"#, None);
    check(r#"{"a":"\ud800"}"#, None);
    check("", Some(""));
}

#[test]
fn who_is_refused_is_told_so_that_vonage_sends_again_what_it_forgot_to_sign() {
    for (refused, status) in [
        (Refused::Unsigned, 503),
        (Refused::WrongSignature, 401),
        (Refused::UnknownKey, 401),
        (Refused::BodyMismatch, 401),
        (Refused::Stale, 401),
        (Refused::AccountMismatch, 403),
        (Refused::Malformed("x"), 400),
    ] {
        assert_eq!(Vonage.refusal_status(refused).as_u16(), status, "{refused:?}");
    }
}

/// A recorded webhook, as it was sent but to a URL of ours.
fn recorded(id: &str, url: Option<&str>) -> Sent {
    let file = json("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    let mut sent = Sent::of(webhooks.iter().find(|webhook| webhook["id"] == id).unwrap());
    if let Some(url) = url {
        sent.url = url.to_owned();
    }
    sent
}

fn voice(sent: &Sent, endpoint: Endpoint) -> VoiceRequest {
    let event = sent.receive(endpoint).unwrap().event;
    let Event::Voice(voice) = event else { panic!("{event:?}") };
    voice
}

#[test]
fn a_call_asks_for_its_document_by_get_and_by_post() {
    for id in ["answer", "answer_get", "answer_fallback"] {
        let sent = recorded(id, None);
        let webhook = sent.receive(Endpoint::Voice).unwrap();
        assert_eq!(webhook.carrier_call_id, CALL, "{id}");
        assert_eq!(webhook.is_fallback, id == "answer_fallback", "{id}");
        assert_eq!(webhook.step, None, "{id}: another application's URL");
        let call = InboundCall {
            account: Some(account(&[]).id),
            dnis: Some(e164("+13035550155")),
            ani: Ani::Number(e164("+12125550160")),
            ..InboundCall::UNKNOWN
        };
        let voice = voice(&sent, Endpoint::Voice);
        assert_eq!((voice.call, voice.direction), (call, Direction::Inbound), "{id}");
        assert!(!voice.is_answered && voice.dial.is_none(), "{id}");
    }
    let placed = format!("{VOICE}?call=0190f7a2-c4d8-7e3b-9a6c-5d4e3f2a1b0c");
    let voice = voice(&recorded("answer", Some(&placed)), Endpoint::Voice);
    assert_eq!((voice.direction, voice.is_answered), (Direction::Outbound, true));
}

#[test]
fn events_of_a_calls_own_leg_tell_where_it_stands() {
    let progress = |id: &str| {
        let url = "https://edge.example.com/carriers/main/status";
        let sent = recorded(id, Some(url));
        let webhook = sent.receive(Endpoint::Status).unwrap();
        let Event::Progress(progress) = webhook.event else { panic!("{id}: {webhook:?}") };
        Progress { parent: None, ..progress }
    };
    for (id, status, direction) in [
        ("event_started", CallStatus::Initiated, Direction::Inbound),
        ("event_ringing", CallStatus::Ringing, Direction::Inbound),
        ("event_answered", CallStatus::InProgress, Direction::Inbound),
        ("event_completed", CallStatus::Completed, Direction::Inbound),
        ("event_out_busy", CallStatus::Busy, Direction::Outbound),
        ("event_out_cancelled", CallStatus::Canceled, Direction::Outbound),
        ("event_out_unanswered", CallStatus::NoAnswer, Direction::Outbound),
        ("event_out_rejected", CallStatus::Busy, Direction::Outbound),
        ("event_out_failed", CallStatus::Failed, Direction::Outbound),
        ("event_out_timeout", CallStatus::NoAnswer, Direction::Outbound),
    ] {
        let progress = progress(id);
        assert_eq!((progress.status, progress.direction), (status, direction), "{id}");
        assert_eq!(progress.is_placed, direction == Direction::Outbound, "{id}");
        assert_eq!(progress.at, Some(UnixMillis(1_791_208_803_120)), "{id}");
    }
    assert_eq!(progress("event_completed").duration_seconds, Some(42));
    assert_eq!(progress("event_out_busy").from, Some(e164("+13035550155")));
    assert_eq!(progress("event_out_busy").to, Some(e164("+12125550160")));
}

#[test]
fn who_answered_is_told_by_the_calls_other_name() {
    for (id, who) in [
        ("event_out_human", AnsweredBy::Human),
        ("event_out_machine", AnsweredBy::MachineStart),
        ("event_out_machine_beep", AnsweredBy::MachineEnd),
    ] {
        let sent = recorded(id, None);
        let webhook = sent.receive(Endpoint::Status).unwrap();
        assert_eq!(webhook.event, Event::AnsweredBy(who), "{id}");
        assert_eq!(webhook.carrier_call_id, "a0d808ed-0007-45ad-a5b0-8c04f66203b2", "{id}");
    }
}

#[test]
fn what_is_not_known_is_acknowledged() {
    for id in ["event_transfer", "event_input_dtmf", "event_error"] {
        for endpoint in [Endpoint::Status, Endpoint::Resume] {
            let sent = recorded(id, None);
            assert_eq!(sent.receive(endpoint).unwrap().event, Event::Unknown, "{id}");
        }
    }
    // Fields of other shapes than were ever seen.
    let strange = json!({ "uuid": CALL, "from": ["1"], "to": { "x": 1 }, "headers": [1],
        "duration": 1.5, "status": "answered", "direction": true, "payload": null });
    let sent = Sent::ours(VOICE, &strange);
    assert!(matches!(sent.receive(Endpoint::Status).unwrap().event, Event::Progress(_)));
}

/// The URL that a document gives for an event, of a call that comes in.
fn step() -> String {
    let document = document(&media(&[]), Direction::Inbound);
    document[0]["eventUrl"][0].as_str().unwrap().to_owned()
}

#[test]
fn a_socket_that_ends_asks_what_follows() {
    let step = step();
    for (id, is_answered) in [
        ("event_ws_disconnected", true),
        ("event_ws_failed", false),
        ("event_ws_unanswered", false),
    ] {
        let sent = recorded(id, Some(&step));
        // Vonage gives back what the socket's headers said, and that is signed.
        assert_eq!(sent.receive(Endpoint::Resume).unwrap().carrier_call_id, "abc", "{id}");
        let voice = voice(&sent, Endpoint::Resume);
        assert_eq!((voice.is_answered, voice.dial), (is_answered, None), "{id}");
        assert_eq!(voice.direction, Direction::Inbound, "{id}");
        // The call, not the leg whose event it is.
        assert_eq!(voice.call, call(), "{id}");
    }
    let sent = recorded("event_ws_answered", Some(&step));
    let webhook = sent.receive(Endpoint::Resume).unwrap();
    assert_eq!(webhook.event, Event::Stream(StreamEvent::Started));
    let told = |url: &str, body: Value| {
        let sent = Sent::ours(url, &body);
        let webhook = sent.receive(Endpoint::Resume).unwrap();
        let voice = if let Event::Voice(voice) = webhook.event { Some(voice) } else { None };
        (webhook.carrier_call_id.into_owned(), voice)
    };
    let over = json!({ "uuid": "other", "to": SOCKET, "status": "completed" });
    assert_eq!(told(&step, over), (CALL.to_owned(), None), "the caller hung up");
    let cut = json!({ "uuid": "other", "to": SOCKET, "status": "disconnected" });
    let (leg, cut) = told(&step, cut);
    assert_eq!(leg, CALL, "the URL says whose it is, where nothing better does");
    assert_eq!(cut.unwrap().call, call());
}

#[test]
fn a_dial_that_ends_asks_what_follows() {
    let document = document(
        &Answer::DialNumber { number: e164("+14155550101"), resume_url: STEP },
        Direction::Outbound,
    );
    let step = document[0]["eventUrl"][0].as_str().unwrap();
    let told = |body: Value| {
        let sent = Sent::ours(step, &body);
        let webhook = sent.receive(Endpoint::Resume).unwrap();
        if let Event::Voice(voice) = webhook.event {
            assert_eq!(webhook.carrier_call_id, CALL, "{body}");
            assert_eq!(voice.direction, Direction::Outbound, "{body}");
            return voice.dial;
        }
        let Event::Progress(progress) = webhook.event else { panic!("{body}: {webhook:?}") };
        assert_eq!(progress.parent.as_deref(), Some(CALL), "{body}");
        assert!(!progress.is_placed, "{body}");
        assert_eq!(webhook.carrier_call_id, "child", "{body}");
        None
    };
    let event = |status: &str| {
        json!({ "uuid": "child", "to": "14155550101", "from": "12125550142",
            "direction": "outbound", "status": status })
    };
    for status in ["started", "ringing", "answered", "cancelled", "completed"] {
        assert_eq!(told(event(status)), None, "{status}");
    }
    for (status, found) in [
        ("busy", CallStatus::Busy),
        ("rejected", CallStatus::Busy),
        ("timeout", CallStatus::NoAnswer),
        ("unanswered", CallStatus::NoAnswer),
        ("failed", CallStatus::Failed),
    ] {
        assert_eq!(told(event(status)), Some(DialOutcome::Unanswered(found)), "{status}");
    }
    let mut talked = event("completed");
    talked["duration"] = "42".into();
    assert_eq!(told(talked), Some(DialOutcome::Answered));
}

#[test]
fn a_step_that_failed_is_asked_for_once_more() {
    let body = json!({ "uuid": "other", "to": SOCKET, "status": "disconnected",
        "reason": "Connection closed.", "original_request": { "url": step(), "type": "event" } });
    let sent = Sent::ours(VOICE, &body);
    let webhook = sent.receive(Endpoint::Voice).unwrap();
    assert!(webhook.is_fallback);
    assert_eq!(webhook.step.as_deref(), Some(step().as_str()));
    assert_eq!(webhook.carrier_call_id, CALL);
    assert_eq!(voice(&sent, Endpoint::Voice).call, call());
}

#[test]
fn only_an_id_is_an_id() {
    for uuid in ["", "a b", "../x", &"a".repeat(65)] {
        let sent = Sent::ours(VOICE, &json!({ "uuid": uuid, "from": "1", "to": "2" }));
        assert!(matches!(sent.receive(Endpoint::Voice), Err(Refused::Malformed(_))), "{uuid:?}");
    }
    for body in ["[]", "1", "{", "null"] {
        let mut sent = Sent::ours(VOICE, &json!({}));
        sent.body = body.to_owned();
        sent.headers = Vonage.sign(&sent.request(), &account(&[SECRET]), NOW);
        assert!(matches!(sent.receive(Endpoint::Voice), Err(Refused::Malformed(_))), "{body}");
    }
}

/// The call that documents are written for.
fn call() -> InboundCall {
    InboundCall {
        account: Some(account(&[]).id),
        dnis: Some(e164("+12125550142")),
        ani: Ani::Number(e164("+14155550117")),
        ..InboundCall::UNKNOWN
    }
}

const fn media<'a>(parameters: &'a [(&'a str, &'a str)]) -> Answer<'a> {
    Answer::Media {
        url: SOCKET,
        status_url: "https://edge.example.com/carriers/main/status",
        resume_url: STEP,
        format: MediaFormat::L16_16000,
        parameters,
    }
}

fn document(answer: &Answer<'_>, direction: Direction) -> Value {
    let account = account(&[SECRET]);
    let leg = Leg {
        account: &account,
        carrier_call_id: CALL,
        event_id: None,
        direction,
        is_answered: false,
        call: call(),
    };
    let mut out = b"rest".to_vec();
    assert_eq!(Vonage.answer(answer, &leg, &mut out), Reply::Document("application/json"));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_media_document_asks_for_a_synchronous_socket() {
    let proof = signature::media_proof(&Secret::new(SECRET.to_owned()), SOCKET);
    let step = format!(
        "{STEP}&leg=37fbede4%2D8bef%2D46a4%2Da2ef%2D78f83147d680\
         &caller=14155550117&called=12125550142"
    );
    let expected = json!([{
        "action": "connect", "eventType": "synchronous", "eventUrl": [step],
        "eventMethod": "POST", "from": "12125550142",
        "endpoint": [{
            "type": "websocket", "uri": SOCKET, "content-type": "audio/l16;rate=16000",
            "headers": { "call_ref": CALL, "a": "\"1\"" },
            "authorization": { "type": "custom", "value": proof },
        }],
    }]);
    assert_eq!(document(&media(&[("a", "\"1\"")]), Direction::Inbound), expected);
    let recorded = json("answer_documents.json");
    let recorded = &recorded["documents"][3]["ncco"][0]["endpoint"][0];
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&expected[0]["endpoint"][0]), names(recorded));
    assert_eq!(recorded["authorization"]["type"], "custom");

    // Whoever opens the socket shows it; nobody else does, and at no other socket.
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, proof.parse().unwrap());
    let verdict = |url: &str, headers: &HeaderMap, secrets: &[&str]| {
        let request = Request { method: &Method::GET, url, headers, body: &[] };
        Vonage.verify_upgrade(&request, &account(secrets))
    };
    assert_eq!(verdict(SOCKET, &headers, &["new", SECRET]), Ok(()));
    let wrong = Err(Refused::WrongSignature);
    assert_eq!(verdict(SOCKET, &headers, &["new"]), wrong);
    assert_eq!(verdict("wss://edge.example.com/media/7f3b", &headers, &[SECRET]), wrong);
    assert_eq!(verdict(SOCKET, &HeaderMap::new(), &[SECRET]), Err(Refused::Unsigned));
    let webhook = Sent::signed("event-post");
    assert_eq!(verdict(SOCKET, &webhook.headers, &[SECRET]), wrong, "a webhook's token");
}

#[test]
fn headers_stay_within_their_limit() {
    let long = "\"".repeat(220);
    let parameters =
        [("event", "x"), ("call_ref", "y"), ("a", "1"), ("long", long.as_str()), ("b", "2")];
    let document = document(&media(&parameters), Direction::Inbound);
    let headers = &document[0]["endpoint"][0]["headers"];
    assert_eq!(headers, &json!({ "call_ref": CALL, "a": "1" }));
    let fits = "x".repeat(400);
    let document = self::document(&media(&[("long", &fits)]), Direction::Inbound);
    let headers = document[0]["endpoint"][0]["headers"].to_string();
    assert!(headers.len() > 400 && headers.len() <= answer::HEADERS_LEN_MAX, "{headers}");
}

#[test]
fn every_other_answer_is_a_document_of_its_kind() {
    let recorded = json("answer_documents.json");
    let recorded = |id: &str| {
        let documents = recorded["documents"].as_array().unwrap();
        documents.iter().find(|document| document["id"] == id).unwrap()["ncco"].clone()
    };
    let say = Answer::Say { text: "We are closed now. Please call back later.", resume_url: STEP };
    assert_eq!(document(&say, Direction::Inbound), recorded("say_then_end"));
    for answer in
        [Answer::Busy, Answer::Reject, Answer::HangUp, Answer::Redirect { url: "https://h/" }]
    {
        assert_eq!(document(&answer, Direction::Inbound), recorded("end"), "{answer:?}");
    }
    let number = e164("+19195550150");
    let dial = Answer::DialNumber { number, resume_url: STEP };
    let inbound = document(&dial, Direction::Inbound);
    assert_eq!(inbound[0]["endpoint"], recorded("dial_person")[0]["endpoint"]);
    assert_eq!(inbound[0]["from"], "12125550142", "our number, whoever calls");
    let outbound = document(&dial, Direction::Outbound);
    assert_eq!(outbound[0]["from"], "14155550117", "our number, which was shown");
    assert!(outbound[0]["eventUrl"][0].as_str().unwrap().contains("&way=out&"));
    let sip = Answer::DialSip { address: "desk@example.com", resume_url: STEP };
    let endpoint = &document(&sip, Direction::Inbound)[0]["endpoint"][0];
    assert_eq!(endpoint, &json!({ "type": "sip", "uri": "sip:desk@example.com" }));
    let long = "é".repeat(2000);
    let say = document(&Answer::Say { text: &long, resume_url: STEP }, Direction::Inbound);
    assert_eq!(say[0]["text"].as_str().unwrap().chars().count(), 1500);
}

#[test]
fn what_asks_is_asked_back() {
    let document = document(&Answer::PickUp { resume_url: STEP }, Direction::Inbound);
    assert_eq!(document[0]["action"], "notify");
    let body = json!({ "payload": document[0]["payload"], "conversation_uuid": "CON-1" });
    let sent = Sent::ours(document[0]["eventUrl"][0].as_str().unwrap(), &body);
    assert_eq!(sent.receive(Endpoint::Resume).unwrap().carrier_call_id, CALL);
    assert_eq!(voice(&sent, Endpoint::Resume).call, call());
}

#[test]
fn a_target_that_no_document_can_do_is_refused() {
    let target = |text: &str| text.parse::<Target>().unwrap();
    for text in ["tel:+14155550101", "sip:desk@example.com", "say:Hello.", "busy", "reject"] {
        assert!(Vonage.can(&target(text)), "{text}");
    }
    assert!(!Vonage.can(&target("redirect:https://example.com/answer")));
}

/// A message of a recorded session.
fn frame_of(line: &Value) -> Frame<'static> {
    match line["binary_b64"].as_str() {
        Some(bytes) => Frame::Binary(STANDARD.decode_to_vec(bytes).unwrap().into()),
        None => Frame::Text(line["text"].as_str().unwrap().to_owned().into()),
    }
}

/// Writes again what an edge has sent.
fn check_written(framing: &dyn Framing, frame: &Frame<'_>) {
    let written = match frame {
        Frame::Binary(bytes) => framing.write(&Said::Audio(Payload::Bytes(bytes[..].into())), ""),
        Frame::Text(text) => {
            let message: Value = serde_json::from_str(text).unwrap();
            match message["payload"]["mark"].as_str() {
                Some(mark) => framing.write(&Said::Mark(mark), ""),
                None => framing.write(&Said::Clear, ""),
            }
        }
    };
    assert_eq!(written.as_ref(), Some(frame));
}

#[test]
fn recorded_sessions_are_read_and_written() {
    let file = json("media_sessions.json");
    let sessions = file["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    for session in sessions {
        let (id, expect) = (&session["id"], &session["expect"]);
        let frame_len = usize::try_from(expect["frame_bytes"].as_u64().unwrap()).unwrap();
        let rate = u32::try_from(frame_len).unwrap() * 25;
        let framing = Vonage.framing(MediaFormat::l16(rate), &account(&[])).unwrap();
        assert_eq!(framing.piece(), Piece::Exactly { ms: 20 });
        let began = Began {
            call: CallNamed::Carrier(expect["call_ref"].as_str().unwrap().to_owned()),
            stream: String::new(),
            account: String::new(),
            format: MediaFormat::l16(rate),
            parameters: vec![("tenant".to_owned(), "blue".to_owned())],
        };
        let (mut heard, mut sent, mut marks, mut others) = (0, 0, Vec::new(), Vec::new());
        let lines = session["lines"].as_array().unwrap();
        for line in lines.iter().filter(|line| line.get("close").is_none()) {
            let frame = frame_of(line);
            if line["from"] == "edge" {
                sent += usize::from(matches!(frame, Frame::Binary(_)));
                check_written(&*framing, &frame);
                continue;
            }
            let read = framing.read(&frame).unwrap();
            if let Heard::Audio(Audio { payload: Payload::Bytes(bytes), chunk: None }) = &read {
                assert_eq!(bytes.len(), frame_len, "{id}");
                heard += 1;
            } else if let Heard::Mark(mark) = &read {
                marks.push(json!(mark));
            } else {
                others.push(format!("{read:?}"));
            }
        }
        assert_eq!(json!(heard), expect["carrier_frames"], "{id}");
        assert_eq!(json!(sent), expect["edge_frames"], "{id}");
        assert_eq!(json!(marks), expect["notified"], "{id}");
        assert_eq!(others.len(), 3, "{id}: {others:?}");
        assert_eq!(others[0], format!("{:?}", Heard::Began(began)), "{id}");
        assert!(others[1].starts_with("Dtmf") && others[2] == "Cleared", "{id}: {others:?}");
    }
}

#[test]
fn texts_that_were_never_recorded_are_read_too() {
    let framing = Vonage.framing(MediaFormat::L16_8000, &account(&[])).unwrap();
    let read = |text: &str| {
        let frame = Frame::Text(text.to_owned().into());
        framing.read(&frame).map(|heard| format!("{heard:?}"))
    };
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(read(r#"{"dtmf":{"digit":"5"}}"#), ok("Dtmf('5')"));
    assert_eq!(read(r#"{"event":"websocket:dtmf","digit":"d"}"#), ok("Dtmf('D')"));
    assert_eq!(read(r#"{"event":"websocket:dtmf","digit":"12"}"#), ok("Unknown"));
    assert_eq!(read(r#"{"event":"websocket:media:new","x":[1]}"#), ok("Unknown"));
    assert_eq!(read(r#"{"payload":{"mark":"m"},"event":"websocket:notify"}"#), ok("Mark(\"m\")"));
    assert_eq!(read(r#"{"event":"websocket:notify","payload":"m"}"#), ok("Unknown"));
    let began = |media_type: &str, call: &str| {
        read(&format!(r#"{{"event":"websocket:connected","content-type":"{media_type}"{call}}}"#))
    };
    assert!(began("audio/L16; rate=24000", r#","call_ref":"x""#).is_ok());
    for (media_type, call) in [
        ("audio/l16;rate=16000", ""),
        ("audio/l16;rate=11025", r#","call_ref":"x""#),
        ("audio/opus;rate=16000", r#","call_ref":"x""#),
        ("", r#","call_ref":"x""#),
    ] {
        assert_eq!(began(media_type, call), Err(Malformed), "{media_type}{call}");
    }
    for text in ["", "[]", "{", "1"] {
        assert_eq!(read(text), Err(Malformed), "{text}");
    }
}

#[test]
fn sockets_carry_what_is_nearest_to_the_runtime() {
    for (wanted, found) in [
        (MediaFormat::PCMU_8000, MediaFormat::L16_8000),
        (MediaFormat::PCMA_8000, MediaFormat::L16_8000),
        (MediaFormat::L16_8000, MediaFormat::L16_8000),
        (MediaFormat::L16_16000, MediaFormat::L16_16000),
        (MediaFormat::L16_24000, MediaFormat::L16_24000),
    ] {
        assert_eq!(Vonage.media_format(wanted), found);
        let framing = Vonage.framing(found, &account(&[])).unwrap();
        assert_eq!(framing.outbound_format(), found);
    }
}

#[test]
fn a_phrases_last_frame_is_filled_with_silence() {
    for (format, len) in
        [(MediaFormat::L16_8000, 320), (MediaFormat::L16_16000, 640), (MediaFormat::L16_24000, 960)]
    {
        let framing = Vonage.framing(format, &account(&[])).unwrap();
        let start = Start {
            stream_sid: "MZ1".to_owned(),
            call_sid: "CA1".to_owned(),
            account_sid: API_KEY.to_owned(),
            format: format.into(),
            parameters: Vec::new(),
        };
        let order = crate::domain::ByteOrder::Little;
        let mut leg = CarrierLeg::new(framing, String::new(), format, order, start).unwrap();
        let payload = STANDARD.encode_to_string(vec![7_u8; len + len / 4]);
        let mut media = String::new();
        messages::write_audio(&mut media, "MZ1", &payload);
        leg.take(&media, Duration::ZERO);
        let mut frames = Vec::new();
        for ms in 0..200 {
            while let Some(frame) = leg.next_for_carrier(Duration::from_millis(ms)) {
                let Frame::Binary(bytes) = frame else { panic!("{frame:?}") };
                frames.push(bytes.into_owned());
            }
        }
        assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [len, len]);
        let (voice, silence) = frames[1].split_at(len / 4);
        assert!(voice.iter().all(|&byte| byte == 7) && silence.iter().all(|&byte| byte == 0));
    }
}

fn asked(command: &Command<'_>) -> ApiRequest {
    Vonage.request(command, &account(&[SECRET]), NOW, Uuid::from_u128(7)).unwrap()
}

fn outcome(command: &Command<'_>, status: u16, body: &Value) -> CommandOutcome {
    Vonage.outcome(command, status, body.to_string().as_bytes())
}

fn dial() -> Dial<'static> {
    Dial {
        from: from(),
        to: to(),
        voice_url: "https://edge.example.com/carriers/main/voice?call=1",
        status_url: "https://edge.example.com/carriers/main/status?call=1",
        ring_seconds: 600,
        detects_machine: true,
        awaits_recording: false,
    }
}

fn from() -> E164 {
    E164::from_u64(12_125_550_142).unwrap()
}

fn to() -> E164 {
    E164::from_u64(14_155_550_117).unwrap()
}

#[test]
fn api_tokens_are_those_of_vonages_library() {
    let file = json("api_jwt.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    let pem = account(&[]).api.private_key.unwrap();
    for case in cases {
        let token = case["token"].as_str().unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode_to_vec(claims).unwrap();
        let key = commands::key_pair(&pem).unwrap();
        assert_eq!(commands::issue(&claims, &key).unwrap(), token, "{}", case["id"]);
    }
    let nonce = Uuid::parse_str(cases[0]["options"]["jti"].as_str().unwrap()).unwrap();
    let hang_up = Command::HangUp { carrier_call_id: CALL };
    let request = Vonage.request(&hang_up, &account(&[SECRET]), NOW, nonce).unwrap();
    let expected = format!("Bearer {}", cases[0]["token"].as_str().unwrap());
    assert_eq!(request.authorization, Authorization::Header(Secret::new(expected)));
    // A key that is none signs nothing; one whose line breaks were lost in an environment does.
    let mut other = account(&[SECRET]);
    other.api.private_key = Some(Secret::new("no key".to_owned()));
    assert_eq!(Vonage.request(&hang_up, &other, NOW, nonce), None);
    other.api.private_key = Some(Secret::new(pem.reveal().replace('\n', "\\n")));
    assert!(Vonage.request(&hang_up, &other, NOW, nonce).is_some());
}

#[test]
fn commands_are_vonages_requests() {
    let check = |command: &Command<'_>, method: Method, path: &str, body: Value| {
        let request = asked(command);
        assert_eq!((request.method, request.path.as_str()), (method, path));
        let found = match request.body.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap(),
        };
        assert_eq!(found, body);
    };
    let path = "/v1/calls/37fbede4%2D8bef%2D46a4%2Da2ef%2D78f83147d680";
    let hang_up = Command::HangUp { carrier_call_id: CALL };
    check(&hang_up, Method::PUT, path, json!({ "action": "hangup" }));
    let step = format!("{STEP}&leg=37fbede4%2D8bef%2D46a4%2Da2ef%2D78f83147d680");
    let ncco = json!([{ "action": "notify", "payload": { "call_ref": CALL },
        "eventUrl": [step], "eventMethod": "POST" }]);
    let transfer = json!({ "action": "transfer", "destination": { "type": "ncco", "ncco": ncco } });
    let redirect = Command::Redirect { carrier_call_id: CALL, url: STEP };
    check(&redirect, Method::PUT, path, transfer);
    let mut body = json!({
        "to": [{ "type": "phone", "number": "14155550117" }],
        "from": { "type": "phone", "number": "12125550142" },
        "answer_url": [dial().voice_url], "answer_method": "POST",
        "event_url": [dial().status_url], "event_method": "POST",
        "ringing_timer": 120,
        "advanced_machine_detection":
            { "behavior": "continue", "mode": "detect_beep", "beep_timeout": 45 },
    });
    check(&Command::Dial(dial()), Method::POST, "/v1/calls", body.clone());
    body.as_object_mut().unwrap().remove("advanced_machine_detection");
    body["ringing_timer"] = 30.into();
    let quick =
        Dial { ring_seconds: 30, detects_machine: false, awaits_recording: false, ..dial() };
    check(&Command::Dial(quick), Method::POST, "/v1/calls", body);
    let list = "/v1/calls?date%5Fstart=2026%2D10%2D07T00%3A00%3A00Z&order=desc&page%5Fsize=100\
        &record%5Findex=";
    let find = Command::FindCalls { from: from(), to: to(), since: NOW };
    check(&find, Method::GET, &format!("{list}0"), Value::Null);
    let page = |page| Command::ListCalls { since: NOW, page };
    check(&page(None), Method::GET, &format!("{list}0"), Value::Null);
    check(&page(Some("200")), Method::GET, &format!("{list}200"), Value::Null);
    let (account, nonce) = (account(&[SECRET]), Uuid::nil());
    assert_eq!(Vonage.request(&page(Some("2&x=")), &account, NOW, nonce), None);
    let search = NumberSearch { country: "US", area_code: None, is_toll_free: false, limit: 5 };
    for command in [Command::SearchNumbers(search), Command::FindNumber { number: to() }] {
        assert_eq!(Vonage.request(&command, &account, NOW, nonce), None);
    }
}

#[test]
fn replies_say_what_became_of_a_command() {
    let (hang_up, place) = (Command::HangUp { carrier_call_id: CALL }, Command::Dial(dial()));
    let placed = json!({ "uuid": CALL, "status": "started", "direction": "outbound" });
    let accepted = CommandOutcome::Accepted { carrier_call_id: CALL.to_owned() };
    assert_eq!(outcome(&place, 201, &placed), accepted);
    assert_eq!(outcome(&place, 201, &json!({})), CommandOutcome::Unclear);
    for status in [204, 400, 404] {
        assert_eq!(outcome(&hang_up, status, &json!({})), CommandOutcome::Done, "{status}");
    }
    for (status, expected) in [
        (429, CommandOutcome::Busy),
        (408, CommandOutcome::Unclear),
        (500, CommandOutcome::Unclear),
        (503, CommandOutcome::Unclear),
    ] {
        assert_eq!(outcome(&place, status, &json!({})), expected, "{status}");
    }
    let refused = |status: u16, body: Value| {
        let outcome = outcome(&place, status, &body);
        let CommandOutcome::Refused(error) = outcome else { panic!("{outcome:?}") };
        let ApiError { cause, message, .. } = error;
        (cause, message)
    };
    let unauthorized = json!({ "type": "UNAUTHORIZED", "error_title": "Unauthorized" });
    assert_eq!(refused(401, unauthorized), (DialFailure::Credentials, "Unauthorized".to_owned()));
    assert_eq!(refused(403, json!({})).0, DialFailure::NotPermitted);
    let invalid = |name: &str| {
        json!({ "title": "Bad Request", "invalid_parameters":
            [{ "name": name, "reason": "is no number" }] })
    };
    assert_eq!(refused(400, invalid("to[0].number")).0, DialFailure::InvalidNumber);
    assert_eq!(refused(400, invalid("from.number")).0, DialFailure::InvalidCallerId);
    assert!(refused(400, invalid("from")).1.starts_with("Bad Request: ["));
    assert_eq!(refused(400, json!("?")).0, DialFailure::Refused);
}

#[test]
fn lists_of_calls_are_read() {
    let phone = |number: &str| json!({ "type": "phone", "number": number });
    let row = |uuid: &str, direction: &str, status: &str, start: Value| {
        json!({ "uuid": uuid, "direction": direction, "status": status, "start_time": start,
            "from": phone("12125550142"), "to": phone("14155550117") })
    };
    let mut other = row("d", "outbound", "completed", "2026-10-05T14:00:03.000Z".into());
    other["to"] = phone("14155550118");
    let mut socket = row("e", "outbound", "completed", Value::Null);
    socket["to"] = json!({ "type": "websocket", "uri": SOCKET });
    let body = json!({ "count": 105, "page_size": 100, "record_index": 0, "_embedded": { "calls": [
        row("a", "outbound", "completed", "2026-10-05T14:00:03.000Z".into()),
        row("b", "inbound", "completed", "2026-10-05T14:00:03.000Z".into()),
        row("c", "outbound", "unanswered", Value::Null),
        other, socket,
    ] } });
    let found = |id: &str, to: &str, status, at| FoundCall {
        call: None,
        carrier_call_id: id.to_owned(),
        from: Some(from()),
        to: Some(e164(to)),
        status,
        created_at: at,
        answered_by: None,
    };
    let began = UnixMillis(1_791_208_803_000);
    let a = found("a", "+14155550117", CallStatus::Completed, began);
    let c = found("c", "+14155550117", CallStatus::NoAnswer, NOW);
    let d = found("d", "+14155550118", CallStatus::Completed, began);
    let find = Command::FindCalls { from: from(), to: to(), since: NOW };
    assert_eq!(outcome(&find, 200, &body), CommandOutcome::Found(vec![a.clone(), c]));
    let page = CallPage { calls: vec![a, d], listed: 5, next: Some("5".to_owned()) };
    let list = Command::ListCalls { since: NOW, page: None };
    assert_eq!(outcome(&list, 200, &body), CommandOutcome::Listed(page));
    let empty = json!({ "count": 5, "record_index": 5, "_embedded": { "calls": [] } });
    let page = CallPage { calls: Vec::new(), listed: 0, next: None };
    assert_eq!(outcome(&list, 200, &empty), CommandOutcome::Listed(page));
    assert_eq!(outcome(&list, 200, &json!({})), CommandOutcome::Unclear);
}

/// What `doctor` says of a request: the cause, and the names of the readings that would match.
fn doctor(sent: &Sent, account: &Account, url: &str) -> (Option<Refused>, Vec<String>) {
    match diagnose::diagnose(&sent.raw(), url, account, NOW) {
        Diagnosis::Valid(_) => (None, Vec::new()),
        Diagnosis::Invalid { cause, would_match } => {
            (Some(cause), would_match.iter().map(Reading::name).collect())
        }
    }
}

#[test]
fn doctor_names_the_fault() {
    let known = account(&[SECRET]);
    let bare =
        Account { account_id: String::new(), application_id: String::new(), ..account(&[SECRET]) };
    let check = |sent: &Sent, account: &Account, cause: Refused, reading: &str| {
        let (found, readings) = doctor(sent, account, &sent.url);
        assert_eq!(found, Some(cause), "{reading}");
        let expected: Vec<_> = Some(reading).filter(|r| !r.is_empty()).into_iter().collect();
        assert_eq!(readings, expected);
    };
    for id in ["event-post", "answer-get", "answer-get-escaped", "event-spaced-compact-hash"] {
        let sent = Sent::signed(id);
        assert_eq!(doctor(&sent, &known, &sent.url).0, None, "{id}");
        assert_eq!(doctor(&sent, &bare, &sent.url).0, None, "{id}");
        // Only a GET's query is signed, and the request line has it.
        let elsewhere = "https://other.example/x#f";
        assert_eq!(doctor(&sent, &known, elsewhere).0, None, "{id}");
    }
    let stale = Sent::signed("stale-iat");
    check(&stale, &known, Refused::Stale, "another time");
    let foreign = Sent::signed("wrong-application");
    check(&foreign, &known, Refused::AccountMismatch, "another account");
    assert_eq!(doctor(&foreign, &bare, VOICE).0, None, "whoever it is");
    check(&Sent::signed("payload-hash-one-byte"), &known, Refused::BodyMismatch, "another body");
    check(&Sent::signed("wrong-secret"), &known, Refused::WrongSignature, "");
    check(&Sent::signed("no-authorization"), &known, Refused::Unsigned, "");
    let mut broken = Sent::signed("event-post");
    broken.body.push('\n');
    assert_eq!(doctor(&broken, &known, VOICE).0, None, "blanks are no part of what is hashed");
    let blank = format!(" {SECRET}\n");
    let post = Sent::signed("event-post");
    check(&post, &account(&[&blank]), Refused::WrongSignature, "the secret without blanks");
    let encoded = STANDARD.encode_to_string(SECRET);
    check(&post, &account(&[&encoded]), Refused::WrongSignature, "the secret out of base64");
    let mut moved = Sent::signed("answer-get");
    let url = std::mem::replace(&mut moved.url, "https://h/voice?to=1".to_owned());
    let (cause, readings) = doctor(&moved, &known, &url);
    assert_eq!(cause, Some(Refused::BodyMismatch));
    assert!(readings.contains(&"the URL's own query".to_owned()), "{readings:?}");
}

#[test]
fn an_api_key_is_plain() {
    for (text, is_one) in [(API_KEY, true), ("", false), ("a b", false), ("a:b", false)] {
        assert_eq!(Vonage.is_account_id(text), is_one, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_request_panics(
        body in "\\PC{0,40}|[{]\"(uuid|to|status|headers|payload)\":[\"{}\\[\\]0-9a-z:]{0,12}[}]",
        bearer in "\\PC{0,30}|(Bearer )?([A-Za-z0-9_-]{0,9}[.]){2}[A-Za-z0-9_-]{0,9}",
        query in "[ -~]{0,30}",
    ) {
        let headers = HeaderValue::from_str(&bearer).ok().map(|v| (AUTHORIZATION, v));
        let sent = Sent {
            method: if body.is_empty() { Method::GET } else { Method::POST },
            url: format!("{VOICE}?{query}"),
            headers: headers.into_iter().collect(),
            body,
        };
        prop_assert!(sent.receive(Endpoint::Voice).is_err());
        for endpoint in [Endpoint::Voice, Endpoint::Status, Endpoint::Resume] {
            let _read = webhook::parse(endpoint, &sent.request(), &account(&[]));
        }
        let _compact = signature::compact(sent.body.as_bytes());
        let framing = Vonage.framing(MediaFormat::L16_8000, &account(&[])).unwrap();
        let _heard = framing.read(&Frame::Text(sent.body.into())).is_ok();
    }
}

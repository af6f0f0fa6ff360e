//! The room against what Plivo's own libraries say of the same requests, and against noise.

use std::{fs, path::PathBuf};

use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use roxmltree::{Document, Node};
use serde_json::{Value, json};

use super::*;
use crate::{
    carriers::{
        AnsweredBy, ApiError, Authorization, CallPage, Dial, DialOutcome, Event, FoundCall,
        NumberOrder, NumberSearch, OfferedNumber, StreamEvent, VoiceRequest,
        shared::{
            diagnosis::{Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{
        AccountOrigin, Ani, Attestation, CallId, CallStatus, CarrierId, DialFailure, Direction,
        E164, Secret,
    },
    media::{
        framing::{Audio, CallNamed, Frame, Heard, Payload, Said},
        messages::Malformed,
    },
};

const AUTH_ID: &str = "MAMO7XWB2XYF3PE8DP3J";
const TOKEN: &str = "CuHd7aUACAjQ4ijQuivKFFnMh7U66227uHfthbd7";
const FORM: &str = "application/x-www-form-urlencoded";
const NOW: UnixMillis = UnixMillis(1_791_209_784_467);

fn json(name: &str) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/plivo", name].iter().collect();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn account(secrets: &[&str]) -> Account {
    let mut account = Account::named("main".to_owned(), CarrierId::Plivo, AccountOrigin::File);
    account.account_id = AUTH_ID.to_owned();
    account.secrets = secrets.iter().map(|&secret| Secret::new(secret.to_owned())).collect();
    account
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The headers of a fixture, with the media type of its body.
fn headers(case: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in case["headers"].as_object().unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    headers
}

/// A case of signatures.json.
struct Case {
    id: String,
    account: Account,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
    is_valid: bool,
}

impl Case {
    fn all() -> Vec<Self> {
        json("signatures.json")["cases"].as_array().unwrap().iter().map(Self::new).collect()
    }

    fn named(id: &str) -> Self {
        Self::all().into_iter().find(|case| case.id == id).unwrap()
    }

    fn new(case: &Value) -> Self {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let mut body = Vec::new();
        for (name, value) in case["params"].as_object().unwrap() {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for value in values {
                body.push(format!("{}={}", encoded(name), encoded(value.as_str().unwrap())));
            }
        }
        Self {
            id: text("id"),
            account: account(&[&text("auth_token")]),
            method: text("method").parse().unwrap(),
            url: text("url"),
            headers: headers(case),
            body: body.join("&"),
            is_valid: case["valid"].as_bool().unwrap(),
        }
    }

    fn request(&self) -> Request<'_> {
        let Self { method, url, headers, body, .. } = self;
        Request { method, url, headers, body: body.as_bytes() }
    }

    fn verdict(&self) -> Result<(), Refused> {
        Plivo.verify_upgrade(&self.request(), &self.account)
    }
}

#[test]
fn signatures_are_judged_as_by_the_official_libraries() {
    let cases = Case::all();
    assert_eq!(cases.len(), 35);
    for case in &cases {
        assert_eq!(case.verdict().is_ok(), case.is_valid, "{}: {:?}", case.id, case.verdict());
    }
}

#[test]
fn refusals_name_their_cause() {
    for (id, cause) in [
        ("bad-empty-signature", Refused::Unsigned),
        ("bad-missing-headers", Refused::Unsigned),
        ("bad-nonce-changed", Refused::WrongSignature),
        ("bad-wrong-token", Refused::WrongSignature),
        ("post-two-signatures-none-match", Refused::WrongSignature),
        ("v2-bad", Refused::WrongSignature),
    ] {
        assert_eq!(Case::named(id).verdict(), Err(cause), "{id}");
    }
    let mut case = Case::named("post-form-no-query");
    case.headers.remove(&signature::V3.nonce);
    assert_eq!(case.verdict(), Err(Refused::Unsigned), "no nonce");
}

#[test]
fn v2_is_no_way_around_v3() {
    let v2 = Case::named("v2-plain");
    assert_eq!(v2.verdict(), Ok(()));
    let mut both = Case::named("v2-plain");
    both.headers.insert(signature::V3.own.clone(), HeaderValue::from_static("d3Jvbmc="));
    both.headers.insert(signature::V3.nonce.clone(), HeaderValue::from_static("1"));
    assert_eq!(both.verdict(), Err(Refused::WrongSignature));
}

#[test]
fn what_we_sign_verifies_by_the_first_secret() {
    for case in Case::all().into_iter().filter(|case| case.is_valid && !case.id.starts_with("v2")) {
        let request = case.request();
        let mut signed = Plivo.sign(&request, &case.account, NOW);
        signed.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let request = Request { headers: &signed, ..request };
        assert!(Plivo.verify_upgrade(&request, &case.account).is_ok(), "{}", case.id);
        let older = account(&["other", case.account.secrets[0].reveal()]);
        assert!(Plivo.verify_upgrade(&request, &older).is_ok(), "{}", case.id);
        let other = Plivo.verify_upgrade(&request, &account(&["other"]));
        assert_eq!(other, Err(Refused::WrongSignature), "{}", case.id);
    }
    let case = Case::named("post-form-no-query");
    assert!(Plivo.sign(&case.request(), &account(&[]), NOW).is_empty());
}

fn raw(case: &Case) -> RawRequest {
    let (_, rest) = case.url.split_once("://").unwrap();
    let target = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
    let Case { method, headers, body, .. } = case;
    RawRequest {
        method: method.clone(),
        target,
        headers: headers.clone(),
        body: body.clone().into_bytes(),
    }
}

#[test]
fn what_went_wrong_is_named_where_it_can_be_told() {
    let expected = [
        ("bad-http-instead-of-https", "https instead of the URL's scheme"),
        ("bad-other-host", "the X-Forwarded-Host header's host"),
        ("bad-method-mixed-up", "as a POST"),
        ("bad-query-not-decoded", "the query not decoded"),
    ];
    let mut named = 0;
    for case in Case::all() {
        let mut request = raw(&case);
        if case.id == "bad-other-host" {
            let host = HeaderValue::from_static("router.harbor.example");
            request.headers.insert("x-forwarded-host", host);
        }
        let found = diagnose::diagnose(&request, &[&case.url], &case.account);
        let Diagnosis::Invalid { would_match, .. } = found else {
            assert!(case.is_valid, "{}", case.id);
            continue;
        };
        assert!(!case.is_valid, "{}", case.id);
        let names: Vec<_> = would_match.iter().map(Reading::name).collect();
        match expected.iter().find(|(id, _)| *id == case.id) {
            Some((id, name)) => {
                assert!(names.iter().any(|n| n.starts_with(name)), "{id}: {names:?}");
                named += 1;
            }
            None => assert!(names.is_empty(), "{}: {names:?}", case.id),
        }
    }
    assert_eq!(named, expected.len());
    let case = Case::named("post-form-with-query");
    let quoted = account(&[&format!("\"{}\"\n", case.account.secrets[0].reveal())]);
    let found = diagnose::diagnose(&raw(&case), &[&case.url], &quoted);
    let Diagnosis::Invalid { cause, would_match } = found else { panic!("{found:?}") };
    assert_eq!(cause, Refused::WrongSignature);
    assert_eq!(would_match[0].name(), "the secret without blanks or quotes around it");
    assert!(would_match[0].remedies().count() > 0);
}

/// Receives a recorded webhook, with the signature that Plivo's library gave it.
#[track_caller]
fn recorded<T>(endpoint: Endpoint, id: &str, then: impl FnOnce(Webhook<'_>) -> T) -> T {
    let file = json("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    let webhook = webhooks.iter().find(|webhook| webhook["id"] == id).unwrap();
    let (headers, url) = (headers(webhook), webhook["url"].as_str().unwrap());
    let body = webhook["body"].as_str().unwrap_or_default().as_bytes();
    let method = webhook["method"].as_str().unwrap().parse().unwrap();
    let request = Request { method: &method, url, headers: &headers, body };
    then(Plivo.receive(endpoint, &request, &account(&[TOKEN]), NOW).unwrap())
}

#[test]
fn every_recorded_webhook_is_read() {
    let file = json("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    assert!(webhooks.len() > 20);
    for webhook in webhooks {
        let id = webhook["id"].as_str().unwrap();
        for endpoint in [Endpoint::Voice, Endpoint::Status, Endpoint::Resume] {
            recorded(endpoint, id, |webhook| {
                assert_eq!(webhook.carrier_call_id.len(), 36, "{id}");
                assert!(!webhook.is_fallback, "{id}");
                let is_voice = matches!(webhook.event, Event::Voice(_));
                let is_end = id.starts_with("hangup");
                assert_eq!(is_voice, endpoint != Endpoint::Status && !is_end, "{id}");
            });
        }
    }
}

fn number(digits: u64) -> E164 {
    E164::from_u64(digits).unwrap()
}

#[track_caller]
fn voice(endpoint: Endpoint, id: &str, check: impl FnOnce(&VoiceRequest)) {
    recorded(endpoint, id, |webhook| {
        let Event::Voice(voice) = webhook.event else { panic!("{id}: {webhook:?}") };
        check(&voice);
    });
}

#[test]
fn recorded_calls_are_read_as_calls() {
    let (person, ours) = (number(19_195_550_154), number(12_125_550_147));
    for id in ["answer_inbound", "answer_inbound_get", "answer_inbound_sip_headers"] {
        voice(Endpoint::Voice, id, |voice| {
            assert_eq!((voice.call.ani, voice.call.dnis), (Ani::Number(person), Some(ours)));
            assert_eq!(voice.call.account, Some(account(&[]).id));
            assert_eq!(voice.direction, Direction::Inbound);
            assert!(!voice.is_answered && !voice.is_over);
            assert_eq!((voice.dial, voice.answered_by), (None, None));
            assert_eq!(voice.call.attestation, Attestation::None);
        });
    }
    voice(Endpoint::Voice, "answer_inbound_forwarded", |voice| {
        assert_eq!(voice.call.forwarded_from, Some(number(17_025_550_165)));
    });
    voice(Endpoint::Voice, "answer_inbound_anonymous", |voice| {
        assert_eq!(voice.call.ani, Ani::Withheld);
    });
    voice(Endpoint::Voice, "answer_outbound", |voice| {
        assert_eq!((voice.call.ani, voice.call.dnis), (Ani::Number(ours), Some(person)));
        assert_eq!(voice.direction, Direction::Outbound);
        assert!(voice.is_answered && !voice.is_over);
    });
    voice(Endpoint::Resume, "dial_action_answered", |voice| {
        assert_eq!(voice.dial, Some(DialOutcome::Answered));
        assert!(voice.is_answered);
    });
    voice(Endpoint::Resume, "dial_action_no_answer", |voice| {
        assert_eq!(voice.dial, Some(DialOutcome::Unanswered(CallStatus::NoAnswer)));
    });
}

#[track_caller]
fn progress(id: &str, status: CallStatus, direction: Direction, seconds: Option<u32>) {
    // An application without a hangup URL tells the answer URL.
    let endpoints = [Endpoint::Status, Endpoint::Voice];
    let asks = usize::from(id.starts_with("hangup"));
    for &endpoint in endpoints.iter().take(1 + asks) {
        recorded(endpoint, id, |webhook| {
            let Event::Progress(progress) = webhook.event else { panic!("{id}: {webhook:?}") };
            assert_eq!((progress.status, progress.direction), (status, direction), "{id}");
            assert_eq!(progress.duration_seconds, seconds, "{id}");
            assert_eq!(progress.is_placed, direction == Direction::Outbound, "{id}");
            assert!(progress.from.is_some() && progress.to.is_some(), "{id}");
            assert_eq!((progress.parent, progress.call), (None, None), "{id}");
        });
    }
}

#[test]
fn recorded_progress_is_read_as_progress() {
    let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
    progress("ring_outbound", CallStatus::Ringing, outbound, None);
    progress("hangup_inbound_completed", CallStatus::Completed, inbound, Some(42));
    progress("hangup_inbound_end_of_xml", CallStatus::Completed, inbound, Some(9));
    progress("hangup_outbound_busy", CallStatus::Busy, outbound, Some(0));
    progress("hangup_outbound_no_answer", CallStatus::NoAnswer, outbound, Some(0));
    progress("hangup_outbound_rejected", CallStatus::Failed, outbound, Some(0));
}

#[test]
fn machines_and_streams_are_told_in_every_spelling() {
    let event = |id: &str| recorded(Endpoint::Status, id, |webhook| format!("{:?}", webhook.event));
    let expected = |event: Event<'_>| format!("{event:?}");
    for (id, who) in
        [("machine_detected", AnsweredBy::MachineStart), ("human_detected", AnsweredBy::Human)]
    {
        assert_eq!(event(id), expected(Event::AnsweredBy(who)), "{id}");
    }
    for (id, what) in [
        ("stream_started_v1", StreamEvent::Started),
        ("stream_started_v2", StreamEvent::Started),
        ("stream_stopped_v2", StreamEvent::Stopped),
        ("stream_dropped_v1", StreamEvent::Failed("dropped".into())),
        ("stream_failed_v2", StreamEvent::Failed("connection_failed".into())),
    ] {
        assert_eq!(event(id), expected(Event::Stream(what)), "{id}");
    }
    assert_eq!(event("stream_degraded_v1"), expected(Event::Unknown));
}

/// Signs a form and has the room receive it.
fn receive<T>(
    endpoint: Endpoint,
    url: &str,
    body: &str,
    then: impl FnOnce(Result<Webhook<'_>, Refused>) -> T,
) -> T {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    let request = Request { method: &Method::POST, url, headers: &headers, body: body.as_bytes() };
    let mut signed = Plivo.sign(&request, &account(&[TOKEN]), NOW);
    signed.extend(headers.clone());
    then(Plivo.receive(endpoint, &Request { headers: &signed, ..request }, &account(&[TOKEN]), NOW))
}

const BASE: &str = "https://edge.example.com/carriers/main";

#[test]
fn our_id_and_the_fallback_are_on_the_url() {
    let call = CallId::of_carrier_call(account(&[]).id, "x");
    let body = "CallUUID=1&Direction=outbound&RequestUUID=1&CallStatus=ringing&From=12125550147\
                &To=19195550154&Event=Ring";
    let url = format!("{BASE}/status?call={call}");
    receive(Endpoint::Status, &url, body, |webhook| {
        let Event::Progress(progress) = webhook.unwrap().event else { panic!("no progress") };
        assert_eq!(progress.call, Some(call));
    });
    let url = format!("{BASE}/voice?call={call}&fallback=1");
    receive(Endpoint::Voice, &url, body, |webhook| assert!(webhook.unwrap().is_fallback));
}

#[test]
fn the_second_leg_of_a_dial_names_the_first() {
    let body = "CallUUID=b&ALegUUID=a&RequestUUID=a&Direction=outbound&CallStatus=completed\
                &From=12125550147&To=19195550154";
    receive(Endpoint::Status, &format!("{BASE}/status"), body, |webhook| {
        let Event::Progress(progress) = webhook.unwrap().event else { panic!("no progress") };
        assert_eq!(progress.parent.as_deref(), Some("a"));
        assert!(!progress.is_placed);
    });
}

#[test]
fn only_a_verified_caller_is_attested() {
    let attested = |fields: &str| {
        let body = format!("CallUUID=1&From=12125550147&To=19195550154&{fields}");
        receive(Endpoint::Voice, &format!("{BASE}/voice"), &body, |webhook| {
            let Event::Voice(voice) = webhook.unwrap().event else { panic!("no call") };
            voice.call.attestation
        })
    };
    assert_eq!(attested("STIRVerification=Verified&STIRAttestation=A"), Attestation::A);
    assert_eq!(attested("STIRVerification=verified&STIRAttestation=B"), Attestation::B);
    assert_eq!(attested("STIRVerification=Not+Verified&STIRAttestation=A"), Attestation::None);
    assert_eq!(attested("STIRAttestation=A"), Attestation::None);
}

#[test]
fn what_is_no_call_of_the_account_is_refused() {
    let refused = |body: &str| {
        let url = format!("{BASE}/voice");
        receive(Endpoint::Voice, &url, body, |webhook| webhook.map(drop).unwrap_err())
    };
    assert_eq!(refused("From=12125550147"), Refused::Malformed("no CallUUID"));
    assert!(matches!(refused("CallUUID="), Refused::Malformed(_)));
    let swallowed = format!("CallUUID={}DirectionInbound", "4".repeat(36));
    assert!(matches!(refused(&swallowed), Refused::Malformed(_)));
    let other = "CallUUID=1&ParentAuthID=MAOOOOOOOOOOOOOOOOOO";
    assert_eq!(refused(other), Refused::AccountMismatch);
}

#[test]
fn an_account_is_a_main_or_a_sub_account() {
    for (id, is_one) in [
        (AUTH_ID, true),
        ("SAMO7XWB2XYF3PE8DP3J", true),
        ("MAMO7XWB2XYF3PE8DP3", false),
        ("AC66acdc865fff60921f34dac80d62be2f", false),
        ("", false),
    ] {
        assert_eq!(Plivo.is_account_id(id), is_one, "{id}");
    }
}

fn written(answer: &Answer<'_>) -> String {
    let mut out = b"what was there before".to_vec();
    answer::write(answer, &mut out);
    String::from_utf8(out).unwrap()
}

/// An element: its name, its attributes, its text without the blanks around it.
type Element = (String, Vec<(String, String)>, String);

/// The elements of a document, in the order they begin.
fn outline(document: &str) -> Vec<Element> {
    let document = Document::parse(document).unwrap();
    let element = |node: Node<'_, '_>| {
        let attributes = node.attributes();
        let mut attributes: Vec<_> =
            attributes.map(|a| (a.name().to_owned(), a.value().to_owned())).collect();
        attributes.sort();
        let text: String = node.children().filter_map(|child| child.text()).collect();
        let text = if node.has_children() { text } else { String::new() };
        (node.tag_name().name().to_owned(), attributes, text.trim().to_owned())
    };
    document.descendants().filter(Node::is_element).map(element).collect()
}

#[test]
fn documents_are_those_of_plivos_library() {
    let file = json("answer_documents.json");
    let theirs = |id: &str| {
        let documents = file["documents"].as_array().unwrap();
        let document = documents.iter().find(|document| document["id"] == id).unwrap();
        outline(document["xml"].as_str().unwrap())
    };
    assert_eq!(outline(&written(&Answer::Reject)), theirs("reject"));
    assert_eq!(outline(&written(&Answer::Busy)), theirs("busy"));
    let text = "We are closed & call back later.";
    let said = outline(&written(&Answer::Say { text, resume_url: "" }));
    let of_library = theirs("say_and_hangup");
    assert_eq!((&said[1].2, &said[2]), (&of_library[1].2, &of_library[2]));

    let ours = outline(&written(&Answer::Media {
        url: "wss://router.harbor.example/plivo/media?ticket=5b03add1-3e12-4c48-9b77-f6a4f93f0973",
        status_url: "https://router.harbor.example/plivo/stream-status",
        resume_url: "https://router.harbor.example/plivo/after-stream?call=1&step=2",
        format: MediaFormat::PCMU_8000,
        parameters: &[("a b", "no"), ("callRef", "abc123"), ("second", "1")],
    }));
    let (stream, redirect) = (theirs("stream_bidirectional"), theirs("stream_then_redirect"));
    assert_eq!((&ours[1].0, &ours[1].2), (&stream[1].0, &stream[1].2));
    for attribute in &stream[1].1 {
        assert!(ours[1].1.contains(attribute), "{attribute:?}");
    }
    assert_eq!(ours[2], redirect[2]);
    let has = |name: &str, value: &str| ours[1].1.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("audioTrack", "inbound") && has("streamTimeout", "86400"));
}

#[test]
fn a_dial_asks_what_follows() {
    let resume_url = "https://edge.example.com/resume?call=1&attempt=2";
    let dial = r#"<Dial action="https://edge.example.com/resume?call=1&amp;attempt=2" method="POST" redirect="true">"#;
    let number = number(19_195_550_100);
    for (answer, inside) in [
        (Answer::DialNumber { number, resume_url }, "<Number>+19195550100</Number>"),
        (
            Answer::DialSip { address: "desk@pbx.example.com", resume_url },
            "<User>sip:desk@pbx.example.com</User>",
        ),
    ] {
        let document = written(&answer);
        assert!(document.contains(&format!("{dial}{inside}</Dial>")), "{document}");
    }
    let document = written(&Answer::HangUp);
    assert!(document.ends_with("<Response><Hangup/></Response>"), "{document}");
    let document = written(&Answer::Redirect { url: "https://old.example.com/a?b&c" });
    let redirect = r#"<Redirect method="POST">https://old.example.com/a?b&amp;c</Redirect>"#;
    assert!(document.contains(redirect), "{document}");
    let long = "ü".repeat(5000);
    let document = written(&Answer::Say { text: &long, resume_url: "" });
    assert_eq!(document.matches('ü').count(), 3000);
}

/// Every message of a session, by who sent it.
fn messages(session: &Value, from: &str) -> Vec<String> {
    let lines = session["lines"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["from"] == from && line["text"].is_string());
    lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn recorded_sessions_are_heard() {
    let file = json("media_sessions.json");
    let sessions = file["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    for session in sessions {
        let id = session["id"].as_str().unwrap();
        let format = if id == "l16-16k" { MediaFormat::L16_16000 } else { MediaFormat::PCMU_8000 };
        assert_eq!(media::content_type(format), session["content_type"], "{id}");
        let framing = Plivo.framing(format, &account(&[])).unwrap();
        let (mut audio, mut marks, mut keys, mut ends) = (0, Vec::new(), 0, Vec::new());
        for text in messages(session, "carrier") {
            match framing.read(&Frame::Text(text.as_str().into())).unwrap() {
                Heard::Began(began) => {
                    let call = session["call_id"].as_str().unwrap().to_owned();
                    assert_eq!(began.call, CallNamed::Carrier(call), "{id}");
                    assert_eq!(began.stream, session["stream_id"], "{id}");
                    assert_eq!((began.account.as_str(), began.format), (AUTH_ID, format), "{id}");
                    let names: Vec<_> = began.parameters.iter().map(|(name, _)| name).collect();
                    let expected: &[&str] = match id {
                        "mulaw-close-only" => &[],
                        "mulaw-stop-event" => &["callRef", "tenant"],
                        _ => &["callRef"],
                    };
                    assert_eq!(names, expected, "{id}");
                }
                Heard::Audio(Audio { payload: Payload::Base64(payload), chunk }) => {
                    audio += 1;
                    assert_eq!(chunk, Some(audio), "{id}");
                    let bytes = base64_simd::STANDARD.decode_to_vec(payload.as_bytes()).unwrap();
                    assert_eq!(bytes.len(), format.bytes_of_ms(20), "{id}");
                }
                Heard::Mark(name) => marks.push(name.into_owned()),
                Heard::Dtmf(_) => keys += 1,
                Heard::Stopped => ends.push(true),
                Heard::Cleared => ends.push(false),
                Heard::Connected | Heard::Audio(_) | Heard::Failed(_) | Heard::Unknown => {
                    panic!("{id}: {text}")
                }
            }
        }
        assert_eq!(json!(audio), session["expect"]["media_frames"], "{id}");
        assert_eq!(json!(marks), session["expect"]["playedStream"], "{id}");
        assert_eq!(keys, 1, "{id}");
        let is_told = session["ending"] == "stop";
        assert_eq!(ends, if is_told { vec![false, true] } else { vec![false] }, "{id}");
    }
}

#[test]
fn what_is_said_is_what_the_recorded_edge_said() {
    for session in json("media_sessions.json")["sessions"].as_array().unwrap() {
        let stream = session["stream_id"].as_str().unwrap();
        let format = match session["id"].as_str().unwrap() {
            "l16-16k" => MediaFormat::L16_16000,
            _ => MediaFormat::PCMU_8000,
        };
        let framing = Plivo.framing(format, &account(&[])).unwrap();
        let mut compared = 0;
        for text in messages(session, "edge") {
            let theirs: Value = serde_json::from_str(&text).unwrap();
            let payload = theirs["media"]["payload"].as_str().unwrap_or_default();
            let said = match theirs["event"].as_str().unwrap() {
                "playAudio" => Said::Audio(Payload::Base64(payload.into())),
                "checkpoint" => Said::Mark(theirs["name"].as_str().unwrap()),
                "clearAudio" => Said::Clear,
                _ => continue,
            };
            let Some(Frame::Text(ours)) = framing.write(&said, stream) else { panic!("no text") };
            assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), theirs);
            compared += 1;
        }
        assert!(compared > 3);
        assert!(framing.has_marks() && framing.outbound_format() == format);
    }
}

#[test]
fn odd_messages_are_unknown_and_broken_ones_malformed() {
    let framing = Plivo.framing(MediaFormat::PCMU_8000, &account(&[])).unwrap();
    let read = |text: &'static str| {
        framing.read(&Frame::Text(text.into())).map(|heard| format!("{heard:?}"))
    };
    let heard = |heard: Heard<'_>| Ok(format!("{heard:?}"));
    assert_eq!(read(r#"{"event":"newThing","x":{}}"#), heard(Heard::Unknown));
    assert_eq!(read(r#"{"event":"dtmf","dtmf":{"digit":"x"}}"#), heard(Heard::Unknown));
    assert_eq!(read(r#"{"event":"dtmf","dtmf":{"digit":"d"}}"#), heard(Heard::Dtmf('D')));
    let failed = heard(Heard::Failed("no codec".into()));
    assert_eq!(read(r#"{"event":"playFailed","reason":"no codec"}"#), failed);
    for broken in ["", "x", "[]", "{}", r#"{"event":"media"}"#, r#"{"event":"start","start":{}}"#] {
        assert_eq!(read(broken), Err(Malformed), "{broken}");
    }
    assert_eq!(framing.read(&Frame::Binary(b"{}".into())).map(drop), Err(Malformed));
    let Some(Frame::Text(text)) = framing.write(&Said::Mark("a\"b"), "s\\") else {
        panic!("no text")
    };
    let mark = json!({ "event": "checkpoint", "streamId": "s\\", "name": "a\"b" });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), mark);
    let Some(Frame::Text(text)) =
        framing.write(&Said::Audio(Payload::Bytes(b"\xff\x7f"[..].into())), "")
    else {
        panic!("no text")
    };
    assert!(text.contains(r#""payload":"/38=""#), "{text}");
}

#[test]
fn formats_are_those_that_the_socket_has() {
    for (wanted, format) in [
        (MediaFormat::PCMU_8000, MediaFormat::PCMU_8000),
        (MediaFormat::PCMA_8000, MediaFormat::PCMU_8000),
        (MediaFormat::L16_8000, MediaFormat::L16_8000),
        (MediaFormat::L16_16000, MediaFormat::L16_16000),
        (MediaFormat::L16_24000, MediaFormat::L16_16000),
    ] {
        assert_eq!(Plivo.media_format(wanted), format);
    }
}

fn asked(command: &Command<'_>) -> ApiRequest {
    commands::request(command, &account(&[TOKEN])).unwrap()
}

fn path(rest: &str) -> String {
    format!("/v1/Account/{AUTH_ID}/{rest}")
}

fn body(request: &ApiRequest) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

fn dial() -> Dial<'static> {
    Dial {
        from: number(12_125_550_147),
        to: number(19_195_550_154),
        voice_url: "https://edge.example.com/carriers/main/voice?call=1",
        status_url: "https://edge.example.com/carriers/main/status?call=1",
        ring_seconds: 60,
        detects_machine: true,
        awaits_recording: false,
    }
}

#[test]
fn calls_are_placed_moved_and_ended() {
    let request = asked(&Command::Dial(dial()));
    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, &*path("Call/")));
    let Authorization::Header(header) = &request.authorization else { panic!("no header") };
    let credentials = header.reveal().strip_prefix("Basic ").unwrap();
    let credentials = base64_simd::STANDARD.decode_to_vec(credentials).unwrap();
    assert_eq!(credentials, format!("{AUTH_ID}:{TOKEN}").into_bytes());
    let (voice, status) = (dial().voice_url, dial().status_url);
    let expected = json!({
        "from": "12125550147", "to": "19195550154", "ring_timeout": 60,
        "answer_url": voice, "answer_method": "POST",
        "fallback_url": format!("{voice}&fallback=1"), "fallback_method": "POST",
        "ring_url": status, "ring_method": "POST",
        "hangup_url": status, "hangup_method": "POST",
        "machine_detection": "true", "machine_detection_url": status,
        "machine_detection_method": "POST",
    });
    assert_eq!(body(&request), expected);
    let plain =
        asked(&Command::Dial(Dial { detects_machine: false, awaits_recording: false, ..dial() }));
    assert_eq!(body(&plain).get("machine_detection"), None);

    let end = asked(&Command::HangUp { carrier_call_id: "9834/../x" });
    assert_eq!(end.method, Method::DELETE);
    assert_eq!(end.path, path("Call/9834%2F%2E%2E%2Fx/"));
    let url = "https://edge.example.com/carriers/main/resume?call=1&attempt=2";
    let moved = asked(&Command::Redirect { carrier_call_id: "9834", url });
    assert_eq!((&moved.method, moved.path.as_str()), (&Method::POST, &*path("Call/9834/")));
    assert_eq!(body(&moved), json!({ "legs": "aleg", "aleg_url": url, "aleg_method": "POST" }));
}

fn refused(cause: DialFailure, status: u16, message: &str) -> CommandOutcome {
    CommandOutcome::Refused(ApiError { cause, status, code: None, message: message.to_owned() })
}

#[test]
fn replies_are_sorted_by_what_to_do() {
    let (call, end) = (Command::Dial(dial()), Command::HangUp { carrier_call_id: "1" });
    let outcome = |command, status, body: &str| Plivo.outcome(command, status, body.as_bytes());
    let accepted = || CommandOutcome::Accepted { carrier_call_id: "9834029e".to_owned() };
    let fired = r#"{"message":"call fired","request_uuid":"9834029e","api_id":"97ceeb52"}"#;
    assert_eq!(outcome(&call, 201, fired), accepted());
    let several = r#"{"message":"calls fired","request_uuid":["9834029e","77"],"api_id":"9"}"#;
    assert_eq!(outcome(&call, 201, several), accepted());
    assert_eq!(outcome(&call, 201, "{}"), CommandOutcome::Unclear);
    for status in [408, 500, 503] {
        assert_eq!(outcome(&call, status, ""), CommandOutcome::Unclear, "{status}");
    }
    assert_eq!(outcome(&call, 429, ""), CommandOutcome::Busy);
    for (status, message, cause) in [
        (400, "destination_number is invalid", DialFailure::InvalidNumber),
        (400, "from number is not verified", DialFailure::InvalidCallerId),
        (400, "answer_url is missing", DialFailure::Refused),
        (401, "", DialFailure::Credentials),
        (402, "insufficient credit", DialFailure::NotPermitted),
    ] {
        let body = json!({ "api_id": "1", "error": message }).to_string();
        assert_eq!(outcome(&call, status, &body), refused(cause, status, message), "{message}");
    }
    let by_field = outcome(&call, 400, r#"{"error":{"to":["is missing"]}}"#);
    let message = r#"{"to":["is missing"]}"#;
    assert_eq!(by_field, refused(DialFailure::InvalidNumber, 400, message));
    assert_eq!(outcome(&end, 204, ""), CommandOutcome::Done);
    assert_eq!(outcome(&end, 404, r#"{"error":"not found"}"#), CommandOutcome::Done);
    assert_eq!(outcome(&end, 401, ""), refused(DialFailure::Credentials, 401, ""));
}

#[test]
fn calls_are_listed_by_page() {
    let since = UnixMillis(1_767_268_800_000);
    let (from, to) = (dial().from, dial().to);
    let find = Command::FindCalls { from, to, since };
    let filter =
        "call%5Fdirection=outbound&end%5Ftime%5F%5Fgte=2026%2D01%2D01%2000%3A00%3A00&limit=20";
    let numbers = "from%5Fnumber=12125550147&to%5Fnumber=19195550154";
    assert_eq!(asked(&find).path, path(&format!("Call/?{filter}&{numbers}")));
    let list = Command::ListCalls { since, page: None };
    assert_eq!(asked(&list).path, path(&format!("Call/?{filter}")));
    let call = |id: &str, parent: Option<&str>, answered: Option<&str>, cause: u32| {
        json!({
            "call_uuid": id, "call_direction": "outbound", "parent_call_uuid": parent,
            "from_number": "+12125550147", "to_number": "19195550154",
            "initiation_time": "2026-01-01 17:30:00+05:30", "answer_time": answered,
            "hangup_cause_code": cause,
        })
    };
    let next = "/v1/Account/MAOTHER/Call/?limit=20&offset=20";
    let page = json!({
        "meta": { "limit": 20, "next": next, "offset": 0 },
        "objects": [
            call("1", None, Some("2026-01-01 17:30:09+05:30"), 4000),
            call("2", None, None, 3010),
            call("3", Some("1"), None, 4000),
        ],
    });
    let found = |id: &str, status| FoundCall {
        call: None,
        carrier_call_id: id.to_owned(),
        from: Some(from),
        to: Some(to),
        status,
        created_at: since,
        answered_by: None,
    };
    let calls = vec![found("1", CallStatus::Completed), found("2", CallStatus::Busy)];
    let outcome = |command| Plivo.outcome(command, 200, page.to_string().as_bytes());
    assert_eq!(outcome(&find), CommandOutcome::Found(calls.clone()));
    let listed = CallPage { calls, listed: 3, next: Some("limit=20&offset=20".to_owned()) };
    assert_eq!(outcome(&list), CommandOutcome::Listed(listed));
    let forged = Command::ListCalls { since, page: Some("limit=1#/../x y\r\n?b") };
    assert_eq!(asked(&forged).path, path("Call/?limit=1..xyb"));
}

#[test]
fn numbers_are_searched_bought_and_found() {
    let search =
        NumberSearch { country: "US", area_code: Some("415"), is_toll_free: false, limit: 50 };
    let command = Command::SearchNumbers(search);
    let query = "country%5Fiso=US&type=local&services=voice&pattern=415&limit=20";
    assert_eq!(asked(&command).path, path(&format!("PhoneNumber/?{query}")));
    let offers = br#"{"objects":[{"number":"14155550186","country":"UNITED STATES",
        "region":"California, UNITED STATES","city":"San Francisco"}]}"#;
    let offer = OfferedNumber {
        number: number(14_155_550_186),
        country: "US".to_owned(),
        is_toll_free: false,
        state: Some("California".to_owned()),
        locality: Some("San Francisco".to_owned()),
    };
    assert_eq!(Plivo.outcome(&command, 200, offers), CommandOutcome::Offered(vec![offer]));

    let order = NumberOrder { number: number(14_155_550_186), voice_url: "v", status_url: "s" };
    let buy = Command::BuyNumber(order);
    assert_eq!(commands::request(&buy, &account(&[TOKEN])), None, "its calls would go nowhere");
    let mut with_application = account(&[TOKEN]);
    with_application.application_id = "21686794894743506".to_owned();
    let request = commands::request(&buy, &with_application).unwrap();
    assert_eq!(request.path, path("PhoneNumber/14155550186/"));
    assert_eq!(body(&request), json!({ "app_id": "21686794894743506" }));
    for (status, is_owned) in [("fulfilled", true), ("pending", false)] {
        let reply = json!({ "numbers": [], "status": status }).to_string();
        let bought = Plivo.outcome(&buy, 201, reply.as_bytes());
        assert_eq!(bought, CommandOutcome::Owned(is_owned), "{status}");
    }
    let find = Command::FindNumber { number: number(14_155_550_186) };
    assert_eq!(asked(&find).path, path("Number/14155550186/"));
    let owned = Plivo.outcome(&find, 200, br#"{"number":"14155550186","active":true}"#);
    assert_eq!(owned, CommandOutcome::Owned(true));
    let gone = Plivo.outcome(&find, 404, br#"{"error":"not found"}"#);
    assert_eq!(gone, CommandOutcome::Owned(false));
}

/// Any text at all, and the kind that would break out.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"([<>&"' \t\r\n\x00-\x1f]|</Stream>|<Hangup/>|]]>|<!--|&lt;|"/>){0,12}"#,
    ]
}

/// Elements and their attributes' names.
fn shape(document: &str) -> Vec<(String, Vec<String>)> {
    let names = |attributes: Vec<(String, String)>| attributes.into_iter().map(|a| a.0).collect();
    outline(document).into_iter().map(|(name, attributes, _)| (name, names(attributes))).collect()
}

proptest! {
    #[test]
    fn nothing_can_be_injected(a in text(), b in text(), c in text(), name in text()) {
        let media = |url, status_url, resume_url, parameters| {
            let format = MediaFormat::PCMU_8000;
            written(&Answer::Media { url, status_url, resume_url, format, parameters })
        };
        let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let same: &[(&str, &str)] = if is_plain { &[("a", "b")] } else { &[] };
        let named = [(name.as_str(), name.as_str())];
        let hostile = media(&a, &b, &c, &named);
        prop_assert_eq!(shape(&hostile), shape(&media("x", "x", "x", same)));
        let hostile = written(&Answer::DialSip { address: &a, resume_url: &b });
        let harmless = written(&Answer::DialSip { address: "x", resume_url: "x" });
        prop_assert_eq!(shape(&hostile), shape(&harmless));
        let hostile = written(&Answer::Say { text: &a, resume_url: "" });
        prop_assert_eq!(shape(&hostile), shape(&written(&Answer::Say { text: "x", resume_url: "" })));
    }

    #[test]
    fn no_request_panics(
        url in "https://h(:[0-9]{0,3})?(/[!-~]{0,20})?", body in "[ -~]{0,60}", is_get: bool,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let method = if is_get { Method::GET } else { Method::POST };
        let request = Request { method: &method, url: &url, headers: &headers, body: body.as_bytes() };
        let mut signed = Plivo.sign(&request, &account(&[TOKEN]), NOW);
        signed.extend(headers.clone());
        let request = Request { headers: &signed, ..request };
        prop_assert_eq!(Plivo.verify_upgrade(&request, &account(&[TOKEN])), Ok(()));
        for endpoint in [Endpoint::Voice, Endpoint::Status, Endpoint::Resume] {
            let _read = Plivo.receive(endpoint, &request, &account(&[TOKEN]), NOW);
        }
    }

    #[test]
    fn no_message_panics(text in ".{0,80}", event in "start|media|dtmf|playedStream|stop|x") {
        let framing = Plivo.framing(MediaFormat::PCMU_8000, &account(&[])).unwrap();
        let _read = framing.read(&Frame::Text(text.as_str().into()));
        let value = json!({ "event": event, "name": text, "extra_headers": text,
            "start": { "callId": text, "mediaFormat": { "encoding": text, "sampleRate": text } },
            "media": { "payload": text, "chunk": text }, "dtmf": { "digit": text } });
        prop_assert!(framing.read(&Frame::Text(value.to_string().into())).is_ok());
    }
}

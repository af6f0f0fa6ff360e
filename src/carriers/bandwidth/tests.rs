//! The room against requests and documents made as Bandwidth's SDK makes them, and against noise.

use std::{fs, path::PathBuf};

use base64_simd::STANDARD;
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use roxmltree::{Document, Node};
use serde_json::{Value, json};

use super::*;
use crate::{
    carriers::{
        AnsweredBy, ApiError, Authorization, Dial, DialOutcome, Event, NumberOrder, NumberSearch,
        Progress, StreamEvent, VoiceRequest,
        shared::{
            diagnosis::{Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{
        AccountOrigin, Ani, ApiKey, Attestation, CallId, CallStatus, CarrierId, DialFailure,
        Direction, E164, Secret,
    },
    media::{
        framing::{Audio, CallNamed, Frame, Heard, Payload, Said},
        messages::Malformed,
    },
};

const NOW: UnixMillis = UnixMillis(1_791_209_784_467);
const USER: &str = "bw-c18b";
const PASSWORD: &str = "kknkgkp4k68u89s9hjn9v2kf";
const BASE: &str = "https://edge.example.com/carriers/main";

fn json(name: &str) -> Value {
    let folder = "tests/fixtures/bandwidth";
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), folder, name].iter().collect();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn account_with(user: &str, password: &str) -> Account {
    let mut account = Account::named("main".to_owned(), CarrierId::Bandwidth, AccountOrigin::File);
    account.account_id = "9915855".to_owned();
    account.application_id = "1ed8a1e0-93a5-47a9-8b32-ceb63719acb1".to_owned();
    account.secrets = vec![Secret::new(format!("{user}:{password}"))];
    account
}

fn account() -> Account {
    account_with(USER, PASSWORD)
}

fn headers(case: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in case.as_object().unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    headers
}

fn showing(authorization: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())])
}

fn verdict(headers: &HeaderMap, account: &Account) -> Result<(), Refused> {
    let request = Request { method: &Method::GET, url: "wss://h/media/1", headers, body: b"" };
    Bandwidth.verify_upgrade(&request, account)
}

#[test]
fn users_and_passwords_are_judged_as_recorded() {
    let file = json("basic_auth.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let account = account_with(text("username"), text("password"));
        let verdict = verdict(&headers(&case["headers"]), &account);
        assert_eq!(json!(verdict.is_ok()), case["accept"], "{}: {verdict:?}", case["id"]);
    }
}

#[test]
fn refusals_name_their_cause_and_ask_for_a_password() {
    let shown = |text: &str| format!("Basic {}", STANDARD.encode_to_string(text));
    for (authorization, cause) in [
        (String::new(), Refused::Unsigned),
        ("Basic".to_owned(), Refused::UnknownKey),
        (shown("x").replace("Basic", "Bearer"), Refused::UnknownKey),
        (shown(USER), Refused::WrongSignature),
        (shown(&format!("{USER}:")), Refused::WrongSignature),
        (shown(&format!("{USER}:{PASSWORD} ")), Refused::WrongSignature),
        (shown(&format!("{USER}:{PASSWORD}"))[..20].to_owned(), Refused::WrongSignature),
    ] {
        assert_eq!(verdict(&showing(&authorization), &account()), Err(cause), "{authorization:?}");
        assert_eq!(Bandwidth.refusal_status(cause), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(Bandwidth.refusal_status(Refused::AccountMismatch), StatusCode::FORBIDDEN);
    assert_eq!(Bandwidth.refusal_status(Refused::Malformed("")), StatusCode::BAD_REQUEST);
    let none = Account { secrets: Vec::new(), ..account() };
    assert_eq!(verdict(&showing(&shown(":")), &none), Err(Refused::WrongSignature));
    let signed = {
        let headers = HeaderMap::new();
        let request = Request { method: &Method::GET, url: "", headers: &headers, body: b"" };
        Bandwidth.sign(&request, &account(), NOW)
    };
    assert_eq!(signed, showing(&shown(&format!("{USER}:{PASSWORD}"))));
}

#[track_caller]
fn diagnosed(authorization: Option<&str>, secret: &str) -> (Refused, Vec<String>) {
    let request = RawRequest {
        method: Method::POST,
        target: "/".to_owned(),
        headers: authorization.map(showing).unwrap_or_default(),
        body: Vec::new(),
    };
    let account = Account { secrets: vec![Secret::new(secret.to_owned())], ..account() };
    let found = diagnose::diagnose(&request, BASE, &account);
    let Diagnosis::Invalid { cause, would_match } = found else { panic!("{found:?}") };
    assert!(would_match.iter().all(|reading| reading.remedies().count() > 0), "{would_match:?}");
    (cause, would_match.iter().map(Reading::name).collect())
}

#[test]
fn what_is_wrong_with_a_password_is_named() {
    let basic = |text: &str| format!("Basic {}", STANDARD.encode_to_string(text));
    let right = format!("{USER}:{PASSWORD}");
    let twice = basic(&STANDARD.encode_to_string(&right));
    let unpadded = basic("user:p?ss>").replace('=', "").replace('/', "_").replace('+', "-");
    for (authorization, secret, cause, reading) in [
        (None, right.as_str(), Refused::Unsigned, "with the user and password"),
        (
            Some(basic(&format!("{USER}:other"))),
            &right,
            Refused::WrongSignature,
            "with the configured password",
        ),
        (
            Some(basic(&format!("other:{PASSWORD}"))),
            &right,
            Refused::WrongSignature,
            "with the configured user",
        ),
        (
            Some(basic(&format!("{PASSWORD}:{USER}"))),
            &right,
            Refused::WrongSignature,
            "user and password exchanged",
        ),
        (
            Some(basic(&format!("BW-C18B:{PASSWORD}"))),
            &right,
            Refused::WrongSignature,
            "the user in another case",
        ),
        (
            Some(basic(&right)),
            &format!("{right}\n"),
            Refused::WrongSignature,
            "without blanks or quotes around them",
        ),
        (Some(basic(&right).replace("Basic", "Bearer")), &right, Refused::UnknownKey, "as Basic"),
        (Some(STANDARD.encode_to_string(&right)), &right, Refused::UnknownKey, "as Basic"),
        (Some(format!("Basic {right}")), &right, Refused::WrongSignature, "not encoded"),
        (Some(twice), &right, Refused::WrongSignature, "encoded twice"),
        (Some(unpadded), "user:p?ss>", Refused::WrongSignature, "as other base64"),
        (Some(basic("user:p%40ss")), "user:p@ss", Refused::WrongSignature, "percent-decoded"),
    ] {
        let (found, readings) = diagnosed(authorization.as_deref(), secret);
        assert_eq!(found, cause, "{reading}");
        assert!(readings.iter().any(|found| found == reading), "{reading}: {readings:?}");
    }
    let latin: Vec<u8> = "user:p\u{e4}ss".chars().map(|c| u8::try_from(c).unwrap()).collect();
    let latin = format!("Basic {}", STANDARD.encode_to_string(&latin));
    assert_eq!(diagnosed(Some(&latin), "user:p\u{e4}ss").1, ["in UTF-8"]);
    // Nothing of it is right: nothing is guessed.
    assert!(diagnosed(Some(&basic("a:b")), &right).1.is_empty());
}

/// Receives a recorded webhook, with what Bandwidth showed.
#[track_caller]
fn recorded<T>(id: &str, then: impl FnOnce(Webhook<'_>) -> T) -> T {
    let file = json("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    let webhook = webhooks.iter().find(|webhook| webhook["id"] == id).unwrap();
    let (headers, url) = (headers(&webhook["headers"]), webhook["url"].as_str().unwrap());
    let body = webhook["body"].as_str().unwrap().as_bytes();
    let method = webhook["method"].as_str().unwrap().parse().unwrap();
    let request = Request { method: &method, url, headers: &headers, body };
    then(Bandwidth.receive(Endpoint::Voice, &request, &account(), NOW).unwrap())
}

#[test]
fn every_recorded_webhook_is_read() {
    let file = json("webhooks.json");
    let webhooks = file["webhooks"].as_array().unwrap();
    assert_eq!(webhooks.len(), 17);
    for webhook in webhooks {
        let id = webhook["id"].as_str().unwrap();
        recorded(id, |read| {
            assert!(read.carrier_call_id.starts_with("c-"), "{id}");
            assert!(!read.is_fallback && read.step.is_none(), "{id}");
            assert!(read.event_id.unwrap().ends_with(" 2026-10-05T14:00:03.554Z"), "{id}");
            let wants_document = webhook["reply"] == "BXML";
            assert_eq!(matches!(read.event, Event::Voice(_)), wants_document, "{id}");
            assert_ne!(read.event, Event::Unknown, "{id}");
        });
    }
}

fn number(digits: u64) -> E164 {
    E164::from_u64(digits).unwrap()
}

#[track_caller]
fn voice(id: &str) -> VoiceRequest {
    recorded(id, |webhook| {
        let Event::Voice(voice) = webhook.event else { panic!("{id}: {webhook:?}") };
        voice
    })
}

#[test]
fn recorded_calls_are_read_as_calls() {
    let (person, ours) = (number(19_195_550_197), number(18_185_550_101));
    let call = voice("initiate");
    assert_eq!((call.call.ani, call.call.dnis), (Ani::Number(person), Some(ours)));
    assert_eq!(call.call.account, Some(account().id));
    assert_eq!((call.call.attestation, call.call.forwarded_from), (Attestation::None, None));
    assert_eq!(call.direction, Direction::Inbound);
    assert!(!call.is_answered && !call.is_over);
    assert_eq!((call.dial, call.answered_by), (None, None));
    assert_eq!(voice("initiate_stir_shaken").call.attestation, Attestation::A);
    let diverted = voice("initiate_diverted").call;
    assert_eq!(diverted.forwarded_from, Some(number(19_195_550_199)));
    assert_eq!(voice("initiate_anonymous").call.ani, Ani::Withheld);

    let placed = voice("answer_outbound");
    assert_eq!((placed.call.ani, placed.call.dnis), (Ani::Number(ours), Some(person)));
    assert_eq!((placed.direction, placed.is_answered), (Direction::Outbound, true));
    let machine = voice("answer_outbound_amd_sync");
    assert_eq!(machine.answered_by, Some(AnsweredBy::MachineStart));

    let redirected = voice("redirect");
    assert!(redirected.is_answered && redirected.dial.is_none());
    let dialled = voice("transfer_complete");
    assert_eq!(dialled.dial, Some(DialOutcome::Unanswered(CallStatus::NoAnswer)));
    assert!(dialled.is_answered);
}

#[test]
fn recorded_ends_are_read_as_progress() {
    for (id, status, direction, seconds) in [
        ("disconnect_hangup", CallStatus::Completed, Direction::Inbound, Some(39)),
        ("disconnect_busy", CallStatus::Busy, Direction::Outbound, None),
        ("disconnect_timeout", CallStatus::NoAnswer, Direction::Outbound, None),
        ("disconnect_callback_error", CallStatus::Failed, Direction::Inbound, None),
        ("disconnect_unknown_cause", CallStatus::Failed, Direction::Inbound, None),
    ] {
        let progress: Progress<'static> = recorded(id, |webhook| {
            let Event::Progress(progress) = webhook.event else { panic!("{id}: {webhook:?}") };
            Progress { parent: None, ..progress }
        });
        assert_eq!((progress.status, progress.direction), (status, direction), "{id}");
        assert_eq!(progress.duration_seconds, seconds, "{id}");
        assert_eq!(progress.is_placed, direction == Direction::Outbound, "{id}");
        assert!(progress.from.is_some() && progress.to.is_some(), "{id}");
        assert_eq!(progress.at, webhook::timestamp("2026-10-05T14:00:45.123Z"), "{id}");
    }
}

#[test]
fn machines_and_streams_are_told() {
    let check = |id: &str, expected: &Event<'_>| {
        recorded(id, |webhook| assert_eq!(webhook.event, *expected, "{id}"));
    };
    check("machine_detection_complete", &Event::AnsweredBy(AnsweredBy::Human));
    check("media_stream_started", &Event::Stream(StreamEvent::Started));
    check("media_stream_stopped", &Event::Stream(StreamEvent::Stopped));
    let rejected = StreamEvent::Rejected("connection-error: connect timed out".into());
    check("media_stream_rejected", &Event::Stream(rejected));
}

fn receive<T>(
    method: &Method,
    url: &str,
    body: &str,
    then: impl FnOnce(Result<Webhook<'_>, Refused>) -> T,
) -> T {
    let headers = signature::headers(&account());
    let request = Request { method, url, headers: &headers, body: body.as_bytes() };
    then(Bandwidth.receive(Endpoint::Voice, &request, &account(), NOW))
}

/// The event of a body with these fields beside what every event has.
#[track_caller]
fn event<T>(kind: &str, fields: &Value, then: impl FnOnce(Webhook<'_>) -> T) -> T {
    let mut body = json!({ "eventType": kind, "eventTime": "2026-10-05T14:00:03.554Z",
        "accountId": "9915855", "callId": "c-1", "from": "+19195550197", "to": "+18185550101",
        "direction": "inbound" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let url = format!("{BASE}/voice");
    receive(&Method::POST, &url, &body.to_string(), |webhook| then(webhook.unwrap()))
}

#[track_caller]
fn attested(stir_shaken: &Value) -> Attestation {
    event("initiate", &json!({ "stirShaken": stir_shaken }), |webhook| {
        let Event::Voice(voice) = webhook.event else { panic!("{webhook:?}") };
        voice.call.attestation
    })
}

#[test]
fn only_a_verified_caller_is_attested() {
    let signed = |verstat: &str, level: &str| {
        attested(&json!({ "verstat": verstat, "attestationIndicator": level, "x": [1] }))
    };
    assert_eq!(signed("TN-Verification-Passed", "B"), Attestation::B);
    assert_eq!(signed("TN-Verification-Passed", "C"), Attestation::C);
    assert_eq!(signed("TN-Verification-Failed", "A"), Attestation::None);
    assert_eq!(signed("No-TN-Verification", "A"), Attestation::None);
    assert_eq!(signed("TN-Verification-Passed", "AA"), Attestation::None);
    assert_eq!(
        attested(&json!({ "attestationIndicator": "A", "verstat": null })),
        Attestation::None
    );
    assert_eq!(attested(&Value::Null), Attestation::None);
}

#[test]
fn odd_fields_are_no_reason_to_refuse() {
    let odd = json!({ "diversion": ["x"], "answerTime": null, "uui": {}, "sipHeaders": [1],
        "sipCallId": 7, "machineDetectionResult": null, "from": null });
    event("initiate", &odd, |webhook| {
        let Event::Voice(voice) = webhook.event else { panic!("{webhook:?}") };
        assert_eq!((voice.call.ani, voice.call.forwarded_from), (Ani::Withheld, None));
        assert!(!voice.is_answered);
    });
    for value in ["silence", "timeout", "error", "new"] {
        let fields = json!({ "machineDetectionResult": { "value": value } });
        event("machineDetectionComplete", &fields, |webhook| {
            assert_eq!(webhook.event, Event::AnsweredBy(AnsweredBy::Unknown), "{value}");
        });
    }
    let fields = json!({ "machineDetectionResult": { "value": "tone-detected" } });
    event("machineDetectionComplete", &fields, |webhook| {
        assert_eq!(webhook.event, Event::AnsweredBy(AnsweredBy::MachineEnd));
    });
    for kind in ["gather", "recordingAvailable", "transferDisconnect", ""] {
        event(kind, &json!({}), |webhook| assert_eq!(webhook.event, Event::Unknown, "{kind}"));
    }
    for (digit, event_read) in [
        (json!("5"), Event::Dtmf('5')),
        (json!("d"), Event::Dtmf('D')),
        (json!("x"), Event::Unknown),
        (json!("12"), Event::Unknown),
        (Value::Null, Event::Unknown),
    ] {
        event("dtmf", &json!({ "digit": digit }), |webhook| {
            assert_eq!(webhook.event, event_read, "{digit}");
        });
    }
    event("disconnect", &json!({ "callId": "../x" }), |webhook| {
        assert_eq!((webhook.carrier_call_id.as_ref(), webhook.event), ("", Event::Unknown));
    });
}

#[test]
fn a_stream_that_exists_already_has_not_failed_its_caller() {
    event("mediaStreamRejected", &json!({ "cause": "duplicate" }), |webhook| {
        assert_eq!(webhook.event, Event::Stream(StreamEvent::Failed("duplicate".into())));
    });
    event("mediaStreamStopped", &json!({ "cause": "connection-error" }), |webhook| {
        assert_eq!(webhook.event, Event::Stream(StreamEvent::Failed("connection-error".into())));
    });
}

#[test]
fn a_dial_ends_as_its_cause_says() {
    for (cause, outcome) in [
        ("hangup", DialOutcome::Answered),
        ("busy", DialOutcome::Unanswered(CallStatus::Busy)),
        ("rejected", DialOutcome::Unanswered(CallStatus::Busy)),
        ("cancel", DialOutcome::Unanswered(CallStatus::Canceled)),
        ("new", DialOutcome::Unanswered(CallStatus::Failed)),
    ] {
        event("transferComplete", &json!({ "cause": cause }), |webhook| {
            let Event::Voice(voice) = webhook.event else { panic!("{webhook:?}") };
            assert_eq!(voice.dial, Some(outcome), "{cause}");
        });
    }
}

#[test]
fn our_id_and_the_fallback_are_on_the_url() {
    let call = CallId::of_carrier_call(account().id, "x");
    let body = r#"{"eventType":"disconnect","accountId":"9915855","callId":"c-1","cause":"busy",
        "direction":"outbound","parentCallId":"c-0","sipResponseCode":486}"#;
    let url = format!("{BASE}/status?call={call}&fallback=1");
    receive(&Method::POST, &url, body, |webhook| {
        let webhook = webhook.unwrap();
        assert!(webhook.is_fallback && webhook.event_id.is_none());
        let Event::Progress(progress) = webhook.event else { panic!("no progress") };
        assert_eq!((progress.call, progress.sip_code), (Some(call), Some(486)));
        assert_eq!((progress.parent.as_deref(), progress.is_placed), (Some("c-0"), false));
    });
}

#[test]
fn a_get_has_its_fields_in_the_query() {
    let url = format!(
        "{BASE}/voice?x=1&eventType=initiate&eventTime=2026-10-05T14%3A00%3A03.554Z&\
         accountId=9915855&callId=c-1&from=+19195550197&to=%2B18185550101&direction=inbound"
    );
    receive(&Method::GET, &url, "", |webhook| {
        let webhook = webhook.unwrap();
        assert_eq!(webhook.event_id.as_deref(), Some("initiate 2026-10-05T14:00:03.554Z"));
        let Event::Voice(voice) = webhook.event else { panic!("no call") };
        assert_eq!(voice.call.ani, Ani::Number(number(19_195_550_197)));
        assert_eq!(voice.call.dnis, Some(number(18_185_550_101)));
    });
}

#[test]
fn what_is_no_event_of_the_account_is_refused() {
    let refused = |body: &str| {
        let url = format!("{BASE}/voice");
        receive(&Method::POST, &url, body, |webhook| webhook.map(drop).unwrap_err())
    };
    assert_eq!(refused("{}"), Refused::Malformed("no accountId"));
    assert_eq!(refused("eventType=initiate"), Refused::Malformed("the body is no event"));
    assert_eq!(refused("[]"), Refused::Malformed("the body is no event"));
    assert_eq!(refused(r#"{"accountId":"1"}"#), Refused::AccountMismatch);
    for (id, is_one) in [("9915855", true), ("", false), ("AC1", false), ("-1", false)] {
        assert_eq!(Bandwidth.is_account_id(id), is_one, "{id}");
    }
    assert!(!Bandwidth.is_account_id(&"1".repeat(21)));
}

fn written(answer: &Answer<'_>) -> String {
    let mut out = b"what was there before".to_vec();
    answer::write(answer, &account(), &mut out);
    String::from_utf8(out).unwrap()
}

/// An element: its name, its attributes, its text.
type Element = (String, Vec<(String, String)>, String);

fn outline(document: &str) -> Vec<Element> {
    let document = Document::parse(document).unwrap();
    let element = |node: Node<'_, '_>| {
        let attributes = node.attributes();
        let attributes = attributes.map(|a| (a.name().to_owned(), a.value().to_owned()));
        let text = node.text().unwrap_or_default();
        (node.tag_name().name().to_owned(), attributes.collect(), text.to_owned())
    };
    document.descendants().filter(Node::is_element).map(element).collect()
}

/// Ours has every element of theirs, each with every attribute of theirs and with the same value,
/// but for those named.
#[track_caller]
fn covers(ours: &[Element], theirs: &[Element], but: &[&str]) {
    let names = |outline: &[Element]| {
        outline.iter().map(|(name, _, text)| format!("{name} {text}")).collect::<Vec<_>>()
    };
    assert_eq!(names(ours), names(theirs));
    for (ours, theirs) in ours.iter().zip(theirs) {
        for attribute in theirs.1.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            assert!(ours.1.contains(attribute), "{}: {attribute:?} {:?}", ours.0, ours.1);
        }
    }
}

#[test]
fn documents_are_those_that_bandwidth_runs() {
    let file = json("answer_documents.json");
    let theirs = |id: &str| {
        let documents = file["documents"].as_array().unwrap();
        let document = documents.iter().find(|document| document["id"] == id).unwrap();
        outline(document["xml"].as_str().unwrap())
    };
    for answer in [Answer::Reject, Answer::Busy, Answer::HangUp] {
        assert_eq!(outline(&written(&answer)), theirs("reject"));
    }
    let text = "We are closed & call back later.";
    assert_eq!(outline(&written(&Answer::Say { text, resume_url: "" })), theirs("say"));

    let resume_url = "/bandwidth/after-stream";
    let ours = outline(&written(&Answer::Media {
        url: "wss://calls.harbor.example/bandwidth/media",
        status_url: "https://calls.harbor.example/bandwidth/status",
        resume_url,
        format: MediaFormat::PCMU_8000,
        parameters: &[("call_ref", "abc123")],
    }));
    // Keys are heard beside the stream.
    let (keys, ours): (Vec<_>, Vec<_>) =
        ours.into_iter().partition(|(name, ..)| name == "StartGather");
    let status_url = "https://calls.harbor.example/bandwidth/status";
    assert!(keys[0].1.contains(&("dtmfUrl".to_owned(), status_url.to_owned())));
    // Streams have names of their own, and tell what becomes of them where they are followed.
    covers(&ours, &theirs("agent_bridge"), &["name", "streamEventUrl"]);
    let attribute = |at: usize, name: &str| {
        let found = ours[at].1.iter().find(|(own, _)| own == name);
        found.unwrap_or_else(|| panic!("{name}: {:?}", ours[at])).1.clone()
    };
    let stream = ours.iter().position(|(name, ..)| name == "StartStream").unwrap();
    let hold = ours.iter().position(|(name, ..)| name == "StopStream").unwrap();
    assert_eq!(attribute(stream, "name"), attribute(hold, "name"));
    assert_eq!(attribute(stream, "streamEventUrl"), resume_url);
    let other = outline(&written(&Answer::Media {
        url: "wss://calls.harbor.example/bandwidth/other",
        status_url: "",
        resume_url,
        format: MediaFormat::PCMU_8000,
        parameters: &[],
    }));
    let named = ("name".to_owned(), attribute(stream, "name"));
    assert!(!other.iter().any(|element| element.1.contains(&named)));

    let dialled = outline(&written(&Answer::DialNumber {
        number: number(12_125_550_147),
        resume_url: "/bandwidth/transfer-done",
    }));
    // Without them the person hears the caller's number, and rings for 30 s.
    covers(&dialled, &theirs("transfer"), &["transferCallerId", "callTimeout"]);
}

#[test]
fn every_url_of_ours_has_the_user_and_password_and_no_other_url_has() {
    let resume_url = "https://edge.example.com/resume?call=1&attempt=2";
    let number = number(19_195_550_100);
    let media = Answer::Media {
        url: "wss://edge.example.com/media/1",
        status_url: "",
        resume_url,
        format: MediaFormat::PCMU_8000,
        parameters: &[],
    };
    for answer in [
        media,
        Answer::PickUp { resume_url },
        Answer::DialNumber { number, resume_url },
        Answer::DialSip { address: "desk@pbx.example.com", resume_url },
    ] {
        let elements = outline(&written(&answer));
        let elements = elements.iter().filter(|element| {
            element.1.iter().any(|(name, _)| name.ends_with("Url") || name == "destination")
        });
        for (name, attributes, _) in elements {
            let has =
                |name: &str, value: &str| attributes.contains(&(name.to_owned(), value.to_owned()));
            assert!(has("username", USER) && has("password", PASSWORD), "{name}");
            if attributes.iter().any(|(name, _)| name.ends_with("FallbackUrl")) {
                assert!(has("fallbackUsername", USER) && has("fallbackPassword", PASSWORD));
                let fallback = format!("{resume_url}&fallback=1");
                let url = attributes.iter().find(|(name, _)| name.ends_with("FallbackUrl"));
                assert_eq!(url.unwrap().1, fallback);
            }
            if name == "StartStream" {
                assert!(has("destinationUsername", USER) && has("destinationPassword", PASSWORD));
            }
        }
    }
    let theirs = written(&Answer::Redirect { url: "https://old.example.com/a?b&c" });
    assert!(theirs.contains(r#"<Redirect redirectUrl="https://old.example.com/a?b&amp;c""#));
    assert!(!theirs.contains(USER) && !theirs.contains(PASSWORD), "{theirs}");
    let sip = written(&Answer::DialSip { address: "desk@pbx.example.com", resume_url });
    assert!(sip.contains("<SipUri>sip:desk@pbx.example.com</SipUri></Transfer>"), "{sip}");
}

#[test]
fn a_document_stays_within_its_limits() {
    let long = "&".repeat(20_000);
    assert!(written(&Answer::Say { text: &long, resume_url: "" }).len() < 64 * 1000);
    let name = "n".repeat(257);
    let value = "v".repeat(2049);
    let mut parameters = vec![(name.as_str(), "1"), ("long", value.as_str())];
    parameters.extend([("a", "1"); 20]);
    let document = written(&Answer::Media {
        url: "wss://h/1",
        status_url: "",
        resume_url: "",
        format: MediaFormat::PCMU_8000,
        parameters: &parameters,
    });
    assert_eq!(document.matches("<StreamParam name=\"a\"").count(), 12);
    assert!(!document.contains("long") && !document.contains(&name));
}

fn framing(format: MediaFormat) -> Box<dyn Framing> {
    Bandwidth.framing(format, &account()).unwrap()
}

fn sessions() -> Vec<(Value, MediaFormat)> {
    let file = json("media_sessions.json");
    let format = |session: &Value| match session["id"].as_str().unwrap() {
        "out-audio-pcmu" => MediaFormat::PCMU_8000,
        "out-audio-pcm" => MediaFormat::L16_24000,
        other => panic!("{other}"),
    };
    let sessions = file["sessions"].as_array().unwrap().iter();
    sessions.map(|session| (session.clone(), format(session))).collect()
}

/// Every message of a session, by who sent it.
fn messages(session: &Value, from: &str) -> Vec<String> {
    let lines = session["lines"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["from"] == from && line["text"].is_string());
    lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn recorded_sessions_are_heard() {
    for (session, format) in sessions() {
        assert_eq!(verdict(&headers(&session["upgrade_headers"]), &account()), Ok(()));
        let framing = framing(format);
        let (mut began, mut audio, mut stopped) = (0, 0, 0);
        for text in messages(&session, "carrier") {
            match framing.read(&Frame::Text(text.as_str().into())).unwrap() {
                Heard::Began(start) => {
                    began += 1;
                    let CallNamed::Carrier(call) = &start.call else { panic!("{start:?}") };
                    assert!(call.starts_with("c-") && start.stream.starts_with("s-"));
                    // Mu-law comes, whatever is played.
                    assert_eq!(start.format, MediaFormat::PCMU_8000);
                    assert_eq!((start.account.as_str(), start.parameters.len()), ("9915855", 1));
                    assert_eq!(start.parameters[0].0, "call_ref");
                }
                Heard::Audio(Audio { payload: Payload::Base64(payload), chunk: None }) => {
                    audio += 1;
                    let bytes = STANDARD.decode_to_vec(payload.as_bytes()).unwrap();
                    assert_eq!(json!(bytes.len()), session["expect"]["frame_bytes"]);
                }
                Heard::Stopped => stopped += 1,
                other @ (Heard::Connected
                | Heard::Audio(_)
                | Heard::Dtmf(_)
                | Heard::Mark(_)
                | Heard::Cleared
                | Heard::Failed(_)
                | Heard::Unknown) => panic!("{other:?}: {text}"),
            }
        }
        assert_eq!(json!(audio), session["expect"]["media_frames"]);
        assert_eq!((began, stopped), (1, 1));
    }
}

#[test]
fn what_is_said_is_what_the_recorded_edge_said() {
    for (session, format) in sessions() {
        let framing = framing(format);
        assert_eq!(framing.outbound_format(), format);
        assert!(!framing.has_marks());
        let mut compared = 0;
        for text in messages(&session, "edge") {
            let theirs: Value = serde_json::from_str(&text).unwrap();
            let payload = theirs["media"]["payload"].as_str().unwrap_or_default();
            let said = match theirs["eventType"].as_str().unwrap() {
                "playAudio" => Said::Audio(Payload::Base64(payload.into())),
                "clear" => Said::Clear,
                other => panic!("{other}"),
            };
            let Some(Frame::Text(ours)) = framing.write(&said, "s-1") else { panic!("no text") };
            assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), theirs);
            compared += 1;
        }
        assert_eq!(compared, 2);
        assert_eq!(framing.write(&Said::Mark("m"), "s-1"), None, "no word for it");
    }
}

#[test]
fn what_is_played_is_named_by_rate_and_byte_order() {
    let bytes = || Said::Audio(Payload::Bytes(b"\xff\x7f"[..].into()));
    for (wanted, format) in [
        (MediaFormat::PCMU_8000, "audio/pcmu"),
        (MediaFormat::PCMA_8000, "audio/pcmu"),
        (MediaFormat::L16_8000, "rate=8000;"),
        (MediaFormat::L16_16000, "rate=16000;"),
        (MediaFormat::L16_24000, "rate=24000;"),
    ] {
        let framing = framing(Bandwidth.media_format(wanted));
        let Some(Frame::Text(text)) = framing.write(&bytes(), "") else { panic!("no text") };
        assert!(text.contains(format) && text.contains(r#""payload":"/38=""#), "{text}");
        assert!(!text.contains("endian=big"), "{text}");
    }
    let mut account = account();
    account.api.byte_order = ByteOrder::Big;
    let big = Bandwidth.framing(MediaFormat::L16_16000, &account).unwrap();
    let Some(Frame::Text(text)) = big.write(&bytes(), "") else { panic!("no text") };
    assert!(text.contains("rate=16000;channels=1;bit-depth=16;endian=big;"), "{text}");
}

#[test]
fn odd_messages_are_unknown_and_broken_ones_malformed() {
    let framing = framing(MediaFormat::PCMU_8000);
    let read = |text: &'static str| {
        framing.read(&Frame::Text(text.into())).map(|heard| format!("{heard:?}"))
    };
    let unknown = Ok(format!("{:?}", Heard::Unknown));
    assert_eq!(read(r#"{"eventType":"newThing","x":{}}"#), unknown);
    let ours = r#"{"eventType":"media","track":"outbound","payload":"/w=="}"#;
    assert_eq!(read(ours), unknown, "what we play ourselves");
    let plain = r#"{"eventType":"media","payload":"/w==","track":null}"#;
    assert!(read(plain).is_ok_and(|heard| heard.starts_with("Audio")), "as older pages have it");
    let start = |format: &str| {
        format!(
            r#"{{"eventType":"start","metadata":{{"callId":"c-1","tracks":[
            {{"name":"inbound","mediaFormat":{format}}}]}},"streamParams":null}}"#
        )
    };
    for (format, is_heard) in [
        (r#"{"encoding":"audio/PCMU","sampleRate":8000}"#, true),
        (r#"{"encoding":"pcmu"}"#, true),
        ("null", true),
        (r#"{"encoding":"OPUS","sampleRate":48000}"#, false),
        (r#"{"encoding":"PCMU","sampleRate":16000}"#, false),
    ] {
        let text = start(format);
        assert_eq!(framing.read(&Frame::Text(text.into())).is_ok(), is_heard, "{format}");
    }
    for broken in ["", "x", "[]", "{}", r#"{"eventType":"media"}"#, r#"{"eventType":"start"}"#] {
        assert_eq!(read(broken), Err(Malformed), "{broken}");
    }
    assert_eq!(framing.read(&Frame::Binary(b"{}".into())).map(drop), Err(Malformed));
}

fn asked(command: &Command<'_>) -> ApiRequest {
    let mut account = account();
    let secret = Secret::new("s3cret".to_owned());
    account.api.key = Some(ApiKey { id: "api-user".to_owned(), secret });
    commands::request(command, &account).unwrap()
}

fn dial(detects_machine: bool) -> Command<'static> {
    Command::Dial(Dial {
        from: number(18_185_550_101),
        to: number(19_195_550_197),
        voice_url: "https://edge.example.com/voice?call=1",
        status_url: "https://edge.example.com/status?call=1",
        ring_seconds: 25,
        detects_machine,
        awaits_recording: false,
    })
}

const CALLS: &str = "/api/v2/accounts/9915855/calls";

#[test]
fn commands_are_requests_to_the_api() {
    let id = "c-9bb346f5-e1c601de";
    let request = asked(&Command::HangUp { carrier_call_id: id });
    assert_eq!((request.method, request.host), (Method::POST, None));
    assert_eq!(request.path, format!("{CALLS}/c%2D9bb346f5%2De1c601de"));
    assert_eq!(request.body, r#"{"state":"completed"}"#);
    let shown = Secret::new("Basic YXBpLXVzZXI6czNjcmV0".to_owned());
    assert_eq!(request.authorization, Authorization::Header(shown));

    let request = asked(&Command::Redirect { carrier_call_id: id, url: "https://e/r?call=1" });
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let expected = json!({ "state": "active", "redirectUrl": "https://e/r?call=1",
        "redirectMethod": "POST", "redirectFallbackUrl": "https://e/r?call=1&fallback=1",
        "redirectFallbackMethod": "POST", "username": USER, "password": PASSWORD,
        "fallbackUsername": USER, "fallbackPassword": PASSWORD });
    assert_eq!(body, expected);

    let request = asked(&dial(false));
    assert_eq!((request.method, request.path.as_str()), (Method::POST, CALLS));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let expected = json!({ "from": "+18185550101", "to": "+19195550197",
        "applicationId": "1ed8a1e0-93a5-47a9-8b32-ceb63719acb1",
        "answerUrl": "https://edge.example.com/voice?call=1", "answerMethod": "POST",
        "answerFallbackUrl": "https://edge.example.com/voice?call=1&fallback=1",
        "answerFallbackMethod": "POST",
        "disconnectUrl": "https://edge.example.com/status?call=1", "disconnectMethod": "POST",
        "username": USER, "password": PASSWORD, "fallbackUsername": USER,
        "fallbackPassword": PASSWORD, "callTimeout": 25 });
    assert_eq!(body, expected);
    let body: Value = serde_json::from_str(&asked(&dial(true)).body).unwrap();
    let detection = json!({ "mode": "async", "callbackMethod": "POST", "username": USER,
        "callbackUrl": "https://edge.example.com/status?call=1", "password": PASSWORD });
    assert_eq!(body["machineDetection"], detection);

    let (from, to) = (number(18_185_550_101), number(19_195_550_197));
    let request = asked(&Command::FindCalls { from, to, since: NOW });
    let query = "from=%2B18185550101&to=%2B19195550197&minStartTime=2026%2D10%2D05T00%3A00%3A00Z";
    assert_eq!((request.method, request.path), (Method::GET, format!("{CALLS}?{query}")));

    let search = NumberSearch { country: "US", area_code: None, is_toll_free: false, limit: 1 };
    let order = NumberOrder { number: from, voice_url: "", status_url: "" };
    for command in [
        Command::ListCalls { since: NOW, page: None },
        Command::SearchNumbers(search),
        Command::BuyNumber(order),
        Command::FindNumber { number: from },
    ] {
        assert_eq!(commands::request(&command, &account()), None, "{command:?}");
    }
}

#[test]
fn a_client_asks_for_tokens_before_a_user_is_asked() {
    let mut account = account();
    let key = |id: &str, secret: &str| ApiKey {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
    };
    account.api.key = Some(key("api-user", "s3cret"));
    account.api.client = Some(key("client", "grant"));
    let request = commands::request(&dial(false), &account).unwrap();
    let expected = Authorization::ClientCredentials {
        token_host: "https://api.bandwidth.com",
        token_path: "/api/v1/oauth2/token",
        client_id: "client".to_owned(),
        client_secret: Secret::new("grant".to_owned()),
    };
    assert_eq!(request.authorization, expected);
    let shown = format!("{request:?}");
    assert!(!shown.contains("grant") && !shown.contains("s3cret"), "{shown}");
}

fn outcome(command: &Command<'_>, status: u16, body: &Value) -> CommandOutcome {
    Bandwidth.outcome(command, status, body.to_string().as_bytes())
}

#[test]
fn replies_are_outcomes() {
    let hang_up = Command::HangUp { carrier_call_id: "c-1" };
    let redirect = Command::Redirect { carrier_call_id: "c-1", url: "https://e/r" };
    let accepted = CommandOutcome::Accepted { carrier_call_id: "c-2".to_owned() };
    let none = json!({});
    assert_eq!(outcome(&dial(false), 201, &json!({ "callId": "c-2", "x": 1 })), accepted);
    assert_eq!(outcome(&dial(false), 201, &none), CommandOutcome::Unclear);
    assert_eq!(outcome(&hang_up, 200, &Value::Null), CommandOutcome::Done);
    assert_eq!(outcome(&hang_up, 404, &none), CommandOutcome::Done, "gone already");
    assert_eq!(outcome(&redirect, 200, &Value::Null), CommandOutcome::Done);
    for command in [&hang_up, &redirect, &dial(false)] {
        assert_eq!(outcome(command, 429, &none), CommandOutcome::Busy);
        for status in [408, 500, 503] {
            assert_eq!(outcome(command, status, &none), CommandOutcome::Unclear, "{status}");
        }
    }
    for (status, words, cause) in [
        (401, "Access is denied", DialFailure::Credentials),
        (403, "Access is denied", DialFailure::NotPermitted),
        (404, "", DialFailure::Credentials),
        (400, "Invalid from: must be an E164 telephone number", DialFailure::InvalidCallerId),
        (400, "Invalid to: must be an E164 telephone number", DialFailure::InvalidNumber),
        (400, "callTimeout has to be at most 300", DialFailure::Refused),
    ] {
        let body = json!({ "type": "validation", "description": words, "id": "1" });
        let expected = ApiError { cause, status, code: None, message: words.to_owned() };
        assert_eq!(outcome(&dial(false), status, &body), CommandOutcome::Refused(expected));
    }
    let garbage = Bandwidth.outcome(&dial(false), 400, b"<html>");
    assert!(matches!(garbage, CommandOutcome::Refused(error) if error.message.is_empty()));
}

#[test]
fn placed_calls_are_found_newest_first() {
    let (from, to) = (number(18_185_550_101), number(19_195_550_197));
    let call = |id: &str, direction: &str, state: &str, cause: Option<&str>| {
        json!({ "callId": id, "direction": direction, "state": state, "from": "+18185550101",
            "to": "+19195550197", "startTime": "2026-10-05T14:00:02.234Z",
            "disconnectCause": cause, "stirShaken": {} })
    };
    let mut leg = call("c-5", "outbound", "answered", None);
    leg["parentCallId"] = "c-2".into();
    let body = json!([
        call("c-1", "outbound", "disconnected", Some("timeout")),
        call("c-2", "inbound", "answered", None),
        call("c-3", "outbound", "answered", None),
        leg,
        call("c-4", "outbound", "new", None),
    ]);
    let command = Command::FindCalls { from, to, since: NOW };
    let CommandOutcome::Found(found) = outcome(&command, 200, &body) else { panic!("not found") };
    let statuses: Vec<_> =
        found.iter().map(|call| (call.carrier_call_id.as_str(), call.status)).collect();
    let expected = [
        ("c-4", CallStatus::Initiated),
        ("c-3", CallStatus::InProgress),
        ("c-1", CallStatus::NoAnswer),
    ];
    assert_eq!(statuses, expected);
    assert_eq!((found[0].from, found[0].to), (Some(from), Some(to)));
    assert_eq!(Some(found[0].created_at), webhook::timestamp("2026-10-05T14:00:02.234Z"));
    assert_eq!(outcome(&command, 200, &json!({})), CommandOutcome::Unclear);
}

proptest! {
    #[test]
    fn nothing_that_comes_panics(
        body in "(\\{\"(eventType|accountId|callId|from|cause)\":[^}]{0,12}\\}?|.{0,40})",
        query in "[ -~]{0,40}",
        shown in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let encoded = utf8_percent_encode(&query, NON_ALPHANUMERIC);
        for url in [format!("{BASE}/voice?{query}"), format!("{BASE}/voice?eventType={encoded}")] {
            receive(&Method::POST, &url, &body, |webhook| drop(webhook));
            receive(&Method::GET, &url, &body, |webhook| drop(webhook));
        }
        drop(framing(MediaFormat::PCMU_8000).read(&Frame::Text(body.as_str().into())));
        if let Ok(value) = HeaderValue::from_bytes(&shown) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            assert!(verdict(&headers, &account()).is_err());
            let target = "/".to_owned();
            let request = RawRequest { method: Method::POST, target, headers, body: shown };
            drop(diagnose::diagnose(&request, BASE, &account()));
        }
    }
}

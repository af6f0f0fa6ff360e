//! The room against both schemes that SignalWire's libraries check, and against Twilio's bodies
//! with SignalWire's ids: it has no recordings of its own.

use std::{fs, path::PathBuf};

use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use proptest::prelude::*;
use roxmltree::Document;
use serde_json::{Value, json};

use super::*;
use crate::{
    carriers::{
        AnsweredBy, ApiError, Authorization, Dial, DialOutcome, Event, StreamEvent,
        shared::{
            diagnosis::{Diagnosis, Reading},
            request::RawRequest,
        },
    },
    domain::{
        AccountOrigin, Ani, ApiKey, Attestation, CallId, CallStatus, CarrierId, DialFailure,
        Direction, E164, InboundCall, Secret,
    },
    media::{
        framing::{Audio, CallNamed, Frame, Heard, Payload, Said},
        messages::Malformed,
    },
};

const PROJECT: &str = "b08dacad-2f6c-4de1-93d6-cc732e0c69c5";
const CALL: &str = "8d1b44b5-0d4c-4b4e-9b6f-2c3e6f1f7a01";
const KEY: &str = "PSK_3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
const FORM: &str = "application/x-www-form-urlencoded";
const URL: &str = "https://edge.example.com/carriers/main/voice";
const NOW: UnixMillis = UnixMillis(1_767_268_800_000);

fn account(keys: &[&str]) -> Account {
    let name = "main".to_owned();
    let mut account = Account::named(name, CarrierId::SignalWire, AccountOrigin::File);
    account.account_id = PROJECT.to_owned();
    account.application_id = "example".to_owned();
    account.secrets = keys.iter().map(|&key| Secret::new(key.to_owned())).collect();
    let secret = Secret::new("PT_token".to_owned());
    account.api.key = Some(ApiKey { id: String::new(), secret });
    account
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// One signature over one request. They were made with `openssl dgst -sha1 -hmac`, from the texts
/// that signalwire-python's `webhook_validator` puts together.
#[track_caller]
fn check(url: &str, media_type: &str, body: &str, signature: &str, expected: Result<(), Refused>) {
    for name in ["x-signalwire-signature", "x-twilio-signature"] {
        let headers = headers(&[(name, signature), ("content-type", media_type)]);
        let request =
            Request { method: &Method::POST, url, headers: &headers, body: body.as_bytes() };
        let verdict = signature::verify(&request, &account(&["other", KEY])).map(drop);
        assert_eq!(verdict, expected, "{name}: {url} {body}");
    }
}

const BODY: &str = "To=%2B12125550142&CallSid=c1&From=%2B14155550117&Tag=b&Tag=a&Tag=b&Empty=";

#[test]
fn either_scheme_verifies() {
    let json = r#"{"CallSid":"c1","AccountSid":"p"}"#;
    let with_hash = format!(
        "{URL}?bodySHA256=7f144b3e3728b642983b0e48c4f174b4152cd60dcf3cb0541260969ec92bc7f6"
    );
    let ok = Ok(());
    check(URL, FORM, BODY, "7729068e2268d5a22982b82b587dadce3828f5c7", ok);
    check(URL, "application/json", json, "95176463299dc10d23681e424fc660c2bfa28841", ok);
    // Every value of a name as it came, and sorted without repetitions.
    check(URL, FORM, BODY, "Zjm0VOce3PdKww3S0WDyw6ljDm0=", ok);
    check(URL, FORM, BODY, "RXCHqi+iK2cfuHLBhXxJP8fIZL4=", ok);
    // Signed with and without the port.
    check(
        "https://edge.example.com:443/carriers/main/voice",
        FORM,
        BODY,
        "Zjm0VOce3PdKww3S0WDyw6ljDm0=",
        ok,
    );
    check(URL, FORM, BODY, "YlPWo/ZtnAuQVr33B4ej283rU/U=", ok);
    check(&with_hash, "application/json", json, "g6FLj2pd3/33HmZXGu7skRktnNk=", ok);

    let wrong = Err(Refused::WrongSignature);
    check(URL, FORM, &BODY.replace("c1", "c2"), "7729068e2268d5a22982b82b587dadce3828f5c7", wrong);
    check(URL, FORM, &BODY.replace("c1", "c2"), "Zjm0VOce3PdKww3S0WDyw6ljDm0=", wrong);
    check(URL, FORM, BODY, &"7729068e2268d5a22982b82b587dadce3828f5c7".to_ascii_uppercase(), wrong);
    check(
        "https://edge.example.com:8443/carriers/main/voice",
        FORM,
        BODY,
        "7729068e2268d5a22982b82b587dadce3828f5c7",
        wrong,
    );
    check(
        &with_hash,
        "application/json",
        "{}",
        "g6FLj2pd3/33HmZXGu7skRktnNk=",
        Err(Refused::BodyMismatch),
    );
    // The URL is rightly signed, and nothing says of which body.
    check(
        URL,
        "application/json",
        json,
        "rIi7nk8CwtOzx67GmW3ycqFmkj4=",
        Err(Refused::BodyMismatch),
    );
    check(URL, FORM, BODY, "rIi7nk8CwtOzx67GmW3ycqFmkj4=", wrong);
    check(URL, FORM, BODY, "", Err(Refused::Unsigned));
}

#[test]
fn the_newer_header_counts() {
    let both = [
        ("x-signalwire-signature", "wrong"),
        ("x-twilio-signature", "7729068e2268d5a22982b82b587dadce3828f5c7"),
    ];
    let mut headers = headers(&both);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    let request =
        Request { method: &Method::POST, url: URL, headers: &headers, body: BODY.as_bytes() };
    let verdict = signature::verify(&request, &account(&[KEY])).map(drop);
    assert_eq!(verdict, Err(Refused::WrongSignature));
    let raw = RawRequest {
        method: Method::POST,
        target: "/carriers/main/voice".to_owned(),
        headers,
        body: BODY.as_bytes().to_vec(),
    };
    let names = |raw: &RawRequest, url: &str| {
        let found = diagnose::diagnose(raw, &[url], &account(&[KEY]));
        let Diagnosis::Invalid { would_match, .. } = found else { panic!("valid") };
        would_match.iter().map(Reading::name).collect::<Vec<_>>()
    };
    assert_eq!(names(&raw, URL), ["the X-Twilio-Signature header"]);
    let mut raw = raw;
    raw.headers.remove("x-signalwire-signature");
    let plain = URL.replace("https", "http");
    assert!(names(&raw, &plain).contains(&"https instead of the URL's scheme".to_owned()));
}

/// Signs as SignalWire does and has the room receive it.
fn receive<T>(
    endpoint: Endpoint,
    url: &str,
    media_type: &'static str,
    body: &str,
    then: impl FnOnce(Result<Webhook<'_>, Refused>) -> T,
) -> T {
    let mut headers = headers(&[("content-type", media_type)]);
    let body = body.as_bytes();
    let request = Request { method: &Method::POST, url, headers: &headers, body };
    let signed = SignalWire.sign(&request, &account(&[KEY]), NOW);
    assert_eq!(signed.len(), 1);
    headers.extend(signed);
    let request = Request { method: &Method::POST, url, headers: &headers, body };
    then(SignalWire.receive(endpoint, &request, &account(&["older", KEY]), NOW))
}

/// A recorded form of Twilio's, with SignalWire's ids.
fn form(file: &str) -> String {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/twilio", file].iter().collect();
    let form = fs::read_to_string(path).unwrap();
    let pairs = form.split('&').map(|pair| match pair.split_once('=') {
        Some(("CallSid", _)) => format!("CallSid={CALL}"),
        Some(("AccountSid", _)) => format!("AccountSid={PROJECT}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[track_caller]
fn recorded(endpoint: Endpoint, file: &str, check: impl FnOnce(Event<'_>)) {
    receive(endpoint, URL, FORM, &form(file), |webhook| {
        let webhook = webhook.unwrap();
        assert_eq!(webhook.carrier_call_id, CALL, "{file}");
        check(webhook.event);
    });
}

fn number(digits: u64) -> E164 {
    E164::from_u64(digits).unwrap()
}

#[test]
fn calls_are_read_as_calls() {
    let (person, ours) = (number(14_155_550_117), number(12_125_550_142));
    recorded(Endpoint::Voice, "inbound_voice.form", |event| {
        let Event::Voice(voice) = event else { panic!("{event:?}") };
        assert_eq!((voice.call.ani, voice.call.dnis), (Ani::Number(person), Some(ours)));
        assert_eq!(voice.direction, Direction::Inbound);
        assert!(!voice.is_answered && !voice.is_over);
    });
    recorded(Endpoint::Voice, "inbound_voice_anonymous_text.form", |event| {
        let Event::Voice(voice) = event else { panic!("{event:?}") };
        assert_eq!(voice.call.ani, Ani::Withheld);
    });
    recorded(Endpoint::Resume, "dial_action_no_answer.form", |event| {
        let Event::Voice(voice) = event else { panic!("{event:?}") };
        assert_eq!(voice.dial, Some(DialOutcome::Unanswered(CallStatus::NoAnswer)));
    });
    // The little that is promised.
    let body = format!("CallSid={CALL}&AccountSid={PROJECT}&From=Front+Desk&To=%2B12125550142");
    receive(Endpoint::Voice, URL, FORM, &body, |webhook| {
        let Event::Voice(voice) = webhook.unwrap().event else { panic!("no call") };
        assert_eq!((voice.call.ani, voice.call.dnis), (Ani::Unusable, Some(ours)));
        assert_eq!(voice.call.attestation, Attestation::None);
    });
}

#[test]
fn progress_is_read_as_progress() {
    for (file, status, sip) in [
        ("status_initiated.form", CallStatus::Initiated, None),
        ("status_ringing.form", CallStatus::Ringing, None),
        ("status_completed.form", CallStatus::Completed, Some(486)),
        ("status_busy.form", CallStatus::Busy, Some(486)),
    ] {
        // SignalWire's name for the SIP status code.
        let body = form(file);
        let others = body.split('&').filter(|pair| !pair.starts_with("SipResponseCode="));
        let mut body = others.collect::<Vec<_>>().join("&");
        if sip.is_some() {
            body.push_str("&SipResultCode=486&HangupBy=callee&AudioInMos=4.5");
        }
        let call = CallId::of_carrier_call(account(&[]).id, "x");
        let url = format!("https://edge.example.com/carriers/main/status?call={call}");
        receive(Endpoint::Status, &url, FORM, &body, |webhook| {
            let Event::Progress(progress) = webhook.unwrap().event else { panic!("{file}") };
            assert_eq!((progress.status, progress.sip_code), (status, sip), "{file}");
            assert_eq!((progress.call, progress.is_placed), (Some(call), true), "{file}");
        });
    }
    recorded(Endpoint::Status, "amd_machine_start.form", |event| {
        assert_eq!(event, Event::AnsweredBy(AnsweredBy::MachineStart));
    });
    recorded(Endpoint::Status, "stream_started.form", |event| {
        assert_eq!(event, Event::Stream(StreamEvent::Started));
    });
    let body = format!(
        "CallSid={CALL}&AccountSid={PROJECT}&StreamEvent=stream-error\
         &StreamError=connection_refused&Unique-ID=1"
    );
    receive(Endpoint::Status, URL, FORM, &body, |webhook| {
        let failed = StreamEvent::Failed("connection_refused".into());
        assert_eq!(webhook.unwrap().event, Event::Stream(failed));
    });
}

#[test]
fn an_object_is_read_like_a_form() {
    let body = json!({
        "CallSid": CALL, "AccountSid": PROJECT, "CallStatus": "completed", "CallDuration": 42,
        "From": "+12125550142", "To": "+14155550117", "Direction": "outbound-api", "More": {},
    });
    receive(Endpoint::Status, URL, "application/json", &body.to_string(), |webhook| {
        let Event::Progress(progress) = webhook.unwrap().event else { panic!("no progress") };
        assert_eq!(progress.status, CallStatus::Completed);
        assert_eq!(progress.duration_seconds, Some(42));
    });
    receive(Endpoint::Status, URL, "application/json", "[]", |webhook| {
        assert!(matches!(webhook, Err(Refused::Malformed(_))));
    });
}

#[test]
fn what_is_no_call_of_the_project_is_refused() {
    let refused = |body: &str| {
        receive(Endpoint::Voice, URL, FORM, body, |webhook| webhook.map(drop).unwrap_err())
    };
    assert!(matches!(refused("CallSid=1"), Refused::Malformed(_)));
    let swallowed = format!("AccountSid={PROJECT}&CallSid={CALL}DirectionInbound");
    assert!(matches!(refused(&swallowed), Refused::Malformed(_)));
    assert_eq!(refused(&format!("AccountSid={CALL}&CallSid={CALL}")), Refused::AccountMismatch);
    assert!(SignalWire.is_account_id(PROJECT));
    for id in ["", "b08dacad2f6c4de193d6cc732e0c69c5", "AC66acdc865fff60921f34dac80d62be2f"] {
        assert!(!SignalWire.is_account_id(id), "{id}");
    }
}

const SOCKET: &str = "wss://edge.example.com/media/7f3a";

fn document(url: &str, format: MediaFormat) -> String {
    let mut out = Vec::new();
    let account = account(&[KEY]);
    let leg = Leg {
        account: &account,
        carrier_call_id: CALL,
        direction: Direction::Inbound,
        event_id: None,
        is_answered: false,
        call: InboundCall::UNKNOWN,
    };
    let (status_url, resume_url) = ("https://h/status", "https://h/resume?call=1&attempt=1");
    let answer = Answer::Media { url, status_url, resume_url, format, parameters: &[] };
    assert_eq!(SignalWire.answer(&answer, &leg, &mut out), Reply::Document("text/xml"));
    String::from_utf8(out).unwrap()
}

#[test]
fn the_socket_shows_the_token_that_the_document_gave_it() {
    let document = document(SOCKET, MediaFormat::L16_24000);
    let document = Document::parse(&document).unwrap();
    let stream = document.descendants().find(|node| node.has_tag_name("Stream")).unwrap();
    assert_eq!(stream.attribute("url"), Some(SOCKET));
    assert_eq!(stream.attribute("codec"), Some("L16@24000h"));
    assert_eq!(stream.attribute("realtime"), Some("true"));
    let token = stream.attribute("authBearerToken").unwrap();
    let upgrade = |url: &str, authorization: &str, keys: &[&str]| {
        let headers = match authorization {
            "" => HeaderMap::new(),
            text => headers(&[("authorization", text)]),
        };
        let request = Request { method: &Method::GET, url, headers: &headers, body: b"" };
        SignalWire.verify_upgrade(&request, &account(keys))
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(upgrade(SOCKET, &bearer, &["newer", KEY]), Ok(()));
    let wrong = Err(Refused::WrongSignature);
    assert_eq!(upgrade(&format!("{SOCKET}0"), &bearer, &[KEY]), wrong, "another socket's");
    assert_eq!(upgrade(SOCKET, &bearer, &["other"]), wrong);
    assert_eq!(upgrade(SOCKET, &bearer, &[]), wrong);
    assert_eq!(upgrade(SOCKET, "Bearer ", &[KEY]), wrong);
    assert_eq!(upgrade(SOCKET, "", &[KEY]), Err(Refused::Unsigned));
    let none = HeaderMap::new();
    let request = Request { method: &Method::GET, url: SOCKET, headers: &none, body: b"" };
    assert_eq!(SignalWire.sign(&request, &account(&[KEY]), NOW)[&AUTHORIZATION], bearer);
    // No webhook's signature opens a socket: the two are never of one text.
    let signed = Request { method: &Method::POST, ..request };
    let webhook = Request { url: URL, ..signed };
    let headers = SignalWire.sign(&webhook, &account(&[KEY]), NOW);
    assert!(headers.get(&AUTHORIZATION).is_none());
}

#[test]
fn formats_are_those_that_the_socket_has() {
    for (wanted, format, codec) in [
        (MediaFormat::PCMU_8000, MediaFormat::PCMU_8000, "PCMU@8000h"),
        (MediaFormat::PCMA_8000, MediaFormat::PCMU_8000, "PCMU@8000h"),
        (MediaFormat::L16_8000, MediaFormat::L16_16000, "L16@16000h"),
        (MediaFormat::L16_16000, MediaFormat::L16_16000, "L16@16000h"),
        (MediaFormat::L16_24000, MediaFormat::L16_24000, "L16@24000h"),
    ] {
        assert_eq!(SignalWire.media_format(wanted), format);
        assert!(document(SOCKET, format).contains(codec), "{codec}");
    }
}

#[test]
fn other_documents_are_twiml() {
    let mut out = Vec::new();
    let account = account(&[KEY]);
    for (answer, expected) in [
        (Answer::Reject, "<Response><Reject/></Response>"),
        (Answer::Busy, r#"<Response><Reject reason="busy"/></Response>"#),
        (Answer::HangUp, "<Response><Hangup/></Response>"),
    ] {
        answer::write(&answer, &account, &mut out);
        let document = String::from_utf8(out.clone()).unwrap();
        assert!(document.ends_with(expected), "{document}");
    }
}

fn framing(format: MediaFormat) -> Box<dyn Framing> {
    SignalWire.framing(format, &account(&[])).unwrap()
}

#[test]
fn the_little_that_messages_hold_is_enough() {
    let l16 = framing(MediaFormat::L16_16000);
    let read = |text: &str| l16.read(&Frame::Text(text.into())).map(|heard| format!("{heard:?}"));
    let heard = |heard: Heard<'_>| Ok(format!("{heard:?}"));
    let connected = r#"{"event":"connected","protocol":"Call","version":"0.2.0"}"#;
    assert_eq!(read(connected), heard(Heard::Connected));
    let start = r#"{"event":"start","sequenceNumber":1,"start":{"streamSid":"s1","accountSid":"a",
        "callSid":"c","tracks":["inbound"],
        "mediaFormat":{"encoding":"audio/x-L16","sampleRate":16000,"channels":1}}}"#;
    let Ok(Heard::Began(began)) = l16.read(&Frame::Text(start.into())) else { panic!("no start") };
    assert_eq!(began.call, CallNamed::Carrier("c".to_owned()));
    assert_eq!((began.stream.as_str(), began.account.as_str()), ("s1", "a"));
    assert_eq!((began.format, began.parameters), (MediaFormat::L16_16000, Vec::new()));
    let audio =
        |chunk| heard(Heard::Audio(Audio { payload: Payload::Base64("/38=".into()), chunk }));
    let media = r#"{"event":"media","sequenceNumber":2,"media":{"track":"inbound","chunk":1,"timestamp":"0","payload":"/38="}}"#;
    assert_eq!(read(media), audio(Some(1)));
    let escaped = r#"{"event":"media","media":{"payload":"\/38="}}"#;
    assert_eq!(read(escaped), audio(None));
    let dtmf = r#"{"event":"dtmf","streamSid":"s1","sequenceNumber":9,"dtmf":{"digit":"A","duration":160}}"#;
    assert_eq!(read(dtmf), heard(Heard::Dtmf('A')));
    assert_eq!(read(r#"{"event":"mark","mark":{"name":"m"}}"#), heard(Heard::Mark("m".into())));
    assert_eq!(read(r#"{"event":"stop","sequenceNumber":10}"#), heard(Heard::Stopped));
    assert_eq!(read(r#"{"event":"later"}"#), heard(Heard::Unknown));
    assert_eq!(read("{}"), Err(Malformed));
    assert_eq!(l16.read(&Frame::Binary(b"{}"[..].into())).map(drop), Err(Malformed));
}

#[test]
fn a_recorded_session_of_twilios_is_heard() {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/twilio/media_stream_session.jsonl"]
            .iter()
            .collect();
    let session = fs::read_to_string(path).unwrap();
    let framing = framing(MediaFormat::PCMU_8000);
    let mut audio = 0;
    for line in session.lines() {
        match framing.read(&Frame::Text(line.into())).unwrap() {
            Heard::Audio(_) => audio += 1,
            Heard::Began(began) => {
                assert_eq!(began.format, MediaFormat::PCMU_8000);
                assert_eq!(began.parameters.len(), 3);
            }
            Heard::Connected | Heard::Dtmf(_) | Heard::Mark(_) | Heard::Stopped => {}
            Heard::Unknown | Heard::Failed(_) | Heard::Cleared => panic!("{line}"),
        }
    }
    assert_eq!(audio, 50);
}

#[test]
fn what_is_said_is_twilios() {
    let framing = framing(MediaFormat::L16_16000);
    let said = |said: Said<'_>| {
        let Some(Frame::Text(text)) = framing.write(&said, "s1") else { panic!("no text") };
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let media = json!({ "event": "media", "streamSid": "s1", "media": { "payload": "/38=" } });
    assert_eq!(said(Said::Audio(Payload::Base64("/38=".into()))), media);
    assert_eq!(said(Said::Audio(Payload::Bytes(b"\xff\x7f"[..].into()))), media);
    let mark = json!({ "event": "mark", "streamSid": "s1", "mark": { "name": "a\"b" } });
    assert_eq!(said(Said::Mark("a\"b")), mark);
    assert_eq!(said(Said::Clear), json!({ "event": "clear", "streamSid": "s1" }));
    assert_eq!(framing.outbound_format(), MediaFormat::L16_16000);
    assert!(framing.has_marks());
}

#[test]
fn the_api_is_in_the_accounts_space() {
    let mut account = account(&[KEY]);
    for (space, url) in [
        ("example", "https://example.signalwire.com"),
        ("my-space.signalwire.com", "https://my-space.signalwire.com"),
        ("evil.example/#", "https://evilexample.signalwire.com"),
        ("a@b:1", "https://ab1.signalwire.com"),
    ] {
        account.application_id = space.to_owned();
        assert_eq!(SignalWire.api_url(&account), url, "{space}");
    }
}

#[test]
fn commands_go_to_the_project_by_its_token() {
    let call = Dial {
        from: number(12_125_550_142),
        to: number(14_155_550_117),
        voice_url: "https://edge.example.com/carriers/main/voice?call=1",
        status_url: "https://edge.example.com/carriers/main/status?call=1",
        ring_seconds: 60,
        detects_machine: true,
        awaits_recording: false,
    };
    let request = commands::request(&Command::Dial(call), &account(&[KEY]));
    let project = PROJECT.replace('-', "%2D");
    assert_eq!(request.path, format!("/api/laml/2010-04-01/Accounts/{project}/Calls.json"));
    assert!(request.body.contains("MachineDetection=Enable"));
    let Authorization::Header(header) = &request.authorization else { panic!("no header") };
    let credentials = header.reveal().strip_prefix("Basic ").unwrap();
    let credentials = base64_simd::STANDARD.decode_to_vec(credentials).unwrap();
    assert_eq!(credentials, format!("{PROJECT}:PT_token").into_bytes());

    let outcome = |command: &Command<'_>, status, body: &str| {
        SignalWire.outcome(command, status, body.as_bytes())
    };
    let dial = Command::Dial(call);
    let created = json!({ "sid": CALL, "status": "queued", "duration": 0, "price": 0.0 });
    let accepted = CommandOutcome::Accepted { carrier_call_id: CALL.to_owned() };
    assert_eq!(outcome(&dial, 201, &created.to_string()), accepted);
    for (status, body, code, cause) in [
        (401, "{}", None, DialFailure::Credentials),
        (422, r#"{"code":"4001","message":"m"}"#, Some(4001), DialFailure::NotPermitted),
        (422, r#"{"code":10000,"message":"m"}"#, Some(10_000), DialFailure::Refused),
    ] {
        let message = if code.is_some() { "m".to_owned() } else { String::new() };
        let refused = CommandOutcome::Refused(ApiError { cause, status, code, message });
        assert_eq!(outcome(&dial, status, body), refused, "{body}");
    }
    let end = Command::HangUp { carrier_call_id: CALL };
    assert_eq!(outcome(&end, 404, "{}"), CommandOutcome::Done);
    assert_eq!(outcome(&end, 429, "{}"), CommandOutcome::Busy);
    let page = json!({ "calls": [{ "sid": CALL, "direction": "outbound-api", "duration": 3,
        "from": "+12125550142", "to": "+14155550117", "status": "completed",
        "date_created": "Thu, 01 Jan 2026 12:00:00 +0000", "answered_by": null }],
        "next_page_uri": "/api/laml/2010-04-01/Accounts/p/Calls.json?Page=1&PageToken=x" });
    let list = Command::ListCalls { since: NOW, page: None };
    let CommandOutcome::Listed(page) = outcome(&list, 200, &page.to_string()) else {
        panic!("nothing listed")
    };
    assert_eq!((page.calls[0].created_at, page.next.as_deref()), (NOW, Some("Page=1&PageToken=x")));
}

proptest! {
    #[test]
    fn no_request_panics(
        url in "(https|wss)://h(:[0-9]{1,3})?(/[!-~]{0,20})?",
        body in "[ -~]{0,60}",
        kind in 0..3_usize,
    ) {
        let kind = [FORM, "application/json", "text/plain"][kind];
        let mut headers = headers(&[("content-type", kind)]);
        let body = body.as_bytes();
        let request = Request { method: &Method::POST, url: &url, headers: &headers, body };
        let signed = SignalWire.sign(&request, &account(&[KEY]), NOW);
        headers.extend(signed);
        let request = Request { method: &Method::POST, url: &url, headers: &headers, body };
        for endpoint in [Endpoint::Voice, Endpoint::Status, Endpoint::Resume] {
            let read = SignalWire.receive(endpoint, &request, &account(&[KEY]), NOW);
            let is_socket = url.starts_with("ws");
            prop_assert!(is_socket || matches!(read, Ok(_) | Err(Refused::Malformed(_))));
        }
        let upgrade = SignalWire.verify_upgrade(&request, &account(&[KEY]));
        prop_assert_eq!(upgrade.is_ok(), url.starts_with("ws"));
    }

    #[test]
    fn no_message_panics(text in ".{0,80}") {
        let _read = framing(MediaFormat::PCMU_8000).read(&Frame::Text(text.as_str().into()));
    }
}

//! The room against what Twilio's own library says of the same requests, and against noise.

use std::{fs, path::PathBuf};

use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::{
    carriers::{
        AnsweredBy, BODY_LEN_MAX, DialOutcome, Event, StreamEvent, VoiceRequest,
        shared::{party, twiml},
    },
    domain::{
        AccountApi, AccountId, AccountOrigin, Ani, Attestation, CallId, CallStatus, CarrierId,
        Direction, E164, Secret, SharedKey,
    },
};

pub(super) const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub(super) const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
const FORM: &str = "application/x-www-form-urlencoded";
const NOW: UnixMillis = UnixMillis(1_767_268_800_000);

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/twilio", name].iter().collect();
    fs::read(path).unwrap()
}

pub(super) fn json(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

pub(super) fn account(secrets: &[&str]) -> Account {
    Account {
        id: AccountId(Uuid::from_u128(7)),
        name: "main".to_owned(),
        carrier: CarrierId::Twilio,
        tenant: None,
        account_id: ACCOUNT_SID.to_owned(),
        secrets: secrets.iter().map(|&secret| Secret::new(secret.to_owned())).collect(),
        application_id: String::new(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }
}

/// A case of signatures.json, and the account that its key belongs to.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) account: Account,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) expected_signature: String,
    pub(super) is_valid: bool,
    pub(super) retries_with_slash: bool,
}

impl Case {
    pub(super) fn all() -> Vec<Self> {
        json("signatures.json")["cases"].as_array().unwrap().iter().map(Self::new).collect()
    }

    fn new(case: &Value) -> Self {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in case["headers"].as_object().unwrap() {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, value.as_str().unwrap().parse().unwrap());
        }
        if let Some(media_type) = case["content_type"].as_str() {
            headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        }
        let key = text("auth_token");
        let mut account = account(&[&key]);
        if let Some(settings) = headers.get(&signature::SETTINGS) {
            let settings = signature::Settings::parse(settings.to_str().unwrap());
            let id = settings.key.unwrap().to_owned();
            account = Account {
                secrets: vec![Secret::new(TOKEN.to_owned())],
                shared_keys: vec![SharedKey { id, secret: Secret::new(key) }],
                ..account
            };
        }
        headers.insert(signature::SIGNATURE.clone(), text("header_signature").parse().unwrap());
        let tags = case["tags"].as_array().unwrap();
        Self {
            id: text("id"),
            account,
            method: text("method").parse().unwrap(),
            url: text("url"),
            headers,
            body: text("body").into_bytes(),
            expected_signature: text("expected_signature"),
            is_valid: case["expected_valid"].as_bool().unwrap(),
            retries_with_slash: tags.iter().any(|tag| tag == "retry-with-slash"),
        }
    }

    pub(super) fn request(&self) -> Request<'_> {
        let Self { method, url, headers, body, .. } = self;
        Request { method, url, headers, body }
    }
}

/// Whether the room takes the signature. Most cases hold no whole webhook, so what it makes of
/// their parameters afterwards is another matter.
fn signature_verdict(case: &Case) -> Result<(), Refused> {
    if case.url.starts_with("ws") {
        return Twilio.verify_upgrade(&case.request(), &case.account);
    }
    match Twilio.receive(Endpoint::Voice, &case.request(), &case.account, NOW) {
        Ok(_) | Err(Refused::Malformed(_) | Refused::AccountMismatch) => Ok(()),
        Err(refused) => Err(refused),
    }
}

#[test]
fn signatures_are_judged_as_by_the_official_library() {
    let cases = Case::all();
    assert_eq!(cases.len(), 64);
    for case in &cases {
        let verdict = signature_verdict(case);
        let is_valid = case.is_valid || case.retries_with_slash;
        assert_eq!(verdict.is_ok(), is_valid, "{}: {verdict:?}", case.id);
    }
}

#[test]
fn refusals_name_their_cause() {
    let causes = [
        ("signature-empty", Refused::Unsigned),
        ("wrong-token", Refused::WrongSignature),
        ("unknown-algorithm", Refused::UnknownKey),
        ("sha256-but-sha1-sent", Refused::WrongSignature),
        ("json-body-tampered", Refused::BodyMismatch),
        ("json-hash-uppercase", Refused::BodyMismatch),
        ("json-hash-swapped", Refused::WrongSignature),
    ];
    let cases = Case::all();
    for (id, cause) in causes {
        let case = cases.iter().find(|case| case.id == id).unwrap();
        assert_eq!(signature_verdict(case), Err(cause), "{id}");
    }
    let mut case = Case::all().into_iter().find(|case| case.id == "sha256-shared-key").unwrap();
    case.account.shared_keys[0].id = "another".to_owned();
    assert_eq!(signature_verdict(&case), Err(Refused::UnknownKey));
    let mut case = Case::all().into_iter().find(|case| case.id == "json-body").unwrap();
    case.headers.remove(CONTENT_TYPE);
    assert_eq!(signature_verdict(&case), Ok(()));
    let (url, _) = case.url.split_once("?body").unwrap();
    case.url = url.to_owned();
    case.headers = HeaderMap::new();
    case.headers = Twilio.sign(&case.request(), &case.account, UnixMillis(0));
    assert_eq!(signature_verdict(&case), Err(Refused::BodyMismatch), "an unsigned body");
}

#[test]
fn we_sign_as_the_official_library_does() {
    for case in Case::all().into_iter().filter(|case| case.account.shared_keys.is_empty()) {
        let headers = Twilio.sign(&case.request(), &case.account, UnixMillis(0));
        assert_eq!(headers[&signature::SIGNATURE], case.expected_signature, "{}", case.id);
    }
}

#[test]
fn any_of_several_secrets_verifies_and_the_first_signs() {
    let case = Case::all().into_iter().find(|case| case.id == "form-simple").unwrap();
    let request = case.request();
    let receive = |account| Twilio.receive(Endpoint::Voice, &request, &account, NOW);
    assert!(receive(account(&["other", TOKEN])).is_ok());
    assert_eq!(receive(account(&["other"])), Err(Refused::WrongSignature));
    assert_eq!(receive(account(&[])), Err(Refused::WrongSignature));
    let signed = Twilio.sign(&request, &account(&[TOKEN, "other"]), UnixMillis(0));
    assert_eq!(signed[&signature::SIGNATURE], case.expected_signature);
    assert!(Twilio.sign(&request, &account(&[]), UnixMillis(0)).is_empty());
}

#[test]
fn the_recorded_upgrade_verifies_with_and_without_a_slash() {
    let info = json("media_stream_info.json");
    let upgrade = &info["upgrade"];
    let url = upgrade["url_signed"].as_str().unwrap();
    let mut headers = HeaderMap::new();
    let value = upgrade["headers"]["X-Twilio-Signature"].as_str().unwrap();
    headers.insert(signature::SIGNATURE.clone(), value.parse().unwrap());
    let verify = |url: &str, headers: &HeaderMap| {
        let request = Request { method: &Method::GET, url, headers, body: b"" };
        Twilio.verify_upgrade(&request, &account(&[TOKEN]))
    };
    assert_eq!(verify(url, &headers), Ok(()));
    assert_eq!(verify(&format!("{url}/"), &headers), Err(Refused::WrongSignature));
    assert_eq!(
        verify("wss://edge.example.com/media/other", &headers),
        Err(Refused::WrongSignature)
    );
    assert_eq!(verify(url, &HeaderMap::new()), Err(Refused::Unsigned));
}

/// Signs a form and has the room receive it.
fn receive(endpoint: Endpoint, url: &str, body: &str) -> Result<String, Refused> {
    with_signed(url, body.as_bytes(), |request| {
        Twilio
            .receive(endpoint, request, &account(&[TOKEN]), NOW)
            .map(|webhook| format!("{webhook:?}"))
    })
}

fn with_signed<T>(url: &str, body: &[u8], then: impl FnOnce(&Request<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    let request = Request { method: &Method::POST, url, headers: &headers, body };
    let mut signed = Twilio.sign(&request, &account(&[TOKEN]), UnixMillis(0));
    signed.extend(headers.clone());
    then(&Request { headers: &signed, ..request })
}

/// Receives a recorded form, with the signature that Twilio's library gave it.
fn recorded<T>(endpoint: Endpoint, file: &str, then: impl FnOnce(Webhook<'_>) -> T) -> T {
    let index = json("forms_index.json");
    let entry = index.as_array().unwrap().iter().find(|entry| entry["file"] == file).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, entry["content_type"].as_str().unwrap().parse().unwrap());
    let value = entry["header_signature"].as_str().unwrap();
    headers.insert(signature::SIGNATURE.clone(), value.parse().unwrap());
    let body = fixture(file);
    let url = entry["url"].as_str().unwrap();
    let request = Request { method: &Method::POST, url, headers: &headers, body: &body };
    then(Twilio.receive(endpoint, &request, &account(&[TOKEN]), NOW).unwrap())
}

fn e164(text: &str) -> Option<E164> {
    Some(E164::parse(text).unwrap())
}

#[test]
fn every_recorded_form_is_read() {
    let index = json("forms_index.json");
    for entry in index.as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        for endpoint in [Endpoint::Voice, Endpoint::Status, Endpoint::Resume] {
            recorded(endpoint, file, |webhook| {
                assert_eq!(webhook.carrier_call_id.len(), 34, "{file}");
                let is_voice = matches!(webhook.event, Event::Voice(_));
                assert_eq!(is_voice, endpoint != Endpoint::Status, "{file}");
            });
        }
    }
}

#[track_caller]
fn voice(file: &str, ani: Ani, dnis: Option<E164>, check: impl FnOnce(&VoiceRequest, bool)) {
    recorded(Endpoint::Voice, file, |webhook| {
        let Event::Voice(voice) = webhook.event else { panic!("{file}: {webhook:?}") };
        assert_eq!((voice.call.ani, voice.call.dnis), (ani, dnis), "{file}");
        assert_eq!(voice.call.account, Some(AccountId(Uuid::from_u128(7))));
        check(&voice, webhook.is_fallback);
    });
}

#[test]
fn recorded_calls_are_read_as_calls() {
    let number = |text| Ani::Number(e164(text).unwrap());
    let did = e164("+12125550142");
    voice("inbound_voice.form", number("+14155550117"), did, |voice, is_fallback| {
        assert_eq!(voice.call.attestation, Attestation::A);
        assert_eq!(voice.call.forwarded_from, None);
        assert_eq!(voice.direction, Direction::Inbound);
        assert!(!voice.is_answered && !voice.is_over && !is_fallback);
        assert_eq!((voice.dial, voice.answered_by), (None, None));
    });
    voice("inbound_voice_callername.form", number("+14155550118"), did, |voice, _| {
        assert_eq!(voice.call.attestation, Attestation::B);
    });
    voice("inbound_voice_forwarded.form", number("+13125550133"), did, |voice, _| {
        assert_eq!(voice.call.attestation, Attestation::None, "-Diverted vouches for another");
        assert_eq!(voice.call.forwarded_from, e164("+13125550160"));
    });
    for file in ["anonymous_digits", "anonymous_text", "restricted_text"] {
        voice(&format!("inbound_voice_{file}.form"), Ani::Withheld, did, |voice, _| {
            assert_eq!(voice.call.attestation, Attestation::None);
        });
    }
    voice("inbound_sip.form", Ani::Unusable, None, |_, _| {});
    voice("inbound_client.form", Ani::Unusable, None, |_, _| {});
    voice("inbound_whatsapp.form", number("+14155550119"), did, |_, _| {});
    voice("inbound_fallback.form", number("+14155550117"), did, |voice, is_fallback| {
        assert!(is_fallback && !voice.is_answered);
    });
    voice("outbound_twiml.form", number("+12125550142"), e164("+14155550117"), |voice, _| {
        assert_eq!(voice.direction, Direction::Outbound);
        assert!(voice.is_answered && !voice.is_over);
        assert_eq!(voice.answered_by, Some(AnsweredBy::Human));
    });
    voice("dial_action_completed.form", number("+14155550117"), did, |voice, _| {
        assert_eq!(voice.dial, Some(DialOutcome::Answered));
        assert!(voice.is_answered);
    });
    voice("dial_action_no_answer.form", number("+14155550117"), did, |voice, _| {
        assert_eq!(voice.dial, Some(DialOutcome::Unanswered(CallStatus::NoAnswer)));
    });
}

#[track_caller]
fn progress(file: &str, status: CallStatus, sequence: u32, at: u64, talk: Option<u32>) {
    recorded(Endpoint::Status, file, |webhook| {
        assert!(!webhook.is_fallback, "{file}");
        let Event::Progress(progress) = webhook.event else { panic!("{file}: {webhook:?}") };
        assert_eq!(progress.status, status, "{file}");
        assert_eq!(progress.sequence, Some(sequence), "{file}");
        assert_eq!(progress.at, Some(UnixMillis(NOW.0 + at * 1000)), "{file}");
        assert_eq!(progress.duration_seconds, talk, "{file}");
        assert_eq!(progress.parent.is_some(), file.starts_with("child"), "{file}");
        let is_inbound = progress.direction == Direction::Inbound;
        assert_eq!(is_inbound, file.contains("inbound"), "{file}");
        assert!(progress.from.is_some() && progress.to.is_some(), "{file}");
        assert_eq!(progress.call, None, "{file}");
    });
}

#[test]
fn recorded_progress_is_read_as_progress() {
    progress("status_initiated.form", CallStatus::Initiated, 0, 0, None);
    progress("status_ringing.form", CallStatus::Ringing, 1, 2, None);
    progress("status_answered.form", CallStatus::InProgress, 2, 9, None);
    progress("status_completed.form", CallStatus::Completed, 3, 51, Some(42));
    progress("status_completed_recorded.form", CallStatus::Completed, 3, 51, Some(42));
    progress("status_no_answer.form", CallStatus::NoAnswer, 2, 32, Some(0));
    progress("status_busy.form", CallStatus::Busy, 2, 5, Some(0));
    progress("status_failed.form", CallStatus::Failed, 1, 3, Some(0));
    progress("status_canceled.form", CallStatus::Canceled, 2, 4, Some(0));
    progress("status_inbound_completed.form", CallStatus::Completed, 0, 58, Some(55));
    progress("child_status_completed.form", CallStatus::Completed, 3, 40, Some(33));
    recorded(Endpoint::Status, "status_completed.form", |webhook| {
        let Event::Progress(progress) = webhook.event else { panic!("{webhook:?}") };
        assert_eq!(progress.answered_by, Some(AnsweredBy::Human));
        assert_eq!(progress.sip_code, Some(200));
    });
}

#[test]
fn recorded_events_are_read_as_what_they_are() {
    let check = |file: &str, expected: &Event<'_>| {
        recorded(Endpoint::Status, file, |webhook| assert_eq!(webhook.event, *expected, "{file}"));
    };
    check("amd.form", &Event::AnsweredBy(AnsweredBy::Human));
    check("amd_machine_start.form", &Event::AnsweredBy(AnsweredBy::MachineStart));
    check("amd_machine_end_beep.form", &Event::AnsweredBy(AnsweredBy::MachineEnd));
    check("amd_unknown.form", &Event::AnsweredBy(AnsweredBy::Unknown));
    check("stream_started.form", &Event::Stream(StreamEvent::Started));
    check("stream_stopped.form", &Event::Stream(StreamEvent::Stopped));
    let text = "Stream signal error, code: 31920";
    check("stream_error.form", &Event::Stream(StreamEvent::Failed(text.into())));
    check("recording_status.form", &Event::Unknown);
}

#[test]
fn a_signed_request_must_name_its_call_and_its_account() {
    let url = "https://edge.example.com/carriers/main/voice";
    let sid = format!("AccountSid={ACCOUNT_SID}");
    let check = |body: &str, expected| {
        assert_eq!(receive(Endpoint::Voice, url, body).map(drop), expected, "{body}");
    };
    check(&format!("{sid}&CallSid=CA1"), Ok(()));
    check("CallSid=CA1", Err(Refused::Malformed("no AccountSid")));
    check("CallSid=CA1&AccountSid=AC1", Err(Refused::AccountMismatch));
    check("CallSid=CA1&AccountSid=", Err(Refused::AccountMismatch));
    check(&sid, Err(Refused::Malformed("no CallSid")));
    let malformed = Err(Refused::Malformed("CallSid is no call's"));
    check(&format!("{sid}&CallSid="), malformed);
    check(&format!("{sid}&CallSid=CA%2F.."), malformed);
    check(&format!("{sid}&CallSid=CA{}", "0".repeat(33)), malformed);
    let many = format!("{sid}&CallSid=CA1{}", "&a=1".repeat(300));
    check(&many, Err(Refused::Malformed("too many parameters")));
    let long = format!("{sid}&CallSid=CA1&a={}", "x".repeat(BODY_LEN_MAX));
    check(&long, Err(Refused::Malformed("body is too long")));
}

#[test]
fn a_get_is_read_from_its_query() {
    let url = format!(
        "https://edge.example.com/v?AccountSid={ACCOUNT_SID}&CallSid=CA1&CallStatus=ringing\
         &From=%2B14155550117&To=%2B12125550142"
    );
    let unsigned = HeaderMap::new();
    let request =
        Request { method: &Method::GET, url: &url, headers: &unsigned, body: b"never read" };
    let headers = Twilio.sign(&request, &account(&[TOKEN]), UnixMillis(0));
    let request = Request { headers: &headers, ..request };
    let webhook = Twilio.receive(Endpoint::Voice, &request, &account(&[TOKEN]), NOW).unwrap();
    let Event::Voice(voice) = webhook.event else { panic!("{webhook:?}") };
    assert_eq!(voice.call.ani.number(), e164("+14155550117"));
}

#[test]
fn our_own_id_comes_back_in_the_query() {
    let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let body = format!("AccountSid={ACCOUNT_SID}&CallSid=CA1&CallStatus=ringing&call=x");
    let check = |query: &str, expected: Option<CallId>| {
        let url = format!("https://edge.example.com/s{query}");
        with_signed(&url, body.as_bytes(), |request| {
            let account = account(&[TOKEN]);
            let webhook = Twilio.receive(Endpoint::Status, request, &account, NOW).unwrap();
            let Event::Progress(progress) = webhook.event else { panic!("{webhook:?}") };
            assert_eq!(progress.call, expected, "{query}");
        });
    };
    check(&format!("?agent=a&call={id}"), Some(CallId(id)));
    check("?call=nonsense", None);
    check("", None);
}

#[test]
fn unknown_words_are_no_reason_to_refuse() {
    let url = "https://edge.example.com/s";
    let check = |endpoint, parameters: &str, expected: &str| {
        let body = format!("AccountSid={ACCOUNT_SID}&CallSid=CA1&{parameters}");
        let read = receive(endpoint, url, &body).unwrap();
        assert!(read.contains(expected), "{parameters}: {read}");
    };
    check(Endpoint::Status, "CallStatus=levitating", "Unknown");
    check(Endpoint::Status, "StreamEvent=stream-paused", "Unknown");
    check(Endpoint::Status, "BrandNew=1", "Unknown");
    check(Endpoint::Status, "CallStatus=busy&SequenceNumber=x&Timestamp=now", "sequence: None");
    check(Endpoint::Status, "AnsweredBy=parrot", "AnsweredBy(Unknown)");
    check(Endpoint::Voice, "CallStatus=levitating", "is_answered: false");
    check(Endpoint::Voice, "CallStatus=busy", "is_over: true");
    check(Endpoint::Resume, "DialCallStatus=levitating", "Unanswered(Failed)");
    check(Endpoint::Resume, "DialCallStatus=answered", "Some(Answered)");
}

#[test]
fn callers_and_callees_are_read_in_every_spelling() {
    let number = |text| Ani::Number(e164(text).unwrap());
    for withheld in [
        "",
        "anonymous",
        "ANONYMOUS",
        "Unknown",
        "unavailable",
        "private",
        "blocked",
        "Withheld",
        "restricted",
        "+266696687",
        "266696687",
        "+86282452253",
        "+8656696",
        "+2562533",
        "+7378742833",
        "whatsapp:anonymous",
    ] {
        assert_eq!(party::ani(withheld), Ani::Withheld, "{withheld:?}");
    }
    for unusable in ["client:ops", "sip:+14155550117@h", "sim:DE1", "4155550117", "55555", "+0123"]
    {
        assert_eq!(party::ani(unusable), Ani::Unusable, "{unusable:?}");
    }
    assert_eq!(party::ani("+14155550117"), number("+14155550117"));
    assert_eq!(party::ani("whatsapp:+14155550117"), number("+14155550117"));
    assert_eq!(party::number("whatsapp:+12125550142"), e164("+12125550142"));
    assert_eq!(party::number("sip:+12125550142@h.sip.twilio.com:5061"), e164("+12125550142"));
    assert_eq!(party::number("sip:+12125550142;npdi@h"), e164("+12125550142"));
    assert_eq!(party::number("sip:5550142@h"), None);
    assert_eq!(party::number("client:+12125550142"), None);
    for (word, attestation) in [
        ("TN-Validation-Passed-C", Attestation::C),
        ("TN-Validation-Passed-A-Passthrough", Attestation::None),
        ("TN-Validation-Passed-A-Diverted", Attestation::None),
        ("TN-Validation-Failed-A", Attestation::None),
        ("tn-validation-passed-a", Attestation::None),
        ("No-TN-Validation", Attestation::None),
        ("NULL", Attestation::None),
    ] {
        assert_eq!(twiml::webhook::attestation(Some(word)), attestation, "{word}");
    }
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![Just(Endpoint::Voice), Just(Endpoint::Status), Just(Endpoint::Resume)]
}

proptest! {
    #[test]
    fn no_request_panics(
        endpoint in endpoint(),
        url in prop_oneof![any::<String>(), "(https?|wss?)://[!-~]{0,80}"],
        signature in proptest::collection::vec(any::<u8>(), 0..60),
        settings in "[!-~]{0,60}|key=[a-z]*,algorithm=HMAC_SHA(1|256)",
        media_type in "[!-~]{0,40}|application/x-www-form-urlencoded",
        body in proptest::collection::vec(any::<u8>(), 0..300),
        is_get in any::<bool>(),
    ) {
        let mut headers = HeaderMap::new();
        let texts = [
            (signature::SIGNATURE.clone(), &*signature),
            (signature::SETTINGS.clone(), settings.as_bytes()),
            (CONTENT_TYPE, media_type.as_bytes()),
        ];
        for (name, value) in texts {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        }
        let method = if is_get { Method::GET } else { Method::POST };
        let request = Request { method: &method, url: &url, headers: &headers, body: &body };
        let account = account(&[TOKEN]);
        prop_assert!(Twilio.receive(endpoint, &request, &account, NOW).is_err());
        prop_assert!(Twilio.verify_upgrade(&request, &account).is_err());
    }

    #[test]
    fn no_signed_form_panics(
        endpoint in endpoint(),
        words in proptest::collection::vec((
            concat!(
                "(From|To|CallStatus|Timestamp|Direction|SequenceNumber|ForwardedFrom|StreamEvent",
                "|AnsweredBy|DialCallStatus|StirVerstat|[%+&=a-z]{0,6})",
            ),
            "[ -~]{0,20}|(sip:|whatsapp:|client:)?[+%@0-9;]{0,20}|stream-error|completed",
        ), 0..12),
        query in "[!-~]{0,40}",
    ) {
        let url = format!("https://edge.example.com/s?{query}");
        let mut body = format!("AccountSid={ACCOUNT_SID}&CallSid=CA1");
        for (name, value) in words {
            body.push_str(&format!("&{name}={value}"));
        }
        prop_assert!(!matches!(
            receive(endpoint, &url, &body),
            Err(Refused::WrongSignature | Refused::Unsigned | Refused::UnknownKey)
        ));
    }
}

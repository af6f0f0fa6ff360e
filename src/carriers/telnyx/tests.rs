//! Telnyx's fixtures through the room.

use std::{fs, path::PathBuf};

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    state::{Left, State},
    *,
};
use crate::{
    carriers::{
        AnsweredBy, ApiError, Authorization, DialOutcome, Event, NumberSearch, Progress,
        StreamEvent, VoiceRequest,
    },
    domain::{
        AccountApi, AccountOrigin, Ani, ApiKey, Attestation, CallStatus, CarrierId, DialFailure,
        Direction, E164, InboundCall, Secret, UnixMillis,
    },
    media::framing::{CallNamed, Frame, Heard, Payload, Said},
};

const NOW: UnixMillis = UnixMillis(1_768_916_429_000);
const URL: &str = "https://edge.example.com/carriers/main/voice";
const RESUME: &str = "https://edge.example.com/carriers/main/resume?call=1&attempt=2";
const LEG: &str = "v3:ce0G3DOChqTzqarZRHihzkQxIN0yYdRQf_QnlKHUQ-pqfb2HFZXFeQ";

fn fixture(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/telnyx", name].iter().collect();
    fs::read(path).unwrap()
}

fn json_fixture(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

fn account() -> Account {
    let mut account = Account::named("main".to_owned(), CarrierId::Telnyx, AccountOrigin::File);
    account.application_id = "2852154973938025540".to_owned();
    account.api.key = Some(ApiKey { id: String::new(), secret: Secret::new("KEY0123".to_owned()) });
    account
}

fn e164(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

#[test]
fn every_signature_is_judged_as_by_the_official_libraries() {
    let cases = json_fixture("signatures.json");
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut headers = HeaderMap::new();
        for (header, value) in case["headers"].as_object().unwrap() {
            let header = HeaderName::from_bytes(header.as_bytes()).unwrap();
            let Ok(value) = value.as_str().unwrap().parse() else { continue };
            headers.append(header, value);
        }
        let body = STANDARD.decode_to_vec(case["body_b64"].as_str().unwrap()).unwrap();
        let mut account = account();
        let keys = case["public_keys"].as_array().cloned().unwrap_or_default();
        let keys = keys.iter().chain(case.get("public_key"));
        account.secrets = keys.map(|key| Secret::new(key.as_str().unwrap().to_owned())).collect();
        let request = Request { method: &Method::POST, url: URL, headers: &headers, body: &body };
        let now = UnixMillis(case["now"].as_u64().unwrap() * 1000);
        let verdict = signature::verify(&request, &account, now);
        let is_accepted = case["expect"] == "accept";
        assert_eq!(verdict.is_ok(), is_accepted, "{name}: {verdict:?}, {}", case["reason"]);
        match case["reason"].as_str().unwrap_or_default() {
            "missing_signature" | "missing_timestamp" => {
                assert_eq!(verdict, Err(Refused::Unsigned), "{name}");
            }
            "stale_timestamp" => assert_eq!(verdict, Err(Refused::Stale), "{name}"),
            "bad_public_key" => assert_eq!(verdict, Err(Refused::UnknownKey), "{name}"),
            _ => {}
        }
    }
}

#[test]
fn we_sign_as_telnyx_does() {
    let cases = json_fixture("signatures.json");
    let keys = &cases["test_only_keys"]["a"];
    let case = &cases["cases"][0];
    let mut account = account();
    account.api.private_key = Some(Secret::new(keys["private_seed"].as_str().unwrap().to_owned()));
    let body = STANDARD.decode_to_vec(case["body_b64"].as_str().unwrap()).unwrap();
    let headers = HeaderMap::new();
    let request = Request { method: &Method::POST, url: URL, headers: &headers, body: &body };
    let timestamp = case["headers"]["Telnyx-Timestamp"].as_str().unwrap();
    let at = UnixMillis(timestamp.parse::<u64>().unwrap() * 1000);
    let signed = signature::sign(&request, &account, at);
    let expected = case["headers"]["Telnyx-Signature-Ed25519"].as_str().unwrap();
    assert_eq!(signed[&signature::SIGNATURE], expected);
    assert_eq!(signed[&signature::TIMESTAMP], timestamp);
}

/// An event, with a state of ours on its leg.
fn with_state(name: &str, state: Option<&State<'_>>) -> Vec<u8> {
    let mut event = json_fixture(name);
    if let Some(state) = state {
        event["data"]["payload"]["client_state"] = state.write().into();
    }
    event.to_string().into_bytes()
}

fn left(left: Left, is_answered: bool) -> State<'static> {
    let parent = if left == Left::Dial { LEG } else { "" };
    let direction = if left == Left::Call { Direction::Outbound } else { Direction::Inbound };
    State { left, direction, is_answered, parent: parent.into(), step: RESUME.into() }
}

#[track_caller]
fn event(body: &[u8], check: impl FnOnce(&Webhook<'_>)) {
    let webhook = webhook::parse(body, "", &account()).unwrap();
    check(&webhook);
}

#[track_caller]
fn voice<'w>(webhook: &'w Webhook<'_>) -> &'w VoiceRequest {
    let Event::Voice(voice) = &webhook.event else { panic!("{webhook:?}") };
    voice
}

#[track_caller]
fn progress<'w>(webhook: &'w Webhook<'_>) -> &'w Progress<'w> {
    let Event::Progress(progress) = &webhook.event else { panic!("{webhook:?}") };
    progress
}

#[test]
fn an_incoming_call_asks() {
    event(&fixture("call_initiated.json"), |webhook| {
        let asked = voice(webhook);
        assert_eq!(webhook.carrier_call_id, LEG);
        assert_eq!(webhook.event_id.as_deref(), Some("c63d3936-9f78-48db-acc6-07b57d06824b"));
        assert_eq!(webhook.step, None);
        assert_eq!(asked.call.ani, Ani::Number(e164("+19195550105")));
        assert_eq!(asked.call.dnis, Some(e164("+17025550101")));
        assert_eq!(asked.call.forwarded_from, Some(e164("+15125550188")));
        assert_eq!(asked.call.attestation, Attestation::A);
        assert_eq!((asked.direction, asked.is_answered), (Direction::Inbound, false));
    });
    event(&fixture("call_initiated_anonymous.json"), |webhook| {
        assert_eq!(voice(webhook).call.ani, Ani::Withheld);
        assert_eq!(voice(webhook).call.attestation, Attestation::None);
    });
    let first = fixture("call_initiated.json");
    event(&first, |first| {
        for again in ["call_initiated_retry.json", "call_initiated_failover.json"] {
            let again = fixture(again);
            event(&again, |again| assert_eq!(again.event_id.is_some(), first.event_id.is_some()));
        }
    });
}

#[test]
fn what_was_left_on_a_leg_is_due_when_it_is_done() {
    // What has happened, what was left, and whether that is due by it.
    for (name, state, is_due) in [
        ("call_answered.json", Some(left(Left::PickUp, false)), true),
        ("call_answered.json", Some(left(Left::Stream, false)), false),
        ("call_answered.json", None, false),
        ("streaming_stopped.json", Some(left(Left::Stream, false)), true),
        ("streaming_failed.json", Some(left(Left::Stream, false)), true),
        ("streaming_started.json", Some(left(Left::Stream, false)), false),
        ("speak_ended.json", Some(left(Left::Speech, true)), true),
        ("speak_started.json", Some(left(Left::Speech, true)), false),
        ("call_hangup_busy.json", Some(left(Left::Dial, false)), true),
        ("call_hangup.json", Some(left(Left::Stream, true)), false),
    ] {
        event(&with_state(name, state.as_ref()), |webhook| {
            assert_eq!(webhook.step.is_some(), is_due, "{name}: {webhook:?}");
            assert_eq!(matches!(webhook.event, Event::Voice(_)), is_due, "{name}");
            if is_due {
                assert_eq!(webhook.step.as_deref(), Some(RESUME));
                assert_eq!(webhook.carrier_call_id, LEG, "{name}");
            }
        });
    }
    event(&with_state("call_hangup_busy.json", Some(&left(Left::Dial, false))), |webhook| {
        let asked = voice(webhook);
        assert_eq!(asked.dial, Some(DialOutcome::Unanswered(CallStatus::Busy)));
        assert!(!asked.is_answered);
    });
    event(&with_state("call_hangup.json", Some(&left(Left::Dial, true))), |webhook| {
        assert_eq!(voice(webhook).dial, Some(DialOutcome::Answered));
    });
}

#[test]
fn a_leg_of_ours_tells_how_it_goes() {
    event(&fixture("call_initiated_outgoing.json"), |webhook| {
        let told = progress(webhook);
        assert_eq!((told.status, told.direction), (CallStatus::Initiated, Direction::Outbound));
        assert!(told.is_placed);
    });
    for (name, status, sip) in [
        ("call_hangup.json", CallStatus::Completed, Some(200)),
        ("call_hangup_busy.json", CallStatus::Busy, Some(486)),
        ("call_hangup_timeout.json", CallStatus::NoAnswer, None),
        ("call_hangup_caller_gave_up.json", CallStatus::Canceled, None),
        ("call_hangup_time_limit.json", CallStatus::Completed, None),
    ] {
        event(&fixture(name), |webhook| {
            let told = progress(webhook);
            assert_eq!(told.status, status, "{name}");
            assert!(sip.is_none() || told.sip_code == sip, "{name}: {:?}", told.sip_code);
            assert!(told.at.is_some());
        });
    }
    event(&with_state("call_answered_outgoing.json", Some(&left(Left::Call, false))), |webhook| {
        assert!(voice(webhook).is_answered);
        assert_eq!(voice(webhook).direction, Direction::Outbound);
    });
    for (name, who) in [
        ("amd_ended.json", AnsweredBy::MachineStart),
        ("amd_greeting_ended.json", AnsweredBy::MachineEnd),
        ("amd_premium_greeting_ended.json", AnsweredBy::MachineEnd),
    ] {
        event(&fixture(name), |webhook| {
            assert_eq!(webhook.event, Event::AnsweredBy(who), "{name}")
        });
    }
    event(&fixture("streaming_failed.json"), |webhook| {
        let failed = StreamEvent::Failed("connection_failed".into());
        assert_eq!(webhook.event, Event::Stream(failed));
    });
    for name in
        ["unknown_event.json", "call_cost.json", "recording_saved.json", "dtmf_received.json"]
    {
        event(&fixture(name), |webhook| assert_eq!(webhook.event, Event::Unknown, "{name}"));
    }
    let (old, initiated) =
        (fixture("legacy_v1_call_initiated.json"), fixture("call_initiated.json"));
    let old = webhook::parse(&old, "", &account());
    assert!(matches!(old, Err(Refused::Malformed(_))), "{old:?}");
    let mut other = account();
    other.application_id = "1".to_owned();
    let foreign = webhook::parse(&initiated, "", &other);
    assert_eq!(foreign, Err(Refused::AccountMismatch));
}

fn leg(account: &Account, is_answered: bool) -> Leg<'_> {
    Leg {
        account,
        carrier_call_id: LEG,
        event_id: Some("c63d3936-9f78-48db-acc6-07b57d06824b"),
        direction: Direction::Inbound,
        is_answered,
        call: InboundCall::UNKNOWN,
    }
}

#[track_caller]
fn check_answer(answer: &Answer<'_>, is_answered: bool, action: &str, expected: &Value) {
    let account = account();
    let leg = leg(&account, is_answered);
    let Reply::Request(request) = Telnyx.answer(answer, &leg, &mut Vec::new()) else { panic!() };
    let again = Telnyx.answer(answer, &leg, &mut Vec::new());
    assert_eq!(again, Reply::Request(request.clone()), "the same command twice");
    assert_eq!(request.method, Method::POST);
    let id = LEG.replace(':', "%3A").replace('_', "%5F").replace('-', "%2D");
    assert_eq!(request.path, format!("/v2/calls/{id}/actions/{action}"));
    assert_eq!(request.authorization, Authorization::Header(Secret::new("Bearer KEY0123".into())));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert!(body["command_id"].is_string());
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&body[name], value, "{action}: {name}");
    }
}

#[test]
fn every_answer_is_a_command() {
    let state = |left, is_answered| {
        let mut state = self::left(left, is_answered);
        state.is_answered = is_answered;
        state.write()
    };
    let media = Answer::Media {
        url: "wss://edge.example.com/media/7f3a",
        status_url: URL,
        resume_url: RESUME,
        format: MediaFormat::PCMU_8000,
        parameters: &[("a", "1")],
    };
    let stream = json!({
        "stream_url": "wss://edge.example.com/media/7f3a", "stream_track": "inbound_track",
        "stream_bidirectional_mode": "rtp", "stream_bidirectional_codec": "PCMU",
        "stream_bidirectional_target_legs": "self",
    });
    check_answer(&media, false, "answer", &stream);
    check_answer(&media, false, "answer", &json!({ "client_state": state(Left::Stream, false) }));
    check_answer(&media, true, "streaming_start", &stream);
    let custom = json!({ "custom_parameters": [{ "name": "a", "value": "1" }] });
    check_answer(&media, true, "streaming_start", &custom);
    let number = e164("+14155550117");
    let dial = Answer::DialNumber { number, resume_url: RESUME };
    let to = json!({ "to": "+14155550117",
        "target_leg_client_state": state(Left::Dial, false) });
    check_answer(&dial, false, "transfer", &to);
    let sip = Answer::DialSip { address: "desk@pbx.example.com", resume_url: RESUME };
    check_answer(&sip, true, "transfer", &json!({ "to": "sip:desk@pbx.example.com" }));
    let say = Answer::Say { text: "Sorry.", resume_url: RESUME };
    assert!(Telnyx.picks_up_first(&say));
    let spoken = json!({ "payload": "Sorry.", "client_state": state(Left::Speech, true) });
    check_answer(&say, true, "speak", &spoken);
    let pick_up = Answer::PickUp { resume_url: RESUME };
    check_answer(&pick_up, false, "answer", &json!({ "client_state": state(Left::PickUp, false) }));
    check_answer(&Answer::Busy, false, "reject", &json!({ "cause": "USER_BUSY" }));
    check_answer(&Answer::Reject, false, "reject", &json!({ "cause": "CALL_REJECTED" }));
    check_answer(&Answer::HangUp, true, "hangup", &json!({}));
    let accounts = account();
    let first = Telnyx.answer(&Answer::HangUp, &leg(&accounts, true), &mut Vec::new());
    let other = Leg { event_id: Some("other"), ..leg(&accounts, true) };
    assert_ne!(first, Telnyx.answer(&Answer::HangUp, &other, &mut Vec::new()));
}

#[test]
fn replies_say_what_became_of_a_command() {
    let hang_up = Command::HangUp { carrier_call_id: LEG };
    let ok = fixture("rest_action_ok.json");
    let over = fixture("rest_error_90018.json");
    let ringing = fixture("rest_error_90034.json");
    assert_eq!(Telnyx.outcome(&hang_up, 200, &ok), CommandOutcome::Done);
    assert_eq!(Telnyx.outcome(&hang_up, 422, &over), CommandOutcome::Done);
    assert_eq!(Telnyx.reply_outcome(422, &over), CommandOutcome::Done);
    let refused = Telnyx.reply_outcome(422, &ringing);
    assert!(matches!(&refused, CommandOutcome::Refused(error) if error.code == Some(90_034)));
    let busy = fixture("rest_error_429.json");
    assert_eq!(Telnyx.reply_outcome(429, &busy), CommandOutcome::Busy);
    assert_eq!(Telnyx.reply_outcome(502, b"<html>"), CommandOutcome::Unclear);
    let search = NumberSearch { country: "US", area_code: None, is_toll_free: false, limit: 1 };
    let search = Command::SearchNumbers(search);
    assert_eq!(Telnyx.outcome(&search, 200, b"garbage"), CommandOutcome::Unclear);
    let credentials = Telnyx.outcome(&hang_up, 401, &fixture("rest_error_10009.json"));
    assert!(matches!(credentials,
        CommandOutcome::Refused(error) if error.cause == DialFailure::Credentials));
}

#[test]
fn errors_come_to_what_the_page_says() {
    let said = |status: u16, code: &str| {
        let body = json!({ "errors": [{ "code": code, "title": "t", "detail": "d" }] });
        let hang_up = Command::HangUp { carrier_call_id: LEG };
        Telnyx.outcome(&hang_up, status, body.to_string().as_bytes())
    };
    // Telnyx docs, api-error-codes; reference section 3.3.
    use DialFailure::{Busy, Credentials, InvalidNumber, NotPermitted, Refused};
    for (status, codes, cause) in [
        (401, &["10009", "20002", "20006"][..], Credentials),
        (403, &["10010", "10038", "10039", "20012", "20014", "20017"], NotPermitted),
        (422, &["10016"], InvalidNumber),
        (422, &["90041", "90042", "90043"], Busy),
        (422, &["10004", "10015", "10026", "10032", "10033", "90015", "90017"], Refused),
        (422, &["90034", "90045", "90046", "90048", "90102"], Refused),
    ] {
        for code in codes {
            let (message, number) = ("d".to_owned(), code.parse().ok());
            let error = ApiError { cause, status, code: number, message };
            assert_eq!(said(status, code), CommandOutcome::Refused(error), "{status} {code}");
        }
    }
    assert_eq!(said(429, "10011"), CommandOutcome::Busy);
    assert_eq!(said(429, "90103"), CommandOutcome::Busy);
    assert_eq!(said(500, "10007"), CommandOutcome::Unclear);
    assert_eq!(said(422, "90018"), CommandOutcome::Done, "it has ended already");
    assert_eq!(said(404, "10005"), CommandOutcome::Done, "there is no such call");
}

#[test]
fn a_call_of_unknown_fate_is_found_by_what_we_left_on_it() {
    let (from, to) = (e164("+12125550142"), e164("+14155550117"));
    let find = Command::FindCalls { from, to, since: NOW };
    let account = Account { application_id: "1494404757140276705".to_owned(), ..account() };
    let request = Telnyx.request(&find, &account, NOW, Uuid::nil()).unwrap();
    let path = "/v2/connections/1494404757140276705/active_calls?page%5Bsize%5D=250";
    assert_eq!((request.method, request.path.as_str()), (Method::GET, path));
    assert_eq!(TelnyxTexml.request(&find, &account, NOW, Uuid::nil()), None);
    let ours = "00000000-0000-7000-8000-000000000007";
    let voice = format!("https://edge.example.com/carriers/main/voice?call={ours}");
    let body = json!({ "data": [
        { "call_control_id": "v3:theirs", "client_state": "eyJsZWFkIjogIkwtNDQ2MSJ9" },
        { "call_control_id": "v3:bare", "client_state": null },
        { "call_control_id": "v3:ours", "client_state": super::answer::call_state(&voice) },
    ] });
    let outcome = Telnyx.outcome(&find, 200, body.to_string().as_bytes());
    let CommandOutcome::Found(found) = outcome else { panic!("{outcome:?}") };
    let found: Vec<_> = found.iter().map(|f| (f.carrier_call_id.as_str(), f.call)).collect();
    assert_eq!(found, [("v3:ours", ours.parse().ok())]);
}

#[track_caller]
fn heard(framing: &dyn Framing, file: &str, check: impl Fn(usize, Heard<'_>)) {
    let text = String::from_utf8(fixture(file)).unwrap();
    for (at, line) in text.lines().enumerate() {
        let frame = Frame::Text(line.into());
        check(at, framing.read(&frame).unwrap());
    }
}

#[test]
fn a_session_is_heard() {
    let framing = Telnyx.framing(MediaFormat::PCMU_8000, &account()).unwrap();
    heard(&*framing, "media_stream_session.jsonl", |at, heard| match (at, heard) {
        (0, heard) => assert_eq!(heard, Heard::Connected),
        (1, Heard::Began(began)) => {
            let id = "v3:69H88epbpZHqYzG24pH0J_2VfizhEMhX_xe8VsaB8Ud5Av1RGGI_PA";
            assert_eq!(began.call, CallNamed::Carrier(id.to_owned()));
            assert_eq!(began.stream, "df98edd6-2600-4ac4-bfa0-4105e2af261e");
            assert_eq!(began.format, MediaFormat::PCMU_8000);
            assert_eq!(began.parameters, [("route".to_owned(), "r-17".to_owned())]);
        }
        (2..=51, Heard::Audio(audio)) => {
            let Payload::Base64(payload) = audio.payload else { panic!() };
            assert_eq!(STANDARD.decode_to_vec(payload.as_bytes()).unwrap().len(), 160);
            assert_eq!(audio.chunk, Some(at as u64 - 1));
        }
        (_, Heard::Dtmf(digit)) => assert_eq!(digit, '5'),
        (_, Heard::Stopped) => assert_eq!(at, 53),
        other => panic!("{other:?}"),
    });
    heard(&*framing, "media_stream_pcma.jsonl", |at, heard| {
        if let (1, Heard::Began(began)) = (at, heard) {
            assert_eq!(began.format, MediaFormat::PCMA_8000);
        }
    });
    heard(&*framing, "media_stream_from_carrier_other.jsonl", |_, heard| {
        assert!(matches!(heard, Heard::Mark(_) | Heard::Failed(_) | Heard::Unknown), "{heard:?}");
    });
}

#[test]
fn what_is_said_is_written_as_documented() {
    let framing = Telnyx.framing(MediaFormat::PCMU_8000, &account()).unwrap();
    let text = String::from_utf8(fixture("media_stream_to_carrier.jsonl")).unwrap();
    for line in text.lines() {
        let wire: Value = serde_json::from_str(line).unwrap();
        let payload = wire["media"]["payload"].as_str().unwrap_or_default();
        let said = match wire["event"].as_str().unwrap() {
            "media" => Said::Audio(Payload::Base64(payload.into())),
            "mark" => Said::Mark(wire["mark"]["name"].as_str().unwrap()),
            _ => Said::Clear,
        };
        let Some(Frame::Text(written)) = framing.write(&said, "stream") else { panic!() };
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), wire);
    }
    let hostile = framing.write(&Said::Mark("\"},\"event\":\"clear"), "").unwrap();
    let Frame::Text(hostile) = hostile else { panic!() };
    assert_eq!(serde_json::from_str::<Value>(&hostile).unwrap()["event"], "mark");
}

fn texml(name: &str, endpoint: Endpoint, query: &str, check: impl FnOnce(&Webhook<'_>)) {
    let mut account = account();
    let keys = json_fixture("signatures.json")["test_only_keys"]["a"].clone();
    let secret = |name: &str| Secret::new(keys[name].as_str().unwrap().to_owned());
    (account.secrets, account.api.private_key) =
        (vec![secret("public_key")], Some(secret("private_seed")));
    let (body, url) = (fixture(name), format!("{URL}{query}"));
    let headers = HeaderMap::new();
    let request = Request { method: &Method::POST, url: &url, headers: &headers, body: &body };
    let now = UnixMillis(1_768_916_429_000);
    let headers = TelnyxTexml.sign(&request, &account, now);
    let request = Request { headers: &headers, ..request };
    check(&TelnyxTexml.receive(endpoint, &request, &account, now).unwrap());
    let get = Request { method: &Method::GET, ..request };
    assert!(TelnyxTexml.receive(endpoint, &get, &account, now).is_err());
}

#[test]
fn texml_is_read_as_its_pages_say() {
    texml("texml_inbound.form", Endpoint::Voice, "", |webhook| {
        let asked = voice(webhook);
        assert!(webhook.carrier_call_id.starts_with("v3:iOkTUML33D5n2EzQPKGd6Yy"));
        assert_eq!(asked.call.ani, Ani::Number(e164("+19195550105")));
        assert_eq!(asked.call.attestation, Attestation::A);
        assert_eq!((asked.direction, asked.is_answered), (Direction::Inbound, false));
    });
    for (name, status) in [
        ("texml_status_initiated.form", CallStatus::Initiated),
        ("texml_status_ringing.form", CallStatus::Ringing),
        ("texml_status_in_progress.form", CallStatus::InProgress),
        ("texml_status_completed.form", CallStatus::Completed),
    ] {
        texml(name, Endpoint::Status, "?agent=sales", |webhook| {
            assert_eq!(progress(webhook).status, status, "{name}");
            assert_eq!(progress(webhook).direction, Direction::Outbound);
        });
    }
    texml("texml_amd.form", Endpoint::Status, "", |webhook| {
        assert_eq!(webhook.event, Event::AnsweredBy(AnsweredBy::MachineEnd));
    });
    texml("texml_stream_error.form", Endpoint::Status, "", |webhook| {
        let failed = StreamEvent::Failed("connection_failed".into());
        assert_eq!(webhook.event, Event::Stream(failed));
    });
    texml("texml_stream_started.form", Endpoint::Status, "", |webhook| {
        assert_eq!(webhook.event, Event::Stream(StreamEvent::Started));
    });
}

#[test]
fn texml_says_that_audio_goes_both_ways() {
    let account = account();
    let mut out = Vec::new();
    let media = Answer::Media {
        url: "wss://edge.example.com/media/7f3a",
        status_url: URL,
        resume_url: RESUME,
        format: MediaFormat::PCMU_8000,
        parameters: &[("route", "r-17")],
    };
    let reply = TelnyxTexml.answer(&media, &leg(&account, false), &mut out);
    assert_eq!(reply, Reply::Document("text/xml"));
    let text = String::from_utf8(out).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let stream = document.descendants().find(|node| node.has_tag_name("Stream")).unwrap();
    for (name, value) in [
        ("bidirectionalMode", "rtp"),
        ("bidirectionalCodec", "PCMU"),
        ("bidirectionalSamplingRate", "8000"),
        ("track", "inbound_track"),
        ("enableReconnect", "false"),
    ] {
        assert_eq!(stream.attribute(name), Some(value), "{name}");
    }
    let redirect = document.descendants().find(|node| node.has_tag_name("Redirect")).unwrap();
    let url = redirect.text().unwrap();
    let token = url.strip_prefix(RESUME).and_then(|rest| rest.strip_prefix("&fetch="));
    assert_eq!(token.map(str::len), Some(64), "{url}");
}

#[test]
fn an_unsigned_fetch_needs_a_token_of_its_number_or_call() {
    let account = account();
    let body = fixture("texml_inbound.form");
    let form = String::from_utf8(body.clone()).unwrap();
    let field = |name: &str| {
        let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap().replace("%2B", "+").replace("%3A", ":")
    };
    let (to, call) = (e164(&field("To")), field("CallSid"));
    // As an operator makes it: openssl dgst -sha256 -hmac KEY0123.
    let number = super::fetch::token(super::fetch::For::Number(to), &account).unwrap();
    let step = super::fetch::token(super::fetch::For::Call(&call), &account).unwrap();
    let other = super::fetch::token(super::fetch::For::Number(e164("+19005550100")), &account);
    let receive = |endpoint, query: &str, account: &Account| {
        let (headers, url) = (HeaderMap::new(), format!("{URL}{query}"));
        let request = Request { method: &Method::POST, url: &url, headers: &headers, body: &body };
        TelnyxTexml.receive(endpoint, &request, account, UnixMillis(1)).map(drop)
    };
    let (voice, resume) = (Endpoint::Voice, Endpoint::Resume);
    assert_eq!(receive(voice, &format!("?fetch={number}"), &account), Ok(()));
    assert_eq!(receive(resume, &format!("?call=1&attempt=1&fetch={step}"), &account), Ok(()));
    let keyless = Account { api: AccountApi::default(), ..account.clone() };
    for (endpoint, query, account) in [
        (voice, String::new(), &account),
        (voice, "?fetch=".to_owned(), &account),
        (voice, format!("?fetch={step}"), &account),
        (voice, format!("?fetch={}", other.unwrap()), &account),
        (voice, format!("?fetch={number}"), &keyless),
        (resume, format!("?fetch={number}"), &account),
        (Endpoint::Status, format!("?fetch={number}"), &account),
    ] {
        let refused = receive(endpoint, &query, account);
        assert_eq!(refused, Err(Refused::Unsigned), "{endpoint:?} {query}");
    }
}

proptest! {
    #[test]
    fn no_event_panics(body in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,40}") {
        let _any = webhook::parse(&body, &text, &account());
        let framing = Telnyx.framing(MediaFormat::PCMU_8000, &account()).unwrap();
        let _any = framing.read(&Frame::Text(text.as_str().into()));
        let _any = framing.read(&Frame::Binary(body.as_slice().into()));
        let _any = state::read(&text);
    }
}

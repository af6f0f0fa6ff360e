//! What each carrier's pages say, in the form that [`super::golden`] asks for.

use http::Method;
use serde_json::{Value, json};

use super::golden::{
    CALL, Golden, Media, NEXT, SILENCE, STATUS, VOICE, form, nonce, silence, text,
};
use crate::{
    domain::{CallStatus, MediaFormat},
    media::framing::Frame,
};

/// Twilio docs, voice/api/call-resource, and who took it over.
fn twiml(calls: [&'static str; 2], life: fn(&str) -> String) -> Golden {
    let statuses = [
        ("ringing", CallStatus::Ringing),
        ("in-progress", CallStatus::InProgress),
        ("completed", CallStatus::Completed),
    ];
    let [dial, call] = calls;
    Golden {
        dial: (
            Method::POST,
            dial,
            form(&[
                ("From", "+12125550142"),
                ("To", "+14155550117"),
                ("Url", VOICE),
                ("FallbackUrl", VOICE),
                ("Method", "POST"),
                ("FallbackMethod", "POST"),
                ("StatusCallback", STATUS),
                ("StatusCallbackMethod", "POST"),
                ("StatusCallbackEvent", "initiated"),
                ("StatusCallbackEvent", "ringing"),
                ("StatusCallbackEvent", "answered"),
                ("StatusCallbackEvent", "completed"),
                ("Timeout", "60"),
            ]),
        ),
        hang_up: (Method::POST, call, form(&[("Status", "completed")])),
        redirect: (Method::POST, call, form(&[("Url", NEXT), ("Method", "POST")])),
        look: Some((
            call,
            r#"{"sid":"45511683-6b91-4098-85cb-e08fa3a11f22","status":"in-progress"}"#,
        )),
        life: statuses.into_iter().map(|(word, status)| (life(word), status)).collect(),
        stale_after: None,
        media: None,
    }
}

pub(super) fn twilio() -> Golden {
    let calls = [
        "/2010-04-01/Accounts/AC66acdc865fff60921f34dac80d62be2f/Calls.json",
        "/2010-04-01/Accounts/AC66acdc865fff60921f34dac80d62be2f/Calls/45511683-6b91-4098-85cb-e08fa3a11f22.json",
    ];
    twiml(calls, |status| {
        format!(
            "CallSid=CAb27b806e16e007b36784197374f40f63\
             &AccountSid=AC66acdc865fff60921f34dac80d62be2f&From=%2B14155550117\
             &To=%2B12125550142&Direction=inbound&CallStatus={status}"
        )
    })
}

pub(super) fn signalwire() -> Golden {
    let calls = [
        "/api/laml/2010-04-01/Accounts/b08dacad-2f6c-4de1-93d6-cc732e0c69c5/Calls.json",
        "/api/laml/2010-04-01/Accounts/b08dacad-2f6c-4de1-93d6-cc732e0c69c5/Calls/45511683-6b91-4098-85cb-e08fa3a11f22.json",
    ];
    let golden = twiml(calls, |status| {
        format!(
            "CallSid={CALL}&AccountSid=b08dacad-2f6c-4de1-93d6-cc732e0c69c5&From=%2B14155550117\
             &To=%2B12125550142&Direction=inbound&CallStatus={status}"
        )
    });
    let media = Media {
        format: MediaFormat::PCMU_8000,
        began: text(json!({ "event": "start", "start": {
            "callSid": CALL, "streamSid": "s1", "accountSid": "a1",
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 } } })),
        audio: text(json!({ "event": "media", "media": {
            "track": "inbound", "chunk": "1", "timestamp": "20", "payload": silence() } })),
        key: Some(text(json!({ "event": "dtmf", "streamSid": "s1",
            "dtmf": { "track": "inbound_track", "digit": "5" } }))),
        stopped: Some(text(json!({ "event": "stop", "streamSid": "s1",
            "stop": { "accountSid": "a1", "callSid": CALL } }))),
        said: [
            json!({ "event": "media", "streamSid": "s1", "media": { "payload": silence() } }),
            json!({ "event": "mark", "streamSid": "s1", "mark": { "name": "m1" } }),
            json!({ "event": "clear", "streamSid": "s1" }),
        ]
        .map(|said| Some(text(said))),
    };
    Golden { media: Some(media), ..golden }
}

/// Plivo docs, voice/api/call; voice-agents/audio-streaming.
pub(super) fn plivo() -> Golden {
    let told = |event: &str, status: &str| {
        format!(
            "CallUUID={CALL}&ParentAuthID=MAMO7XWB2XYF3PE8DP3J&From=14155550117&To=12125550142\
             &Direction=inbound&Event={event}&CallStatus={status}"
        )
    };
    let call = "/v1/Account/MAMO7XWB2XYF3PE8DP3J/Call/45511683-6b91-4098-85cb-e08fa3a11f22/";
    Golden {
        dial: (
            Method::POST,
            "/v1/Account/MAMO7XWB2XYF3PE8DP3J/Call/",
            json!({
                "from": "12125550142", "to": "14155550117", "ring_timeout": 60,
                "answer_url": VOICE, "answer_method": "POST",
                "fallback_url": format!("{VOICE}&fallback=1"), "fallback_method": "POST",
                "ring_url": STATUS, "ring_method": "POST",
                "hangup_url": STATUS, "hangup_method": "POST",
            }),
        ),
        hang_up: (Method::DELETE, call, Value::Null),
        redirect: (
            Method::POST,
            call,
            json!({ "legs": "aleg", "aleg_url": NEXT, "aleg_method": "POST" }),
        ),
        look: Some((
            "/v1/Account/MAMO7XWB2XYF3PE8DP3J/Call/45511683-6b91-4098-85cb-e08fa3a11f22/?status=live",
            r#"{"call_status":"in-progress","direction":"inbound"}"#,
        )),
        life: vec![
            (told("Ring", "ringing"), CallStatus::Ringing),
            (told("Hangup", "completed"), CallStatus::Completed),
        ],
        stale_after: None,
        media: Some(Media {
            format: MediaFormat::PCMU_8000,
            began: text(json!({ "event": "start", "sequenceNumber": 1, "extra_headers": "{}",
                "start": { "callId": CALL, "streamId": "s1", "accountId": "a1",
                    "tracks": ["inbound"],
                    "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000 } } })),
            audio: text(json!({ "event": "media", "sequenceNumber": 2, "streamId": "s1",
                "media": { "track": "inbound", "timestamp": "1", "chunk": 1,
                    "payload": silence() } })),
            key: Some(text(json!({ "event": "dtmf", "sequenceNumber": 3, "streamId": "s1",
                "dtmf": { "track": "inbound", "digit": "5", "timestamp": "1" } }))),
            stopped: Some(text(json!({ "event": "stop", "streamId": "s1" }))),
            said: [
                json!({ "event": "playAudio", "media": { "contentType": "audio/x-mulaw",
                    "sampleRate": 8000, "payload": silence() } }),
                json!({ "event": "checkpoint", "streamId": "s1", "name": "m1" }),
                json!({ "event": "clearAudio", "streamId": "s1" }),
            ]
            .map(|said| Some(text(said))),
        }),
    }
}

/// Bandwidth docs, apis/voice; voice/bxml/startStream.
pub(super) fn bandwidth() -> Golden {
    let call = "/api/v2/accounts/9915855/calls/45511683-6b91-4098-85cb-e08fa3a11f22";
    let ended = json!({ "eventType": "disconnect", "eventTime": "2026-01-01T12:00:09.000Z",
        "accountId": "9915855", "callId": CALL, "from": "+14155550117", "to": "+12125550142",
        "direction": "inbound", "cause": "hangup", "answerTime": "2026-01-01T12:00:01.000Z" });
    Golden {
        dial: (
            Method::POST,
            "/api/v2/accounts/9915855/calls",
            json!({
                "from": "+12125550142", "to": "+14155550117", "applicationId": "",
                "answerUrl": VOICE, "answerMethod": "POST",
                "answerFallbackUrl": "*", "answerFallbackMethod": "POST",
                "disconnectUrl": STATUS, "disconnectMethod": "POST", "callTimeout": 60,
                "username": "switchback", "password": "ours",
                "fallbackUsername": "switchback", "fallbackPassword": "ours",
            }),
        ),
        hang_up: (Method::POST, call, json!({ "state": "completed" })),
        redirect: (
            Method::POST,
            call,
            json!({
                "state": "active", "redirectUrl": NEXT, "redirectMethod": "POST",
                "redirectFallbackUrl": "*", "redirectFallbackMethod": "POST",
                "username": "switchback", "password": "ours",
                "fallbackUsername": "switchback", "fallbackPassword": "ours",
            }),
        ),
        look: Some((
            call,
            "{\"callId\":\"45511683-6b91-4098-85cb-e08fa3a11f22\",\"state\":\"answered\"}",
        )),
        life: vec![(ended.to_string(), CallStatus::Completed)],
        stale_after: None,
        media: Some(Media {
            format: MediaFormat::PCMU_8000,
            began: text(json!({ "eventType": "start", "metadata": {
                "accountId": "9915855", "callId": CALL, "streamId": "s1",
                "streamName": "n", "tracks": [{ "name": "inbound",
                    "mediaFormat": { "encoding": "PCMU", "sampleRate": 8000 } }] } })),
            audio: text(json!({ "eventType": "media", "track": "inbound", "streamId": "s1",
                "payload": silence() })),
            key: None,
            stopped: Some(text(json!({ "eventType": "stop", "metadata": {
                "callId": CALL, "streamId": "s1" } }))),
            said: [
                Some(text(json!({ "eventType": "playAudio", "media": {
                    "contentType": "audio/pcmu", "payload": silence() } }))),
                None,
                Some(text(json!({ "eventType": "clear" }))),
            ],
        }),
    }
}

/// Telnyx docs, api-reference (dial, actions); media-streaming-over-websockets.
pub(super) fn telnyx() -> Golden {
    let told = |event: &str, more: Value| {
        let mut payload = json!({ "call_control_id": CALL, "connection_id": "2852154973938025540",
            "from": "+14155550117", "to": "+12125550142" });
        for (name, value) in more.as_object().into_iter().flatten() {
            payload[name] = value.clone();
        }
        json!({ "data": { "event_type": event, "id": event, "payload": payload } }).to_string()
    };
    Golden {
        dial: (
            Method::POST,
            "/v2/calls",
            json!({
                "connection_id": "2852154973938025540",
                "to": "+14155550117", "from": "+12125550142", "timeout_secs": 60,
                "webhook_url": VOICE, "webhook_url_method": "POST",
                "answering_machine_detection": "disabled",
                "client_state": "*", "command_id": nonce(),
            }),
        ),
        hang_up: (
            Method::POST,
            "/v2/calls/45511683-6b91-4098-85cb-e08fa3a11f22/actions/hangup",
            json!({ "command_id": nonce() }),
        ),
        redirect: (
            Method::POST,
            "/v2/calls/45511683-6b91-4098-85cb-e08fa3a11f22/actions/streaming_stop",
            json!({ "client_state": "*", "command_id": nonce() }),
        ),
        look: Some((
            "/v2/calls/45511683-6b91-4098-85cb-e08fa3a11f22",
            r#"{"data":{"is_alive":true}}"#,
        )),
        life: vec![
            (told("call.answered", json!({})), CallStatus::InProgress),
            (
                told("call.hangup", json!({ "hangup_cause": "normal_clearing" })),
                CallStatus::Completed,
            ),
        ],
        stale_after: Some(300),
        media: Some(telnyx_media()),
    }
}

fn telnyx_media() -> Media {
    Media {
        format: MediaFormat::PCMU_8000,
        began: text(
            json!({ "event": "start", "sequence_number": "1", "stream_id": "s1", "start": {
            "call_control_id": CALL, "user_id": "a1",
            "media_format": { "encoding": "PCMU", "sample_rate": 8000, "channels": 1 } } }),
        ),
        audio: text(json!({ "event": "media", "sequence_number": "2", "stream_id": "s1",
            "media": { "track": "inbound", "chunk": "1", "payload": silence() } })),
        key: Some(text(json!({ "event": "dtmf", "sequence_number": "3", "stream_id": "s1",
            "dtmf": { "digit": "5" } }))),
        stopped: Some(text(json!({ "event": "stop", "stream_id": "s1",
            "stop": { "call_control_id": CALL } }))),
        said: [
            json!({ "event": "media", "media": { "payload": silence() } }),
            json!({ "event": "mark", "mark": { "name": "m1" } }),
            json!({ "event": "clear" }),
        ]
        .map(|said| Some(text(said))),
    }
}

/// Telnyx docs, TeXML REST commands.
pub(super) fn telnyx_texml() -> Golden {
    let told = |status: &str| {
        format!(
            "CallbackSource=call-progress-events&CallSid={CALL}&From=%2B14155550117\
             &AccountSid=fdff4639-fa80-4d19-b199-315b7abe95be&To=%2B12125550142\
             &CallStatus={status}"
        )
    };
    let call = "/v2/texml/Accounts/fdff4639-fa80-4d19-b199-315b7abe95be/Calls/45511683-6b91-4098-85cb-e08fa3a11f22";
    Golden {
        dial: (
            Method::POST,
            "/v2/texml/Accounts/fdff4639-fa80-4d19-b199-315b7abe95be/Calls",
            json!({
                "ApplicationSid": "", "To": "+14155550117", "From": "+12125550142",
                "Url": VOICE, "UrlMethod": "POST", "FallbackUrl": VOICE,
                "StatusCallback": STATUS, "StatusCallbackMethod": "POST",
                "StatusCallbackEvent": "initiated ringing answered completed",
                "Timeout": 60, "MachineDetection": "Disable", "AsyncAmd": false,
                "AsyncAmdStatusCallback": STATUS, "AsyncAmdStatusCallbackMethod": "POST",
            }),
        ),
        hang_up: (Method::POST, call, json!({ "Status": "completed" })),
        redirect: (Method::POST, call, json!({ "Url": NEXT, "Method": "POST" })),
        look: Some((
            "/v2/calls/45511683-6b91-4098-85cb-e08fa3a11f22",
            r#"{"data":{"is_alive":true}}"#,
        )),
        life: vec![
            (told("ringing"), CallStatus::Ringing),
            (told("in-progress"), CallStatus::InProgress),
            (told("completed"), CallStatus::Completed),
        ],
        stale_after: Some(300),
        media: Some(telnyx_media()),
    }
}

/// Vonage api-specification, voice.yml; nexmo-developer, guides/websockets.
pub(super) fn vonage() -> Golden {
    let told = |status: &str| {
        json!({ "from": "14155550117", "to": "12125550142", "uuid": CALL,
            "conversation_uuid": "CON-1", "status": status, "direction": "inbound",
            "timestamp": "2026-01-01T12:00:00.000Z" })
        .to_string()
    };
    let call = "/v1/calls/45511683-6b91-4098-85cb-e08fa3a11f22";
    Golden {
        dial: (
            Method::POST,
            "/v1/calls",
            json!({
                "to": [{ "type": "phone", "number": "14155550117" }],
                "from": { "type": "phone", "number": "12125550142" },
                "answer_url": [VOICE], "answer_method": "POST",
                "event_url": [STATUS], "event_method": "POST", "ringing_timer": 60,
            }),
        ),
        hang_up: (Method::PUT, call, json!({ "action": "hangup" })),
        redirect: (Method::PUT, call, json!({ "action": "transfer", "destination": "*" })),
        look: None,
        life: vec![
            (told("ringing"), CallStatus::Ringing),
            (told("answered"), CallStatus::InProgress),
            (told("completed"), CallStatus::Completed),
        ],
        stale_after: Some(300),
        media: Some(Media {
            format: MediaFormat::L16_8000,
            began: text(json!({ "event": "websocket:connected",
                "content-type": "audio/l16;rate=8000", "call_ref": CALL })),
            audio: Frame::Binary(SILENCE.to_vec().into()),
            key: Some(text(json!({ "event": "websocket:dtmf",
                "dtmf": { "digit": "5", "duration": 260 } }))),
            stopped: None,
            said: [
                Some(Frame::Binary(SILENCE.to_vec().into())),
                Some(text(json!({ "action": "notify", "payload": { "mark": "m1" } }))),
                Some(text(json!({ "action": "clear" }))),
            ],
        }),
    }
}

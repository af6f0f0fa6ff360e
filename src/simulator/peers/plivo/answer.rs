//! Reads Plivo's XML as strictly as Plivo does (Plivo docs, voice/xml). What is no element of its
//! own makes the whole document no document of Plivo's (hangup cause 8011).

use std::time::Duration;

use roxmltree::Node;

use crate::{
    domain::MediaFormat,
    simulator::{
        peers::xml::{document, elements, only, text},
        verb::{Dial, Problem, Step, Stream, Verb},
    },
};

/// Elements that are Plivo's, and not simulated.
const PASSED_OVER: [&str; 9] = [
    "Conference",
    "DTMF",
    "GetDigits",
    "GetInput",
    "Message",
    "MultiPartyCall",
    "Play",
    "PreAnswer",
    "Record",
];

/// What `<Stream>` may say.
const STREAM: [&str; 10] = [
    "bidirectional",
    "audioTrack",
    "contentType",
    "keepCallAlive",
    "streamTimeout",
    "statusCallbackUrl",
    "statusCallbackMethod",
    "extraHeaders",
    "noiseCancellation",
    "noiseCancellationLevel",
];

/// What `<Dial>` may say.
const DIAL: [&str; 12] = [
    "action",
    "method",
    "hangupOnStar",
    "timeLimit",
    "timeout",
    "callerId",
    "callerName",
    "confirmSound",
    "dialMusic",
    "redirect",
    "callbackUrl",
    "sipHeaders",
];

/// `extraHeaders` takes so many bytes.
const EXTRA_HEADERS_LEN_MAX: usize = 512;

/// A document of Plivo's.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
    document(content_type, body, verb)
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new(8011, what)
}

fn verb(node: Node<'_, '_>) -> Result<Verb, Problem> {
    let name = node.tag_name().name();
    match name {
        "Speak" => {
            only(node, &["voice", "language", "loop"])?;
            Ok(Verb::Say(text(node)?))
        }
        "Wait" => {
            only(node, &["length", "silence", "minSilence", "beep"])?;
            let seconds = node.attribute("length").unwrap_or("1").parse();
            let seconds = seconds.map_err(|_| invalid("Wait: length is no number"))?;
            Ok(Verb::Pause(Duration::from_secs(seconds)))
        }
        "Stream" => stream(node).map(Verb::Connect),
        "Dial" => dial(node).map(Verb::Dial),
        "Redirect" => {
            only(node, &["method"])?;
            Ok(Verb::Redirect(Step::to(text(node)?.trim())))
        }
        "Hangup" => {
            only(node, &["reason", "schedule"])?;
            match node.attribute("reason") {
                None => Ok(Verb::HangUp),
                Some("rejected") => Ok(Verb::Reject { is_busy: false }),
                Some("busy") => Ok(Verb::Reject { is_busy: true }),
                Some(reason) => Err(invalid(format!("Hangup: reason {reason:?}"))),
            }
        }
        _ if PASSED_OVER.contains(&name) => Ok(Verb::Other(name.to_owned())),
        _ => Err(invalid(format!("{name} is no element"))),
    }
}

fn stream(node: Node<'_, '_>) -> Result<Stream, Problem> {
    only(node, &STREAM)?;
    let is = |name: &str| node.attribute(name) == Some("true");
    let is_both_ways = is("bidirectional");
    if is_both_ways && node.attribute("audioTrack").is_some_and(|track| track != "inbound") {
        return Err(invalid("Stream: what goes both ways brings the inbound track alone"));
    }
    // Without it the call goes on beside the stream, which nothing that is played here does.
    if !is_both_ways || !is("keepCallAlive") {
        return Err(invalid("Stream: not simulated unless bidirectional and keepCallAlive"));
    }
    let format = match node.attribute("contentType") {
        Some("audio/x-mulaw;rate=8000") => MediaFormat::PCMU_8000,
        Some("audio/x-l16;rate=8000") => MediaFormat::L16_8000,
        Some("audio/x-l16;rate=16000") => MediaFormat::L16_16000,
        // Two pages have two defaults.
        other => return Err(invalid(format!("Stream: contentType {other:?}"))),
    };
    let extra = node.attribute("extraHeaders").unwrap_or_default();
    if extra.len() > EXTRA_HEADERS_LEN_MAX {
        return Err(invalid("Stream: extraHeaders is too long"));
    }
    Ok(Stream {
        url: text(node)?.trim().to_owned(),
        status_callback: node.attribute("statusCallbackUrl").map(str::to_owned),
        format,
        attributes: vec![("extraHeaders".to_owned(), extra.to_owned())],
        ..Stream::default()
    })
}

fn dial(node: Node<'_, '_>) -> Result<Dial, Problem> {
    only(node, &DIAL)?;
    let [noun] = elements(node)?[..] else {
        return Err(invalid("Dial: expected one Number or User"));
    };
    if !["Number", "User"].contains(&noun.tag_name().name()) {
        return Err(invalid("Dial: expected one Number or User"));
    }
    only(noun, &["sendDigits", "sendDigitsMode", "sendOnPreanswer", "sipHeaders"])?;
    let callee = text(noun)?.trim().to_owned();
    let callee = match callee.strip_prefix("sip:") {
        Some(_) => callee,
        // With its plus or without.
        None => format!("+{}", super::digits(&callee)),
    };
    // Without `redirect`, what the URL answers is not played.
    let is_followed = node.attribute("redirect").is_none_or(|value| value == "true");
    let action = node.attribute("action").filter(|_| is_followed).map(Step::to);
    Ok(Dial { callee, action })
}

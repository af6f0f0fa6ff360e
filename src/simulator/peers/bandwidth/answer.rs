//! Reads BXML as strictly as Bandwidth does (Bandwidth docs, voice/bxml): what is no element of its
//! own ends the call (`invalid-bxml`).

use std::time::Duration;

use base64_simd::STANDARD;
use roxmltree::Node;

use crate::{
    domain::MediaFormat,
    simulator::{
        peers::xml::{document, elements, only, text},
        verb::{Dial, Problem, Step, Stream, Verb},
    },
};

/// Elements that are Bandwidth's, and not simulated.
const PASSED_OVER: [&str; 14] = [
    "Bridge",
    "Conference",
    "Connect",
    "Gather",
    "PlayAudio",
    "Record",
    "Ring",
    "SendDtmf",
    "StartGather",
    "StartRecording",
    "StartTranscription",
    "StopGather",
    "StopRecording",
    "Tag",
];

/// What `<StartStream>` may say.
const START_STREAM: [&str; 10] = [
    "name",
    "mode",
    "tracks",
    "destination",
    "destinationUsername",
    "destinationPassword",
    "streamEventUrl",
    "streamEventMethod",
    "username",
    "password",
];

/// What `<Transfer>` may say.
const TRANSFER: [&str; 13] = [
    "transferCallerId",
    "callTimeout",
    "transferCompleteUrl",
    "transferCompleteMethod",
    "transferCompleteFallbackUrl",
    "transferCompleteFallbackMethod",
    "username",
    "password",
    "fallbackUsername",
    "fallbackPassword",
    "tag",
    "diversionTreatment",
    "diversionReason",
];

/// What `<Redirect>` may say.
const REDIRECT: [&str; 9] = [
    "redirectUrl",
    "redirectMethod",
    "redirectFallbackUrl",
    "redirectFallbackMethod",
    "username",
    "password",
    "fallbackUsername",
    "fallbackPassword",
    "tag",
];

/// A stream takes so many parameters.
const PARAMETERS_MAX: usize = 12;

/// An element as it stands there.
enum Element {
    Verb(Verb),
    /// A stream begins, and nothing waits for it.
    Start(Stream),
    /// The stream of that name is to end, or to be waited for.
    Stop {
        name: String,
        waits: bool,
    },
}

/// A document of Bandwidth's.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
    let elements = document(content_type, body, element)?;
    let mut verbs = Vec::with_capacity(elements.len());
    let mut begun: Option<Stream> = None;
    let last = elements.len().saturating_sub(1);
    for (place, element) in elements.into_iter().enumerate() {
        match (element, begun.take()) {
            (Element::Start(stream), None) => begun = Some(stream),
            (Element::Stop { name, waits: true }, Some(stream))
                if stream.attribute("name") == Some(&name) =>
            {
                verbs.push(Verb::Connect(stream));
            }
            // The document would go on, and the stream end with the next verb but one.
            (_, Some(_)) => return Err(invalid("a stream that nothing waits for")),
            (Element::Stop { .. }, None) => return Err(invalid("no stream to stop")),
            (Element::Verb(Verb::Redirect(_)), None) if place != last => {
                return Err(invalid("Redirect: is not the last"));
            }
            // Before anybody has answered, it rejects.
            (Element::Verb(Verb::HangUp), None) if place == 0 => {
                verbs.push(Verb::Reject { is_busy: false });
            }
            (Element::Verb(verb), None) => verbs.push(verb),
        }
    }
    if begun.is_some() {
        return Err(invalid("a stream that nothing waits for"));
    }
    Ok(verbs)
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::schema(what)
}

fn element(node: Node<'_, '_>) -> Result<Element, Problem> {
    let name = node.tag_name().name();
    Ok(Element::Verb(match name {
        "StartStream" => return stream(node).map(Element::Start),
        "StopStream" => {
            only(node, &["name", "wait"])?;
            let name = node.attribute("name").ok_or_else(|| invalid("StopStream: no name"))?;
            let waits = node.attribute("wait") == Some("true");
            return Ok(Element::Stop { name: name.to_owned(), waits });
        }
        "SpeakSentence" => {
            only(node, &["voice", "locale", "gender"])?;
            Verb::Say(text(node)?)
        }
        "Pause" => {
            only(node, &["duration"])?;
            let seconds: f64 = node.attribute("duration").unwrap_or("1").parse().unwrap_or(-1.0);
            if !(0.1..=86_400.0).contains(&seconds) {
                return Err(invalid("Pause: duration"));
            }
            Verb::Pause(Duration::from_secs_f64(seconds))
        }
        "Transfer" => Verb::Dial(transfer(node)?),
        "Redirect" => {
            only(node, &REDIRECT)?;
            let url = node.attribute("redirectUrl").ok_or_else(|| invalid("Redirect: no URL"))?;
            Verb::Redirect(Step::to(url))
        }
        "Hangup" => {
            only(node, &[])?;
            Verb::HangUp
        }
        _ if PASSED_OVER.contains(&name) => Verb::Other(name.to_owned()),
        _ => return Err(invalid(format!("{name} is no element"))),
    }))
}

fn stream(node: Node<'_, '_>) -> Result<Stream, Problem> {
    only(node, &START_STREAM)?;
    let is = |name: &str, value: &str| node.attribute(name) == Some(value);
    if !is("mode", "bidirectional") || !is("tracks", "inbound") {
        return Err(invalid("StartStream: not simulated unless bidirectional and inbound"));
    }
    let text = |name: &str| node.attribute(name).map(str::to_owned);
    let destination = text("destination").ok_or_else(|| invalid("StartStream: no destination"))?;
    let status_callback = text("streamEventUrl");
    if status_callback.is_some() && node.attribute("username").is_none() {
        return Err(invalid("StartStream: its events would come without a user"));
    }
    let mut parameters = Vec::new();
    for parameter in elements(node)? {
        only(parameter, &["name", "value"])?;
        let attribute = |name: &str| parameter.attribute(name).unwrap_or_default().to_owned();
        parameters.push((attribute("name"), attribute("value")));
    }
    if parameters.len() > PARAMETERS_MAX {
        return Err(invalid("StartStream: too many parameters"));
    }
    let shown = match (node.attribute("destinationUsername"), node.attribute("destinationPassword"))
    {
        (Some(user), Some(password)) => {
            let shown = STANDARD.encode_to_string(format!("{user}:{password}"));
            vec![("authorization".to_owned(), format!("Basic {shown}"))]
        }
        _ => Vec::new(),
    };
    Ok(Stream {
        url: destination,
        status_callback,
        parameters,
        headers: shown,
        // What comes; what is played says itself what it is.
        format: MediaFormat::PCMU_8000,
        attributes: vec![("name".to_owned(), text("name").unwrap_or_default())],
    })
}

fn transfer(node: Node<'_, '_>) -> Result<Dial, Problem> {
    only(node, &TRANSFER)?;
    let [noun] = elements(node)?[..] else {
        return Err(invalid("Transfer: one PhoneNumber or SipUri is simulated"));
    };
    if !["PhoneNumber", "SipUri"].contains(&noun.tag_name().name()) {
        return Err(invalid("Transfer: expected a PhoneNumber or SipUri"));
    }
    let url = node.attribute("transferCompleteUrl");
    if url.is_some() && node.attribute("username").is_none() {
        return Err(invalid("Transfer: what follows would be asked for without a user"));
    }
    Ok(Dial { callee: text(noun)?.trim().to_owned(), action: url.map(Step::to) })
}

//! Reads TwiML as strictly as Twilio does, so that a document it would refuse is refused here; and
//! what other carriers made of it.
//!
//! The errors are Twilio's own codes. It reads what Switchback writes; the verbs of other
//! applications are known by name and passed over.

use std::time::Duration;

use roxmltree::Node;

use super::xml::{document, elements, only, text};
use crate::simulator::verb::{Dial, Problem, Step, Stream, Verb};

/// Verbs that are Twilio's, and not simulated.
const PASSED_OVER: [&str; 11] = [
    "Play", "Gather", "Record", "Start", "Stop", "Enqueue", "Leave", "Queue", "Refer", "Pay",
    "Prompt",
];

/// What every `<Stream>` may say.
const STREAM: [&str; 5] = ["url", "name", "track", "statusCallback", "statusCallbackMethod"];

/// Reads a document; `stream` are the attributes that the carrier's `<Stream>` has besides
/// Twilio's.
///
/// # Errors
/// What the carrier would refuse it for.
pub(super) fn parse(
    content_type: &str,
    body: &[u8],
    stream: &[&str],
) -> Result<Vec<Verb>, Problem> {
    document(content_type, body, |node| verb(node, stream))
}

fn verb(node: Node<'_, '_>, known: &[&str]) -> Result<Verb, Problem> {
    let name = node.tag_name().name();
    match name {
        "Say" => {
            only(node, &["voice", "language", "loop"])?;
            Ok(Verb::Say(text(node)?))
        }
        "Pause" => {
            only(node, &["length"])?;
            let seconds = node.attribute("length").unwrap_or("1").parse();
            let seconds = seconds.map_err(|_| Problem::schema("Pause: length is no number"))?;
            Ok(Verb::Pause(Duration::from_secs(seconds)))
        }
        "Connect" => connect(node, known),
        "Dial" => dial(node),
        "Redirect" => {
            only(node, &["method"])?;
            Ok(Verb::Redirect(Step::to(text(node)?.trim())))
        }
        "Reject" => {
            only(node, &["reason"])?;
            match node.attribute("reason") {
                None | Some("rejected") => Ok(Verb::Reject { is_busy: false }),
                Some("busy") => Ok(Verb::Reject { is_busy: true }),
                Some(reason) => Err(Problem::schema(format!("Reject: reason {reason:?}"))),
            }
        }
        "Hangup" => {
            only(node, &[])?;
            Ok(Verb::HangUp)
        }
        _ if PASSED_OVER.contains(&name) => Ok(Verb::Other(name.to_owned())),
        _ => Err(Problem::schema(format!("{name} is no verb"))),
    }
}

fn connect(node: Node<'_, '_>, known: &[&str]) -> Result<Verb, Problem> {
    only(node, &["action", "method"])?;
    let [stream] = elements(node)?[..] else {
        return Err(Problem::schema("Connect: expected one noun"));
    };
    if stream.tag_name().name() != "Stream" {
        return Ok(Verb::Other(format!("Connect {}", stream.tag_name().name())));
    }
    only(stream, &[&STREAM[..], known].concat())?;
    if stream.attribute("track").is_some_and(|track| track != "inbound_track") {
        return Err(Problem::new(31_941, "Stream: track may only be inbound_track"));
    }
    let url = stream.attribute("url").ok_or(Problem::schema("Stream: no url"))?;
    let mut parameters = Vec::new();
    for parameter in elements(stream)? {
        if parameter.tag_name().name() != "Parameter" {
            return Err(Problem::schema("Stream: holds only Parameter"));
        }
        only(parameter, &["name", "value"])?;
        let (Some(name), Some(value)) = (parameter.attribute("name"), parameter.attribute("value"))
        else {
            return Err(Problem::schema("Parameter: no name or no value"));
        };
        if name.chars().count() + value.chars().count() >= 500 {
            return Err(Problem::schema("Parameter: 500 characters or more"));
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(Verb::Connect(Stream {
        url: url.split('?').next().unwrap_or_default().to_owned(),
        status_callback: stream.attribute("statusCallback").map(str::to_owned),
        parameters,
        attributes: stream
            .attributes()
            .filter(|attribute| known.contains(&attribute.name()))
            .map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned()))
            .collect(),
        ..Stream::default()
    }))
}

fn dial(node: Node<'_, '_>) -> Result<Verb, Problem> {
    const ATTRIBUTES: [&str; 7] =
        ["action", "method", "timeout", "callerId", "timeLimit", "answerOnBridge", "record"];
    only(node, &ATTRIBUTES)?;
    let action = node.attribute("action").map(Step::to);
    let callee = match elements(node)?[..] {
        [] => text(node)?,
        [noun] if ["Number", "Sip"].contains(&noun.tag_name().name()) => {
            only(noun, &["url", "method", "statusCallback", "statusCallbackEvent"])?;
            text(noun)?
        }
        _ => return Err(Problem::schema("Dial: expected one Number or Sip")),
    };
    Ok(Verb::Dial(Dial { callee: callee.trim().to_owned(), action }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(content_type: &str, body: &str, code: u32) {
        let problem = parse(content_type, body.as_bytes(), &[]).unwrap_err();
        assert_eq!(problem.code, code, "{body}: {problem}");
    }

    #[test]
    fn what_twilio_refuses_is_refused() {
        let xml = "text/xml; charset=utf-8";
        refused("text/plain", "<Response/>", 12_300);
        refused("", "<Response/>", 12_300);
        refused(xml, "", 12_100);
        refused(xml, "<Response>", 12_100);
        refused(xml, "<response/>", 12_200);
        refused(xml, "<Response>hello<Hangup/></Response>", 12_200);
        refused(xml, "<Response><say>x</say></Response>", 12_200);
        refused(xml, "<Response><Hangup when=\"now\"/></Response>", 12_200);
        refused(xml, "<Response><Reject reason=\"tired\"/></Response>", 12_200);
        refused(xml, "<Response><Connect/></Response>", 12_200);
        refused(xml, "<Response><Connect><Stream/></Connect></Response>", 12_200);
        let both = "<Response><Connect><Stream url=\"wss://h/\" track=\"both_tracks\"/></Connect></Response>";
        refused(xml, both, 31_941);
        refused(xml, &format!("<Response>{}</Response>", " ".repeat(70_000)), 11_750);
    }

    #[test]
    fn others_verbs_are_passed_over_and_queries_dropped() {
        let body = "<Response><Play>a.mp3</Play><Connect><Stream url=\"wss://h/a?b=c\"/></Connect>\
                    <Pause length=\"2\"/><Dial>+14155550117</Dial></Response>";
        let verbs = parse("application/xml", body.as_bytes(), &[]).unwrap();
        let stream = Stream { url: "wss://h/a".to_owned(), ..Stream::default() };
        let dial = Dial { callee: "+14155550117".to_owned(), action: None };
        let expected = [
            Verb::Other("Play".to_owned()),
            Verb::Connect(stream),
            Verb::Pause(Duration::from_secs(2)),
            Verb::Dial(dial),
        ];
        assert_eq!(verbs, expected);
    }
}

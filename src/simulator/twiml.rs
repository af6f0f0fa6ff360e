//! Reads TwiML as strictly as Twilio does, so that a document it would refuse is refused here.
//!
//! The errors are Twilio's own codes. It reads what Switchback writes; the verbs of other
//! applications are known by name and passed over.

use std::{fmt, time::Duration};

use roxmltree::{Document, Node};

/// A longer document is refused.
const DOCUMENT_LEN_MAX: usize = 64 * 1024;

/// Verbs that are Twilio's, and not simulated.
const PASSED_OVER: [&str; 11] = [
    "Play", "Gather", "Record", "Start", "Stop", "Enqueue", "Leave", "Queue", "Refer", "Pay",
    "Prompt",
];

/// What a document asks for, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Speak.
    Say(String),
    /// Wait.
    Pause(Duration),
    /// Join the call to a media socket.
    Connect(Stream),
    /// Dial on.
    Dial(Dial),
    /// Ask this URL what follows.
    Redirect(String),
    /// Refuse, before anybody has answered.
    Reject {
        /// With a busy tone.
        is_busy: bool,
    },
    /// End the call.
    HangUp,
    /// A verb that is not simulated.
    Other(String),
}

/// A media socket to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Where. Twilio drops a query, and so does this.
    pub url: String,
    /// Told when it starts, stops or fails.
    pub status_callback: Option<String>,
    /// Given to `start`.
    pub parameters: Vec<(String, String)>,
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// A number, or an address with its `sip:`.
    pub callee: String,
    /// Asked what follows; without it, the next verb does.
    pub action: Option<String>,
}

/// What Twilio would report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Twilio's error code.
    pub code: u32,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    /// A problem.
    pub(super) fn new(code: u32, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }

    fn schema(what: impl Into<String>) -> Self {
        Self::new(12_200, what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

/// Reads a document.
///
/// # Errors
/// What Twilio would refuse it for.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !["text/xml", "application/xml"].contains(&essence) {
        return Err(Problem::new(12_300, format!("content type {content_type:?}")));
    }
    if body.len() > DOCUMENT_LEN_MAX {
        return Err(Problem::new(11_750, "the document is longer than 64 kB"));
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::new(12_100, "is not UTF-8"))?;
    let document =
        Document::parse(text).map_err(|error| Problem::new(12_100, error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(Problem::schema("the root is no Response"));
    }
    elements(root)?.into_iter().map(verb).collect()
}

fn verb(node: Node<'_, '_>) -> Result<Verb, Problem> {
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
        "Connect" => connect(node),
        "Dial" => dial(node),
        "Redirect" => {
            only(node, &["method"])?;
            Ok(Verb::Redirect(text(node)?.trim().to_owned()))
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

fn connect(node: Node<'_, '_>) -> Result<Verb, Problem> {
    only(node, &["action", "method"])?;
    let [stream] = elements(node)?[..] else {
        return Err(Problem::schema("Connect: expected one noun"));
    };
    if stream.tag_name().name() != "Stream" {
        return Ok(Verb::Other(format!("Connect {}", stream.tag_name().name())));
    }
    only(stream, &["url", "name", "track", "statusCallback", "statusCallbackMethod"])?;
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
    }))
}

fn dial(node: Node<'_, '_>) -> Result<Verb, Problem> {
    const ATTRIBUTES: [&str; 7] =
        ["action", "method", "timeout", "callerId", "timeLimit", "answerOnBridge", "record"];
    only(node, &ATTRIBUTES)?;
    let action = node.attribute("action").map(str::to_owned);
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

/// The elements in it; any other text is an error.
fn elements<'a, 'i>(node: Node<'a, 'i>) -> Result<Vec<Node<'a, 'i>>, Problem> {
    let found: Vec<_> = node.children().filter(Node::is_element).collect();
    let stray = node.children().filter_map(|child| child.text().filter(|_| child.is_text()));
    if !found.is_empty() && stray.map(str::trim).any(|text| !text.is_empty()) {
        return Err(Problem::schema(format!("{}: stray text", node.tag_name().name())));
    }
    Ok(found)
}

fn text(node: Node<'_, '_>) -> Result<String, Problem> {
    if node.children().any(|child| child.is_element()) {
        return Err(Problem::schema(format!("{}: holds elements", node.tag_name().name())));
    }
    Ok(node.children().filter_map(|child| child.text()).collect())
}

fn only(node: Node<'_, '_>, known: &[&str]) -> Result<(), Problem> {
    match node.attributes().find(|attribute| !known.contains(&attribute.name())) {
        None => Ok(()),
        Some(attribute) => {
            let name = node.tag_name().name();
            Err(Problem::schema(format!("{name}: no attribute {}", attribute.name())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        carriers::{self, Answer, CarrierId, Leg, Reply},
        domain::{Account, AccountApi, AccountId, AccountOrigin, Direction, E164, MediaFormat},
    };

    fn account() -> Account {
        Account {
            id: AccountId::of_name("main"),
            name: "main".to_owned(),
            carrier: CarrierId::Twilio,
            tenant: None,
            account_id: "AC0123".to_owned(),
            application_id: String::new(),
            secrets: Vec::new(),
            shared_keys: Vec::new(),
            api: AccountApi::default(),
            origin: AccountOrigin::File,
        }
    }

    #[track_caller]
    fn check(answer: &Answer<'_>, expected: &[Verb]) {
        let room = carriers::room(CarrierId::Twilio);
        let account = account();
        let leg = Leg {
            account: &account,
            carrier_call_id: "CA0123",
            event_id: None,
            direction: Direction::Inbound,
            is_answered: false,
        };
        let mut body = Vec::new();
        let Reply::Document(content_type) = room.answer(answer, &leg, &mut body) else {
            panic!("no document")
        };
        assert_eq!(parse(content_type, &body).as_deref(), Ok(expected));
    }

    #[test]
    fn what_the_room_writes_is_read() {
        let resume_url = "https://edge.example.com/carriers/main/resume?call=1&attempt=0";
        let action = Some(resume_url.to_owned());
        check(
            &Answer::Media {
                url: "wss://edge.example.com/media/7f3a",
                status_url: "https://edge.example.com/status",
                resume_url,
                format: MediaFormat::PCMU_8000,
                parameters: &[("note", "ñ & <ok>")],
            },
            &[
                Verb::Connect(Stream {
                    url: "wss://edge.example.com/media/7f3a".to_owned(),
                    status_callback: Some("https://edge.example.com/status".to_owned()),
                    parameters: vec![("note".to_owned(), "ñ & <ok>".to_owned())],
                }),
                Verb::Redirect(resume_url.to_owned()),
            ],
        );
        let number = E164::parse("+14155550117").unwrap();
        check(
            &Answer::DialNumber { number, resume_url },
            &[Verb::Dial(Dial { callee: "+14155550117".to_owned(), action: action.clone() })],
        );
        check(
            &Answer::DialSip { address: "desk@pbx.example.com?X-A=1&X-B=2", resume_url },
            &[Verb::Dial(Dial {
                callee: "sip:desk@pbx.example.com?X-A=1&X-B=2".to_owned(),
                action,
            })],
        );
        check(
            &Answer::Say { text: "a < b", resume_url },
            &[Verb::Say("a < b".to_owned()), Verb::HangUp],
        );
        check(&Answer::Busy, &[Verb::Reject { is_busy: true }]);
        check(&Answer::Reject, &[Verb::Reject { is_busy: false }]);
        check(&Answer::HangUp, &[Verb::HangUp]);
    }

    #[track_caller]
    fn refused(content_type: &str, body: &str, code: u32) {
        let problem = parse(content_type, body.as_bytes()).unwrap_err();
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
        let verbs = parse("application/xml", body.as_bytes()).unwrap();
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

//! Writes TwiML (Twilio docs, voice/twiml), which other carriers take as well. A document never
//! holds a text that could end the call by being too long: what does not fit is cut or left out as
//! the limits below say.

use std::fmt::Write;

use smallvec::SmallVec;

use crate::{
    carriers::{
        Answer,
        shared::{
            speech,
            xml::{Attributes, Xml},
        },
    },
    domain::Target,
};

/// Twilio refuses longer documents (error 11750).
const DOCUMENT_LEN_MAX: usize = 64 * 1024;

/// Kept free for what follows the parameters: the resume URL, every byte of it escaped.
const TAIL_LEN_MAX: usize = 16 * 1024;

/// Name and value of a `<Parameter>` together must have fewer than 500 characters. A longer one is
/// left out: half a token or half a JSON text is a lie, and the runtime gets the whole from us.
const PARAMETER_CHARS_MAX: usize = 499;

/// `<Say>` speaks at most this; the rest is cut off, for speech cut short is still speech.
const SAY_CHARS_MAX: usize = 4096;

/// Whether TwiML can do it: everything that a target can be.
#[must_use]
pub const fn can(target: &Target) -> bool {
    match target {
        Target::Runtime(_)
        | Target::Builtin(_)
        | Target::Agent(_)
        | Target::Tel(_)
        | Target::Sip(_)
        | Target::Redirect(_)
        | Target::Say(_)
        | Target::Busy
        | Target::Reject => true,
    }
}

/// Writes the document in place of what `out` holds; `stream` are the attributes that a carrier's
/// `<Stream>` has besides Twilio's.
pub fn write(answer: &Answer<'_>, stream: &Attributes<'_>, out: &mut Vec<u8>) {
    Xml::document(out).element("Response", &[], |xml| match *answer {
        Answer::Media { url, status_url, resume_url, parameters, format: _ } => {
            let own = [("url", url), ("statusCallback", status_url)];
            let attributes: SmallVec<[_; 8]> =
                own.into_iter().chain(stream.iter().copied()).collect();
            connect(xml, &attributes, parameters);
            redirect(xml, resume_url);
        }
        Answer::DialNumber { number, resume_url } => dial(xml, resume_url, |xml| {
            xml.element("Number", &[], |xml| {
                let _infallible = write!(xml, "{number}");
            });
        }),
        Answer::DialSip { address, resume_url } => dial(xml, resume_url, |xml| {
            xml.element("Sip", &[], |xml| {
                xml.text("sip:");
                xml.text(address);
            });
        }),
        // Whatever is said picks up.
        Answer::PickUp { resume_url: url } | Answer::Redirect { url } => redirect(xml, url),
        Answer::Say { text, resume_url: _ } => {
            xml.text_element("Say", &[], speech::cut(text, SAY_CHARS_MAX));
            xml.empty("Hangup", &[]);
        }
        Answer::Busy => xml.empty("Reject", &[("reason", "busy")]),
        Answer::Reject => xml.empty("Reject", &[]),
        Answer::HangUp => xml.empty("Hangup", &[]),
    });
}

fn connect(xml: &mut Xml<'_>, attributes: &Attributes<'_>, parameters: &[(&str, &str)]) {
    xml.element("Connect", &[], |xml| {
        xml.element("Stream", attributes, |xml| {
            for (name, value) in parameters {
                if name.chars().count() + value.chars().count() > PARAMETER_CHARS_MAX {
                    continue;
                }
                let written = xml.written();
                xml.empty("Parameter", &[("name", name), ("value", value)]);
                if xml.written() > DOCUMENT_LEN_MAX - TAIL_LEN_MAX {
                    xml.take_back(written);
                    break;
                }
            }
        });
    });
}

/// `answerOnBridge`: the caller hears ringing, and is not billed, until the callee answers.
fn dial(xml: &mut Xml<'_>, resume_url: &str, noun: impl FnOnce(&mut Xml<'_>)) {
    xml.element("Dial", &[("action", resume_url), ("answerOnBridge", "true")], noun);
}

fn redirect(xml: &mut Xml<'_>, url: &str) {
    xml.text_element("Redirect", &[("method", "POST")], url);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roxmltree::{Document, Node};

    use super::*;
    use crate::domain::{E164, MediaFormat};

    fn written(answer: &Answer<'_>) -> String {
        let mut out = b"what was there before".to_vec();
        write(answer, &[], &mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(answer: &Answer<'_>, response: &str) {
        let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        assert_eq!(written(answer), format!("{declaration}<Response>{response}</Response>"));
    }

    #[test]
    fn every_answer_has_its_document() {
        let number = E164::parse("+14155550117").unwrap();
        let resume_url = "https://edge.example.com/carriers/main/resume?call=1&attempt=0";
        check(
            &Answer::Media {
                url: "wss://edge.example.com/media/7f3a",
                status_url: "https://edge.example.com/carriers/main/status",
                resume_url,
                format: MediaFormat::PCMU_8000,
                parameters: &[("call_id", "1"), ("note", "ñ & <ok>")],
            },
            concat!(
                r#"<Connect><Stream url="wss://edge.example.com/media/7f3a""#,
                r#" statusCallback="https://edge.example.com/carriers/main/status">"#,
                r#"<Parameter name="call_id" value="1"/>"#,
                r#"<Parameter name="note" value="ñ &amp; &lt;ok&gt;"/>"#,
                r#"</Stream></Connect><Redirect method="POST">"#,
                "https://edge.example.com/carriers/main/resume?call=1&amp;attempt=0</Redirect>",
            ),
        );
        let dial = concat!(
            r#"<Dial action="https://edge.example.com/carriers/main/resume?call=1&amp;attempt=0""#,
            r#" answerOnBridge="true">"#,
        );
        check(
            &Answer::DialNumber { number, resume_url },
            &format!("{dial}<Number>+14155550117</Number></Dial>"),
        );
        check(
            &Answer::DialSip { address: "desk@pbx.example.com?X-A=1&X-B=2", resume_url },
            &format!("{dial}<Sip>sip:desk@pbx.example.com?X-A=1&amp;X-B=2</Sip></Dial>"),
        );
        check(
            &Answer::Redirect { url: "https://example.com/voice" },
            r#"<Redirect method="POST">https://example.com/voice</Redirect>"#,
        );
        check(&Answer::Say { text: "Sorry.", resume_url }, "<Say>Sorry.</Say><Hangup/>");
        check(&Answer::Busy, r#"<Reject reason="busy"/>"#);
        check(&Answer::Reject, "<Reject/>");
        check(&Answer::HangUp, "<Hangup/>");
    }

    fn media<'a>(text: &'a str, parameters: &'a [(&'a str, &'a str)]) -> Answer<'a> {
        Answer::Media {
            url: text,
            status_url: text,
            resume_url: text,
            format: MediaFormat::PCMU_8000,
            parameters,
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_or_cut() {
        let (fits, exceeds) = ("ä".repeat(498), "ä".repeat(499));
        let document = written(&media("u", &[("a", &fits), ("b", &exceeds), ("c", "1")]));
        let names: Vec<_> = document.matches("name=\"a\"").collect();
        assert!(names.len() == 1 && !document.contains("name=\"b\""));
        assert!(document.contains("name=\"c\""), "those behind it stay");

        let quotes = "\"".repeat(498);
        let many: Vec<_> = std::iter::repeat_n(("q", quotes.as_str()), 60).collect();
        let long_url = "&".repeat(1500);
        let document = written(&media(&long_url, &many));
        assert!(document.len() < DOCUMENT_LEN_MAX, "{}", document.len());
        assert!(document.len() > DOCUMENT_LEN_MAX / 2);
        Document::parse(&document).unwrap();

        let text = "ü".repeat(5000);
        let document = written(&Answer::Say { text: &text, resume_url: "" });
        assert_eq!(document.matches('ü').count(), 4096);
    }

    /// A text as XML 1.0 can hold it.
    fn held(text: &str) -> String {
        let is_held = |c: &char| {
            !matches!(c, '\u{fffe}' | '\u{ffff}') && (*c >= ' ' || matches!(c, '\t' | '\n' | '\r'))
        };
        text.chars().filter(is_held).collect()
    }

    /// An element: its name, its attributes, its text.
    type Element = (String, Vec<(String, String)>, String);

    /// Its elements in the order they begin.
    fn outline(document: &str) -> Vec<Element> {
        let document = Document::parse(document).unwrap();
        let elements = document.descendants().filter(Node::is_element);
        elements
            .map(|node| {
                let attributes = node.attributes();
                let attributes = attributes.map(|a| (a.name().to_owned(), a.value().to_owned()));
                let text = node.children().filter(Node::is_text).filter_map(|t| t.text());
                (node.tag_name().name().to_owned(), attributes.collect(), text.collect())
            })
            .collect()
    }

    fn element(name: &str, attributes: &[(&str, &str)], text: &str) -> Element {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), held(value)));
        (name.to_owned(), attributes.collect(), held(text))
    }

    /// Any text at all, and the kind that would break out.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            concat!(
                r#"([<>&"' \t\r\n\x00-\x1f\x{fffe}\x{ffff}]|</Say>|<Hangup/>|]]>|<!--|&lt;|"#,
                r#"&#0;|<!\[CDATA\[|"/>){0,12}"#,
            ),
        ]
    }

    proptest! {
        #[test]
        fn nothing_can_be_injected(
            a in text(), b in text(), c in text(), name in text(), value in text(),
        ) {
            let response = element("Response", &[], "");
            let parameters = [(&*name, &*value)];
            let (url, status_url, resume_url) = (&*a, &*b, &*c);
            let answer = Answer::Media { url, status_url, resume_url, format: MediaFormat::PCMU_8000, parameters: &parameters };
            prop_assert_eq!(outline(&written(&answer)), [
                response.clone(),
                element("Connect", &[], ""),
                element("Stream", &[("url", &a), ("statusCallback", &b)], ""),
                element("Parameter", &[("name", &name), ("value", &value)], ""),
                element("Redirect", &[("method", "POST")], &c),
            ]);
            let answer = Answer::DialSip { address: &a, resume_url: &b };
            prop_assert_eq!(outline(&written(&answer)), [
                response.clone(),
                element("Dial", &[("action", &b), ("answerOnBridge", "true")], ""),
                element("Sip", &[], &format!("sip:{a}")),
            ]);
            let redirect = element("Redirect", &[("method", "POST")], &a);
            prop_assert_eq!(
                outline(&written(&Answer::Redirect { url: &a })),
                [response.clone(), redirect]
            );
            prop_assert_eq!(
                outline(&written(&Answer::Say { text: &a, resume_url: "" })),
                [response, element("Say", &[], &a), element("Hangup", &[], "")]
            );
        }
    }
}

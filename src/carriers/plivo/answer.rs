//! Writes Plivo's documents (Plivo docs, voice/xml). Where two of its pages disagree about a
//! default, the attribute is written out.

use std::fmt::Write;

use super::media;
use crate::{
    carriers::{
        Answer,
        shared::{speech, xml::Xml},
    },
    domain::{MediaFormat, Target},
};

/// `<Speak>` takes 3000 characters with the voices that have a limit; the rest is cut off, for
/// speech cut short is still speech.
const SPEAK_CHARS_MAX: usize = 3000;

/// `extraHeaders` takes so many bytes.
const EXTRA_HEADERS_LEN_MAX: usize = 512;

/// A day: the longest a stream lasts, and the default.
const STREAM_TIMEOUT_SECONDS: &str = "86400";

/// Whether a document can do it: everything that a target can be.
pub(super) const fn can(target: &Target) -> bool {
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

/// Writes the document in place of what `out` holds.
pub(super) fn write(answer: &Answer<'_>, out: &mut Vec<u8>) {
    Xml::document(out).element("Response", &[], |xml| match *answer {
        Answer::Media { url, status_url, resume_url, format, parameters } => {
            stream(xml, url, status_url, format, parameters);
            redirect(xml, resume_url);
        }
        Answer::DialNumber { number, resume_url } => dial(xml, resume_url, |xml| {
            xml.element("Number", &[], |xml| {
                let _infallible = write!(xml, "{number}");
            });
        }),
        Answer::DialSip { address, resume_url } => dial(xml, resume_url, |xml| {
            xml.element("User", &[], |xml| {
                xml.text("sip:");
                xml.text(address);
            });
        }),
        // Whatever is said picks up.
        Answer::PickUp { resume_url: url } | Answer::Redirect { url } => redirect(xml, url),
        Answer::Say { text, resume_url: _ } => {
            xml.text_element("Speak", &[], speech::cut(text, SPEAK_CHARS_MAX));
            xml.empty("Hangup", &[]);
        }
        Answer::Busy => xml.empty("Hangup", &[("reason", "busy")]),
        Answer::Reject => xml.empty("Hangup", &[("reason", "rejected")]),
        Answer::HangUp => xml.empty("Hangup", &[]),
    });
}

/// `keepCallAlive` holds back what stands behind it until the stream ends.
fn stream(
    xml: &mut Xml<'_>,
    url: &str,
    status_url: &str,
    format: MediaFormat,
    parameters: &[(&str, &str)],
) {
    let content_type = media::content_type(format);
    let extra = parameters.iter().find_map(extra_header);
    let mut attributes = vec![
        ("bidirectional", "true"),
        ("audioTrack", "inbound"),
        ("contentType", content_type.as_str()),
        ("keepCallAlive", "true"),
        ("streamTimeout", STREAM_TIMEOUT_SECONDS),
        ("statusCallbackUrl", status_url),
        ("statusCallbackMethod", "POST"),
    ];
    if let Some(extra) = &extra {
        attributes.push(("extraHeaders", extra));
    }
    xml.text_element("Stream", &attributes, url);
}

/// One pair of letters and digits: two pages of Plivo's disagree how several are separated, and
/// what else they may hold.
fn extra_header((name, value): &(&str, &str)) -> Option<String> {
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let fits = name.len() + value.len() < EXTRA_HEADERS_LEN_MAX;
    (fits && is_plain(name) && is_plain(value)).then(|| format!("{name}={value}"))
}

fn dial(xml: &mut Xml<'_>, resume_url: &str, noun: impl FnOnce(&mut Xml<'_>)) {
    let attributes = [("action", resume_url), ("method", "POST"), ("redirect", "true")];
    xml.element("Dial", &attributes, noun);
}

fn redirect(xml: &mut Xml<'_>, url: &str) {
    xml.text_element("Redirect", &[("method", "POST")], url);
}

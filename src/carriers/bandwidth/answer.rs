//! Writes BXML (Bandwidth docs, voice/bxml). User and password stand at every URL of ours: none
//! carries over to the next, and nobody else's URL has them.

use std::fmt::Write;

use uuid::Uuid;

use super::{signature, webhook::FALLBACK};
use crate::{
    carriers::{
        Answer,
        shared::{
            speech,
            xml::{Attributes, Xml},
        },
    },
    domain::{Account, Target},
};

/// A document has 64 KB at most, and a character up to six bytes when it is escaped.
const SPEAK_CHARS_MAX: usize = 4096;

/// A stream takes so many parameters, of so many characters each.
const PARAMETERS_MAX: usize = 12;
const PARAMETER_NAME_CHARS_MAX: usize = 256;
const PARAMETER_VALUE_CHARS_MAX: usize = 2048;

/// Whether a document can do it: everything that a target can be. Who is to hear that we are busy
/// is rejected, since there is no way to say more.
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
pub(super) fn write(answer: &Answer<'_>, account: &Account, out: &mut Vec<u8>) {
    let own = account.secrets.first().map(signature::own).unwrap_or_default();
    Xml::document(out).element("Response", &[], |xml| match *answer {
        Answer::Media { url, status_url, resume_url, parameters, .. } => {
            // The socket says nothing of keys.
            let (user, password) = own;
            let attributes: &Attributes<'_> = &[
                ("dtmfUrl", status_url),
                ("dtmfMethod", "POST"),
                ("username", user),
                ("password", password),
            ];
            xml.empty("StartGather", attributes);
            stream(xml, own, url, resume_url, parameters);
            redirect(xml, own, resume_url);
        }
        Answer::DialNumber { number, resume_url } => transfer(xml, own, resume_url, |xml| {
            xml.element("PhoneNumber", &[], |xml| {
                let _infallible = write!(xml, "{number}");
            });
        }),
        Answer::DialSip { address, resume_url } => transfer(xml, own, resume_url, |xml| {
            xml.element("SipUri", &[], |xml| {
                xml.text("sip:");
                xml.text(address);
            });
        }),
        // Somebody else's, who is not to learn our password.
        Answer::Redirect { url } => {
            xml.empty("Redirect", &[("redirectUrl", url), ("redirectMethod", "POST")]);
        }
        // Whatever is said picks up.
        Answer::PickUp { resume_url } => redirect(xml, own, resume_url),
        Answer::Say { text, resume_url: _ } => {
            let text = speech::cut(text, SPEAK_CHARS_MAX);
            xml.text_element("SpeakSentence", &[("locale", "en_US")], text);
            xml.empty("Hangup", &[]);
        }
        // Returned for a call that nobody has answered, it rejects.
        Answer::Busy | Answer::Reject | Answer::HangUp => xml.empty("Hangup", &[]),
    });
}

/// A stream does not hold back what stands behind it; waiting for its end does. What becomes of it
/// is told to the URL of what follows: where it could not begin, that is due.
fn stream(
    xml: &mut Xml<'_>,
    (user, password): (&str, &str),
    url: &str,
    resume_url: &str,
    parameters: &[(&str, &str)],
) {
    // New for each stream, since a name that the call has had is rejected.
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, url.as_bytes()).simple().to_string();
    let attributes: &Attributes<'_> = &[
        ("name", &name),
        ("mode", "bidirectional"),
        ("tracks", "inbound"),
        ("destination", url),
        ("destinationUsername", user),
        ("destinationPassword", password),
        ("streamEventUrl", resume_url),
        ("streamEventMethod", "POST"),
        ("username", user),
        ("password", password),
    ];
    xml.element("StartStream", attributes, |xml| {
        let fits = |(name, value): &&(&str, &str)| {
            name.chars().count() <= PARAMETER_NAME_CHARS_MAX
                && value.chars().count() <= PARAMETER_VALUE_CHARS_MAX
        };
        for (name, value) in parameters.iter().filter(fits).take(PARAMETERS_MAX) {
            xml.empty("StreamParam", &[("name", name), ("value", value)]);
        }
    });
    xml.empty("StopStream", &[("name", &name), ("wait", "true")]);
}

fn transfer(
    xml: &mut Xml<'_>,
    (user, password): (&str, &str),
    resume_url: &str,
    who: impl FnOnce(&mut Xml<'_>),
) {
    let attributes: &Attributes<'_> = &[
        ("transferCompleteUrl", resume_url),
        ("transferCompleteMethod", "POST"),
        ("transferCompleteFallbackUrl", &fallback(resume_url)),
        ("transferCompleteFallbackMethod", "POST"),
        ("username", user),
        ("password", password),
        ("fallbackUsername", user),
        ("fallbackPassword", password),
    ];
    xml.element("Transfer", attributes, who);
}

fn redirect(xml: &mut Xml<'_>, (user, password): (&str, &str), url: &str) {
    let attributes: &Attributes<'_> = &[
        ("redirectUrl", url),
        ("redirectMethod", "POST"),
        ("redirectFallbackUrl", &fallback(url)),
        ("redirectFallbackMethod", "POST"),
        ("username", user),
        ("password", password),
        ("fallbackUsername", user),
        ("fallbackPassword", password),
    ];
    xml.empty("Redirect", attributes);
}

/// The same URL once more, but for a word that tells the two apart: without one, a request that
/// breaks off is not sent again.
pub(super) fn fallback(url: &str) -> String {
    let joint = if url.contains('?') { "&" } else { "?" };
    [url, joint, FALLBACK].concat()
}

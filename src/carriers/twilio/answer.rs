//! Twilio's documents: TwiML as it is.

pub(super) use crate::carriers::shared::twiml::answer::can;
use crate::carriers::{Answer, shared::twiml};

/// Writes the document in place of what `out` holds.
pub(super) fn write(answer: &Answer<'_>, out: &mut Vec<u8>) {
    twiml::answer::write(answer, &[], out);
}

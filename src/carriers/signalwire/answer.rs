//! SignalWire's documents: TwiML, and what its `<Stream>` has besides (SignalWire docs,
//! compatibility-api/cxml/voice/stream).

use super::{media, signature};
pub(super) use crate::carriers::shared::twiml::answer::can;
use crate::{
    carriers::{Answer, shared::twiml},
    domain::Account,
};

/// Writes the document in place of what `out` holds.
pub(super) fn write(answer: &Answer<'_>, account: &Account, out: &mut Vec<u8>) {
    let Answer::Media { url, format, .. } = *answer else {
        return twiml::answer::write(answer, &[], out);
    };
    let token = signature::socket_token(url, account);
    let token = token.as_ref().map(|token| ("authBearerToken", token.as_str()));
    // `realtime`: without it SignalWire buffers.
    let attributes: Vec<_> =
        [("codec", media::codec(format)), ("realtime", "true")].into_iter().chain(token).collect();
    twiml::answer::write(answer, &attributes, out);
}

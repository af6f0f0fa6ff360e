//! What is Twilio's own about its media socket: how the upgrade is signed, and what it carries.
//! Its messages are the codec's in `media/`; no frame passes here.

use super::signature::{Keys, header};
use crate::{
    carriers::{Refused, Request, shared::twiml::signature::SignedUrl},
    domain::{Account, MediaFormat},
};

/// Mu-law at 8 kHz, both ways, always (Twilio docs, voice/media-streams).
pub(super) const FORMAT: MediaFormat = MediaFormat::PCMU_8000;

/// Proves that an upgrade is from the account's Twilio. The `wss` URL alone is signed; Twilio
/// documents that it may be signed with a slash behind it.
pub(super) fn verify_upgrade(request: &Request<'_>, account: &Account) -> Result<(), Refused> {
    let signature = header(request.headers)?;
    let keys = Keys::of(request.headers, account)?;
    let url = SignedUrl::new(request.url);
    keys.verify(signature, url.variants(""), &[]).or_else(|refused| {
        if request.url.ends_with('/') {
            return Err(refused);
        }
        keys.verify(signature, url.variants("/"), &[])
    })
}

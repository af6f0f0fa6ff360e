//! TeXML documents that are asked for without a signature. No page of Telnyx's says whether it
//! signs those requests as it signs its callbacks, so one that is not is taken with a token in its
//! URL alone: for a number's first document one that its owner put there, for a later one that we
//! did.
//!
//! A token is an HMAC-SHA256 by the key to the account's API, in hexadecimal. It says nothing of
//! who asks, only that the URL was not guessed; and it is good for one number or call.

use crate::{
    carriers::shared::hmac::{Algorithm, MacText},
    domain::{Account, E164},
};

/// The parameter that carries a token.
const TOKEN: &str = "fetch";

/// What a token is for.
#[derive(Clone, Copy)]
pub(super) enum For<'a> {
    /// The first document of calls to a number.
    Number(E164),
    /// The later ones of a call, by the carrier's id for it.
    Call(&'a str),
}

/// The token; none where the account has no key to the API.
pub(super) fn token(what: For<'_>, account: &Account) -> Option<String> {
    Some(mac(what, account)?.hex())
}

/// Whether a URL's query has the token.
pub(super) fn is_in(query: &str, what: For<'_>, account: &Account) -> bool {
    let found = query.split('&').find_map(|pair| pair.strip_prefix(TOKEN)?.strip_prefix('='));
    match (found, mac(what, account)) {
        (Some(found), Some(mac)) => mac.is_hex(found.as_bytes()),
        (None | Some(_), _) => false,
    }
}

/// A URL of ours with the token for a call's later documents.
pub(super) fn step(url: &str, carrier_call_id: &str, account: &Account) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    match token(For::Call(carrier_call_id), account) {
        Some(token) => format!("{url}{joint}{TOKEN}={token}"),
        None => url.to_owned(),
    }
}

fn mac(what: For<'_>, account: &Account) -> Option<MacText> {
    let key = account.api.key.as_ref()?.secret.reveal();
    let text = match what {
        For::Number(number) => format!("texml number {number}"),
        For::Call(id) => format!("texml call {id}"),
    };
    Some(MacText::compute(Algorithm::Sha256, key.as_bytes(), std::iter::once(text.as_bytes())))
}

//! SignalWire's webhooks: the parameters that `shared/twiml` reads, about calls whose ids are
//! UUIDs, or SIDs like Twilio's.

use crate::{
    carriers::{
        Endpoint, Refused, Webhook,
        shared::{form::Form, twiml},
    },
    domain::Account,
};

/// A UUID has 36 characters, a SID 34. A longer id has swallowed its neighbour.
const CALL_ID_LEN_MAX: usize = 36;

/// Reads a request from its parameters; `query` is the URL's.
pub(super) fn parse<'a>(
    endpoint: Endpoint,
    form: Form<'a>,
    query: &str,
    account: &Account,
) -> Result<Webhook<'a>, Refused> {
    twiml::webhook::parse(endpoint, form, query, account, is_call_id)
}

fn is_call_id(text: &str) -> bool {
    (1..=CALL_ID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

//! Twilio's webhooks: the parameters that `shared/twiml` reads, about calls whose ids are SIDs.

use crate::{
    carriers::{
        Endpoint, Refused, Webhook,
        shared::{form::Form, twiml},
    },
    domain::Account,
};

/// Two letters and 32 digits. A longer one has swallowed its neighbour; shorter ones are let pass,
/// for stand-ins of Twilio make them up.
const CALL_SID_LEN_MAX: usize = 34;

/// Reads a request from its parameters; `query` is the URL's.
pub(super) fn parse<'a>(
    endpoint: Endpoint,
    form: Form<'a>,
    query: &str,
    account: &Account,
) -> Result<Webhook<'a>, Refused> {
    twiml::webhook::parse(endpoint, form, query, account, is_call_sid)
}

fn is_call_sid(text: &str) -> bool {
    text.len() <= CALL_SID_LEN_MAX
        && text.starts_with("CA")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

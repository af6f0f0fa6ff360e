//! SignalWire's REST API: the resources that `shared/twiml` speaks of, in the project's own space,
//! by a token of its own (SignalWire docs, compatibility-api/rest-api).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    carriers::{
        ApiRequest, Command, CommandOutcome,
        shared::{
            credentials::basic,
            twiml::commands::{self, Errors},
        },
    },
    domain::{Account, CallStatus, DialFailure, Secret},
};

/// Under which every space is.
const DOMAIN: &str = ".signalwire.com";

const ERRORS: Errors = Errors { is_over, cause };

/// Where the API of the account's space is. Only what a name of a host can hold is taken from the
/// configuration: the credentials go to SignalWire and nowhere else.
pub(super) fn api_url(account: &Account) -> String {
    let space = account.application_id.as_str();
    let name = space.strip_suffix(DOMAIN).unwrap_or(space);
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let name: String = name.chars().filter(is_plain).collect();
    format!("https://{name}{DOMAIN}")
}

pub(super) fn request(command: &Command<'_>, account: &Account) -> ApiRequest {
    commands::request(command, &base(account), authorization(account))
}

pub(super) fn look(carrier_call_id: &str, account: &Account) -> ApiRequest {
    commands::look(carrier_call_id, &base(account), authorization(account))
}

pub(super) fn looked(status: u16, body: &[u8]) -> Option<CallStatus> {
    commands::looked(status, body)
}

fn base(account: &Account) -> String {
    let project = utf8_percent_encode(&account.account_id, NON_ALPHANUMERIC);
    format!("/api/laml/2010-04-01/Accounts/{project}")
}

fn authorization(account: &Account) -> Secret {
    let token = account.api.key.as_ref().map_or("", |key| key.secret.reveal());
    basic(&account.account_id, token)
}

pub(super) fn outcome(command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
    commands::outcome(command, status, body, ERRORS)
}

/// No such call any more.
const fn is_over(status: u16, _code: Option<u32>) -> bool {
    status == 404
}

/// SignalWire's error codes (docs, rest-api/error-codes), as far as a call to be placed meets them.
const fn cause(status: u16, code: Option<u32>) -> DialFailure {
    match (status, code) {
        // The balance; what a token may do.
        (_, Some(4001 | 10_003)) => DialFailure::NotPermitted,
        (401 | 403 | 404, _) => DialFailure::Credentials,
        (_, Some(_) | None) => DialFailure::Refused,
    }
}

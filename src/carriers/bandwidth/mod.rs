//! Bandwidth Programmable Voice: webhooks under basic authentication, BXML documents, the media
//! socket's messages and the REST commands.
//!
//! Nothing is signed: whoever knows the user and password is Bandwidth, so both stand on every URL
//! of ours that it is given. Unknown fields, events and words are never a reason to refuse:
//! Bandwidth adds them without notice.

mod answer;
mod commands;
pub mod diagnose;
mod media;
mod numbers;
mod signature;
mod webhook;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::{
    carriers::{
        Answer, ApiRequest, Carrier, Command, CommandOutcome, Endpoint, Leg, Pointing, Refused,
        Reply, Request, Webhook,
    },
    domain::{Account, ByteOrder, CallStatus, MediaFormat, Target, UnixMillis},
    media::framing::Framing,
};

/// An account is so many digits at most.
const ACCOUNT_ID_LEN_MAX: usize = 20;

/// Bandwidth's room.
#[derive(Clone, Copy, Debug)]
pub struct Bandwidth;

impl Carrier for Bandwidth {
    /// What is asked or told is in the event, whichever URL it comes to.
    fn receive<'a>(
        &self,
        _endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        _now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused> {
        signature::verify(request, account)?;
        webhook::parse(request, account)
    }

    /// Who does not show the user and password is asked for them (RFC 9110 §15.5.2).
    fn refusal_status(&self, refused: Refused) -> StatusCode {
        match refused {
            Refused::Unsigned | Refused::WrongSignature | Refused::UnknownKey => {
                StatusCode::UNAUTHORIZED
            }
            Refused::Malformed(_) => StatusCode::BAD_REQUEST,
            Refused::BodyMismatch | Refused::Stale | Refused::AccountMismatch => {
                StatusCode::FORBIDDEN
            }
        }
    }

    /// The document gives the socket the same user and password as every other URL.
    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused> {
        signature::verify(request, account)
    }

    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        answer::write(answer, leg.account, out);
        Reply::Document("application/xml")
    }

    fn is_account_id(&self, text: &str) -> bool {
        (1..=ACCOUNT_ID_LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self, wanted: MediaFormat) -> MediaFormat {
        media::nearest(wanted)
    }

    fn framing(&self, format: MediaFormat, account: &Account) -> Option<Box<dyn Framing>> {
        let is_big = account.api.byte_order == ByteOrder::Big;
        Some(Box::new(media::Messages { format, is_big }))
    }

    fn sign(&self, _request: &Request<'_>, account: &Account, _now: UnixMillis) -> HeaderMap {
        signature::headers(account)
    }

    fn api_url(&self, _account: &Account) -> Cow<'static, str> {
        commands::API_URL.into()
    }

    fn request(
        &self,
        command: &Command<'_>,
        account: &Account,
        _now: UnixMillis,
        _nonce: Uuid,
    ) -> Option<ApiRequest> {
        commands::request(command, account)
    }

    fn pointing(&self, account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        match (&account.api.client, &account.api.key) {
            (None, None) => Err("client_id and client_secret, or user and password"),
            (Some(_), _) | (_, Some(_)) => Ok(&numbers::Numbers),
        }
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        commands::outcome(command, status, body)
    }

    fn look(&self, carrier_call_id: &str, account: &Account) -> Option<ApiRequest> {
        Some(commands::look(carrier_call_id, account))
    }

    fn looked(&self, status: u16, body: &[u8]) -> Option<CallStatus> {
        commands::looked(status, body)
    }

    /// `answering-machine` is all that it says.
    fn tells_recording(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;

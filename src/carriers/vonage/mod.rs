//! Vonage Voice: signed webhooks, NCCO documents, the media socket's frames and the REST commands.
//!
//! Unknown fields, events and words are never a reason to refuse: Vonage adds them without notice.

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
    domain::{Account, MediaFormat, Target, UnixMillis},
    media::framing::Framing,
};

/// Vonage's room.
#[derive(Clone, Copy, Debug)]
pub struct Vonage;

impl Carrier for Vonage {
    fn receive<'a>(
        &self,
        endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused> {
        signature::verify(request, account, now)?;
        webhook::parse(endpoint, request, account)
    }

    /// After a fault of its own Vonage sends one webhook unsigned, and again with its signature
    /// where it is answered 5xx (Vonage support, article 19033783342876). Nothing else is sent
    /// again that was refused.
    fn refusal_status(&self, refused: Refused) -> StatusCode {
        match refused {
            Refused::Unsigned => StatusCode::SERVICE_UNAVAILABLE,
            Refused::WrongSignature
            | Refused::UnknownKey
            | Refused::BodyMismatch
            | Refused::Stale => StatusCode::UNAUTHORIZED,
            Refused::AccountMismatch => StatusCode::FORBIDDEN,
            Refused::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What its pages ask for, where an answer may have a document and has none.
    fn acknowledgement(&self) -> StatusCode {
        StatusCode::OK
    }

    /// An upgrade brings back the `Authorization` that our document gave for it.
    fn challenge(&self) -> &'static str {
        "Bearer"
    }

    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused> {
        signature::verify_upgrade(request, account)
    }

    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        answer::write(answer, leg, out);
        Reply::Document("application/json")
    }

    /// An API key: eight letters and digits where Vonage made it, others at its resellers.
    fn is_account_id(&self, text: &str) -> bool {
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self, wanted: MediaFormat) -> MediaFormat {
        media::nearest(wanted)
    }

    fn framing(&self, format: MediaFormat, _account: &Account) -> Option<Box<dyn Framing>> {
        Some(Box::new(media::Frames { format }))
    }

    fn sign(&self, request: &Request<'_>, account: &Account, now: UnixMillis) -> HeaderMap {
        signature::sign(request, account, now)
    }

    fn api_url(&self, _account: &Account) -> Cow<'static, str> {
        commands::API_URL.into()
    }

    fn request(
        &self,
        command: &Command<'_>,
        account: &Account,
        now: UnixMillis,
        nonce: Uuid,
    ) -> Option<ApiRequest> {
        commands::request(command, account, now, nonce)
    }

    fn pointing(&self, account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        let can_ask = numbers::can_ask(account);
        if can_ask { Ok(&numbers::Numbers) } else { Err("api_secret") }
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        commands::outcome(command, status, body)
    }
}

#[cfg(test)]
mod tests;

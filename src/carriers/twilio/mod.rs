//! Twilio Programmable Voice: webhooks, TwiML, the media socket's signature and the REST commands.
//!
//! Unknown parameters and words are never a reason to refuse: Twilio adds them without notice.

mod answer;
mod commands;
pub mod diagnose;
mod media;
mod numbers;
mod signature;
mod webhook;

use std::borrow::Cow;

use http::HeaderMap;
use uuid::Uuid;

use crate::{
    carriers::{
        Answer, ApiRequest, Carrier, Command, CommandOutcome, Endpoint, Leg, Pointing, Refused,
        Reply, Request, Webhook,
    },
    domain::{Account, CallStatus, MediaFormat, Target, UnixMillis},
    media::framing::Framing,
};

/// Twilio's room.
#[derive(Clone, Copy, Debug)]
pub struct Twilio;

impl Carrier for Twilio {
    fn receive<'a>(
        &self,
        endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        _now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused> {
        let form = signature::verify(request, account)?;
        webhook::parse(endpoint, form, request.query(), account)
    }

    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused> {
        media::verify_upgrade(request, account)
    }

    fn answer(&self, answer: &Answer<'_>, _leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        answer::write(answer, out);
        Reply::Document("text/xml")
    }

    fn is_account_id(&self, text: &str) -> bool {
        let digits = text.strip_prefix("AC").unwrap_or_default();
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self, _wanted: MediaFormat) -> MediaFormat {
        media::FORMAT
    }

    fn framing(&self, _format: MediaFormat, _account: &Account) -> Option<Box<dyn Framing>> {
        None
    }

    fn sign(&self, request: &Request<'_>, account: &Account, _now: UnixMillis) -> HeaderMap {
        signature::sign(request, account)
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
        Some(commands::request(command, account))
    }

    fn pointing(&self, _account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        Ok(&numbers::Numbers)
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
}

#[cfg(test)]
mod tests;

//! Twilio Programmable Voice: webhooks, TwiML, the media socket's signature and the REST commands.
//!
//! Unknown parameters and words are never a reason to refuse: Twilio adds them without notice.

mod answer;
mod commands;
pub mod diagnose;
mod media;
mod signature;
mod webhook;

use http::HeaderMap;

use crate::{
    carriers::{
        Answer, ApiRequest, Carrier, Command, CommandOutcome, Endpoint, Refused, Request, Webhook,
    },
    domain::{Account, MediaFormat, Target, UnixMillis},
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

    fn answer(&self, answer: &Answer<'_>, out: &mut Vec<u8>) {
        answer::write(answer, out);
    }

    fn content_type(&self) -> &'static str {
        "text/xml"
    }

    fn is_account_id(&self, text: &str) -> bool {
        let digits = text.strip_prefix("AC").unwrap_or_default();
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self) -> MediaFormat {
        media::FORMAT
    }

    fn sign(&self, request: &Request<'_>, account: &Account) -> HeaderMap {
        signature::sign(request, account)
    }

    fn api_url(&self) -> &'static str {
        commands::API_URL
    }

    fn request(&self, command: &Command<'_>, account: &Account) -> ApiRequest {
        commands::request(command, account)
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        commands::outcome(command, status, body)
    }
}

#[cfg(test)]
mod tests;

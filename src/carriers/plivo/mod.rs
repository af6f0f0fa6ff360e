//! Plivo Voice: webhooks, XML documents, the media socket's messages and the REST commands.
//!
//! Unknown parameters and words are never a reason to refuse: Plivo adds them without notice.

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

/// Plivo's room.
#[derive(Clone, Copy, Debug)]
pub struct Plivo;

impl Carrier for Plivo {
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

    /// An upgrade is signed as any GET, over the whole `wss` URL.
    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused> {
        signature::verify(request, account).map(drop)
    }

    fn answer(&self, answer: &Answer<'_>, _leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        answer::write(answer, out);
        Reply::Document("text/xml")
    }

    /// `MA` for an account, `SA` for a sub-account, and 18 more.
    fn is_account_id(&self, text: &str) -> bool {
        let rest = text.strip_prefix("MA").or_else(|| text.strip_prefix("SA")).unwrap_or_default();
        rest.len() == 18 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self, wanted: MediaFormat) -> MediaFormat {
        media::nearest(wanted)
    }

    fn framing(&self, format: MediaFormat, _account: &Account) -> Option<Box<dyn Framing>> {
        Some(Box::new(media::Messages { format }))
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
        _now: UnixMillis,
        _nonce: Uuid,
    ) -> Option<ApiRequest> {
        commands::request(command, account)
    }

    fn pointing(&self, _account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        Ok(&numbers::Numbers)
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        commands::outcome(command, status, body)
    }

    fn tells_recording(&self) -> bool {
        false
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

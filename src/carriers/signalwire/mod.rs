//! SignalWire's compatibility API: Twilio's parameters, documents and resources under another
//! signature, and a media socket that speaks wideband.
//!
//! Unknown parameters and words are never a reason to refuse: SignalWire adds them without notice.

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

/// SignalWire's room.
#[derive(Clone, Copy, Debug)]
pub struct SignalWire;

impl Carrier for SignalWire {
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
        signature::verify_upgrade(request, account)
    }

    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        answer::write(answer, leg.account, out);
        Reply::Document("text/xml")
    }

    fn is_account_id(&self, text: &str) -> bool {
        text.len() == 36 && Uuid::try_parse(text).is_ok()
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

    fn sign(&self, request: &Request<'_>, account: &Account, _now: UnixMillis) -> HeaderMap {
        signature::sign(request, account)
    }

    fn api_url(&self, account: &Account) -> Cow<'static, str> {
        commands::api_url(account).into()
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

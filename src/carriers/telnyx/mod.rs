//! Telnyx Voice, by both of its ways: Call Control, which is told what to do by requests to its
//! API, and TeXML, which is answered with documents.
//!
//! Unknown fields, events and words are never a reason to refuse: Telnyx adds them without notice.

mod answer;
mod commands;
pub mod diagnose;
mod fetch;
mod media;
mod numbers;
mod signature;
mod state;
mod texml;
mod webhook;

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::{
    carriers::{
        Answer, ApiRequest, Carrier, Command, CommandOutcome, Endpoint, Leg, Pointing, Refused,
        Reply, Request, Webhook,
    },
    domain::{Account, CallStatus, MediaFormat, Target, UnixMillis},
    media::framing::Framing,
};

/// Call Control's room.
#[derive(Clone, Copy, Debug)]
pub struct Telnyx;

/// TeXML's room.
#[derive(Clone, Copy, Debug)]
pub struct TelnyxTexml;

impl Carrier for Telnyx {
    /// Every event comes to one URL, whichever it is.
    fn receive<'a>(
        &self,
        _endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused> {
        signature::verify(request, account, now)?;
        webhook::parse(request.body, request.query(), account)
    }

    /// Some of Telnyx's pages ask for this very status, others for any success.
    fn acknowledgement(&self) -> StatusCode {
        StatusCode::OK
    }

    /// `answer` takes no token for the upgrade: our ticket in the path is all there is.
    fn verify_upgrade(&self, _request: &Request<'_>, _account: &Account) -> Result<(), Refused> {
        Ok(())
    }

    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, _out: &mut Vec<u8>) -> Reply {
        Reply::Request(answer::request(answer, leg))
    }

    fn picks_up_first(&self, answer: &Answer<'_>) -> bool {
        answer::picks_up_first(answer)
    }

    fn is_told_by_requests(&self) -> bool {
        true
    }

    /// It has no name of its own: keys and the connection stand for it.
    fn is_account_id(&self, text: &str) -> bool {
        text.is_empty()
    }

    fn can(&self, target: &Target) -> bool {
        answer::can(target)
    }

    fn media_format(&self, wanted: MediaFormat) -> MediaFormat {
        media::format(wanted)
    }

    fn framing(&self, format: MediaFormat, _account: &Account) -> Option<Box<dyn Framing>> {
        Some(Box::new(media::TelnyxFraming(format)))
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
        nonce: Uuid,
    ) -> Option<ApiRequest> {
        commands::request(command, account, nonce)
    }

    fn pointing(&self, _account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        Ok(&numbers::Numbers)
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        commands::outcome(command, status, body)
    }

    fn reply_outcome(&self, status: u16, body: &[u8]) -> CommandOutcome {
        commands::reply_outcome(status, body)
    }

    fn look(&self, carrier_call_id: &str, account: &Account) -> Option<ApiRequest> {
        Some(commands::look(carrier_call_id, account))
    }

    fn looked(&self, status: u16, body: &[u8]) -> Option<CallStatus> {
        commands::looked(status, body)
    }

    /// By `command_id`, within a minute (Telnyx docs, command-retries).
    fn does_once(&self) -> bool {
        true
    }

    /// A call that was transferred is bridged: the other leg's end gives it back.
    fn leaves_dial_by_its_leg(&self) -> bool {
        true
    }
}

impl Carrier for TelnyxTexml {
    fn receive<'a>(
        &self,
        endpoint: Endpoint,
        request: &Request<'a>,
        account: &Account,
        now: UnixMillis,
    ) -> Result<Webhook<'a>, Refused> {
        texml::receive(endpoint, request, account, now)
    }

    /// `<Stream>` takes no token for the upgrade: our ticket in the path is all there is.
    fn verify_upgrade(&self, request: &Request<'_>, account: &Account) -> Result<(), Refused> {
        Telnyx.verify_upgrade(request, account)
    }

    fn answer(&self, answer: &Answer<'_>, leg: &Leg<'_>, out: &mut Vec<u8>) -> Reply {
        texml::write(answer, leg, out);
        Reply::Document("text/xml")
    }

    /// The user's id, a UUID; without one calls come in and none is placed.
    fn is_account_id(&self, text: &str) -> bool {
        text.is_empty() || Uuid::try_parse(text).is_ok()
    }

    fn can(&self, target: &Target) -> bool {
        matches!(target, Target::Redirect(_)) || answer::can(target)
    }

    fn media_format(&self, wanted: MediaFormat) -> MediaFormat {
        media::format(wanted)
    }

    fn framing(&self, format: MediaFormat, account: &Account) -> Option<Box<dyn Framing>> {
        Telnyx.framing(format, account)
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
        nonce: Uuid,
    ) -> Option<ApiRequest> {
        if matches!(command, Command::FindCalls { .. }) {
            // TeXML leaves no state on a call that would tell it from others.
            return None;
        }
        texml::request(command, account).or_else(|| commands::request(command, account, nonce))
    }

    fn pointing(&self, _account: &Account) -> Result<&'static dyn Pointing, &'static str> {
        Ok(&numbers::TexmlNumbers)
    }

    fn outcome(&self, command: &Command<'_>, status: u16, body: &[u8]) -> CommandOutcome {
        texml::outcome(command, status, body)
    }

    /// `CallSid` is the call's id in Call Control too.
    fn look(&self, carrier_call_id: &str, account: &Account) -> Option<ApiRequest> {
        Telnyx.look(carrier_call_id, account)
    }

    fn looked(&self, status: u16, body: &[u8]) -> Option<CallStatus> {
        Telnyx.looked(status, body)
    }
}

#[cfg(test)]
mod tests;

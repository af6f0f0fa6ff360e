//! Telnyx Voice by both of its ways: Call Control, which tells of events and is told what to do by
//! requests, and TeXML, which asks for documents (Telnyx docs, voice-api-webhooks and
//! texml-fundamentals). They share signature, media socket and API.

mod control;
mod rest;
mod texml;
mod wire;

use std::time::Duration;

use base64_simd::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use self::{control::CallControl, texml::Texml};
use super::Manners;
use crate::domain::{Account, AccountOrigin, ApiKey, CarrierId, Secret};

/// Telnyx docs, voice-api-webhooks: the default wait is 2 s.
const MANNERS: Manners = Manners {
    user_agent: "telnyx-webhooks",
    connect_max: Duration::from_secs(2),
    answer_max: Duration::from_secs(2),
    signs_upgrades: false,
};

/// An account with a key pair of Telnyx's: the customer knows the public half.
fn account(name: &str, kind: CarrierId) -> (Account, Value) {
    let mut account = Account::named(name.to_owned(), kind, AccountOrigin::Api);
    let seed = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    let seed: [u8; 32] = seed.try_into().unwrap_or([7; 32]);
    let public = SigningKey::from_bytes(&seed).verifying_key();
    let public = STANDARD.encode_to_string(public.as_bytes());
    let key = format!("KEY{}", Uuid::new_v4().simple());
    account.application_id = "2852154973938025540".to_owned();
    let mut told = json!({ "api_key": key, "public_keys": [public],
        "connection_id": account.application_id });
    if let (CarrierId::TelnyxTexml, Some(told)) = (kind, told.as_object_mut()) {
        account.account_id = Uuid::new_v4().to_string();
        told.insert("account_id".to_owned(), account.account_id.as_str().into());
    }
    account.secrets = vec![Secret::new(public)];
    account.api.private_key = Some(Secret::new(STANDARD.encode_to_string(seed)));
    account.api.key = Some(ApiKey { id: String::new(), secret: Secret::new(key) });
    (account, told)
}

/// An opaque token, as commands take it.
fn call_id() -> String {
    let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    format!("v3:{}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(random))
}

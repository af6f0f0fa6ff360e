//! Twilio's numbers, pointed with a connection override (Twilio docs, usage/webhooks,
//! connection overrides).

use crate::{
    carriers::{HeldApplication, HeldNumber, PointTo, Pointing, shared::twiml::numbers},
    domain::CarrierFields,
};

/// By itself Twilio waits 5 s for a connection, tries once more, and does not try again after a 5xx
/// or a slow answer. This is 2 s for a connection and two more tries, also after those. It stands
/// behind a URL, is never sent and never signed.
const OVERRIDES: &str = "#rc=2&rp=ct,rt,5xx&ct=2000";

#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        false
    }

    fn number(&self, held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        numbers::pointed(held, to, OVERRIDES)
    }

    fn application(&self, _held: &HeldApplication, _to: &PointTo<'_>) -> CarrierFields {
        CarrierFields::new()
    }
}

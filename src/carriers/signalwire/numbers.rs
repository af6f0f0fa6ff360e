//! SignalWire's numbers: as Twilio's, but for connection overrides, which it does not have.

use crate::{
    carriers::{HeldApplication, HeldNumber, PointTo, Pointing, shared::twiml::numbers},
    domain::CarrierFields,
};

#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        false
    }

    fn number(&self, held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        numbers::pointed(held, to, "")
    }

    fn application(&self, _held: &HeldApplication, _to: &PointTo<'_>) -> CarrierFields {
        CarrierFields::new()
    }
}

//! How what happens to calls is told: names and bodies, which are the dialects' and not known here.
//!
//! A body says how the call stands at that moment, so it is written within the transaction that
//! changes the call; whoever opens the store brings the words along.

use super::PlacedCall;
use crate::domain::{CallStep, DeliveryId, UnixMillis, Webhook};

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A tenant's endpoints, and the URLs that agents and calls bring along.
    Tenant,
    /// An agent's webhooks.
    Agent,
}

/// One event for one subscriber.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Its id.
    pub id: DeliveryId,
    /// Its name, one of [`EventWords::names`].
    pub event: &'a str,
    /// When it happened.
    pub at: UnixMillis,
    /// The call as it is at that moment.
    pub placed: &'a PlacedCall,
    /// The subscription; `None` for a URL that came along.
    pub webhook: Option<&'a Webhook>,
}

/// The words. Functions, since they know nothing but what they are given.
#[derive(Clone, Copy, Debug)]
pub struct EventWords {
    /// What a step is called, of a call that a machine may have answered; a step may be no event,
    /// or several.
    pub names: fn(Audience, CallStep, bool) -> &'static [&'static str],
    /// What is told.
    pub body: fn(&Telling<'_>) -> String,
    /// The URL that an agent brings along, from its profile.
    pub agent_url: fn(&str) -> Option<String>,
    /// Whether something is yet to be found out about a call that has ended, from its agent's
    /// profile.
    pub awaits_result: fn(&str) -> bool,
}

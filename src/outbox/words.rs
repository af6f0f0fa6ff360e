//! The dialects' words for what the store tells.

use crate::{
    dialects::{awaits_result, callingbox, talkover, webhook_url},
    domain::CallStep,
    store::{Audience, EventWords, PlacedCall, Telling},
};

/// CallingBox's words for tenants' endpoints and for URLs that came along, Talkover's for agents'
/// webhooks.
pub const WORDS: EventWords = EventWords { names, body, agent_url: webhook_url, awaits_result };

fn names(audience: Audience, step: CallStep, by_machine: bool) -> &'static [&'static str] {
    match audience {
        Audience::Tenant => callingbox::event_names(step, by_machine),
        Audience::Agent => talkover::event_names(step),
    }
}

fn body(telling: &Telling<'_>) -> String {
    let PlacedCall { call, dial, version, result, hook } = telling.placed.clone();
    let body = match telling.webhook.filter(|webhook| webhook.agent.is_some()) {
        Some(webhook) => {
            let frame = talkover::Frame {
                event: telling.event,
                agent_name: version.as_ref().map(|version| version.name.as_str()),
                webhook,
                at: telling.at,
            };
            talkover::event(&frame, &call, dial.as_ref())
        }
        None => {
            let call = callingbox::CallBody::new(call, dial, version.as_ref(), result.as_ref());
            callingbox::event(telling.id.0, telling.event, telling.at, &call.told(hook))
        }
    };
    body.to_string()
}

//! How a call's audio goes: what its carrier's socket carries, and how that is spelled.

use crate::calls::LiveCall;
use crate::carriers;
use crate::domain::{Account, MediaFormat, RuntimeMedia, Target};
use crate::media::framing::Framing;

/// A way for a call's audio.
pub(super) struct Way {
    /// What the middle of the call carries, and the carrier is sent.
    pub(super) format: MediaFormat,
    /// How the carrier's socket spells it, where it does not speak as runtimes do.
    pub(super) framing: Option<Box<dyn Framing>>,
}

impl Way {
    /// The account's carrier's, for a runtime that wants this. The answer asks for the same.
    pub(super) fn of(account: &Account, wanted: RuntimeMedia) -> Self {
        let room = carriers::room(account.carrier);
        let format = room.media_format(wanted.format());
        let framing = room.framing(format, account);
        let format = framing.as_ref().map_or(format, |framing| framing.outbound_format());
        Self { format, framing }
    }
}

/// What the target at `place` speaks.
pub(super) fn spoken(call: &LiveCall, place: usize) -> RuntimeMedia {
    match &*call.target(place) {
        Target::Runtime(_) => {
            let agent = call.agent(place).and_then(|agent| agent.runtime_media);
            agent.unwrap_or(RuntimeMedia::Pcmu)
        }
        // Ours speak one format, and what is no socket speaks none.
        Target::Builtin(_)
        | Target::Agent(_)
        | Target::Tel(_)
        | Target::Sip(_)
        | Target::Redirect(_)
        | Target::Say(_)
        | Target::Busy
        | Target::Reject => RuntimeMedia::Pcmu,
    }
}

//! A call's life as a state machine: events and the time in, patches of its row and exactly one
//! terminal update out.
//!
//! Carriers tell of a call in any order, twice, or never: a status never goes back, a final one
//! stays, and a call of which nothing more is heard is closed by [`Machine::tick`]. It never asks
//! the clock and sends nothing.

use crate::domain::{
    CallEnd, CallId, CallPatch, CallStatus, MediaSession, TargetTried, TenantId, UnixMillis,
};

use super::CallUpdate;

/// How long a call may ring. Carriers give up after 600 s at most.
const RING_MS_MAX: u64 = 11 * 60 * 1000;

/// How long a call may last. Twilio ends a call after 24 h.
const LIFE_MS_MAX: u64 = (24 * 60 + 5) * 60 * 1000;

/// How long the carrier may take to tell, or to ask what follows, once a call looks over. It tells
/// nothing where the number has no status callback; and a spoken last word takes its time.
const GRACE_MS: u64 = 30 * 1000;

/// How long after its media the carrier may take to tell that a call is over, before it is asked.
const LOOK_AFTER_MS: u64 = 2 * 1000;

/// How often it is asked of a call that went on elsewhere.
const LOOK_EVERY_MS: u64 = 60 * 1000;

/// Why a call was closed of which nothing more was heard.
pub(super) const CARRIER_SILENT: &str = "carrier_silent";

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The carrier says where it stands.
    Status {
        /// Where.
        status: CallStatus,
        /// Since when.
        at: UnixMillis,
    },
    /// Its media socket has begun: somebody answered.
    MediaStarted,
    /// A target was tried.
    Tried(TargetTried),
    /// A media socket has closed.
    Carried(MediaSession),
    /// The carrier asks what follows: it is not over.
    Asked,
    /// It was told to end: a hang-up, a last word.
    Ending(CallEnd),
    /// The carrier ended its media: most likely the caller hung up.
    MediaStopped,
    /// It goes on at the carrier, where somebody else's request has taken it.
    Elsewhere,
}

/// Where a call stands.
#[derive(Clone, Debug)]
pub struct Machine {
    id: CallId,
    tenant: TenantId,
    status: CallStatus,
    is_answered: bool,
    ended_by: Option<CallEnd>,
    /// Since when it looks over, though nobody has said so.
    over_since: Option<UnixMillis>,
    /// When it is taken for over unless something is heard of it.
    expires_at: UnixMillis,
    /// It goes on where nothing of ours is.
    is_elsewhere: bool,
    /// When the carrier is to be asked where it stands.
    look_at: Option<UnixMillis>,
}

impl Machine {
    /// A call that begins, at that station.
    #[must_use]
    pub const fn new(
        id: CallId,
        tenant: TenantId,
        status: CallStatus,
        created_at: UnixMillis,
    ) -> Self {
        Self {
            id,
            tenant,
            status,
            is_answered: false,
            ended_by: None,
            over_since: None,
            expires_at: UnixMillis(created_at.0.saturating_add(RING_MS_MAX)),
            is_elsewhere: false,
            look_at: None,
        }
    }

    /// Whether it goes on where nothing of ours is.
    #[must_use]
    pub const fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Whether the carrier is to be asked by now where it stands; then it is asked again later.
    pub fn looks(&mut self, now: UnixMillis) -> bool {
        let is_due = !self.is_over() && self.look_at.is_some_and(|at| at <= now);
        if is_due {
            self.look_at = Some(UnixMillis(now.0.saturating_add(LOOK_EVERY_MS)));
        }
        is_due
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> CallStatus {
        self.status
    }

    /// Whether it is over, and its terminal update out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.is_final()
    }

    /// Takes an event; what is to be recorded of it, if anything.
    pub fn handle(&mut self, event: Event, now: UnixMillis) -> Option<CallUpdate> {
        let mut patch = CallPatch::new(self.id, self.tenant, now);
        if let Event::Tried(tried) = event {
            patch.targets_tried.push(tried);
            return Some(CallUpdate { patch, is_terminal: false });
        }
        if let Event::Carried(session) = event {
            patch.media.push(session);
            return Some(CallUpdate { patch, is_terminal: false });
        }
        if self.is_over() {
            return None;
        }
        match event {
            Event::Status { status, at } if status.is_final() => Some(self.end(status, at, patch)),
            Event::Status { status, at } => self.advance(status, at, now, patch),
            Event::MediaStarted => self.advance(CallStatus::InProgress, now, now, patch),
            Event::Asked => {
                (self.over_since, self.look_at, self.is_elsewhere) = (None, None, false);
                self.expires_at = self.life_end(now);
                None
            }
            Event::Ending(by) => {
                self.look_over(now);
                self.look_at = self.look_at.filter(|_| self.is_elsewhere);
                (self.ended_by.is_none()).then(|| {
                    self.ended_by = Some(by);
                    patch.ended_by = Some(by);
                    CallUpdate { patch, is_terminal: false }
                })
            }
            Event::MediaStopped => {
                self.look_over(now);
                self.look_at.get_or_insert(UnixMillis(now.0.saturating_add(LOOK_AFTER_MS)));
                None
            }
            Event::Elsewhere => {
                let is_news = !self.is_elsewhere;
                (self.is_elsewhere, self.over_since) = (true, None);
                self.expires_at = self.life_end(now);
                self.look_at = Some(UnixMillis(now.0.saturating_add(LOOK_EVERY_MS)));
                self.ended_by = self.ended_by.or(Some(CallEnd::TransferredExternally));
                patch.ended_by = self.ended_by;
                is_news.then_some(CallUpdate { patch, is_terminal: false })
            }
            Event::Tried(_) | Event::Carried(_) => None,
        }
    }

    /// When [`Machine::tick`] has something to do.
    #[must_use]
    pub const fn wake_at(&self) -> UnixMillis {
        self.expires_at
    }

    /// Closes a call of which nothing more was heard.
    pub fn tick(&mut self, now: UnixMillis) -> Option<CallUpdate> {
        if self.is_over() || now < self.expires_at {
            return None;
        }
        let mut patch = CallPatch::new(self.id, self.tenant, now);
        if self.over_since.is_none() {
            patch.error_code = Some(CARRIER_SILENT.to_owned());
        }
        let status = if self.is_answered { CallStatus::Completed } else { CallStatus::Canceled };
        Some(self.end(status, self.over_since.unwrap_or(now), patch))
    }

    /// Who wanted it over, where it is over before that was told.
    pub fn wanted_over(&mut self, by: Option<CallEnd>) {
        self.ended_by = self.ended_by.or(by);
    }

    fn advance(
        &mut self,
        status: CallStatus,
        at: UnixMillis,
        now: UnixMillis,
        mut patch: CallPatch,
    ) -> Option<CallUpdate> {
        let next = self.status.advanced(status);
        let is_news = next != self.status;
        self.status = next;
        if next == CallStatus::InProgress && !self.is_answered {
            self.is_answered = true;
            patch.answered_at = Some(at);
            self.expires_at = self.life_end(now);
        }
        patch.status = Some(next);
        is_news.then_some(CallUpdate { patch, is_terminal: false })
    }

    fn end(&mut self, status: CallStatus, at: UnixMillis, mut patch: CallPatch) -> CallUpdate {
        self.status = status;
        if self.ended_by.is_none() && matches!(status, CallStatus::Completed | CallStatus::Canceled)
        {
            self.ended_by = Some(CallEnd::Caller);
        }
        patch.status = Some(status);
        patch.ended_at = Some(at);
        patch.ended_by = self.ended_by;
        CallUpdate { patch, is_terminal: true }
    }

    /// Nothing of ours holds it any more; one that went on elsewhere may still.
    fn look_over(&mut self, now: UnixMillis) {
        if self.is_elsewhere {
            return;
        }
        self.over_since.get_or_insert(now);
        self.expires_at = UnixMillis(now.0.saturating_add(GRACE_MS));
    }

    const fn life_end(&self, now: UnixMillis) -> UnixMillis {
        let left = if self.is_answered { LIFE_MS_MAX } else { RING_MS_MAX };
        UnixMillis(now.0.saturating_add(left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn machine() -> Machine {
        let (id, tenant) = (CallId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        Machine::new(id, tenant, CallStatus::Ringing, UnixMillis(1000))
    }

    fn status(status: CallStatus, at: u64) -> Event {
        Event::Status { status, at: UnixMillis(at) }
    }

    fn handle(machine: &mut Machine, event: Event, now: u64) -> Option<CallUpdate> {
        machine.handle(event, UnixMillis(now))
    }

    #[test]
    fn a_call_is_answered_once_and_ends_once() {
        let mut call = machine();
        let answered = handle(&mut call, Event::MediaStarted, 1500).unwrap();
        assert_eq!(answered.patch.answered_at, Some(UnixMillis(1500)));
        assert_eq!(handle(&mut call, status(CallStatus::InProgress, 1400), 1600), None);
        assert_eq!(handle(&mut call, status(CallStatus::Ringing, 1000), 1600), None);
        let ended = handle(&mut call, status(CallStatus::Completed, 9000), 9100).unwrap();
        assert!(ended.is_terminal);
        assert_eq!(ended.patch.ended_by, Some(CallEnd::Caller));
        assert_eq!(ended.patch.ended_at, Some(UnixMillis(9000)));
        assert_eq!(handle(&mut call, status(CallStatus::Failed, 9500), 9500), None);
        assert_eq!(call.tick(UnixMillis(u64::MAX)), None);
    }

    #[test]
    fn who_hung_up_first_is_who_ended_it() {
        let mut call = machine();
        handle(&mut call, Event::MediaStarted, 1500);
        let ending = handle(&mut call, Event::Ending(CallEnd::Agent), 5000).unwrap();
        assert_eq!(ending.patch.ended_by, Some(CallEnd::Agent));
        assert_eq!(handle(&mut call, Event::Ending(CallEnd::LastTarget), 5100), None);
        assert_eq!(call.tick(UnixMillis(34_999)), None);
        let ended = call.tick(UnixMillis(35_100)).unwrap();
        assert_eq!(ended.patch.ended_at, Some(UnixMillis(5000)));
        assert_eq!(ended.patch.ended_by, Some(CallEnd::Agent));
        assert_eq!(ended.patch.error_code, None);
    }

    #[test]
    fn a_call_that_is_asked_about_is_not_over() {
        let mut call = machine();
        handle(&mut call, Event::MediaStarted, 1500);
        handle(&mut call, Event::MediaStopped, 2000);
        handle(&mut call, Event::Asked, 3000);
        assert_eq!(call.tick(UnixMillis(60_000)), None);
    }

    #[test]
    fn a_call_that_was_taken_elsewhere_lives_on() {
        let mut call = machine();
        handle(&mut call, Event::MediaStarted, 1500);
        assert!(!call.looks(UnixMillis(60_000)), "as long as it has media");
        handle(&mut call, Event::MediaStopped, 60_000);
        assert!(!call.looks(UnixMillis(61_999)), "its end may be told any moment");
        assert!(call.looks(UnixMillis(62_000)) && !call.looks(UnixMillis(62_001)));
        let told = handle(&mut call, Event::Elsewhere, 62_500).unwrap();
        assert_eq!(told.patch.ended_by, Some(CallEnd::TransferredExternally));
        assert!(!told.is_terminal && call.is_elsewhere());
        // Whatever of ours says meanwhile that it is over.
        handle(&mut call, Event::Ending(CallEnd::Agent), 63_000);
        handle(&mut call, Event::MediaStopped, 63_000);
        assert_eq!(call.tick(UnixMillis(3_600_000)), None);
        assert!(call.looks(UnixMillis(200_000)) && call.looks(UnixMillis(260_000)));
        assert_eq!(handle(&mut call, Event::Elsewhere, 260_100), None);
        let ended = handle(&mut call, status(CallStatus::Completed, 300_000), 300_000).unwrap();
        assert_eq!(ended.patch.ended_by, Some(CallEnd::TransferredExternally));
        assert!(!call.looks(UnixMillis(u64::MAX)));
    }

    #[test]
    fn nobody_is_asked_about_a_call_that_we_ended() {
        let mut call = machine();
        handle(&mut call, Event::MediaStarted, 1500);
        handle(&mut call, Event::MediaStopped, 2000);
        handle(&mut call, Event::Ending(CallEnd::Agent), 2100);
        assert!(!call.looks(UnixMillis(20_000)));
    }

    #[test]
    fn a_carrier_that_goes_silent_is_not_waited_for_for_ever() {
        let mut ringing = machine();
        let ended = ringing.tick(UnixMillis(1000 + RING_MS_MAX)).unwrap();
        assert_eq!(ended.patch.status, Some(CallStatus::Canceled));
        assert_eq!(ended.patch.error_code.as_deref(), Some("carrier_silent"));
        let mut talking = machine();
        handle(&mut talking, Event::MediaStarted, 1500);
        assert_eq!(talking.tick(UnixMillis(1000 + RING_MS_MAX)), None);
        let ended = talking.tick(UnixMillis(1500 + LIFE_MS_MAX)).unwrap();
        assert_eq!(ended.patch.status, Some(CallStatus::Completed));
    }

    proptest! {
        /// Whatever comes in whatever order: statuses never go back, and one update is terminal.
        #[test]
        fn one_terminal_update(events in prop::collection::vec((0..15_usize, 0..100_000_u64), 0..40)) {
            let mut call = machine();
            let mut terminal = 0;
            let (mut now, mut before) = (1000, CallStatus::Ringing);
            for (kind, step) in events {
                now += step;
                let update = match CallStatus::ALL.get(kind) {
                    Some(&word) => handle(&mut call, status(word, now), now),
                    None if kind == 9 => handle(&mut call, Event::MediaStarted, now),
                    None if kind == 10 => handle(&mut call, Event::MediaStopped, now),
                    None if kind == 11 => handle(&mut call, Event::Asked, now),
                    None if kind == 13 => handle(&mut call, Event::Elsewhere, now),
                    None if kind == 12 => handle(&mut call, Event::Ending(CallEnd::Api), now),
                    None => call.tick(UnixMillis(now)),
                };
                prop_assert!(call.status() >= before);
                before = call.status();
                terminal += usize::from(update.is_some_and(|update| update.is_terminal));
            }
            terminal += usize::from(call.tick(UnixMillis(u64::MAX)).is_some());
            prop_assert_eq!(terminal, 1);
        }
    }
}

//! How long a caller waits: for a runtime to appear, to show life, to be heard.
//!
//! Pure: told what happened and when, it says when to wake and what is due then. It never closes a
//! socket; who drives it does.

use std::time::Duration;

/// How long a caller may hear nothing, from the carrier's `start` or from the moment a runtime was
/// lost, however many targets are tried meanwhile. Two seconds are promised until the next target's
/// document is sent; the rest is for the carrier to ask for it.
pub const SILENCE_MAX: Duration = Duration::from_millis(1900);

/// How often a runtime is pinged.
pub const PING_EVERY: Duration = Duration::from_millis(500);

/// How long a runtime may send no websocket frame at all, pongs included.
pub const STALL_MAX: Duration = Duration::from_millis(1500);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Ping the runtime.
    Ping,
    /// The runtime shows no life: it was last seen alive at this time.
    Stalled(Duration),
    /// The runtime's agent asks for audio by now, and there was none.
    Silent,
    /// The caller has waited long enough: no further socket is tried.
    Spent,
}

/// The clockwork of one call's media.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    /// The carrier's stream has begun: there is a caller who waits.
    has_begun: bool,
    /// Until when the caller must have somebody; `None` while there is somebody.
    deadline: Option<Duration>,
    leg: Option<Leg>,
}

#[derive(Clone, Copy, Debug)]
struct Leg {
    alive_at: Duration,
    has_shown_life: bool,
    ping_at: Duration,
    /// The agent asks for audio within this time; `None` once there was some.
    audio_within: Option<Duration>,
    audio_by: Option<Duration>,
}

impl Liveness {
    /// The carrier's stream has not begun: nobody waits, and runtimes have their time.
    #[must_use]
    pub const fn new() -> Self {
        Self { has_begun: false, deadline: None, leg: None }
    }

    /// The carrier's stream begins: what a caller is promised is counted from now on.
    pub fn begin(&mut self, now: Duration) {
        self.has_begun = true;
        self.deadline = Some(now + SILENCE_MAX);
        if let Some(leg) = &mut self.leg {
            leg.audio_by = leg.audio_within.map(|within| now + within);
        }
    }

    /// A runtime has accepted the call; its first ping is due.
    pub fn opened(&mut self, now: Duration, first_audio_timeout: Option<Duration>) {
        self.leg = Some(Leg {
            alive_at: now,
            has_shown_life: false,
            ping_at: now,
            audio_within: first_audio_timeout,
            audio_by: first_audio_timeout.filter(|_| self.has_begun).map(|within| now + within),
        });
    }

    /// A websocket frame came from the runtime.
    pub fn alive(&mut self, now: Duration) {
        if let Some(leg) = &mut self.leg {
            leg.alive_at = now;
            leg.has_shown_life = true;
        }
    }

    /// We have not been reading the runtime, so its silence says nothing: its time starts anew.
    pub fn excuse(&mut self, now: Duration) {
        if let Some(leg) = &mut self.leg {
            leg.alive_at = now;
        }
    }

    /// Audio of the runtime is on its way to the caller, who hears somebody.
    pub fn heard(&mut self) {
        self.deadline = None;
        if let Some(leg) = &mut self.leg {
            (leg.audio_within, leg.audio_by) = (None, None);
        }
    }

    /// The runtime is gone, since then. Where the caller had somebody, the wait begins anew; else
    /// it goes on.
    pub fn lost(&mut self, since: Duration) {
        self.leg = None;
        if self.has_begun {
            self.deadline = self.deadline.or(Some(since + SILENCE_MAX));
        }
    }

    /// The caller is taken to another runtime on purpose: the wait begins anew.
    pub fn moved(&mut self, now: Duration) {
        self.leg = None;
        self.deadline = Some(now + SILENCE_MAX);
    }

    /// How much of the wait is left for another attempt.
    #[must_use]
    pub fn left(&self, now: Duration) -> Duration {
        self.deadline.map_or(SILENCE_MAX, |deadline| deadline.saturating_sub(now))
    }

    /// When to ask what is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let leg = self.leg.iter().flat_map(|leg| {
            [Some(leg.ping_at), Some(leg.alive_at + STALL_MAX), leg.audio_by].into_iter().flatten()
        });
        self.deadline.into_iter().chain(leg).min()
    }

    /// What is due now, one thing at a time; ask until nothing is.
    pub fn due(&mut self, now: Duration) -> Option<Due> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            // A runtime that lives and only listens is somebody.
            if !self.leg.is_some_and(|leg| leg.has_shown_life) {
                return Some(Due::Spent);
            }
            self.deadline = None;
        }
        let leg = self.leg.as_mut()?;
        if leg.alive_at + STALL_MAX <= now {
            return Some(Due::Stalled(leg.alive_at));
        }
        if leg.audio_by.is_some_and(|by| by <= now) {
            return Some(Due::Silent);
        }
        if leg.ping_at <= now {
            leg.ping_at = now + PING_EVERY;
            return Some(Due::Ping);
        }
        None
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A caller who waits since then.
    fn begun(at: Duration) -> Liveness {
        let mut liveness = Liveness::new();
        liveness.begin(at);
        liveness
    }

    /// Runs to `until`, answering pings up to `pongs_until`; returns what else came due, and when.
    fn run(liveness: &mut Liveness, from: u64, until: u64, pongs_until: u64) -> Vec<(u64, Due)> {
        let mut seen = Vec::new();
        for now in from..=until {
            while let Some(due) = liveness.due(ms(now)) {
                match due {
                    Due::Ping if now <= pongs_until => liveness.alive(ms(now)),
                    Due::Ping => {}
                    Due::Stalled(_) | Due::Silent | Due::Spent => {
                        seen.push((now, due));
                        return seen;
                    }
                }
            }
            assert!(liveness.wake_at().is_none_or(|at| at > ms(now)));
        }
        seen
    }

    #[test]
    fn nobody_ever_answers() {
        let mut liveness = begun(ms(10));
        assert_eq!(run(&mut liveness, 10, 5000, 0), [(1910, Due::Spent)]);
        assert_eq!(liveness.left(ms(1910)), ms(0));
    }

    #[test]
    fn a_listener_is_healthy() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(100), None);
        assert_eq!(run(&mut liveness, 100, 60_000, 60_000), []);
    }

    #[test]
    fn an_accepted_socket_without_life_stalls() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(100), None);
        assert_eq!(run(&mut liveness, 100, 5000, 0), [(1600, Due::Stalled(ms(100)))]);
        liveness.lost(ms(100));
        assert_eq!(liveness.left(ms(1600)), ms(300), "the wait goes on");
        assert_eq!(run(&mut liveness, 1600, 5000, 0), [(1900, Due::Spent)]);
    }

    #[test]
    fn a_second_accepted_socket_without_life_is_not_waited_for() {
        let mut liveness = begun(ms(0));
        liveness.lost(ms(1000));
        liveness.opened(ms(1001), None);
        assert_eq!(run(&mut liveness, 1001, 5000, 0), [(1900, Due::Spent)]);
    }

    #[test]
    fn a_runtime_lost_in_the_call_gives_the_next_its_time() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(100), None);
        assert_eq!(run(&mut liveness, 100, 30_000, 30_000), []);
        liveness.lost(ms(30_000));
        assert_eq!(run(&mut liveness, 30_000, 60_000, 0), [(31_900, Due::Spent)]);
    }

    #[test]
    fn short_lives_do_not_stretch_the_wait() {
        let mut liveness = begun(ms(0));
        for at in [100, 600, 1100, 1600] {
            liveness.opened(ms(at), None);
            liveness.alive(ms(at + 10));
            liveness.lost(ms(at + 20));
        }
        assert_eq!(run(&mut liveness, 1620, 5000, 0), [(1900, Due::Spent)]);
    }

    #[test]
    fn a_stall_in_the_call_counts_from_the_last_sign_of_life() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(0), None);
        liveness.heard();
        assert_eq!(run(&mut liveness, 0, 60_000, 10_000), [(11_500, Due::Stalled(ms(10_000)))]);
        liveness.lost(ms(10_000));
        assert_eq!(liveness.left(ms(11_500)), ms(400));
    }

    #[test]
    fn not_reading_excuses_silence() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(0), None);
        liveness.heard();
        liveness.excuse(ms(1400));
        assert_eq!(run(&mut liveness, 1400, 9000, 0), [(2900, Due::Stalled(ms(1400)))]);
    }

    #[test]
    fn audio_may_be_asked_for() {
        let mut liveness = begun(ms(0));
        liveness.opened(ms(100), Some(ms(3000)));
        assert_eq!(run(&mut liveness, 100, 60_000, 60_000), [(3100, Due::Silent)]);
        liveness.opened(ms(4000), Some(ms(3000)));
        liveness.heard();
        assert_eq!(run(&mut liveness, 4000, 60_000, 60_000), []);
    }

    #[test]
    fn before_the_carrier_is_there_nobody_waits() {
        let mut liveness = Liveness::new();
        assert_eq!(liveness.wake_at(), None);
        liveness.opened(ms(0), Some(ms(3000)));
        assert_eq!(run(&mut liveness, 0, 60_000, 50_000), [(51_500, Due::Stalled(ms(50_000)))]);
        liveness.lost(ms(50_000));
        assert_eq!((liveness.wake_at(), liveness.left(ms(51_500))), (None, SILENCE_MAX));
        // The next one is opened, and both of its times begin with the carrier's stream.
        liveness.opened(ms(52_000), Some(ms(3000)));
        assert_eq!(run(&mut liveness, 52_000, 59_999, 60_000), []);
        liveness.begin(ms(60_000));
        assert_eq!(liveness.left(ms(60_500)), ms(1400));
        assert_eq!(run(&mut liveness, 60_000, 90_000, 90_000), [(63_000, Due::Silent)]);
    }

    #[test]
    fn a_runtime_without_life_gets_no_more_than_the_caller_has() {
        let mut liveness = Liveness::new();
        liveness.opened(ms(1000), None);
        liveness.begin(ms(1001));
        assert_eq!(run(&mut liveness, 1001, 9000, 0), [(2500, Due::Stalled(ms(1000)))]);
        liveness.lost(ms(1000));
        assert_eq!(run(&mut liveness, 2500, 9000, 0), [(2901, Due::Spent)]);
    }
}

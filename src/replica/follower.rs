//! Follows the log's two streams: frames in, a change to apply and a request to send out.
//!
//! What is known is never cleared: it is changed by entries that follow it without a gap, or
//! replaced by a whole snapshot. It lets nothing through that it has not
//! verified, and never knows who carries the frames.

use super::feed::{Frame, NackCause, Request};
use super::log::{Break, Cursor, Entry, Stream};
use super::wire;
use crate::index::{Counts, Delta, Index, Writer};

/// From this many things on, a snapshot with fewer than half of them is refused. Writes and
/// retention take things away little by little and come as entries; to lose half between two
/// snapshots means a store that was emptied, cut off or mixed up with another, and stale routes
/// beat no routes. Below it, a test installation may well have been cleared by hand. Who means it
/// restarts the follower, which then knows nothing it could lose.
const SUSPICIOUS_FROM: usize = 100;

/// Where we are in each stream, and what is being received.
#[derive(Debug, Default)]
pub struct Follower {
    control: Progress,
    touches: Progress,
}

#[derive(Debug, Default)]
struct Progress {
    cursor: Option<Cursor>,
    parts: Option<Parts>,
    /// The keeper said that our cursor is void: its next snapshot may be of another log.
    is_void: bool,
    /// We have asked for what is missing; frames that were under way are no reason to ask again.
    has_asked: bool,
}

/// A snapshot that is not whole yet.
#[derive(Debug)]
struct Parts {
    cursor: Cursor,
    next: u32,
    deltas: Vec<Delta>,
}

/// What comes of a frame: first apply, then send.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// To be applied to the index.
    pub change: Option<Change>,
    /// To be sent once it is applied.
    pub reply: Option<Request>,
}

/// A change to the index.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// The deltas of one or more entries, in order.
    Apply(Vec<Delta>),
    /// A whole snapshot, in place of everything of its stream.
    Replace(Stream, Vec<Delta>),
}

impl Change {
    /// Applies it.
    pub fn apply(&self, writer: &mut Writer) {
        match self {
            Self::Apply(deltas) => writer.apply(deltas),
            Self::Replace(Stream::Control, deltas) => writer.replace_directory(deltas),
            Self::Replace(Stream::Touches, deltas) => writer.replace_touches(deltas),
        }
    }
}

impl Follower {
    /// One that has the touches already, up to a place.
    #[must_use]
    pub fn knowing(touches: Cursor) -> Self {
        let touches = Progress { cursor: Some(touches), ..Progress::default() };
        Self { touches, ..Self::default() }
    }

    /// One that knows nothing of a stream.
    #[must_use]
    pub fn without(mut self, stream: Stream) -> Self {
        *self.progress(stream) = Progress::default();
        self
    }

    /// What to send when a connection opens: where we are.
    #[must_use]
    pub fn hello(&self) -> [Request; 2] {
        Stream::ALL.map(|stream| Request::From { stream, cursor: self.cursor(stream) })
    }

    /// The last place applied; `None` before the first snapshot.
    #[must_use]
    pub const fn cursor(&self, stream: Stream) -> Option<Cursor> {
        match stream {
            Stream::Control => self.control.cursor,
            Stream::Touches => self.touches.cursor,
        }
    }

    /// Takes a frame and applies what comes of it; returns what to send.
    pub fn follow(&mut self, frame: Frame, index: &Index, writer: &mut Writer) -> Option<Request> {
        let Step { change, reply } =
            self.handle(frame, |stream| held(&index.view().counts(), stream));
        if let Some(change) = change {
            change.apply(writer);
        }
        reply
    }

    /// Takes a frame. `held` says how many things of a stream are known.
    pub fn handle(&mut self, frame: Frame, held: impl FnOnce(Stream) -> usize) -> Step {
        match frame {
            Frame::Snapshot { stream, cursor, part, deltas, last } => {
                let progress = self.progress(stream);
                match progress.collect(cursor, part, deltas) {
                    Collected::Nothing => Step::default(),
                    Collected::Refused => Step::nack(stream, NackCause::OtherEpoch),
                    Collected::Torn => progress.ask(stream),
                    Collected::Part if last => progress.replace(stream, held),
                    Collected::Part => Step::default(),
                }
            }
            Frame::Batch { stream, epoch, entries } => {
                let progress = self.progress(stream);
                match progress.cursor {
                    None => progress.ask(stream),
                    Some(cursor) if cursor.epoch != epoch => {
                        Step::nack(stream, NackCause::OtherEpoch)
                    }
                    Some(cursor) => progress.apply(stream, cursor, &entries),
                }
            }
            Frame::Beat { stream, head, at: _ } => {
                let progress = self.progress(stream);
                match progress.cursor {
                    Some(cursor) if cursor == head => Step::default(),
                    Some(cursor) if cursor.epoch != head.epoch => {
                        Step::nack(stream, NackCause::OtherEpoch)
                    }
                    // A beat comes when all is quiet: what we asked for before was lost.
                    Some(cursor) if cursor.seq == head.seq => {
                        progress.is_void = false;
                        progress.start_over(stream)
                    }
                    Some(_) | None => {
                        progress.has_asked = false;
                        progress.ask(stream)
                    }
                }
            }
            Frame::Resync { stream } => {
                let progress = self.progress(stream);
                progress.is_void = true;
                progress.parts = None;
                Step::default()
            }
        }
    }

    const fn progress(&mut self, stream: Stream) -> &mut Progress {
        match stream {
            Stream::Control => &mut self.control,
            Stream::Touches => &mut self.touches,
        }
    }
}

/// What becomes of a snapshot's part.
enum Collected {
    /// It is kept; if it is the last, the snapshot is whole.
    Part,
    /// It was seen before.
    Nothing,
    /// A part before it is missing.
    Torn,
    /// It is of another log.
    Refused,
}

impl Progress {
    fn collect(&mut self, cursor: Cursor, part: u32, deltas: Vec<Delta>) -> Collected {
        if let Some(known) = self.cursor.filter(|_| !self.is_void) {
            if known.epoch != cursor.epoch {
                return Collected::Refused;
            }
            if cursor.seq <= known.seq {
                return Collected::Nothing;
            }
        }
        match self.parts.as_mut().filter(|parts| parts.cursor == cursor) {
            Some(parts) if part < parts.next => Collected::Nothing,
            Some(parts) if part == parts.next => {
                parts.next += 1;
                parts.deltas.extend(deltas);
                Collected::Part
            }
            None if part == 0 => {
                self.parts = Some(Parts { cursor, next: 1, deltas });
                Collected::Part
            }
            Some(_) | None => {
                self.parts = None;
                Collected::Torn
            }
        }
    }

    fn replace(&mut self, stream: Stream, held: impl FnOnce(Stream) -> usize) -> Step {
        let Some(Parts { cursor, deltas, .. }) = self.parts.take() else { return Step::default() };
        let held = if self.cursor.is_some() { held(stream) } else { 0 };
        if held >= SUSPICIOUS_FROM && things(&deltas) < held / 2 {
            return Step::nack(stream, NackCause::Smaller);
        }
        *self = Self { cursor: Some(cursor), ..Self::default() };
        Step {
            change: Some(Change::Replace(stream, deltas)),
            reply: Some(Request::Ack { stream, seq: cursor.seq }),
        }
    }

    fn apply(&mut self, stream: Stream, mut cursor: Cursor, entries: &[Entry]) -> Step {
        let before = cursor.seq;
        let mut deltas = Vec::new();
        for entry in entries {
            match cursor.after(entry) {
                Ok(after) => match wire::decode(&entry.body) {
                    Ok(more) => {
                        deltas.extend(more);
                        cursor = after;
                    }
                    Err(_) => return Step::nack(stream, NackCause::Unreadable),
                },
                Err(Break::Seen) => {}
                Err(Break::Gap) => return self.ask(stream),
                Err(Break::Chain) => return self.start_over(stream),
            }
        }
        if cursor.seq == before {
            return Step::default();
        }
        self.cursor = Some(cursor);
        self.has_asked = false;
        Step {
            change: Some(Change::Apply(deltas)),
            reply: Some(Request::Ack { stream, seq: cursor.seq }),
        }
    }

    /// Asks for what follows the last place seen, once.
    fn ask(&mut self, stream: Stream) -> Step {
        if std::mem::replace(&mut self.has_asked, true) {
            return Step::default();
        }
        Step { change: None, reply: Some(Request::From { stream, cursor: self.cursor }) }
    }

    /// Asks for a snapshot, once: this history is not the one we know, though it has its name.
    fn start_over(&mut self, stream: Stream) -> Step {
        if std::mem::replace(&mut self.is_void, true) {
            return Step::default();
        }
        Step { change: None, reply: Some(Request::From { stream, cursor: None }) }
    }
}

impl Step {
    const fn nack(stream: Stream, cause: NackCause) -> Self {
        Self { change: None, reply: Some(Request::Nack { stream, cause }) }
    }
}

fn held(counts: &Counts, stream: Stream) -> usize {
    match stream {
        Stream::Control => counts.tenants + counts.accounts + counts.agents + counts.numbers,
        Stream::Touches => counts.contacts,
    }
}

/// How many things a snapshot puts; of touches at least as many as contacts.
fn things(deltas: &[Delta]) -> usize {
    deltas
        .iter()
        .map(|delta| match delta {
            Delta::Tenant(_) | Delta::Account(_) | Delta::Agent(_) | Delta::Number(_) => 1,
            Delta::Touches(touches) | Delta::Contact { touches, .. } => touches.len(),
            Delta::TenantRemoved(_)
            | Delta::AccountRemoved(_)
            | Delta::AgentRemoved(_)
            | Delta::NumberRemoved(_)
            | Delta::MediaKeys(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{AgentId, UnixMillis};

    const CONTROL: Stream = Stream::Control;

    fn origin(epoch: u128) -> Cursor {
        Cursor::origin(Uuid::from_u128(epoch))
    }

    fn delta(n: u128) -> Delta {
        Delta::AgentRemoved(AgentId(Uuid::from_u128(n)))
    }

    /// The first `count` entries of a log; entry n removes agent n.
    fn log(start: Cursor, count: u128) -> Vec<Entry> {
        let mut cursor = start;
        let entry = |n| {
            let entry = Entry::next(&cursor, wire::encode(&[delta(n)]).into());
            cursor = entry.cursor(cursor.epoch);
            entry
        };
        (1..=count).map(entry).collect()
    }

    fn batch(epoch: u128, entries: &[Entry]) -> Frame {
        Frame::Batch { stream: CONTROL, epoch: Uuid::from_u128(epoch), entries: entries.to_vec() }
    }

    fn snapshot(cursor: Cursor, part: u32, deltas: Vec<Delta>, last: bool) -> Frame {
        Frame::Snapshot { stream: CONTROL, cursor, part, deltas, last }
    }

    /// A follower that has taken an empty snapshot of log 1.
    fn started() -> Follower {
        let mut follower = Follower::default();
        check(&mut follower, snapshot(origin(1), 0, vec![], true), Some(&[]), ack(0));
        follower
    }

    fn ack(seq: u64) -> Option<Request> {
        Some(Request::Ack { stream: CONTROL, seq })
    }

    fn from(cursor: Option<Cursor>) -> Option<Request> {
        Some(Request::From { stream: CONTROL, cursor })
    }

    fn nack(cause: NackCause) -> Option<Request> {
        Some(Request::Nack { stream: CONTROL, cause })
    }

    #[track_caller]
    fn check_held(
        follower: &mut Follower,
        held: usize,
        frame: Frame,
        applied: Option<&[u128]>,
        reply: Option<Request>,
    ) {
        let before = follower.cursor(CONTROL);
        let step = follower.handle(frame, |_| held);
        let deltas = step.change.map(|change| match change {
            Change::Apply(deltas) | Change::Replace(_, deltas) => deltas,
        });
        let expected = applied.map(|ids| ids.iter().map(|id| delta(*id)).collect());
        assert_eq!((deltas, step.reply), (expected, reply));
        assert!(applied.is_some() || follower.cursor(CONTROL) == before, "moved for nothing");
    }

    #[track_caller]
    fn check(
        follower: &mut Follower,
        frame: Frame,
        applied: Option<&[u128]>,
        reply: Option<Request>,
    ) {
        check_held(follower, 0, frame, applied, reply);
    }

    #[test]
    fn entries_are_applied_in_order_and_once() {
        let (mut follower, log) = (started(), log(origin(1), 4));
        check(&mut follower, batch(1, &log[..2]), Some(&[1, 2]), ack(2));
        check(&mut follower, batch(1, &log[..2]), None, None);
        check(&mut follower, batch(1, &log[1..3]), Some(&[3]), ack(3));
        check(&mut follower, batch(1, &log), Some(&[4]), ack(4));
    }

    #[test]
    fn a_gap_is_asked_for_once_and_again_at_each_beat() {
        let (mut follower, log) = (started(), log(origin(1), 3));
        check(&mut follower, batch(1, &log[1..2]), None, from(Some(origin(1))));
        check(&mut follower, batch(1, &log[2..]), None, None);
        let head = log[2].cursor(origin(1).epoch);
        let beat = Frame::Beat { stream: CONTROL, head, at: UnixMillis(0) };
        check(&mut follower, beat.clone(), None, from(Some(origin(1))));
        check(&mut follower, batch(1, &log), Some(&[1, 2, 3]), ack(3));
        check(&mut follower, beat, None, None);
    }

    #[test]
    fn a_batch_with_a_gap_inside_is_not_applied_in_part() {
        let (mut follower, log) = (started(), log(origin(1), 3));
        let torn = [log[0].clone(), log[2].clone()];
        check(&mut follower, batch(1, &torn), None, from(Some(origin(1))));
    }

    #[test]
    fn a_wrong_chain_applies_nothing_and_starts_over() {
        let (mut follower, mut log) = (started(), log(origin(1), 3));
        log[1].body = Bytes::from(wire::encode(&[delta(9)]));
        check(&mut follower, batch(1, &log), None, from(None));
        // Another history of the same name is taken whole, even where it is shorter.
        let other = super::tests::log(origin(3), 1);
        let cursor = Cursor { epoch: origin(1).epoch, ..other[0].cursor(origin(1).epoch) };
        check(&mut follower, snapshot(cursor, 0, vec![delta(7)], true), Some(&[7]), ack(1));
    }

    #[test]
    fn another_log_is_refused_until_the_keeper_says_so() {
        let mut follower = started();
        let other = log(origin(2), 1);
        let head = other[0].cursor(origin(2).epoch);
        let beat = Frame::Beat { stream: CONTROL, head, at: UnixMillis(0) };
        check(&mut follower, batch(2, &other), None, nack(NackCause::OtherEpoch));
        check(&mut follower, beat, None, nack(NackCause::OtherEpoch));
        let whole = snapshot(head, 0, vec![delta(5)], true);
        check(&mut follower, whole.clone(), None, nack(NackCause::OtherEpoch));
        check(&mut follower, Frame::Resync { stream: CONTROL }, None, None);
        check(&mut follower, whole, Some(&[5]), ack(1));
    }

    #[test]
    fn a_snapshot_is_applied_whole_or_not_at_all() {
        let mut follower = Follower::default();
        let at = log(origin(1), 1)[0].cursor(origin(1).epoch);
        check(&mut follower, batch(1, &log(origin(1), 1)), None, from(None));
        check(&mut follower, snapshot(at, 0, vec![delta(1)], false), None, None);
        check(&mut follower, snapshot(at, 0, vec![delta(1)], false), None, None);
        // Part 1 is lost.
        check(&mut follower, snapshot(at, 2, vec![delta(3)], true), None, None);
        check(&mut follower, snapshot(at, 0, vec![delta(1)], false), None, None);
        check(&mut follower, snapshot(at, 1, vec![delta(2)], false), None, None);
        check(&mut follower, snapshot(at, 2, vec![delta(3)], true), Some(&[1, 2, 3]), ack(1));
        check(&mut follower, snapshot(at, 2, vec![delta(3)], true), None, None);
    }

    #[test]
    fn a_suspiciously_smaller_snapshot_is_refused() {
        let mut follower = started();
        let at = log(origin(1), 1)[0].cursor(origin(1).epoch);
        let frame = snapshot(at, 0, vec![delta(1)], true);
        check_held(&mut follower, 100, frame.clone(), None, nack(NackCause::Smaller));
        check_held(&mut follower, 99, frame, Some(&[1]), ack(1));
    }

    #[test]
    fn a_body_that_cannot_be_read_stops_us_where_we_are() {
        let mut follower = started();
        let entry = Entry::next(&origin(1), Bytes::from_static(b"[{\"spaceship\":1}]"));
        check(&mut follower, batch(1, &[entry]), None, nack(NackCause::Unreadable));
    }
}

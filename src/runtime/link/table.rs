//! The calls of one link, and what waits to be sent on it. It has no socket: [`super::carry`] has.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::media::lent::Pool;
use crate::runtime::websocket::CLOSE_NORMAL;
use crate::telemetry::metrics::{self, MediaDirection};

/// Calls on one link: past it another link is made. A process that speaks for more at once is not
/// one process any more.
pub(super) const CALLS_MAX: usize = 2000;

/// What a runtime may have said in one call that was not yet taken, in bytes of messages: some
/// twenty seconds of mu-law. It is told when some was taken; who says more is closed.
pub(super) const WINDOW_LEN: usize = 256 * 1024;

/// After so much of it was taken, the runtime is told.
const CREDIT_LEN: usize = WINDOW_LEN / 4;

/// What may wait to be sent for all calls together: a second of two hundred calls, twenty
/// milliseconds of all that a link may have. Past it a call is not written to, and its oldest
/// audio goes as on a socket of its own.
pub(super) const OUT_LEN_MAX: usize = 1024 * 1024;

/// The longest message of the websocket: what common libraries take, and more.
pub(super) const MESSAGE_LEN_MAX: usize = 256 * 1024;

/// RFC 6455 §7.4.1: against what was agreed on.
const CLOSE_POLICY: u16 = 1008;

/// Why nothing comes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection has ended or broken.
    Over,
    /// It has shown no life since then.
    Stalled(Instant),
}

/// What a call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A message: [`Lines::last`].
    Message,
    /// The runtime closes the call.
    Closed(u16),
    /// The link is no more.
    Ended(End),
}

/// Messages that a call has fetched, and takes one after the other.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// Where the one is that was taken last.
    last: Range<usize>,
    /// What was taken since the table was told, in bytes of messages.
    taken_len: usize,
}

/// Memory that a link keeps for what its calls are yet to take: as much as may wait to be sent. It
/// is lent to who has something, so that a call has none of its own.
const SPARE_MAX: usize = OUT_LEN_MAX;

/// The longest text of it: half a second of a call's frames.
const SPARE_LEN_MAX: usize = 8 * 1024;

/// That memory.
#[derive(Debug)]
struct Spare(Pool);

impl Default for Spare {
    fn default() -> Self {
        Self(Pool::new(SPARE_MAX, SPARE_LEN_MAX))
    }
}

impl Spare {
    fn take(&mut self) -> String {
        String::from_utf8(self.0.take()).unwrap_or_default()
    }

    fn give_back(&mut self, mut text: String) {
        text.clear();
        self.0.give_back(text.into_bytes());
    }
}

impl Lines {
    /// The message that was taken last.
    pub(super) fn last(&self) -> &str {
        self.text.get(self.last.clone()).unwrap_or_default()
    }

    /// Takes the next; whether there is one.
    fn advance(&mut self) -> bool {
        let start = if self.last.is_empty() { 0 } else { self.last.end + 1 };
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(len) = rest.find('\n') else { return false };
        self.last = start..start + len;
        self.taken_len += len;
        true
    }

    /// Fetches what came; whether there is anything.
    fn fetch(&mut self, inbox: &mut String, spare: &mut Spare) -> bool {
        self.last = 0..0;
        spare.give_back(std::mem::replace(&mut self.text, std::mem::take(inbox)));
        self.advance()
    }
}

/// All calls of a link.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    calls: HashMap<u32, Call, RandomState>,
    spare: Spare,
    last: u32,
    out: String,
    /// Who writes, where it waits for something to be written.
    writer: Option<Waker>,
    /// The calls that wait for room.
    blocked: Vec<u32>,
    end: Option<End>,
}

#[derive(Debug, Default)]
struct Call {
    /// What came and was not fetched, in lines.
    inbox: String,
    /// What came and was not taken, in bytes of messages.
    inbox_len: usize,
    /// What was taken, and the runtime not told of.
    taken_len: usize,
    is_accepted: bool,
    closed: Option<u16>,
    /// It waits for room.
    is_blocked: bool,
    waker: Option<Waker>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another call, of which `about` tells the runtime. None where the link is over or full.
    pub(super) fn open(&self, about: &str) -> Option<u32> {
        let mut state = self.lock();
        // Numbers are not used again, so that what comes late is of nobody.
        if state.end.is_some() || state.calls.len() >= CALLS_MAX || state.last == u32::MAX {
            return None;
        }
        state.last += 1;
        let number = state.last;
        state.calls.insert(number, Call::default());
        let writer = state.line(number, &["open ", about]);
        drop(state);
        wake(writer);
        Some(number)
    }

    /// Whether the runtime takes the call.
    pub(super) fn poll_accepted(&self, number: u32, cx: &Context<'_>) -> Poll<Result<bool, End>> {
        let mut state = self.lock();
        let end = state.end;
        match (state.calls.get_mut(&number), end) {
            (Some(call), _) if call.is_accepted => Poll::Ready(Ok(true)),
            (_, Some(end)) => Poll::Ready(Err(end)),
            (Some(call), None) if call.closed.is_none() => {
                note(&mut call.waker, cx);
                Poll::Pending
            }
            (Some(_) | None, None) => Poll::Ready(Ok(false)),
        }
    }

    /// What a call is told next; a message is the last of `lines`.
    pub(super) fn poll_told(&self, number: u32, lines: &mut Lines, cx: &Context<'_>) -> Poll<Told> {
        if lines.taken_len < CREDIT_LEN && lines.advance() {
            return Poll::Ready(Told::Message);
        }
        let mut state = self.lock();
        let State { calls, spare, end, .. } = &mut *state;
        let end = *end;
        let Some(call) = calls.get_mut(&number) else {
            return Poll::Ready(Told::Ended(end.unwrap_or(End::Over)));
        };
        let taken_len = std::mem::take(&mut lines.taken_len);
        call.inbox_len -= taken_len;
        call.taken_len += taken_len;
        let is_told = lines.advance() || lines.fetch(&mut call.inbox, spare);
        if !is_told && call.closed.is_none() && end.is_none() {
            note(&mut call.waker, cx);
        }
        let closed = call.closed;
        if call.taken_len >= CREDIT_LEN {
            let credit = std::mem::take(&mut call.taken_len).to_string();
            let writer = state.line(number, &["credit ", &credit]);
            drop(state);
            wake(writer);
        }
        match (closed, end) {
            _ if is_told => Poll::Ready(Told::Message),
            (Some(code), _) => Poll::Ready(Told::Closed(code)),
            (None, Some(end)) => Poll::Ready(Told::Ended(end)),
            (None, None) => Poll::Pending,
        }
    }

    /// Whether a call may say something; `false`: the link is over.
    pub(super) fn poll_room(&self, number: u32, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let State { calls, out, blocked, end, .. } = &mut *state;
        if end.is_some() {
            return Poll::Ready(false);
        }
        if out.len() < OUT_LEN_MAX {
            return Poll::Ready(true);
        }
        // What one says that is over is not kept.
        let Some(call) = calls.get_mut(&number) else { return Poll::Ready(true) };
        note(&mut call.waker, cx);
        if !std::mem::replace(&mut call.is_blocked, true) {
            blocked.push(number);
        }
        Poll::Pending
    }

    /// A call says something.
    pub(super) fn say(&self, number: u32, message: &str) {
        let mut state = self.lock();
        if !state.calls.contains_key(&number) {
            return;
        }
        let writer = if message.contains('\n') {
            // Between a message's words a line's end is a blank like others; within one there is
            // none (RFC 8259 §7).
            state.line(number, &[&message.replace('\n', " ")])
        } else {
            state.line(number, &[message])
        };
        drop(state);
        wake(writer);
    }

    /// A call is over, for this reason; nothing that comes of it is heard any more.
    pub(super) fn close(&self, number: u32, code: u16) {
        let mut state = self.lock();
        if state.calls.remove(&number).is_some_and(|call| call.closed.is_none()) {
            let writer = state.line(number, &["close ", &code.to_string()]);
            drop(state);
            wake(writer);
        }
    }

    /// Puts what is to be sent next into `batch`; `false`: nothing is, for now. Those who are to be
    /// woken are put into `wakers`.
    pub(super) fn take(
        &self,
        batch: &mut String,
        wakers: &mut Vec<Waker>,
        cx: &Context<'_>,
    ) -> bool {
        let mut state = self.lock();
        batch.clear();
        if state.out.is_empty() {
            note(&mut state.writer, cx);
            return false;
        }
        if state.out.len() <= MESSAGE_LEN_MAX {
            std::mem::swap(&mut state.out, batch);
        } else {
            let up_to = state.out.as_bytes().get(..MESSAGE_LEN_MAX).unwrap_or_default();
            let end = up_to.iter().rposition(|byte| *byte == b'\n');
            let end = end.or_else(|| state.out.find('\n')).map_or(state.out.len(), |at| at + 1);
            batch.push_str(state.out.get(..end).unwrap_or_default());
            state.out.drain(..end);
        }
        let State { calls, out, blocked, .. } = &mut *state;
        if out.len() < OUT_LEN_MAX {
            for number in blocked.drain(..) {
                let Some(call) = calls.get_mut(&number) else { continue };
                call.is_blocked = false;
                wakers.extend(call.waker.take());
            }
        }
        true
    }

    /// Takes a message of the runtime. Those who are to be woken are put into `wakers`.
    pub(super) fn hear(&self, message: &str, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let mut strangers = 0;
        for line in message.split('\n').filter(|line| !line.is_empty()) {
            let parts = line.split_once(' ').and_then(|(n, rest)| Some((n.parse().ok()?, rest)));
            let is_known = parts.is_some_and(|(number, rest)| state.hear(number, rest, wakers));
            strangers += u64::from(!is_known);
        }
        drop(state);
        if strangers > 0 {
            metrics::media_dropped(MediaDirection::ToCarrier, "no_call", strangers);
        }
    }

    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// Nothing comes any more: all calls are told, and no other is opened.
    pub(super) fn end(&self, end: End) {
        let mut state = self.lock();
        state.end = Some(end);
        let wakers = state.calls.values_mut().filter_map(|call| call.waker.take());
        let wakers: Vec<_> = wakers.collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Writes a line; whom to wake when the lock is free again.
    fn line(&mut self, number: u32, parts: &[&str]) -> Option<Waker> {
        let _ = write!(self.out, "{number} ");
        parts.iter().for_each(|part| self.out.push_str(part));
        self.out.push('\n');
        self.writer.take()
    }

    /// Takes what is said of a call; `false`: there is none, or it is nothing.
    fn hear(&mut self, number: u32, said: &str, wakers: &mut Vec<Waker>) -> bool {
        let Self { calls, spare, .. } = self;
        let Some(call) = calls.get_mut(&number) else { return false };
        if call.closed.is_some() {
            return false;
        }
        if said.starts_with('{') {
            if call.inbox_len + said.len() > WINDOW_LEN {
                call.closed = Some(CLOSE_POLICY);
                wakers.extend(call.waker.take());
                wakers.extend(self.line(number, &["close ", &CLOSE_POLICY.to_string()]));
                return false;
            }
            call.inbox_len += said.len();
            if call.inbox.capacity() == 0 {
                call.inbox = spare.take();
            }
            call.inbox.push_str(said);
            call.inbox.push('\n');
        } else {
            let (word, argument) = said.split_once(' ').unwrap_or((said, ""));
            match (word, argument.trim().parse()) {
                ("accept", _) => call.is_accepted = true,
                ("close", Ok(code)) => call.closed = Some(code),
                ("close", Err(_)) => call.closed = Some(CLOSE_NORMAL),
                _ => return false,
            }
        }
        wakers.extend(call.waker.take());
        true
    }
}

/// Remembers whom to wake.
fn note(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

//! The calls of one link, and what waits to be sent on it. It has no socket: [`super::carry`] has.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use foldhash::fast::RandomState;

use crate::media::texts::Texts;
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
const MESSAGE_LEN_MAX: usize = 256 * 1024;

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
    /// A message, which was put where it was asked for.
    Message,
    /// The runtime closes the call.
    Closed(u16),
    /// The link is no more.
    Ended(End),
}

/// All calls of a link.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    calls: HashMap<u32, Call, RandomState>,
    last: u32,
    out: String,
    /// Who writes, where it waits for something to be written.
    writer: Option<Waker>,
    /// Who waits for room.
    blocked: Vec<Waker>,
    end: Option<End>,
}

#[derive(Debug, Default)]
struct Call {
    inbox: Texts<()>,
    inbox_len: usize,
    /// What was taken, and the runtime not told of.
    taken_len: usize,
    is_accepted: bool,
    closed: Option<u16>,
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

    /// What a call is told next; the text of a message is put into `into`.
    pub(super) fn poll_told(&self, number: u32, into: &mut String, cx: &Context<'_>) -> Poll<Told> {
        let mut state = self.lock();
        let end = state.end;
        let Some(call) = state.calls.get_mut(&number) else {
            return Poll::Ready(Told::Ended(end.unwrap_or(End::Over)));
        };
        if call.inbox.pop_into(into) {
            call.inbox_len -= into.len();
            call.taken_len += into.len();
            let mut writer = None;
            if call.taken_len >= CREDIT_LEN {
                let credit = std::mem::take(&mut call.taken_len).to_string();
                writer = state.line(number, &["credit ", &credit]);
            }
            drop(state);
            wake(writer);
            return Poll::Ready(Told::Message);
        }
        match (call.closed, end) {
            (Some(code), _) => Poll::Ready(Told::Closed(code)),
            (None, Some(end)) => Poll::Ready(Told::Ended(end)),
            (None, None) => {
                note(&mut call.waker, cx);
                Poll::Pending
            }
        }
    }

    /// Whether a call may say something; `false`: the link is over.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.end.is_some() {
            return Poll::Ready(false);
        }
        if state.out.len() < OUT_LEN_MAX {
            return Poll::Ready(true);
        }
        if !state.blocked.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.blocked.push(cx.waker().clone());
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

    /// Puts what is to be sent next into `batch`; `false`: nothing is, for now.
    pub(super) fn take(&self, batch: &mut String, cx: &Context<'_>) -> bool {
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
            batch.extend(state.out.drain(..end));
        }
        let blocked = if state.out.len() < OUT_LEN_MAX {
            std::mem::take(&mut state.blocked)
        } else {
            Vec::new()
        };
        drop(state);
        blocked.into_iter().for_each(Waker::wake);
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
        let State { calls, blocked, .. } = &mut *state;
        let wakers = calls.values_mut().filter_map(|call| call.waker.take());
        let wakers: Vec<_> = wakers.chain(blocked.drain(..)).collect();
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
        let Some(call) = self.calls.get_mut(&number) else { return false };
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
            call.inbox.push((), |text| text.push_str(said));
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

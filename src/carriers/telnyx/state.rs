//! What a command leaves on a leg, to come back with every later event of it (`client_state`): the
//! step of ours that is due when the command is done, and what a process that has been started
//! since would have to know of the call.

use std::borrow::Cow;

use base64_simd::STANDARD;

use crate::domain::Direction;

/// Marks a state as ours: a dialer of the account's may have left one of its own.
const MARK: &str = "switchback";

/// Which command left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// By picking up, to ask once that is done.
    PickUp,
    /// By a media stream, to ask once it is over.
    Stream,
    /// By speech, to ask once it is over.
    Speech,
    /// By dialling on, at the leg that is dialled: to ask once that is over.
    Dial,
    /// By placing a call: to ask once somebody has answered.
    Call,
}

/// A state of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State<'s> {
    pub(super) left: Left,
    /// Which way the call goes, not the leg.
    pub(super) direction: Direction,
    /// Somebody had picked up when it was left.
    pub(super) is_answered: bool,
    /// The leg that was dialled on from; empty where the leg itself is meant.
    pub(super) parent: Cow<'s, str>,
    /// The URL of the step.
    pub(super) step: Cow<'s, str>,
}

impl State<'_> {
    /// As it is given to the carrier.
    pub(super) fn write(&self) -> String {
        let left = match self.left {
            Left::PickUp => 'p',
            Left::Stream => 's',
            Left::Speech => 'k',
            Left::Dial => 'd',
            Left::Call => 'c',
        };
        let direction = match self.direction {
            Direction::Inbound => 'i',
            Direction::Outbound => 'o',
        };
        let answered = if self.is_answered { 'a' } else { 'r' };
        let Self { parent, step, .. } = self;
        let text = format!("{MARK} {left}{direction}{answered} {parent} {step}");
        STANDARD.encode_to_string(text)
    }
}

/// Reads what comes back. None: it is not ours.
pub(super) fn read(text: &str) -> Option<State<'static>> {
    let text = String::from_utf8(STANDARD.decode_to_vec(text).ok()?).ok()?;
    let mut words = text.split(' ');
    if words.next() != Some(MARK) {
        return None;
    }
    let (flags, parent, step) = (words.next()?, words.next()?, words.next()?);
    let mut flags = flags.chars();
    let left = match flags.next()? {
        'p' => Left::PickUp,
        's' => Left::Stream,
        'k' => Left::Speech,
        'd' => Left::Dial,
        'c' => Left::Call,
        _ => return None,
    };
    let direction = match flags.next()? {
        'i' => Direction::Inbound,
        'o' => Direction::Outbound,
        _ => return None,
    };
    let is_answered = flags.next()? == 'a';
    let (parent, step) = (Cow::Owned(parent.to_owned()), Cow::Owned(step.to_owned()));
    Some(State { left, direction, is_answered, parent, step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_comes_back() {
        for left in [Left::PickUp, Left::Stream, Left::Speech, Left::Dial, Left::Call] {
            for (direction, is_answered, parent) in
                [(Direction::Inbound, true, ""), (Direction::Outbound, false, "v3:abc_-")]
            {
                let step = "https://edge.example.com/carriers/main/resume?call=1&attempt=2";
                let state = State {
                    left,
                    direction,
                    is_answered,
                    parent: parent.into(),
                    step: step.into(),
                };
                assert_eq!(read(&state.write()), Some(state));
            }
        }
        for foreign in ["", "eyJsZWFkIjogIkwtNDQ2MSJ9", "!", "c3dpdGNoYmFjaw=="] {
            assert_eq!(read(foreign), None, "{foreign:?}");
        }
    }
}

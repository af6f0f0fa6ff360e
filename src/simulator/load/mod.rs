//! Load: requests at the times they were meant for, whatever becomes of the ones before.
//!
//! Arrival is open: a plan names each request's time beforehand, and its latency counts from that
//! time, so that a server which stops is seen to stop for everybody who would have come meanwhile
//! (what leaves those out is known as coordinated omission). How long the answer itself took is
//! kept besides, and so is how late the generator was and how busy: its own weakness must not pass
//! for the server's. It never decides whether a figure is good.

mod calls;
mod echo;
mod engine;
mod feed;
mod own;
mod pairs;
mod plan;
mod sound;
mod talks;
mod tally;
mod timer;
mod wire;

pub use calls::{Caller, Calls, holds};
pub use echo::echo;
pub use engine::{Check, Live, Ready, Settings, Source, run};
pub use feed::{Feed, Maker, feed};
pub use own::{Busy, Suspicion};
pub use pairs::{Pairs, Span};
pub use plan::{Pace, Plan};
pub use sound::{Second, Sound};
pub use talks::{TalkSettings, talk};
pub use tally::{Mishap, Moment, Tally, micros};
pub use wire::{Answer, Place, written};

#[cfg(test)]
mod tests;

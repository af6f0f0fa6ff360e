//! A carrier and agents' runtimes, played by us: for `demo`, `call` and tests.
//!
//! It meets the daemon as strangers do, over real sockets and with real signatures, and never
//! calls into it.

pub mod audio;
mod exchange;
mod form;
mod leg;
mod market;
mod play;
mod post;
mod rest;
mod runtime;
mod stream;
pub mod twiml;

pub use exchange::{Delivery, Exchange, Fault, Owned, Person, Pickup, Ringing, Settings, Voice};
pub use leg::{Ending, Facts, Leg, Moment, State, What};
pub use post::{Reach, Reply, Sent, Signer};
pub use runtime::{Behaviour, Runtime, Served};

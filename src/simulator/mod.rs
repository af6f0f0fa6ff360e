//! A carrier and agents' runtimes, played by us: for `demo`, `call`, `load` and tests.
//!
//! It meets the daemon as strangers do, over real sockets and with real signatures, and never
//! calls into it.

pub mod audio;
mod exchange;
mod leg;
pub mod load;
mod peers;
mod play;
mod post;
mod runtime;
mod talk;
mod verb;

pub use exchange::{
    Delivery, Exchange, Fault, Mishap, Owned, Person, Pickup, Ringing, Settings, Voice,
    open_account,
};
pub use leg::{Ending, Facts, Leg, Moment, State, What, Who};
pub use post::{Reach, Reply, Sent, Signer};
pub use runtime::{Behaviour, Runtime, Served};
pub use verb::{Dial, Problem, Step, Stream, Verb};

//! The only clock, the counters and the log's manners. Pure layers do not know it exists.

pub mod clock;
pub mod log;
pub mod metrics;
pub mod redact;
pub mod timer;

//! Carries the log's frames to the replica, and says how far it has come; and brings what hosted
//! control APIs say into the store. It never interprets a frame.

pub mod local;
pub mod snapshots;
pub mod upstream;

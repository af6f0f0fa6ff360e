//! Carries the log's frames to the replica, and says how far it has come. It never interprets them.

pub mod local;

//! The protocol that Twilio shaped and others took over: parameters of webhooks, documents, and the
//! REST API's resources. It never knows whose it is: what differs is an argument.

pub mod answer;
pub mod commands;
pub mod numbers;
pub mod signature;
pub mod webhook;

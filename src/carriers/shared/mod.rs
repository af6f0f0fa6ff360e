//! What several rooms need. It never knows which room asks.

pub mod credentials;
pub mod diagnosis;
pub mod form;
pub mod hmac;
pub mod party;
pub mod query;
pub mod request;
pub mod speech;
pub mod twiml;
pub mod xml;

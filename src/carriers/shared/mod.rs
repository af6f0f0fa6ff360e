//! What several rooms need. It never knows which room asks.

pub mod diagnosis;
pub mod form;
pub mod hmac;
pub mod request;
pub mod xml;

//! How requests to a carrier's API say who asks.

use base64_simd::STANDARD;

use crate::domain::Secret;

/// The header of basic authentication (RFC 7617).
#[must_use]
pub fn basic(user: &str, password: &str) -> Secret {
    let credentials = STANDARD.encode_to_string(format!("{user}:{password}"));
    Secret::new(format!("Basic {credentials}"))
}

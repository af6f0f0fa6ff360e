//! How far the network vouches for a caller's number.

use super::spelled;

spelled! {
    /// STIR/SHAKEN attestation (RFC 8588 §4). The order is trust: `None < C < B < A`.
    pub enum Attestation {
        /// Absent, failed, or anything but an exact passed A, B or C.
        None = "none",
        /// Gateway: the call entered the network here, nothing is known of its origin.
        C = "C",
        /// Partial: the customer is known, the right to the number is not.
        B = "B",
        /// Full: the customer is known and entitled to the number.
        A = "A",
    }
}

impl Attestation {
    /// Caller ID is not identity: only full attestation says that the caller owns the number.
    #[must_use]
    pub fn is_verified(self) -> bool {
        self == Self::A
    }
}

//! A number proven to be E.164. It never carries how it was spelled.

use std::{fmt, num::NonZeroU64, str::FromStr};

use super::UnknownWord;

/// A telephone number in E.164 (ITU-T E.164: a country code, at most fifteen digits in all).
///
/// Fifteen digits fit in 50 bits, so the value is an eight-byte key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(NonZeroU64);

impl E164 {
    /// Fewest digits accepted: shorter ones are short codes, which nobody calls back.
    pub const DIGITS_MIN: usize = 7;
    /// Most digits E.164 allows.
    pub const DIGITS_MAX: usize = 15;

    /// Reads `+14155550100`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('+').and_then(Self::from_digits)
    }

    /// Reads `14155550100`: some carriers leave out the plus.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let in_bounds = (Self::DIGITS_MIN..=Self::DIGITS_MAX).contains(&digits.len());
        if !in_bounds || digits.starts_with('0') {
            return None;
        }
        let mut value = 0_u64;
        for byte in digits.bytes() {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u64::from(byte - b'0');
        }
        NonZeroU64::new(value).map(Self)
    }

    /// The digits as one integer, at most 50 bits wide.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// The reverse of [`E164::as_u64`].
    #[must_use]
    #[inline]
    pub fn from_u64(value: u64) -> Option<Self> {
        (1_000_000..=999_999_999_999_999).contains(&value).then_some(())?;
        NonZeroU64::new(value).map(Self)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// Masked, so that a number cannot reach a log through `{:?}`.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+..{:04}", self.0.get() % 10_000)
    }
}

impl FromStr for E164 {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or(UnknownWord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        let parsed = E164::parse(text);
        assert_eq!(parsed.is_some(), accepted, "{text:?}");
        if let Some(number) = parsed {
            assert_eq!(number.to_string(), text);
            assert_eq!(E164::from_u64(number.as_u64()), Some(number));
        }
    }

    #[test]
    fn only_e164_is_accepted() {
        check("+14155550100", true);
        check("+4930901820", true);
        check("+1234567", true);
        check("+999999999999999", true);
        check("+9999999999999999", false);
        check("+123456", false);
        check("+04155550100", false);
        check("14155550100", false);
        check("+1415555010a", false);
        check("+1 4155550100", false);
        check("+٣٣٣٣٣٣٣٣", false);
        check("", false);
        check("+", false);
    }

    #[test]
    fn debug_shows_the_last_four_digits_only() {
        assert_eq!(format!("{:?}", E164::parse("+14155550100").unwrap()), "+..0100");
    }
}

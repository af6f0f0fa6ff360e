//! Who calls and who is called, in every spelling that carriers are known to pass on.

use crate::domain::{Ani, E164};

/// Words, and words typed on a keypad (ANONYMOUS, UNAVAILABLE, UNKNOWN, BLOCKED, RESTRICTED). The
/// latter parse as E.164, and would make one person of all.
const WITHHELD: [&str; 13] = [
    "",
    "anonymous",
    "unknown",
    "unavailable",
    "restricted",
    "private",
    "blocked",
    "withheld",
    "266696687",
    "86282452253",
    "8656696",
    "2562533",
    "7378742833",
];

/// Whether the text, with or without a plus before it, says that the caller hides.
fn is_withheld(text: &str) -> bool {
    let word = text.strip_prefix('+').unwrap_or(text);
    WITHHELD.iter().any(|withheld| word.eq_ignore_ascii_case(withheld))
}

/// Who calls. A bare number without a plus is a short code or worse, so never a contact.
#[must_use]
pub fn ani(text: &str) -> Ani {
    let text = text.trim();
    let bare = text.strip_prefix("whatsapp:").unwrap_or(text);
    if is_withheld(bare) {
        return Ani::Withheld;
    }
    E164::parse(bare).map_or(Ani::Unusable, Ani::Number)
}

/// Which number was dialled: `+1...`, `whatsapp:+1...`, or the user of `sip:+1...@host`.
#[must_use]
pub fn number(text: &str) -> Option<E164> {
    if let Some(address) = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) {
        let user = address.split_once('@')?.0;
        return E164::parse(user.split(';').next().unwrap_or_default());
    }
    E164::parse(text.strip_prefix("whatsapp:").unwrap_or(text))
}

/// The same, of carriers that write numbers without their plus, or with it.
pub mod plusless {
    use super::{Ani, E164, is_withheld};

    /// Who calls.
    #[must_use]
    pub fn ani(text: &str) -> Ani {
        let text = text.trim();
        if is_withheld(text) {
            return Ani::Withheld;
        }
        number(text).map_or(Ani::Unusable, Ani::Number)
    }

    /// Which number was dialled, or the user of `sip:1...@host`.
    #[must_use]
    pub fn number(text: &str) -> Option<E164> {
        match text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")) {
            Some(address) => digits(address.split(['@', ';']).next().unwrap_or_default()),
            None => digits(text),
        }
    }

    /// Digits with or without their plus.
    #[must_use]
    pub fn digits(text: &str) -> Option<E164> {
        E164::from_digits(text.strip_prefix('+').unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_keypad_words_hide_a_caller() {
        for text in ["", "+", "Anonymous", "RESTRICTED", "+266696687", "7378742833"] {
            assert!(is_withheld(text), "{text:?}");
        }
        for text in ["+14155550117", "14155550117", "anonymous caller", "client:ann"] {
            assert!(!is_withheld(text), "{text:?}");
        }
    }
}

//! Callers who hide their number, in every spelling that carriers are known to pass on.

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
#[must_use]
pub fn is_withheld(text: &str) -> bool {
    let word = text.strip_prefix('+').unwrap_or(text);
    WITHHELD.iter().any(|withheld| word.eq_ignore_ascii_case(withheld))
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

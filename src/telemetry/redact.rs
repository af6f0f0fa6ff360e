//! How numbers and secrets look in logs: enough to recognise, not enough to use.

use std::fmt;

use uuid::Uuid;

use crate::domain::E164;

/// A number with all but its country's first digits and its last two hidden: `+1415*****37`.
#[derive(Clone, Copy)]
pub struct Masked(pub E164);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let shown = 3;
        let hidden = text.len().saturating_sub(shown + 2);
        let (head, tail) = text.split_at_checked(shown).unwrap_or((&text, ""));
        let tail = tail.split_at_checked(hidden).map_or("", |(_, tail)| tail);
        write!(f, "{head}{:*<hidden$}{tail}", "")
    }
}

/// An optional number: `-` where there is none.
#[must_use]
pub fn masked(number: Option<E164>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| Masked(number).to_string())
}

/// The text with every run of seven or more digits hidden: for texts of others that may hold a
/// number (a carrier's error, a URL).
#[must_use]
pub fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        if run.len() >= E164::DIGITS_MIN {
            out.push_str("[number]");
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_digit() {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

/// A URL's path, scrubbed segment by segment; ids stay as they are, whatever digits they hold.
#[must_use]
pub fn path(path: &str) -> String {
    let shown = |segment: &str| match Uuid::try_parse(segment) {
        Ok(_) => segment.to_owned(),
        Err(_) => scrub(segment),
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked() {
        let number = E164::parse("+14155550137").unwrap();
        assert_eq!(Masked(number).to_string(), "+14*******37");
        assert_eq!(masked(None), "-");
        assert_eq!(path("/contacts/%2B14155550137/x"), "/contacts/%2B[number]/x");
        let id = "/calls/01a20169-bd06-764c-b0bc-123456789012";
        assert_eq!(path(id), id);
        assert_eq!(scrub("call to +14155550137 failed: 21211"), "call to +[number] failed: 21211");
    }
}

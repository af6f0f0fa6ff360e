//! What is spoken by carriers.

/// The text's first characters: speech cut short is still speech, and a longer one is refused.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> &str {
    let end = text.char_indices().nth(chars_max).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

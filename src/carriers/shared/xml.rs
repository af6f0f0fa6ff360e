//! Writes an XML 1.0 document. Whatever it is given, the document is well formed and holds the
//! elements its caller wrote and no others: names are constants of ours, all else is escaped.

use std::fmt;

/// Whether a byte's character stands for itself. U+FFFE and U+FFFF do not, and begin with 0xef.
const fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..=0x1f | b'&' | b'<' | b'>' | b'"' | b'\'' | 0xef)
}

/// Where the first byte is that does not stand for itself. Nearly all do, and an answer is three
/// long URLs: eight are looked at together, and one by one only where some might not.
fn first_to_escape(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    let first = |bytes: &[u8]| bytes.iter().position(|byte| !is_plain(*byte));
    let suspects = words.iter().zip((0..).step_by(8)).filter(|(word, _)| !is_surely_plain(**word));
    let mut found = suspects.filter_map(|(word, at)| first(word).map(|place| at + place));
    found.next().or_else(|| first(rest).map(|place| text.len() - rest.len() + place))
}

/// Whether all eight stand for themselves; that some do is now and then not seen.
const fn is_surely_plain(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    /// The highest bit of each byte below a limit, and of some above such a one.
    const fn below(bytes: u64, limit: u64) -> u64 {
        bytes.wrapping_sub(EACH * limit) & !bytes
    }
    let bytes = u64::from_le_bytes(bytes);
    let special = below(bytes, 0x20)
        | below(bytes ^ (EACH * b'"' as u64), 1)
        // `&` and `'`, `<` and `>` differ in one bit.
        | below(bytes & (EACH * 0xfe) ^ (EACH * b'&' as u64), 1)
        | below(bytes & (EACH * 0xfd) ^ (EACH * b'<' as u64), 1)
        | below(bytes ^ (EACH * 0xef), 1);
    special & (EACH << 7) == 0
}

/// A document in the making.
#[derive(Debug)]
pub struct Xml<'o> {
    out: &'o mut Vec<u8>,
}

/// Attributes: names of ours, values of anybody's.
pub type Attributes<'a> = [(&'static str, &'a str)];

impl<'o> Xml<'o> {
    /// Begins a document in place of what `out` holds.
    pub fn document(out: &'o mut Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        Self { out }
    }

    /// Writes an element and what `content` writes into it.
    pub fn element(
        &mut self,
        name: &'static str,
        attributes: &Attributes<'_>,
        content: impl FnOnce(&mut Self),
    ) {
        self.start(name, attributes);
        self.raw(">");
        content(self);
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// Writes an element that holds nothing.
    pub fn empty(&mut self, name: &'static str, attributes: &Attributes<'_>) {
        self.start(name, attributes);
        self.raw("/>");
    }

    /// Writes an element that holds a text.
    pub fn text_element(&mut self, name: &'static str, attributes: &Attributes<'_>, text: &str) {
        self.element(name, attributes, |xml| xml.text(text));
    }

    /// Writes a text. Characters that XML 1.0 cannot hold at all (§2.2) are left out; blanks that
    /// a reader would normalise (§2.11, §3.3.3) are written as references.
    pub fn text(&mut self, text: &str) {
        let Some(first) = first_to_escape(text.as_bytes()) else {
            return self.raw(text);
        };
        let mut written = 0;
        // Everything before the first stands for itself, and ends at a character's end.
        for (at, c) in text.char_indices().skip_while(|(at, _)| *at < first) {
            let replacement = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&apos;",
                '\t' => "&#9;",
                '\n' => "&#10;",
                '\r' => "&#13;",
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "",
                _ => continue,
            };
            self.raw(text.get(written..at).unwrap_or_default());
            self.raw(replacement);
            written = at + c.len_utf8();
        }
        self.raw(text.get(written..).unwrap_or_default());
    }

    /// How many bytes are written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// Takes back the whole elements that were written since [`Xml::written`] was that.
    pub fn take_back(&mut self, written: usize) {
        self.out.truncate(written);
    }

    fn start(&mut self, name: &'static str, attributes: &Attributes<'_>) {
        self.raw("<");
        self.raw(name);
        for (name, value) in attributes {
            self.raw(" ");
            self.raw(name);
            self.raw("=\"");
            self.text(value);
            self.raw("\"");
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// `write!` writes text, escaped.
impl fmt::Write for Xml<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

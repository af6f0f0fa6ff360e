//! Reads `application/x-www-form-urlencoded` text, a body's or a query's (WHATWG URL §5.1).
//!
//! Names and values are decoded exactly once, and borrowed where there is nothing to decode. It
//! never trims, drops a blank, joins repeated names or judges one: signatures are made over all.

use std::borrow::Cow;

use http::{Method, header::CONTENT_TYPE};
use memchr::{memchr, memchr2, memchr3_iter};
use smallvec::SmallVec;

use crate::{carriers::Request, domain::CallId};

/// The most pairs accepted. Carriers send about thirty; a body at the length limit could hold
/// thousands, and sorting those is work an unproven sender should not get for free.
pub const PAIRS_MAX: usize = 256;

/// Room made at once: the longest of the recorded webhooks has 34.
const PAIRS_USUAL: usize = 40;

/// A name and its value, in byte order of name, then value, for who changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    name: Cow<'a, str>,
    /// The value.
    pub value: Cow<'a, str>,
}

impl<'a> Pair<'a> {
    /// Makes a pair.
    #[must_use]
    pub const fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        Self { name, value }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, to be looked at.
    #[must_use]
    pub fn field(&self) -> Field<'_> {
        Field { head: head(&self.name), name: &self.name, value: &self.value }
    }
}

impl<'f> From<Field<'f>> for Pair<'f> {
    fn from(field: Field<'f>) -> Self {
        Self::new(field.name.into(), field.value.into())
    }
}

/// A name and its value in a form, in byte order of name, then value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field<'f> {
    /// The name's first eight bytes as a number: it decides nearly every comparison.
    head: u64,
    name: &'f str,
    value: &'f str,
}

impl<'f> Field<'f> {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'f str {
        self.name
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &'f str {
        self.value
    }
}

/// The first eight bytes, big-endian: two texts compare as their heads do, if those differ.
fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; 8];
    padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(padded)
}

/// A form's fields in some order.
pub type Fields<'f> = SmallVec<[Field<'f>; PAIRS_USUAL]>;

/// The pairs of a form, in the order they came.
///
/// It owns no text but what had to be decoded, all of that in one buffer; names are found by their
/// heads, which lie side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form<'a> {
    raw: &'a str,
    decoded: String,
    heads: SmallVec<[u64; PAIRS_USUAL]>,
    spans: SmallVec<[(Span, Span); PAIRS_USUAL]>,
}

/// Where a text of a form is. A body is at most 64 KiB, and nothing decoded is longer than three
/// times that: U+FFFD in place of a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    at: u32,
    len: u32,
    is_decoded: bool,
}

/// The form has more than [`PAIRS_MAX`] pairs, or is longer than any body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPairs;

/// A part of the text that is being read.
#[derive(Clone, Copy, Default)]
struct Part {
    at: usize,
    /// Where its name ends, once that is known.
    equals: Option<usize>,
    is_name_escaped: bool,
    is_value_escaped: bool,
}

impl<'a> Form<'a> {
    /// Reads a form. A part without `=` is a name with an empty value; empty parts are nothing.
    ///
    /// # Errors
    /// [`TooManyPairs`].
    pub fn parse(text: &'a str) -> Result<Self, TooManyPairs> {
        let mut form = Self { raw: text, ..Self::default() };
        let bytes = text.as_bytes();
        // One pass finds all that is special; pluses are few, and looked for from one to the next.
        let mut plus = memchr(b'+', bytes);
        let mut part = Part::default();
        for at in memchr3_iter(b'&', b'=', b'%', bytes).chain([bytes.len()]) {
            match bytes.get(at) {
                Some(b'=') => part.equals = part.equals.or(Some(at)),
                Some(b'%') if part.equals.is_none() => part.is_name_escaped = true,
                Some(b'%') => part.is_value_escaped = true,
                Some(_) | None => {
                    form.read(part, at, &mut plus)?;
                    part = Part { at: at + 1, ..Part::default() };
                }
            }
        }
        Ok(form)
    }

    /// Takes in the part that ends there.
    fn read(
        &mut self,
        part: Part,
        end: usize,
        plus: &mut Option<usize>,
    ) -> Result<(), TooManyPairs> {
        if part.at >= end {
            return Ok(());
        }
        let mut has_plus = |from: usize, to: usize| {
            if plus.is_some_and(|at| at < from) {
                let rest = self.raw.as_bytes().get(from..).unwrap_or_default();
                *plus = memchr(b'+', rest).map(|at| at + from);
            }
            plus.is_some_and(|at| at < to)
        };
        let name_end = part.equals.unwrap_or(end);
        let value_at = part.equals.map_or(end, |at| at + 1);
        let is_name_plain = !part.is_name_escaped & !has_plus(part.at, name_end);
        let is_value_plain = !part.is_value_escaped & !has_plus(value_at, end);
        let name = self.span(part.at, name_end, is_name_plain)?;
        let value = self.span(value_at, end, is_value_plain)?;
        self.push(name, value)
    }

    fn span(&mut self, from: usize, to: usize, is_plain: bool) -> Result<Span, TooManyPairs> {
        if is_plain {
            return Span::new(from, to, false);
        }
        let at = self.decoded.len();
        // Nothing is longer decoded than as it came, but for what is no UTF-8.
        self.decoded.reserve(self.raw.len().saturating_sub(at));
        decode_into(self.raw.get(from..to).unwrap_or_default(), &mut self.decoded);
        Span::new(at, self.decoded.len(), true)
    }

    fn push(&mut self, name: Span, value: Span) -> Result<(), TooManyPairs> {
        if self.heads.len() == PAIRS_MAX {
            return Err(TooManyPairs);
        }
        self.heads.push(head(self.text(name)));
        self.spans.push((name, value));
        Ok(())
    }

    fn text(&self, span: Span) -> &str {
        let text = if span.is_decoded { &self.decoded } else { self.raw };
        text.get(span.range()).unwrap_or_default()
    }

    /// The form of names and values that came otherwise than as text.
    ///
    /// # Errors
    /// [`TooManyPairs`].
    pub fn of(pairs: impl Iterator<Item = (String, String)>) -> Result<Self, TooManyPairs> {
        let mut form = Self::default();
        for (name, value) in pairs {
            let at = form.decoded.len();
            form.decoded.push_str(&name);
            let between = form.decoded.len();
            form.decoded.push_str(&value);
            let end = form.decoded.len();
            form.push(Span::new(at, between, true)?, Span::new(between, end, true)?)?;
        }
        Ok(form)
    }

    fn find(&self, name: &str) -> Option<usize> {
        let wanted = head(name);
        let named =
            |at: &usize| self.spans.get(*at).is_some_and(|(found, _)| self.text(*found) == name);
        let heads = self.heads.iter().enumerate();
        heads.filter(|(_, head)| **head == wanted).map(|(at, _)| at).find(named)
    }

    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.spans.get(self.find(name)?)?;
        Some(self.text(*value))
    }

    /// The first value of that name, taken out: an empty one stays in its place.
    pub fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.find(name)?;
        let span = std::mem::take(&mut self.spans.get_mut(at)?.1);
        Some(match span.is_decoded {
            true => self.text(span).to_owned().into(),
            false => self.raw.get(span.range()).unwrap_or_default().into(),
        })
    }

    fn field(&self, at: usize) -> Option<Field<'_>> {
        let (head, (name, value)) = (*self.heads.get(at)?, *self.spans.get(at)?);
        Some(Field { head, name: self.text(name), value: self.text(value) })
    }

    /// Its pairs, in the order they came.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'_>> {
        self.heads.iter().zip(&self.spans).map(|(&head, &(name, value))| Field {
            head,
            name: self.text(name),
            value: self.text(value),
        })
    }

    /// Its pairs in byte order of name, then value, without repetitions.
    #[must_use]
    pub fn sorted(&self) -> Fields<'_> {
        // Heads are moved, not fields, and decide nearly all; the rest is looked up.
        let mut order: SmallVec<[(u64, usize); PAIRS_USUAL]> =
            self.heads.iter().copied().zip(0..).collect();
        order.sort_unstable_by(|one, other| {
            one.0.cmp(&other.0).then_with(|| self.field(one.1).cmp(&self.field(other.1)))
        });
        let mut sorted: Fields<'_> = order.iter().filter_map(|(_, at)| self.field(*at)).collect();
        sorted.dedup();
        sorted
    }
}

impl Span {
    fn new(from: usize, to: usize, is_decoded: bool) -> Result<Self, TooManyPairs> {
        let len = u32::try_from(to.saturating_sub(from)).map_err(|_| TooManyPairs)?;
        Ok(Self { at: u32::try_from(from).map_err(|_| TooManyPairs)?, len, is_decoded })
    }

    const fn range(self) -> std::ops::Range<usize> {
        let at = self.at as usize;
        at..at + self.len as usize
    }
}

/// Whether a request's parameters are in its body.
#[must_use]
pub fn is_form(request: &Request<'_>) -> bool {
    let media_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    request.method != Method::GET
        && essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Our id of a call we placed, from the query of the URL we gave for its webhooks.
#[must_use]
pub fn call_id(query: &str) -> Option<CallId> {
    let id = query.split('&').find_map(|part| part.strip_prefix("call=")).map(decoded)?;
    id.parse().ok()
}

/// Decodes once: `+` is a space, `%XX` a byte; a `%` before anything else stands for itself. Bytes
/// that are no UTF-8 become U+FFFD, as in the carriers' own libraries.
#[must_use]
pub fn decoded(raw: &str) -> Cow<'_, str> {
    if memchr2(b'+', b'%', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    decode_into(raw, &mut out);
    Cow::Owned(out)
}

/// Appends the decoded text.
fn decode_into(raw: &str, out: &mut String) {
    let (start, mut rest) = (out.len(), raw);
    while let Some(at) = memchr2(b'+', b'%', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        let (byte, len) = unescaped(escape.as_bytes());
        if !byte.is_ascii() {
            // Several escapes make one character, or none: all of it as bytes.
            out.truncate(start);
            return out.push_str(&String::from_utf8_lossy(&bytes(raw)));
        }
        out.push_str(plain);
        out.push(char::from(byte));
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The decoded bytes.
fn bytes(raw: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(raw.len()), raw.as_bytes());
    while let Some(at) = memchr2(b'+', b'%', rest) {
        let (plain, escape) = rest.split_at(at);
        let (byte, len) = unescaped(escape);
        out.extend_from_slice(plain);
        out.push(byte);
        rest = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// What an escape at the beginning of a text stands for, and how long it is.
fn unescaped(text: &[u8]) -> (u8, usize) {
    match text {
        [b'+', ..] => (b' ', 1),
        [_, high, low, ..] => match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'%', 1),
        },
        _ => (b'%', 1),
    }
}

/// The value of a hexadecimal digit.
const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let form = Form::parse(text).unwrap();
        let pairs: Vec<_> = form.fields().map(|field| (field.name(), field.value())).collect();
        assert_eq!(pairs, expected, "{text:?}");
    }

    #[test]
    fn pairs_are_decoded_once_and_nothing_is_dropped() {
        check("", &[]);
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a=&&b&=c&", &[("a", ""), ("b", ""), ("", "c")]);
        check("a=1=2", &[("a", "1=2")]);
        check("a=+x+%2B%2b%25", &[("a", " x ++%")]);
        check("a=%257B", &[("a", "%7B")]);
        check("a=%&b=%1&c=%zz&d=%%41", &[("a", "%"), ("b", "%1"), ("c", "%zz"), ("d", "%A")]);
        check("%41=%C3%A9&b=%FF%41", &[("A", "é"), ("b", "\u{fffd}A")]);
        check("ä=ö", &[("ä", "ö")]);
    }

    #[test]
    fn what_needs_no_decoding_is_borrowed() {
        let mut form = Form::parse("CallSid=CA1&To=%2B1").unwrap();
        let mut is_borrowed = |name| matches!(form.take(name), Some(Cow::Borrowed(_)));
        assert_eq!(["CallSid", "To", "To"].map(&mut is_borrowed), [true, false, true]);
    }

    #[test]
    fn pairs_sort_by_bytes_and_repeat_once() {
        let form = Form::parse("to=x&ToCity=B&To=b&TO=C&To=a&To=b&_z=1&9=3").unwrap();
        let sorted: Vec<_> =
            form.sorted().iter().map(|pair| format!("{}={}", pair.name(), pair.value())).collect();
        assert_eq!(sorted, ["9=3", "TO=C", "To=a", "To=b", "ToCity=B", "_z=1", "to=x"]);
        let form =
            Form::parse("aaaaaaaab=&aaaaaaaa=&a%00=&a=&aaaaaaaaa=&%F0%9F%98%80=&z=").unwrap();
        let sorted: Vec<_> = form.sorted().iter().map(|pair| pair.name().to_owned()).collect();
        assert_eq!(sorted, ["a", "a\0", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "z", "😀"]);
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let mut form = Form::parse("a=1&a=2").unwrap();
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.take("a").as_deref(), Some("1"));
        assert_eq!(form.get("a"), Some(""));
        assert_eq!(form.get("b"), None);
    }

    #[test]
    fn too_many_pairs_are_refused() {
        assert!(Form::parse(&"a=1&".repeat(PAIRS_MAX)).is_ok());
        assert_eq!(Form::parse(&"a=1&".repeat(PAIRS_MAX + 1)), Err(TooManyPairs));
    }
}

//! Reads `application/x-www-form-urlencoded` text, a body's or a query's (WHATWG URL §5.1).
//!
//! Names and values are decoded exactly once, and borrowed where there is nothing to decode. It
//! never trims, drops a blank, joins repeated names or judges one: signatures are made over all.

use std::borrow::Cow;

use http::{Method, header::CONTENT_TYPE};
use memchr::memchr2;
use smallvec::SmallVec;

use crate::{carriers::Request, domain::CallId};

/// The most pairs accepted. Carriers send about thirty; a body at the length limit could hold
/// thousands, and sorting those is work an unproven sender should not get for free.
pub const PAIRS_MAX: usize = 256;

/// The bits of a number that say which pair it is of.
const PLACE: u64 = 0xff;
const _: () = assert!(PAIRS_MAX as u64 <= PLACE + 1, "a byte says which");

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
#[inline]
fn head(text: &str) -> u64 {
    head_at(text.as_bytes(), 0, text.len())
}

/// The same of a text in another one.
#[inline]
fn head_at(bytes: &[u8], at: usize, len: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    let first = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0; 8];
        padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        padded
    });
    let behind = if len < first.len() { u64::MAX >> (8 * len) } else { 0 };
    u64::from_be_bytes(first) & !behind
}

/// How many bytes are looked at at once.
const LOOKED_AT: usize = 8;

/// The highest bit of each byte that ends a text or stands for another; of others now and then.
/// Carriers' names and values are short: a search begun anew for each costs more than it finds.
#[inline]
const fn special(bytes: [u8; LOOKED_AT]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    /// The highest bit of each byte that is zero, and of some above such a one.
    const fn zeros(bytes: u64) -> u64 {
        bytes.wrapping_sub(EACH) & !bytes & (EACH << 7)
    }
    let bytes = u64::from_le_bytes(bytes);
    // `%` and `&` differ in their last two bits.
    zeros(bytes & (EACH * 0xfc) ^ (EACH * 0x24))
        | zeros(bytes ^ (EACH * b'+' as u64))
        | zeros(bytes ^ (EACH * b'=' as u64))
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

/// Where a text of a form is: its place, its length, and whether that is in what was decoded; in
/// one number, since two that are written apart and read together are waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span(u64);

/// The longest text that a form is read from: spans are up to 2 GiB, and nothing decoded is longer
/// than three times what came, U+FFFD in place of a byte. Bodies are far shorter.
const TEXT_LEN_MAX: usize = 1 << 29;

/// The form has more than [`PAIRS_MAX`] pairs, or is longer than any body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPairs;

/// What is being read.
#[derive(Clone, Copy, Default)]
struct Reading {
    /// Where the pair begins.
    part: usize,
    /// Where the name or the value begins.
    text: usize,
    /// The name, once that has ended.
    name: Option<Span>,
    /// Where what is decoded of the text begins, and up to where it is; none as long as it stands
    /// for itself.
    decoded: Option<(usize, usize)>,
    /// Its escapes are of bytes that are no characters alone.
    is_bytes: bool,
}

impl<'a> Form<'a> {
    /// Reads a form. A part without `=` is a name with an empty value; empty parts are nothing.
    ///
    /// # Errors
    /// [`TooManyPairs`].
    pub fn parse(text: &'a str) -> Result<Self, TooManyPairs> {
        let mut form = Self { raw: text, ..Self::default() };
        if text.len() > TEXT_LEN_MAX {
            return Err(TooManyPairs);
        }
        let mut reading = Reading::default();
        let (chunks, rest) = text.as_bytes().as_chunks();
        let mut last = [0; LOOKED_AT];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for (chunk, at) in chunks.iter().chain([&last]).zip((0..).step_by(LOOKED_AT)) {
            let mut places = special(*chunk);
            while places != 0 {
                let place = places.trailing_zeros() as usize / 8;
                places &= places - 1;
                let byte = chunk.get(place).copied().unwrap_or_default();
                form.come_to(byte, at + place, &mut reading);
            }
        }
        form.end_part(text.len(), &mut reading);
        if form.heads.len() > PAIRS_MAX { Err(TooManyPairs) } else { Ok(form) }
    }

    #[inline]
    fn come_to(&mut self, byte: u8, at: usize, reading: &mut Reading) {
        match byte {
            b'=' if reading.name.is_none() => reading.name = Some(self.end_text(at, reading)),
            b'&' => self.end_part(at, reading),
            b'%' | b'+' => self.unescape(at, reading),
            _ => {}
        }
    }

    /// Takes in the pair that ends there.
    #[inline]
    fn end_part(&mut self, end: usize, reading: &mut Reading) {
        if reading.part < end {
            let text = self.end_text(end, reading);
            match reading.name.take() {
                Some(name) => self.push(name, text),
                None => self.push(text, Span::default()),
            }
        }
        (reading.part, reading.text) = (end + 1, end + 1);
    }

    /// The name or value that ends there; the next text begins behind it.
    #[inline]
    fn end_text(&mut self, end: usize, reading: &mut Reading) -> Span {
        let from = std::mem::replace(&mut reading.text, end + 1);
        match reading.decoded.take() {
            None => Span::new(from, end, false),
            Some((at, copied)) => {
                if std::mem::take(&mut reading.is_bytes) {
                    // Several escapes make one character, or none: all of it as bytes.
                    let raw = self.raw.get(from..end).unwrap_or_default();
                    self.decoded.truncate(at);
                    self.decoded.push_str(&String::from_utf8_lossy(&bytes(raw)));
                } else {
                    self.decoded.push_str(self.raw.get(copied..end).unwrap_or_default());
                }
                Span::new(at, self.decoded.len(), true)
            }
        }
    }

    /// Decodes what begins there, and takes what stands before it for itself.
    #[inline]
    fn unescape(&mut self, at: usize, reading: &mut Reading) {
        let (byte, len) = unescaped(self.raw.as_bytes().get(at..).unwrap_or_default());
        if byte == b'%' && len == 1 {
            return;
        }
        let (decoded_at, copied) = reading.decoded.unwrap_or_else(|| {
            // Nothing is longer decoded than as it came, but for what is no UTF-8.
            self.decoded.reserve(self.raw.len().saturating_sub(self.decoded.len()));
            (self.decoded.len(), reading.text)
        });
        self.decoded.push_str(self.raw.get(copied..at).unwrap_or_default());
        match byte.is_ascii() {
            true => self.decoded.push(char::from(byte)),
            false => reading.is_bytes = true,
        }
        reading.decoded = Some((decoded_at, at + len));
    }

    /// One more than there may be is as many as are ever kept.
    #[inline]
    fn push(&mut self, name: Span, value: Span) {
        if self.heads.len() <= PAIRS_MAX {
            let range = name.range();
            self.heads.push(head_at(self.source(name).as_bytes(), range.start, range.len()));
            self.spans.push((name, value));
        }
    }

    /// What a span is of.
    #[inline]
    fn source(&self, span: Span) -> &str {
        if span.is_decoded() { &self.decoded } else { self.raw }
    }

    #[inline]
    fn text(&self, span: Span) -> &str {
        self.source(span).get(span.range()).unwrap_or_default()
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
            if end > TEXT_LEN_MAX {
                return Err(TooManyPairs);
            }
            form.push(Span::new(at, between, true), Span::new(between, end, true));
        }
        if form.heads.len() > PAIRS_MAX { Err(TooManyPairs) } else { Ok(form) }
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
        Some(match span.is_decoded() {
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
    pub fn sorted(&self) -> Sorted<'_> {
        let mut order: SmallVec<[u64; PAIRS_USUAL]> =
            self.heads.iter().zip(0..).map(|(head, at)| head & !PLACE | at).collect();
        order.sort_unstable();
        // Names that begin alike stand side by side now.
        let is_alike = |one: u64, next: u64| (one ^ next) & !PLACE == 0;
        for alike in order.chunk_by_mut(|one, next| is_alike(*one, *next)) {
            if alike.len() > 1 {
                alike.sort_unstable_by_key(|key| self.placed(*key));
            }
        }
        order
            .dedup_by(|next, one| is_alike(*one, *next) && self.placed(*one) == self.placed(*next));
        Sorted { form: self, order }
    }

    /// The field that a number of [`Sorted`]'s is of.
    #[inline]
    fn placed(&self, key: u64) -> Option<Field<'_>> {
        self.field(usize::try_from(key & PLACE).unwrap_or_default())
    }
}

/// The pairs of a form in byte order of name, then value, without repetitions.
#[derive(Debug)]
pub struct Sorted<'f> {
    form: &'f Form<'f>,
    /// Of each pair most of its name's head, and its place.
    order: SmallVec<[u64; PAIRS_USUAL]>,
}

impl<'f> Sorted<'f> {
    /// Them.
    pub fn iter(&self) -> impl Iterator<Item = Field<'f>> + Clone {
        let form = self.form;
        self.order.iter().filter_map(move |key| form.placed(*key))
    }
}

impl Span {
    #[inline]
    const fn new(from: usize, to: usize, is_decoded: bool) -> Self {
        Self((from as u64) << 32 | (to.saturating_sub(from) as u64) << 1 | is_decoded as u64)
    }

    #[inline]
    const fn is_decoded(self) -> bool {
        self.0 & 1 != 0
    }

    #[inline]
    const fn range(self) -> std::ops::Range<usize> {
        let (at, len) = ((self.0 >> 32) as usize, ((self.0 & 0xffff_fffe) >> 1) as usize);
        at..at + len
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

    proptest::proptest! {
        #[test]
        fn any_form_is_read_as_the_usual_library_reads_it(
            text in "([&=%+$'<>,;a-z]|%[0-9a-f]{2}|%[4-7][0-9A-F]|Caller|é|😀){0,60}",
        ) {
            let form = Form::parse(&text).unwrap();
            let read: Vec<(Cow<'_, str>, Cow<'_, str>)> =
                form.fields().map(|field| (field.name().into(), field.value().into())).collect();
            let usual: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
            proptest::prop_assert_eq!(&read, &usual);
            let sorted = form.sorted();
            let sorted: Vec<(Cow<'_, str>, Cow<'_, str>)> =
                sorted.iter().map(|field| (field.name().into(), field.value().into())).collect();
            let mut usual = usual;
            usual.sort_unstable();
            usual.dedup();
            proptest::prop_assert_eq!(sorted, usual);
            for (name, _) in &read {
                let first = read.iter().find(|(other, _)| other == name);
                proptest::prop_assert_eq!(form.get(name), first.map(|(_, value)| &**value));
            }
        }
    }

    #[test]
    fn too_many_pairs_are_refused() {
        assert!(Form::parse(&"a=1&".repeat(PAIRS_MAX)).is_ok());
        assert_eq!(Form::parse(&"a=1&".repeat(PAIRS_MAX + 1)), Err(TooManyPairs));
    }
}

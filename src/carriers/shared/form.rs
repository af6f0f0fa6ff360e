//! Reads `application/x-www-form-urlencoded` text, a body's or a query's (WHATWG URL §5.1).
//!
//! Names and values are decoded exactly once, and borrowed where there is nothing to decode. It
//! never trims, drops a blank, joins repeated names or judges one: signatures are made over all.

use std::borrow::Cow;

use http::{Method, header::CONTENT_TYPE};
use smallvec::SmallVec;

use crate::{carriers::Request, domain::CallId};

/// The most pairs accepted. Carriers send about thirty; a body at the length limit could hold
/// thousands, and sorting those is work an unproven sender should not get for free.
pub const PAIRS_MAX: usize = 256;

/// Room made at once: the longest of the recorded webhooks has 34.
const PAIRS_USUAL: usize = 40;

/// A name and its value, in byte order of name, then value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair<'a> {
    /// The name's first eight bytes as a number: it decides nearly every comparison.
    head: u64,
    name: Cow<'a, str>,
    /// The value.
    pub value: Cow<'a, str>,
}

impl<'a> Pair<'a> {
    /// Makes a pair.
    #[must_use]
    pub fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        Self { head: head(&name), name, value }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn is(&self, head: u64, name: &str) -> bool {
        self.head == head && self.name == name
    }
}

/// The first eight bytes, big-endian: two texts compare as their heads do, if those differ.
fn head(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(bytes)
}

/// References to a form's pairs, sorted by name, then value, each pair once.
pub type SortedPairs<'f, 'a> = SmallVec<[&'f Pair<'a>; PAIRS_USUAL]>;

/// The pairs of a form, in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form<'a> {
    pairs: SmallVec<[Pair<'a>; PAIRS_USUAL]>,
}

/// The form has more than [`PAIRS_MAX`] pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPairs;

impl<'a> Form<'a> {
    /// Reads a form. A part without `=` is a name with an empty value; empty parts are nothing.
    ///
    /// # Errors
    /// [`TooManyPairs`].
    pub fn parse(text: &'a str) -> Result<Self, TooManyPairs> {
        let mut pairs = SmallVec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, after) = piece(rest, |byte| matches!(byte, b'=' | b'&'));
            let (value, after) = match after.strip_prefix('=') {
                Some(after) => piece(after, |byte| byte == b'&'),
                None => (Cow::Borrowed(""), after),
            };
            let is_empty = after.len() == rest.len();
            rest = after.strip_prefix('&').unwrap_or(after);
            if is_empty {
                continue;
            }
            if pairs.len() == PAIRS_MAX {
                return Err(TooManyPairs);
            }
            pairs.push(Pair::new(name, value));
        }
        Ok(Self { pairs })
    }

    /// The form of names and values that came otherwise than as text.
    ///
    /// # Errors
    /// [`TooManyPairs`].
    pub fn of(pairs: impl Iterator<Item = (String, String)>) -> Result<Self, TooManyPairs> {
        let pairs = pairs.map(|(name, value)| Pair::new(name.into(), value.into()));
        let pairs: SmallVec<_> = pairs.take(PAIRS_MAX + 1).collect();
        if pairs.len() > PAIRS_MAX { Err(TooManyPairs) } else { Ok(Self { pairs }) }
    }

    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let head = head(name);
        self.pairs.iter().find(|pair| pair.is(head, name)).map(|pair| pair.value.as_ref())
    }

    /// The first value of that name, taken out: an empty one stays in its place.
    pub fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let head = head(name);
        let pair = self.pairs.iter_mut().find(|pair| pair.is(head, name))?;
        Some(std::mem::take(&mut pair.value))
    }

    /// Its pairs, in the order they came.
    #[must_use]
    pub fn pairs(&self) -> &[Pair<'a>] {
        &self.pairs
    }

    /// Its pairs in byte order of name, then value, without repetitions.
    #[must_use]
    pub fn sorted(&self) -> SortedPairs<'_, 'a> {
        let mut sorted: SortedPairs<'_, 'a> = self.pairs.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        sorted
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

/// What comes before the end, decoded, and the rest from there on.
fn piece(text: &str, is_end: impl Fn(u8) -> bool) -> (Cow<'_, str>, &str) {
    let is_special = |byte| is_end(byte) || matches!(byte, b'+' | b'%');
    let plain_len = text.bytes().position(is_special).unwrap_or(text.len());
    let (plain, rest) = text.split_at(plain_len);
    if !rest.starts_with(['+', '%']) {
        return (Cow::Borrowed(plain), rest);
    }
    let escaped_len = rest.bytes().position(&is_end).unwrap_or(rest.len());
    let (whole, rest) = text.split_at(plain_len + escaped_len);
    (decoded(whole), rest)
}

/// Decodes once: `+` is a space, `%XX` a byte; a `%` before anything else stands for itself. Bytes
/// that are no UTF-8 become U+FFFD, as in the carriers' own libraries.
#[must_use]
pub fn decoded(raw: &str) -> Cow<'_, str> {
    let (mut plain, mut rest) = until_escape(raw.as_bytes());
    if rest.is_empty() {
        return Cow::Borrowed(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend_from_slice(plain);
    while let Some((&escape, mut after)) = rest.split_first() {
        bytes.push(match (escape, after) {
            (b'+', _) => b' ',
            (_, [high, low, behind @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    after = behind;
                    high << 4 | low
                }
                _ => escape,
            },
            _ => escape,
        });
        (plain, rest) = until_escape(after);
        bytes.extend_from_slice(plain);
    }
    Cow::Owned(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// What stands for itself, and the rest from the first `+` or `%` on.
fn until_escape(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| matches!(byte, b'+' | b'%')).unwrap_or(text.len()))
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
        let pairs: Vec<_> = form.pairs().iter().map(|pair| (pair.name(), &*pair.value)).collect();
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
        let form = Form::parse("CallSid=CA1&To=%2B1").unwrap();
        let is_borrowed = |pair: &Pair<'_>| matches!(pair.value, Cow::Borrowed(_));
        assert_eq!(form.pairs().iter().map(is_borrowed).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn pairs_sort_by_bytes_and_repeat_once() {
        let form = Form::parse("to=x&ToCity=B&To=b&TO=C&To=a&To=b&_z=1&9=3").unwrap();
        let sorted: Vec<_> =
            form.sorted().iter().map(|pair| format!("{}={}", pair.name(), pair.value)).collect();
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

//! Numbers as people write them, for who must be told what was wrong: never for routing, which
//! takes E.164 alone.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

use crate::domain::E164;

/// Longer texts are no spelling of a number (fifteen digits, signs between them, an extension).
const LEN_MAX: usize = 64;

/// The number that a text probably means. `near` is a number whose country is assumed where the
/// text names none.
#[must_use]
pub fn meant(text: &str, near: Option<E164>) -> Option<E164> {
    if text.len() > LEN_MAX {
        return None;
    }
    let util = &*PHONE_NUMBER_UTIL;
    let region: Option<Region> = near.and_then(|near| {
        let near = util.parse(near.to_string(), None).ok()?;
        util.get_region_for_number(&near)
    });
    let with_country = [text.to_owned(), format!("+{}", text.trim_start_matches(['+', ' ']))];
    let own = util.parse(text, region).ok().filter(is_valid);
    let found = own.or_else(|| {
        let tries = with_country.iter().filter_map(|text| util.parse(text, None).ok());
        tries.into_iter().find(is_valid)
    })?;
    E164::parse(&util.format(&found, PhoneNumberFormat::E164))
}

fn is_valid(number: &PhoneNumber) -> bool {
    PHONE_NUMBER_UTIL.is_valid_number(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, near: Option<&str>, expected: Option<&str>) {
        let near = near.and_then(E164::parse);
        assert_eq!(meant(text, near).map(|e164| e164.to_string()).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn common_spellings_are_understood() {
        for text in ["+1 (415) 555-2671", "1-415-555-2671", "14155552671", "+1.415.555.2671"] {
            check(text, None, Some("+14155552671"));
        }
        check("tel:+1-415-555-2671", None, Some("+14155552671"));
        check("(415) 555-2671", Some("+12125552368"), Some("+14155552671"));
        check("020 7946 0958", Some("+442079460018"), Some("+442079460958"));
        check("0044 20 7946 0958", Some("+4930901820"), Some("+442079460958"));
        check("030 901820", Some("+442079460018"), None);
        check("(415) 555-2671", None, None);
        for text in ["", "bob", "+", "12", "9".repeat(200).as_str()] {
            check(text, Some("+12125552368"), None);
        }
    }
}

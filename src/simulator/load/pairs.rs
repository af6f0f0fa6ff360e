//! Who calls whom. Pure: the same seed makes the same calls.

/// Who calls whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Anybody of the first calls anybody of the second.
    Each {
        /// Who calls.
        from: Vec<Span>,
        /// Who is called.
        to: Vec<Span>,
    },
    /// The first calls the second.
    Listed(Vec<(String, String)>),
}

/// Numbers that follow each other, without their plus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// Reads `+14155550100` or `+14155550100-+14155550199`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let digits = text.trim().strip_prefix('+').filter(|digits| {
                (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
            });
            let value = digits.and_then(|digits| digits.parse().ok());
            value.ok_or_else(|| format!("{text:?} is no number, such as +14155550100"))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("{text:?}: the last comes before the first"));
        }
        Ok(Self { first, last })
    }

    const fn len(self) -> u64 {
        self.last - self.first + 1
    }
}

impl Pairs {
    /// The pair of the `n`th call.
    #[must_use]
    pub fn drawn(&self, seed: u64, n: u64) -> (String, String) {
        self.pair(n, drawn(seed, n))
    }

    /// The pair that a chance falls on. Listed ones come round by round, each as often as the
    /// others.
    pub(super) fn pair(&self, n: u64, chance: u64) -> (String, String) {
        match self {
            Self::Each { from, to } => (one_of(from, chance), one_of(to, chance >> 40)),
            Self::Listed(pairs) => {
                let count = u64::try_from(pairs.len()).unwrap_or(1).max(1);
                let place = usize::try_from(n % count).unwrap_or(0);
                pairs.get(place).cloned().unwrap_or_default()
            }
        }
    }
}

fn one_of(spans: &[Span], chance: u64) -> String {
    let count: u64 = spans.iter().map(|span| span.len()).sum();
    let mut place = chance % count.max(1);
    for span in spans {
        if place < span.len() {
            return format!("+{}", span.first + place);
        }
        place -= span.len();
    }
    String::new()
}

/// Splitmix64: what looks like chance, and is the same for the same seed.
pub(super) const fn drawn(seed: u64, n: u64) -> u64 {
    let z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_are_drawn_from_all_spans() {
        let from = vec![Span::parse("+14155550100-+14155550102").unwrap()];
        let one = |text| Span::parse(text).unwrap();
        let to = vec![one("+12125550142"), one("+12125550144-+12125550145")];
        let pairs = Pairs::Each { from, to };
        let seen: BTreeSet<_> = (0..500).map(|n| pairs.pair(n, drawn(1, n))).collect();
        assert_eq!(seen.len(), 9);
        assert!(seen.contains(&("+14155550101".to_owned(), "+12125550145".to_owned())));
    }

    #[test]
    fn spans_are_read() {
        for bad in ["", "14155550100", "+1415x550100", "+14155550199-+14155550100", "+1"] {
            assert!(Span::parse(bad).is_err(), "{bad:?}");
        }
    }
}

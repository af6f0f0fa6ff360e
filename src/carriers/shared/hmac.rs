//! Message authentication codes as carriers write them: as text, in base64 or hexadecimal. It never
//! says by its timing where two texts differ.

use base64_simd::{AsOut, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The hash under an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
}

/// The base64 of 32 bytes.
const TEXT_LEN_MAX: usize = 44;

/// What is hashed at once: some blocks. A form is sixty short pieces, and a hash that is given
/// them one by one spends more on each than on its bytes.
const GATHERED_LEN: usize = 512;

/// A code in base64, with its padding. Its text is compared, not its bytes: two texts may decode
/// to the same bytes, and a carrier sends one of them.
#[derive(Clone, Copy)]
pub struct MacText {
    bytes: [u8; TEXT_LEN_MAX],
    len: usize,
}

impl MacText {
    /// The code of the pieces, as if they were one text.
    pub fn compute<'p>(
        algorithm: Algorithm,
        key: &[u8],
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::of(Hmac::<Sha1>::new_from_slice(key), pieces),
            Algorithm::Sha256 => Self::of(Hmac::<Sha256>::new_from_slice(key), pieces),
        }
    }

    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length (RFC 2104 §2)")]
    fn of<'p, M: Mac>(
        mac: Result<M, hmac::digest::InvalidLength>,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Self {
        let mut mac = mac.expect("a key of any length");
        let mut gathered = Gathered { bytes: [0; GATHERED_LEN], len: 0 };
        pieces.for_each(|piece| gathered.update(piece, &mut mac));
        mac.update(gathered.filled());
        let mut bytes = [0; TEXT_LEN_MAX];
        let len =
            STANDARD.encode(&mac.finalize().into_bytes(), bytes.as_mut_slice().as_out()).len();
        Self { bytes, len }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The code in lower-case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        let code = STANDARD.decode_to_vec(self.as_bytes()).unwrap_or_default();
        let digits = code.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
    }

    /// The code in the alphabet of URLs, without padding (RFC 4648 §5).
    #[must_use]
    pub fn base64url(&self) -> String {
        let letters = self.as_bytes().iter().filter(|&&byte| byte != b'=');
        letters
            .map(|&byte| match byte {
                b'+' => '-',
                b'/' => '_',
                byte => char::from(byte),
            })
            .collect()
    }

    /// Whether a text is this code in the alphabet of URLs, as [`MacText::is`].
    #[must_use]
    pub fn is_base64url(&self, text: &[u8]) -> bool {
        self.base64url().as_bytes().ct_eq(text).into()
    }

    /// Whether a text is this code in hexadecimal, as [`MacText::is`].
    #[must_use]
    pub fn is_hex(&self, text: &[u8]) -> bool {
        self.hex().as_bytes().ct_eq(text).into()
    }

    /// Whether a text is this one, in a time that depends on its length alone.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        self.as_bytes().ct_eq(text).into()
    }
}

/// Short pieces on their way to a hash.
struct Gathered {
    bytes: [u8; GATHERED_LEN],
    len: usize,
}

impl Gathered {
    #[inline]
    fn update(&mut self, piece: &[u8], mac: &mut impl Mac) {
        let end = self.len + piece.len();
        match self.bytes.get_mut(self.len..end) {
            Some(room) => {
                copy_short(room, piece);
                self.len = end;
            }
            None => self.pass_on(piece, mac),
        }
    }

    #[cold]
    fn pass_on(&mut self, piece: &[u8], mac: &mut impl Mac) {
        mac.update(self.filled());
        self.len = 0;
        match self.bytes.get_mut(..piece.len()) {
            Some(room) => {
                room.copy_from_slice(piece);
                self.len = piece.len();
            }
            None => mac.update(piece),
        }
    }

    fn filled(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Copies bytes to a place of their length: most are so few that a call to do it takes longer.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    match from.len() {
        0 => {}
        1..4 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        4..8 => copy_ends::<4>(to, from),
        8..16 => copy_ends::<8>(to, from),
        16..=32 => copy_ends::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies so many bytes of each end, which meet or overlap.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(algorithm: Algorithm, key: &str, pieces: &[&str]) -> String {
        let pieces = pieces.iter().map(|piece| piece.as_bytes());
        String::from_utf8(MacText::compute(algorithm, key.as_bytes(), pieces).as_bytes().to_vec())
            .unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfcs() {
        // RFC 2202 and RFC 4231, test case 2.
        let pieces = ["what do ya want ", "", "for nothing?"];
        assert_eq!(text(Algorithm::Sha1, "Jefe", &pieces), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
        assert_eq!(
            text(Algorithm::Sha256, "Jefe", &pieces),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }

    #[test]
    fn a_text_in_pieces_of_any_length_is_the_same_text() {
        let long = "x".repeat(2000);
        let whole = text(Algorithm::Sha1, "k", &[&long]);
        for len in (1..70).chain([500, 511, 512, 513, 1999]) {
            let bytes = long.as_bytes().chunks(len);
            let mac = MacText::compute(Algorithm::Sha1, b"k", bytes);
            assert!(mac.is(whole.as_bytes()), "{len}");
        }
    }

    #[test]
    fn only_the_very_text_is_accepted() {
        let mac = MacText::compute(Algorithm::Sha1, b"k", std::iter::once(b"m".as_slice()));
        let text = mac.as_bytes().to_vec();
        assert!(mac.is(&text));
        assert!(!mac.is(&text[..27]));
        assert!(!mac.is(&[&text[..], b" "].concat()));
        assert!(!mac.is(b""));
        assert_eq!(mac.hex(), "772b71c8a2997e768be01d9711e4a4f34a24ef33");
        assert!(mac.is_hex(mac.hex().as_bytes()));
        assert!(!mac.is_hex(mac.hex().to_uppercase().as_bytes()) && !mac.is_hex(b""));
        assert_eq!(mac.base64url(), "dytxyKKZfnaL4B2XEeSk80ok7zM");
        assert!(mac.is_base64url(mac.base64url().as_bytes()) && !mac.is_base64url(&text));
    }
}

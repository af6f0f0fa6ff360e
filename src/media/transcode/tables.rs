//! G.711 by tables, which a library fills: four times as fast as its arithmetic, for 64 KiB a law.

use std::sync::LazyLock;

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// Mu-law.
pub(super) static ULAW: LazyLock<Companding> =
    LazyLock::new(|| Companding::of(decode_ulaw, encode_ulaw));

/// A-law.
pub(super) static ALAW: LazyLock<Companding> =
    LazyLock::new(|| Companding::of(decode_alaw, encode_alaw));

/// One law, both ways.
pub(super) struct Companding {
    linear: [i16; 256],
    /// By the sample's bits.
    coded: Box<[u8; 1 << 16]>,
}

impl Companding {
    fn of(decode: fn(u8) -> i16, encode: fn(i16) -> u8) -> Self {
        let (mut linear, mut coded) = ([0; 256], Box::new([0; 1 << 16]));
        (0..=u8::MAX).zip(&mut linear).for_each(|(byte, place)| *place = decode(byte));
        (0..=u16::MAX)
            .zip(coded.iter_mut())
            .for_each(|(bits, place)| *place = encode(bits.cast_signed()));
        Self { linear, coded }
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is one of 256")]
    pub(super) fn decode(&self, audio: &[u8], out: &mut Vec<i16>) {
        out.extend(audio.iter().map(|&byte| self.linear[usize::from(byte)]));
    }

    #[expect(clippy::indexing_slicing, reason = "sixteen bits are one of 65 536")]
    pub(super) fn encode(&self, samples: &[i16], out: &mut Vec<u8>) {
        let place = |sample: i16| usize::from(sample.cast_unsigned());
        out.extend(samples.iter().map(|&sample| self.coded[place(sample)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_what_they_were_filled_with() {
        let (mut linear, mut coded) = (Vec::new(), Vec::new());
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let every: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        ALAW.decode(&all, &mut linear);
        ALAW.encode(&every, &mut coded);
        assert!(linear.iter().zip(&all).all(|(sample, &byte)| *sample == decode_alaw(byte)));
        assert!(coded.iter().zip(&every).all(|(byte, &sample)| *byte == encode_alaw(sample)));
        linear.clear();
        coded.clear();
        ULAW.decode(&all, &mut linear);
        ULAW.encode(&every, &mut coded);
        assert!(linear.iter().zip(&all).all(|(sample, &byte)| *sample == decode_ulaw(byte)));
        assert!(coded.iter().zip(&every).all(|(byte, &sample)| *byte == encode_ulaw(sample)));
    }
}

//! What a caller hears while one runtime has gone and the next is not there yet: a tone, so that
//! nobody takes the silence for the end of the call.
//!
//! It begins with a moment of silence: a switch that takes less is not heard.

use std::f64::consts::{PI, TAU};

use base64_simd::STANDARD;

use super::liveness::SILENCE_MAX;
use super::transcode::Transcoder;
use crate::domain::{MediaFormat, spelled};

spelled! {
    /// What is heard.
    pub enum ComfortTone {
        /// A soft, short tone, once a second.
        Soft = "soft",
        /// What a caller hears while a phone rings (ITU-T E.180; 440 and 480 Hz, as in America).
        Ringback = "ringback",
        /// Nothing.
        Off = "off",
    }
}

/// The silence before it, in ms.
const BEFORE_MS: u32 = 300;

/// How long it swells and fades, in ms: an edge would be heard as a click.
const FADE_MS: u32 = 20;

/// A frame's length, in ms: what everybody sends.
const FRAME_MS: u32 = 20;

/// Of the 32 768 steps of a sample: about 35 dB under the loudest, far softer than speech.
const AMPLITUDE: f64 = 600.0;

/// The tone from its beginning until nobody is waited for any more, as frames of 20 ms in base64.
/// Empty where it is off, or nobody speaks the format.
#[must_use]
pub fn frames(tone: ComfortTone, format: MediaFormat) -> Vec<String> {
    let rate = format.sample_rate_hz;
    let transcoder = Transcoder::new(MediaFormat::l16(rate), format);
    let (Some(mut transcoder), false) = (transcoder, tone == ComfortTone::Off) else {
        return Vec::new();
    };
    let frame = rate / 1000 * FRAME_MS;
    let count = u32::try_from(SILENCE_MAX.as_millis()).unwrap_or(0) / FRAME_MS;
    let mut linear = Vec::new();
    let mut coded = Vec::new();
    (0..count)
        .map(|place| {
            linear.clear();
            coded.clear();
            let samples = (place * frame..(place + 1) * frame).map(|n| sample(tone, n, rate));
            linear.extend(samples.flat_map(i16::to_le_bytes));
            transcoder.push(&linear, &mut coded);
            STANDARD.encode_to_string(&coded)
        })
        .collect()
}

/// The sample of that number.
fn sample(tone: ComfortTone, n: u32, rate: u32) -> i16 {
    let at_ms = f64::from(n) * 1000.0 / f64::from(rate) - f64::from(BEFORE_MS);
    // Each sound of the tone: how long, and after how long the next begins.
    let (sounds_ms, every_ms, tones_hz): (f64, f64, &[f64]) = match tone {
        ComfortTone::Soft => (200.0, 1000.0, &[440.0]),
        ComfortTone::Ringback => (2000.0, 6000.0, &[440.0, 480.0]),
        ComfortTone::Off => return 0,
    };
    let within_ms = at_ms % every_ms;
    if at_ms < 0.0 || within_ms >= sounds_ms {
        return 0;
    }
    let edge = (within_ms.min(sounds_ms - within_ms) / f64::from(FADE_MS)).min(1.0);
    let swell = 0.5 - 0.5 * (PI * edge).cos();
    let waves = tones_hz.iter().map(|hz| (TAU * hz * at_ms / 1000.0).sin()).sum::<f64>();
    let value = AMPLITUDE * swell * waves;
    #[expect(clippy::cast_possible_truncation, reason = "it is a few hundred")]
    let value = value.round() as i16;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(tone: ComfortTone, format: MediaFormat) -> Vec<i16> {
        let mut back = Transcoder::new(format, MediaFormat::l16(format.sample_rate_hz)).unwrap();
        let mut linear = Vec::new();
        for frame in frames(tone, format) {
            let audio = STANDARD.decode_to_vec(frame).unwrap();
            assert_eq!(audio.len(), format.bytes_of_ms(20));
            back.push(&audio, &mut linear);
        }
        linear.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }

    #[test]
    fn it_is_soft_after_a_moment_of_silence_in_every_format() {
        let formats = [
            MediaFormat::PCMU_8000,
            MediaFormat::PCMA_8000,
            MediaFormat::L16_8000,
            MediaFormat::L16_16000,
            MediaFormat::L16_24000,
        ];
        for format in formats {
            for (tone, loudest) in [(ComfortTone::Soft, 650), (ComfortTone::Ringback, 1300)] {
                let samples = heard(tone, format);
                let per_ms = format.sample_rate_hz as usize / 1000;
                assert_eq!(samples.len(), 1900 * per_ms, "{tone} {format:?}");
                let peak = |of: &[i16]| of.iter().map(|s| s.unsigned_abs()).max().unwrap();
                // A-law has no zero: its steps around it are 8.
                assert!(peak(&samples[..300 * per_ms]) <= 8, "{tone} {format:?}");
                assert!(peak(&samples[300 * per_ms..302 * per_ms]) < 100, "{tone}: no click");
                let sound = peak(&samples[320 * per_ms..480 * per_ms]);
                assert!((400..loudest).contains(&sound), "{tone} {format:?}: {sound}");
            }
            assert!(frames(ComfortTone::Off, format).is_empty());
        }
    }
}

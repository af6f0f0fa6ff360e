//! Sound as a simulated line carries it: G.711 mu-law at 8 kHz, from and to WAV files.
//!
//! It is for making and judging sound; no live call's audio passes here.

use std::{f64::consts::TAU, path::Path};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::domain::{ByteOrder, Codec, MediaFormat};

/// Samples a second.
pub const RATE_HZ: u32 = 8000;

/// The bytes of a frame of 20 ms.
pub const FRAME_LEN: usize = 160;

/// A sample of silence.
pub const SILENCE: u8 = 0xff;

/// The longest recording that is read: past ten minutes somebody has mistaken the file.
const SAMPLES_MAX: usize = 10 * 60 * RATE_HZ as usize;

/// G.711 mu-law of a sample (ITU-T G.711, table 2a).
#[must_use]
pub fn encode(sample: i16) -> u8 {
    let sign: u32 = if sample < 0 { 0x80 } else { 0 };
    let biased = i32::from(sample).unsigned_abs().min(32_635) + 0x84;
    // The highest bit is one of bits 7 to 14, and names the segment.
    let segment = biased.ilog2() - 7;
    let step = (biased >> (segment + 3)) & 0x0f;
    !u8::try_from(sign | (segment << 4) | step).unwrap_or_default()
}

/// The sample that a byte of mu-law stands for.
#[must_use]
pub fn decode(byte: u8) -> i16 {
    let bits = !byte;
    let size = (((i16::from(bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 0x07)) - 0x84;
    if bits & 0x80 == 0 { size } else { -size }
}

/// Mu-law as a media socket of that format carries it. A rate above the line's repeats samples: a
/// line has no more to tell.
#[must_use]
pub(super) fn carried(sound: &[u8], format: MediaFormat, order: ByteOrder) -> Vec<u8> {
    if format.codec != Codec::L16 {
        return sound.to_vec();
    }
    let times = usize::try_from(format.sample_rate_hz / RATE_HZ).unwrap_or(1).max(1);
    let bytes = |byte: &u8| match order {
        ByteOrder::Little => decode(*byte).to_le_bytes(),
        ByteOrder::Big => decode(*byte).to_be_bytes(),
    };
    sound.iter().flat_map(|byte| std::iter::repeat_n(bytes(byte), times).flatten()).collect()
}

/// The reverse: of several samples that stand for one, the first.
#[must_use]
pub(super) fn of_carried(sound: &[u8], format: MediaFormat, order: ByteOrder) -> Vec<u8> {
    if format.codec != Codec::L16 {
        return sound.to_vec();
    }
    let times = usize::try_from(format.sample_rate_hz / RATE_HZ).unwrap_or(1).max(1);
    let sample = |pair: &[u8; 2]| match order {
        ByteOrder::Little => i16::from_le_bytes(*pair),
        ByteOrder::Big => i16::from_be_bytes(*pair),
    };
    let (pairs, _) = sound.as_chunks::<2>();
    pairs.iter().step_by(times).map(|pair| encode(sample(pair))).collect()
}

/// A pure tone.
#[must_use]
pub fn tone(hz: f64, ms: u32) -> Vec<u8> {
    let sample = |n: u32| {
        let level = 8000.0 * (TAU * hz * f64::from(n) / f64::from(RATE_HZ)).sin();
        encode(rounded(level))
    };
    (0..ms * RATE_HZ / 1000).map(sample).collect()
}

/// Two tones, one after the other: each agent's own, so that a listener can tell who speaks.
#[must_use]
pub fn chime(first_hz: f64, second_hz: f64) -> Vec<u8> {
    [tone(first_hz, 240), tone(second_hz, 360)].concat()
}

/// The sound without its silent frames: what is left is what somebody said.
#[must_use]
pub fn audible(sound: &[u8]) -> Vec<u8> {
    let frames = sound.chunks(FRAME_LEN);
    frames.filter(|frame| !is_silent(frame)).collect::<Vec<_>>().concat()
}

/// Whether nothing is heard: both of mu-law's zeros are silence.
#[must_use]
pub fn is_silent(sound: &[u8]) -> bool {
    sound.iter().all(|byte| byte & 0x7f == 0x7f)
}

/// Whether `part` lies in `sound`, unbroken.
#[must_use]
pub fn contains(sound: &[u8], part: &[u8]) -> bool {
    part.is_empty() || sound.windows(part.len()).any(|window| window == part)
}

/// Reads a WAV file of any rate and any number of channels, as mu-law at 8 kHz.
///
/// # Errors
/// The file cannot be read, or is too long; a lower-case fragment.
pub fn read_wav(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: hound::Error| format!("cannot read {}: {error}", path.display());
    let mut file = WavReader::open(path).map_err(failed)?;
    let spec = file.spec();
    let (channels, rate) = (usize::from(spec.channels.max(1)), spec.sample_rate.max(1));
    let samples: Result<Vec<f64>, _> = match spec.sample_format {
        SampleFormat::Float => {
            file.samples::<f32>().map(|sample| sample.map(|s| f64::from(s) * 32_767.0)).collect()
        }
        SampleFormat::Int => {
            let full = f64::from(2_u32).powi(i32::from(spec.bits_per_sample) - 1);
            let scaled = |sample: i32| f64::from(sample) / full * 32_768.0;
            file.samples::<i32>().map(|sample| sample.map(scaled)).collect()
        }
    };
    let samples = samples.map_err(failed)?;
    let per_channel = 1.0 / f64::from(spec.channels.max(1));
    let mono: Vec<f64> =
        samples.chunks(channels).map(|frame| frame.iter().sum::<f64>() * per_channel).collect();
    let sound = resampled(&mono, rate);
    if sound.len() > SAMPLES_MAX {
        return Err(format!("{} is longer than ten minutes", path.display()));
    }
    Ok(sound)
}

/// Each new sample is the mean of the old ones it stands for, or lies between two: a telephone's
/// quality, which is all a line can carry.
fn resampled(samples: &[f64], rate: u32) -> Vec<u8> {
    let ratio = (u64::from(rate), u64::from(RATE_HZ));
    let place = |n: u64| usize::try_from(n * ratio.0 / ratio.1).unwrap_or(usize::MAX);
    let sample = |n: u64| {
        let start = place(n);
        let end = place(n + 1).max(start + 1).min(samples.len());
        let span = samples.get(start..end).filter(|span| !span.is_empty())?;
        let count = u32::try_from(span.len()).ok()?;
        Some(encode(rounded(span.iter().sum::<f64>() / f64::from(count))))
    };
    (0..).map_while(sample).take(SAMPLES_MAX + 1).collect()
}

/// Writes the sound as a WAV file of 16 bits at 8 kHz.
///
/// # Errors
/// The file cannot be written; a lower-case fragment.
pub fn write_wav(path: &Path, sound: &[u8]) -> Result<(), String> {
    let failed = |error: hound::Error| format!("cannot write {}: {error}", path.display());
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut file = WavWriter::create(path, spec).map_err(failed)?;
    for byte in sound {
        file.write_sample(decode(*byte)).map_err(failed)?;
    }
    file.finalize().map_err(failed)
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
fn rounded(level: f64) -> i16 {
    level.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::media::messages;

    const SESSION: &str = include_str!("../../tests/fixtures/twilio/media_stream_session.jsonl");
    const INFO: &str = include_str!("../../tests/fixtures/twilio/media_stream_info.json");

    #[test]
    fn the_fixture_decodes_to_its_samples() {
        let sound: Vec<u8> = SESSION
            .lines()
            .filter_map(messages::media)
            .flat_map(|media| base64_simd::STANDARD.decode_to_vec(media.payload()).unwrap())
            .collect();
        let samples: Vec<u8> = sound.iter().flat_map(|byte| decode(*byte).to_le_bytes()).collect();
        let info: serde_json::Value = serde_json::from_str(INFO).unwrap();
        let hash: String = Sha256::digest(&samples).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, info["pcm16le_sha256"].as_str().unwrap());
    }

    #[test]
    fn every_code_comes_back() {
        for byte in 0..=u8::MAX {
            // The two zeros are one sample.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode(decode(byte)), expected, "{byte:#x}");
        }
        for (sample, coded) in [(0, 0xff), (32_767, 0x80), (-32_768, 0x00), (1000, 0xce)] {
            assert_eq!(encode(sample), coded, "{sample}");
        }
    }

    #[test]
    fn a_file_comes_back_at_the_lines_rate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wav");
        let sound = chime(440.0, 660.0);
        write_wav(&path, &sound).unwrap();
        assert_eq!(read_wav(&path).unwrap(), sound);

        let spec = WavSpec {
            channels: 2,
            sample_rate: 48_000,
            bits_per_sample: 24,
            sample_format: SampleFormat::Int,
        };
        let mut file = WavWriter::create(&path, spec).unwrap();
        for _ in 0..48_000 {
            file.write_sample(1000 << 8).unwrap();
            file.write_sample(3000 << 8).unwrap();
        }
        file.finalize().unwrap();
        assert_eq!(read_wav(&path).unwrap(), vec![encode(2000); 8000]);
        assert!(read_wav(&dir.path().join("none.wav")).unwrap_err().contains("none.wav"));
    }

    #[test]
    fn linear_sockets_carry_a_line_unharmed() {
        let sound = chime(440.0, 660.0);
        for rate in [8000, 16_000, 24_000] {
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let format = MediaFormat::l16(rate);
                let there = carried(&sound, format, order);
                assert_eq!(format.length_of(there.len()).as_millis(), 600);
                assert_eq!(of_carried(&there, format, order), sound, "{format:?} {order:?}");
            }
        }
    }

    #[test]
    fn sound_is_told_from_silence() {
        let said = tone(440.0, 40);
        let sound = [&[SILENCE; 320][..], &said, &[0x7f; 160]].concat();
        assert_eq!(audible(&sound), said);
        assert!(contains(&sound, &said) && !contains(&said, &sound));
    }
}

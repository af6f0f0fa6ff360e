//! What becomes of samples.

use std::f64::consts::TAU;

use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../tests/fixtures/telnyx/g711_vectors.json");
const RATES: [u32; 3] = [8000, 16_000, 24_000];

fn transcoder(from: MediaFormat, to: MediaFormat) -> Transcoder {
    Transcoder::new(from, to).unwrap()
}

fn all(transcoder: &mut Transcoder, audio: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    transcoder.push(audio, &mut out);
    out
}

fn linear(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    samples.into_iter().flat_map(i16::to_le_bytes).collect()
}

fn samples(audio: &[u8]) -> Vec<i16> {
    audio.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// A tone of half the full loudness.
fn tone(hz: f64, rate: u32, len: usize) -> Vec<u8> {
    let sample = |n: usize| 16_000.0 * (TAU * hz * n as f64 / f64::from(rate)).sin();
    #[expect(clippy::cast_possible_truncation, reason = "it is half of what fits")]
    let sample = |n| sample(n) as i16;
    linear((0..len).map(sample))
}

/// How far everything else lies below the tone, in dB: what is left when the tone of that
/// frequency that fits best, whatever its phase and loudness, is taken away.
fn purity_db(heard: &[i16], hz: f64, rate: u32) -> (f64, f64) {
    let (mut sin_sum, mut cos_sum, len) = (0.0, 0.0, heard.len() as f64);
    let angle = |n: usize| TAU * hz * n as f64 / f64::from(rate);
    for (n, &sample) in heard.iter().enumerate() {
        sin_sum += f64::from(sample) * angle(n).sin();
        cos_sum += f64::from(sample) * angle(n).cos();
    }
    let (a, b) = (2.0 * sin_sum / len, 2.0 * cos_sum / len);
    let (mut tone_power, mut rest_power) = (0.0, 0.0);
    for (n, &sample) in heard.iter().enumerate() {
        let fitting = a * angle(n).sin() + b * angle(n).cos();
        tone_power += fitting * fitting;
        rest_power += (f64::from(sample) - fitting).powi(2);
    }
    (10.0 * (tone_power / rest_power.max(1.0)).log10(), a.hypot(b))
}

#[test]
fn companding_is_the_recommendations() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let numbers = |key: &str| -> Vec<i64> {
        vectors[key].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect()
    };
    let audio = linear(numbers("samples").iter().map(|&n| i16::try_from(n).unwrap()));
    for (key, format) in [("pcmu", MediaFormat::PCMU_8000), ("pcma", MediaFormat::PCMA_8000)] {
        let coded = all(&mut transcoder(MediaFormat::L16_8000, format), &audio);
        assert_eq!(coded.iter().map(|&b| i64::from(b)).collect::<Vec<_>>(), numbers(key), "{key}");
        // What has been coded once stays as it is.
        let every: Vec<u8> = (0..=255).collect();
        let back = all(&mut transcoder(format, MediaFormat::L16_8000), &every);
        let again = all(&mut transcoder(MediaFormat::L16_8000, format), &back);
        // Mu-law has two zeros.
        let differ: Vec<_> = every.iter().zip(&again).filter(|(a, b)| a != b).collect();
        assert!(differ.iter().all(|pair| *pair == (&0x7f, &0xff)), "{key} {differ:?}");
    }
}

#[test]
fn a_tone_stays_a_tone_at_every_rate_and_frame_after_frame() {
    for (from, to) in RATES.iter().flat_map(|from| RATES.map(|to| (*from, to))) {
        for hz in [300.0, 1000.0, 3000.0] {
            let mut transcoder = transcoder(MediaFormat::l16(from), MediaFormat::l16(to));
            let frame_len = MediaFormat::l16(from).bytes_of_ms(20);
            let mut out = Vec::new();
            for frame in tone(hz, from, from as usize).chunks(frame_len) {
                let before = out.len();
                transcoder.push(frame, &mut out);
                assert_eq!(out.len() - before, MediaFormat::l16(to).bytes_of_ms(20));
            }
            let heard = samples(&out);
            // Without the beginning, where the filter is still half empty.
            let (purity, loudness) = purity_db(&heard[to as usize / 50..], hz, to);
            assert!(purity > 60.0, "{hz} Hz, {from} to {to}: {purity:.1} dB");
            assert!((loudness - 16_000.0).abs() < 160.0, "{hz} Hz, {from} to {to}: {loudness}");
        }
    }
}

#[test]
fn what_a_telephone_cannot_carry_does_not_come_back_as_something_else() {
    for from in [16_000, 24_000] {
        let mut transcoder = transcoder(MediaFormat::l16(from), MediaFormat::L16_8000);
        let out = all(&mut transcoder, &tone(5000.0, from, from as usize));
        let loudest = samples(&out)[160..].iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(loudest < 40, "{from}: {loudest}");
    }
}

#[test]
fn a_sample_comes_out_five_milliseconds_later_and_the_last_ones_with_silence() {
    for (from, to) in [(8000, 24_000), (24_000, 8000), (16_000, 24_000)] {
        let (from, to) = (MediaFormat::l16(from), MediaFormat::l16(to));
        let mut transcoder = transcoder(from, to);
        assert!(!transcoder.has_tail());
        let mut click = vec![0; from.bytes_of_ms(20) / 2];
        let at = from.bytes_of_ms(17) / 2;
        click[at] = 30_000;
        let mut out = all(&mut transcoder, &linear(click));
        assert_eq!(out.len(), to.bytes_of_ms(20));
        assert!(transcoder.has_tail());
        transcoder.finish(&mut out);
        assert!(!transcoder.has_tail());
        assert_eq!(out.len(), to.bytes_of_ms(30));
        let heard = samples(&out);
        let loudest = (0..heard.len()).max_by_key(|&n| heard[n].unsigned_abs()).unwrap();
        assert_eq!(loudest, to.bytes_of_ms(22) / 2);
        assert!(transcoder.delay_max() >= Duration::from_millis(5));
        // What follows does not hear of it.
        let silent = all(&mut transcoder, &vec![0; from.bytes_of_ms(20)]);
        assert!(silent.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn what_is_forgotten_is_not_heard() {
    let mut transcoder = transcoder(MediaFormat::L16_24000, MediaFormat::PCMU_8000);
    all(&mut transcoder, &tone(800.0, 24_000, 1001)[1..]);
    transcoder.forget();
    let mut out = Vec::new();
    transcoder.finish(&mut out);
    assert!(out.is_empty());
    assert!(all(&mut transcoder, &[0; 960]).iter().all(|byte| *byte == 0xff));
}

#[test]
fn rates_that_nobody_speaks_are_refused() {
    for rate in [0, 1, 7, 11_025, 44_100, u32::MAX] {
        assert!(Transcoder::new(MediaFormat::l16(rate), MediaFormat::PCMU_8000).is_none());
        assert!(Transcoder::new(MediaFormat::PCMU_8000, MediaFormat::l16(rate)).is_none());
    }
}

proptest::proptest! {
    #[test]
    fn however_it_is_cut_the_same_comes_out(
        audio in proptest::collection::vec(proptest::num::u8::ANY, 0..4000),
        cuts in proptest::collection::vec(1_usize..700, 1..20),
        from in 0_usize..5,
        to in 0_usize..5,
    ) {
        let formats = [
            MediaFormat::PCMU_8000, MediaFormat::PCMA_8000, MediaFormat::L16_8000,
            MediaFormat::L16_16000, MediaFormat::L16_24000,
        ];
        let (from, to) = (formats[from], formats[to]);
        let (mut whole, mut cut) = (transcoder(from, to), transcoder(from, to));
        let mut expected = all(&mut whole, &audio);
        whole.finish(&mut expected);
        let (mut out, mut rest, mut cuts) = (Vec::new(), audio.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            cut.push(now, &mut out);
            rest = later;
        }
        cut.finish(&mut out);
        proptest::prop_assert_eq!(out, expected);
    }
}

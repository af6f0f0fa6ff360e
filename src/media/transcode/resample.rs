//! From one rate of samples to another, block by block.

use std::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

/// The rates that can be had: what carriers and speech models speak. All have whole blocks.
const RATES_HZ: [u32; 4] = [8000, 16_000, 24_000, 48_000];

/// Blocks a second. A block is as long as the filter: shorter blocks would cut into the voice at
/// 3.4 kHz, longer ones would be heard later.
const BLOCKS_PER_SECOND: u32 = 100;

/// Loudness is what it was: samples of 16 bits.
const SCALE: f32 = 32_768.0;

/// Changes the rate of one stream of samples. What comes out is a few milliseconds late and
/// otherwise in step: a block in, a block out.
pub(super) struct Resampler {
    fft: Fft<f32>,
    waiting: Vec<f32>,
    block_len: usize,
    done: Vec<f32>,
    /// Something went in that has not come out.
    has_tail: bool,
}

impl Resampler {
    /// None where no such rates are spoken.
    pub(super) fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        let known = |rate: u32| RATES_HZ.contains(&rate).then_some(rate as usize);
        let (from, to) = (known(from_hz)?, known(to_hz)?);
        let block_len = from / BLOCKS_PER_SECOND as usize;
        // Blackman's window lets the whole voice through, and little of what would come back
        // mirrored: that is 70 dB below, where the telephone network's own noise is at 38.
        let (window, fixed) = (WindowFunction::Blackman, FixedSync::Both);
        let fft = Fft::new_custom(from, to, block_len, 1, 1, window, fixed).ok()?;
        let done = vec![0.0; fft.output_frames_max()];
        let waiting = Vec::with_capacity(block_len);
        Some(Self { fft, waiting, block_len, done, has_tail: false })
    }

    /// How much later a sample comes out: half a filter, and what waits for its block.
    pub(super) fn delay_max(&self) -> Duration {
        Duration::from_secs(1) / BLOCKS_PER_SECOND * 3 / 2
    }

    pub(super) fn has_tail(&self) -> bool {
        self.has_tail
    }

    pub(super) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.has_tail |= !samples.is_empty();
        let mut rest = samples;
        while !rest.is_empty() {
            let missing = self.block_len - self.waiting.len();
            let (now, later) = rest.split_at(missing.min(rest.len()));
            self.waiting.extend(now.iter().map(|&sample| f32::from(sample) / SCALE));
            rest = later;
            if self.waiting.len() == self.block_len {
                self.process(out);
            }
        }
    }

    /// What went in comes out, with silence up to the end of its last block; what comes next has
    /// nothing to do with it.
    pub(super) fn finish(&mut self, out: &mut Vec<i16>) {
        if !self.has_tail {
            return;
        }
        let blocks = (self.waiting.len() + self.block_len / 2).div_ceil(self.block_len);
        for _ in 0..blocks {
            self.waiting.resize(self.block_len, 0.0);
            self.process(out);
        }
        self.forget();
    }

    /// What went in and has not come out never will.
    pub(super) fn forget(&mut self) {
        self.fft.reset();
        self.waiting.clear();
        self.has_tail = false;
    }

    fn process(&mut self, out: &mut Vec<i16>) {
        let len = self.done.len();
        let from = InterleavedSlice::new(self.waiting.as_slice(), 1, self.block_len);
        let to = InterleavedSlice::new_mut(self.done.as_mut_slice(), 1, len);
        let is_done = from.is_ok_and(|from| {
            to.is_ok_and(|mut to| self.fft.process_into_buffer(&from, &mut to, None).is_ok())
        });
        self.waiting.clear();
        // The lengths are the resampler's own, so it cannot refuse; if it did, time would go on.
        let silence = if is_done { None } else { Some(0) };
        out.extend(self.done.iter().map(|&sample| silence.unwrap_or_else(|| to_i16(sample))));
    }
}

fn to_i16(sample: f32) -> i16 {
    let loud = (sample * SCALE).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX));
    #[expect(clippy::cast_possible_truncation, reason = "it is clamped to what fits")]
    let sample = loud as i16;
    sample
}

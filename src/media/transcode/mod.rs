//! Makes audio of one format into audio of another: one direction of one stream.
//!
//! Where only the coding differs a sample comes out as soon as it went in. Where the rate differs
//! too, it comes out at most 15 ms later: 5 ms for the filter, and what is less than a block of
//! 10 ms waits for the rest of it. Frames of 20 ms, which carriers and runtimes send, are whole
//! blocks.
//!
//! It frames nothing and keeps no time.

mod resample;
mod tables;

use std::time::Duration;

use self::resample::Resampler;
use self::tables::{ALAW, ULAW};
use crate::domain::{Codec, MediaFormat};

/// One direction of a stream.
pub struct Transcoder {
    from: Codec,
    to: Codec,
    resampler: Option<Resampler>,
    /// The first byte of a linear sample whose second has not come.
    half: Option<u8>,
    samples: Vec<i16>,
    resampled: Vec<i16>,
}

impl Transcoder {
    /// None where a rate is not one of those that are spoken: 8, 16, 24 or 48 kHz.
    #[must_use]
    pub fn new(from: MediaFormat, to: MediaFormat) -> Option<Self> {
        let resampler = Resampler::new(from.sample_rate_hz, to.sample_rate_hz)?;
        let resampler = (from.sample_rate_hz != to.sample_rate_hz).then_some(resampler);
        let (samples, resampled) = (Vec::new(), Vec::new());
        Some(Self { from: from.codec, to: to.codec, resampler, half: None, samples, resampled })
    }

    /// Appends what can be said of it by now.
    pub fn push(&mut self, audio: &[u8], out: &mut Vec<u8>) {
        self.samples.clear();
        match self.from {
            Codec::Pcmu => ULAW.decode(audio, &mut self.samples),
            Codec::Pcma => ALAW.decode(audio, &mut self.samples),
            Codec::L16 => self.read_linear(audio),
        }
        if let Some(resampler) = &mut self.resampler {
            self.resampled.clear();
            resampler.push(&self.samples, &mut self.resampled);
            encode(self.to, &self.resampled, out);
        } else {
            encode(self.to, &self.samples, out);
        }
    }

    /// Appends what is left, filled up with silence: nothing follows for now.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.half = None;
        if let Some(resampler) = &mut self.resampler {
            self.resampled.clear();
            resampler.finish(&mut self.resampled);
            encode(self.to, &self.resampled, out);
        }
    }

    /// Forgets what is left.
    pub fn forget(&mut self) {
        self.half = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.forget();
        }
    }

    /// Whether something went in that has not come out.
    #[must_use]
    pub fn has_tail(&self) -> bool {
        self.resampler.as_ref().is_some_and(Resampler::has_tail)
    }

    /// How much later a sample comes out than it went in.
    #[must_use]
    pub fn delay_max(&self) -> Duration {
        self.resampler.as_ref().map_or(Duration::ZERO, Resampler::delay_max)
    }

    fn read_linear(&mut self, audio: &[u8]) {
        let mut rest = audio;
        if let (Some(low), Some((high, after))) = (self.half, rest.split_first()) {
            self.samples.push(i16::from_le_bytes([low, *high]));
            self.half = None;
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks();
        self.samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        self.half = odd.first().copied().or(self.half);
    }
}

fn encode(to: Codec, samples: &[i16], out: &mut Vec<u8>) {
    match to {
        Codec::Pcmu => ULAW.encode(samples, out),
        Codec::Pcma => ALAW.encode(samples, out),
        Codec::L16 => {
            let start = out.len();
            out.resize(start + samples.len() * 2, 0);
            let pairs = out.get_mut(start..).unwrap_or_default().as_chunks_mut().0;
            pairs.iter_mut().zip(samples).for_each(|(pair, sample)| *pair = sample.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests;

//! What audio is made of.

use super::spelled;

spelled! {
    /// An audio format.
    pub enum Codec {
        /// G.711 mu-law.
        Pcmu = "PCMU",
    }
}

/// A codec with its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaFormat {
    /// How samples are coded.
    pub codec: Codec,
    /// Samples a second.
    pub sample_rate_hz: u32,
}

impl MediaFormat {
    /// What telephone networks speak, and every runtime unless it asks otherwise.
    pub const PCMU_8000: Self = Self { codec: Codec::Pcmu, sample_rate_hz: 8000 };

    /// The bytes of `ms` milliseconds of it.
    #[must_use]
    pub const fn bytes_of_ms(self, ms: u32) -> usize {
        match self.codec {
            Codec::Pcmu => (self.sample_rate_hz / 1000 * ms) as usize,
        }
    }
}

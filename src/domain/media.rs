//! What audio is made of.

use std::time::Duration;

use super::spelled;

spelled! {
    /// An audio format.
    pub enum Codec {
        /// G.711 mu-law.
        Pcmu = "PCMU",
        /// G.711 A-law.
        Pcma = "PCMA",
        /// Linear samples of 16 bits, the low byte first.
        L16 = "L16",
    }
}

spelled! {
    /// Which byte of a linear sample comes first. RFC 3551 says the high one; carriers disagree.
    pub enum ByteOrder {
        /// The low byte first.
        Little = "little",
        /// The high byte first.
        Big = "big",
    }
}

spelled! {
    /// What an agent's runtime speaks.
    pub enum RuntimeMedia {
        /// G.711 mu-law at 8 kHz.
        Pcmu = "pcmu",
        /// Linear samples of 16 bits, the low byte first, at 8 kHz.
        L16At8 = "l16_8000",
        /// The same at 16 kHz.
        L16At16 = "l16_16000",
        /// The same at 24 kHz.
        L16At24 = "l16_24000",
    }
}

impl RuntimeMedia {
    /// The format.
    #[must_use]
    pub const fn format(self) -> MediaFormat {
        match self {
            Self::Pcmu => MediaFormat::PCMU_8000,
            Self::L16At8 => MediaFormat::L16_8000,
            Self::L16At16 => MediaFormat::L16_16000,
            Self::L16At24 => MediaFormat::L16_24000,
        }
    }
}

/// A codec with its rate. One channel, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaFormat {
    /// How samples are coded.
    pub codec: Codec,
    /// Samples a second.
    pub sample_rate_hz: u32,
}

impl MediaFormat {
    /// What telephone networks speak, and every runtime unless it asks otherwise.
    pub const PCMU_8000: Self = Self { codec: Codec::Pcmu, sample_rate_hz: 8000 };
    /// What telephone networks outside North America and Japan speak.
    pub const PCMA_8000: Self = Self { codec: Codec::Pcma, sample_rate_hz: 8000 };
    /// Linear, at the rate of telephone networks.
    pub const L16_8000: Self = Self::l16(8000);
    /// Linear, wideband.
    pub const L16_16000: Self = Self::l16(16_000);
    /// Linear, at the rate that speech models speak.
    pub const L16_24000: Self = Self::l16(24_000);

    /// Linear samples at a rate.
    #[must_use]
    pub const fn l16(sample_rate_hz: u32) -> Self {
        Self { codec: Codec::L16, sample_rate_hz }
    }

    /// The bytes of one sample.
    #[must_use]
    pub const fn sample_len(self) -> usize {
        match self.codec {
            Codec::Pcmu | Codec::Pcma => 1,
            Codec::L16 => 2,
        }
    }

    /// The bytes of `ms` milliseconds of it.
    #[must_use]
    pub const fn bytes_of_ms(self, ms: u32) -> usize {
        (self.sample_rate_hz / 1000 * ms) as usize * self.sample_len()
    }

    /// How long that many bytes of it last.
    #[must_use]
    pub fn length_of(self, bytes: usize) -> Duration {
        let samples = (bytes / self.sample_len()) as u64;
        let nanos = samples * 1_000_000_000;
        Duration::from_nanos(nanos.checked_div(u64::from(self.sample_rate_hz)).unwrap_or_default())
    }

    /// A byte of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self.codec {
            Codec::Pcmu => 0xff,
            Codec::Pcma => 0xd5,
            Codec::L16 => 0,
        }
    }
}

//! The runtimes that live in this process: echo and tone, behind the interface of a socket.

use std::f64::consts::TAU;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::websocket::{Broken, Heard, Say, Socket};
use crate::domain::Builtin;
use crate::media::messages;
use crate::media::texts::Texts;

/// What a builtin has said and nobody has heard yet; past it, it does not listen.
const SAID_MAX: usize = 64;

/// A builtin runtime's end of its socket.
#[derive(Debug)]
pub struct BuiltinSocket {
    tone: Option<Tone>,
    said: Texts<Heard>,
    is_closed: bool,
    /// Whoever waits to hear it, and whoever waits to be heard by it.
    wakers: [Option<Waker>; 2],
}

#[derive(Debug)]
struct Tone {
    stream_sid: Option<String>,
    tick: Interval,
    frames: u32,
}

impl BuiltinSocket {
    pub(super) fn new(builtin: Builtin) -> Self {
        let tone = match builtin {
            Builtin::Echo => None,
            Builtin::Tone => {
                let mut tick = interval(Duration::from_millis(20));
                tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
                Some(Tone { stream_sid: None, tick, frames: 0 })
            }
        };
        Self { tone, said: Texts::default(), is_closed: false, wakers: [None, None] }
    }

    fn hear_ping(&mut self) {
        self.said.push(Heard::Alive, |_| ());
    }

    fn hear(&mut self, text: &str) {
        match &mut self.tone {
            Some(tone) if tone.stream_sid.is_none() => {
                if let Ok(messages::Envelope { message: messages::Message::Start(start), .. }) =
                    messages::parse(text)
                {
                    tone.stream_sid = Some(start.stream_sid);
                    tone.tick.reset_immediately();
                }
            }
            Some(_) => {}
            None => {
                if let Some(media) = messages::media(text) {
                    self.said.push(Heard::Text, |out| {
                        messages::write_audio(out, media.stream_sid(), media.payload());
                    });
                } else if let Ok(messages::Envelope {
                    message: messages::Message::Media(payload),
                    stream_sid,
                }) = messages::parse(text)
                {
                    self.said.push(Heard::Text, |out| {
                        messages::write_audio(out, &stream_sid, &payload);
                    });
                }
            }
        }
    }

    fn wake(&mut self) {
        self.wakers.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}

impl Socket for BuiltinSocket {
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        if let Some(tone) = &mut self.tone
            && let Some(stream_sid) = &tone.stream_sid
            && self.said.is_empty()
            && !self.is_closed
            && tone.tick.poll_tick(cx).is_ready()
        {
            let frame = TONE.get(tone.frames as usize % TONE_FRAMES).map_or("", String::as_str);
            tone.frames = tone.frames.wrapping_add(1);
            self.said.push(Heard::Text, |out| messages::write_audio(out, stream_sid, frame));
        }
        if let Some((_, heard)) = self.said.pop() {
            self.wake();
            return Poll::Ready(heard);
        }
        if self.is_closed {
            return Poll::Ready(Heard::Over);
        }
        self.wakers[0] = Some(cx.waker().clone());
        Poll::Pending
    }

    fn text(&self) -> &str {
        self.said.taken()
    }

    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.said.len() < SAID_MAX {
            return Poll::Ready(Ok(()));
        }
        self.wakers[1] = Some(cx.waker().clone());
        Poll::Pending
    }

    fn say(&mut self, say: Say<'_>) {
        match say {
            Say::Text(text) => self.hear(text),
            Say::Ping => self.hear_ping(),
            Say::Close(_) => self.is_closed = true,
            Say::Binary(_) => {}
        }
        self.wake();
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }
}

/// 440 Hz repeat after 200 samples, frames after 160: both after 800.
const TONE_FRAMES: usize = 5;

/// The tone's frames, in base64.
static TONE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let sample = |n: u32| {
        let amplitude = 8000.0 * (TAU * 440.0 * f64::from(n) / 8000.0).sin();
        mu_law(amplitude)
    };
    let samples: Vec<u8> = (0..800).map(sample).collect();
    samples.chunks(160).map(|frame| base64_simd::STANDARD.encode_to_string(frame)).collect()
});

/// G.711 mu-law of one sample of 16 bits: the piecewise form of ITU-T G.711 table 2a.
fn mu_law(sample: f64) -> u8 {
    let sign: u8 = if sample < 0.0 { 0x00 } else { 0x80 };
    let biased = sample.abs().min(32_635.0) + 132.0;
    // Segment k holds 132 * 2^k .. 132 * 2^(k+1), in sixteen steps.
    let segment = (0..8_u8).rev().find(|&k| biased >= 132.0 * f64::from(1_u32 << k)).unwrap_or(0);
    let within = biased / f64::from(1_u32 << (segment + 3));
    let step = (16..32_u8).rev().find(|&step| within >= f64::from(step)).unwrap_or(16) - 16;
    sign | (!((segment << 4) | step) & 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_g711() {
        // ITU-T G.711 (and every table of it): silence, the extremes, the steps around zero.
        for (sample, coded) in [
            (0.0, 0xff),
            (32_635.0, 0x80),
            (-32_635.0, 0x00),
            (-1.0, 0x7f),
            (8.0, 0xfe),
            (1000.0, 0xce),
        ] {
            assert_eq!(mu_law(sample), coded, "{sample}");
        }
    }

    #[test]
    fn the_tone_is_five_frames_without_a_seam() {
        assert_eq!(TONE.len(), TONE_FRAMES);
        assert!(TONE.iter().all(|frame| frame.len() == 216));
    }
}

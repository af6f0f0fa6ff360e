//! Stands between a bridge and a runtime that speaks another format than the carrier: messages go
//! through it both ways, and audio in them is made into what the other side understands.
//!
//! What a runtime says is finished, with silence, when all of it could have been heard and nothing
//! followed; until then the last milliseconds wait for more, so that speech that is cut into
//! messages is heard as one. A mark waits with them. It never drops or paces audio.

use std::collections::VecDeque;
use std::time::Duration;

use base64_simd::STANDARD;

use super::messages::{self, Format, Message};
use super::playout::Playout;
use super::texts::Texts;
use super::transcode::Transcoder;
use crate::domain::{Codec, MediaFormat};

/// One runtime's interpreter; the next one has its own.
pub struct Interpreter {
    hearing: Transcoder,
    saying: Transcoder,
    runtime: MediaFormat,
    /// The stream's id as the runtime knows it.
    stream_sid: String,
    playout: Playout,
    /// How much the runtime has said in all.
    said: Duration,
    held: VecDeque<Held>,
    out: Texts<()>,
    /// What is told the runtime, as it understands it.
    told: String,
    ignored: Ignored,
    audio: Vec<u8>,
    coded: Vec<u8>,
}

/// A mark that waits for the audio before it.
struct Held {
    text: String,
    /// When the runtime has said so much, what was before the mark has come out.
    until_said: Duration,
}

/// Messages with audio that was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Of the carrier.
    pub from_carrier: u64,
    /// Of the runtime.
    pub from_runtime: u64,
}

impl Interpreter {
    /// Between a carrier's leg and a runtime that knows the stream by this id. None where a rate is
    /// not one of those that are spoken.
    #[must_use]
    pub fn new(carrier: MediaFormat, runtime: MediaFormat, stream_sid: String) -> Option<Self> {
        Some(Self {
            hearing: Transcoder::new(carrier, runtime)?,
            saying: Transcoder::new(runtime, carrier)?,
            runtime,
            stream_sid,
            playout: Playout::default(),
            said: Duration::ZERO,
            held: VecDeque::new(),
            out: Texts::default(),
            told: String::new(),
            ignored: Ignored::default(),
            audio: Vec::new(),
            coded: Vec::new(),
        })
    }

    /// What the bridge has for the runtime, as the runtime understands it. None where nothing is
    /// left of it: audio that is none.
    pub fn for_runtime<'a>(&'a mut self, text: &'a str) -> Option<&'a str> {
        if let Some(media) = messages::media(text) {
            self.hear(media.payload())?;
            self.told.clear();
            media.write_before(&mut self.told);
            STANDARD.encode_append(&self.coded, &mut self.told);
            media.write_after(&mut self.told);
            return Some(&self.told);
        }
        // A carrier that spells oddly: the place in the stream is lost, the audio is not.
        let Ok(envelope) = messages::parse(text) else { return Some(text) };
        let Message::Media(payload) = envelope.message else { return Some(text) };
        self.hear(&payload)?;
        self.told.clear();
        messages::write_audio_of(&mut self.told, &envelope.stream_sid, |out| {
            STANDARD.encode_append(&self.coded, out);
        });
        Some(&self.told)
    }

    /// Takes what the runtime says; see [`Self::next_for_bridge`].
    pub fn from_runtime(&mut self, text: &str, now: Duration) {
        if let Some(media) = messages::media(text) {
            return self.say(media.payload(), now);
        }
        match messages::parse(text).map(|envelope| envelope.message) {
            Ok(Message::Media(payload)) => self.say(&payload, now),
            Ok(Message::Mark(_)) if self.saying.has_tail() => {
                let until_said = self.said + self.saying.delay_max();
                self.held.push_back(Held { text: text.to_owned(), until_said });
            }
            Ok(Message::Clear) => {
                self.saying.forget();
                self.playout.forget(now);
                self.release(Duration::MAX);
                self.out.push((), |out| out.push_str(text));
            }
            Ok(
                Message::Connected
                | Message::Start(_)
                | Message::Dtmf(_)
                | Message::Mark(_)
                | Message::Stop
                | Message::Unknown,
            )
            | Err(_) => self.out.push((), |out| out.push_str(text)),
        }
    }

    /// The next message for the bridge.
    pub fn next_for_bridge(&mut self) -> Option<&str> {
        self.out.pop().map(|(text, ())| text)
    }

    /// The message that the bridge was given last.
    #[must_use]
    pub fn taken(&self) -> &str {
        self.out.taken()
    }

    /// When to ask what is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.saying.has_tail().then(|| self.playout.until())
    }

    /// Finishes what the runtime said, if it is time.
    pub fn due(&mut self, now: Duration) {
        if self.saying.has_tail() && self.playout.until() <= now {
            self.coded.clear();
            self.saying.finish(&mut self.coded);
            self.write_said();
            self.release(Duration::MAX);
        }
    }

    /// What was not understood so far.
    #[must_use]
    pub const fn ignored(&self) -> Ignored {
        self.ignored
    }

    /// Leaves in `coded` what the runtime is to hear.
    fn hear(&mut self, payload: &str) -> Option<()> {
        if !self.decode(payload) {
            self.ignored.from_carrier += 1;
            return None;
        }
        self.coded.clear();
        self.hearing.push(&self.audio, &mut self.coded);
        Some(())
    }

    fn say(&mut self, payload: &str, now: Duration) {
        if !self.decode(payload) {
            self.ignored.from_runtime += 1;
            return;
        }
        let length = self.runtime.length_of(self.audio.len());
        self.said += length;
        self.playout.add(length, now);
        self.coded.clear();
        self.saying.push(&self.audio, &mut self.coded);
        self.write_said();
        self.release(self.said);
    }

    /// Says what has been coded, if anything.
    fn write_said(&mut self) {
        if self.coded.is_empty() {
            return;
        }
        let Self { out, coded, stream_sid, .. } = self;
        out.push((), |out| {
            messages::write_audio_of(out, stream_sid, |out| {
                STANDARD.encode_append(coded, out);
            });
        });
    }

    /// Lets go of the marks whose audio has come out.
    fn release(&mut self, said: Duration) {
        while self.held.front().is_some_and(|held| held.until_said <= said) {
            let held = self.held.pop_front();
            held.into_iter().for_each(|held| self.out.push((), |out| out.push_str(&held.text)));
        }
    }

    fn decode(&mut self, payload: &str) -> bool {
        self.audio.clear();
        STANDARD.decode_append(payload, &mut self.audio).is_ok()
    }
}

/// How a runtime is told of its format.
impl From<MediaFormat> for Format {
    fn from(format: MediaFormat) -> Self {
        let encoding = match format.codec {
            Codec::Pcmu => "audio/x-mulaw",
            Codec::Pcma => "audio/x-alaw",
            Codec::L16 => "audio/x-l16",
        };
        Self { encoding: encoding.to_owned(), sample_rate: format.sample_rate_hz, channels: 1 }
    }
}

impl Format {
    /// The format, where it is one that can be told so; else what every carrier of such messages
    /// speaks.
    #[must_use]
    pub fn media(&self) -> MediaFormat {
        let codecs = [
            (Codec::Pcmu, ["audio/x-mulaw", "audio/pcmu"]),
            (Codec::Pcma, ["audio/x-alaw", "audio/pcma"]),
            (Codec::L16, ["audio/x-l16", "audio/l16"]),
        ];
        let is_named =
            |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(&self.encoding));
        let codec = codecs.iter().find(|(_, names)| is_named(names)).map(|(codec, _)| *codec);
        let sample_rate_hz = self.sample_rate;
        codec.map_or(MediaFormat::PCMU_8000, |codec| MediaFormat { codec, sample_rate_hz })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::messages::{write_audio, write_clear, write_mark, write_media};

    fn interpreter(runtime: MediaFormat) -> Interpreter {
        Interpreter::new(MediaFormat::PCMU_8000, runtime, "MZ1".to_owned()).unwrap()
    }

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    fn audio(len: usize) -> String {
        let payload = STANDARD.encode_to_string(vec![0x11_u8; len]);
        written(|out| write_audio(out, "MZours", &payload))
    }

    fn mark(name: &str) -> String {
        written(|out| write_mark(out, "MZours", None, name))
    }

    /// What has come out: bytes of audio, or what else it is.
    fn out(interpreter: &mut Interpreter) -> Vec<Result<usize, String>> {
        std::iter::from_fn(|| interpreter.next_for_bridge().map(str::to_owned))
            .map(|frame| {
                let media = messages::media(&frame).ok_or_else(|| frame.clone())?;
                assert_eq!(media.stream_sid(), "MZ1");
                Ok(STANDARD.decode_to_vec(media.payload()).unwrap().len())
            })
            .collect()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_is_heard_keeps_its_place_in_the_stream() {
        let mut interpreter = interpreter(MediaFormat::L16_16000);
        let payload = STANDARD.encode_to_string([0xff; 160]);
        let frame = written(|out| write_media(out, "MZ9", 7, (6, 100), &payload));
        let heard = interpreter.for_runtime(&frame).unwrap().to_owned();
        let media = messages::media(&heard).unwrap();
        assert_eq!(
            (media.sequence, media.chunk, media.timestamp_ms),
            (Some(7), Some(6), Some(100))
        );
        assert_eq!(media.stream_sid(), "MZ9");
        assert_eq!(STANDARD.decode_to_vec(media.payload()).unwrap(), [0; 640]);
        assert_eq!(interpreter.for_runtime(&mark("m")), Some(mark("m").as_str()));
        // One that spells its payload with escapes is understood as well.
        let odd = frame.replace(&payload, "\\u002f\\u002f8=");
        assert!(interpreter.for_runtime(&odd).is_some());
        let none = frame.replace(&payload, "no base64!");
        assert_eq!(interpreter.for_runtime(&none), None);
        interpreter.from_runtime(&none, ms(0));
        assert_eq!(interpreter.ignored(), Ignored { from_carrier: 1, from_runtime: 1 });
    }

    #[test]
    fn a_mark_waits_for_the_audio_before_it() {
        let mut interpreter = interpreter(MediaFormat::L16_24000);
        interpreter.from_runtime(&mark("early"), ms(0));
        assert_eq!(out(&mut interpreter), [Err(mark("early"))]);
        interpreter.from_runtime(&audio(960), ms(0));
        interpreter.from_runtime(&mark("a"), ms(1));
        assert_eq!(out(&mut interpreter), [Ok(160)]);
        // More of the same speech brings it out, in its place.
        interpreter.from_runtime(&audio(960), ms(2));
        assert_eq!(out(&mut interpreter), [Ok(160), Err(mark("a"))]);
        interpreter.from_runtime(&mark("b"), ms(3));
        assert_eq!(interpreter.wake_at(), Some(ms(40)));
        interpreter.due(ms(39));
        assert_eq!(out(&mut interpreter), []);
        // Or that nothing follows.
        interpreter.due(ms(40));
        assert_eq!(out(&mut interpreter), [Ok(80), Err(mark("b"))]);
        assert_eq!(interpreter.wake_at(), None);
    }

    #[test]
    fn what_is_cleared_is_not_said_and_its_marks_come_first() {
        let mut interpreter = interpreter(MediaFormat::L16_16000);
        let clear = written(|out| write_clear(out, "MZours"));
        interpreter.from_runtime(&audio(650), ms(0));
        interpreter.from_runtime(&mark("m"), ms(0));
        interpreter.from_runtime(&clear, ms(1));
        assert_eq!(out(&mut interpreter), [Ok(160), Err(mark("m")), Err(clear)]);
        assert_eq!(interpreter.wake_at(), None);
        interpreter.due(ms(1000));
        assert_eq!(out(&mut interpreter), []);
    }

    #[test]
    fn a_runtime_that_wants_nothing_else_is_told_what_twilio_tells() {
        assert_eq!(Format::from(MediaFormat::PCMU_8000), Format::default());
        for format in [MediaFormat::PCMU_8000, MediaFormat::PCMA_8000, MediaFormat::L16_24000] {
            assert_eq!(Format::from(format).media(), format);
        }
        let weather = Format { encoding: "weather".to_owned(), ..Format::default() };
        assert_eq!(weather.media(), MediaFormat::PCMU_8000);
    }

    #[test]
    fn where_only_the_coding_differs_nothing_waits() {
        let mut interpreter = interpreter(MediaFormat::L16_8000);
        interpreter.from_runtime(&audio(321), ms(0));
        interpreter.from_runtime(&mark("m"), ms(0));
        assert_eq!(out(&mut interpreter), [Ok(160), Err(mark("m"))]);
        assert_eq!(interpreter.wake_at(), None);
    }

    #[derive(Clone, Debug)]
    enum Said {
        Audio(usize),
        Mark,
        Clear,
        Other(String),
        Wait(u64),
    }

    fn said() -> impl Strategy<Value = Said> {
        prop_oneof![
            4 => (0_usize..3000).prop_map(Said::Audio),
            2 => Just(Said::Mark),
            1 => Just(Said::Clear),
            1 => ".{0,40}".prop_map(Said::Other),
            2 => (0_u64..100).prop_map(Said::Wait),
        ]
    }

    proptest! {
        /// Marks come out once and in order, and never before what was said before them; all that
        /// was said comes out, unless it is cleared.
        #[test]
        fn nothing_is_lost_and_marks_keep_their_place(
            said in proptest::collection::vec(said(), 0..60),
            rate in prop_oneof![Just(8000_u32), Just(16_000), Just(24_000)],
        ) {
            let format = MediaFormat::l16(rate);
            let mut interpreter = interpreter(format);
            let (mut now, mut put_in, mut marks) = (ms(0), 0, Vec::new());
            let (mut came_out, mut came_marks) = (0, 0_usize);
            let mut cleared = false;
            for said in said.into_iter().chain([Said::Wait(100_000)]) {
                match said {
                    Said::Audio(len) => {
                        // Whole samples, so that lengths can be compared.
                        interpreter.from_runtime(&audio(len / 2 * 2), now);
                        put_in += len / 2 / (rate as usize / 8000);
                    }
                    Said::Mark => {
                        interpreter.from_runtime(&mark(&marks.len().to_string()), now);
                        marks.push(put_in);
                    }
                    Said::Clear => {
                        interpreter.from_runtime(&written(|out| write_clear(out, "x")), now);
                        cleared = true;
                    }
                    Said::Other(text) => interpreter.from_runtime(&text, now),
                    Said::Wait(wait) => {
                        now += ms(wait);
                        if interpreter.wake_at().is_some_and(|at| at <= now) {
                            interpreter.due(now);
                        }
                    }
                }
                for frame in out(&mut interpreter) {
                    match frame {
                        Ok(len) => came_out += len,
                        Err(text) => {
                            let expected = marks.get(came_marks);
                            if text == mark(&came_marks.to_string()) && expected.is_some() {
                                // What is filled up may only make it later.
                                prop_assert!(cleared || came_out + 1 >= marks[came_marks]);
                                came_marks += 1;
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(came_marks, marks.len());
            prop_assert!(cleared || came_out + 60 >= put_in, "{} of {}", came_out, put_in);
        }
    }
}

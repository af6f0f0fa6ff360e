//! The carrier's end of a media socket, whatever its messages: sends what the person says, plays
//! what comes back, and writes down what is heard.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::AsyncWriteExt,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::tungstenite::{
    self, Message as Frame,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    audio::{FRAME_LEN, SILENCE, is_silent},
    exchange::{Mishap, Voice},
    leg::{Ending, Leg, What},
    peers::StreamTold,
    play::{Play, tell},
    post::Socket,
    verb::{Problem, Stream},
};

/// A frame's length.
const TICK: Duration = Duration::from_millis(20);

/// How long the other end may take to close as well.
const CLOSED_WITHIN: Duration = Duration::from_millis(500);

/// Silence this long ends a sound: less is a breath.
const BREATH: u32 = 10;

/// What is kept to be played: ten minutes. Twilio documents no limit, but there is one to memory.
const QUEUED_MAX: usize = 10 * 60 * 8000;

/// Between two keys.
const KEY_TICKS: u64 = 10;

/// A media socket's messages, from the carrier's end: sound is mu-law at 8 kHz on this side.
///
/// Each returns what is to be sent, in its order.
pub(super) trait Wire: Send {
    /// Before anything is said.
    fn begins(&mut self) -> Vec<Frame>;

    /// Twenty milliseconds of what the person says.
    fn says(&mut self, sound: &[u8; FRAME_LEN]) -> Vec<Frame>;

    /// A key is pressed.
    fn presses(&mut self, key: char) -> Vec<Frame>;

    /// What stood before this mark has been played.
    fn plays_to(&mut self, mark: &str) -> Vec<Frame>;

    /// What was not yet played has been thrown away.
    fn cleared(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    /// The call is over.
    fn ends(&mut self) -> Vec<Frame>;

    /// What a message of the customer's asks for.
    ///
    /// # Errors
    /// What the carrier would report of it.
    fn take(&mut self, message: &Frame) -> Result<Heard, Problem>;

    /// Whether a mark comes back as well when what stood before it was thrown away.
    fn returns_cleared_marks(&self) -> bool {
        true
    }
}

/// What a message of the customer's asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Play this.
    Sound(Vec<u8>),
    /// Say when what came before has been played.
    Mark(String),
    /// Throw away what has not been played.
    Clear,
    /// Nothing.
    Nothing,
}

/// Plays the stream until either side has had enough.
pub(super) async fn play(play: &Play, stream: &Stream) {
    let leg = &play.leg;
    let peer = play.exchange.peer;
    let id = peer.stream_id();
    match play.exchange.post.upgrade(&stream.url, &stream.headers).await {
        Err(problem) => {
            leg.note(What::Failed(problem.clone()));
            told(play, stream, &id, StreamTold::Failed(problem)).await;
            if peer.waits_for_rejected_streams() {
                leg.ends().await;
            }
        }
        Ok(socket) => {
            leg.note(What::Connected(stream.url.clone()));
            let talk = Talk::new(leg, socket, peer.wire(leg, stream, &id), &play.voice);
            tokio::join!(
                talk.run(),
                told(play, stream, &id, StreamTold::Started),
                comes_twice(play, stream)
            );
            told(play, stream, &id, StreamTold::Stopped).await;
        }
    }
}

/// Opens the socket once more, where that is to happen, and tells what came of it.
async fn comes_twice(play: &Play, stream: &Stream) {
    let Some((Mishap::ComesTwice, after)) = play.voice.mishap else { return };
    if play.leg.unless_over(sleep(after)).await.is_none() {
        return;
    }
    match play.exchange.post.upgrade(&stream.url, &stream.headers).await {
        Ok(_) => play.leg.note(What::Connected(stream.url.clone())),
        Err(problem) => play.leg.note(What::Failed(problem)),
    }
}

async fn told(play: &Play, stream: &Stream, id: &str, what: StreamTold) {
    if let Some(letter) = play.exchange.peer.stream_told(&play.leg, stream, id, &what) {
        tell(&play.exchange, &play.leg, what.as_str(), letter).await;
    }
}

/// What is to become of the line, once it is time.
async fn happens(voice: &Voice) -> Mishap {
    match voice.mishap {
        Some((mishap, after)) if mishap != Mishap::ComesTwice => {
            sleep(after).await;
            mishap
        }
        _ => std::future::pending().await,
    }
}

/// A socket in use.
struct Talk<'a> {
    leg: &'a Leg,
    socket: Socket,
    wire: Box<dyn Wire>,
    voice: &'a Voice,
    player: Player,
    ticks: u64,
    silent_for: u32,
    was_warned: bool,
}

impl<'a> Talk<'a> {
    fn new(leg: &'a Leg, socket: Socket, wire: Box<dyn Wire>, voice: &'a Voice) -> Self {
        let player = Player::default();
        let (ticks, silent_for, was_warned) = (0, BREATH, false);
        Self { leg, socket, wire, voice, player, ticks, silent_for, was_warned }
    }

    async fn run(mut self) {
        let closed = self.talk().await;
        if self.silent_for < BREATH {
            self.leg.note(What::SoundEnded);
        }
        match closed {
            Ok(Some(code)) => self.leg.note(What::Closed(code)),
            // The person has gone: say so, and close.
            Ok(None) => {
                let frames = self.wire.ends();
                let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                drop(self.send(frames).await);
                drop(self.socket.close(Some(close)).await);
                // Who closes with something unread resets the connection (RFC 1122 §4.2.2.13), and
                // what was said last may never be read.
                drop(timeout(CLOSED_WITHIN, self.read_out()).await);
            }
            Err(_) => self.leg.note(What::Closed(None)),
        }
    }

    /// Reads whatever comes, until nothing more does.
    async fn read_out(&mut self) {
        while self.socket.next().await.is_some_and(|read| read.is_ok()) {}
    }

    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), tungstenite::Error> {
        for frame in frames {
            self.socket.send(frame).await?;
        }
        Ok(())
    }

    /// Until the daemon closes (with its code), or the call ends (none).
    async fn talk(&mut self) -> Result<Option<Option<u16>>, tungstenite::Error> {
        let frames = self.wire.begins();
        self.send(frames).await?;
        let mut ticks = interval(TICK);
        // Catching up keeps the person's time: as many frames as there were.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        ticks.reset();
        let mut mishap = std::pin::pin!(happens(self.voice));
        loop {
            tokio::select! {
                biased;
                () = self.leg.ends() => return Ok(None),
                mishap = &mut mishap => return self.suffer(mishap).await,
                _ = ticks.tick() => self.tick().await?,
                frame = self.socket.next() => match frame {
                    None => return Ok(Some(None)),
                    Some(Ok(Frame::Close(frame))) => {
                        return Ok(Some(frame.map(|frame| frame.code.into())));
                    }
                    Some(Ok(frame @ (Frame::Text(_) | Frame::Binary(_)))) => {
                        self.take(&frame).await?;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                },
            }
        }
    }

    /// What becomes of the line.
    async fn suffer(&mut self, mishap: Mishap) -> Result<Option<Option<u16>>, tungstenite::Error> {
        match mishap {
            Mishap::Stalls => self.leg.ends().await,
            Mishap::HalfCloses => {
                self.socket.get_mut().shutdown().await?;
                self.leg.unless_over(self.read_out()).await;
            }
            Mishap::Breaks | Mishap::ComesTwice => {}
        }
        // Nothing is said any more, neither of the end.
        Err(tungstenite::Error::ConnectionClosed)
    }

    /// Twenty milliseconds: one frame is said, one is heard.
    async fn tick(&mut self) -> Result<(), tungstenite::Error> {
        let said = self.frame();
        self.ticks += 1;
        let frames = self.wire.says(&said);
        self.send(frames).await?;
        if let Some(key) = self.key() {
            let frames = self.wire.presses(key);
            self.send(frames).await?;
            self.leg.note(What::Key(key));
        }
        let (heard, marks) = self.player.frame();
        self.listen(&heard);
        self.leg.change(|state| state.heard.extend_from_slice(&heard));
        self.play_marks(marks).await?;
        let stays = self.voice.stays.map(|stays| u64::try_from(stays.as_millis() / 20));
        if let Some(Ok(stays)) = stays
            && self.ticks >= self.said_ticks() + stays
        {
            self.leg.end(Ending::Person);
        }
        Ok(())
    }

    fn listen(&mut self, heard: &[u8]) {
        if !is_silent(heard) {
            if self.silent_for >= BREATH {
                self.leg.note(What::SoundBegan);
            }
            self.silent_for = 0;
        } else if self.silent_for < BREATH {
            self.silent_for += 1;
            if self.silent_for == BREATH {
                self.leg.note(What::SoundEnded);
            }
        }
    }

    /// What the person says now.
    fn frame(&self) -> [u8; FRAME_LEN] {
        let mut frame = [SILENCE; FRAME_LEN];
        let place = usize::try_from(self.ticks).unwrap_or(usize::MAX).saturating_mul(FRAME_LEN);
        let said = self.voice.says.get(place..).unwrap_or_default();
        frame.iter_mut().zip(said).for_each(|(to, from)| *to = *from);
        frame
    }

    /// How long they speak and press keys.
    fn said_ticks(&self) -> u64 {
        let says = u64::try_from(self.voice.says.len().div_ceil(FRAME_LEN)).unwrap_or(u64::MAX);
        let keys = u64::try_from(self.voice.keys.len()).unwrap_or(u64::MAX);
        says + keys * KEY_TICKS
    }

    fn key(&self) -> Option<char> {
        let says = u64::try_from(self.voice.says.len().div_ceil(FRAME_LEN)).ok()?;
        let since = self.ticks.checked_sub(says + 1)?;
        let place = usize::try_from(since / KEY_TICKS).ok()?;
        self.voice.keys.chars().nth(place).filter(|_| since.is_multiple_of(KEY_TICKS))
    }

    async fn take(&mut self, frame: &Frame) -> Result<(), tungstenite::Error> {
        let marks = match self.wire.take(frame) {
            Ok(Heard::Sound(sound)) => {
                if !self.player.push(&sound) {
                    self.warn(Problem::new(31_930, "more sound than can be kept"));
                }
                Vec::new()
            }
            Ok(Heard::Mark(name)) => self.player.mark(name),
            Ok(Heard::Clear) => {
                self.leg.note(What::Cleared);
                let marks = self.player.clear();
                let frames = self.wire.cleared();
                self.send(frames).await?;
                if self.wire.returns_cleared_marks() { marks } else { Vec::new() }
            }
            Ok(Heard::Nothing) => Vec::new(),
            Err(problem) => {
                self.warn(problem);
                Vec::new()
            }
        };
        self.play_marks(marks).await
    }

    async fn play_marks(&mut self, marks: Vec<String>) -> Result<(), tungstenite::Error> {
        for name in marks {
            let frames = self.wire.plays_to(&name);
            self.leg.note(What::Mark(name));
            self.send(frames).await?;
        }
        Ok(())
    }

    /// Reported once a stream, as Twilio does.
    fn warn(&mut self, problem: Problem) {
        if !self.was_warned {
            self.was_warned = true;
            self.leg.note(What::Failed(problem));
        }
    }
}

/// What is to be played, in its order.
#[derive(Debug, Default)]
struct Player {
    queue: VecDeque<Item>,
    /// Bytes of sound in the queue.
    queued: usize,
}

#[derive(Debug)]
enum Item {
    Sound(VecDeque<u8>),
    Mark(String),
}

impl Player {
    /// Whether it was taken.
    fn push(&mut self, sound: &[u8]) -> bool {
        if self.queued + sound.len() > QUEUED_MAX {
            return false;
        }
        self.queued += sound.len();
        match self.queue.back_mut() {
            Some(Item::Sound(last)) => last.extend(sound),
            Some(Item::Mark(_)) | None => {
                self.queue.push_back(Item::Sound(sound.iter().copied().collect()));
            }
        }
        true
    }

    /// Marks that are played to at once.
    fn mark(&mut self, name: String) -> Vec<String> {
        if self.queue.is_empty() {
            return vec![name];
        }
        self.queue.push_back(Item::Mark(name));
        Vec::new()
    }

    /// Throws the sound away; the marks count as played to.
    fn clear(&mut self) -> Vec<String> {
        self.queued = 0;
        self.queue.drain(..).filter_map(Item::into_mark).collect()
    }

    /// The next frame, filled up with silence, and the marks it plays to.
    fn frame(&mut self) -> ([u8; FRAME_LEN], Vec<String>) {
        let mut frame = [SILENCE; FRAME_LEN];
        let mut played = 0;
        let mut marks = Vec::new();
        while let Some(item) = self.queue.front_mut() {
            if let Item::Sound(sound) = item {
                if let Some(free) = frame.get_mut(played..) {
                    let count = sound.len().min(free.len());
                    free.iter_mut().zip(sound.drain(..count)).for_each(|(to, from)| *to = from);
                    played += count;
                    self.queued -= count;
                }
                if !sound.is_empty() {
                    break;
                }
            }
            marks.extend(self.queue.pop_front().and_then(Item::into_mark));
        }
        (frame, marks)
    }
}

impl Item {
    fn into_mark(self) -> Option<String> {
        match self {
            Self::Mark(name) => Some(name),
            Self::Sound(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_played_to_in_their_place() {
        let mut player = Player::default();
        assert_eq!(player.mark("now".to_owned()), ["now"]);
        assert!(player.push(&[1; 200]));
        assert!(player.mark("a".to_owned()).is_empty());
        assert!(player.push(&[2; 40]));
        assert!(player.mark("b".to_owned()).is_empty());
        let (frame, marks) = player.frame();
        assert!(frame == [1; FRAME_LEN] && marks.is_empty());
        let (frame, marks) = player.frame();
        assert_eq!((frame[39], frame[40], frame[79], frame[80]), (1, 2, 2, SILENCE));
        assert_eq!(marks, ["a", "b"]);
        assert_eq!(player.frame(), ([SILENCE; FRAME_LEN], Vec::new()));
    }

    #[test]
    fn clearing_throws_sound_away_and_returns_the_marks() {
        let mut player = Player::default();
        player.push(&[1; 1000]);
        player.mark("a".to_owned());
        player.push(&[1; 1000]);
        player.mark("b".to_owned());
        assert_eq!(player.clear(), ["a", "b"]);
        assert_eq!(player.frame(), ([SILENCE; FRAME_LEN], Vec::new()));
        assert!(player.push(&vec![0; QUEUED_MAX]) && !player.push(&[0]));
    }
}

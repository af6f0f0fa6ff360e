//! Calls that are talked over: each asks by its webhook, opens the media socket it is told of,
//! speaks a frame every 20 ms and listens for the echo. Calls come one by one while the ramp lasts,
//! at even distances within the 20 ms, and stay until the end. It keeps no sound.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::{Arc, Barrier, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::{
    Live,
    calls::Calls,
    own::{Busy, spent},
    sound::{Sound, frame, number},
    tally::micros,
    timer::Timer,
};
use crate::{
    simulator::{
        audio::{self, FRAME_LEN},
        post::Socket,
        talk::{Heard, Wire},
    },
    telemetry::clock,
};

/// From one frame to the next.
const TICK: Duration = Duration::from_millis(20);

/// Times within a tick at which calls speak: twice in a millisecond.
const PHASES: u32 = 40;

/// How long echoes of the last frames are waited for.
const ECHO_MAX: Duration = Duration::from_millis(500);

/// How long a socket may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a run of calls is made from.
#[derive(Clone, Copy, Debug)]
pub struct TalkSettings {
    /// Calls at once.
    pub calls: u32,
    /// While they come.
    pub ramp: Duration,
    /// How long all of them talk.
    pub steady: Duration,
    /// How long an answer, or a socket, may take.
    pub timeout: Duration,
    /// Threads that talk.
    pub threads: u32,
}

/// Plays the calls and returns what came of them.
///
/// # Errors
/// A thread cannot be had.
pub fn talk(settings: TalkSettings, calls: &Arc<Calls>, live: &Arc<Live>) -> Result<Sound, String> {
    let threads = settings.threads.clamp(1, settings.calls.max(1));
    let count = usize::try_from(threads).unwrap_or(1);
    let barrier = Arc::new(Barrier::new(count));
    let workers: Vec<_> = (0..threads)
        .map(|place| {
            let (calls, live, barrier) =
                (Arc::clone(calls), Arc::clone(live), Arc::clone(&barrier));
            let own: Vec<u32> = (0..settings.calls).filter(|n| n % threads == place).collect();
            let work = move || work(settings, &own, calls, live, &barrier);
            thread::Builder::new().name(format!("load-{place}")).spawn(work)
        })
        .collect();
    let mut sound = Sound::new();
    let mut failed = None;
    for worker in workers {
        let worker = worker.map_err(|error| format!("cannot start a thread: {error}"))?;
        match worker.join() {
            Ok(Ok(part)) => sound.add(part),
            Ok(Err(error)) => failed = Some(error),
            Err(_) => failed = Some("a thread of the generator has failed".to_owned()),
        }
    }
    failed.map_or(Ok(sound), Err)
}

fn work(
    settings: TalkSettings,
    own: &[u32],
    calls: Arc<Calls>,
    live: Arc<Live>,
    barrier: &Barrier,
) -> Result<Sound, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    barrier.wait();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let floor = Rc::new(Floor {
        settings,
        calls,
        live,
        start: clock::instant(),
        phases: (0..PHASES).map(|_| Notify::new()).collect(),
        end: watch::Sender::new(false),
        ramped: Cell::new(None),
        sound: RefCell::new(Sound::new()),
    });
    let local = tokio::task::LocalSet::new();
    let kept = local.block_on(&runtime, Rc::clone(&floor).run(own));
    drop(local);
    kept.map_err(|error| format!("cannot keep time: {error}"))?;
    let floor = Rc::into_inner(floor).ok_or("a call has not ended")?;
    Ok(floor.sound.into_inner())
}

/// What the calls of one thread share.
struct Floor {
    settings: TalkSettings,
    calls: Arc<Calls>,
    live: Arc<Live>,
    start: Instant,
    /// Told when it is time to speak.
    phases: Vec<Notify>,
    end: watch::Sender<bool>,
    /// What the thread had spent when all calls were there, and when that was.
    ramped: Cell<Option<(Instant, (Duration, Duration))>>,
    sound: RefCell<Sound>,
}

impl Floor {
    async fn run(self: Rc<Self>, own: &[u32]) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for n in own {
            tasks.spawn_local(Rc::clone(&self).call(*n));
        }
        let mut stop = self.live.stopped();
        let kept = tokio::select! {
            kept = self.beat() => kept,
            () = self.length() => Ok(()),
            _ = stop.wait_for(|stop| *stop) => Ok(()),
        };
        if let Some((since, (ran, waited))) = self.ramped.get() {
            let (ran_now, waited_now) = spent();
            self.sound.borrow_mut().threads.push(Busy {
                watched: since.elapsed(),
                ran: ran_now.saturating_sub(ran),
                waited: waited_now.saturating_sub(waited),
            });
        }
        self.end.send_replace(true);
        while tasks.join_next().await.is_some() {}
        kept
    }

    async fn length(&self) {
        tokio::time::sleep(self.settings.ramp).await;
        self.ramped.set(Some((clock::instant(), spent())));
        tokio::time::sleep(self.settings.steady).await;
    }

    /// Says twice in a millisecond whose time it is.
    async fn beat(&self) -> io::Result<()> {
        let mut timer = Timer::new()?;
        let phase = TICK / PHASES;
        for beat in 0_u32.. {
            timer.until(self.start + phase * beat).await?;
            let place = usize::try_from(beat % PHASES).unwrap_or(0);
            if let Some(phase) = self.phases.get(place) {
                phase.notify_waiters();
            }
        }
        Ok(())
    }

    /// A call's life, from its time on.
    async fn call(self: Rc<Self>, n: u32) {
        let share = f64::from(n) / f64::from(self.settings.calls.max(1));
        let mut end = self.end.subscribe();
        tokio::select! {
            () = tokio::time::sleep(self.settings.ramp.mul_f64(share)) => {}
            _ = end.wait_for(|end| *end) => return,
        }
        self.sound.borrow_mut().begun += 1;
        self.live.sent.fetch_add(1, Ordering::Relaxed);
        if let Err((what, words)) = self.play(n).await {
            self.live.failed.fetch_add(1, Ordering::Relaxed);
            self.sound.borrow_mut().fail(what, words);
        }
    }

    async fn play(&self, n: u32) -> Result<(), (&'static str, String)> {
        let asked = clock::instant();
        let limit = self.settings.timeout;
        let begun = timeout(limit, self.calls.begin(u64::from(n))).await;
        let begun = begun.map_err(|_| ("timed_out", format!("no answer in {limit:?}")))?;
        let begun = begun.map_err(|words| ("not_answered", words))?;
        self.sound.borrow_mut().answer.saturating_record(micros(asked.elapsed()));
        let opened = timeout(limit, begun.open()).await;
        let opened = opened.map_err(|_| ("timed_out", format!("no socket in {limit:?}")))?;
        let (socket, wire) = opened.map_err(|words| ("no_socket", words))?;
        self.sound.borrow_mut().connected += 1;
        let is_marked = begun.stream.format.sample_rate_hz == audio::RATE_HZ;
        let (sink, hears) = socket.split();
        let line =
            RefCell::new(Line { wire, sent: Vec::new(), heard: 0, last: None, asked, is_marked });
        let talked = tokio::select! {
            said = self.say(n, sink, &line) => said,
            heard = self.hear(hears, &line) => heard,
        };
        // Whatever became of the socket, the daemon is told that the call is over.
        begun.over().await;
        talked.map_err(|words| ("cut_off", words))
    }

    /// Speaks until the end, then waits for the last echoes and closes.
    async fn say(
        &self,
        n: u32,
        mut sink: SplitSink<Socket, Frame>,
        line: &RefCell<Line>,
    ) -> Result<(), String> {
        let failed = |error: tungstenite::Error| error.to_string();
        let begins = line.borrow_mut().wire.begins();
        for message in begins {
            sink.send(message).await.map_err(failed)?;
        }
        let place = usize::try_from(n % PHASES).unwrap_or(0);
        let phase = self.phases.get(place).ok_or("no time to speak")?;
        phase.notified().await;
        let first = clock::instant();
        let mut end = self.end.subscribe();
        for said in 0_u32.. {
            let due = first + TICK * said;
            while clock::instant() < due {
                tokio::select! {
                    () = phase.notified() => {}
                    _ = end.wait_for(|end| *end) => {
                        tokio::time::sleep(ECHO_MAX).await;
                        return close(sink, line).await;
                    }
                }
                // Some beats are a moment before a call's own time.
                if due.saturating_duration_since(clock::instant()) < TICK / 2 {
                    break;
                }
            }
            let now = clock::instant();
            let messages = {
                let mut line = line.borrow_mut();
                line.sent.push(now);
                line.wire.says(&frame(said))
            };
            {
                let mut sound = self.sound.borrow_mut();
                sound.said += 1;
                sound.lateness.saturating_record(micros(now.saturating_duration_since(due)));
                if let Some(second) = sound.second(now.duration_since(self.start)) {
                    second.said += 1;
                }
            }
            for message in messages {
                sink.send(message).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Listens until the socket closes.
    async fn hear(
        &self,
        mut hears: SplitStream<Socket>,
        line: &RefCell<Line>,
    ) -> Result<(), String> {
        while let Some(message) = hears.next().await {
            let message = message.map_err(|error| error.to_string())?;
            if let Frame::Close(close) = message {
                let code = close.map(|close| u16::from(close.code));
                return Err(format!("the daemon closed the media socket: {code:?}"));
            }
            if !matches!(message, Frame::Text(_) | Frame::Binary(_)) {
                continue;
            }
            let now = clock::instant();
            let heard = line.borrow_mut().wire.take(&message).map_err(|problem| problem.what)?;
            if let Heard::Sound(sound) = heard {
                for frame in sound.chunks(FRAME_LEN) {
                    self.heard(&mut line.borrow_mut(), frame, now);
                }
            }
        }
        Err("the media socket was closed".to_owned())
    }

    fn heard(&self, line: &mut Line, frame: &[u8], now: Instant) {
        let mut sound = self.sound.borrow_mut();
        let Some(sent) = line.sent_at(frame) else {
            sound.others += 1;
            return;
        };
        let took = micros(now.duration_since(sent));
        sound.heard += 1;
        sound.latency.saturating_record(took);
        match line.last.replace(now) {
            None => sound.first.saturating_record(micros(now.duration_since(line.asked))),
            Some(last) => {
                sound.jitter.saturating_record(micros(now.duration_since(last).abs_diff(TICK)));
            }
        }
        if let Some(second) = sound.second(now.duration_since(self.start)) {
            second.heard += 1;
            second.latency.saturating_record(took);
        }
    }
}

/// The carrier's end of a call that talks.
struct Line {
    wire: Box<dyn Wire>,
    /// When each frame was sent.
    sent: Vec<Instant>,
    heard: usize,
    /// When the last echo came.
    last: Option<Instant>,
    asked: Instant,
    is_marked: bool,
}

impl Line {
    /// When the frame was sent that this is the echo of. Sound that was resampled on its way has
    /// lost its mark; it is taken to come in its order.
    fn sent_at(&mut self, frame: &[u8]) -> Option<Instant> {
        let place = if self.is_marked { usize::try_from(number(frame)?).ok()? } else { self.heard };
        let sent = self.sent.get(place).copied()?;
        self.heard += 1;
        Some(sent)
    }
}

async fn close(mut sink: SplitSink<Socket, Frame>, line: &RefCell<Line>) -> Result<(), String> {
    let ends = line.borrow_mut().wire.ends();
    let closing = async {
        for message in ends {
            sink.send(message).await?;
        }
        sink.close().await
    };
    // Whether the daemon closes as well is not waited for.
    drop(timeout(CLOSE_MAX, closing).await);
    Ok(())
}

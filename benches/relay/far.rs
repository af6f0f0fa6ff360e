//! Both far ends of every call, in a process of their own with one thread: carriers that speak 50
//! times a second, and runtimes that answer each frame with one. Told by lines what to do; each is
//! answered by a line of JSON.

use std::collections::VecDeque;
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};
use switchback::telemetry::clock;

use crate::common::Sample;
use crate::frames::{self, Frames};
use crate::sockets;
use crate::ways::Way;

const FRAMES_A_SECOND: u32 = 50;

/// A frame that is so late is not sent: the call's next one is due.
const LATE_MAX: Duration = Duration::from_millis(20);

/// How long frames are sent before it is looked at what has come: also where sending takes all the
/// time there is, whoever waits for an answer or a pong gets it.
const SAID_AT_ONCE_MAX: Duration = Duration::from_millis(2);

/// How long calls that are open say nothing while others are opened. A carrier's socket that is
/// silent for ten seconds is closed.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// The longest message on a link.
const MESSAGE_LEN_MAX: usize = 256 * 1024;

/// After so long without an answer the others do not come.
const STILL_MAX: Duration = Duration::from_secs(1);

/// One call's two ends.
struct Call {
    way: Way,
    carrier: End,
    /// None where it shares a socket with others.
    runtime: Option<End>,
    speech: Vec<u8>,
    reply: Vec<u8>,
    /// When the frames were sent that have not been answered.
    sent: VecDeque<Instant>,
}

struct End {
    socket: TcpStream,
    frames: Frames,
    /// What the socket did not take, and how much of that it has taken since.
    pending: Vec<u8>,
    taken: usize,
    /// The other side has ended it.
    is_over: bool,
}

impl End {
    fn new(socket: std::net::TcpStream, poll: &Poll, token: usize, frames: Frames) -> Self {
        socket.set_nonblocking(true).unwrap();
        let mut socket = TcpStream::from_std(socket);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, Token(token), interest).unwrap();
        Self { socket, frames, pending: Vec::new(), taken: 0, is_over: false }
    }

    fn say(&mut self, bytes: &[u8]) {
        if !self.pending.is_empty() {
            return self.pending.extend(bytes);
        }
        match self.socket.write(bytes) {
            Ok(written) => self.pending.extend(&bytes[written..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.pending.extend(bytes),
            Err(_) => self.is_over = true,
        }
    }

    fn flush(&mut self) {
        while self.taken < self.pending.len() {
            match self.socket.write(&self.pending[self.taken..]) {
                Ok(written) => self.taken += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.is_over = true;
                    break;
                }
            }
        }
        self.pending.clear();
        self.taken = 0;
    }

    /// Takes what has come.
    fn hear(&mut self, buffer: &mut [u8], mut each: impl FnMut(u8, &[u8])) {
        loop {
            match self.socket.read(buffer) {
                Ok(read @ 1..) => {
                    self.frames.take(&buffer[..read], &mut each);
                    if read < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }
}

/// A socket of many calls: what each is answered, by its number there.
struct Link {
    end: End,
    replies: Vec<Vec<u8>>,
    /// How many there are.
    begun: usize,
    /// What is to be said, in lines, and the message that holds some of it.
    out: Vec<u8>,
    message: Vec<u8>,
}

/// Where links' tokens begin.
const LINKS: usize = 1 << 32;

struct Far {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    calls: Vec<Option<Call>>,
    links: Vec<Link>,
    buffer: Vec<u8>,
    round_trips_us: Vec<f64>,
    /// What the answers to one read are put together in.
    said: Vec<u8>,
    /// How long it was looked in vain at what has come.
    idle: Duration,
}

/// Serves the process that started this one.
pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", json!({ "runtime": listener.local_addr().unwrap() }));
    let mut far = Far {
        poll: Poll::new().unwrap(),
        events: Events::with_capacity(4096),
        listener,
        calls: Vec::new(),
        links: Vec::new(),
        buffer: vec![0; 64 * 1024],
        round_trips_us: Vec::with_capacity(1 << 20),
        said: Vec::new(),
        idle: Duration::ZERO,
    };
    let (told, telling) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            told.send(serde_json::from_str::<Value>(&line.unwrap()).unwrap()).unwrap();
        }
    });
    loop {
        match telling.try_recv() {
            Ok(told) => {
                let way = Way::named(told["way"].as_str().unwrap());
                let answer = match told["do"].as_str().unwrap() {
                    "open" => far.open(way, &told),
                    "close" => far.close(way),
                    _ => far.run(way, &told),
                };
                println!("{answer}");
            }
            // Pings are answered whatever else is done.
            Err(std::sync::mpsc::TryRecvError::Empty) => far.hear(Duration::from_millis(5)),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
        }
    }
}

impl Far {
    /// Opens calls.
    fn open(&mut self, way: Way, told: &Value) -> Value {
        let to: SocketAddr = told["to"].as_str().unwrap().parse().unwrap();
        let count = told["calls"].as_u64().unwrap();
        let mut spoken = clock::instant();
        let mut http = (way != Way::Raw).then(|| sockets::connect(to));
        for n in 0..count {
            let (carrier, runtime, reply) = match &mut http {
                None => {
                    let carrier = sockets::connect(to);
                    let (runtime, _) = self.listener.accept().unwrap();
                    runtime.set_nodelay(true).unwrap();
                    (carrier, Some(runtime), sockets::raw_reply())
                }
                Some(http) if way == Way::Linked => {
                    let opening = sockets::ask(http, way, n);
                    self.await_start(way);
                    (opening.open(to), None, Vec::new())
                }
                Some(http) => {
                    let carrier = sockets::ask(http, way, n).open(to);
                    let (mut runtime, _) = self.listener.accept().unwrap();
                    let stream = sockets::accept(&mut runtime);
                    (carrier, Some(runtime), sockets::reply(way, &stream))
                }
            };
            let token = self.calls.len() * 2;
            let end = |socket, token| End::new(socket, &self.poll, token, Frames::begun());
            self.calls.push(Some(Call {
                way,
                carrier: end(carrier, token),
                runtime: runtime.map(|runtime| end(runtime, token + 1)),
                speech: sockets::speech(way),
                reply,
                sent: VecDeque::with_capacity(64),
            }));
            self.hear(Duration::ZERO);
            if spoken.elapsed() > SILENT_MAX {
                spoken = clock::instant();
                self.calls.iter_mut().flatten().for_each(|call| call.carrier.say(&call.speech));
            }
        }
        json!({ "calls": self.calls.len() })
    }

    /// Waits until one more call has begun on a link, which may have to be made first.
    fn await_start(&mut self, way: Way) {
        let begun = |links: &[Link]| links.iter().map(|link| link.begun).sum::<usize>();
        let before = begun(&self.links);
        self.listener.set_nonblocking(true).unwrap();
        while begun(&self.links) == before {
            if let Ok((mut socket, _)) = self.listener.accept() {
                socket.set_nonblocking(false).unwrap();
                sockets::shake(&mut socket, "sec-websocket-protocol: switchback.link.v1\r\n");
                let token = LINKS + self.links.len();
                let end = End::new(socket, &self.poll, token, Frames::default());
                self.links.push(Link {
                    end,
                    replies: Vec::new(),
                    begun: 0,
                    out: Vec::new(),
                    message: Vec::new(),
                });
            }
            self.hear_for(Duration::from_millis(1), way);
        }
        self.listener.set_nonblocking(false).unwrap();
    }

    /// Hangs up all calls of that way.
    fn close(&mut self, way: Way) -> Value {
        for call in &mut self.calls {
            drop(call.take_if(|call| call.way == way));
        }
        if way == Way::Linked {
            self.links.clear();
        }
        json!({})
    }

    /// Speaks in all calls of that way.
    fn run(&mut self, way: Way, told: &Value) -> Value {
        let lasts = Duration::from_secs_f64(told["seconds"].as_f64().unwrap());
        let is_of = |call: &Option<Call>| call.as_ref().is_some_and(|call| call.way == way);
        let calls: Vec<_> = (0..self.calls.len()).filter(|&n| is_of(&self.calls[n])).collect();
        let count = u32::try_from(calls.len()).unwrap();
        let apart = Duration::from_secs(1) / FRAMES_A_SECOND / count;
        self.round_trips_us.clear();
        self.idle = Duration::ZERO;
        let cpu = thread_cpu();
        let began = clock::instant();
        let (mut due, mut place, mut sent, mut late) = (began, 0, 0_u64, 0_u64);
        while due < began + lasts {
            let mut now = clock::instant();
            let said_until = now + SAID_AT_ONCE_MAX;
            while due <= now && now < said_until {
                let call = self.calls[calls[place]].as_mut().unwrap();
                place = (place + 1) % calls.len();
                if call.is_over() {
                    // The others go on.
                } else if now - due > LATE_MAX || !call.carrier.pending.is_empty() {
                    late += 1;
                } else {
                    call.sent.push_back(now);
                    call.carrier.say(&call.speech);
                    sent += 1;
                    now = clock::instant();
                }
                due += apart;
            }
            self.hear(due.saturating_duration_since(now));
        }
        let took = began.elapsed();
        // It looks all the time: what it does is the rest.
        let cpu = (thread_cpu() - cpu).saturating_sub(self.idle);
        let heard = self.round_trips_us.len();
        // What is still on its way comes, and is no part of it; what has not when nothing has come
        // for a second, or after five, is lost.
        let ended = clock::instant();
        let (mut last, mut came) = (ended, heard);
        while (came as u64) < sent && last.elapsed() < STILL_MAX && ended.elapsed() < 5 * STILL_MAX
        {
            self.hear(Duration::from_millis(10));
            if self.round_trips_us.len() > came {
                (came, last) = (self.round_trips_us.len(), clock::instant());
            }
        }
        let lost = sent - self.round_trips_us.len() as u64;
        let over = calls.iter().filter(|&&n| self.calls[n].as_ref().is_some_and(Call::is_over));
        let over = over.count();
        self.calls.iter_mut().flatten().for_each(|call| call.sent.clear());
        if heard == 0 {
            // Nothing came: it was no sooner than at the end.
            self.round_trips_us.push(took.as_secs_f64() * 1e6);
        }
        let trips = Sample::of(std::mem::take(&mut self.round_trips_us));
        let answer = json!({
            "sent": sent, "heard": heard, "late": late, "lost": lost, "ended": over,
            "seconds": took.as_secs_f64(), "busy": cpu.as_secs_f64() / took.as_secs_f64(),
            "p50_us": trips.at(0.5), "p99_us": trips.at(0.99), "p999_us": trips.at(0.999),
        });
        self.round_trips_us = Vec::with_capacity(1 << 20);
        answer
    }

    fn hear(&mut self, within: Duration) {
        self.hear_for(within, Way::Linked);
    }

    /// Hears and answers what has come, or comes within that time; calls that begin on a link are
    /// of that way.
    fn hear_for(&mut self, within: Duration, way: Way) {
        // The kernel counts in milliseconds, and rounds up: less than one is not slept.
        let within = Duration::from_millis(u64::try_from(within.as_millis()).unwrap());
        let asked = clock::instant();
        self.poll.poll(&mut self.events, Some(within)).unwrap();
        if self.events.is_empty() {
            self.idle += asked.elapsed();
        }
        for event in &self.events {
            let Token(token) = event.token();
            if token >= LINKS {
                let Some(link) = self.links.get_mut(token - LINKS) else { continue };
                if event.is_writable() {
                    link.end.flush();
                }
                if event.is_readable() {
                    link.answer(way, &mut self.buffer);
                }
                continue;
            }
            let Some(call) = &mut self.calls[token / 2] else { continue };
            let is_carrier = token % 2 == 0;
            let runtime = call.runtime.as_mut();
            let end = if is_carrier { &mut call.carrier } else { runtime.unwrap() };
            if event.is_writable() {
                end.flush();
            }
            if !event.is_readable() {
                continue;
            }
            let (mut audio, mut pings) = (0, 0);
            end.hear(&mut self.buffer, |opcode, payload| {
                audio += usize::from(frames::is_audio(opcode, payload.len()));
                pings += u32::from(opcode == frames::PING);
            });
            for _ in 0..pings {
                end.say(&frames::plain(frames::PONG, &[]));
            }
            if is_carrier {
                let now = clock::instant();
                let sent = call.sent.drain(..call.sent.len().min(audio));
                let took = sent.map(|sent| (now - sent).as_nanos() as f64 / 1000.0);
                self.round_trips_us.extend(took);
            } else if audio == 1 {
                call.runtime.as_mut().unwrap().say(&call.reply);
            } else if audio > 1 {
                self.said.clear();
                (0..audio).for_each(|_| self.said.extend(&call.reply));
                call.runtime.as_mut().unwrap().say(&self.said);
            }
        }
    }
}

impl Call {
    /// Whether one of its ends is over: nothing more is said in it.
    fn is_over(&self) -> bool {
        self.carrier.is_over || self.runtime.as_ref().is_some_and(|runtime| runtime.is_over)
    }
}

impl Link {
    /// Answers what has come for its calls, all in one message.
    fn answer(&mut self, way: Way, buffer: &mut [u8]) {
        let Self { end, replies, begun, out, message } = self;
        let mut pings = 0;
        end.hear(buffer, |opcode, payload| {
            pings += u32::from(opcode == frames::PING);
            if opcode != frames::TEXT {
                return;
            }
            for line in std::str::from_utf8(payload).unwrap().split_terminator('\n') {
                let (number, said) = line.split_once(' ').unwrap();
                let place: usize = number.parse().unwrap();
                match replies.get(place) {
                    Some(reply) if !reply.is_empty() => {
                        if said.len() >= 250 {
                            out.extend(reply);
                        }
                    }
                    _ if said.starts_with("open") => {
                        out.extend(format!("{number} accept\n").into_bytes());
                    }
                    _ => {
                        let Some(stream) = sockets::stream_of(said.as_bytes()) else { continue };
                        replies.resize(replies.len().max(place + 1), Vec::new());
                        replies[place] =
                            format!("{number} {}\n", sockets::said(way, &stream)).into_bytes();
                        *begun += 1;
                    }
                }
            }
        });
        for _ in 0..pings {
            end.say(&frames::plain(frames::PONG, &[]));
        }
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            // Of what has waited too long for one message there are several.
            let most = rest
                .get(..MESSAGE_LEN_MAX)
                .and_then(|most| most.iter().rposition(|byte| *byte == b'\n').map(|last| last + 1));
            let (lines, others) = rest.split_at(most.unwrap_or(rest.len()));
            message.clear();
            message.extend(frames::plain_head(frames::TEXT, lines.len()));
            message.extend(lines);
            end.say(message);
            rest = others;
        }
        out.clear();
    }
}

/// The processor time of this thread.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

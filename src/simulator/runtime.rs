//! A simulated agent runtime: a websocket server that speaks Twilio's Media Streams, as a bot does,
//! well or badly. It never knows the carrier or the daemon's inside.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use base64_simd::STANDARD;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{self, Message as Frame},
};

use super::audio::FRAME_LEN;
use crate::media::messages::{self, Message, Start};

/// How a runtime behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Says what it hears.
    Echo,
    /// Speaks first, this; then listens.
    Greeting(Vec<u8>),
    /// Needs this long before it takes the call; then says what it hears.
    Slow(Duration),
    /// Takes the call, and is never heard of again: not even a pong.
    Silent,
    /// Says what it hears, and falls over this long after the call began.
    Crashing(Duration),
    /// Listens, and says nothing.
    ListenOnly,
}

/// A call as the runtime saw it.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// What it was told of the call; none before `start`.
    pub start: Option<Start>,
    /// What it heard: mu-law.
    pub heard: Vec<u8>,
    /// Keys it was told of.
    pub keys: String,
    /// Marks that came back.
    pub marks: Vec<String>,
    /// Whether it was told that the call is over.
    pub was_stopped: bool,
    /// Whether its socket has closed.
    pub is_closed: bool,
}

impl Served {
    /// A parameter of `start`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = &self.start.as_ref()?.parameters;
        parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

type Calls = Arc<watch::Sender<Vec<Served>>>;

/// A runtime.
pub struct Runtime {
    address: SocketAddr,
    calls: Calls,
    task: JoinHandle<()>,
}

impl Runtime {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// The port.
    pub async fn start(behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls: Calls = Arc::new(watch::Sender::new(Vec::new()));
        let task = tokio::spawn(serve(listener, behaviour, Arc::clone(&calls)));
        Ok(Self { address, calls, task })
    }

    /// Its URL: the target of an agent.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The calls it has had.
    #[must_use]
    pub fn calls(&self) -> Vec<Served> {
        self.calls.borrow().clone()
    }

    /// Waits until its calls are as `is` says; `None` if they are not within the time.
    pub async fn until(
        &self,
        wait: Duration,
        is: impl Fn(&[Served]) -> bool,
    ) -> Option<Vec<Served>> {
        let mut calls = self.calls.subscribe();
        let found = timeout(wait, calls.wait_for(|calls| is(calls))).await.ok()?;
        found.ok().map(|calls| calls.clone())
    }

    /// Kills it: its sockets break without a word, and nothing listens any more.
    pub fn kill(&self) {
        self.task.abort();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The calls are this task's own, so that they end with it.
async fn serve(listener: TcpListener, behaviour: Behaviour, calls: Calls) {
    let mut sessions = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session(stream, behaviour.clone(), Arc::clone(&calls)));
    }
}

async fn session(stream: TcpStream, behaviour: Behaviour, calls: Calls) {
    let mut place = 0;
    calls.send_modify(|calls| {
        place = calls.len();
        calls.push(Served::default());
    });
    let call = Call { calls, place };
    if let Behaviour::Slow(delay) = behaviour {
        sleep(delay).await;
    }
    if let Ok(socket) = accept_async(stream).await {
        // A bot that loses its socket has nobody to tell.
        drop(call.talk(socket, behaviour).await);
    }
    call.note(|served| served.is_closed = true);
}

/// One call of a runtime.
struct Call {
    calls: Calls,
    place: usize,
}

impl Call {
    fn note(&self, note: impl FnOnce(&mut Served)) {
        self.calls.send_modify(|calls| {
            if let Some(served) = calls.get_mut(self.place) {
                note(served);
            }
        });
    }

    async fn talk(
        &self,
        mut socket: WebSocketStream<TcpStream>,
        behaviour: Behaviour,
    ) -> Result<(), tungstenite::Error> {
        if behaviour == Behaviour::Silent {
            std::future::pending::<()>().await;
        }
        let falls = match behaviour {
            Behaviour::Crashing(after) => after,
            Behaviour::Echo
            | Behaviour::Greeting(_)
            | Behaviour::Slow(_)
            | Behaviour::Silent
            | Behaviour::ListenOnly => Duration::MAX,
        };
        let mut fall = std::pin::pin!(async {
            sleep(falls).await;
        });
        loop {
            let frame = tokio::select! {
                () = &mut fall => return Ok(()),
                frame = socket.next() => frame,
            };
            match frame {
                None | Some(Ok(Frame::Close(_))) => return Ok(()),
                Some(Ok(Frame::Text(text))) => self.take(&mut socket, &behaviour, &text).await?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }

    async fn take(
        &self,
        socket: &mut WebSocketStream<TcpStream>,
        behaviour: &Behaviour,
        text: &str,
    ) -> Result<(), tungstenite::Error> {
        let Ok(messages::Envelope { stream_sid, message }) = messages::parse(text) else {
            return Ok(());
        };
        match message {
            Message::Start(start) => {
                self.note(|served| served.start = Some(start));
                if let Behaviour::Greeting(sound) = behaviour {
                    greet(socket, &stream_sid, sound).await?;
                }
            }
            Message::Media(payload) => {
                let sound = STANDARD.decode_to_vec(&payload).unwrap_or_default();
                self.note(|served| served.heard.extend_from_slice(&sound));
                let is_echo = match behaviour {
                    Behaviour::Echo | Behaviour::Slow(_) | Behaviour::Crashing(_) => true,
                    Behaviour::Greeting(_) | Behaviour::Silent | Behaviour::ListenOnly => false,
                };
                if is_echo {
                    let mut text = String::new();
                    messages::write_audio(&mut text, &stream_sid, &payload);
                    socket.send(Frame::text(text)).await?;
                }
            }
            Message::Dtmf(key) => self.note(|served| served.keys.push_str(&key)),
            Message::Mark(name) => self.note(|served| served.marks.push(name)),
            Message::Stop => self.note(|served| served.was_stopped = true),
            Message::Connected | Message::Clear | Message::Unknown => {}
        }
        Ok(())
    }
}

/// Faster than it is heard, as bots do, and a mark behind it.
async fn greet(
    socket: &mut WebSocketStream<TcpStream>,
    stream_sid: &str,
    sound: &[u8],
) -> Result<(), tungstenite::Error> {
    for frame in sound.chunks(FRAME_LEN) {
        let mut text = String::new();
        messages::write_audio(&mut text, stream_sid, &STANDARD.encode_to_string(frame));
        socket.send(Frame::text(text)).await?;
    }
    let mut text = String::new();
    messages::write_mark(&mut text, stream_sid, None, "greeting");
    socket.send(Frame::text(text)).await
}

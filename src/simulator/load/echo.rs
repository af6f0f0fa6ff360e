//! A runtime that says what it hears, and keeps nothing: for more calls than the simulated bot,
//! which remembers all of them, is good for.

use std::{io, net::SocketAddr, thread};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{self, Message as Frame, protocol::WebSocketConfig},
};

use crate::media::messages;

/// Its share of a call's memory: a frame is 200 bytes.
const BUFFER_LEN: usize = 4 * 1024;

/// Starts it on a thread of its own, until the process ends.
///
/// # Errors
/// The place, or the thread.
pub fn echo(place: &str) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(place)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _within = runtime.enter();
        TcpListener::from_std(listener)?
    };
    thread::Builder::new().name("load-echo".to_owned()).spawn(move || {
        runtime.block_on(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // Who loses its socket has nobody to tell.
                    drop(talk(stream).await);
                });
            }
        });
    })?;
    Ok(address)
}

async fn talk(stream: TcpStream) -> Result<(), tungstenite::Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_LEN).write_buffer_size(0);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    while let Some(frame) = socket.next().await {
        let Frame::Text(text) = frame? else { continue };
        let mut said = String::new();
        if let Some(media) = messages::media(&text) {
            messages::write_audio(&mut said, media.stream_sid(), media.payload());
        } else if let Ok(messages::Envelope {
            stream_sid,
            message: messages::Message::Media(payload),
        }) = messages::parse(&text)
        {
            messages::write_audio(&mut said, &stream_sid, &payload);
        } else {
            continue;
        }
        socket.send(Frame::text(said)).await?;
    }
    Ok(())
}

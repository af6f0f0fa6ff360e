//! The websocket's handshake towards a runtime, and nothing of what follows it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};

/// What ends the head of an answer.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A stream whose first head is read by somebody else: what came behind it is kept.
#[derive(Debug)]
struct Head<S> {
    io: S,
    /// How much of the end of the head has come.
    matched: usize,
    behind: Vec<u8>,
}

/// Shakes hands. What came behind the answer comes back with the stream.
pub(super) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    request: Request,
    io: S,
) -> Result<(S, Vec<u8>), tungstenite::Error> {
    // The socket that comes of it is taken apart at once: its buffers are not to be made.
    let config = WebSocketConfig::default().read_buffer_size(0).write_buffer_size(0);
    let head = Head { io, matched: 0, behind: Vec::new() };
    let (socket, _) = client_async_with_config(request, head, Some(config)).await?;
    let Head { io, behind, .. } = socket.into_inner();
    Ok((io, behind))
}

impl<S: AsyncRead + Unpin> AsyncRead for Head<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        let mut head_len = None;
        for (at, byte) in came.iter().enumerate() {
            self.matched = match HEAD_END.get(self.matched) {
                Some(expected) if expected == byte => self.matched + 1,
                _ => usize::from(*byte == b'\r'),
            };
            if self.matched == HEAD_END.len() {
                head_len = Some(at + 1);
                break;
            }
        }
        if let Some(head_len) = head_len {
            self.behind.extend_from_slice(came.get(head_len..).unwrap_or_default());
            buf.set_filled(before + head_len);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Head<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

    use super::*;

    /// A server whose answer and first words come in one piece, or byte by byte.
    async fn check(piece: usize) {
        let (near, mut far) = duplex(16 * 1024);
        let server = tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(HEAD_END) {
                head.push(far.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            assert!(head.contains("upgrade: websocket"), "{head}");
            far
        });
        let request = "ws://bot/".into_client_request().unwrap();
        let key = request.headers().get("sec-websocket-key").unwrap().clone();
        let shaking = tokio::spawn(shake(request, near));
        let mut far = server.await.unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             x: \r\nsec-websocket-accept: {accept}\r\n\r\n\u{1}\u{2}hello\r\n\r\n"
        );
        for bytes in answer.as_bytes().chunks(piece) {
            far.write_all(bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(far);
        let (mut io, mut behind) = shaking.await.unwrap().unwrap();
        io.read_to_end(&mut behind).await.unwrap();
        assert_eq!(behind, b"\x01\x02hello\r\n\r\n");
    }

    #[tokio::test]
    async fn what_comes_behind_the_handshake_is_not_lost() {
        // Still smaller pieces are taken for an attack.
        for piece in [5, 40, 4096] {
            check(piece).await;
        }
    }
}

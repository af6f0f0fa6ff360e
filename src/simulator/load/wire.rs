//! One connection that requests go out on and answers come back by, and no more of HTTP/1.1 than
//! that needs: a generator must be cheaper than what it measures, so requests are bytes made
//! beforehand and of an answer only what ends it is read.

use std::{io, sync::Arc};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::simulator::post::{Pipe, Sent, tls};

/// Headers of an answer that are read.
const HEADERS_MAX: usize = 64;

/// A longer answer is none to a webhook.
const ANSWER_MAX: usize = 1024 * 1024;

/// Most answers fit.
const BUFFER_LEN: usize = 16 * 1024;

/// Where requests are sent.
#[derive(Clone)]
pub struct Place {
    host: String,
    port: u16,
    tls: Option<Arc<TlsConnector>>,
}

impl Place {
    /// The place that a URL names; its path does not matter.
    ///
    /// # Errors
    /// Why it is none.
    pub fn of(url: &str) -> Result<Self, String> {
        let url: url::Url = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
        let host = url.host_str().ok_or_else(|| format!("{url} names no host"))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{url}: {other} is neither http nor https")),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let tls = is_tls.then(tls).transpose()?.map(TlsConnector::from).map(Arc::new);
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }

    pub(super) async fn connect(&self) -> io::Result<Line> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Pipe> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                Box::new(tls.connect(name, tcp).await?)
            }
        };
        Ok(Line { stream, read: BytesMut::with_capacity(BUFFER_LEN) })
    }
}

/// A request as it goes over the wire.
#[must_use]
pub fn written(sent: &Sent) -> Vec<u8> {
    let (authority, target) = split(&sent.url);
    let mut text = format!("{} {target} HTTP/1.1\r\nhost: {authority}\r\n", sent.method);
    for (name, value) in &sent.headers {
        text.push_str(name.as_str());
        text.push_str(": ");
        text.push_str(value.to_str().unwrap_or_default());
        text.push_str("\r\n");
    }
    if !sent.body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", sent.body.len()));
    }
    text.push_str("\r\n");
    text.push_str(&sent.body);
    text.into_bytes()
}

/// A URL's host with its port, and what stands after it, spelled as it was signed.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    (authority, if target.is_empty() { "/" } else { target })
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection ended.
    Reset(io::Error),
    /// What came was no HTTP.
    NotHttp(&'static str),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Reset(error)
    }
}

/// An answer, in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Where an answer lies in the buffer.
struct Head {
    status: u16,
    content_type: (usize, usize),
    len: usize,
    body: Body,
    keeps_open: bool,
}

enum Body {
    Long(usize),
    Chunked,
    ToTheEnd,
}

/// A connection.
pub(super) struct Line {
    stream: Box<dyn Pipe>,
    read: BytesMut,
}

impl Line {
    /// Sends a request and waits for its answer; whether the connection can be used once more.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<(Answer<'_>, bool), Broken> {
        self.read.clear();
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let head = loop {
            match head(&self.read)? {
                // What is only said in between.
                Some(head) if head.status < 200 => {
                    drop(self.read.split_to(head.len));
                }
                Some(head) => break head,
                None => self.more().await?,
            }
        };
        let mut keeps_open = head.keeps_open;
        let body = match head.body {
            Body::Long(len) => {
                while self.read.len() < head.len + len {
                    self.more().await?;
                }
                head.len + len
            }
            Body::Chunked => loop {
                match self.unchunk(head.len)? {
                    Some(end) => break end,
                    None => self.more().await?,
                }
            },
            Body::ToTheEnd => {
                keeps_open = false;
                while self.fill().await? > 0 {}
                self.read.len()
            }
        };
        let (start, end) = head.content_type;
        let content_type = self.read.get(start..end).unwrap_or_default();
        let content_type = std::str::from_utf8(content_type).unwrap_or_default();
        let body = self.read.get(head.len..body).unwrap_or_default();
        Ok((Answer { status: head.status, content_type, body }, keeps_open))
    }

    async fn more(&mut self) -> Result<(), Broken> {
        if self.fill().await? == 0 {
            let kind = io::ErrorKind::UnexpectedEof;
            return Err(io::Error::new(kind, "the connection was closed").into());
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<usize, Broken> {
        if self.read.len() > ANSWER_MAX {
            return Err(Broken::NotHttp("the answer does not end"));
        }
        self.read.reserve(1);
        Ok(self.stream.read_buf(&mut self.read).await?)
    }

    /// Writes the chunks that begin there one behind the other, once all of them have come; where
    /// they then end.
    fn unchunk(&mut self, start: usize) -> Result<Option<usize>, Broken> {
        let mut body = Vec::new();
        let mut at = start;
        loop {
            let rest = self.read.get(at..).unwrap_or_default();
            let parsed = httparse::parse_chunk_size(rest);
            let (len, size) = match parsed.map_err(|_| Broken::NotHttp("a broken chunk"))? {
                httparse::Status::Complete((len, size)) => (len, size),
                httparse::Status::Partial => return Ok(None),
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX).min(ANSWER_MAX + 1);
            // Behind every chunk is an empty line; trailers nobody sends to a webhook's carrier.
            let Some(chunk) = rest.get(len..len + size + 2) else { return Ok(None) };
            if size == 0 {
                self.read.truncate(start);
                self.read.extend_from_slice(&body);
                return Ok(Some(self.read.len()));
            }
            body.extend_from_slice(chunk.get(..size).unwrap_or_default());
            at += len + size + 2;
        }
    }
}

/// The beginning of an answer, once it is whole.
fn head(read: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let len = match answer.parse(read).map_err(|_| Broken::NotHttp("an answer that is no HTTP"))? {
        httparse::Status::Complete(len) => len,
        httparse::Status::Partial => return Ok(None),
    };
    let status = answer.code.unwrap_or(0);
    let mut head = Head {
        status,
        content_type: (0, 0),
        len,
        body: if matches!(status, 204 | 304) { Body::Long(0) } else { Body::ToTheEnd },
        keeps_open: answer.version == Some(1),
    };
    for header in answer.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default();
        if header.name.eq_ignore_ascii_case("content-length") {
            let len = value.trim().parse().map_err(|_| Broken::NotHttp("a broken length"))?;
            head.body = Body::Long(len);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if value.eq_ignore_ascii_case("chunked") {
                head.body = Body::Chunked;
            }
        } else if header.name.eq_ignore_ascii_case("content-type") {
            let start = header.value.as_ptr().addr() - read.as_ptr().addr();
            head.content_type = (start, start + header.value.len());
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.keeps_open = !value.eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(said: &'static [&'static [u8]], is: Result<(u16, &str, bool), &str>) {
        let (ours, mut theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let mut asked = [0; 4];
            theirs.read_exact(&mut asked).await.unwrap();
            for part in said {
                theirs.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut line = Line { stream: Box::new(ours), read: BytesMut::new() };
        let got = line.ask(b"ask!").await;
        match (got, is) {
            (Ok((answer, keeps_open)), Ok((status, body, expected))) => {
                assert_eq!((answer.status, answer.body), (status, body.as_bytes()));
                assert_eq!(keeps_open, expected);
                assert!(answer.content_type.is_empty() || answer.content_type == "text/xml");
            }
            (Err(Broken::Reset(_)), Err("reset")) | (Err(Broken::NotHttp(_)), Err("not http")) => {}
            (got, is) => panic!("{said:?}: {:?} {is:?}", got.map(|(answer, _)| answer.status)),
        }
    }

    #[tokio::test]
    async fn answers_end_where_they_say() {
        check(&[b"HTTP/1.1 204 No Content\r\n\r\n"], Ok((204, "", true))).await;
        let length: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\nab", b"cd"];
        check(length, Ok((200, "abcd", true))).await;
        let close: &[&[u8]] =
            &[b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"];
        check(close, Ok((200, "a", false))).await;
        let chunks: &[&[u8]] = &[
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"2\r\nab\r\n3\r\n",
            b"cde\r\n0\r\n\r\n",
        ];
        check(chunks, Ok((200, "abcde", true))).await;
        check(&[b"HTTP/1.0 200 OK\r\n\r\nab", b"c"], Ok((200, "abc", false))).await;
        let between: &[&[u8]] =
            &[b"HTTP/1.1 102 Wait\r\n\r\n", b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"];
        check(between, Ok((500, "", true))).await;
        check(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], Err("reset")).await;
        check(&[b"SIP/2.0 200 OK\r\n\r\n"], Err("not http")).await;
        check(&[], Err("reset")).await;
    }

    #[test]
    fn a_request_is_written_as_it_was_signed() {
        let sent = Sent {
            method: http::Method::POST,
            url: "https://edge.test:8443/carriers/a/voice?x=%7e".to_owned(),
            headers: http::HeaderMap::new(),
            body: "A=1".to_owned(),
        };
        let text = String::from_utf8(written(&sent)).unwrap();
        let start = "POST /carriers/a/voice?x=%7e HTTP/1.1\r\nhost: edge.test:8443\r\n";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with("content-length: 3\r\n\r\nA=1"), "{text}");
        assert!(Place::of("ftp://x").is_err() && Place::of("nonsense").is_err());
    }
}

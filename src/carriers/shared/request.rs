//! Reads an HTTP/1.1 request from a file, as somebody wrote it down: request line, headers, empty
//! line, and as body every byte after that, whatever `Content-Length` says. Lines end with CRLF or
//! LF. It is for diagnosis only; what comes over a socket is read by the server's own parser.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// The request line and a hundred headers: what servers take at the most.
const LINES_MAX: usize = 101;

/// A request as read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// Its method.
    pub method: Method,
    /// The target of its request line, raw.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Every byte after the empty line.
    pub body: Vec<u8>,
}

/// Why a file is no request, and in which line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// The line.
    pub line: usize,
    /// What is wrong with it: a lower-case fragment.
    pub what: &'static str,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for RequestError {}

impl RawRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// The first line that is none of a request's.
    pub fn parse(file: &[u8]) -> Result<Self, RequestError> {
        let (first, mut rest) = line(file).ok_or(at(1, "the request line does not end"))?;
        let (method, target) = request_line(first).map_err(|what| at(1, what))?;
        let mut headers = HeaderMap::new();
        for number in 2.. {
            let (text, after) =
                line(rest).ok_or(at(number, "no empty line between headers and body"))?;
            rest = after;
            if text.is_empty() {
                break;
            }
            if number > LINES_MAX {
                return Err(at(number, "too many headers"));
            }
            let (name, value) = header(text).map_err(|what| at(number, what))?;
            headers.append(name, value);
        }
        Ok(Self { method, target, headers, body: rest.to_vec() })
    }

    /// The path of its target, without a host in front.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => &self.target,
        };
        target.split(['?', '#']).next().unwrap_or_default()
    }

    /// The query of its target, where it has a question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('#').next()
    }
}

const fn at(line: usize, what: &'static str) -> RequestError {
    RequestError { line, what }
}

/// The first line without its end, and what follows.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = text.split_at(end);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

fn request_line(line: &[u8]) -> Result<(Method, String), &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "the request line is not text")?;
    let mut words = text.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("expected method, target and HTTP/1.1 with one blank between them");
    };
    if !version.starts_with("HTTP/1.") {
        return Err("expected HTTP/1.1 at the end of the request line");
    }
    let is_target = target.starts_with('/') || target.contains("://");
    if !is_target || target.chars().any(char::is_control) {
        return Err("the target is neither a path nor a URL");
    }
    let method = method.parse().map_err(|_| "the method is no word")?;
    Ok((method, target.to_owned()))
}

fn header(line: &[u8]) -> Result<(HeaderName, HeaderValue), &'static str> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err("a folded header: write it on one line");
    }
    let colon =
        line.iter().position(|&byte| byte == b':').ok_or("expected a header, name and colon")?;
    let (name, value) = line.split_at(colon);
    let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
    Ok((
        HeaderName::from_bytes(name).map_err(|_| "the header's name is no word")?,
        HeaderValue::from_bytes(value).map_err(|_| "the header's value has control characters")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(file: &str, line: usize, part: &str) {
        let error = RawRequest::parse(file.as_bytes()).unwrap_err();
        assert!(error.line == line && error.what.contains(part), "{file:?}: {error}");
    }

    #[test]
    fn either_line_end_is_read_and_the_body_is_every_byte() {
        let lf = "POST /a?b=c HTTP/1.1\nHost: h\nX-A:\t 1 \nX-A: 2\nContent-Length: 1\n\nx=1\r\n\n";
        let crlf = concat!(
            "POST /a?b=c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n",
            "content-length: 1\r\n\r\nx=1\r\n\n",
        );
        let request = RawRequest::parse(lf.as_bytes()).unwrap();
        assert_eq!(RawRequest::parse(crlf.as_bytes()).unwrap(), request);
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.body, b"x=1\r\n\n");
        assert_eq!((request.path(), request.query()), ("/a", Some("b=c")));
        let values: Vec<_> = request.headers.get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
    }

    #[test]
    fn targets_may_be_urls_and_bodies_anything() {
        let request = RawRequest::parse(b"GET https://h:1/p?q#f HTTP/1.0\n\n\0\xff").unwrap();
        assert_eq!((request.path(), request.query()), ("/p", Some("q")));
        assert_eq!(request.body, b"\0\xff");
        let request = RawRequest::parse(b"GET https://h HTTP/1.1\n\n").unwrap();
        assert_eq!((request.path(), request.query()), ("/", None));
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(
            head in "([A-Z]{1,4} /?[!-~]{0,9} HTTP/1.1\r?\n)?([!-~]{0,5}:? ?[!-~]{0,5}\r?\n){0,4}",
            rest in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        ) {
            if let Ok(request) = RawRequest::parse(&[head.as_bytes(), &rest].concat()) {
                let _used = (request.path(), request.query());
            }
        }
    }

    #[test]
    fn errors_name_the_line() {
        refused("", 1, "does not end");
        refused("POST / HTTP/1.1", 1, "does not end");
        refused("a=1&b=2\n", 1, "expected method");
        refused("POST  / HTTP/1.1\n\n", 1, "expected method");
        refused("POST / SPDY/3\n\n", 1, "HTTP/1.1");
        refused("POST a HTTP/1.1\n\n", 1, "neither a path");
        refused("P@ST / HTTP/1.1\n\n", 1, "method");
        refused("POST / HTTP/1.1\nHost: h\n", 3, "no empty line");
        refused("POST / HTTP/1.1\nHost: h\na=1&b=2\n\n", 3, "name and colon");
        refused("POST / HTTP/1.1\nHost: h\n folded\n\n", 3, "folded");
        refused("POST / HTTP/1.1\nHo st: h\n\n", 2, "name");
        refused("POST / HTTP/1.1\nHost: h\0\n\n", 2, "control");
        refused(&format!("GET / HTTP/1.1\n{}", "A: b\n".repeat(101)), 102, "too many");
    }
}

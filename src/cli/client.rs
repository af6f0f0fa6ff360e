//! Speaks to a running daemon.

use std::{ops::ControlFlow, time::Duration};

use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Daemon, Failure};

/// Longer than any answer takes; a daemon that needs more is not well.
const ANSWER_SECONDS_MAX: u64 = 30;

/// Thousands of rows take longer to write.
const BULK_WAIT: Duration = Duration::from_secs(120);

/// How long a stream may be silent: three of the daemon's signs of life.
const SILENCE_MAX: Duration = Duration::from_secs(50);

/// How long a stream may last before it is opened anew.
const STREAM_MAX: Duration = Duration::from_secs(24 * 3600);

/// Rows of one page of a list.
const PAGE: u32 = 100;

/// Asks a running daemon.
pub(crate) struct Client<'a> {
    daemon: &'a Daemon,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl<'a> Client<'a> {
    /// A client with the key that was given.
    pub(crate) fn new(daemon: &'a Daemon) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .tls_backend_preconfigured(tls())
            .build()
            .map_err(|error| failed(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self { daemon, http, runtime })
    }

    /// Sends one request; what is not a success is a refusal in the daemon's words.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.request(method, path, query)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request)
    }

    /// Reads a list page by page, until it ends or `take` wants no more.
    pub(crate) fn each(
        &self,
        path: &str,
        mut take: impl FnMut(&Value) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut query = vec![("limit", PAGE.to_string())];
        loop {
            let page = self.ask(Method::GET, path, &query, None)?;
            let rows = list(&page);
            if rows.iter().any(|row| take(row).is_break()) {
                return Ok(());
            }
            let has_more = page.get("has_more") == Some(&Value::Bool(true));
            let Some(last) = rows.last().filter(|_| has_more) else { return Ok(()) };
            query.truncate(1);
            query.push(("starting_after", text(last, "id").to_owned()));
        }
    }

    /// Posts JSON objects, one a line.
    pub(crate) fn post_lines(
        &self,
        path: &str,
        query: &[(&str, String)],
        lines: String,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, query)?;
        let request = request.header(http::header::CONTENT_TYPE, "application/x-ndjson");
        self.answer(request.timeout(BULK_WAIT).body(lines))
    }

    /// Posts what the daemon may work at for a minute.
    pub(crate) fn work(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, &[])?;
        self.answer(request.timeout(BULK_WAIT).json(body))
    }

    /// Posts a text of some kind.
    pub(crate) fn post_text(
        &self,
        path: &str,
        query: &[(&str, String)],
        kind: &str,
        text: String,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, query)?;
        self.answer(request.header(http::header::CONTENT_TYPE, kind).body(text))
    }

    /// Posts a document of many things: the answer, or what is wrong with it by the paths of its
    /// fields.
    pub(crate) fn post_document(
        &self,
        path: &str,
        query: &[(&str, String)],
        document: &impl Serialize,
    ) -> Result<Result<Value, Map<String, Value>>, Failure> {
        let request = self.request(Method::POST, path, query)?.timeout(BULK_WAIT).json(document);
        let sent = self.runtime.block_on(send(request));
        let (status, mut answer) = sent.map_err(|error| self.away(&error))?;
        if status.is_success() {
            return Ok(Ok(answer));
        }
        match answer.get_mut("fields").map(Value::take) {
            Some(Value::Object(fields)) if !fields.is_empty() => Ok(Err(fields)),
            _ => Err(self.refused(status, &answer)),
        }
    }

    /// Fetches a text that is no JSON.
    pub(crate) fn fetch(&self, path: &str, query: &[(&str, String)]) -> Result<String, Failure> {
        let request = self.request(Method::GET, path, query)?;
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.away(&error))?;
            let status = response.status();
            if !status.is_success() {
                let answer = response.json().await.unwrap_or(Value::Null);
                return Err(self.refused(status, &answer));
            }
            response.text().await.map_err(|error| self.away(&error))
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<RequestBuilder, Failure> {
        let url = format!("{}{path}", self.daemon.url.trim_end_matches('/'));
        let mut url: reqwest::Url = url
            .parse()
            .map_err(|_| Failure::Usage(format!("--url {} is no URL", self.daemon.url)))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(key) = &self.daemon.key {
            request = request.bearer_auth(key);
        }
        Ok(request)
    }

    fn answer(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let sent = self.runtime.block_on(send(request));
        let (status, answer) = sent.map_err(|error| self.away(&error))?;
        if status.is_success() { Ok(answer) } else { Err(self.refused(status, &answer)) }
    }

    /// Reads a stream piece by piece, from what follows the event that is known, until it ends or
    /// the reader has enough: whether it ended.
    pub(crate) fn stream(
        &self,
        path: &str,
        last_event_id: Option<&str>,
        read: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, Failure> {
        let url = format!("{}{path}", self.daemon.url.trim_end_matches('/'));
        let mut request = self.http.get(url).timeout(STREAM_MAX);
        if let Some(key) = &self.daemon.key {
            request = request.bearer_auth(key);
        }
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        self.runtime.block_on(async {
            let mut response = request.send().await.map_err(|error| self.away(&error))?;
            let status = response.status();
            if !status.is_success() {
                let answer = response.json().await.unwrap_or(Value::Null);
                return Err(self.refused(status, &answer));
            }
            loop {
                let piece = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
                match piece {
                    Ok(Ok(Some(piece))) if read(&piece) => {}
                    Ok(Ok(Some(_))) => return Ok(false),
                    Ok(Ok(None) | Err(_)) | Err(_) => return Ok(true),
                }
            }
        })
    }

    fn refused(&self, status: reqwest::StatusCode, answer: &Value) -> Failure {
        let said = answer.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        let hint = match status.as_u16() {
            401 if self.daemon.key.is_none() => " (give a key: --key or SWITCHBACK_KEY)",
            _ => "",
        };
        Failure::Refused(format!("{said} ({status}){hint}"))
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        let cause = cause.unwrap_or_default();
        let url = &self.daemon.url;
        Failure::Refused(format!("no daemon answers at {url}{cause}; is `serve` running?"))
    }

    /// Asks, and takes any answer: its status and body.
    pub(crate) fn answer_to(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let told = |failure| match failure {
            Failure::Refused(text) | Failure::Usage(text) => text,
        };
        let mut request = self.request(method, path, &[]).map_err(told)?.timeout(BULK_WAIT);
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = self.runtime.block_on(send(request));
        let (status, answer) = sent.map_err(|error| told(self.away(&error)))?;
        Ok((status.as_u16(), answer))
    }

    /// Posts a form to any URL, as a carrier would.
    pub(crate) fn post_form(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Result<Posted, String> {
        let kind = "application/x-www-form-urlencoded";
        let mut request = self.http.post(url).header(http::header::CONTENT_TYPE, kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let posted = self.runtime.block_on(async {
            let response = request.body(form.to_owned()).send().await?;
            let date = response.headers().get(http::header::DATE);
            let date = date.and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            let date = date.map(|date| date.timestamp().as_second());
            let status = response.status().as_u16();
            Ok(Posted { status, date, body: response.text().await? })
        });
        posted.map_err(|error: reqwest::Error| cause(&error))
    }

    /// Waits for something else that speaks over the network.
    pub(crate) fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    /// Fetches any URL: its status and headers, or why not.
    pub(crate) fn probe(&self, url: &str) -> Result<reqwest::Response, String> {
        // The request must begin inside the runtime: its timeout needs the timer.
        self.runtime
            .block_on(async { self.http.get(url).send().await })
            .map_err(|error| cause(&error))
    }
}

/// What any URL answered to a form.
pub(crate) struct Posted {
    /// Its status.
    pub(crate) status: u16,
    /// What time it says it is, in seconds since 1970.
    pub(crate) date: Option<i64>,
    /// Its body.
    pub(crate) body: String,
}

fn cause(error: &reqwest::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}

async fn send(request: RequestBuilder) -> reqwest::Result<(reqwest::StatusCode, Value)> {
    let response = request.send().await?;
    let status = response.status();
    let bytes = response.bytes().await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

/// The public authorities' certificates: a fresh machine may have none of its own.
fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// A text of an answer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The rows of a list.
pub(super) fn list(answer: &Value) -> &[Value] {
    answer.get("data").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

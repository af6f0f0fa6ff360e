//! A carrier that does as it is told: accepts, refuses, says nothing, or has the daemon killed.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter, tz::TimeZone};
use sha1::Sha1;
use tokio::net::TcpListener;

use crate::daemon::{ACCOUNT_SID, TOKEN};

/// What is done with a request to place a call.
#[derive(Clone, Debug)]
pub enum Do {
    /// The call is placed.
    Accept,
    /// It is placed; the answer takes this long.
    AcceptAfter(Duration),
    /// It is placed, and its webhooks come before the answer.
    TellFirst(Vec<&'static str>),
    /// It is refused, with this fixture's body.
    Refuse(u16, &'static str),
    /// It is placed, and the answer says that nobody can tell.
    PlaceAndFail,
    /// It is placed, and the connection ends without an answer.
    PlaceAndHangUp,
    /// The daemon is killed; then it is not placed.
    KillAndForget,
    /// It is placed; the daemon is killed before the answer.
    PlaceAndKill,
    /// It is placed and answered; the daemon is killed at once.
    AnswerAndKill,
}

/// A call that was placed.
#[derive(Clone, Debug)]
pub struct Placed {
    pub sid: String,
    pub form: BTreeMap<String, Vec<String>>,
    at: Timestamp,
}

impl Placed {
    pub fn one(&self, name: &str) -> &str {
        match self.form.get(name).map(Vec::as_slice) {
            Some([value]) => value,
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Do>,
    requests: usize,
    placed: Vec<Placed>,
    hung_up: Vec<String>,
    /// Where calls were taken to.
    redirected: Vec<String>,
    /// What it answers to whoever steers a call, in order; without a word it does it.
    steered: VecDeque<(u16, &'static str)>,
    is_blind: bool,
    authorizations: Vec<String>,
    /// Where webhooks go: the daemon's edge.
    edge: String,
    /// The daemon's process.
    victim: Option<u32>,
}

/// The carrier. Clones share it.
#[derive(Clone, Default)]
pub struct Carrier {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl Carrier {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let carrier = Self { inner: Arc::default(), url };
        let router = Router::new().fallback(serve).with_state(carrier.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        carrier
    }

    pub fn serves(&self, edge: String, victim: u32) {
        let mut inner = self.inner.lock().unwrap();
        inner.edge = edge;
        inner.victim = Some(victim);
    }

    /// What comes next, in order; without a word calls are accepted.
    pub fn then(&self, what: Do) {
        self.inner.lock().unwrap().script.push_back(what);
    }

    /// From here on its lists of calls are empty.
    pub fn goes_blind(&self) {
        self.inner.lock().unwrap().is_blind = true;
    }

    pub fn requests(&self) -> usize {
        self.inner.lock().unwrap().requests
    }

    pub fn placed(&self) -> Vec<Placed> {
        self.inner.lock().unwrap().placed.clone()
    }

    pub fn last(&self) -> Placed {
        self.placed().last().unwrap().clone()
    }

    pub fn hung_up(&self) -> Vec<String> {
        self.inner.lock().unwrap().hung_up.clone()
    }

    pub fn redirected(&self) -> Vec<String> {
        self.inner.lock().unwrap().redirected.clone()
    }

    /// The next request to end a call, or to take it elsewhere, is answered with this fixture.
    pub fn steers_not(&self, status: u16, file: &'static str) {
        self.inner.lock().unwrap().steered.push_back((status, file));
    }

    pub fn authorization(&self) -> String {
        self.inner.lock().unwrap().authorizations.last().unwrap().clone()
    }

    /// How often this person's phone rang.
    pub fn rings(&self, to: &str) -> usize {
        self.placed().iter().filter(|call| call.one("To") == to).count()
    }

    /// Tells a call's status as it was asked to. Answers the HTTP status.
    pub async fn tell(&self, call: &Placed, status: &str, extra: &[(&str, &str)]) -> u16 {
        let mut form = form_of(call, status);
        form.extend_from_slice(extra);
        self.post(call.one("StatusCallback"), &form).await.0
    }

    /// Asks what to do once somebody has answered.
    pub async fn ask(&self, call: &Placed) -> String {
        self.post(call.one("Url"), &form_of(call, "in-progress")).await.1
    }

    /// Posts a signed form to one of the URLs it was given.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> (u16, String) {
        let edge = self.inner.lock().unwrap().edge.clone();
        let path = url.strip_prefix(crate::daemon::PUBLIC_URL).unwrap();
        let sent = reqwest::Client::new()
            .post(format!("{edge}{path}"))
            .header("host", "edge.example.com")
            .header("X-Twilio-Signature", sign(url, form))
            .form(form)
            .send()
            .await;
        match sent {
            Ok(response) => (response.status().as_u16(), response.text().await.unwrap()),
            Err(_) => (0, String::new()),
        }
    }

    fn kill(&self) {
        let victim = self.inner.lock().unwrap().victim.unwrap();
        let killed = std::process::Command::new("kill").args(["-9", &victim.to_string()]).status();
        assert!(killed.unwrap().success());
    }

    fn place(&self, form: BTreeMap<String, Vec<String>>) -> Placed {
        let mut inner = self.inner.lock().unwrap();
        let sid = format!("CA{:032x}", inner.placed.len() + 1);
        let placed = Placed { sid, form, at: Timestamp::now() };
        inner.placed.push(placed.clone());
        placed
    }

    async fn create(&self, form: BTreeMap<String, Vec<String>>) -> Response {
        let next = {
            let mut inner = self.inner.lock().unwrap();
            inner.requests += 1;
            inner.script.pop_front().unwrap_or(Do::Accept)
        };
        match next {
            Do::Accept => created(&self.place(form)),
            Do::AcceptAfter(wait) => {
                let placed = self.place(form);
                tokio::time::sleep(wait).await;
                created(&placed)
            }
            Do::TellFirst(statuses) => {
                let placed = self.place(form);
                for status in statuses {
                    self.tell(&placed, status, &[]).await;
                }
                created(&placed)
            }
            Do::Refuse(status, file) => {
                (StatusCode::from_u16(status).unwrap(), fixture(file)).into_response()
            }
            Do::PlaceAndFail => {
                self.place(form);
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Do::PlaceAndHangUp => {
                self.place(form);
                // The connection's task ends here, and with it the connection.
                panic!("the carrier hangs up");
            }
            Do::KillAndForget => {
                self.kill();
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Do::PlaceAndKill => {
                let placed = self.place(form);
                self.kill();
                created(&placed)
            }
            Do::AnswerAndKill => {
                let placed = self.place(form);
                let carrier = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    carrier.kill();
                });
                created(&placed)
            }
        }
    }

    fn list(&self, query: &str) -> Response {
        let query = parsed(query);
        let day = query["StartTime>"][0].parse::<jiff::civil::Date>().unwrap();
        let inner = self.inner.lock().unwrap();
        let calls = inner.placed.iter().rev().filter(|call| {
            !inner.is_blind
                && call.one("To") == query["To"][0]
                && call.one("From") == query["From"][0]
                && call.at.to_zoned(TimeZone::UTC).date() >= day
        });
        let calls: Vec<_> = calls
            .map(|call| {
                let date = DateTimePrinter::new().timestamp_to_string(&call.at).unwrap();
                serde_json::json!({
                    "sid": call.sid, "status": "ringing", "direction": "outbound-api",
                    "date_created": date, "answered_by": null
                })
            })
            .collect();
        serde_json::json!({ "calls": calls }).to_string().into_response()
    }
}

impl Carrier {
    fn steer(&self, rest: &str, form: &BTreeMap<String, Vec<String>>) -> Response {
        let mut inner = self.inner.lock().unwrap();
        let sid = rest.trim_start_matches('/').trim_end_matches(".json").to_owned();
        match form.get("Url") {
            Some(url) => inner.redirected.extend(url.iter().cloned()),
            None => {
                assert_eq!(form["Status"], ["completed"]);
                inner.hung_up.push(sid);
            }
        }
        match inner.steered.pop_front() {
            Some((status, file)) => {
                (StatusCode::from_u16(status).unwrap(), fixture(file)).into_response()
            }
            None => fixture("call_completed_200.json").into_response(),
        }
    }
}

async fn serve(
    State(carrier): State<Carrier>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    carrier.inner.lock().unwrap().authorizations.push(authorization);
    let calls = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls");
    let rest = uri.path().strip_prefix(&calls).unwrap().to_owned();
    let form = parsed(std::str::from_utf8(&body).unwrap());
    if rest == ".json" && method == Method::POST {
        return carrier.create(form).await;
    }
    if rest == ".json" {
        return carrier.list(uri.query().unwrap());
    }
    carrier.steer(&rest, &form)
}

fn form_of<'c>(call: &'c Placed, status: &'c str) -> Vec<(&'c str, &'c str)> {
    vec![
        ("CallSid", &call.sid),
        ("AccountSid", ACCOUNT_SID),
        ("From", call.one("From")),
        ("To", call.one("To")),
        ("CallStatus", status),
        ("Direction", "outbound-api"),
        ("ApiVersion", "2010-04-01"),
    ]
}

fn created(call: &Placed) -> Response {
    let body = fixture("call_created_201.json");
    let body = body.replace("CA88cc179ca23595acf5fcd9cca69e5106", &call.sid);
    (StatusCode::CREATED, body).into_response()
}

fn fixture(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/twilio/rest");
    fs::read_to_string(format!("{folder}/{file}")).unwrap()
}

fn parsed(text: &str) -> BTreeMap<String, Vec<String>> {
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let mut form: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        form.entry(decoded(name)).or_default().push(decoded(value));
    }
    form
}

/// Twilio's signature: HMAC-SHA1 over the URL and the sorted parameters.
fn sign(url: &str, form: &[(&str, &str)]) -> String {
    let mut text = url.to_owned();
    for (name, value) in form.iter().copied().collect::<BTreeMap<_, _>>() {
        text.push_str(name);
        text.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    base64_simd::STANDARD.encode_to_string(mac.finalize().into_bytes())
}

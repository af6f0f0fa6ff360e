//! What a webhook costs besides HTTP, in this thread alone: signature, parameters, decision,
//! answer, beside the HMAC that nobody can do without.

use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use sha1::Sha1;
use switchback::carriers::shared::form::Form;
use switchback::carriers::{Answer, CarrierId, Endpoint, Event, Leg, Request, room};
use switchback::domain::{
    Account, CallId, Direction, InboundCall, MediaFormat, MediaKey, RuntimeMedia, UnixMillis,
};
use switchback::edge::token;
use switchback::index::{Delta, Index};
use switchback::routing::decide;
use uuid::Uuid;

use crate::common::{self, NOW, Sample, Seeded};
use crate::installation::{self, FORM, PUBLIC_URL, TOKEN};

const REQUESTS: usize = 4000;
const ROUNDS: usize = 15;
const TARGET: &str = "/carriers/main/voice";

/// A request of a return call, as its carrier would send it.
struct Made {
    body: String,
    headers: HeaderMap,
    /// What is signed, in one piece.
    signed: String,
}

/// Nanoseconds a request, and how often the HMAC's.
pub(crate) fn measure(contacts: u64) -> Value {
    let (index, mut writer) = Index::new(None);
    writer.apply(&common::installation());
    for first in (0..contacts).step_by(1000) {
        let touches = (first..contacts.min(first + 1000)).flat_map(common::touches).collect();
        writer.apply(&[Delta::Touches(touches)]);
    }
    let account = Account { id: common::ACCOUNT, ..installation::account() };
    let mut seeded = Seeded(3);
    let made: Vec<_> =
        (0..REQUESTS as u64).map(|n| make(n, &account, seeded.below(contacts))).collect();

    let mut rounds: Vec<[f64; 4]> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push([
            nanoseconds(&made, |made| hmac(&made.signed)),
            nanoseconds(&made, |made| receive(made, &account).call.dnis),
            nanoseconds(&made, |made| {
                let view = index.view();
                let call = receive(made, &account).call;
                decide(&view, &call, UnixMillis(NOW * 1000)).reason
            }),
            nanoseconds(&made, |made| whole(made, &account, &index)),
        ]);
    }
    let median = |place: usize| {
        Sample::of(rounds.iter().filter_map(|round| round.get(place).copied()).collect()).at(0.5)
    };
    let [hmac, receive, decided, whole] = [0, 1, 2, 3].map(median);
    let signed = made.first().map_or(0, |made| made.signed.len());
    json!({
        "signed_bytes": signed, "contacts": contacts, "hmac_ns": hmac.round(),
        "signature_and_parse_ns": receive.round(), "and_decision_ns": decided.round(),
        "and_answer_ns": whole.round(), "multiple_of_hmac": (whole / hmac * 100.0).round() / 100.0,
    })
}

fn make(n: u64, account: &Account, person: u64) -> Made {
    let call = common::return_call(person);
    let InboundCall { dnis, ani, .. } = call;
    let (from, to) = (ani.number().unwrap().as_u64(), dnis.unwrap().as_u64());
    let body = FORM
        .trim_end()
        .replace("14155550117", &from.to_string())
        .replace("12125550142", &to.to_string())
        .replace("CAb27b806e16e007b36784197374f40f63", &format!("CA{n:032x}"));
    let url = format!("{PUBLIC_URL}{TARGET}");
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
    let unsigned =
        Request { method: &Method::POST, url: &url, headers: &headers, body: body.as_bytes() };
    let signature = room(CarrierId::Twilio).sign(&unsigned, account, UnixMillis(0));
    headers.extend(signature);
    let mut signed = url;
    for field in Form::parse(&body).unwrap().sorted().iter() {
        signed.extend([field.name(), field.value()]);
    }
    Made { body, headers, signed }
}

fn hmac(text: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

struct Received<'a> {
    call: InboundCall,
    carrier_call_id: std::borrow::Cow<'a, str>,
}

fn receive<'a>(made: &'a Made, account: &Account) -> Received<'a> {
    let url = [PUBLIC_URL, TARGET].concat();
    let (method, body) = (&Method::POST, made.body.as_bytes());
    let request = Request { method, url: &url, headers: &made.headers, body };
    let room = room(CarrierId::Twilio);
    let webhook = room.receive(Endpoint::Voice, &request, account, UnixMillis(0)).unwrap();
    let Event::Voice(voice) = webhook.event else { unreachable!("it asks what to do") };
    // What it names lives as long as the request, whatever became of the URL.
    let carrier_call_id = webhook.carrier_call_id.into_owned().into();
    Received { call: voice.call, carrier_call_id }
}

fn whole(made: &Made, account: &Account, index: &Index) -> usize {
    let received = receive(made, account);
    let view = index.view();
    let now = UnixMillis(NOW * 1000);
    let decision = decide(&view, &received.call, now);
    let agent = decision.agent.map(|agent| agent.id);
    let id = CallId::of_carrier_call(account.id, &received.carrier_call_id);
    let key = MediaKey { id: 1, secret: [7; 32] };
    let mut url = String::with_capacity(200);
    url.push_str("wss://edge.example.com/media/");
    let claims = token::Claims::new((id, account.id), agent, (0, RuntimeMedia::Pcmu), now);
    token::write_into(&mut url, &key, &claims);
    let mut resume_url = step_url("/carriers/main/resume?call=", id);
    resume_url.push_str("&attempt=1");
    let status_url = step_url("/carriers/main/status?call=", id);
    let answer = Answer::Media {
        url: &url,
        status_url: &status_url,
        resume_url: &resume_url,
        format: MediaFormat::PCMU_8000,
        parameters: &[],
    };
    let leg = Leg {
        account,
        carrier_call_id: &received.carrier_call_id,
        event_id: None,
        direction: Direction::Inbound,
        is_answered: false,
        call: received.call,
    };
    let mut out = Vec::with_capacity(1024);
    let _document = room(CarrierId::Twilio).answer(&answer, &leg, &mut out);
    out.len()
}

/// A URL of a call's, as the edge writes them.
fn step_url(path: &str, id: CallId) -> String {
    let mut buffer = Uuid::encode_buffer();
    let mut url = String::with_capacity(200);
    url.extend([PUBLIC_URL, path, id.0.hyphenated().encode_lower(&mut buffer)]);
    url
}

/// Of this thread's own time, which others that want the processor do not lengthen.
fn nanoseconds<T>(made: &[Made], work: impl Fn(&Made) -> T) -> f64 {
    let start = clock_gettime(ClockId::ThreadCPUTime);
    for made in made {
        black_box(work(black_box(made)));
    }
    let took = clock_gettime(ClockId::ThreadCPUTime) - start;
    (took.tv_sec as f64 * 1e9 + took.tv_nsec as f64) / made.len() as f64
}

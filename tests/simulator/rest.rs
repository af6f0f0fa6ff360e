//! The simulated API, held to the recorded replies.

use std::{fs, time::Duration};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use switchback::{
    domain::CallStatus,
    simulator::{Delivery, Exchange, Fault, Owned, Person, Pickup, Ringing, Voice, What},
};

use crate::customer::{ACCOUNT_SID, NUMBER, PERSON, TOKEN, Told, WAIT, customer, exchange};

struct Api {
    base: String,
    http: Client,
}

impl Api {
    async fn open(exchange: &mut Exchange) -> Self {
        let base = exchange.open().await.unwrap();
        Self { base: format!("{base}/2010-04-01/Accounts/{ACCOUNT_SID}"), http: Client::new() }
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        let answer = request.basic_auth(ACCOUNT_SID, Some(TOKEN)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}/{path}", self.base))).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        self.send(self.http.post(format!("{}/{path}", self.base)).form(form)).await
    }
}

fn fixture(name: &str) -> Value {
    let text = fs::read_to_string(format!("tests/fixtures/twilio/rest/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The names in it, and what kind of value each has.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

async fn statuses(told: &Told, count: usize) -> Vec<(String, String)> {
    for _ in 0..200 {
        if told.at("/status").len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let text = |form: &std::collections::BTreeMap<String, String>, name: &str| form[name].clone();
    let told = told.at("/status");
    told.iter().map(|form| (text(form, "SequenceNumber"), text(form, "CallStatus"))).collect()
}

const ALL: [(&str, &str); 4] = [
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("StatusCallbackEvent", "answered"),
    ("StatusCallbackEvent", "completed"),
];

/// Places a call; what the API says, and the call once it is over.
async fn place(delivery: Delivery, then: Pickup) -> (Value, Vec<(String, String)>, Told, Value) {
    let mut exchange = exchange(delivery);
    let documents = [("/voice", "<Response><Say>Hello.</Say></Response>")];
    let (base, told) = customer(&exchange, &documents).await;
    exchange.people(PERSON, Person { then, ..Person::default() });
    let api = Api::open(&mut exchange).await;
    let (voice, status) = (format!("{base}/voice"), format!("{base}/status"));
    let mut form = vec![
        ("To", PERSON),
        ("From", NUMBER),
        ("Url", voice.as_str()),
        ("StatusCallback", status.as_str()),
        ("MachineDetection", "Enable"),
    ];
    form.extend(ALL);
    let (code, created) = api.post("Calls.json", &form).await;
    assert_eq!(code, 201, "{created}");
    let state = exchange.calls()[0].over(WAIT).await.unwrap();
    let (code, read) = api.get(&format!("Calls/{}.json", created["sid"].as_str().unwrap())).await;
    assert_eq!(code, 200);
    let count = state.moments.iter().filter(|m| matches!(m.what, What::Told { .. })).count();
    (created, statuses(&told, count).await, told, read)
}

fn words(told: &[(String, String)]) -> Vec<(&str, &str)> {
    told.iter().map(|(sequence, status)| (sequence.as_str(), status.as_str())).collect()
}

#[tokio::test]
async fn a_call_that_is_answered_looks_as_recorded() {
    let (created, told, customer, read) =
        place(Delivery::InOrder, Pickup::Answers(Voice::default())).await;
    assert_eq!(shape(&created), shape(&fixture("call_created_201")));
    assert_eq!(shape(&read), shape(&fixture("call_completed_200")));
    assert_eq!(read["answered_by"], "human");
    let expected = [("0", "initiated"), ("1", "ringing"), ("2", "in-progress"), ("3", "completed")];
    assert_eq!(words(&told), expected);
    let voice = &customer.at("/voice")[0];
    assert_eq!((&*voice["Direction"], &*voice["AnsweredBy"]), ("outbound-api", "human"));
}

#[tokio::test]
async fn a_call_that_is_missed_is_told_in_any_order() {
    let (_, told, _, read) = place(Delivery::InOrder, Pickup::Nobody).await;
    assert_eq!(words(&told), [("0", "initiated"), ("1", "ringing"), ("2", "no-answer")]);
    assert_eq!((&read["status"], &read["duration"]), (&"no-answer".into(), &"0".into()));
    let (_, told, _, _) = place(Delivery::Backwards, Pickup::Busy).await;
    assert_eq!(words(&told), [("2", "busy"), ("1", "ringing"), ("0", "initiated")]);
    let (_, told, _, _) = place(Delivery::Twice, Pickup::Fails).await;
    let (first, second) = (("0", "initiated"), ("1", "ringing"));
    let last = ("2", "failed");
    assert_eq!(words(&told), [first, first, second, second, last, last]);
}

#[tokio::test]
async fn errors_are_as_recorded() {
    let mut exchange = exchange(Delivery::InOrder);
    let (base, _) = customer(&exchange, &[]).await;
    let api = Api::open(&mut exchange).await;
    let voice = format!("{base}/voice");
    let call = |from: &'static str, to: &'static str| {
        let form = [("To", to), ("From", from), ("Url", voice.as_str())];
        let request = api.http.post(format!("{}/Calls.json", api.base)).form(&form);
        api.send(request)
    };
    assert_eq!(call(NUMBER, "+1555").await, (400, fixture("error_400_21211")));
    assert_eq!(call("+12125550199", PERSON).await, (400, fixture("error_400_21210")));
    let (status, error) = call("", PERSON).await;
    assert_eq!((status, &error["code"]), (400, &21213.into()));
    let missing = "Calls/CA11d8df342c5fa8ee0d10630aadbb80ca.json";
    assert_eq!(api.get(missing).await, (404, fixture("error_404_20404")));
    let stranger = api.http.get(format!("{}/Calls.json", api.base)).send().await.unwrap();
    assert_eq!(stranger.json::<Value>().await.unwrap(), fixture("error_401_20003"));

    exchange.fault(Fault::Refused {
        status: 429,
        code: 20429,
        message: "Too Many Requests".into(),
    });
    assert_eq!(call(NUMBER, PERSON).await, (429, fixture("error_429_20429")));
    assert!(exchange.calls().is_empty(), "nobody was called");
    exchange.fault(Fault::Unclear(503));
    assert_eq!(call(NUMBER, PERSON).await.0, 503);
    assert_eq!(exchange.calls().len(), 1, "somebody was called all the same");
    exchange.fault(Fault::NoAnswer);
    let silent = tokio::time::timeout(Duration::from_millis(100), call(NUMBER, PERSON)).await;
    assert!(silent.is_err() && exchange.calls().len() == 2);
    let (_, listed) = api.get(&format!("Calls.json?To={}", PERSON.replace('+', "%2B"))).await;
    assert_eq!(listed["calls"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test]
async fn a_call_is_ended_by_the_api_and_only_once() {
    let mut exchange = exchange(Delivery::InOrder);
    let pause = "<Response><Pause length=\"60\"/></Response>";
    customer(&exchange, &[("/voice", pause)]).await;
    let api = Api::open(&mut exchange).await;
    let ringing = Ringing { from: PERSON.into(), to: NUMBER.into(), ..Ringing::default() };
    let leg = exchange.ring(ringing).unwrap();
    leg.happens(WAIT, |what| matches!(what, What::Asked { .. })).await.unwrap();
    let path = format!("Calls/{}.json", leg.facts.sid);
    let (status, _) = api.post(&path, &[("Status", "completed")]).await;
    assert_eq!(status, 200);
    let state = leg.over(WAIT).await.unwrap();
    assert_eq!(state.status, CallStatus::Canceled, "nobody had answered");
    let again = api.post(&path, &[("Status", "completed")]).await;
    assert_eq!(again, (400, fixture("error_400_21220")));
}

#[tokio::test]
async fn numbers_are_listed_in_pages() {
    let mut exchange = exchange(Delivery::InOrder);
    for last in 0..5 {
        let e164 = format!("+1212555014{last}");
        let voice_url = "https://edge.example.com/twilio/voice".to_owned();
        exchange.own(Owned { e164, voice_url, ..Owned::default() });
    }
    let api = Api::open(&mut exchange).await;
    let (_, page) = api.get("IncomingPhoneNumbers.json?PageSize=3").await;
    assert_eq!(shape(&page), shape(&fixture("numbers_page0_200")));
    let next = page["next_page_uri"].as_str().unwrap();
    let path = next.split_once(&format!("{ACCOUNT_SID}/")).unwrap().1;
    let (_, page) = api.get(path).await;
    assert_eq!(shape(&page), shape(&fixture("numbers_page1_200")));
    let rows = page["incoming_phone_numbers"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["phone_number"], "+12125550144");
    let (_, one) = api.get("IncomingPhoneNumbers.json?PhoneNumber=%2B12125550142").await;
    assert_eq!(one["incoming_phone_numbers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_dial_that_nobody_answers_is_asked_about() {
    let exchange = exchange(Delivery::InOrder);
    let dial = "<Response><Dial action=\"/next\"><Number>+16465550155</Number></Dial></Response>";
    let next = "<Response><Say>Sorry.</Say><Hangup/></Response>";
    let (_, told) = customer(&exchange, &[("/voice", dial), ("/next", next)]).await;
    exchange.people("+16465550155", Person::default());
    let ringing = Ringing { from: PERSON.into(), to: NUMBER.into(), ..Ringing::default() };
    let state = exchange.ring(ringing).unwrap().over(WAIT).await.unwrap();
    let said = |what: &What| *what == What::Said("Sorry.".to_owned());
    assert!(state.has(said), "{:?}", state.moments);
    assert_eq!(told.at("/next")[0]["DialCallStatus"], "no-answer");
    assert_eq!(state.status, CallStatus::Completed);
}

#[tokio::test]
async fn a_bad_document_ends_the_call_with_the_carriers_error() {
    let exchange = exchange(Delivery::InOrder);
    customer(&exchange, &[("/voice", "<Response><Shout/></Response>")]).await;
    let ringing = Ringing { from: PERSON.into(), to: NUMBER.into(), ..Ringing::default() };
    let state = exchange.ring(ringing).unwrap().over(WAIT).await.unwrap();
    let failed = |what: &What| matches!(what, What::Failed(problem) if problem.code == 12_200);
    assert!(state.has(failed), "{:?}", state.moments);
    assert_eq!(state.status, CallStatus::Failed);
}

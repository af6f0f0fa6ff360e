//! A customer of the carrier who is not us: answers every webhook with what the test says, checks
//! signatures, and keeps what it was told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    response::IntoResponse,
};
use reqwest::header::HeaderMap;
use switchback::{
    carriers::{self, CarrierId, Endpoint},
    domain::{Account, AccountOrigin, Secret, UnixMillis},
    simulator::{Delivery, Exchange, Owned, Reach, Settings, Signer},
};
use tokio::net::TcpListener;

pub const ACCOUNT_SID: &str = "AC66acdc865fff60921f34dac80d62be2f";
pub const TOKEN: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";
pub const NUMBER: &str = "+12125550142";
pub const PERSON: &str = "+14155550117";
pub const WAIT: Duration = Duration::from_secs(10);

pub fn account() -> Account {
    Account {
        account_id: ACCOUNT_SID.to_owned(),
        secrets: vec![Secret::new(TOKEN.to_owned())],
        ..Account::named("main".to_owned(), CarrierId::Twilio, AccountOrigin::Api)
    }
}

/// An exchange whose customer is at `url`.
pub fn exchange(delivery: Delivery) -> Exchange {
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = Settings {
        account: account(),
        signer: Signer::Account,
        reach: Reach::default(),
        delivery,
        pace: Duration::from_millis(5),
    };
    Exchange::new(settings).unwrap()
}

type Form = BTreeMap<String, String>;

#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<(String, Form)>>>);

impl Told {
    /// What was told at this path, in order.
    pub fn at(&self, path: &str) -> Vec<Form> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(found, _)| found == path).map(|(_, form)| form.clone()).collect()
    }
}

#[derive(Clone)]
struct Customer {
    documents: Arc<BTreeMap<String, String>>,
    told: Told,
    base: Arc<String>,
}

/// Starts a customer that answers each path with its document, and every other with 204. The
/// exchange's number is theirs.
pub async fn customer(exchange: &Exchange, documents: &[(&str, &str)]) -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let documents = documents.iter().map(|(path, xml)| ((*path).to_owned(), (*xml).to_owned()));
    let customer = Customer {
        documents: Arc::new(documents.collect()),
        told: Told::default(),
        base: Arc::new(base.clone()),
    };
    let told = customer.told.clone();
    let router = Router::new().fallback(answer).with_state(customer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    exchange.own(Owned {
        e164: NUMBER.to_owned(),
        voice_url: format!("{base}/voice"),
        ..Owned::default()
    });
    (base, told)
}

async fn answer(State(customer): State<Customer>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str();
    let url = format!("{}{target}", customer.base);
    let request = carriers::Request {
        method: &parts.method,
        url: &url,
        headers: &parts.headers,
        body: &body,
    };
    let endpoint = if parts.uri.path() == "/voice" { Endpoint::Voice } else { Endpoint::Status };
    let room = carriers::room(CarrierId::Twilio);
    let received = room.receive(endpoint, &request, &account(), UnixMillis(0));
    assert!(received.is_ok(), "{url}: {received:?}");
    assert!(parts.headers.contains_key("i-twilio-idempotency-token"));
    let form = carriers::shared::form::Form::parse(std::str::from_utf8(&body).unwrap()).unwrap();
    let form: Form = form.fields().map(|p| (p.name().to_owned(), p.value().to_owned())).collect();
    let path = parts.uri.path().to_owned();
    customer.told.0.lock().unwrap().push((path.clone(), form));
    let mut headers = HeaderMap::new();
    match customer.documents.get(&path) {
        Some(document) => {
            headers.insert("content-type", "text/xml".parse().unwrap());
            (reqwest::StatusCode::OK, headers, document.clone())
        }
        None => (reqwest::StatusCode::NO_CONTENT, headers, String::new()),
    }
}

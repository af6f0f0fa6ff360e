//! Carriers' number desks, as far as their pages tell: lists in pages, records that are read and
//! changed, one field clearing another where the page says so. Records begin as the fixtures.

pub(crate) mod others;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request that changed something: its path, and its body.
pub(crate) type Change = (String, String);

#[derive(Default)]
struct Inner {
    numbers: BTreeMap<String, Value>,
    applications: BTreeMap<String, Value>,
    changes: Vec<Change>,
    /// What changes are answered with, next first.
    script: Vec<Do>,
}

/// What is done with a request that changes something.
#[derive(Clone, Copy)]
pub(crate) enum Do {
    /// It is refused.
    Refuse,
    /// It is done, and the answer says that nobody can tell.
    FailAfterwards,
    /// It is answered as done, and is not.
    Lie,
}

/// A desk. Clones share it.
#[derive(Clone)]
pub(crate) struct Desk {
    inner: Arc<Mutex<Inner>>,
    pub(crate) url: String,
}

/// Rows of a page: few, so that there are several.
const PAGE: usize = 2;

impl Desk {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Self { inner: Arc::default(), url };
        let router = Router::new().fallback(asked).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        desk
    }

    pub(crate) fn put_number(&self, id: &str, record: Value) {
        self.inner.lock().unwrap().numbers.insert(id.to_owned(), record);
    }

    pub(crate) fn put_application(&self, id: &str, record: Value) {
        self.inner.lock().unwrap().applications.insert(id.to_owned(), record);
    }

    pub(crate) fn remove_number(&self, id: &str) {
        self.inner.lock().unwrap().numbers.remove(id);
    }

    pub(crate) fn number(&self, id: &str) -> Value {
        self.inner.lock().unwrap().numbers[id].clone()
    }

    pub(crate) fn application(&self, id: &str) -> Value {
        self.inner.lock().unwrap().applications[id].clone()
    }

    /// Everything there is.
    pub(crate) fn state(&self) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let inner = self.inner.lock().unwrap();
        (inner.numbers.clone(), inner.applications.clone())
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.inner.lock().unwrap().changes.clone()
    }

    pub(crate) fn does(&self, script: &[Do]) {
        self.inner.lock().unwrap().script = script.iter().rev().copied().collect();
    }

    /// Somebody changes a record by hand.
    pub(crate) fn by_hand(&self, id: &str, field: &str, value: &str) {
        let mut inner = self.inner.lock().unwrap();
        let inner = &mut *inner;
        let record = inner.numbers.get_mut(id).or_else(|| inner.applications.get_mut(id));
        record.unwrap()[field] = json!(value);
    }
}

async fn asked(
    State(desk): State<Desk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut inner = desk.inner.lock().unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    if let Some(answer) = others::asked(&mut inner, &method, &uri, &headers, &text) {
        return answer;
    }
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8().unwrap().into_owned();
    let is_list = ["IncomingPhoneNumbers.json", "/v2/phone_numbers", "/Number/"]
        .iter()
        .any(|end| path.ends_with(end));
    if is_list {
        return list(&inner, &path, uri.query().unwrap_or_default()).into_response();
    }
    let id = path.trim_end_matches('/').rsplit('/').next().unwrap().trim_end_matches(".json");
    let is_number =
        ["IncomingPhoneNumbers/", "/phone_numbers/", "/Number/"].iter().any(|of| path.contains(of));
    let change = (method != Method::GET).then(|| inner.script.pop());
    if change.is_some() {
        inner.changes.push((path.clone(), text.clone()));
    }
    let records = if is_number { &mut inner.numbers } else { &mut inner.applications };
    // An application of one kind is none of the other.
    let found = records.get_mut(id).filter(|record| {
        (!path.contains("call_control") || record.get("webhook_event_url").is_some())
            && (!path.contains("texml") || record.get("voice_url").is_some())
    });
    let Some(record) = found else {
        return (StatusCode::NOT_FOUND, "{}").into_response();
    };
    if method == Method::PATCH && !is_number && !is_named(&text) {
        let said = json!({ "errors": [{ "code": "10015", "title": "required" }] });
        return (StatusCode::UNPROCESSABLE_ENTITY, said.to_string()).into_response();
    }
    match change.flatten() {
        Some(Do::Refuse) => {
            let said = json!({ "message": "not now", "code": 21_405, "error": "not now",
                "errors": [{ "code": "10015", "title": "not now" }] });
            return (StatusCode::BAD_REQUEST, said.to_string()).into_response();
        }
        Some(Do::Lie) => {}
        Some(Do::FailAfterwards) => {
            apply(record, &path, &text);
            return StatusCode::BAD_GATEWAY.into_response();
        }
        None if method != Method::GET => apply(record, &path, &text),
        None => {}
    }
    let is_wrapped = path.starts_with("/v2/");
    let shown = if is_wrapped { json!({ "data": record }) } else { record.clone() };
    shown.to_string().into_response()
}

/// Telnyx wants an application's name and URL with every change of it.
fn is_named(text: &str) -> bool {
    let body: Value = serde_json::from_str(text).unwrap();
    let has = |name: &str| body.get(name).is_some();
    (has("application_name") && has("webhook_event_url"))
        || (has("friendly_name") && has("voice_url"))
}

fn apply(record: &mut Value, path: &str, text: &str) {
    if path.ends_with(".json") {
        for (name, value) in form_urlencoded(text) {
            let mut field = String::new();
            for c in name.chars() {
                if c.is_ascii_uppercase() && !field.is_empty() {
                    field.push('_');
                }
                field.push(c.to_ascii_lowercase());
            }
            assert!(record.get(&field).is_some(), "{field} is no field");
            record[&field] = json!(value);
        }
        return;
    }
    let body: Value = serde_json::from_str(text).unwrap();
    for (name, value) in body.as_object().unwrap() {
        match name.as_str() {
            "app_id" if path.contains("/Number/") => {
                let id = value.as_str().unwrap();
                let path = format!("/v1/Account/MAX/Application/{id}/");
                record["application"] = if id.is_empty() { Value::Null } else { json!(path) };
            }
            _ => {
                assert!(record.get(name).is_some(), "{name} is no field");
                record[name] = value.clone();
            }
        }
    }
}

fn form_urlencoded(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn list(inner: &Inner, path: &str, query: &str) -> String {
    let query = form_urlencoded(query);
    let one = |name: &str| {
        query.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let all: Vec<&Value> = inner.numbers.values().collect();
    let part = |start: usize| all.iter().skip(start).take(PAGE).collect::<Vec<_>>();
    if path.starts_with("/v2/") {
        assert!(query.iter().any(|(n, v)| n == "sort" && v == "phone_number"), "unsorted");
        let page = one("page[number]").unwrap();
        let pages = all.len().div_ceil(PAGE);
        let meta = json!({ "page_number": page, "total_pages": pages });
        return json!({ "data": part((page - 1) * PAGE), "meta": meta }).to_string();
    }
    if path.ends_with("/Number/") {
        let start = one("offset").unwrap();
        let more = start + PAGE < all.len();
        let next = more.then(|| format!("{path}?limit=20&offset={}", start + PAGE));
        return json!({ "meta": { "next": next }, "objects": part(start) }).to_string();
    }
    let start = one("Page").unwrap_or(0) * PAGE;
    let more = start + PAGE < all.len();
    let next = more.then(|| format!("{path}?PageSize=2&Page={}&PageToken=PAx", start / PAGE + 1));
    json!({ "incoming_phone_numbers": part(start), "next_page_uri": next }).to_string()
}

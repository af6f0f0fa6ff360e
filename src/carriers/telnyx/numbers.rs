//! Telnyx's numbers: each is put to a connection, and the application of that id says who is asked
//! (Telnyx docs, phone-numbers, call-control-applications, texml-applications).

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::commands::json_request;
use crate::{
    carriers::{
        Answerer, ApiRequest, AskedUrl, HeldApplication, HeldNumber, NumberCommand, NumberOutcome,
        NumberPage, PointTo, Pointing,
        numbers::{fields_of, put_status, text},
    },
    domain::{Account, CarrierFields, CarrierId, E164},
};

/// Rows of a page at most.
const PAGE_SIZE: u32 = 250;

const CONNECTION: &str = "connection_id";

/// What a Call Control application says of who is asked.
const CALL_CONTROL: [&str; 3] =
    ["webhook_event_url", "webhook_event_failover_url", "webhook_api_version"];

/// What a TeXML application says of it.
const TEXML: [&str; 5] = [
    "voice_url",
    "voice_fallback_url",
    "voice_method",
    "status_callback",
    "status_callback_method",
];

pub(super) fn request(command: &NumberCommand<'_>, account: &Account) -> ApiRequest {
    let encoded = |id: &str| utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
    let is_texml = account.carrier == CarrierId::TelnyxTexml;
    let kind = if is_texml { "texml_applications" } else { "call_control_applications" };
    let get = |path| (Method::GET, path, None);
    let (method, path, fields) = match command {
        // In an order of its own: the usual one, newest first, shifts with each purchase.
        NumberCommand::List { page } => {
            let page: u32 = page.and_then(|page| page.parse().ok()).unwrap_or(1);
            get(format!(
                "/v2/phone_numbers?page%5Bnumber%5D={page}&page%5Bsize%5D={PAGE_SIZE}\
                 &sort=phone_number"
            ))
        }
        NumberCommand::Read { id, .. } => get(format!("/v2/phone_numbers/{}", encoded(id))),
        NumberCommand::Set { held, fields } => {
            let path = format!("/v2/phone_numbers/{}", encoded(&held.id));
            (Method::PATCH, path, Some((*fields).clone()))
        }
        NumberCommand::ReadApplication { id } => get(format!("/v2/{kind}/{}", encoded(id))),
        NumberCommand::SetApplication { held, fields } => {
            let fields = named(held, (*fields).clone(), is_texml);
            (Method::PATCH, format!("/v2/{kind}/{}", encoded(&held.id)), Some(fields))
        }
    };
    let Some(fields) = fields else {
        let request = json_request(method, path, account, &Value::Null);
        return ApiRequest { body: String::new(), ..request };
    };
    let member = |(name, value): (String, Option<String>)| (name, value.into());
    let body = Value::Object(fields.into_iter().map(member).collect::<Map<_, _>>());
    json_request(method, path, account, &body)
}

/// A change of an application, with its name and its URL: both are required, changed or not
/// (telnyx-python 4.189, `call_control_application_update_params` and the TeXML one).
fn named(held: &HeldApplication, mut fields: CarrierFields, is_texml: bool) -> CarrierFields {
    let (name, url) = match is_texml {
        true => ("friendly_name", "voice_url"),
        false => ("application_name", "webhook_event_url"),
    };
    for (required, value) in [(name, &held.name), (url, held.fields.get(url).unwrap_or(&None))] {
        if value.is_some() {
            fields.entry(required.to_owned()).or_insert_with(|| value.clone());
        }
    }
    fields
}

pub(super) fn success(command: &NumberCommand<'_>, body: &[u8]) -> Option<NumberOutcome> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(match command {
        NumberCommand::List { .. } => {
            let rows = body.get("data")?.as_array()?;
            let count = |name: &str| body.get("meta")?.get(name)?.as_u64();
            let next = count("page_number").zip(count("total_pages"));
            let next = next.and_then(|(page, last)| (page < last).then(|| page + 1));
            NumberOutcome::Listed(NumberPage {
                numbers: rows.iter().filter_map(held).collect(),
                next: next.map(|page| page.to_string()),
            })
        }
        NumberCommand::Read { .. } => NumberOutcome::Number(Some(held(body.get("data")?)?)),
        NumberCommand::ReadApplication { .. } => {
            NumberOutcome::Application(Some(application(body.get("data")?)?))
        }
        NumberCommand::Set { .. } | NumberCommand::SetApplication { .. } => NumberOutcome::Set,
    })
}

fn held(row: &Value) -> Option<HeldNumber> {
    let word = |name: &str| row.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let fields = fields_of(row, &[CONNECTION]);
    let name = word("connection_name").map(str::to_owned);
    let answerer = match text(&fields, CONNECTION) {
        Some(id) => Answerer::Application { id: id.to_owned(), name },
        None => Answerer::Nobody,
    };
    Some(HeldNumber {
        number: E164::parse(word("phone_number")?)?,
        id: word("id")?.to_owned(),
        name: word("customer_reference").map(str::to_owned),
        takes_calls: word("status") == Some("active"),
        answerer,
        fields,
    })
}

/// The one kind has the one URL, the other the other.
fn application(row: &Value) -> Option<HeldApplication> {
    let word = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let texml = fields_of(row, &TEXML);
    let (fields, url, fallback) = if texml.contains_key("voice_url") {
        (texml, "voice_url", "voice_fallback_url")
    } else {
        (fields_of(row, &CALL_CONTROL), "webhook_event_url", "webhook_event_failover_url")
    };
    let asked = text(&fields, url).map(|asked| AskedUrl {
        url: asked.to_owned(),
        // TeXML's default (Telnyx docs, texml-applications, `voice_method`).
        is_get: url == "voice_url"
            && !text(&fields, "voice_method").is_some_and(|m| m.eq_ignore_ascii_case("post")),
        fallback_url: text(&fields, fallback).map(str::to_owned),
    });
    let name = word("application_name").or_else(|| word("friendly_name"));
    Some(HeldApplication { id: word("id")?, name, asked, fields, whole: None })
}

fn at_connection(account: &Account) -> CarrierFields {
    [(CONNECTION.to_owned(), Some(account.application_id.clone()))].into()
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> CarrierFields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect()
}

/// By Call Control. Events, status included, come to the one URL.
#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        true
    }

    fn number(&self, _held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        at_connection(to.account)
    }

    fn application(&self, _held: &HeldApplication, to: &PointTo<'_>) -> CarrierFields {
        let mut fields = texts([("webhook_event_url", to.voice_url), ("webhook_api_version", "2")]);
        if let Some(fallback) = to.fallback {
            fields.extend(texts([("webhook_event_failover_url", &fallback.url)]));
        }
        fields
    }
}

/// By TeXML.
#[derive(Debug)]
pub(super) struct TexmlNumbers;

impl Pointing for TexmlNumbers {
    fn is_by_application(&self) -> bool {
        true
    }

    fn number(&self, _held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        at_connection(to.account)
    }

    /// One method is for both URLs: who was asked by GET is asked by POST as a fallback.
    fn application(&self, held: &HeldApplication, to: &PointTo<'_>) -> CarrierFields {
        let mut fields = texts([("voice_url", to.voice_url), ("voice_method", "post")]);
        if let Some(fallback) = to.fallback {
            fields.extend(texts([("voice_fallback_url", &fallback.url)]));
        }
        let names = ["status_callback", "status_callback_method"];
        put_status(&mut fields, &held.fields, to, names, "post", to.status_url.to_owned());
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::AccountOrigin;

    #[track_caller]
    fn check(kind: CarrierId, record: &Value, change: &str, path: &str, expected: &Value) {
        let account = Account::named("main".to_owned(), kind, AccountOrigin::File);
        let held = application(record).unwrap();
        let fields = texts([(change, "new")]);
        let command = NumberCommand::SetApplication { held: &held, fields: &fields };
        let request = request(&command, &account);
        assert_eq!((request.method, request.path.as_str()), (Method::PATCH, path));
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), *expected);
    }

    #[test]
    fn an_applications_change_names_what_telnyx_requires() {
        let record = json!({ "id": "9", "application_name": "app", "webhook_event_url": "url",
            "webhook_event_failover_url": "", "webhook_api_version": "2" });
        let path = "/v2/call_control_applications/9";
        let failover = json!({ "application_name": "app", "webhook_event_url": "url",
            "webhook_event_failover_url": "new" });
        check(CarrierId::Telnyx, &record, "webhook_event_failover_url", path, &failover);
        let url = json!({ "application_name": "app", "webhook_event_url": "new" });
        check(CarrierId::Telnyx, &record, "webhook_event_url", path, &url);

        let record = json!({ "id": "9", "friendly_name": "app", "voice_url": "url",
            "voice_fallback_url": null, "voice_method": "post", "status_callback": "" });
        let path = "/v2/texml_applications/9";
        let fallback =
            json!({ "friendly_name": "app", "voice_url": "url", "voice_fallback_url": "new" });
        check(CarrierId::TelnyxTexml, &record, "voice_fallback_url", path, &fallback);
    }
}

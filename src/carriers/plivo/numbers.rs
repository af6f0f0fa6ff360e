//! Plivo's numbers: each is put to an application, which says who is asked (Plivo docs, numbers/api
//! and account/api/application; plivo-python 4.63 `resources/numbers.py`, `applications.py`).

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::commands::without_plus;
use crate::{
    carriers::{
        Answerer, AskedUrl, HeldApplication, HeldNumber, NumberCommand, NumberOutcome, NumberPage,
        PointTo, Pointing,
        numbers::{fields_of, put_status, text},
        shared::{party::plusless::digits, query},
    },
    domain::CarrierFields,
};

/// What says which application; it is read as a path, and written as an id.
const APPLICATION: &str = "app_id";

/// What an application says of who is asked.
const NAMES: [&str; 6] = [
    "answer_url",
    "answer_method",
    "fallback_answer_url",
    "fallback_method",
    "hangup_url",
    "hangup_method",
];

/// The method, path and body of a command's request. `base` is the account's path.
pub(super) fn request(command: &NumberCommand<'_>, base: &str) -> (Method, String, String) {
    let application =
        |id: &str| format!("{base}/Application/{}/", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let get = |path| (Method::GET, path, String::new());
    match command {
        NumberCommand::List { page } => {
            let first = || "services=voice&limit=20&offset=0".to_owned();
            get(format!("{base}/Number/?{}", page.map_or_else(first, query::safe)))
        }
        NumberCommand::Read { number, .. } => {
            get(format!("{base}/Number/{}/", without_plus(*number)))
        }
        NumberCommand::Set { held, fields } => {
            (Method::POST, format!("{base}/Number/{}/", without_plus(held.number)), body(fields))
        }
        NumberCommand::ReadApplication { id } => get(application(id)),
        NumberCommand::SetApplication { held, fields } => {
            (Method::POST, application(&held.id), body(fields))
        }
    }
}

fn body(fields: &CarrierFields) -> String {
    let member = |(name, value): (&String, &Option<String>)| {
        (name.clone(), Value::String(value.clone().unwrap_or_default()))
    };
    Value::Object(fields.iter().map(member).collect::<Map<_, _>>()).to_string()
}

pub(super) fn success(command: &NumberCommand<'_>, body: &[u8]) -> Option<NumberOutcome> {
    if let NumberCommand::Set { .. } | NumberCommand::SetApplication { .. } = command {
        return Some(NumberOutcome::Set);
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(match command {
        NumberCommand::Read { .. } => NumberOutcome::Number(Some(held(&body)?)),
        NumberCommand::ReadApplication { .. } => {
            NumberOutcome::Application(Some(application(&body)?))
        }
        NumberCommand::List { .. }
        | NumberCommand::Set { .. }
        | NumberCommand::SetApplication { .. } => {
            let rows = body.get("objects")?.as_array()?;
            let next = body.get("meta").and_then(|meta| meta.get("next")).and_then(Value::as_str);
            NumberOutcome::Listed(NumberPage {
                numbers: rows.iter().filter_map(held).collect(),
                next: next.and_then(query::of),
            })
        }
    })
}

fn held(row: &Value) -> Option<HeldNumber> {
    let word = |name: &str| row.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let flag = |name: &str| row.get(name).and_then(Value::as_bool);
    // `/v1/Account/.../Application/ID/`
    let path = word("application").map(|path| path.trim_end_matches('/'));
    let id = path.and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    let number = digits(word("number")?)?;
    Some(HeldNumber {
        number,
        id: without_plus(number),
        name: word("alias").map(str::to_owned),
        takes_calls: flag("voice_enabled") != Some(false) && flag("active") != Some(false),
        answerer: match &id {
            Some(id) => Answerer::Application { id: id.clone(), name: None },
            None => Answerer::Nobody,
        },
        fields: [(APPLICATION.to_owned(), id)].into(),
    })
}

fn application(row: &Value) -> Option<HeldApplication> {
    let mut fields = fields_of(row, &NAMES);
    // What is null is Plivo's to choose: it is not put back.
    fields.retain(|name, value| value.is_some() || !name.ends_with("_method"));
    let asked = text(&fields, "answer_url").map(|url| AskedUrl {
        url: url.to_owned(),
        is_get: text(&fields, "answer_method").is_some_and(|m| m.eq_ignore_ascii_case("GET")),
        fallback_url: text(&fields, "fallback_answer_url").map(str::to_owned),
    });
    let word = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let (id, name) = (word("app_id")?, word("app_name"));
    Some(HeldApplication { id, name, asked, fields, whole: None })
}

#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        true
    }

    fn number(&self, _held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        [(APPLICATION.to_owned(), Some(to.account.application_id.clone()))].into()
    }

    fn application(&self, held: &HeldApplication, to: &PointTo<'_>) -> CarrierFields {
        let mut fields = CarrierFields::new();
        let mut put =
            |name: &str, value: &str| fields.insert(name.to_owned(), Some(value.to_owned()));
        put("answer_url", to.voice_url);
        put("answer_method", "POST");
        if let Some(fallback) = to.fallback {
            put("fallback_answer_url", &fallback.url);
            put("fallback_method", if fallback.is_get { "GET" } else { "POST" });
        }
        let names = ["hangup_url", "hangup_method"];
        put_status(&mut fields, &held.fields, to, names, "POST", to.status_url.to_owned());
        fields
    }
}

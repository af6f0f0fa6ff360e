//! Numbers of carriers that took over Twilio's resources: each says itself who answers it (Twilio
//! docs, phone-numbers/api/incomingphonenumber-resource and usage/api/applications).

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    carriers::{
        Answerer, AskedUrl, HeldApplication, HeldNumber, NumberCommand, NumberOutcome, NumberPage,
        PointTo,
        numbers::{fields_of, put_status, text},
        shared::query,
    },
    domain::{CarrierFields, E164},
};

/// Rows of a page at most (Twilio docs, usage/twilios-response).
const PAGE_SIZE: &str = "1000";

/// What says who answers, as it is read and as it is written.
const NAMES: [(&str, &str); 8] = [
    ("voice_url", "VoiceUrl"),
    ("voice_method", "VoiceMethod"),
    ("voice_fallback_url", "VoiceFallbackUrl"),
    ("voice_fallback_method", "VoiceFallbackMethod"),
    ("status_callback", "StatusCallback"),
    ("status_callback_method", "StatusCallbackMethod"),
    ("voice_application_sid", "VoiceApplicationSid"),
    ("trunk_sid", "TrunkSid"),
];

/// The method, path and form of a command's request.
pub(super) fn request(command: &NumberCommand<'_>, base: &str) -> (Method, String, String) {
    let numbers = format!("{base}/IncomingPhoneNumbers");
    let one = |of: &str, id: &str| {
        format!("{base}/{of}/{}.json", utf8_percent_encode(id, NON_ALPHANUMERIC))
    };
    match command {
        NumberCommand::List { page } => {
            let first = || format!("PageSize={PAGE_SIZE}");
            let query = page.map_or_else(first, query::safe);
            (Method::GET, format!("{numbers}.json?{query}"), String::new())
        }
        NumberCommand::Read { id, .. } => {
            (Method::GET, one("IncomingPhoneNumbers", id), String::new())
        }
        NumberCommand::Set { held, fields } => {
            (Method::POST, one("IncomingPhoneNumbers", &held.id), form(fields))
        }
        NumberCommand::ReadApplication { id } => {
            (Method::GET, one("Applications", id), String::new())
        }
        NumberCommand::SetApplication { held, fields } => {
            (Method::POST, one("Applications", &held.id), form(fields))
        }
    }
}

/// A form cannot say null; the empty text clears as well.
fn form(fields: &CarrierFields) -> String {
    let mut form = String::with_capacity(512);
    for (name, written) in NAMES {
        if let Some(value) = fields.get(name) {
            query::push(&mut form, written, value.as_deref().unwrap_or_default());
        }
    }
    form
}

/// What the reply to a command says, unless it is an error.
pub(super) fn success(command: &NumberCommand<'_>, body: &[u8]) -> Option<NumberOutcome> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(match command {
        NumberCommand::List { .. } => {
            let rows = body.get("incoming_phone_numbers")?.as_array()?;
            NumberOutcome::Listed(NumberPage {
                numbers: rows.iter().filter_map(held).collect(),
                next: body.get("next_page_uri").and_then(Value::as_str).and_then(query::of),
            })
        }
        NumberCommand::Read { .. } => NumberOutcome::Number(Some(held(&body)?)),
        NumberCommand::ReadApplication { .. } => {
            NumberOutcome::Application(Some(application(&body)?))
        }
        NumberCommand::Set { .. } | NumberCommand::SetApplication { .. } => NumberOutcome::Set,
    })
}

fn held(row: &Value) -> Option<HeldNumber> {
    let fields = fields(row);
    let answerer = if let Some(id) = text(&fields, "trunk_sid") {
        Answerer::Trunk { id: id.to_owned() }
    } else if let Some(id) = text(&fields, "voice_application_sid") {
        Answerer::Application { id: id.to_owned(), name: None }
    } else {
        asked(&fields).map_or(Answerer::Nobody, Answerer::Url)
    };
    let word = |name: &str| row.get(name).and_then(Value::as_str);
    let voice = row.get("capabilities").and_then(|can| can.get("voice")).and_then(Value::as_bool);
    Some(HeldNumber {
        number: E164::parse(word("phone_number")?)?,
        id: word("sid")?.to_owned(),
        name: word("friendly_name").filter(|name| !name.is_empty()).map(str::to_owned),
        takes_calls: voice != Some(false) && word("voice_receive_mode") != Some("fax"),
        answerer,
        fields,
    })
}

/// A method that is null is the carrier's to choose: it is not put back.
fn fields(row: &Value) -> CarrierFields {
    let mut fields = fields_of(row, &NAMES.map(|(name, _)| name));
    fields.retain(|name, value| value.is_some() || !name.ends_with("_method"));
    fields
}

fn application(row: &Value) -> Option<HeldApplication> {
    let fields = fields(row);
    let word = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let asked = asked(&fields);
    let (id, name) = (word("sid")?, word("friendly_name"));
    Some(HeldApplication { id, name, asked, fields, whole: None })
}

fn asked(fields: &CarrierFields) -> Option<AskedUrl> {
    Some(AskedUrl {
        url: text(fields, "voice_url")?.to_owned(),
        is_get: text(fields, "voice_method").is_some_and(|word| word.eq_ignore_ascii_case("GET")),
        fallback_url: text(fields, "voice_fallback_url").map(str::to_owned),
    })
}

/// What a number is to hold. `overrides` is what the carrier takes behind a URL to say how often
/// and how long it asks. An application or a trunk would win over the URL: neither stays.
#[must_use]
pub fn pointed(held: &HeldNumber, to: &PointTo<'_>, overrides: &str) -> CarrierFields {
    let mut fields = CarrierFields::new();
    let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), Some(value.to_owned()));
    put("voice_url", &format!("{}{overrides}", to.voice_url));
    put("voice_method", "POST");
    put("voice_application_sid", "");
    put("trunk_sid", "");
    if let Some(fallback) = to.fallback {
        put("voice_fallback_url", &fallback.url);
        put("voice_fallback_method", if fallback.is_get { "GET" } else { "POST" });
    }
    let told = format!("{}{overrides}", to.status_url);
    let names = ["status_callback", "status_callback_method"];
    put_status(&mut fields, &held.fields, to, names, "POST", told);
    fields
}

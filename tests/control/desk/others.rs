//! The desks that speak in a way of their own: Vonage's, which clears what an update does not name
//! and replaces applications whole, and Bandwidth's, which lists in XML and changes nothing.

use axum::{
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64_simd::STANDARD;
use serde_json::{Value, json};

use super::{Do, Inner, form_urlencoded};

pub(crate) const USER: &str = "dfe52f80";
pub(crate) const SECRET: &str = "the-api-secret";

/// What an update of a Vonage number sets, or clears.
const LINKS: [&str; 6] = [
    "app_id",
    "moHttpUrl",
    "voiceCallbackType",
    "voiceCallbackValue",
    "messagesCallbackType",
    "messagesCallbackValue",
];

/// Rows of a page of Bandwidth's: few, so that there are several.
const PAGE: usize = 2;

/// None where it is another carrier's desk that is asked.
pub(super) fn asked(
    inner: &mut Inner,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &str,
) -> Option<Response> {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8().unwrap();
    let path = path.as_ref();
    let application = path.strip_prefix("/v2/applications/");
    let is_xml = path == "/api/tns";
    if application.is_none() && !is_xml && !["/account/numbers", "/number/update"].contains(&path) {
        return None;
    }
    let basic = format!("Basic {}", STANDARD.encode_to_string(format!("{USER}:{SECRET}")));
    if headers["authorization"] != basic {
        let said = match is_xml {
            true => {
                "<Response><ErrorList><Error><Description>The credentials are not valid.\
                </Description></Error></ErrorList></Response>"
            }
            false => r#"{"error-code":"401","error-code-label":"authentication failed"}"#,
        };
        return Some((StatusCode::UNAUTHORIZED, said).into_response());
    }
    let query = form_urlencoded(uri.query().unwrap_or_default());
    Some(match (path, application) {
        (_, Some(id)) => of_application(inner, method, id, body),
        ("/account/numbers", _) => numbers(inner, &query).into_response(),
        ("/number/update", _) => {
            assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
            update(inner, body)
        }
        (_, None) => tns(inner, &query).into_response(),
    })
}

fn one<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// As it is shown: a link to an application is told twice more, in the words of old.
fn shown(record: &Value) -> Value {
    let mut record = record.clone();
    for [kind, value] in [[LINKS[2], LINKS[3]], [LINKS[4], LINKS[5]]] {
        if record.get(kind).is_none() && record.get("app_id").is_some() {
            record[kind] = json!("app");
            record[value] = record["app_id"].clone();
        }
    }
    record
}

fn numbers(inner: &Inner, query: &[(String, String)]) -> String {
    let pattern = one(query, "pattern");
    let is_like = |record: &&Value| {
        pattern.is_none_or(|pattern| record["msisdn"].as_str().unwrap().starts_with(pattern))
    };
    assert!(pattern.is_none() || one(query, "search_pattern") == Some("0"));
    let all: Vec<Value> = inner.numbers.values().filter(is_like).map(shown).collect();
    if all.is_empty() {
        return "{}".to_owned();
    }
    let number = |name| one(query, name).unwrap().parse::<usize>().unwrap();
    let (index, size) = (number("index"), number("size"));
    assert!(size <= 100 && index >= 1, "{query:?}");
    let part: Vec<&Value> = all.iter().skip((index - 1) * size).take(size).collect();
    json!({ "count": all.len(), "numbers": part }).to_string()
}

fn update(inner: &mut Inner, body: &str) -> Response {
    inner.changes.push(("/number/update".to_owned(), body.to_owned()));
    let form = form_urlencoded(body);
    let failed = || {
        let said = json!({ "error-code": "420", "error-code-label": "method failed" });
        (StatusCode::from_u16(420).unwrap(), said.to_string()).into_response()
    };
    let script = inner.script.pop();
    let msisdn = one(&form, "msisdn").unwrap();
    let Some(record) = inner.numbers.get_mut(msisdn) else { return failed() };
    if Some(record["country"].as_str().unwrap()) != one(&form, "country") {
        return failed();
    }
    if let Some(Do::Refuse) = script {
        return failed();
    }
    if !matches!(script, Some(Do::Lie)) {
        let record = record.as_object_mut().unwrap();
        for name in LINKS {
            record.remove(name);
        }
        for (name, value) in form.iter().filter(|(n, _)| LINKS.contains(&n.as_str())) {
            assert!(!value.is_empty(), "{name} is named, and nothing");
            record.insert(name.clone(), json!(value));
        }
    }
    if let Some(Do::FailAfterwards) = script {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    json!({ "error-code": "200", "error-code-label": "success" }).to_string().into_response()
}

fn of_application(inner: &mut Inner, method: &Method, id: &str, body: &str) -> Response {
    if !inner.applications.contains_key(id) {
        let said = json!({ "title": "Not Found", "detail": "No such application" });
        return (StatusCode::NOT_FOUND, said.to_string()).into_response();
    }
    if method == Method::PUT {
        inner.changes.push((format!("/v2/applications/{id}"), body.to_owned()));
        let script = inner.script.pop();
        if let Some(Do::Refuse) = script {
            let said = json!({ "title": "Bad Request", "detail": "not now" });
            return (StatusCode::BAD_REQUEST, said.to_string()).into_response();
        }
        let mut record: Value = serde_json::from_str(body).unwrap();
        for told in ["id", "_links"] {
            assert!(record.get(told).is_none(), "{told} cannot be written");
        }
        record["id"] = json!(id);
        if !matches!(script, Some(Do::Lie)) {
            inner.applications.insert(id.to_owned(), record);
        }
        if let Some(Do::FailAfterwards) = script {
            return StatusCode::BAD_GATEWAY.into_response();
        }
    }
    let mut record = inner.applications[id].clone();
    record["_links"] = json!({ "self": { "href": format!("/v2/applications/{id}") } });
    record.to_string().into_response()
}

/// The page after the first is named by where it begins.
fn tns(inner: &Inner, query: &[(String, String)]) -> String {
    assert_eq!((one(query, "accountId"), one(query, "size")), (Some("9900008"), Some("500")));
    let page = one(query, "page").unwrap();
    let (links, rows): (String, Vec<_>) = {
        let mut rows: Vec<_> = inner.numbers.iter().collect();
        if page != "1" {
            rows.retain(|(id, _)| format!("3.{id}").as_str() >= page);
        }
        let next = rows.get(PAGE).map(|(id, _)| {
            format!(
                "<next>Link=&lt;https://dashboard.bandwidth.com/api/tns?accountId=9900008&amp;\
                 size=500&amp;page=3%2E{id}&gt;;rel=\"next\";</next>"
            )
        });
        rows.truncate(PAGE);
        (next.unwrap_or_default(), rows)
    };
    let rows = rows.iter().map(|(id, record)| {
        format!(
            "<TelephoneNumber><City>RALEIGH</City><FullNumber>{id}</FullNumber><Status>{}</Status>\
             <AccountId>9900008</AccountId></TelephoneNumber>",
            record["status"].as_str().unwrap()
        )
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><TelephoneNumbersResponse>\
         <TelephoneNumberCount>{}</TelephoneNumberCount><Links><first>Link=&lt;https://dashboard\
         .bandwidth.com/api/tns?page=1&gt;;rel=\"first\";</first>{links}</Links>\
         <TelephoneNumbers>{}</TelephoneNumbers></TelephoneNumbersResponse>",
        inner.numbers.len(),
        rows.collect::<String>()
    )
}

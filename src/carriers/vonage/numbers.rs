//! Vonage's numbers: each is put to an application, which says who is asked (Vonage docs,
//! api/numbers and api/application.v2; vonage-numbers 1.0.5 for Python).
//!
//! An update of a number clears what it does not name (nexmo-cli, issue 83), and one of an
//! application replaces all of it. So both name all that was there, and not only what changes.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer;
use crate::{
    carriers::{
        Answerer, ApiRequest, AskedUrl, Authorization, HeldApplication, HeldNumber, NumberCommand,
        NumberOutcome, NumberPage, PointTo, Pointing,
        numbers::{fields_of, put_status, text},
        shared::{credentials, party::plusless::digits, query},
    },
    domain::{Account, CarrierFields, E164, PointCause, Secret},
};

/// Where numbers are; applications are where calls are.
const NUMBERS_HOST: &str = "https://rest.nexmo.com";

/// Rows of a page at most.
const PAGE_SIZE: usize = 100;

/// Takes no part in who answers, and names the number together with it.
const COUNTRY: &str = "country";

const APPLICATION: &str = "app_id";

/// Where a number that is older than applications is handed on to: `sip`, `tel`; `app` says once
/// more what [`APPLICATION`] says.
const VOICE: [&str; 2] = ["voiceCallbackType", "voiceCallbackValue"];

/// The same for messages, which are none of our business but must not be lost.
const MESSAGES: [&str; 2] = ["messagesCallbackType", "messagesCallbackValue"];
const MESSAGES_URL: &str = "moHttpUrl";

/// Whether an application's webhooks bear tokens.
const SIGNED: &str = "signed_callbacks";

/// An application's webhooks, and the longest that each may take, in milliseconds: to connect, and
/// to be answered (Vonage support, article 17498678806044). They are what holds where none is told.
const WEBHOOKS: [(&str, &str, &str); 3] = [
    ("answer_url", "1000", "5000"),
    ("event_url", "1000", "10000"),
    ("fallback_answer_url", "1000", "5000"),
];

/// What is told of a webhook: texts, and numbers.
const MEMBERS: [&str; 4] = ["address", "http_method", "connection_timeout", "socket_timeout"];

/// None for an account without the API's secret.
pub(super) fn request(command: &NumberCommand<'_>, account: &Account) -> Option<ApiRequest> {
    let application =
        |id: &str| format!("/v2/applications/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let list = |query| (Method::GET, format!("/account/numbers?{query}"), String::new());
    let (method, path, body) = match command {
        NumberCommand::List { page } => list(format!("index={}&size={PAGE_SIZE}", index(*page))),
        // Those that begin so: with it there may be longer ones.
        NumberCommand::Read { number, .. } => {
            let pattern = answer::digits(*number);
            list(format!("pattern={pattern}&search_pattern=0&index=1&size={PAGE_SIZE}"))
        }
        NumberCommand::Set { held, fields } => {
            (Method::POST, "/number/update".to_owned(), form(held, fields))
        }
        NumberCommand::ReadApplication { id } => (Method::GET, application(id), String::new()),
        NumberCommand::SetApplication { held, fields } => {
            (Method::PUT, application(&held.id), replaced(held.whole.as_ref()?, fields))
        }
    };
    let (host, content_type) = match command {
        NumberCommand::List { .. } | NumberCommand::Read { .. } | NumberCommand::Set { .. } => {
            (Some(NUMBERS_HOST), "application/x-www-form-urlencoded")
        }
        NumberCommand::ReadApplication { .. } | NumberCommand::SetApplication { .. } => {
            (None, "application/json")
        }
    };
    let secret = account.api.key.as_ref().map(|key| key.secret.reveal())?;
    let authorization = Authorization::Header(credentials::basic(&account.account_id, secret));
    Some(ApiRequest { method, host, path, authorization, content_type, body })
}

/// Pages are counted from one.
fn index(page: Option<&str>) -> usize {
    page.and_then(|page| page.parse().ok()).unwrap_or(1)
}

fn form(held: &HeldNumber, fields: &CarrierFields) -> String {
    let mut form = String::with_capacity(256);
    query::push(&mut form, COUNTRY, text(&held.fields, COUNTRY).unwrap_or_default());
    query::push(&mut form, "msisdn", &answer::digits(held.number));
    for name in [APPLICATION, MESSAGES_URL].into_iter().chain(VOICE).chain(MESSAGES) {
        let value = if fields.contains_key(name) { fields } else { &held.fields };
        if let Some(value) = text(value, name) {
            query::push(&mut form, name, value);
        }
    }
    form
}

/// An application with other webhooks, and otherwise as it was.
fn replaced(whole: &Value, fields: &CarrierFields) -> String {
    let mut whole = whole.as_object().cloned().unwrap_or_default();
    // Told of it, and not to be written.
    whole.remove("id");
    whole.remove("_links");
    let (hooks, flags): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| name.contains('.'));
    within(&mut whole, "capabilities", |capabilities| {
        within(capabilities, "voice", |voice| {
            within(voice, "webhooks", |webhooks| {
                for (name, value) in hooks {
                    put_hook(webhooks, name, value.as_deref());
                }
                // Without an address there is no webhook.
                let is_hook = |name: &String| WEBHOOKS.iter().any(|(hook, ..)| hook == name);
                webhooks.retain(|name, hook| !is_hook(name) || hook.get("address").is_some());
            });
            for (name, value) in flags {
                put(voice, name, value.as_deref().map(|value| Value::Bool(value == "true")));
            }
        });
    });
    Value::Object(whole).to_string()
}

/// Changes an object in an object; one that then holds nothing is none.
fn within(
    object: &mut Map<String, Value>,
    name: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) {
    let mut inner = match object.remove(name) {
        Some(Value::Object(inner)) => inner,
        Some(_) | None => Map::new(),
    };
    change(&mut inner);
    if !inner.is_empty() {
        object.insert(name.to_owned(), Value::Object(inner));
    }
}

/// `answer_url.address` and its like.
fn put_hook(webhooks: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    let Some((hook, member)) = name.split_once('.') else { return };
    let millis = |value: &str| value.parse::<u64>().ok().filter(|_| member.ends_with("_timeout"));
    let value = value.map(|value| millis(value).map_or_else(|| value.into(), Value::from));
    within(webhooks, hook, |hook| put(hook, member, value));
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
}

/// What of an account without numbers nothing is there.
#[derive(Deserialize)]
struct ListBody {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    numbers: Vec<Value>,
}

pub(super) fn success(command: &NumberCommand<'_>, body: &[u8]) -> Option<NumberOutcome> {
    let list = || serde_json::from_slice::<ListBody>(body).ok();
    Some(match command {
        NumberCommand::List { page } => {
            let (list, index) = (list()?, index(*page));
            let is_last = list.numbers.is_empty() || index.saturating_mul(PAGE_SIZE) >= list.count;
            NumberOutcome::Listed(NumberPage {
                numbers: list.numbers.iter().filter_map(held).collect(),
                next: (!is_last).then(|| index.saturating_add(1).to_string()),
            })
        }
        NumberCommand::Read { number, .. } => {
            let mut numbers = list()?.numbers.into_iter().filter_map(|row| held(&row));
            NumberOutcome::Number(numbers.find(|held| held.number == *number))
        }
        NumberCommand::ReadApplication { .. } => {
            let body = serde_json::from_slice(body).ok()?;
            NumberOutcome::Application(Some(application(body)?))
        }
        NumberCommand::Set { .. } | NumberCommand::SetApplication { .. } => NumberOutcome::Set,
    })
}

fn held(row: &Value) -> Option<HeldNumber> {
    let number: E164 = digits(row.get("msisdn")?.as_str()?)?;
    let mut fields = fields_of(row, &[COUNTRY, APPLICATION, MESSAGES_URL]);
    for pair in [VOICE, MESSAGES] {
        let [kind, value] = pair;
        let told = fields_of(row, &pair);
        let is_app = text(&told, kind) == Some("app");
        if let (true, Some(id)) = (is_app && pair == VOICE, text(&told, value))
            && text(&fields, APPLICATION).is_none()
        {
            fields.insert(APPLICATION.to_owned(), Some(id.to_owned()));
        }
        // It follows the application by itself.
        if !is_app || (pair == MESSAGES && text(&told, value) != text(&fields, APPLICATION)) {
            fields.extend(told);
        }
    }
    let features = row.get("features").and_then(Value::as_array);
    let takes_calls = features.is_none_or(|all| all.iter().any(|feature| feature == "VOICE"));
    let [kind, value] = VOICE;
    let answerer = match (text(&fields, kind), text(&fields, APPLICATION)) {
        (Some(_), _) => Answerer::Trunk { id: text(&fields, value).unwrap_or_default().to_owned() },
        (None, Some(id)) => Answerer::Application { id: id.to_owned(), name: None },
        (None, None) => Answerer::Nobody,
    };
    let id = answer::digits(number);
    Some(HeldNumber { number, id, name: None, takes_calls, answerer, fields })
}

fn application(whole: Value) -> Option<HeldApplication> {
    let word = |name: &str| whole.get(name).and_then(Value::as_str).map(str::to_owned);
    let voice = whole.pointer("/capabilities/voice").unwrap_or(&Value::Null);
    let mut fields = CarrierFields::new();
    if let Some(is_signed) = voice.get(SIGNED).and_then(Value::as_bool) {
        fields.insert(SIGNED.to_owned(), Some(is_signed.to_string()));
    }
    for (hook, ..) in WEBHOOKS {
        for member in MEMBERS {
            let value = voice.get("webhooks").and_then(|hooks| hooks.get(hook)?.get(member));
            let told = value.and_then(|value| {
                let millis = || value.as_u64().map(|millis| millis.to_string());
                value.as_str().map(str::to_owned).or_else(millis)
            });
            if told.is_some() {
                fields.insert(format!("{hook}.{member}"), told);
            }
        }
    }
    let asked = text(&fields, "answer_url.address").map(|url| AskedUrl {
        url: url.to_owned(),
        // Vonage's default.
        is_get: !text(&fields, "answer_url.http_method")
            .is_some_and(|method| method.eq_ignore_ascii_case("POST")),
        fallback_url: text(&fields, "fallback_answer_url.address").map(str::to_owned),
    });
    let (id, name) = (word("id")?, word("name"));
    Some(HeldApplication { id, name, asked, fields, whole: Some(whole) })
}

/// What an account's numbers are asked for with.
pub(super) fn can_ask(account: &Account) -> bool {
    let secret = account.api.key.as_ref().map(|key| &key.secret);
    secret.map(Secret::reveal).is_some_and(|secret| !secret.is_empty())
}

#[derive(Debug)]
pub(super) struct Numbers;

impl Pointing for Numbers {
    fn is_by_application(&self) -> bool {
        true
    }

    /// Without tokens everything that Vonage asked would be refused here.
    fn refuses(&self, own: Option<&HeldApplication>) -> Option<PointCause> {
        let is_signed = own.is_none_or(|own| text(&own.fields, SIGNED) == Some("true"));
        (!is_signed).then_some(PointCause::Unsigned)
    }

    /// What hands the number's calls on elsewhere is in the way.
    fn number(&self, _held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields {
        let nothing = VOICE.map(|name| (name.to_owned(), None));
        let application = (APPLICATION.to_owned(), Some(to.account.application_id.clone()));
        nothing.into_iter().chain([application]).collect()
    }

    fn application(&self, held: &HeldApplication, to: &PointTo<'_>) -> CarrierFields {
        // Seen to, since an edit in the dashboard has dropped it before now.
        let mut fields = CarrierFields::from([(SIGNED.to_owned(), Some("true".to_owned()))]);
        let mut put = |name: &str, value: &str| fields.insert(name.into(), Some(value.into()));
        put("answer_url.address", to.voice_url);
        put("answer_url.http_method", "POST");
        if let Some(fallback) = to.fallback {
            put("fallback_answer_url.address", &fallback.url);
            let method = if fallback.is_get { "GET" } else { "POST" };
            put("fallback_answer_url.http_method", method);
        }
        let names = ["event_url.address", "event_url.http_method"];
        put_status(&mut fields, &held.fields, to, names, "POST", to.status_url.to_owned());
        for (hook, connection, socket) in WEBHOOKS {
            // Of a webhook that becomes another's: where none is told, these hold.
            if !fields.contains_key(&format!("{hook}.address")) {
                continue;
            }
            for (member, millis) in [("connection_timeout", connection), ("socket_timeout", socket)]
            {
                let name = format!("{hook}.{member}");
                if held.fields.contains_key(&name) {
                    fields.insert(name, Some(millis.to_owned()));
                }
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AccountOrigin, ApiKey, CarrierId};

    fn account() -> Account {
        let mut account = Account::named("main".into(), CarrierId::Vonage, AccountOrigin::File);
        account.account_id = "key".to_owned();
        let secret = Secret::new("secret".to_owned());
        account.api.key = Some(ApiKey { id: String::new(), secret });
        account
    }

    #[test]
    fn numbers_are_at_another_host_than_applications() {
        let command = NumberCommand::List { page: Some("3") };
        let list = request(&command, &account()).unwrap();
        assert_eq!(list.host, Some("https://rest.nexmo.com"));
        assert_eq!(list.path, "/account/numbers?index=3&size=100");
        let basic = Authorization::Header(Secret::new("Basic a2V5OnNlY3JldA==".to_owned()));
        assert_eq!(list.authorization, basic);
        let read = NumberCommand::ReadApplication { id: "../a" };
        let read = request(&read, &account()).unwrap();
        assert_eq!((read.host, read.path.as_str()), (None, "/v2/applications/%2E%2E%2Fa"));
        let mut bare = account();
        bare.api.key = None;
        assert_eq!(request(&command, &bare), None);
        assert!(!can_ask(&bare) && can_ask(&account()));
    }

    #[test]
    fn an_application_without_voice_is_given_one_and_loses_it_again() {
        let whole = json!({ "id": "a", "name": "x", "capabilities": { "vbc": {} }, "_links": {} });
        let url = |url: Option<&str>| {
            let fields = [("answer_url.address", url), ("answer_url.http_method", url)];
            fields.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into()
        };
        let set: Value = serde_json::from_str(&replaced(&whole, &url(Some("u")))).unwrap();
        let voice = json!({ "webhooks": { "answer_url": { "address": "u", "http_method": "u" } } });
        assert_eq!(set["capabilities"], json!({ "vbc": {}, "voice": voice }));
        // What Vonage has added to a webhook goes with its address.
        let mut now = set;
        now["capabilities"]["voice"]["webhooks"]["answer_url"]["socket_timeout"] = json!(5000);
        let back: Value = serde_json::from_str(&replaced(&now, &url(None))).unwrap();
        assert_eq!(back, json!({ "name": "x", "capabilities": { "vbc": {} } }));
    }
}

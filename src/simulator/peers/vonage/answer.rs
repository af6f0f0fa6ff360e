//! Reads NCCOs as strictly as Vonage does: one action it does not know, or a field that is not the
//! action's, and the whole document is a syntax error (nexmo-developer, ncco-reference).

use serde_json::{Map, Value, json};

use crate::{
    domain::MediaFormat,
    simulator::verb::{Dial, Problem, Step, Stream, Verb},
};

/// Actions that are Vonage's, and not simulated.
const PASSED_OVER: [&str; 4] = ["conversation", "input", "record", "stream"];

/// What a websocket's `headers` take, in bytes.
const HEADERS_LEN_MAX: usize = 512;

/// `talk` takes so many characters.
const TALK_CHARS_MAX: usize = 1500;

/// A document of Vonage's.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
    if content_type.is_empty() && body.is_empty() {
        return Ok(Vec::new());
    }
    if content_type.split(';').next() != Some("application/json") {
        return Err(invalid(format!("content type {content_type:?}")));
    }
    let actions: Vec<Map<String, Value>> =
        serde_json::from_slice(body).map_err(|_| invalid("no JSON array of actions"))?;
    let mut verbs = Vec::new();
    for action in &actions {
        match text(action, "action")? {
            "talk" => verbs.push(talk(action)?),
            "connect" => verbs.extend(connect(action)?),
            "notify" => verbs.push(notify(action)?),
            other if PASSED_OVER.contains(&other) => verbs.push(Verb::Other(other.to_owned())),
            other => return Err(invalid(format!("{other:?} is no action"))),
        }
    }
    if verbs.is_empty() {
        // The call is taken, and ended.
        verbs.push(Verb::HangUp);
    }
    Ok(verbs)
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::schema(what)
}

/// A text that has to be there.
fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Problem> {
    let found = object.get(name).and_then(Value::as_str);
    found.ok_or_else(|| invalid(format!("no text {name:?}")))
}

/// No fields but these.
fn only(object: &Map<String, Value>, names: &[&str]) -> Result<(), Problem> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(invalid(format!("{name:?} is no field of it"))),
        None => Ok(()),
    }
}

fn talk(action: &Map<String, Value>) -> Result<Verb, Problem> {
    only(action, &["action", "text", "language", "style", "bargeIn", "loop", "level", "premium"])?;
    let said = text(action, "text")?;
    if said.chars().count() > TALK_CHARS_MAX {
        return Err(invalid("talk: the text is too long"));
    }
    Ok(Verb::Say(said.to_owned()))
}

/// The one URL of an action.
fn event_url(action: &Map<String, Value>) -> Result<String, Problem> {
    if action.get("eventMethod").is_some_and(|method| method != "POST") {
        return Err(invalid("eventMethod: not simulated unless POST"));
    }
    match action.get("eventUrl").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(url)]) if url.starts_with("http") => Ok(url.clone()),
        _ => Err(invalid("eventUrl: expected an array of one URL")),
    }
}

fn notify(action: &Map<String, Value>) -> Result<Verb, Problem> {
    only(action, &["action", "payload", "eventUrl", "eventMethod"])?;
    let payload = action.get("payload").filter(|payload| payload.is_object());
    let payload = payload.ok_or_else(|| invalid("notify: no payload"))?;
    let brings = json!({ "payload": payload }).to_string();
    Ok(Verb::Redirect(Step { url: event_url(action)?, brings }))
}

fn connect(action: &Map<String, Value>) -> Result<Vec<Verb>, Problem> {
    let known = [
        "action",
        "from",
        "eventType",
        "eventUrl",
        "eventMethod",
        "timeout",
        "limit",
        "endpoint",
        "machineDetection",
        "advancedMachineDetection",
        "ringbackTone",
    ];
    only(action, &known)?;
    let Some([Value::Object(endpoint)]) =
        action.get("endpoint").and_then(Value::as_array).map(Vec::as_slice)
    else {
        return Err(invalid("connect: expected one endpoint"));
    };
    // What the events of any other connection are answered is not listened to.
    let step = match action.get("eventType").and_then(Value::as_str) {
        Some("synchronous") => Some(event_url(action)?),
        None => None,
        Some(other) => return Err(invalid(format!("eventType {other:?}"))),
    };
    let asking = |to: Value| step.clone().map(|url| Step { url, brings: to.to_string() });
    match text(endpoint, "type")? {
        "websocket" => {
            let stream = websocket(endpoint)?;
            let headers = endpoint.get("headers").cloned().unwrap_or_else(|| json!({}));
            let next = asking(json!({ "to": stream.url, "headers": headers }));
            Ok(std::iter::once(Verb::Connect(stream)).chain(next.map(Verb::Redirect)).collect())
        }
        "phone" => {
            only(endpoint, &["type", "number", "dtmfAnswer", "onAnswer"])?;
            let number = text(endpoint, "number")?;
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid("phone: a number has digits alone"));
            }
            let action = asking(json!({ "to": number }));
            Ok(vec![Verb::Dial(Dial { callee: format!("+{number}"), action })])
        }
        "sip" => {
            only(endpoint, &["type", "uri", "headers"])?;
            let uri = text(endpoint, "uri")?;
            let action = asking(json!({ "to": uri }));
            Ok(vec![Verb::Dial(Dial { callee: uri.to_owned(), action })])
        }
        other => Err(invalid(format!("endpoint {other:?} is not simulated"))),
    }
}

fn websocket(endpoint: &Map<String, Value>) -> Result<Stream, Problem> {
    only(endpoint, &["type", "uri", "content-type", "headers", "authorization"])?;
    let format = match text(endpoint, "content-type")? {
        "audio/l16;rate=8000" => MediaFormat::L16_8000,
        "audio/l16;rate=16000" => MediaFormat::L16_16000,
        "audio/l16;rate=24000" => MediaFormat::L16_24000,
        other => return Err(invalid(format!("websocket: content-type {other:?}"))),
    };
    let headers = endpoint.get("headers").map_or_else(|| "{}".to_owned(), Value::to_string);
    if headers.len() > HEADERS_LEN_MAX {
        return Err(invalid("websocket: headers are too long"));
    }
    let shown = match endpoint.get("authorization").and_then(Value::as_object) {
        None => Vec::new(),
        Some(given) if given.get("type").is_some_and(|kind| kind == "custom") => {
            vec![("Authorization".to_owned(), text(given, "value")?.to_owned())]
        }
        Some(_) => return Err(invalid("websocket: not simulated unless custom")),
    };
    Ok(Stream {
        url: text(endpoint, "uri")?.to_owned(),
        headers: shown,
        format,
        attributes: vec![("headers".to_owned(), headers)],
        ..Stream::default()
    })
}

//! Holds every answer that a test gets against the APIs' own document: its status is told there, it
//! has the headers and properties that are required there, and its values are of the kinds that are
//! told. What is asked outside the document is not looked at.

use reqwest::{Client, Method};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::daemon::Got;

/// The document, which is every daemon's.
static DOCUMENT: OnceCell<Value> = OnceCell::const_new();

/// Reads the document, once.
pub(crate) async fn document(http: &Client, base: &str) -> &'static Value {
    let read = async || {
        let got = http.get(format!("{base}/openapi.json")).send().await.unwrap();
        serde_json::from_str(&got.text().await.unwrap()).unwrap()
    };
    DOCUMENT.get_or_init(read).await
}

/// Panics where an answer is not as the document has it.
#[track_caller]
pub(crate) fn hold(document: &Value, method: &Method, target: &str, got: &Got) {
    let path = target.split('?').next().unwrap();
    if let Some(operation) = operation(document, method, path)
        && let Err(fault) = answer(document, operation, got)
    {
        panic!("{method} {path}: {}: {fault}: {}", got.status, got.body);
    }
}

/// The operation that a request is for; the one whose path has the fewest parameters.
fn operation<'d>(document: &'d Value, method: &Method, path: &str) -> Option<&'d Value> {
    let asked: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        let fit = |(part, asked): (&&str, &&str)| part.starts_with('{') || part == asked;
        parts.len() == asked.len() && parts.iter().zip(&asked).all(fit)
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let found = paths.filter(|(template, _)| fits(template));
    let (_, item) = found.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}

fn answer(document: &Value, operation: &Value, got: &Got) -> Result<(), String> {
    let told = &operation["responses"][got.status.as_str()];
    if told.is_null() {
        return Err("the status is not told".to_owned());
    }
    let told = resolved(document, told);
    for (name, header) in told["headers"].as_object().into_iter().flatten() {
        let is_required = resolved(document, header)["required"] == true;
        if is_required && got.header(name).is_empty() {
            return Err(format!("the header {name} is missing"));
        }
    }
    let kind = got.header("content-type").split(';').next().unwrap_or_default();
    let content = &told["content"][kind];
    if content.is_null() && !kind.is_empty() {
        return Err(format!("a body of {kind} is not told"));
    }
    if kind != "application/json" {
        return Ok(());
    }
    value(document, &content["schema"], &got.body, "")
}

fn resolved<'d>(document: &'d Value, what: &'d Value) -> &'d Value {
    match what["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => what,
    }
}

/// Whether a value is as a schema has it, as far as kinds and required properties go.
fn value(document: &Value, schema: &Value, given: &Value, at: &str) -> Result<(), String> {
    let schema = resolved(document, schema);
    let within =
        |schema, given, name: &str| value(document, schema, given, &format!("{at}/{name}"));
    let told = &schema["type"];
    let alone = if told.is_null() { &[][..] } else { std::slice::from_ref(told) };
    let kinds = told.as_array().map_or(alone, Vec::as_slice);
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(kind.as_str().unwrap(), given)) {
        return Err(format!("{at} is none of {kinds:?}"));
    }
    if let Some(object) = given.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                return Err(format!("{at} has no {name}"));
            }
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            object.get(name).map_or(Ok(()), |given| within(part, given, name))?;
        }
    }
    if let (Some(items), Some(array)) = (schema.get("items"), given.as_array()) {
        array.iter().try_for_each(|given| within(items, given, "*"))?;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(given)
    {
        return Err(format!("{at} is none of {words:?}"));
    }
    let parts = |word: &str| schema[word].as_array().cloned().unwrap_or_default();
    parts("allOf").iter().try_for_each(|part| value(document, part, given, at))?;
    for choice in [parts("oneOf"), parts("anyOf")] {
        let tried: Vec<_> = choice.iter().map(|part| value(document, part, given, at)).collect();
        if !tried.is_empty() && tried.iter().all(Result::is_err) {
            return Err(format!("{at} is none of its choices: {tried:?}"));
        }
    }
    Ok(())
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        // 10.0 is one as well (JSON Schema 2020-12, §6.1.1).
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no kind"),
    }
}

#[test]
fn what_is_not_as_told_is_found() {
    use serde_json::json;

    let document = json!({ "components": { "schemas": {
        "Id": { "type": "string" },
        "Word": { "type": ["string", "null"], "enum": ["a", null] },
    } } });
    let schema = json!({ "type": "object", "required": ["id", "word"], "properties": {
        "id": { "$ref": "#/components/schemas/Id" },
        "word": { "$ref": "#/components/schemas/Word" },
        "more": { "oneOf": [{ "type": "null" }, { "type": "array", "items": { "type": "integer" } }] },
    } });
    for (given, is_fit) in [
        (json!({ "id": "x", "word": null }), true),
        (json!({ "id": "x", "word": "a", "more": [1] }), true),
        (json!({ "id": "x", "word": "a", "more": null }), true),
        (json!({ "id": "x" }), false),
        (json!({ "id": null, "word": "a" }), false),
        (json!({ "id": "x", "word": "b" }), false),
        (json!({ "id": "x", "word": "a", "more": ["1"] }), false),
        (json!([]), false),
    ] {
        assert_eq!(value(&document, &schema, &given, "").is_ok(), is_fit, "{given}");
    }
}

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use super::*;
use crate::control::{Api, surfaces};

fn document() -> Value {
    let part = |(dialect, path, routes): (_, _, OpenApiRouter<Api>)| Part {
        dialect,
        path,
        said: routes.into_openapi(),
    };
    serde_json::to_value(whole(surfaces().map(part), None)).unwrap()
}

/// Every operation with its method and path.
fn every(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            found.push((format!("{method} {path}"), operation));
        }
    }
    found
}

/// What a reference refers to.
fn resolved<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    document.pointer(reference.strip_prefix('#')?)
}

fn references<'d>(value: &'d Value, into: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, into));
        }
        Value::Array(elements) => elements.iter().for_each(|one| references(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_can_be_read_again_and_refers_to_nothing_that_is_not_there() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    serde_json::from_value::<OpenApi>(document.clone()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 500, "{}", found.len());
    let missing: BTreeSet<_> =
        found.into_iter().filter(|one| resolved(&document, one).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_operation_is_told_whole() {
    let document = document();
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for (what, operation) in every(&document) {
        let mut blame = |why: String| wrong.push(format!("{what}: {why}"));
        let id = operation["operationId"].as_str().unwrap_or_default();
        if !ids.insert(id.to_owned()) {
            blame(format!("another is called {id}"));
        }
        if operation["summary"].as_str().is_none_or(str::is_empty) {
            blame("no summary".to_owned());
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let told = match response["$ref"].as_str() {
                Some(reference) => resolved(&document, reference).unwrap(),
                None => response,
            };
            if told["description"].as_str().is_none_or(str::is_empty) {
                blame(format!("{status} is not described"));
            }
            let has_body = told["content"].as_object().is_some_and(|content| !content.is_empty());
            if has_body == matches!(status.as_str(), "204" | "304") {
                blame(format!("{status} has a body where it should not, or none"));
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["$ref"].is_null() && parameter["description"].is_null() {
                blame(format!("parameter {} is not described", parameter["name"]));
            }
            let is_limit = matches!(parameter["name"].as_str(), Some("limit" | "per_page"));
            if is_limit && parameter["schema"]["minimum"].is_null() {
                blame("a limit without bounds".to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let tags = document["tags"].as_array().unwrap();
    let bare: Vec<_> = tags.iter().filter(|tag| tag["description"].is_null()).collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn links_lead_to_operations() {
    let document = document();
    let ids: BTreeSet<_> =
        every(&document).into_iter().filter_map(|(_, one)| one["operationId"].as_str()).collect();
    let mut count = 0;
    for (what, operation) in every(&document) {
        for (_, response) in operation["responses"].as_object().unwrap() {
            for (_, link) in response["links"].as_object().into_iter().flatten() {
                let to = link["operationId"].as_str().unwrap();
                assert!(ids.contains(to), "{what}: leads to {to}");
                count += 1;
            }
        }
    }
    assert!(count > 150, "{count}");
}

/// A schema that takes the name of another takes its place as well.
#[test]
fn no_two_schemas_have_one_name() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialects")];
    let (mut names, mut twice) = (BTreeSet::new(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for name in text.split("schema(as = ").skip(1) {
                let name = name.split([',', ')']).next().unwrap().to_owned();
                if !names.insert(name.clone()) {
                    twice.push(name);
                }
            }
        }
    }
    assert!(twice.is_empty() && names.len() > 100, "{twice:?}, of {}", names.len());
}

/// Links lead by ids that their answers have.
#[test]
fn links_start_from_what_answers_have() {
    let document = document();
    let mut wrong = Vec::new();
    for (what, operation) in every(&document) {
        for (_, response) in operation["responses"].as_object().unwrap() {
            let content =
                response["content"].as_object().and_then(|content| content.values().next());
            for (_, link) in response["links"].as_object().into_iter().flatten() {
                for place in link["parameters"].as_object().unwrap().values() {
                    let Some(place) = place.as_str().unwrap().strip_prefix("$response.body#/")
                    else {
                        continue;
                    };
                    if !has(&document, &content.unwrap()["schema"], place) {
                        wrong.push(format!("{what}: {place}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether values of a schema have something at a place.
fn has(document: &Value, schema: &Value, place: &str) -> bool {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => resolved(document, reference).unwrap(),
        None => schema,
    };
    let (name, rest) = place.split_once('/').unwrap_or((place, ""));
    let part = if name == "0" { &schema["items"] } else { &schema["properties"][name] };
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().any(|part| has(document, part, place));
    }
    !part.is_null() && (rest.is_empty() || has(document, part, rest))
}

/// A route that is added without its document is one that nobody is told of.
#[test]
fn no_route_is_added_without_its_document() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/control");
    for surface in ["talkover", "callingbox", "own"] {
        let text = std::fs::read_to_string(root.join(surface).join("mod.rs")).unwrap();
        assert!(!text.contains(".route("), "{surface} adds a route by hand");
    }
}

#[test]
fn who_reads_it_elsewhere_is_told_where_the_api_is() {
    let servers = |url| serde_json::to_value(whole([], url)).unwrap()["servers"].clone();
    assert_eq!(servers(None), serde_json::json!([{ "url": "/" }]));
    let told = servers(Some("https://api.example.com"));
    assert_eq!(told, serde_json::json!([{ "url": "https://api.example.com" }, { "url": "/" }]));
}

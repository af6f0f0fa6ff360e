//! Which answers lead to which requests: who has made or listed things can ask for one of them.

use http::Method;
use serde_json::Value;
use utoipa::openapi::{
    RefOr,
    link::{Link, LinkBuilder},
    path::{Operation, Paths},
};

use super::{named, operations};

/// A request that is about one thing: the path its things are under, the parameter that names it,
/// the request's id.
struct About {
    things: String,
    parameter: String,
    operation: String,
}

/// Adds the links from lists and creations to what can be done with what they answer.
pub(super) fn add(paths: &mut Paths) {
    let mut about = Vec::new();
    for (path, item) in &mut paths.paths {
        let mut parameters = named(path);
        let (Some(parameter), None) = (parameters.next(), parameters.next()) else { continue };
        let Some((things, _)) = path.split_once("/{") else { continue };
        let ids = operations(item).filter_map(|(_, operation)| operation.operation_id.clone());
        about.extend(ids.map(|operation| About {
            things: things.to_owned(),
            parameter: parameter.to_owned(),
            operation,
        }));
    }
    for (path, item) in &mut paths.paths {
        let of_these: Vec<_> = about.iter().filter(|about| about.things == *path).collect();
        for (method, operation) in operations(item) {
            let Some(id) = place_of_id(path, &method) else { continue };
            lead(operation, &of_these, id);
        }
    }
}

/// Where the answer has a thing's id, as a run-time expression (OpenAPI 3.1, Link Object).
fn place_of_id(path: &str, method: &Method) -> Option<&'static str> {
    let has_envelope = path.starts_with("/api/v1/");
    match *method {
        Method::GET => Some("$response.body#/data/0/id"),
        Method::POST if has_envelope => Some("$response.body#/data/id"),
        Method::POST => Some("$response.body#/id"),
        _ => None,
    }
}

fn lead(operation: &mut Operation, about: &[&About], id: &str) {
    let responses = &mut operation.responses.responses;
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        let RefOr::T(response) = response else { continue };
        for about in about {
            response.links.insert(about.operation.clone(), RefOr::T(link(about, id)));
        }
    }
}

fn link(about: &About, id: &str) -> Link {
    LinkBuilder::new()
        .operation_id(&about.operation)
        .parameter(&about.parameter, Value::from(id))
        .build()
}

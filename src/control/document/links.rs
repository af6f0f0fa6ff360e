//! Which answers lead to which requests: who has made or listed things can ask for one of them, and
//! who has listed a page of them, for the next. It follows from the paths, and from where the
//! answers have their ids.

use http::Method;
use serde_json::Value;
use utoipa::openapi::{
    Components, RefOr, Response, Schema,
    link::{Link, LinkBuilder},
    path::{Operation, Parameter, Paths},
    schema::ArrayItems,
};

use super::{SCHEMAS, named, operations};

/// The parameter of lists that says after which thing they go on.
const AFTER: &str = "starting_after";
/// How deep an id can lie in an answer.
const DEPTH_MAX: usize = 4;
/// Things that no list and no creation has by an id: the parameter, who names one, and where.
const NAMED_BY: &[(&str, &str, &str)] = &[
    ("contact", "/v1/calls", "$request.body#/to"),
    ("phone", "/api/v1/agents/{agent}/call", "$request.body#/to"),
];

/// A request that is about one thing: the path its things are under, the parameters that name what
/// they are themselves part of, the parameter that names it, the request's id.
struct About {
    things: String,
    of: Vec<String>,
    parameter: String,
    operation: String,
}

/// An answer that has the id of a thing.
struct Source {
    path: String,
    operation: String,
    /// It says that the thing was made.
    has_made: bool,
    /// Where the id is, as a run-time expression (OpenAPI 3.1, Link Object).
    id: String,
    /// It is part of a list that can go on after it.
    goes_on: bool,
}

/// Adds the links.
pub(super) fn add(paths: &mut Paths, components: &Components) {
    let (mut about, mut sources) = (Vec::new(), Vec::new());
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            about.extend(About::of(path, operation));
            sources.extend(Source::of(path, &method, operation, components));
        }
    }
    let is_known = |things: &str| sources.iter().any(|source| source.path == things);
    let (own, others): (Vec<_>, Vec<_>) = about.iter().partition(|about| is_known(&about.things));
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            if let Some(source) = sources.iter().find(|source| source.operation == id) {
                let here = own.iter().filter(|about| about.things == *path);
                // Things that a surface does not make itself are made in another one.
                let there = others.iter().filter(|about| source.makes_for(about));
                here.chain(there).for_each(|about| lead(operation, &about.link(&source.id)));
                if source.goes_on {
                    lead(
                        operation,
                        &LinkBuilder::new()
                            .operation_id(id)
                            .parameter(AFTER, Value::from(source.id.as_str()))
                            .build(),
                    );
                }
            }
            let by_name = NAMED_BY.iter().filter(|(_, by, _)| by == path && method == Method::POST);
            for (parameter, _, place) in by_name {
                let named = others.iter().filter(|about| about.parameter == *parameter);
                named.for_each(|about| lead(operation, &about.link(place)));
            }
        }
    }
}

impl About {
    fn of(path: &str, operation: &Operation) -> Option<Self> {
        let mut of: Vec<String> = named(path).map(str::to_owned).collect();
        let parameter = of.pop()?;
        let (things, _) = path.split_once(&format!("/{{{parameter}}}"))?;
        let operation = operation.operation_id.clone()?;
        Some(Self { things: things.to_owned(), of, parameter, operation })
    }

    fn link(&self, id: &str) -> Link {
        let link = LinkBuilder::new().operation_id(&self.operation);
        let link = self.of.iter().fold(link, |link, name| {
            link.parameter(name, Value::from(format!("$request.path.{name}")))
        });
        link.parameter(&self.parameter, Value::from(id)).build()
    }
}

impl Source {
    fn of(
        path: &str,
        method: &Method,
        operation: &Operation,
        components: &Components,
    ) -> Option<Self> {
        let responses = &operation.responses.responses;
        let has_made = *method == Method::POST && responses.contains_key("201");
        let status = match *method {
            Method::GET => "200",
            Method::POST if has_made => "201",
            _ => return None,
        };
        let Some(RefOr::T(response)) = responses.get(status) else { return None };
        let place = place_of_id(schema_of(response)?, components, DEPTH_MAX)?;
        let names_place =
            |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.name == AFTER);
        Some(Self {
            path: path.to_owned(),
            operation: operation.operation_id.clone()?,
            has_made,
            id: format!("$response.body#{place}"),
            goes_on: operation.parameters.iter().flatten().any(names_place),
        })
    }

    /// Whether it makes things of the same name in another surface.
    fn makes_for(&self, about: &About) -> bool {
        let word = |path: &str| path.rsplit('/').next().map(str::to_owned);
        self.has_made && about.of.is_empty() && word(&self.path) == word(&about.things)
    }
}

fn schema_of(response: &Response) -> Option<&RefOr<Schema>> {
    match response.content.values().next()? {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    }
}

/// Where in an answer the id of its thing is, or of the first of its things (RFC 6901).
fn place_of_id(schema: &RefOr<Schema>, all: &Components, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let schema = match schema {
        RefOr::T(schema) => schema,
        RefOr::Ref(to) => match all.schemas.get(to.ref_location.strip_prefix(SCHEMAS)?)? {
            RefOr::T(schema) => schema,
            RefOr::Ref(_) => return None,
        },
    };
    let within = |name: &str, part| Some(format!("/{name}{}", place_of_id(part, all, depth)?));
    match schema {
        Schema::Object(object) if object.properties.contains_key("id") => Some("/id".to_owned()),
        Schema::Object(object) => {
            object.properties.get("data").and_then(|data| within("data", data)).or_else(|| {
                object.properties.iter().find_map(|(name, part)| match part {
                    RefOr::T(Schema::Array(_)) => within(name, part),
                    RefOr::T(_) | RefOr::Ref(_) => None,
                })
            })
        }
        Schema::Array(array) => match &array.items {
            ArrayItems::RefOrSchema(items) => within("0", items),
            ArrayItems::False => None,
        },
        Schema::AllOf(parts) => parts.items.iter().find_map(|part| place_of_id(part, all, depth)),
        Schema::OneOf(_) | Schema::AnyOf(_) | _ => None,
    }
}

/// Adds a link to the answers that say that it was done.
fn lead(operation: &mut Operation, link: &Link) {
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| status.starts_with('2')) {
        if let RefOr::T(response) = response {
            response.links.insert(link.operation_id.clone(), RefOr::T(link.clone()));
        }
    }
}

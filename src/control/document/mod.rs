//! The OpenAPI document: what every surface's handlers say of themselves, put together, with what
//! holds for all of them. It is generated at start and never written by hand.
//!
//! A handler names its success and what is particular to it. What can stand between any request and
//! its answer, the words it is told in, headers, and which answers lead to which requests follow
//! from the surface, the method and the path; they are added here.

mod common;
mod headers;
mod links;
mod present;
mod shapes;
mod tags;

use axum::{Router, middleware, response::Response};
use http::{HeaderName, HeaderValue, Method, header};
use utoipa::openapi::{
    Info, OpenApi, OpenApiBuilder, Ref, Server,
    path::{Operation, PathItem},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::guard::Dialect;

/// The name of the one way to prove oneself.
const KEY: &str = "key";
/// What references to schemas begin with.
const SCHEMAS: &str = "#/components/schemas/";

/// The page works with what is here, inside nobody's frame. Swagger UI writes its own styles.
const PAGE_HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

const ABOUT: &str = "\
One store behind three APIs: Talkover's (`/api/v1`), CallingBox's (`/v1`) and our own \
(`/switchback/v1`), which has what neither of them knows. Whoever holds a key of a tenant may use \
all three side by side; what one writes the others read.

A query's parameter that is empty is an absent one. An answer to a write carries the header \
`Switchback-Rev`. Who sends its text along as `min_rev` reads what is at least as new, also from \
another process.

A property that may be null is always there; one that may be left out is never null.

To try it here: press Authorize and give a key (`switchback keys create` makes one). `GET /v1/agents` \
shows whether it opens something, and `POST /v1/agents` makes an agent with the body that is \
shown. Where a path takes an id, a list or what was just made has it.";

const ABOUT_KEYS: &str = "\
A key, without `Bearer` before it. A tenant's opens that tenant, an operator's the operations of \
`own: tenants` and whatever else says so.";

/// One surface: whose words it speaks, the path it is under, what its handlers say.
pub(super) struct Part {
    pub(super) dialect: Dialect,
    pub(super) path: &'static str,
    pub(super) said: OpenApi,
}

/// The whole document, from its parts.
pub(super) fn whole(parts: impl IntoIterator<Item = Part>, url: Option<&str>) -> OpenApi {
    let mut info = Info::new("Switchback", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut document = OpenApiBuilder::new().info(info).build();
    // Whoever reads it where it is served may use that; the one told is for everybody else.
    let servers = url.into_iter().chain(["/"]).map(Server::new);
    document.servers = Some(servers.collect());
    for Part { dialect, path, mut said } in parts {
        for (at, item) in &mut said.paths.paths {
            for (method, operation) in operations(item) {
                tags::name(dialect, at, operation);
                common::complete(dialect, &method, at, operation);
            }
        }
        document = document.nest(path, said);
    }
    let components = document.components.get_or_insert_default();
    common::components(components);
    components.schemas.values_mut().for_each(shapes::smooth);
    document.tags = Some(tags::told(&mut document.paths));
    present::require(&mut document);
    let components = document.components.get_or_insert_default();
    links::add(&mut document.paths, components);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(ABOUT_KEYS));
    components.add_security_scheme(KEY, SecurityScheme::Http(bearer.build()));
    document.security = Some(vec![SecurityRequirement::new(KEY, [] as [&str; 0])]);
    document
}

/// The document, and a page that shows it and tries it. The page's files are in the binary: it asks
/// nothing of anybody else. It keeps the key that is typed into it, in that browser.
pub(super) fn pages<S: Clone + Send + Sync + 'static>(document: OpenApi) -> Router<S> {
    let shown = Config::default()
        .persist_authorization(true)
        .display_request_duration(true)
        .try_it_out_enabled(true)
        .doc_expansion("none")
        .filter(true)
        .validator_url("none")
        .use_base_layout();
    Router::new().merge(SwaggerUi::new("/docs").config(shown).url("/openapi.json", document)).layer(
        middleware::map_response(async |mut response: Response| {
            for (name, value) in PAGE_HEADERS {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }),
    )
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn is_write(method: &Method) -> bool {
    *method != Method::GET
}

/// Refers to one of the shared parts.
fn reference(kind: &str, name: &str) -> Ref {
    Ref::new(format!("#/components/{kind}/{name}"))
}

/// The parameters that a path names, in order.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests;

//! The OpenAPI document: what every surface's handlers say of themselves, put together, with what
//! holds for all of them. It is generated at start and never written by hand.

use utoipa::openapi::{
    Info, OpenApi, OpenApiBuilder,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

/// The name of the one way to prove oneself.
const KEY: &str = "key";

/// The whole document, from the parts of the surfaces and the paths they are under.
pub(super) fn whole(parts: [(&str, OpenApi); 3]) -> OpenApi {
    let info = Info::new("Switchback", env!("CARGO_PKG_VERSION"));
    let mut document = OpenApiBuilder::new().info(info).build();
    for (path, part) in parts {
        document = document.nest(path, part);
    }
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(KEY, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document.security = Some(vec![SecurityRequirement::new(KEY, [] as [&str; 0])]);
    document
}

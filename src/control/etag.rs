//! The callback role's version, so that two who edit it do not undo each other (RFC 9110 §13). Who
//! sends no condition is served as the dialects' documentation has it.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use sha2::{Digest, Sha256};

use super::{Api, answer};
use crate::domain::{Callback, Refusal};

/// On which versions a request is meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl FromRequestParts<Api> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        let list = |name: HeaderName| {
            let lines = parts.headers.get_all(name).iter();
            let lines: Vec<_> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        Ok(Self { if_match: list(header::IF_MATCH), if_none_match: list(header::IF_NONE_MATCH) })
    }
}

impl Conditions {
    /// Whether the role is one that the request is meant for.
    pub(super) fn hold(&self, role: Option<&Callback>) -> Result<(), Refusal> {
        let Some(list) = &self.if_match else { return Ok(()) };
        let is_meant = role.is_some_and(|role| names(list, &tag(role)));
        if is_meant { Ok(()) } else { Err(Refusal::VersionOther) }
    }

    /// The answer to a read; without its body where the asker has it.
    pub(super) fn read(&self, role: &Callback, body: impl serde::Serialize) -> Response {
        let tag = tag(role);
        let weak = |list: &String| names(&list.replace("W/", ""), &tag);
        let mut response = match &self.if_none_match {
            Some(list) if weak(list) => StatusCode::NOT_MODIFIED.into_response(),
            Some(_) | None => answer::read(body),
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

fn names(list: &str, tag: &str) -> bool {
    list.trim() == "*" || list.split(',').any(|one| one.trim() == tag)
}

/// The role's version: the same content is the same version.
pub(super) fn tag(role: &Callback) -> String {
    let mut hash = Sha256::new();
    for source in &role.sources {
        hash.update(source.0.as_bytes());
    }
    hash.update(format!("{:?}", role.window_days));
    for outcome in role.trigger_outcomes.iter() {
        hash.update(outcome.as_str());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let half = hash.first_chunk::<16>().copied().unwrap_or_default();
    format!("\"{:032x}\"", u128::from_be_bytes(half))
}

//! Answers as HTTP. A problem travels as itself, until [`super::guard`] puts it in words.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    dialects::{PageFields, Problem, WarningBody},
    domain::Warning,
    store::{Heads, Paging, Written},
};

/// Which entry of the log an answer is at least as new as.
const REV: HeaderName = HeaderName::from_static("switchback-rev");

/// What every handler answers.
pub(super) type Answer = Result<Response, Problem>;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An answer to a read.
pub(super) fn read(body: impl Serialize) -> Response {
    Json(body).into_response()
}

/// What a write answers, apart from where the log then stands.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    body: Option<Vec<u8>>,
}

impl Reply {
    /// An answer with a body.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, body: Some(body) },
            Err(_) => Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: None },
        }
    }

    /// Something was changed.
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Something was made.
    pub(super) fn created(body: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    /// Something was taken away.
    pub(super) const fn none() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None }
    }

    /// The answer as HTTP, of this place in the log.
    pub(super) fn at(self, heads: Heads) -> Response {
        let mut response = match self.body {
            Some(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            None => ().into_response(),
        };
        *response.status_mut() = self.status;
        if let Ok(rev) = HeaderValue::from_str(&rev(heads)) {
            response.headers_mut().insert(REV, rev);
        }
        response
    }
}

/// An answer to a write.
pub(super) fn written<T>(
    status: StatusCode,
    written: Written<T>,
    body: impl FnOnce(T, Vec<WarningBody>) -> Response,
) -> Response {
    let mut response = body(written.value, warned(&written.warnings));
    *response.status_mut() = status;
    if let Ok(rev) = HeaderValue::from_str(&rev(written.heads)) {
        response.headers_mut().insert(REV, rev);
    }
    response
}

pub(super) fn warned(warnings: &[Warning]) -> Vec<WarningBody> {
    warnings.iter().map(WarningBody::from).collect()
}

/// A place in both streams as one word.
pub(super) fn rev(heads: Heads) -> String {
    format!("{}.{}", heads.control, heads.touches)
}

/// The reverse of [`rev`]; touches may be left out.
pub(super) fn parse_rev(text: &str) -> Option<Heads> {
    let (control, touches) = text.split_once('.').unwrap_or((text, "0"));
    Some(Heads { control: control.parse().ok()?, touches: touches.parse().ok()? })
}

/// A list's place as the store has it.
pub(super) const fn paging(page: PageFields) -> Paging {
    let PageFields { limit, starting_after, ending_before } = page;
    Paging::Keyset { limit, starting_after, ending_before }
}

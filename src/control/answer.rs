//! Answers as HTTP. A problem travels as itself, until [`super::guard`] puts it in words.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
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

//! Answers as HTTP. A problem travels as itself, until [`super::guard`] puts it in words.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    dialects::{PageFields, Problem, WarningBody},
    domain::Warning,
    store::{Heads, Kept, Paging},
};

/// Which entry of the log an answer is at least as new as.
pub(super) const REV: HeaderName = HeaderName::from_static("switchback-rev");

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
    headers: HeaderMap,
    body: Vec<u8>,
    /// The body for who asks the same again, where it is not the same.
    again: Option<Vec<u8>>,
}

impl Reply {
    /// An answer with a body.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let (status, body) = match serde_json::to_vec(body) {
            Ok(body) => (status, body),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
        };
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        Self { status, headers, body, again: None }
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
    pub(super) fn none() -> Self {
        let status = StatusCode::NO_CONTENT;
        Self { status, headers: HeaderMap::new(), body: Vec::new(), again: None }
    }

    /// The same, but who asks the same again gets this body: a secret is shown once.
    pub(super) fn then(self, again: &impl Serialize) -> Self {
        Self { again: serde_json::to_vec(again).ok(), ..self }
    }

    /// The same with the version of what it shows.
    pub(super) fn tagged(mut self, tag: &str) -> Self {
        if let Ok(tag) = HeaderValue::from_str(tag) {
            self.headers.insert(header::ETAG, tag);
        }
        self
    }

    /// What is kept for who asks the same again.
    pub(super) fn kept(&self) -> Kept {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), text(value));
        Kept {
            status: self.status.as_u16(),
            headers: self.headers.iter().map(header).collect(),
            body: self.again.as_ref().unwrap_or(&self.body).clone(),
        }
    }

    /// The answer as HTTP, of this place in the log.
    pub(super) fn at(self, heads: Heads) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Ok(rev) = HeaderValue::from_str(&rev(heads)) {
            response.headers_mut().insert(REV, rev);
        }
        response
    }
}

impl From<Kept> for Reply {
    fn from(kept: Kept) -> Self {
        let header = |(name, value): (String, String)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?))
        };
        Self {
            status: StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK),
            headers: kept.headers.into_iter().filter_map(header).collect(),
            body: kept.body,
            again: None,
        }
    }
}

/// What a write warns of, as it is told.
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

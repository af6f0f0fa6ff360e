//! What handlers take from a request: ids of the path, the query, the body. Whatever cannot be
//! taken becomes a [`Problem`], so that each dialect tells it in its own shape.

use std::{error::Error, str::FromStr};

use axum::{
    body::{self, to_bytes},
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request},
};
use bytes::Bytes;
use http::{header, request::Parts};
use http_body_util::LengthLimitError;
use serde_json::Value;

use super::Api;
use crate::{
    dialects::{Problem, Reader, phone, talkover},
    domain::{
        AgentId, AttemptId, CallId, CampaignId, DeliveryId, E164, KeyId, NumberId, RecordRefusal,
        Refusal, ReleaseId, RevisionId, TenantId, TrunkId, WebhookId,
    },
};

/// Bytes of a body: the largest profile several times over.
pub(super) const BODY_LEN_MAX: usize = 1024 * 1024;
/// Bytes of a list of touches: a hundred thousand of them.
pub(super) const BULK_LEN_MAX: usize = 32 * 1024 * 1024;

/// Bytes of a document: ten thousand agents with a word about each.
const TEXT_LEN_MAX: usize = 8 * 1024 * 1024;

/// What is named in a path.
pub(super) trait Named: FromStr {
    /// The path parameter that names it.
    const PARAMETER: &'static str;
    /// It names nothing.
    const GONE: Refusal;
}

impl Named for AgentId {
    const PARAMETER: &'static str = "agent";
    const GONE: Refusal = Refusal::AgentNotFound;
}

impl Named for NumberId {
    const PARAMETER: &'static str = "number";
    const GONE: Refusal = Refusal::NumberNotFound;
}

impl Named for CallId {
    const PARAMETER: &'static str = "call";
    const GONE: Refusal = Refusal::CallNotFound;
}

impl Named for RevisionId {
    const PARAMETER: &'static str = "revision";
    const GONE: Refusal = Refusal::RevisionNotFound;
}

impl Named for TenantId {
    const PARAMETER: &'static str = "tenant";
    const GONE: Refusal = Refusal::TenantNotFound;
}

impl Named for KeyId {
    const PARAMETER: &'static str = "key";
    const GONE: Refusal = Refusal::KeyNotFound;
}

impl Named for WebhookId {
    const PARAMETER: &'static str = "webhook";
    const GONE: Refusal = Refusal::WebhookNotFound;
}

impl Named for DeliveryId {
    const PARAMETER: &'static str = "delivery";
    const GONE: Refusal = Refusal::DeliveryNotFound;
}

impl Named for AttemptId {
    const PARAMETER: &'static str = "log";
    const GONE: Refusal = Refusal::LogNotFound;
}

impl Named for CampaignId {
    const PARAMETER: &'static str = "campaign";
    const GONE: Refusal = Refusal::Record(RecordRefusal::CampaignNotFound);
}

impl Named for TrunkId {
    const PARAMETER: &'static str = "trunk";
    const GONE: Refusal = Refusal::Record(RecordRefusal::TrunkNotFound);
}

impl Named for ReleaseId {
    const PARAMETER: &'static str = "release";
    const GONE: Refusal = Refusal::Record(RecordRefusal::ReleaseNotFound);
}

/// A thing named in the path. What cannot be an id names nothing.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<T: Named> FromRequestParts<Api> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text = parameter(parts, api, T::PARAMETER).await;
        text.and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| T::GONE.into())
    }
}

/// A person named in the path.
#[derive(Debug)]
pub(super) struct AtContact(pub(super) E164);

impl FromRequestParts<Api> for AtContact {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text = parameter(parts, api, "contact").await.unwrap_or_default();
        let contact = phone(&Value::String(text));
        contact
            .map(Self)
            .map_err(|_| Refusal::invalid("contact", "Must be an E.164 number.").into())
    }
}

/// An upstream named in the path.
#[derive(Debug)]
pub(super) struct AtUpstream(pub(super) String);

impl FromRequestParts<Api> for AtUpstream {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let name = parameter(parts, api, "upstream").await;
        name.map(Self).ok_or_else(|| Refusal::UpstreamNotFound.into())
    }
}

/// A number named in the path.
#[derive(Debug)]
pub(super) struct AtPhone(pub(super) E164);

impl FromRequestParts<Api> for AtPhone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text = Value::String(parameter(parts, api, "phone").await.unwrap_or_default());
        phone(&text).map(Self).map_err(|_| talkover::no_phone("phone", &text).into())
    }
}

/// The text that stands for a name in the path.
async fn parameter(parts: &mut Parts, api: &Api, name: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, api).await.ok()?;
    let found = parameters.iter().find(|(found, _)| *found == name);
    found.map(|(_, text)| text.to_owned())
}

/// The query.
#[derive(Debug)]
pub(super) struct Params(pub(super) Reader);

impl FromRequestParts<Api> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Refusal::invalid("query", error.body_text()))?;
        Ok(Self(Reader::of_query(query.0)))
    }
}

/// A JSON body; an empty one is an empty object.
#[derive(Debug)]
pub(super) struct Body(pub(super) Value);

impl FromRequest<Api> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        let body = limited(request.into_body(), BODY_LEN_MAX).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(Value::Object(serde_json::Map::new())));
        }
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Problem::BodyUnreadable(error.to_string()))
    }
}

/// A body, as it came.
#[derive(Debug)]
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Api> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        limited(request.into_body(), BODY_LEN_MAX).await.map(Self)
    }
}

/// A large body, as it came.
#[derive(Debug)]
pub(super) struct Bulk(pub(super) Bytes);

impl FromRequest<Api> for Bulk {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        limited(request.into_body(), BULK_LEN_MAX).await.map(Self)
    }
}

/// A document in YAML, or in JSON where the request says so.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) bytes: Bytes,
    pub(super) is_json: bool,
}

impl FromRequest<Api> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.to_ascii_lowercase().contains("json");
        let bytes = limited(request.into_body(), TEXT_LEN_MAX).await?;
        Ok(Self { bytes, is_json })
    }
}

/// A body of this many bytes at most.
pub(super) async fn limited(body: body::Body, max: usize) -> Result<Bytes, Problem> {
    to_bytes(body, max).await.map_err(|error| {
        let is_too_large = error.source().is_some_and(|cause| cause.is::<LengthLimitError>());
        if is_too_large {
            Problem::BodyTooLarge(max)
        } else {
            Problem::BodyUnreadable("the connection ended early".to_owned())
        }
    })
}

//! Requests to be signed as a carrier would sign them, for test calls.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    dialects::{Reader, Wrong, text},
    domain::Refusal,
};

/// A request to be signed, as it is given.
#[derive(Debug, ToSchema)]
#[schema(as = own::SignRequest)]
pub struct SignRequest {
    /// `POST`, with a form, or `GET`.
    #[schema(pattern = "^(POST|GET)$")]
    pub method: String,
    /// Its URL, as the carrier was given it.
    #[schema(pattern = r"\S", max_length = 2048)]
    pub url: String,
    /// The form, as it is sent.
    pub body: Option<String>,
}

/// A request to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignFields {
    /// Whether it has a form.
    pub has_form: bool,
    /// Its URL, as the carrier was given it.
    pub url: String,
    /// The form, as it is sent.
    pub body: String,
}

/// What a request to sign says.
///
/// # Errors
/// A field is missing or not understood.
pub fn sign(body: Value) -> Result<SignFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let method = reader.required("method", method);
    let url = reader.required("url", text(2048));
    let body = reader.optional("body", |value| {
        value.as_str().map(str::to_owned).ok_or_else(|| "must be a string".into())
    });
    let (Some(has_form), Some(url)) = (method, url) else { return Err(reader.refusal()) };
    reader.finish().map(|()| SignFields { has_form, url, body: body.unwrap_or_default() })
}

fn method(value: &Value) -> Result<bool, Wrong> {
    match value.as_str() {
        Some("POST") => Ok(true),
        Some("GET") => Ok(false),
        _ => Err("must be POST (with a form) or GET".into()),
    }
}

/// The headers that prove the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Signed)]
pub struct SignedBody {
    /// By name.
    pub headers: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_to_be_signed_is_read_as_it_is() {
        let read = sign(json!({ "method": "POST", "url": "https://h/a", "body": " a=1&b= " }));
        let expected = SignFields {
            has_form: true,
            url: "https://h/a".to_owned(),
            body: " a=1&b= ".to_owned(),
        };
        assert_eq!(read, Ok(expected));
        for wrong in [json!({ "method": "PUT", "url": "u" }), json!({ "method": "GET" })] {
            assert!(sign(wrong).is_err());
        }
    }
}

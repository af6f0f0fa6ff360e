//! What deliveries to URLs are signed with that agents and calls bring along.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    dialects::rfc3339,
    domain::{Secret, UnixMillis},
};

/// The secret, and since when it is that.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::WebhookSecret)]
pub struct WebhookSecretBody {
    secret: String,
    created_at: String,
}

impl From<(Secret, UnixMillis)> for WebhookSecretBody {
    fn from((secret, created_at): (Secret, UnixMillis)) -> Self {
        Self { secret: secret.reveal().to_owned(), created_at: rfc3339(created_at) }
    }
}

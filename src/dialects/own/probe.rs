//! A media socket to be looked at.

use serde::Serialize;
use utoipa::ToSchema;

/// Where it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::ProbeSocket)]
pub struct ProbeSocketBody {
    /// Its URL, as a carrier would be given it.
    pub url: String,
}

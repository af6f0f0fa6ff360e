//! Lists by key: the newest first, and from one row on.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::reader::{Reader, id, integer};
use crate::domain::Refusal;

/// Rows of a page where the client does not say.
const LIMIT: u32 = 20;
/// Rows of a page at most.
const LIMIT_MAX: u32 = 100;

/// A list whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct All<T> {
    /// Its rows.
    pub data: Vec<T>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// Its rows, newest first.
    pub data: Vec<T>,
    /// Whether there are more beyond it.
    pub has_more: bool,
}

/// Which page of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageFields {
    /// How many rows.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: u32,
    /// Those older than this one.
    pub starting_after: Option<Uuid>,
    /// Those newer than this one, closest to it.
    pub ending_before: Option<Uuid>,
}

impl PageFields {
    /// Reads a list's place from its query.
    pub fn take(query: &mut Reader) -> Self {
        Self::take_up_to(query, LIMIT_MAX)
    }

    /// The same where a page may have so many rows.
    pub(super) fn take_up_to(query: &mut Reader, limit_max: u32) -> Self {
        let page = Self {
            limit: query.filter("limit", integer(1..=limit_max)).unwrap_or(LIMIT),
            starting_after: query.filter("starting_after", id),
            ending_before: query.filter("ending_before", id),
        };
        if page.starting_after.is_some() && page.ending_before.is_some() {
            query.blame("ending_before", "cannot be combined with starting_after");
        }
        page
    }

    /// Reads the query of a list that has nothing but a place.
    ///
    /// # Errors
    /// A parameter is not understood.
    pub fn read(mut query: Reader) -> Result<Self, Refusal> {
        let page = Self::take(&mut query);
        query.finish().map(|()| page)
    }
}

//! Numbers that people may ring back without reaching who knows why they were called.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Reader, agent::AgentNamed, integer, phone, rfc3339},
    domain::{AgentId, E164, NumberId, Refusal, UnixSeconds},
};

/// Rows of a page where the client does not say.
const LIMIT: u32 = 20;
/// Rows of a page at most.
const LIMIT_MAX: u32 = 100;

/// Which part of the list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageFields {
    /// How many rows.
    pub limit: u32,
    /// Numbers after this one.
    pub starting_after: Option<E164>,
}

/// Reads the list's query.
///
/// # Errors
/// A parameter is not understood.
pub fn coverage(mut query: Reader) -> Result<CoverageFields, Refusal> {
    let limit = query.filter("limit", integer(1..=LIMIT_MAX)).unwrap_or(LIMIT);
    let starting_after = query.filter("starting_after", phone);
    query.finish().map(|()| CoverageFields { limit, starting_after })
}

/// A caller ID that none of the callback agents of its source agents owns.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::UncoveredCaller)]
pub struct UncoveredBody {
    /// The number that people were shown.
    caller_id: String,
    /// The number here; null where it is none of the tenant's.
    number_id: Option<Uuid>,
    /// The agents that show it.
    source_agents: Vec<SourceShown>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::SourceShown)]
struct SourceShown {
    #[serde(flatten)]
    agent: AgentNamed,
    /// When it was last shown (RFC 3339); null where it is only attached.
    last_shown_at: Option<String>,
}

impl UncoveredBody {
    /// A caller ID and who shows it: id, name, when last.
    #[must_use]
    pub fn new(
        caller_id: E164,
        number: Option<NumberId>,
        sources: &[(AgentId, String, Option<UnixSeconds>)],
    ) -> Self {
        let shown = |(id, name, last): &(AgentId, String, Option<UnixSeconds>)| SourceShown {
            agent: AgentNamed::new(*id, name),
            last_shown_at: last.map(|at| rfc3339(at.millis())),
        };
        Self {
            caller_id: caller_id.to_string(),
            number_id: number.map(|number| number.0),
            source_agents: sources.iter().map(shown).collect(),
        }
    }
}

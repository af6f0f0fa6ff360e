//! Hosted control APIs that are pulled: how each stands, and where a shadow would have agreed.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::rfc3339,
    domain::{AgentId, E164, HostedCall, MirroredCounts, RouteReason, UnixMillis},
};

/// A hosted control API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Upstream)]
pub struct UpstreamBody {
    /// Its name.
    pub name: String,
    /// Whose API it is: `talkover` or `callingbox`.
    pub kind: &'static str,
    /// `mirror` or `shadow`.
    pub mode: &'static str,
    /// Where it is.
    pub base_url: String,
    /// Whose it is here.
    pub tenant_id: Uuid,
    /// When it was last pulled whole.
    pub last_success_at: Option<String>,
    /// How long ago that was.
    pub lag_seconds: Option<u64>,
    /// Why the last pull did not come to its end, if it did not.
    pub last_error: Option<String>,
    /// When it is pulled next; null while it is pulled for the first time.
    pub next_pull_at: Option<String>,
    /// How much of it there is here.
    pub counts: UpstreamCounts,
    /// Live inbound agents of it that have no target here, and are passed over.
    pub agents_without_target: usize,
}

/// How much of a hosted control API is here.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = own::UpstreamCounts)]
pub struct UpstreamCounts {
    /// Agents.
    pub agents: u64,
    /// Numbers.
    pub numbers: u64,
    /// Agents that hold the callback role.
    pub callbacks: u64,
    /// Touches taken from it since the daemon started.
    pub touches: u64,
}

impl UpstreamCounts {
    /// What is mirrored, and the touches taken.
    #[must_use]
    pub const fn of(mirrored: MirroredCounts, touches: u64) -> Self {
        let MirroredCounts { agents, numbers, callbacks } = mirrored;
        Self { agents, numbers, callbacks, touches }
    }
}

impl UpstreamBody {
    /// The same with its times, as of now.
    #[must_use]
    pub fn at(
        self,
        now: UnixMillis,
        last_success_at: Option<UnixMillis>,
        next_pull_at: Option<UnixMillis>,
    ) -> Self {
        let lag = last_success_at.map(|at| now.0.saturating_sub(at.0) / 1000);
        Self {
            last_success_at: last_success_at.map(rfc3339),
            lag_seconds: lag,
            next_pull_at: next_pull_at.map(rfc3339),
            ..self
        }
    }
}

/// Every hosted control API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Upstreams)]
pub struct UpstreamsBody {
    /// In the order of the configuration.
    pub data: Vec<UpstreamBody>,
}

/// What a shadow's past inbound calls say of our rule.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = own::Shadow)]
pub struct ShadowBody {
    /// Past inbound calls that were decided.
    pub calls: u64,
    /// Those that we would have given to the same agent, or both to nobody.
    pub agreed: u64,
    /// Calls, of either direction, that were too many to keep.
    pub forgotten: u64,
    /// Those that differ, newest first, up to a thousand.
    pub differing: Vec<DifferingBody>,
}

/// A past call that we would have given to somebody else.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::DifferingCall)]
pub struct DifferingBody {
    call_id: String,
    at: String,
    from: Option<String>,
    to: Option<String>,
    theirs: Option<ShadowAgent>,
    ours: Option<ShadowAgent>,
    reason: &'static str,
}

/// An agent of a shadow.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = own::ShadowAgent)]
pub struct ShadowAgent {
    id: Uuid,
    name: Option<String>,
}

impl ShadowAgent {
    /// An agent; without a name where it is there no more.
    #[must_use]
    pub const fn new(id: AgentId, name: Option<String>) -> Self {
        Self { id: id.0, name }
    }
}

impl DifferingBody {
    /// The call, who took it, who would have and why.
    #[must_use]
    pub fn new(
        call: &HostedCall,
        theirs: Option<ShadowAgent>,
        ours: Option<ShadowAgent>,
        reason: RouteReason,
    ) -> Self {
        let number = |number: Option<E164>| number.map(|number| number.to_string());
        Self {
            call_id: call.external_id.clone().unwrap_or_else(|| call.id.to_string()),
            at: rfc3339(call.at),
            from: number(call.from),
            to: number(call.to),
            theirs,
            ours,
            reason: reason.as_str(),
        }
    }
}

//! Switchback's own API: bare objects, `{data, has_more}` lists, errors with a code.

mod account;
mod audit;
mod briefing;
mod call;
mod callback;
mod coverage;
mod edge;
mod error;
mod import;
mod key;
mod number;
mod orphan;
mod pointing;
mod probe;
mod release;
mod replay;
mod result;
mod retention;
mod revision;
mod route;
mod settings;
mod setup;
mod sign;
mod status;
mod steer;
mod tenant;
mod touch;
mod upstream;
mod webhook_secret;

pub use account::{
    AccountBody, AccountPatchFields, AccountPatchRequest, AccountRequest, account, account_patch,
};
pub use audit::{AuditBody, AuditFields, AuditQuery, audit_fields};
pub use briefing::{BriefingBody, BriefingFields, return_context};
pub use call::{
    CallBody, CallEventBody, CallFilterFields, CallNames, CallQuery, MediaNow, call_filter,
};
pub use callback::CallbackBody;
pub use coverage::{CoverageFields, UncoveredBody, coverage};
pub use edge::EdgeBody;
pub use error::{ErrorBody, error};
pub use import::{ImportFields, ImportRequest, ImportedBody, import};
pub use key::{KeyBody, KeyFields, KeyRequest, RotateRequest, TenantNamed, key, overlap};
pub use number::{
    NumberFields, NumberPatchFields, NumberPatchRequest, NumberRequest, number, number_patch,
};
pub use orphan::OrphanBody;
pub use pointing::{
    AnswererBody, AtCarrierBody, ChangeBody, CheckBody, CheckFields, CheckRequest, CheckedBody,
    ListedBody, PointFields, PointRequest, PointedAppBody, PointedBody, StepBody, UnpointFields,
    UnpointRequest, check, point, unpoint,
};
pub use probe::ProbeSocketBody;
pub use release::{ReleaseBody, ReleaseDecision, ReleaseQuery, release_decision, release_filter};
pub use replay::{ReplayBody, ReplayFields, ReplayedBody, replay};
pub use result::{ResultBody, ResultFields, ResultRequest, result_fields};
pub use retention::{RetainedBody, RetentionBody};
pub use revision::{
    AppliedBody, ApplyFields, RevisionBody, RevisionWholeBody, RollbackFields, apply, rollback,
};
pub use route::{RouteBody, RouteFields, RouteQuery, route};
pub use settings::{SettingsBody, SettingsFields, SettingsRequest, settings};
pub use setup::{Document, ExportBody, Listed, RevisedBody, SetupRequest};
pub use sign::{SignFields, SignRequest, SignedBody, sign};
pub use status::StatusBody;
pub use steer::{MoveRequest, TransferRequest, move_to, transfer};
pub use tenant::{TenantBody, TenantRequest, tenant_name};
pub use touch::{
    ContactBody, ErasedBody, MergedBody, Rehearsal, Rejected, TOUCHES_MAX, TouchRequest, Touches,
    dry_run, touches,
};
pub use upstream::{
    DifferingBody, ShadowAgent, ShadowBody, UpstreamBody, UpstreamCounts, UpstreamsBody,
};
pub use webhook_secret::WebhookSecretBody;

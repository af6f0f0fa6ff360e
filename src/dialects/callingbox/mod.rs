//! CallingBox's dialect: bare objects, `{data, has_more}` lists, errors as one sentence.

pub(in crate::dialects) mod agent;
mod call;
mod error;
mod event;
mod hosted;
mod inbound;
mod market;
mod number;
mod webhook;

pub use agent::{
    AgentBody, AgentFilterFields, AgentPatchRequest, AgentQuery, AgentRequest, NumberChoice,
    create, filter, number_to_attach, number_to_prefer, patch,
};
pub use call::{CallBody, CallFields, CallRequest, CancelRequest, Named, call, cancel};
pub use error::{ErrorBody, error};
pub use event::{event, event_names};
pub use hosted::{hosted_agent, hosted_call, hosted_event, hosted_number};
pub use inbound::{InboundFields, InboundRequest, InboundShown, VoicemailAction, inbound};
pub use market::{
    AvailableFields, AvailableQuery, OfferBody, PurchaseRequest, available, purchase,
};
pub use number::NumberBody;
pub use webhook::{
    DeliveryBody, DeliveryFilterFields, EndpointBody, EndpointFields, EndpointPatch,
    EndpointRemoved, EndpointRequest, EndpointStatus, deliveries, endpoint, endpoint_patch,
};

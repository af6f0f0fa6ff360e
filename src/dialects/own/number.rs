//! What is asked of a number. It is answered with CallingBox's number object.

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    dialects::{Given, PrivateHosts, Reader, id, phone, schema, target::target, text},
    domain::{AgentId, E164, Refusal, Target},
};

/// A number to add.
#[derive(Debug, ToSchema)]
#[schema(as = own::NumberRequest, example = json!({ "e164": "+14155550100" }))]
pub struct NumberRequest {
    /// The number itself.
    pub e164: schema::Phone,
    /// The name of the carrier account that delivers its calls.
    #[schema(pattern = r"\S", max_length = 255)]
    pub account: Option<String>,
    /// A name for people.
    #[schema(pattern = r"\S", max_length = 255)]
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<schema::Target>,
}

/// A number to add.
#[derive(Clone, Debug)]
pub struct NumberFields {
    /// The number itself.
    pub e164: E164,
    /// The name of the account that delivers its calls.
    pub account: Option<String>,
    /// A name for people.
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Option<Target>,
}

/// Reads a number to add.
///
/// # Errors
/// There is no number, or a field is not understood.
pub fn number(body: Value, private: PrivateHosts) -> Result<NumberFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let e164 = reader.required("e164", phone);
    let account = reader.optional("account", text(255));
    let friendly_name = reader.optional("friendly_name", text(255));
    let passthrough = reader.optional("passthrough", target(private));
    let Some(e164) = e164 else { return Err(reader.refusal()) };
    reader.finish().map(|()| NumberFields { e164, account, friendly_name, passthrough })
}

/// What is to change of a number.
#[derive(Debug, ToSchema)]
#[schema(as = own::NumberPatchRequest)]
pub struct NumberPatchRequest {
    /// The name of the carrier account that delivers its calls; null is none.
    #[schema(pattern = r"\S", max_length = 255)]
    pub account: Option<String>,
    /// A name for people.
    #[schema(pattern = r"\S", max_length = 255)]
    pub friendly_name: Option<String>,
    /// What becomes of a call that is no return call; null is its inbound agent's.
    pub passthrough: Option<schema::Target>,
    /// The inbound agent that is to answer its calls.
    #[schema(nullable = false)]
    pub default_agent_id: Option<Uuid>,
}

/// What is to change of a number.
#[derive(Clone, Debug)]
pub struct NumberPatchFields {
    /// The name of the account that delivers its calls.
    pub account: Given<String>,
    /// A name for people.
    pub friendly_name: Given<String>,
    /// What becomes of a call that is no return call.
    pub passthrough: Given<Target>,
    /// The agent that is to claim the number.
    pub default_agent: Option<AgentId>,
}

/// Reads a change of a number.
///
/// # Errors
/// A field is not understood.
pub fn number_patch(body: Value, private: PrivateHosts) -> Result<NumberPatchFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let patch = NumberPatchFields {
        account: reader.given("account", text(255)),
        friendly_name: reader.given("friendly_name", text(255)),
        passthrough: reader.given("passthrough", target(private)),
        default_agent: reader.present("default_agent_id", id),
    };
    reader.finish().map(|()| patch)
}

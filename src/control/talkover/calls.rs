//! Talkover's calls, as far as they are placed.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{Answer, Reply},
        auth::Caller,
        placing,
        receive::{At, Body},
        whole::current,
    },
    dialects::{
        detects_machine, hangs_up_on_machine,
        talkover::{self as dialect, Envelope, PlacedBody},
        voicemail_message,
    },
    domain::AgentId,
    store::{CallerId, NewCall},
};

/// Make a Call.
#[utoipa::path(post, path = "/agents/{agent}/call", tag = "calls",
    request_body = dialect::CallRequest,
    responses((status = 200, body = Envelope<PlacedBody>),
        (status = 400, description = "The agent is not published, or the number is none."),
        (status = 409, description = "The agent has no number to show."),
        (status = 502, description = "The carrier refused the call, or cannot be reached.")))]
pub(super) async fn place(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<AgentId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::call(body)?;
    let placed = placing::place(&api, caller, move |tx| {
        let record = current(tx, caller.tenant, id)?;
        Ok(NewCall {
            agent: id,
            to: fields.to,
            caller_id: CallerId::Sticky,
            profile: None,
            is_test: fields.is_test,
            detects_machine: detects_machine(&record.profile),
            hangs_up_on_machine: hangs_up_on_machine(&record.profile),
            voicemail_message: voicemail_message(&record.profile),
            delay_seconds: fields.delay_seconds,
            campaign: None,
            brief: fields.brief,
        })
    });
    let (placed, heads) = placed.await?;
    let data = Envelope::of(PlacedBody::from(&placed.call));
    Ok(Reply::ok(&data.says("Call initiated successfully")).at(heads))
}

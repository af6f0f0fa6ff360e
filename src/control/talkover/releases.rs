//! Requests to give numbers back. They are recorded for operators to decide on
//! (`/switchback/v1/release-requests`): nothing is released at a carrier. Removing the number is
//! what fulfils one.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::{At, Body},
    },
    dialects::talkover::{self as dialect, Envelope, Nothing, ReleaseBody, ReleaseRequest},
    domain::{NumberId, ReleaseId},
    store::{Paging, Tx},
};

/// Rows read at a time.
const PART: u32 = 1000;

/// Request Phone Release. It is recorded; the number stays until an operator approves of that, or
/// somebody removes it.
#[utoipa::path(post, path = "/phone-numbers/{number}/request-release", tag = "numbers",
    request_body = ReleaseRequest, responses((status = 201, body = Envelope<ReleaseBody>),
        (status = 409, description = "That is requested already.")))]
pub(super) async fn request(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<NumberId>,
    Body(body): Body,
) -> Answer {
    let reason = dialect::release(body)?;
    let request = move |tx: &mut Tx<'_>| tx.request_release(caller.tenant, id, reason);
    let reply = |_: &Api, record, warnings| {
        let data = Envelope::of(ReleaseBody::from(&record));
        Reply::created(&data.says("Release request submitted").warns(warnings))
    };
    api.answer(caller.actor(), request, reply).await
}

/// List Release Requests, newest first.
#[utoipa::path(get, path = "/phone-numbers/release-requests", tag = "numbers",
    responses((status = 200, body = Envelope<Vec<ReleaseBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    let data = api
        .read(move |rows| {
            let (mut data, mut starting_after) = (Vec::new(), None);
            loop {
                let part = Paging::Keyset { limit: PART, starting_after, ending_before: None };
                let listed = rows.releases(Some(caller.tenant), None, &part)?;
                data.extend(listed.rows.iter().map(ReleaseBody::from));
                starting_after = listed.rows.last().map(|record| record.id.0);
                if !listed.has_more || starting_after.is_none() {
                    return Ok(data);
                }
            }
        })
        .await?;
    Ok(answer::read(Envelope::of(data)))
}

/// Cancel Release Request.
#[utoipa::path(delete, path = "/phone-numbers/release-requests/{release}", tag = "numbers",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 409, description = "It is decided, or taken back.")))]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<ReleaseId>,
) -> Answer {
    let cancel = move |tx: &mut Tx<'_>| tx.cancel_release(caller.tenant, id);
    let reply = |_: &Api, (), warnings| {
        let envelope: Envelope<()> = Envelope::done("Release request cancelled");
        Reply::ok(&envelope.warns(warnings))
    };
    api.answer(caller.actor(), cancel, reply).await
}

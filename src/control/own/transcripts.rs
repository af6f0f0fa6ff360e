//! What is said in a call: told by its runtime, read by people, and who read it is noted.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        party::Party,
        receive::Raw,
        transcripts,
    },
    dialects::{MergedSegmentsBody, SegmentRequest, TranscriptBody, segments},
    store::{MergedSegments, Tx},
};

#[utoipa::path(post, path = "/calls/{call}/transcript", tag = "calls",
    description = "With the call's own token or a tenant's key: one segment, an array of them, or \
                   one a line. A segment told again is corrected.",
    request_body = Vec<SegmentRequest>,
    responses((status = 200, body = MergedSegmentsBody)))]
pub(super) async fn add(State(api): State<Api>, party: Party, Raw(body): Raw) -> Answer {
    let segments = segments(&body)?;
    let (call, tenant, actor) = (party.call, party.tenant, party.actor());
    let add = move |tx: &mut Tx<'_>| {
        party.enter(tx)?;
        tx.add_segments(tenant, call, &segments)
    };
    let reply = |_: &Api, merged, _| {
        let MergedSegments { accepted, duplicates } = merged;
        Reply::ok(&MergedSegmentsBody { accepted, duplicates })
    };
    api.answer(actor, add, reply).await
}

#[utoipa::path(get, path = "/calls/{call}/transcript", tag = "calls",
    description = "With the call's own token or a tenant's key. While the call lives: so far.",
    responses((status = 200, body = TranscriptBody)))]
pub(super) async fn read(State(api): State<Api>, party: Party) -> Answer {
    let segments = transcripts::read(&api, &party).await?;
    Ok(answer::read(TranscriptBody::new(party.call, segments)))
}

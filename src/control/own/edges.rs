//! The processes that route calls. This one is the only one: writes wait for it anyway.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, rev},
        auth::Operator,
    },
    dialects::{Page, own::EdgeBody},
};

/// The processes that route calls, and how far each has come.
#[utoipa::path(get, path = "/edges", tag = "installation",
    responses((status = 200, body = Page<EdgeBody>)))]
pub(super) async fn list(State(api): State<Api>, _: Operator) -> Answer {
    let heads = api.read(|rows| rows.heads()).await?;
    let applied = *api.applied.borrow();
    let local = EdgeBody {
        name: "local",
        version: env!("CARGO_PKG_VERSION"),
        rev: rev(applied),
        seq: applied.control,
        lag: heads.control.saturating_sub(applied.control),
        touches_seq: applied.touches,
        touches_lag: heads.touches.saturating_sub(applied.touches),
    };
    Ok(answer::read(Page { data: vec![local], has_more: false }))
}

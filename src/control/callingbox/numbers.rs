//! CallingBox's numbers.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer, paging},
        auth::Caller,
        receive::Params,
    },
    dialects::{Page, PageFields, callingbox::NumberBody},
};

/// Numbers, newest first.
#[utoipa::path(get, path = "/numbers", tag = "numbers", params(PageFields),
    responses((status = 200, body = Page<NumberBody>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let paging = paging(PageFields::read(query.0)?);
    let listed = api.read(move |rows| rows.numbers(caller.tenant, &paging)).await?;
    let data: Vec<_> = listed.rows.iter().map(|number| api.number_body(number)).collect();
    Ok(answer::read(Page { data, has_more: listed.has_more }))
}

//! Talkover's phone numbers: all of them, in one list.

use axum::extract::State;

use crate::{
    control::{
        Api,
        answer::{self, Answer},
        auth::Caller,
        receive::Params,
    },
    dialects::talkover::{Envelope, NumberBody, NumberQuery, number_filter},
};

/// List Phone Numbers: all of them.
#[utoipa::path(get, path = "/phone-numbers", tag = "numbers", params(NumberQuery),
    responses((status = 200, body = Envelope<Vec<NumberBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let filter = number_filter(query.0)?;
    let data = api
        .read(move |rows| {
            let numbers = match &filter.search {
                _ if !filter.accepts_any() => Vec::new(),
                // A leading blank is a plus that was not escaped.
                Some(text) => rows.numbers_named(caller.tenant, text.trim())?,
                None => rows.all_numbers(caller.tenant)?.into_iter().rev().collect(),
            };
            Ok(numbers.iter().map(NumberBody::from).collect::<Vec<_>>())
        })
        .await?;
    Ok(answer::read(Envelope::of(data)))
}

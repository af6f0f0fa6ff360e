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
    store::Paging,
};

/// Rows read at a time.
const PART: u32 = 1000;

/// List Phone Numbers: all of them.
#[utoipa::path(get, path = "/phone-numbers", tag = "numbers", params(NumberQuery),
    responses((status = 200, body = Envelope<Vec<NumberBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let filter = number_filter(query.0)?;
    let data = api
        .read(move |rows| {
            let mut data = Vec::new();
            let mut starting_after = None;
            loop {
                let part = Paging::Keyset { limit: PART, starting_after, ending_before: None };
                let listed = rows.numbers(caller.tenant, &part)?;
                let wanted = listed.rows.iter().filter(|number| filter.accepts(number));
                data.extend(wanted.map(NumberBody::from));
                starting_after = listed.rows.last().map(|number| number.id.0);
                if !listed.has_more || starting_after.is_none() {
                    return Ok(data);
                }
            }
        })
        .await?;
    Ok(answer::read(Envelope::of(data)))
}

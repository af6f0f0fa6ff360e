//! The numbers that the simulated carrier sells (Twilio docs,
//! phone-numbers/api/availablephonenumber-resource): of every area code the hundred that are kept
//! for fiction, but for those already sold.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::IntoResponse,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    exchange::{Inner, Owned},
    rest::{Answer, admit, error, formatted, not_found, number},
};
use crate::carriers::shared::form::Form;

/// The area code of who names none.
const AREA: &str = "415";
/// The one of numbers whose callers do not pay.
const TOLL_FREE_AREA: &str = "800";
/// Rows of a list, unless asked otherwise.
const PAGE_SIZE: usize = 30;

/// Lists numbers for sale.
pub(super) async fn search(
    State(exchange): State<Arc<Inner>>,
    Path((account, country, kind)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let query = query.unwrap_or_default();
    let asked = Form::parse(&query).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let area = match (country.as_str(), kind.as_str()) {
        ("US" | "CA", "Local.json") => asked.get("AreaCode").unwrap_or(AREA),
        ("US" | "CA", "TollFree.json") => TOLL_FREE_AREA,
        _ => return Err(not_found(&format!("/AvailablePhoneNumbers/{country}/{kind}"))),
    };
    let size = asked.get("PageSize").and_then(|text| text.parse().ok()).unwrap_or(PAGE_SIZE);
    let numbers = (0..100).map(|line| format!("+1{area}55501{line:02}"));
    let free = numbers.filter(|number| is_for_sale(number) && exchange.owned(number).is_none());
    let rows: Vec<Value> = free.take(size).map(|number| offer(&number, &country)).collect();
    let uri = format!("/2010-04-01/Accounts/{account}/AvailablePhoneNumbers/{country}/{kind}");
    Ok(Json(json!({ "available_phone_numbers": rows, "uri": uri })).into_response())
}

fn offer(number: &str, country: &str) -> Value {
    json!({
        "address_requirements": "none",
        "beta": false,
        "capabilities": { "voice": true, "SMS": true, "MMS": true },
        "friendly_name": formatted(number),
        "iso_country": country,
        "lata": null,
        "latitude": null,
        "locality": null,
        "longitude": null,
        "phone_number": number,
        "postal_code": null,
        "rate_center": null,
        "region": null,
    })
}

/// Whether it is one of ours to sell.
fn is_for_sale(number: &str) -> bool {
    let digits = number.strip_prefix("+1").filter(|digits| digits.len() == 10);
    let Some((area, line)) = digits.and_then(|digits| digits.split_at_checked(3)) else {
        return false;
    };
    let is_area = area.starts_with(|c: char| ('2'..='9').contains(&c));
    is_area && area.bytes().all(|byte| byte.is_ascii_digit()) && line.starts_with("55501")
}

/// Sells a number.
pub(super) async fn buy(
    State(exchange): State<Arc<Inner>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text).map_err(|_| error(400, 20_001, "Too many parameters"))?;
    let wanted = form.get("PhoneNumber").unwrap_or_default();
    if !is_for_sale(wanted) || exchange.owned(wanted).is_some() {
        let message =
            format!("{wanted} is not available. Please try again later or try another number.");
        return Err(error(400, 21_422, &message));
    }
    let given = |name| form.get(name).unwrap_or_default().to_owned();
    let owned = Owned {
        e164: wanted.to_owned(),
        voice_url: given("VoiceUrl"),
        voice_fallback_url: given("VoiceFallbackUrl"),
        status_callback: given("StatusCallback"),
    };
    let sid = exchange.add(owned.clone());
    Ok((StatusCode::CREATED, Json(number(&exchange, &sid, &owned))).into_response())
}

//! Numbers for sale, as Twilio's API shows and sells them (Twilio docs,
//! phone-numbers/api/availablephonenumber-resource).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::IntoResponse,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::rest::{Answer, admit, formatted, not_found, number, refused};
use crate::simulator::{
    exchange::{Inner, Owned},
    peers::{form::Sent, offers},
};

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
    let asked = Sent::read(query.unwrap_or_default().as_bytes());
    let is_toll_free = match (country.as_str(), kind.as_str()) {
        ("US" | "CA", "Local.json") => false,
        ("US" | "CA", "TollFree.json") => true,
        _ => return Err(not_found(&format!("/AvailablePhoneNumbers/{country}/{kind}"))),
    };
    let size = asked.get("PageSize").and_then(|text| text.parse().ok()).unwrap_or(PAGE_SIZE);
    let free = offers::search(&exchange, asked.get("AreaCode"), is_toll_free);
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

/// Sells a number.
pub(super) async fn buy(
    State(exchange): State<Arc<Inner>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    admit(&exchange, &account, &headers)?;
    let form = Sent::read(&body);
    let wanted = form.get("PhoneNumber").unwrap_or_default();
    if !offers::is_for_sale(wanted) || exchange.owned(wanted).is_some() {
        let message =
            format!("{wanted} is not available. Please try again later or try another number.");
        return Err(refused(400, 21_422, &message));
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

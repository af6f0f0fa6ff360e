//! Numbers that can be bought: which are looked for, which is bought, and what is offered. Nothing
//! is sold here: the carrier sells, and tells its prices elsewhere.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    dialects::{
        Reader, integer, member, phone,
        reader::{Wrong, text},
        schema,
    },
    domain::{E164, NumberKind, Refusal},
};

/// Rows where the client does not say.
const LIMIT: u32 = 20;
/// Rows at most.
const LIMIT_MAX: u32 = 100;

/// Which numbers are looked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AvailableQuery {
    /// The country, by ISO 3166-1.
    #[param(pattern = "^[A-Za-z]{2}$", default = "US")]
    pub country_code: Option<String>,
    /// The area code, of local numbers.
    #[param(pattern = "^[0-9]{2,6}$")]
    pub area_code: Option<String>,
    /// `local`, if not given.
    pub number_type: Option<schema::NumberKind>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// The name of the carrier account that is asked; the only one, if not given.
    #[param(max_length = 255, pattern = r"\S")]
    pub account: Option<String>,
}

/// Which numbers are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableFields {
    /// The country, in capitals.
    pub country: String,
    /// The area code.
    pub area_code: Option<String>,
    /// Whether their callers pay.
    pub number_type: NumberKind,
    /// How many at most.
    pub limit: u32,
    /// The account that is asked, by its name.
    pub account: Option<String>,
}

/// Reads Search Available Numbers' query.
///
/// # Errors
/// A parameter is not understood.
pub fn available(mut query: Reader) -> Result<AvailableFields, Refusal> {
    let country = query.filter("country_code", country);
    let number_type = query.filter("number_type", member("local, toll_free"));
    let fields = AvailableFields {
        country: country.unwrap_or_else(|| "US".to_owned()),
        area_code: query.filter("area_code", area_code),
        number_type: number_type.unwrap_or(NumberKind::Local),
        limit: query.filter("limit", integer(1..=LIMIT_MAX)).unwrap_or(LIMIT),
        account: query.filter("account", text(255)),
    };
    if fields.area_code.is_some() && fields.number_type == NumberKind::TollFree {
        query.blame("area_code", "belongs to local numbers");
    }
    query.finish().map(|()| fields)
}

fn country(value: &Value) -> Result<String, Wrong> {
    let letters = value
        .as_str()
        .filter(|text| text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_alphabetic()));
    letters.map(str::to_ascii_uppercase).ok_or_else(|| "must be two letters such as US".into())
}

fn area_code(value: &Value) -> Result<String, Wrong> {
    let digits = value.as_str().filter(|text| {
        (2..=6).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
    });
    digits.map(str::to_owned).ok_or_else(|| "must be digits such as 415".into())
}

/// Purchase a Phone Number's body.
#[derive(Debug, ToSchema)]
#[schema(as = callingbox::PurchaseRequest)]
pub struct PurchaseRequest {
    /// The number, as it was offered.
    pub phone_number: schema::Phone,
    /// The name of the carrier account that buys it; the only one, if not given.
    #[schema(max_length = 255, pattern = r"\S")]
    pub account: Option<String>,
}

/// Reads a purchase: the number, and the account that buys it.
///
/// # Errors
/// There is no number, or a field is not understood.
pub fn purchase(body: Value) -> Result<(E164, Option<String>), Refusal> {
    let mut reader = Reader::of_body(body)?;
    let number = reader.required("phone_number", phone);
    let account = reader.optional("account", text(255));
    match number {
        Some(number) => reader.finish().map(|()| (number, account)),
        None => Err(reader.refusal()),
    }
}

/// A number that can be bought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::AvailableNumber)]
pub struct OfferBody {
    /// The number.
    #[schema(value_type = schema::Phone)]
    pub phone_number: String,
    /// Its country, by ISO 3166-1.
    pub country_code: String,
    /// `local` or `toll_free`.
    #[schema(value_type = schema::NumberKind)]
    pub number_type: &'static str,
    /// Its state or province, where the carrier says it.
    pub state: Option<String>,
    /// Its town, where the carrier says it.
    pub locality: Option<String>,
    /// 0: the carrier's to charge and to tell.
    pub monthly_cost_cents: u32,
    /// 0: the carrier's to charge and to tell.
    pub upfront_cost_cents: u32,
    /// `USD`.
    pub currency: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<AvailableFields, Refusal> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        available(Reader::of_query(pairs))
    }

    #[test]
    fn what_is_not_said_is_a_local_number_of_the_united_states() {
        let fields = read(&[]).unwrap();
        assert_eq!((fields.country.as_str(), fields.limit), ("US", 20));
        assert_eq!(fields.number_type, NumberKind::Local);
        let fields = read(&[("country_code", "ca"), ("area_code", "416"), ("limit", "5")]).unwrap();
        assert_eq!((fields.country.as_str(), fields.area_code.as_deref()), ("CA", Some("416")));
        for wrong in [
            &[("country_code", "USA")][..],
            &[("area_code", "41x")],
            &[("number_type", "mobile")],
            &[("limit", "0")],
            &[("area_code", "415"), ("number_type", "toll_free")],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}

//! Numbers at their carrier: who answers them there, pointing them here, and back.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    dialects::{
        Reader, phone,
        problem::carrier_refused,
        reader::{Wrong, boolean, integer},
        schema,
    },
    domain::{
        CarrierFields, DialFailure, E164, PointCause, PointNote, PointState, PointStep, Refusal,
    },
};

/// Numbers of one request: what a carrier lists a page of.
const NUMBERS_MAX: usize = 1000;

/// What is to be pointed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointFields {
    /// Which numbers.
    pub numbers: Vec<E164>,
    /// Nothing is changed.
    pub is_dry_run: bool,
    /// Change so many at most.
    pub count: Option<u32>,
    /// Who answered goes on answering whatever is no return call.
    pub hands_back: bool,
}

/// What is to be pointed here, as it is written.
#[derive(ToSchema)]
#[schema(as = own::PointRequest)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub struct PointRequest {
    /// Which numbers. Each is named: nothing is changed at a carrier without being asked for.
    #[schema(min_items = 1, max_items = 1000)]
    numbers: Vec<schema::Phone>,
    /// Change nothing, only say what would be changed.
    dry_run: Option<bool>,
    /// Change so many at most, those that are named first.
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<u32>,
    /// The URL that answered before becomes the number's passthrough. True unless said otherwise.
    passthrough: Option<bool>,
}

/// Reads what is to be pointed here.
///
/// # Errors
/// A field is missing or not understood.
pub fn point(body: Value) -> Result<PointFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let numbers = reader.required("numbers", numbers);
    let is_dry_run = reader.optional("dry_run", boolean).unwrap_or(false);
    let count = reader.optional("count", integer(1..=1000));
    let hands_back = reader.optional("passthrough", boolean).unwrap_or(true);
    match numbers {
        Some(numbers) => {
            let fields = PointFields { numbers, is_dry_run, count, hands_back };
            reader.finish().map(|()| fields)
        }
        None => Err(reader.refusal()),
    }
}

/// What is to be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpointFields {
    /// Which numbers.
    pub numbers: Vec<E164>,
    /// Nothing is changed.
    pub is_dry_run: bool,
    /// Change so many at most.
    pub count: Option<u32>,
    /// Also what somebody has changed since.
    pub is_forced: bool,
}

/// What is to be put back, as it is written.
#[derive(ToSchema)]
#[schema(as = own::UnpointRequest)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub struct UnpointRequest {
    /// Which numbers.
    #[schema(min_items = 1, max_items = 1000)]
    numbers: Vec<schema::Phone>,
    /// Change nothing, only say what would be changed.
    dry_run: Option<bool>,
    /// Change so many at most, those that are named first.
    #[schema(minimum = 1, maximum = 1000)]
    count: Option<u32>,
    /// Put back also what somebody has changed at the carrier since.
    force: Option<bool>,
}

/// Reads what is to be put back.
///
/// # Errors
/// A field is missing or not understood.
pub fn unpoint(body: Value) -> Result<UnpointFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let numbers = reader.required("numbers", numbers);
    let is_dry_run = reader.optional("dry_run", boolean).unwrap_or(false);
    let count = reader.optional("count", integer(1..=1000));
    let is_forced = reader.optional("force", boolean).unwrap_or(false);
    match numbers {
        Some(numbers) => {
            let fields = UnpointFields { numbers, is_dry_run, count, is_forced };
            reader.finish().map(|()| fields)
        }
        None => Err(reader.refusal()),
    }
}

/// What is to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckFields {
    /// Which numbers; all, if none are named.
    pub numbers: Option<Vec<E164>>,
}

/// What is to be looked at, as it is written.
#[derive(ToSchema)]
#[schema(as = own::CheckNumbersRequest)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub struct CheckRequest {
    /// Which numbers; all that are known here, if none are named.
    #[schema(min_items = 1, max_items = 1000)]
    numbers: Option<Vec<schema::Phone>>,
}

/// Reads what is to be looked at.
///
/// # Errors
/// A field is not understood.
pub fn check(body: Value) -> Result<CheckFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let numbers = reader.optional("numbers", numbers);
    reader.finish().map(|()| CheckFields { numbers })
}

/// Numbers, each once, in the order they are named in.
fn numbers(value: &Value) -> Result<Vec<E164>, Wrong> {
    let values = value.as_array().ok_or("must be an array of E.164 numbers")?;
    if values.is_empty() || values.len() > NUMBERS_MAX {
        return Err(format!("must have 1 to {NUMBERS_MAX} numbers").into());
    }
    let mut numbers = Vec::with_capacity(values.len());
    let mut seen = std::collections::BTreeSet::new();
    for (at, value) in values.iter().enumerate() {
        let number = phone(value).map_err(|wrong| wrong.within(at))?;
        if seen.insert(number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Who answers a number at its carrier.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = own::Answerer)]
pub struct AnswererBody {
    /// Who is asked: a URL, an application of the carrier's, a trunk, or nobody; unknown where the
    /// carrier does not say.
    #[schema(value_type = AnswererKind)]
    pub kind: &'static str,
    /// The URL that is asked, also by an application.
    pub url: Option<String>,
    /// How it is asked.
    pub method: Option<&'static str>,
    /// The URL that is asked where that fails.
    pub fallback_url: Option<String>,
    /// The application's or trunk's id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// What answers a number.
#[derive(ToSchema)]
#[schema(as = own::AnswererKind, rename_all = "snake_case")]
#[expect(dead_code, reason = "it documents what is written")]
enum AnswererKind {
    Nobody,
    Url,
    Application,
    Trunk,
    Unknown,
}

/// A number of a carrier account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::NumberAtCarrier)]
pub struct AtCarrierBody {
    /// The number.
    pub e164: String,
    /// The carrier's id for it.
    pub carrier_number_id: String,
    /// Its name there.
    pub name: Option<String>,
    /// It is in service, and for calls.
    pub takes_calls: bool,
    /// Who answers it.
    pub answered_by: AnswererBody,
    /// Its id here, where it is known here.
    pub number_id: Option<String>,
    /// How it stands.
    #[schema(value_type = schema::PointState)]
    pub state: &'static str,
}

/// A page of the numbers of a carrier account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::NumbersAtCarrier)]
pub struct ListedBody {
    /// Them, as the carrier orders them.
    pub data: Vec<AtCarrierBody>,
    /// The page to ask for next; null after the last.
    pub next_page: Option<String>,
}

/// A change of one field of a carrier's record.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = own::CarrierChange)]
pub struct ChangeBody {
    /// The field, as the carrier names it.
    pub field: String,
    /// What it holds.
    pub from: Option<String>,
    /// What it is to hold, or should.
    pub to: Option<String>,
}

impl ChangeBody {
    /// The fields that are to change, with what they hold.
    #[must_use]
    pub fn of(held: &CarrierFields, wanted: &CarrierFields) -> Vec<Self> {
        let change = |(field, to): (&String, &Option<String>)| Self {
            field: field.clone(),
            from: held.get(field).cloned().flatten(),
            to: to.clone(),
        };
        wanted.iter().map(change).collect()
    }
}

/// What becomes, or became, of one number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::PointedNumber)]
pub struct StepBody {
    /// The number.
    pub e164: String,
    /// What becomes of it.
    #[schema(value_type = schema::PointStep)]
    pub outcome: &'static str,
    /// Why not, where it does not.
    #[schema(value_type = Option<schema::PointCause>)]
    pub cause: Option<&'static str>,
    /// That in words.
    pub message: Option<String>,
    /// Who answered it when it was looked at.
    pub answered_by: Option<AnswererBody>,
    /// The passthrough that it is given, or that it is to lose again.
    pub passthrough: Option<String>,
    /// What of the carrier's record changes.
    pub changes: Vec<ChangeBody>,
    /// What else is to be known.
    #[schema(value_type = Vec<schema::PointNote>)]
    pub notes: Vec<&'static str>,
}

impl StepBody {
    /// A number of which nothing is said yet but what becomes of it.
    #[must_use]
    pub fn new(number: E164, step: PointStep) -> Self {
        Self {
            e164: number.to_string(),
            outcome: step.as_str(),
            cause: None,
            message: None,
            answered_by: None,
            passthrough: None,
            changes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The same, with what is to be known.
    #[must_use]
    pub fn noting(self, notes: &[PointNote]) -> Self {
        Self { notes: notes.iter().map(|note| note.as_str()).collect(), ..self }
    }

    /// The same, refused.
    #[must_use]
    pub fn refused(self, cause: PointCause) -> Self {
        let message = Some(words(cause).to_owned());
        let (outcome, changes) = (PointStep::Refused.as_str(), Vec::new());
        Self { outcome, cause: Some(cause.as_str()), message, changes, ..self }
    }

    /// The same, where the carrier did not do it: why, and in its words.
    #[must_use]
    pub fn failed(self, why: DialFailure, said: &str) -> Self {
        let message = Some(carrier_refused(why, said));
        let cause = Some(PointCause::Carrier.as_str());
        Self { outcome: PointStep::Failed.as_str(), cause, message, ..self }
    }
}

const fn words(cause: PointCause) -> &'static str {
    match cause {
        PointCause::NotAtAccount => "the account does not have this number",
        PointCause::NotForCalls => "the number is not in service, or not for calls",
        PointCause::NoApplication => {
            "the carrier puts numbers to an application: configure the account's"
        }
        PointCause::ApplicationNotFound => {
            "the carrier knows no such application, or it is of another kind"
        }
        PointCause::ApplicationInUse => {
            "the account's application answers other numbers at another URL: point all of them, \
             or configure an application of its own for Switchback"
        }
        PointCause::ApplicationShared => {
            "other numbers are answered here by the same application: put all of them back at once"
        }
        PointCause::Unsigned => {
            "the account's application does not sign its webhooks, so all would be refused here: \
             turn signed webhooks on for it at the carrier first"
        }
        PointCause::ByLocation => {
            "the carrier routes numbers with their location, which Switchback does not change: \
             in the carrier's dashboard give the location's voice application the URLs of \
             docs/bandwidth.md"
        }
        PointCause::CannotHandBack => {
            "calls cannot be handed on to who answers today; without a passthrough it can be \
             pointed, and the agents here answer all of its calls"
        }
        PointCause::UnknownHere => "add the number first: the account is shared between tenants",
        PointCause::Taken => "another tenant has the number",
        PointCause::ChangedSince => {
            "it was changed at the carrier since: look at it, and put it back with force"
        }
        PointCause::NotPointed => "Switchback has not pointed it, and knows nothing to put back",
        PointCause::Carrier => "the carrier did not do it",
    }
}

/// What becomes of the application that the numbers are put to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::PointedApplication)]
pub struct PointedAppBody {
    /// The carrier's id for it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What of the carrier's record changes.
    pub changes: Vec<ChangeBody>,
}

/// What becomes, or became, of the numbers of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::PointedNumbers)]
pub struct PointedBody {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each number.
    pub numbers: Vec<StepBody>,
    /// The application that changes with them, at carriers that put numbers to applications.
    pub application: Option<PointedAppBody>,
}

/// How a number stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::CheckedNumber)]
pub struct CheckedBody {
    /// The number.
    pub e164: String,
    /// How it stands.
    #[schema(value_type = schema::PointState)]
    pub state: &'static str,
    /// Who answers it; null where the account has it no more.
    pub answered_by: Option<AnswererBody>,
    /// What holds something else than was put there: what it holds, and what it should.
    pub changes: Vec<ChangeBody>,
}

/// How the numbers of an account stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::CheckedNumbers)]
pub struct CheckBody {
    /// Nothing is amiss.
    pub ok: bool,
    /// Each number that is known here.
    pub numbers: Vec<CheckedBody>,
}

impl CheckBody {
    /// Of these numbers.
    #[must_use]
    pub fn of(numbers: Vec<(PointState, CheckedBody)>) -> Self {
        let ok = numbers.iter().all(|(state, _)| !state.is_amiss());
        Self { ok, numbers: numbers.into_iter().map(|(_, body)| body).collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_named_one_by_one() {
        let fields = point(json!({ "numbers": ["+14155550100", "+14155550101", "+14155550100"] }));
        let fields = fields.unwrap();
        assert_eq!((fields.numbers.len(), fields.is_dry_run, fields.hands_back), (2, false, true));
        for wrong in [json!({}), json!({ "numbers": [] }), json!({ "numbers": ["4155550100"] })] {
            assert!(point(wrong.clone()).is_err() && unpoint(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(check(json!({})).unwrap(), CheckFields::default());
    }
}

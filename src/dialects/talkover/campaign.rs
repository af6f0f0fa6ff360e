//! What is asked of Talkover's campaigns. Their schedules are checked and kept; nothing here keeps
//! to one.

use std::borrow::Cow;

use serde_json::{Map, Value};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

use super::page;
use crate::{
    dialects::{
        Reader, Wrong, boolean, brief, date, id, integer, member, phone,
        profile::{Field, Rule},
        schema, text,
    },
    domain::{AgentId, CallBrief, CampaignStatus, E164, Refusal, UnixDay},
};

const KINDS: &[&str] = &["sales", "follow_up", "reminder", "custom"];
const STATUSES: &str = "draft, active, paused, completed, cancelled";
/// A year: past that a cooldown is a ban.
const COOLDOWN_HOURS_MAX: i64 = 8760;

const fn optional(name: &'static str, rule: Rule) -> Field {
    Field { name, rule, is_required: false }
}

/// The fields whose rules need nothing but themselves.
const FIELDS: &[Field] = &[
    optional("initial_call_delay", Rule::Integer(0, 86_400)),
    optional("max_retries", Rule::Integer(0, 10)),
    optional("retry_cooldown_hours", Rule::Integer(1, 168)),
    optional("enable_post_completion_cooldown", Rule::Bool),
    optional("post_completion_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("success_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("voicemail_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("no_answer_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("busy_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("failed_cooldown_hours", Rule::Integer(0, COOLDOWN_HOURS_MAX)),
    optional("do_not_call_enabled", Rule::Bool),
    optional("do_not_call_list_source", Rule::Word(&["environment", "campaign"])),
    optional("auto_add_to_dnc_enabled", Rule::Bool),
];

/// What Create Campaign takes.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::CampaignRequest)]
pub struct CampaignRequest {
    /// A name for people.
    #[schema(max_length = 255, pattern = r"\S")]
    pub name: String,
    /// What it is about.
    #[schema(max_length = 65535)]
    pub description: Option<String>,
    /// What it is for.
    #[schema(pattern = "^(sales|follow_up|reminder|custom)$")]
    pub campaign_type: String,
    /// An outbound agent.
    pub agent_id: Uuid,
    /// The first day of its calls.
    #[schema(format = Date)]
    pub start_date: String,
    /// After the first day.
    #[schema(format = Date)]
    pub end_date: Option<String>,
    /// 1 is Monday, 7 Sunday.
    #[schema(min_items = 1, max_items = 7, value_type = Vec<Weekday>)]
    pub days_of_week: Vec<u8>,
    /// When calls may be placed. Without it, `earliest_call_time` and `latest_call_time`.
    #[schema(min_items = 1, max_items = 24)]
    pub call_time_ranges: Option<Vec<TimeRange>>,
    /// Not before this time of day.
    #[schema(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", example = "09:00:00")]
    pub earliest_call_time: Option<String>,
    /// Not after this time of day.
    #[schema(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", example = "17:00:00")]
    pub latest_call_time: Option<String>,
    /// The IANA name of a time zone.
    #[schema(max_length = 50, example = "America/New_York")]
    pub timezone: String,
    /// Seconds before the first call.
    #[schema(minimum = 0, maximum = 86400)]
    pub initial_call_delay: Option<u32>,
    /// Further attempts.
    #[schema(minimum = 0, maximum = 10)]
    pub max_retries: Option<u32>,
    /// Hours between attempts.
    #[schema(minimum = 1, maximum = 168)]
    pub retry_cooldown_hours: Option<u32>,
}

/// A day of the week: 1 is Monday, 7 Sunday.
enum Weekday {}

impl PartialSchema for Weekday {
    fn schema() -> RefOr<Schema> {
        let day = ObjectBuilder::new().schema_type(Type::Integer);
        day.minimum(Some(1)).maximum(Some(7)).into()
    }
}

impl ToSchema for Weekday {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("talkover.Weekday")
    }
}

/// A part of a day.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::TimeRange)]
pub struct TimeRange {
    /// `HH:MM`.
    #[schema(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", example = "09:00")]
    pub start: String,
    /// `HH:MM`, after the start.
    #[schema(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", example = "17:00")]
    pub end: String,
}

/// What is asked of a campaign. What is not said stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignFields {
    /// Who calls.
    pub agent: Option<AgentId>,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub kind: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    rest: Map<String, Value>,
}

/// Reads Create Campaign's body, or for a campaign that is there Update Campaign's; `known` are its
/// fields.
///
/// # Errors
/// A field is missing, or not what its page asks for.
pub fn campaign(body: Value, known: Option<&str>) -> Result<CampaignFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let is_new = known.is_none();
    let kind = |value: &Value| {
        let found = value.as_str().filter(|text| KINDS.contains(text));
        let wrong = || Wrong::from(format!("must be one of {}", KINDS.join(", ")));
        found.map(str::to_owned).ok_or_else(wrong)
    };
    let fields = CampaignFields {
        name: wanted(&mut reader, "name", is_new, text(255)),
        kind: wanted(&mut reader, "campaign_type", is_new, kind),
        agent: wanted(&mut reader, "agent_id", is_new, id),
        description: reader.given("description", described).map(Option::unwrap_or_default),
        rest: schedule(&mut reader, known),
    };
    reader.finish().map(|()| fields)
}

fn described(value: &Value) -> Result<String, Wrong> {
    let text = value.as_str().ok_or("must be a string")?;
    if text.chars().count() > 65_535 {
        return Err("must be at most 65535 characters".into());
    }
    Ok(text.to_owned())
}

/// A field that a new campaign must have, and a change may.
fn wanted<T>(
    reader: &mut Reader,
    name: &str,
    is_new: bool,
    read: impl FnOnce(&Value) -> Result<T, Wrong>,
) -> Option<T> {
    if is_new { reader.required(name, read) } else { reader.present(name, read) }
}

impl CampaignFields {
    /// The fields to keep in place of `known`, as the text of an object; a null removes.
    #[must_use]
    pub fn kept(&self, known: &str) -> String {
        let mut kept = object(known);
        for (name, value) in &self.rest {
            if value.is_null() {
                kept.remove(name);
            } else {
                kept.insert(name.clone(), value.clone());
            }
        }
        Value::Object(kept).to_string()
    }
}

pub(super) fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn schedule(reader: &mut Reader, known: Option<&str>) -> Map<String, Value> {
    let is_new = known.is_none();
    let mut rest = Map::new();
    let checked = |value: &Value| date(value).map(|_| value.clone());
    let start = wanted(reader, "start_date", is_new, checked);
    let end = reader.given("end_date", checked).map(Option::unwrap_or_default);
    let days = wanted(reader, "days_of_week", is_new, days_of_week);
    let zone = wanted(reader, "timezone", is_new, timezone);
    let ranges = reader.present("call_time_ranges", call_time_ranges);
    let earliest = reader.present("earliest_call_time", time_of_day);
    let latest = reader.present("latest_call_time", time_of_day);
    if is_new && ranges.is_none() && (earliest.is_none() || latest.is_none()) {
        reader.blame("call_time_ranges", "is required");
    }
    if let (Some(earliest), Some(latest)) = (&earliest, &latest)
        && latest <= earliest
    {
        reader.blame("latest_call_time", "must be after earliest_call_time");
    }
    let known = object(known.unwrap_or("{}"));
    let first = start.as_ref().or_else(|| known.get("start_date")).and_then(Value::as_str);
    let last = end.as_ref().or_else(|| known.get("end_date")).and_then(Value::as_str);
    if let (Some(first), Some(last)) = (first, last)
        && last <= first
    {
        reader.blame("end_date", "must be after start_date");
    }
    for (name, value) in [
        ("start_date", start),
        ("end_date", end),
        ("days_of_week", days),
        ("timezone", zone),
        ("call_time_ranges", ranges),
        ("earliest_call_time", earliest.map(Value::String)),
        ("latest_call_time", latest.map(Value::String)),
        ("auto_dnc_trigger_statuses", reader.present("auto_dnc_trigger_statuses", statuses)),
        ("auto_dnc_trigger_errors", reader.present("auto_dnc_trigger_errors", errors)),
    ] {
        rest.extend(value.map(|value| (name.to_owned(), value)));
    }
    for field in FIELDS {
        let checked = |value: &Value| field.rule.check(value).map(|()| value.clone());
        rest.extend(reader.present(field.name, checked).map(|v| (field.name.to_owned(), v)));
    }
    rest
}

fn days_of_week(value: &Value) -> Result<Value, Wrong> {
    let days = value.as_array().filter(|days| !days.is_empty() && days.len() <= 7);
    let days = days.ok_or("must be an array of at least one day, 1 (Monday) to 7 (Sunday)")?;
    for (at, day) in days.iter().enumerate() {
        integer(1..=7)(day).map_err(|wrong| wrong.within(at))?;
    }
    Ok(value.clone())
}

/// The shape of an IANA name: `Area/City`, `UTC`. Which of them exist changes every year.
fn timezone(value: &Value) -> Result<Value, Wrong> {
    let name = text(50)(value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(fits) {
        Ok(value.clone())
    } else {
        Err("must be an IANA time zone such as America/New_York".into())
    }
}

/// `09:00` or `09:00:00`, as the latter.
pub(super) fn time_of_day(value: &Value) -> Result<String, Wrong> {
    let wrong = || Wrong::from("must be a time of day such as 09:00");
    let text = value.as_str().ok_or_else(wrong)?;
    let parts: Vec<_> = text.split(':').collect();
    let in_bounds = |part: &str, max: u8| {
        part.len() == 2
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n: u8| n <= max)
    };
    match parts.as_slice() {
        [h, m] if in_bounds(h, 23) && in_bounds(m, 59) => Ok(format!("{h}:{m}:00")),
        [h, m, s] if in_bounds(h, 23) && in_bounds(m, 59) && in_bounds(s, 59) => {
            Ok(text.to_owned())
        }
        _ => Err(wrong()),
    }
}

fn call_time_ranges(value: &Value) -> Result<Value, Wrong> {
    const RANGES_MAX: usize = 24;
    let ranges = value.as_array().filter(|list| !list.is_empty() && list.len() <= RANGES_MAX);
    let ranges = ranges.ok_or("must be an array of at least one {start, end}")?;
    for (at, range) in ranges.iter().enumerate() {
        let read = |name: &str| {
            let value = range.get(name).unwrap_or(&Value::Null);
            time_of_day(value).map_err(|wrong| wrong.within(name).within(at))
        };
        if read("end")? <= read("start")? {
            return Err(Wrong::from("must be after start").within("end").within(at));
        }
    }
    Ok(value.clone())
}

fn statuses(value: &Value) -> Result<Value, Wrong> {
    words(value, &["completed", "voicemail"])
}

fn errors(value: &Value) -> Result<Value, Wrong> {
    words(value, &["invalid_number", "disconnected"])
}

fn words(value: &Value, known: &[&str]) -> Result<Value, Wrong> {
    let list = value.as_array().filter(|list| list.len() <= known.len());
    let is_known = |value: &Value| value.as_str().is_some_and(|text| known.contains(&text));
    match list {
        Some(list) if list.iter().all(is_known) => Ok(value.clone()),
        _ => Err(format!("must be an array of {}", known.join(", ")).into()),
    }
}

/// Which campaigns are asked for, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CampaignQuery {
    /// Standing here only.
    #[param(pattern = "^(draft|active|paused|completed|cancelled)$")]
    pub status: Option<String>,
    /// For this only.
    #[param(pattern = "^(sales|follow_up|reminder|custom)$")]
    pub campaign_type: Option<String>,
    /// Of this agent only.
    pub agent_id: Option<Uuid>,
    /// Not made before this day, in UTC.
    #[param(format = Date)]
    pub date_from: Option<String>,
    /// Not made after this day, in UTC.
    #[param(format = Date)]
    pub date_to: Option<String>,
    /// Part of name or description.
    #[param(max_length = 255)]
    pub search: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many of them; more than 100 are 100.
    #[param(minimum = 1, default = 20)]
    pub per_page: Option<u32>,
}

/// Which campaigns are asked for.
#[derive(Clone, Debug)]
pub struct CampaignListFields {
    /// Where they stand.
    pub status: Option<CampaignStatus>,
    /// What they are for.
    pub kind: Option<String>,
    /// Who calls.
    pub agent: Option<AgentId>,
    /// Not made before this day.
    pub from: Option<UnixDay>,
    /// Not made after this day.
    pub to: Option<UnixDay>,
    /// Part of name or description.
    pub search: Option<String>,
    /// Which page, from 1.
    pub page: u32,
    /// How many of them.
    pub per_page: u32,
}

/// Reads List Campaigns' query.
///
/// # Errors
/// A parameter is not understood.
pub fn campaign_list(mut query: Reader) -> Result<CampaignListFields, Refusal> {
    let kind = Rule::Word(KINDS);
    let (page, per_page) = page(&mut query);
    let fields = CampaignListFields {
        status: query.filter("status", member(STATUSES)),
        kind: query
            .filter("campaign_type", |value| kind.check(value).map(|()| value.clone()))
            .and_then(|value| value.as_str().map(str::to_owned)),
        agent: query.filter("agent_id", id),
        from: query.filter("date_from", date),
        to: query.filter("date_to", date),
        search: query.filter("search", text(255)),
        page,
        per_page,
    };
    query.finish().map(|()| fields)
}

/// Where a campaign is to stand.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::CampaignStatusRequest)]
pub struct CampaignStatusRequest {
    /// Where it is to stand.
    #[schema(pattern = "^(draft|active|paused|completed|cancelled)$")]
    pub status: String,
}

/// Reads Update Campaign Status' body.
///
/// # Errors
/// It says no status.
pub fn campaign_status(body: Value) -> Result<CampaignStatus, Refusal> {
    let mut reader = Reader::of_body(body)?;
    match reader.required("status", member(STATUSES)) {
        Some(status) => reader.finish().map(|()| status),
        None => Err(reader.refusal()),
    }
}

/// A call of a campaign's to be placed.
#[derive(Debug, ToSchema)]
#[schema(as = talkover::CampaignCallRequest)]
pub struct CampaignCallRequest {
    /// Who is called.
    pub to: schema::Phone,
    /// What the agent's runtime is given; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Map<String, Value>>,
    /// What comes back with the call; at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// A test: nobody is remembered for it.
    pub is_testing: Option<bool>,
    /// Whether the person may be called though a call to them is in progress.
    pub allow_duplicates: Option<bool>,
}

/// A call of a campaign's to be placed.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignCallFields {
    /// Who is called.
    pub to: E164,
    /// Whether it is a test.
    pub is_test: bool,
    /// Whether the person may be called though a call to them is in progress.
    pub may_repeat: bool,
    /// What is given along.
    pub brief: CallBrief,
}

/// Reads Make Campaign Call's body.
///
/// # Errors
/// The number is missing or none, or another field is not what its page asks for.
pub fn campaign_call(body: Value) -> Result<CampaignCallFields, Refusal> {
    let mut reader = Reader::of_body(body)?;
    let brief = CallBrief {
        variables: reader.optional("payload", brief::object),
        echo: reader.optional("context", brief::object),
        ..CallBrief::default()
    };
    let is_test = reader.optional("is_testing", boolean).unwrap_or(false);
    let may_repeat = reader.optional("allow_duplicates", boolean).unwrap_or(false);
    let Some(to) = reader.required("to", phone) else { return Err(reader.refusal()) };
    reader.finish().map(|()| CampaignCallFields { to, is_test, may_repeat, brief })
}

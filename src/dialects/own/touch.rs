//! Touches that others report, as a JSON array or one object a line, and what is remembered of a
//! person. A line that cannot be read is told, and stops no other.

use serde::{
    Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::CallBody;
use crate::{
    dialects::{Page, Problem, Reader, boolean, id, moment, phone, rfc3339, schema, text},
    domain::{
        AgentId, E164, Erased, Outcome, Refusal, TenantId, Touch, TouchId, TouchRecord, UnixMillis,
    },
};

/// Touches of one request; a longer list is sent in parts.
pub const TOUCHES_MAX: usize = 100_000;
/// How far ahead of us another dialer's clock may be.
const AHEAD_MS_MAX: u64 = 5 * 60 * 1000;

/// An outbound call that another dialer reports.
#[derive(Debug, ToSchema)]
#[schema(as = own::TouchRequest)]
pub struct TouchRequest {
    /// Its id there: the same one reported again is the same call.
    #[schema(pattern = r"\S", max_length = 255)]
    pub id: String,
    /// The outbound agent that called.
    pub source_agent_id: Uuid,
    /// Who was called.
    pub contact: schema::Phone,
    /// The number that was shown.
    pub caller_id: schema::Phone,
    /// When; at most five minutes from now.
    pub at: schema::Moment,
    /// How it ended, in any of the dialects' words.
    pub outcome: schema::Outcome,
}

/// A line that is not taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Rejected)]
pub struct Rejected {
    /// Which, from 1.
    line: usize,
    error: String,
}

impl Rejected {
    /// A line (counted from 1) and what is wrong with it.
    #[must_use]
    pub fn new(line: usize, error: impl Into<String>) -> Self {
        Self { line, error: error.into() }
    }

    /// Which line.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

/// The touches of one request, with their lines.
#[derive(Debug)]
pub struct Touches {
    /// What was read.
    pub read: Vec<(usize, TouchRecord)>,
    /// What was not.
    pub rejected: Vec<Rejected>,
    tenant: TenantId,
    now: UnixMillis,
}

/// The query of a request that can be rehearsed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub struct Rehearsal {
    /// Keep nothing, only say what would be kept.
    dry_run: Option<bool>,
}

/// Reads the query of a request that can be rehearsed.
///
/// # Errors
/// A parameter is not understood.
pub fn dry_run(mut query: Reader) -> Result<bool, Refusal> {
    let is_dry_run = query.filter("dry_run", boolean).unwrap_or(false);
    query.finish().map(|()| is_dry_run)
}

/// Reads a body: an array if it begins with a bracket, else one object a line.
///
/// # Errors
/// The array is no JSON, or there are too many.
pub fn touches(body: &[u8], tenant: TenantId, now: UnixMillis) -> Result<Touches, Problem> {
    let mut touches = Touches { read: Vec::new(), rejected: Vec::new(), tenant, now };
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(body.len());
    if body.get(start) == Some(&b'[') {
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_seq(Elements(&mut touches))
            .and_then(|()| json.end())
            .map_err(|error| Problem::BodyUnreadable(error.to_string()))?;
    } else {
        for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if !line.iter().all(u8::is_ascii_whitespace) {
                touches.take(at + 1, serde_json::from_slice(line).map_err(|e| e.to_string()));
            }
            if touches.count() > TOUCHES_MAX {
                break;
            }
        }
    }
    if touches.count() > TOUCHES_MAX {
        let too_many = format!("Must hold at most {TOUCHES_MAX} touches.");
        return Err(Refusal::invalid("body", too_many).into());
    }
    Ok(touches)
}

/// One element at a time, so that a large array is never in memory as values.
struct Elements<'t>(&'t mut Touches);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of touches")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut line = 0;
        while let Some(value) = elements.next_element::<Value>()? {
            line += 1;
            if self.0.count() <= TOUCHES_MAX {
                self.0.take(line, Ok(value));
            }
        }
        Ok(())
    }
}

impl Touches {
    fn count(&self) -> usize {
        self.read.len() + self.rejected.len()
    }

    fn take(&mut self, line: usize, value: Result<Value, String>) {
        let read = value.and_then(|value| {
            let read = touch(value, self.tenant, self.now);
            read.map_err(|refusal| Problem::from(refusal).told().message)
        });
        match read {
            Ok(record) => self.read.push((line, record)),
            Err(error) => self.rejected.push(Rejected::new(line, error)),
        }
    }
}

fn touch(value: Value, tenant: TenantId, now: UnixMillis) -> Result<TouchRecord, Refusal> {
    let mut reader = Reader::of_body(value)?;
    let name = reader.required("id", text(255));
    let agent: Option<AgentId> = reader.required("source_agent_id", id);
    let contact = reader.required("contact", phone);
    let caller_id = reader.required("caller_id", phone);
    let at = reader.required("at", |value| {
        let at = moment(value)?;
        let is_near = at.0 <= now.0.saturating_add(AHEAD_MS_MAX);
        if is_near { Ok(at) } else { Err("is more than 5 minutes in the future".into()) }
    });
    let outcome = reader.required("outcome", |value| {
        let outcome = value.as_str().and_then(Outcome::from_any_dialect);
        outcome.ok_or_else(|| "must be an outcome such as no_answer".into())
    });
    let (Some(name), Some(agent), Some(contact), Some(caller_id), Some(at), Some(outcome)) =
        (name, agent, contact, caller_id, at, outcome)
    else {
        return Err(reader.refusal());
    };
    let id = TouchId::of_external(tenant, &name);
    let at = at.seconds();
    let is_uuid = Uuid::try_parse(&name).is_ok();
    Ok(TouchRecord {
        touch: Touch { id, tenant, contact, agent, caller_id, at, outcome },
        external_id: (!is_uuid).then_some(name),
        call: None,
    })
}

/// What became of a request's touches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Merged)]
pub struct MergedBody {
    /// New ones.
    pub accepted: u64,
    /// Those that were known.
    pub duplicates: u64,
    /// Those that were not taken.
    pub rejected: Vec<Rejected>,
}

/// What is remembered of a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Contact)]
pub struct ContactBody {
    #[schema(value_type = schema::Phone)]
    contact: String,
    /// On the tenant's block list, which an erasure leaves alone.
    blocked: bool,
    /// When they were last erased, as long as that is kept.
    #[schema(format = DateTime)]
    erased_at: Option<String>,
    touches: Vec<TouchBody>,
    /// Calls with them, whoever called whom.
    calls: Page<CallBody>,
}

/// A call that somebody may return.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Touch)]
struct TouchBody {
    id: String,
    source_agent_id: Uuid,
    #[schema(value_type = schema::Phone)]
    contact: String,
    #[schema(value_type = schema::Phone)]
    caller_id: String,
    at: String,
    #[schema(value_type = schema::Outcome)]
    outcome: &'static str,
    call_id: Option<Uuid>,
}

impl From<&TouchRecord> for TouchBody {
    fn from(record: &TouchRecord) -> Self {
        let touch = &record.touch;
        Self {
            id: record.shown_id(),
            source_agent_id: touch.agent.0,
            contact: touch.contact.to_string(),
            caller_id: touch.caller_id.to_string(),
            at: rfc3339(touch.at.millis()),
            outcome: touch.outcome.as_str(),
            call_id: record.call.map(|call| call.0),
        }
    }
}

impl ContactBody {
    /// A person, their touches and calls, newest first.
    #[must_use]
    pub fn new(
        contact: E164,
        touches: &[TouchRecord],
        calls: Page<CallBody>,
        is_blocked: bool,
        erased_at: Option<UnixMillis>,
    ) -> Self {
        let touches = touches.iter().map(TouchBody::from).collect();
        let erased_at = erased_at.map(rfc3339);
        Self { contact: contact.to_string(), blocked: is_blocked, erased_at, touches, calls }
    }
}

/// What was erased of a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Erased)]
pub struct ErasedBody {
    erased: ErasedRows,
    /// Until when touches from before the erasure are refused.
    #[schema(format = DateTime)]
    tombstone_until: String,
}

/// How much of each kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::ErasedRows)]
struct ErasedRows {
    touches: usize,
    calls: usize,
    briefs: usize,
    results: usize,
    segments: usize,
    answers: usize,
    deliveries: usize,
    /// What calls said themselves in the place of an agent.
    words: usize,
    /// Lines of the configuration's history whose block list named the person.
    revisions: usize,
    /// 1 where the block list named the person: it does not any more.
    blocks: usize,
}

impl ErasedBody {
    /// How much it was, and until when what comes late is refused.
    #[must_use]
    pub fn new(erased: &Erased) -> Self {
        let erased_rows = ErasedRows {
            touches: erased.touches,
            calls: erased.calls,
            briefs: erased.briefs,
            results: erased.results,
            segments: erased.segments,
            answers: erased.answers,
            deliveries: erased.deliveries,
            words: erased.words,
            revisions: erased.revisions,
            blocks: erased.blocks,
        };
        Self { erased: erased_rows, tombstone_until: rfc3339(erased.tombstone_until) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_777_712_400_000);
    const LINE: &str = concat!(
        r#"{"id":"c-1","source_agent_id":"018f4a9e-0000-7000-8000-000000000001","#,
        r#""contact":"+14155550137","caller_id":"+14155550100","#,
        r#""at":"2026-05-01T09:00:00Z","outcome":"no-answer"}"#
    );

    fn read(body: &str) -> Touches {
        touches(body.as_bytes(), TenantId(Uuid::from_u128(1)), NOW).unwrap()
    }

    #[test]
    fn arrays_and_lines_are_read_alike() {
        let lines = read(&format!("{LINE}\n\n{LINE}\n"));
        let array = read(&format!(" [{LINE},{LINE}] "));
        assert_eq!(lines.read.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(array.read.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(lines.read[0].1, array.read[1].1);
        assert_eq!(lines.read[0].1.shown_id(), "c-1");
        assert_eq!(lines.read[0].1.outcome(), Outcome::NoAnswer);
        assert!(read("").read.is_empty());
        let broken = format!("[{LINE},");
        assert!(touches(broken.as_bytes(), TenantId(Uuid::from_u128(1)), NOW).is_err());
    }

    #[track_caller]
    fn check(from: &str, to: &str, error: &str) {
        let body = format!("{LINE}\n{}", LINE.replace(from, to));
        let touches = read(&body);
        assert_eq!(touches.read.len(), 1);
        assert_eq!(touches.rejected[0].line, 2);
        assert!(touches.rejected[0].error.contains(error), "{}", touches.rejected[0].error);
    }

    #[test]
    fn a_bad_line_is_told_and_stops_no_other() {
        check("+14155550137", "4155550137", "contact: must be an E.164 number");
        check("2026-05-01T09:00:00Z", "2026-05-02T09:05:01Z", "at: is more than 5 minutes");
        check("no-answer", "asleep", "outcome: must be an outcome");
        check("018f4a9e-0000-7000-8000-000000000001", "a", "source_agent_id: must be a UUID");
        check("\"id\":\"c-1\",", "", "id is required");
        check("}", "", "EOF");
    }
}

//! What was said in a call: as its runtime tells it, and as everybody is shown it.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Problem,
    reader::{Reader, Wrong, integer, moment, text},
    schema,
    time::rfc3339,
};
use crate::domain::{CallId, FieldError, Refusal, Segment, UnixMillis};

/// Segments of one request: a long talk's, told at its end.
const SEGMENTS_MAX: usize = 2000;

/// Characters of one segment: several minutes of talk.
const TEXT_MAX: usize = 16 * 1024;

/// Characters of a word for who spoke or wrote.
const WORD_MAX: usize = 64;

/// A part of what was said, for who reads the documentation.
#[derive(Debug, ToSchema)]
#[schema(as = own::SegmentRequest)]
pub struct SegmentRequest {
    /// Its place among what was said. Told again, it is corrected.
    pub sequence_no: u32,
    /// Who said it.
    #[schema(min_length = 1, max_length = 64, example = "agent")]
    pub role: String,
    /// What.
    #[schema(min_length = 1, max_length = 16_384)]
    pub text: String,
    /// From when (RFC 3339).
    #[schema(value_type = Option<schema::Moment>)]
    pub started_at: Option<String>,
    /// Until when (RFC 3339).
    #[schema(value_type = Option<schema::Moment>)]
    pub ended_at: Option<String>,
    /// Who wrote it down.
    #[schema(min_length = 1, max_length = 64)]
    pub source: Option<String>,
}

/// Reads a body: one segment, an array of them, or one a line.
///
/// # Errors
/// It is no JSON, or a segment is not what it should be; then none is taken.
pub fn segments(body: &[u8]) -> Result<Vec<Segment>, Problem> {
    let mut read = Vec::new();
    let mut wrong = Vec::new();
    for value in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let value = value.map_err(|error| Problem::BodyUnreadable(error.to_string()))?;
        let values = match value {
            Value::Array(values) => values,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => vec![value],
        };
        for value in values {
            let at = read.len() + wrong.len();
            if at == SEGMENTS_MAX {
                let too_many = format!("Must hold at most {SEGMENTS_MAX} segments.");
                return Err(Refusal::invalid("body", too_many).into());
            }
            match segment(value) {
                Ok(segment) => read.push(segment),
                Err(Refusal::Invalid(errors)) => {
                    wrong.extend(errors.into_iter().take(1).map(|error| FieldError {
                        field: format!("{at}.{}", error.field),
                        ..error
                    }))
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(Refusal::Invalid(wrong).into()) }
}

fn segment(value: Value) -> Result<Segment, Refusal> {
    let mut reader = Reader::of_body(value)?;
    let sequence_no = reader.required("sequence_no", integer(0..=u32::MAX));
    let role = reader.required("role", text(WORD_MAX));
    let said = reader.required("text", text(TEXT_MAX));
    let started_at = reader.optional("started_at", moment);
    let ended_at = reader.optional("ended_at", |value| {
        let at: UnixMillis = moment(value)?;
        let is_after = started_at.is_none_or(|start| start <= at);
        if is_after { Ok(at) } else { Err(Wrong::from("must not be before started_at")) }
    });
    let source = reader.optional("source", text(WORD_MAX));
    let (Some(sequence_no), Some(role), Some(text)) = (sequence_no, role, said) else {
        return Err(reader.refusal());
    };
    reader.finish()?;
    Ok(Segment { sequence_no, role, text, started_at, ended_at, source })
}

/// Bytes of what was said that the next runtime is told in its `start`: some minutes of talk, and a
/// fraction of the smallest message that runtimes' libraries take.
const SO_FAR_LEN_MAX: usize = 8 * 1024;

/// Segments that are looked at for it.
pub const SO_FAR_SEGMENTS_MAX: usize = 256;

/// What was said in a call before, for its next runtime: the text of `{segments: [{role, text}],
/// partial}`, the latest segments as far as they fit; `partial` where there were more, or it is not
/// known. None where nothing was said.
#[must_use]
pub fn transcript_so_far(segments: Option<&[Segment]>) -> Option<String> {
    #[derive(Serialize)]
    struct Said<'a> {
        role: &'a str,
        text: &'a str,
    }
    let known = segments.unwrap_or_default();
    if segments.is_some() && known.is_empty() {
        return None;
    }
    let mut len = 0;
    let fits = known.iter().rev().take_while(|segment| {
        len += segment.role.len() + segment.text.len();
        len <= SO_FAR_LEN_MAX
    });
    let from = known.len() - fits.count();
    let latest = known.get(from..).unwrap_or_default();
    let said: Vec<_> =
        latest.iter().map(|Segment { role, text, .. }| Said { role, text }).collect();
    let is_partial = from > 0 || segments.is_none() || known.len() >= SO_FAR_SEGMENTS_MAX;
    Some(json!({ "segments": said, "partial": is_partial }).to_string())
}

/// What was said in a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::Transcript)]
pub struct TranscriptBody {
    call_id: Uuid,
    segments: Vec<SegmentBody>,
}

impl TranscriptBody {
    /// A call's transcript, as far as it goes.
    #[must_use]
    pub fn new(call: CallId, segments: Vec<Segment>) -> Self {
        Self { call_id: call.0, segments: shown(segments) }
    }
}

/// Something that was said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = callingbox::TranscriptSegment)]
pub struct SegmentBody {
    sequence_no: u32,
    role: String,
    text: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_ms: Option<u64>,
    source: Option<String>,
}

/// What became of a part of a transcript.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::MergedSegments)]
pub struct MergedSegmentsBody {
    /// How many segments were new, or corrected one.
    pub accepted: u64,
    /// How many changed nothing.
    pub duplicates: u64,
}

pub(super) fn shown(segments: Vec<Segment>) -> Vec<SegmentBody> {
    segments.into_iter().map(SegmentBody::from).collect()
}

impl From<Segment> for SegmentBody {
    fn from(segment: Segment) -> Self {
        let times = segment.started_at.zip(segment.ended_at);
        Self {
            sequence_no: segment.sequence_no,
            role: segment.role,
            text: segment.text,
            started_at: segment.started_at.map(rfc3339),
            ended_at: segment.ended_at.map(rfc3339),
            duration_ms: times.map(|(from, to)| to.0.saturating_sub(from.0)),
            source: segment.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(sequence_no: u32, text: &str) -> Value {
        json!({ "sequence_no": sequence_no, "role": "agent", "text": text,
            "started_at": "2026-05-02T09:00:00Z", "ended_at": "2026-05-02T09:00:01.500Z" })
    }

    #[test]
    fn one_several_or_a_line_each() {
        let (one, two) = (said(1, "Hi."), said(2, "Bye."));
        for (body, count) in [
            (one.to_string(), 1),
            (json!([one, two]).to_string(), 2),
            (format!("{one}\n{two}\n\n"), 2),
            (String::new(), 0),
            ("[]".to_owned(), 0),
        ] {
            let read = segments(body.as_bytes()).unwrap();
            assert_eq!(read.len(), count, "{body}");
        }
        let read = segments(one.to_string().as_bytes()).unwrap();
        let shown = serde_json::to_value(shown(read)).unwrap();
        assert_eq!(shown[0]["duration_ms"], 1500);
        assert_eq!(shown[0]["started_at"], "2026-05-02T09:00:00.000Z");
        assert_eq!(shown[0]["source"], Value::Null);
    }

    #[test]
    fn the_next_runtime_is_told_the_latest_that_fits() {
        let told = |segments: Option<&[Segment]>| -> Option<Value> {
            transcript_so_far(segments).map(|text| serde_json::from_str(&text).unwrap())
        };
        let some = |text: &str, count: u32| -> Vec<Segment> {
            let said: Vec<_> = (1..=count).map(|n| said(n, &format!("{text}{n}"))).collect();
            segments(json!(said).to_string().as_bytes()).unwrap()
        };
        assert_eq!(told(Some(&[])), None, "nothing was said");
        assert_eq!(told(None).unwrap(), json!({ "segments": [], "partial": true }), "not known");
        let two = told(Some(&some("\"Hi\" ", 2))).unwrap();
        let expected = json!([
            { "role": "agent", "text": "\"Hi\" 1" }, { "role": "agent", "text": "\"Hi\" 2" },
        ]);
        assert_eq!(two, json!({ "segments": expected, "partial": false }));
        let long = told(Some(&some(&"x".repeat(3000), 5))).unwrap();
        let kept = long["segments"].as_array().unwrap();
        assert_eq!((kept.len(), &long["partial"]), (2, &json!(true)));
        assert!(kept[1]["text"].as_str().unwrap().ends_with("x5"), "the latest are kept");
        let many = told(Some(&some("x", 256))).unwrap();
        assert_eq!(many["partial"], true, "there may have been more");
    }

    #[track_caller]
    fn check_refused(body: &str, field: &str) {
        match segments(body.as_bytes()) {
            Err(Problem::Refused(Refusal::Invalid(wrong))) => assert_eq!(wrong[0].field, field),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check_refused("[1]", "0.body");
        check_refused(&json!([said(1, "x"), { "sequence_no": 2 }]).to_string(), "1.role");
        check_refused(&said(1, "").to_string(), "0.text");
        check_refused(&said(1, &"x".repeat(TEXT_MAX + 1)).to_string(), "0.text");
        check_refused(&json!([{ "sequence_no": -1 }]).to_string(), "0.sequence_no");
        let mut late = said(1, "x");
        late["ended_at"] = json!("2026-05-02T08:00:00Z");
        check_refused(&late.to_string(), "0.ended_at");
        let many: Vec<_> = (0..=2000).map(|n| said(n, "x")).collect();
        check_refused(&json!(many).to_string(), "body");
        assert!(matches!(segments(b"[{"), Err(Problem::BodyUnreadable(_))));
    }
}

//! The dry run of a decision: its question and its answer.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    dialects::{Reader, agent::AgentNamed, attestation, moment, phone, rfc3339, schema, text},
    domain::{
        Ani, Attestation, Decision, E164, Refusal, RouteReason, TouchRecord, TraceStep, UnixMillis,
    },
};

/// Words for a caller who hides the number, as carriers write them.
const WITHHELD: &[&str] =
    &["anonymous", "private", "restricted", "unavailable", "unknown", "withheld"];

/// A call that might come, as the query says it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RouteQuery {
    /// Who calls: a number, `anonymous` or nothing where it is withheld, or a SIP address.
    #[param(example = "+14155550137")]
    pub from: Option<String>,
    /// The number that is dialled, or a SIP address.
    #[param(example = "+14155550100")]
    pub to: String,
    /// When; now if nothing is said.
    pub at: Option<schema::Moment>,
    /// How far the network vouches for the caller.
    pub attestation: Option<schema::Attestation>,
    /// The number that forwards the call.
    pub forwarded_from: Option<schema::Phone>,
    /// The name of the carrier account it comes by, where more than one has the number.
    #[param(max_length = 255)]
    pub account: Option<String>,
}

/// A call that might come.
#[derive(Clone, Debug)]
pub struct RouteFields {
    /// Who calls.
    pub ani: Ani,
    /// The number that is dialled; `None` where it is no number.
    pub dnis: Option<E164>,
    /// When; `None` is now.
    pub at: Option<UnixMillis>,
    /// How far the network vouches for the caller.
    pub attestation: Attestation,
    /// The number that forwards the call.
    pub forwarded_from: Option<E164>,
    /// The name of the account it comes by.
    pub account: Option<String>,
}

/// Reads the question.
///
/// # Errors
/// A parameter is missing or not understood.
pub fn route(mut query: Reader) -> Result<RouteFields, Refusal> {
    let ani = query.optional("from", |value| {
        let text = value.as_str().unwrap_or_default();
        if text.is_empty() || WITHHELD.contains(&text.to_ascii_lowercase().as_str()) {
            return Ok(Ani::Withheld);
        }
        if text.starts_with("sip:") || text.starts_with("client:") {
            return Ok(Ani::Unusable);
        }
        phone(&bare(text).into()).map(Ani::Number)
    });
    let dnis = query.required("to", |value| {
        let text = value.as_str().unwrap_or_default();
        match text.strip_prefix("sip:") {
            Some(address) => Ok(E164::parse(&user_of(address))),
            None => phone(&bare(text).into()).map(Some),
        }
    });
    let fields = RouteFields {
        ani: ani.unwrap_or(Ani::Withheld),
        dnis: dnis.flatten(),
        at: query.filter("at", moment),
        attestation: query.filter("attestation", attestation).unwrap_or(Attestation::None),
        forwarded_from: query
            .filter("forwarded_from", |value| phone(&bare(value.as_str().unwrap_or("")).into())),
        account: query.filter("account", text(255)),
    };
    query.finish().map(|()| fields)
}

/// A WhatsApp number is the number.
fn bare(text: &str) -> &str {
    text.strip_prefix("whatsapp:").unwrap_or(text)
}

/// The user part of a SIP address; a leading blank is a plus that was not escaped.
fn user_of(address: &str) -> String {
    let user = address.split(['@', ';']).next().unwrap_or_default();
    user.strip_prefix(' ').map_or_else(|| user.to_owned(), |digits| format!("+{digits}"))
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Route)]
pub struct RouteBody {
    decision: DecisionBody,
    trace: Vec<StepBody>,
    decided_in_ns: u64,
    seq: u64,
}

/// What becomes of the call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::Decision)]
struct DecisionBody {
    #[schema(value_type = schema::Verdict)]
    outcome: &'static str,
    #[schema(value_type = schema::RouteReason)]
    reason: &'static str,
    agent: Option<AgentNamed>,
    target: Option<String>,
    unmatched: bool,
    touch: Option<TouchDecided>,
}

/// The call that is returned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::TouchDecided)]
struct TouchDecided {
    id: String,
    source_agent_id: Uuid,
    caller_id: String,
    at: String,
    #[schema(value_type = schema::Outcome)]
    outcome: &'static str,
    call_id: Option<Uuid>,
}

/// A step of a trace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = own::TraceStep)]
pub(super) struct StepBody {
    step: &'static str,
    result: &'static str,
    detail: String,
}

impl From<TraceStep> for StepBody {
    fn from(step: TraceStep) -> Self {
        Self { step: step.step, result: step.result, detail: step.detail }
    }
}

impl RouteBody {
    /// A decision, and how it came about.
    #[must_use]
    pub fn new(decision: &Decision<'_>, trace: Vec<TraceStep>, ns: u64, seq: u64) -> Self {
        let last_resort = || {
            let tenant = decision.tenant.filter(|_| decision.reason == RouteReason::NoTarget);
            tenant.map(|tenant| tenant.settings.last_resort.to_string())
        };
        let touch = decision.touch.map(|touch| TouchDecided {
            id: touch.id.to_string(),
            source_agent_id: touch.agent.0,
            caller_id: touch.caller_id.to_string(),
            at: rfc3339(touch.at.millis()),
            outcome: touch.outcome.as_str(),
            call_id: None,
        });
        let decision = DecisionBody {
            outcome: decision.verdict.as_str(),
            reason: decision.reason.as_str(),
            agent: decision.agent.map(|agent| AgentNamed::new(agent.id, &agent.name)),
            target: decision.targets.first().map(ToString::to_string).or_else(last_resort),
            unmatched: decision.unmatched,
            touch,
        };
        Self {
            decision,
            trace: trace.into_iter().map(StepBody::from).collect(),
            decided_in_ns: ns,
            seq,
        }
    }

    /// The same, with what the store knows of the touch.
    #[must_use]
    pub fn knowing(mut self, record: &TouchRecord) -> Self {
        if let Some(touch) = &mut self.decision.touch {
            touch.id = record.shown_id();
            touch.call_id = record.call.map(|call| call.0);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<RouteFields, Refusal> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        route(Reader::of_query(pairs))
    }

    #[test]
    fn callers_and_numbers_come_in_many_spellings() {
        let number = E164::parse("+14155550137");
        let of = |from| read(&[("from", from), ("to", "+14155550100")]).unwrap().ani;
        for from in
            ["+14155550137", " 14155550137", "whatsapp:+14155550137", "whatsapp: 14155550137"]
        {
            assert_eq!(of(from), Ani::Number(number.unwrap()), "{from:?}");
        }
        for from in ["", "anonymous", "Restricted"] {
            assert_eq!(of(from), Ani::Withheld);
        }
        for from in ["sip:bob@example.com", "client:bob"] {
            assert_eq!(of(from), Ani::Unusable);
        }
        for to in ["+14155550137", "sip:+14155550137@pbx.example.com", "sip: 14155550137@x"] {
            assert_eq!(read(&[("to", to)]).unwrap().dnis, number, "{to:?}");
        }
        assert_eq!(read(&[("to", "sip:desk@pbx.example.com")]).unwrap().dnis, None);
        assert!(read(&[("from", "+14155550137")]).is_err());
        assert!(read(&[("from", "14155550137"), ("to", "+14155550100")]).is_err());
        assert!(read(&[("to", "+14155550100"), ("at", "noon")]).is_err());
    }
}

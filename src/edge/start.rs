//! What a runtime is told in its `start`.

use uuid::Uuid;

use super::way::{self, Way};
use crate::calls::LiveCall;
use crate::domain::{Account, Ani};
use crate::media::messages::Start;

/// Bytes of instructions, and of variables, that go along: the smallest message that runtimes'
/// libraries take is many times that.
const GIVEN_LEN_MAX: usize = 8 * 1024;

/// What stands for a carrier's own `start` until it comes: the ids that it will have, but for the
/// stream's, which is ours. A carrier that speaks otherwise than Twilio has ids of other shapes, so
/// that a call has ours there, in Twilio's shape.
pub(super) fn ahead(call: &LiveCall, place: usize, account: &Account, way: &Way) -> Start {
    let facts = &call.facts;
    let stream = Uuid::new_v5(&facts.id.0, format!("stream {place}").as_bytes());
    let call_sid = match way.framing {
        None => facts.carrier_call_id.clone(),
        Some(_) => format!("CA{}", facts.id.0.simple()),
    };
    Start {
        stream_sid: format!("MZ{}", stream.simple()),
        call_sid,
        account_sid: account.account_id.clone(),
        format: way.format.into(),
        parameters: Vec::new(),
    }
}

/// What the call itself does not know.
pub(super) struct Told<'a> {
    /// A return call's context.
    pub(super) context: Option<String>,
    /// What was said before.
    pub(super) transcript: Option<String>,
    /// The URL that runtimes reach the control API by.
    pub(super) control_url: Option<&'a str>,
}

/// The `start` for the runtime at `place` of the call's ladder. `carrier` is the carrier's own,
/// whose ids and parameters are passed along.
pub(super) fn start(call: &LiveCall, place: usize, carrier: &Start, told: Told<'_>) -> Start {
    let facts = &call.facts;
    let agent = call.agent(place);
    let rung_agent = agent.as_deref();
    let number = |number: Option<_>| number.map(|n: crate::domain::E164| n.to_string());
    let from_number = number(facts.call.ani.number()).unwrap_or_default();
    let to_number = number(facts.call.dnis).unwrap_or_default();
    let from = match facts.call.ani {
        Ani::Number(_) | Ani::Unusable => from_number.clone(),
        Ani::Withheld => "anonymous".to_owned(),
    };
    let ours = [
        ("call_id", facts.id.to_string()),
        ("agent_id", rung_agent.map(|agent| agent.id.to_string()).unwrap_or_default()),
        ("direction", facts.direction.to_string()),
        ("reason", facts.reason.map(|reason| reason.to_string()).unwrap_or_default()),
        ("from", from),
        ("to", to_number.clone()),
        ("from_number", from_number),
        ("to_number", to_number),
        ("attestation", facts.call.attestation.to_string()),
        ("attempt", place.to_string()),
    ];
    let mut parameters: Vec<_> =
        ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(context) = told.context {
        parameters.push(("return_context".to_owned(), context));
    }
    if let Some(transcript) = told.transcript {
        parameters.push(("transcript".to_owned(), transcript));
    }
    if let Some(machine) = call.state().machine {
        let state = if machine.is_recording { "machine_recording" } else { "machine" };
        parameters.push(("answered_by".to_owned(), state.to_owned()));
    }
    // What does not fit below is in the call's briefing, which its token opens.
    if let Some(base) = told.control_url {
        let url = format!("{base}/switchback/v1/calls/{}/briefing", facts.id);
        parameters.push(("briefing_url".to_owned(), url));
    }
    let brief = facts.errand.as_ref().map(|errand| &errand.brief);
    let given =
        brief.map(|brief| [("instructions", &brief.instructions), ("variables", &brief.variables)]);
    for (name, text) in given.into_iter().flatten() {
        if let Some(text) = text.as_ref().filter(|text| text.len() <= GIVEN_LEN_MAX) {
            parameters.push((name.to_owned(), text.clone()));
        }
    }
    // Ours first: a runtime can rely on them, whoever else writes parameters.
    let theirs = rung_agent.map_or(&[][..], |agent| &agent.runtime_parameters);
    for (name, value) in theirs.iter().chain(&carrier.parameters) {
        if !parameters.iter().any(|(taken, _)| taken == name) {
            parameters.push((name.clone(), value.clone()));
        }
    }
    let format = way::spoken(call, place).format().into();
    Start { parameters, format, ..carrier.clone() }
}

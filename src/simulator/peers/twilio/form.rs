//! The parameters of Twilio's webhooks (Twilio docs, voice/twiml and voice/api/call-resource), with
//! the names and in the order that the recorded ones have. It sends nothing.

use crate::{
    domain::{CallStatus, Direction, UnixMillis},
    simulator::{
        leg::{Facts, Who},
        peers::form::{Form, rfc2822, timestamp, word},
    },
};

impl Form {
    /// The parameters of every request about a call.
    pub(in crate::simulator::peers) fn of(facts: &Facts, status: CallStatus) -> Self {
        let (from, to) = (&facts.from, &facts.to);
        let (from_country, to_country) = (country(from), country(to));
        let mut form = Self(vec![
            ("Called", to.clone()),
            ("ToState", String::new()),
            ("CallerCountry", from_country.clone()),
            ("Direction", direction(facts).to_owned()),
            ("CallerState", String::new()),
            ("ToZip", String::new()),
            ("CallSid", facts.sid.clone()),
            ("To", to.clone()),
            ("CallerZip", String::new()),
            ("ToCountry", to_country.clone()),
            ("CalledZip", String::new()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("CalledCity", String::new()),
            ("CallStatus", word(status)),
            ("From", from.clone()),
            ("AccountSid", facts.account_sid.clone()),
            ("CalledCountry", to_country),
            ("CallerCity", String::new()),
            ("ToCity", String::new()),
            ("FromCountry", from_country),
            ("Caller", from.clone()),
            ("FromCity", String::new()),
            ("CalledState", String::new()),
            ("FromZip", String::new()),
            ("FromState", String::new()),
        ]);
        if let Some(verstat) = &facts.stir_verstat {
            form.add("StirVerstat", verstat);
        }
        if let Some(forwarded) = &facts.forwarded_from {
            form.add("ForwardedFrom", forwarded);
        }
        form
    }

    /// Those of a status event, in addition.
    pub(in crate::simulator::peers) fn event(mut self, sequence: u32, now: UnixMillis) -> Self {
        self.add("Timestamp", rfc2822(now));
        self.add("CallbackSource", "call-progress-events");
        self.add("SequenceNumber", sequence.to_string());
        self
    }

    /// Those of the last one, in addition.
    pub(in crate::simulator::peers) fn last(mut self, status: CallStatus, seconds: u64) -> Self {
        self.add("Duration", seconds.div_ceil(60).to_string());
        self.add("CallDuration", seconds.to_string());
        let sip_code = match status {
            CallStatus::Completed => Some("200"),
            CallStatus::NoAnswer => Some("487"),
            CallStatus::Busy => Some("486"),
            CallStatus::Failed => Some("404"),
            CallStatus::Canceled
            | CallStatus::Queued
            | CallStatus::Initiated
            | CallStatus::Ringing
            | CallStatus::InProgress => None,
        };
        if let Some(code) = sip_code {
            self.add("SipResponseCode", code);
        }
        self
    }

    /// A stream's status.
    pub(in crate::simulator::peers) fn stream(
        facts: &Facts,
        stream_sid: &str,
        event: &str,
        now: UnixMillis,
    ) -> Self {
        Self(vec![
            ("AccountSid", facts.account_sid.clone()),
            ("CallSid", facts.sid.clone()),
            ("StreamSid", stream_sid.to_owned()),
            ("StreamName", stream_sid.to_owned()),
            ("StreamEvent", event.to_owned()),
            ("Timestamp", timestamp(now).to_string()),
        ])
    }

    /// The verdict of asynchronous answering-machine detection.
    pub(in crate::simulator::peers) fn answered_by(facts: &Facts, who: Who) -> Self {
        Self(vec![
            ("CallSid", facts.sid.clone()),
            ("AccountSid", facts.account_sid.clone()),
            ("AnsweredBy", verdict(who).to_owned()),
            ("MachineDetectionDuration", "2310".to_owned()),
        ])
    }
}

/// Who answered, in Twilio's words.
pub(in crate::simulator::peers) const fn verdict(who: Who) -> &'static str {
    match who {
        Who::Human => "human",
        Who::Machine => "machine_start",
    }
}

/// A direction in Twilio's spelling.
pub(in crate::simulator::peers) const fn direction(facts: &Facts) -> &'static str {
    match facts.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound-api",
    }
}

fn country(number: &str) -> String {
    if number.starts_with("+1") { "US".to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{carriers::shared::form::Form as Read, telemetry::clock};

    fn facts(direction: Direction) -> Facts {
        Facts {
            sid: "CAb27b806e16e007b36784197374f40f63".to_owned(),
            account_sid: "AC66acdc865fff60921f34dac80d62be2f".to_owned(),
            application_id: String::new(),
            from: "+14155550117".to_owned(),
            to: "+12125550142".to_owned(),
            direction,
            created_at: UnixMillis(1_767_268_800_000),
            started: clock::instant(),
            stir_verstat: None,
            forwarded_from: None,
        }
    }

    /// Names that only some calls have.
    const SOMETIMES: [&str; 3] = ["StirVerstat", "CallToken", "AnsweredBy"];

    #[track_caller]
    fn check(made: &Form, recorded: &str) {
        let encoded = made.encoded();
        let (made, recorded) = (Read::parse(&encoded).unwrap(), Read::parse(recorded).unwrap());
        let names = |form: &Read<'_>| -> BTreeSet<String> {
            let sorted = form.sorted();
            let names = sorted.iter().map(|pair| pair.name().to_owned());
            names.filter(|name| !SOMETIMES.contains(&name.as_str())).collect()
        };
        assert_eq!(names(&made), names(&recorded));
        for name in ["CallSid", "AccountSid", "Direction", "CallStatus", "ApiVersion"] {
            assert_eq!(made.get(name), recorded.get(name), "{name}");
        }
        for name in ["Timestamp", "SequenceNumber", "SipResponseCode", "StreamEvent"] {
            assert_eq!(made.get(name).is_some(), recorded.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn forms_are_as_recorded() {
        let fixture = |name: &str| {
            std::fs::read_to_string(format!("tests/fixtures/twilio/{name}.form")).unwrap()
        };
        let inbound = facts(Direction::Inbound);
        check(&Form::of(&inbound, CallStatus::Ringing), &fixture("inbound_voice"));
        let outbound = Facts {
            sid: "CA67a68370421eba46a140d34584219e1d".to_owned(),
            ..facts(Direction::Outbound)
        };
        let now = UnixMillis(1_767_268_832_000);
        let form = Form::of(&outbound, CallStatus::NoAnswer).event(2, now);
        let form = form.last(CallStatus::NoAnswer, 0);
        check(&form, &fixture("status_no_answer"));
        let encoded = form.encoded();
        assert!(
            encoded.contains("Timestamp=Thu%2C+01+Jan+2026+12%3A00%3A32+%2B0000&"),
            "{encoded}"
        );
        assert!(
            encoded.ends_with("SequenceNumber=2&Duration=0&CallDuration=0&SipResponseCode=487")
        );

        let stream = Form::stream(&inbound, "MZ21bd", "stream-started", now);
        check(&stream, &fixture("stream_started"));
        assert_eq!(word(CallStatus::InProgress), "in-progress");
    }
}

//! Twilio Programmable Voice.

pub(super) mod form;
pub(super) mod market;
pub(super) mod rest;
pub(super) mod wire;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asking, Manners, Peer, StationEvent, StreamTold, form::Form, twiml};
use crate::{
    domain::{Account, AccountOrigin, CarrierId, Secret},
    simulator::{
        exchange::{Inner, sid},
        leg::{Leg, Who},
        post::Letter,
        talk::Wire,
        verb::{Problem, Stream, Verb},
    },
    telemetry::clock,
};

/// Twilio, as its customers meet it.
pub(super) struct Twilio;

impl Peer for Twilio {
    fn account(&self, name: &str) -> (Account, Value) {
        let mut account = Account::named(name.to_owned(), CarrierId::Twilio, AccountOrigin::Api);
        let token = Uuid::new_v4().simple().to_string();
        account.account_id = sid("AC");
        let told = json!({ "account_id": account.account_id, "secrets": [token] });
        account.secrets = vec![Secret::new(token)];
        (account, told)
    }

    fn call_id(&self) -> String {
        sid("CA")
    }

    fn stream_id(&self) -> String {
        sid("MZ")
    }

    /// Twilio's defaults (usage/webhooks/webhooks-connection-overrides).
    fn manners(&self) -> Manners {
        Manners {
            user_agent: "TwilioProxy/1.1",
            connect_max: Duration::from_secs(5),
            answer_max: Duration::from_secs(15),
            signs_upgrades: true,
        }
    }

    fn ask(&self, leg: &Leg, asking: &Asking) -> Letter {
        letter(&asking.step.url, &asked(Form::of(&leg.facts, leg.state().status), asking))
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Verb>, Problem> {
        twiml::parse(content_type, body, &[])
    }

    fn station(&self, leg: &Leg, event: &StationEvent, url: &str) -> Letter {
        let status = leg.state().status;
        let form = Form::of(&leg.facts, status).event(event.sequence, clock::now());
        let form = match event.seconds {
            Some(seconds) => form.last(status, seconds),
            None => form,
        };
        letter(url, &form)
    }

    fn detected(&self, leg: &Leg, who: Who, url: &str) -> Letter {
        letter(url, &Form::answered_by(&leg.facts, who))
    }

    fn stream_told(
        &self,
        leg: &Leg,
        stream: &Stream,
        id: &str,
        what: &StreamTold,
    ) -> Option<Letter> {
        let mut form = Form::stream(&leg.facts, id, what.as_str(), clock::now());
        if let StreamTold::Failed(problem) = what {
            form.add("StreamError", problem.to_string());
            form.add("StreamErrorCode", problem.code.to_string());
        }
        stream.status_callback.as_ref().map(|url| letter(url, &form))
    }

    fn wire(&self, leg: &Leg, stream: &Stream, id: &str) -> Box<dyn Wire> {
        Box::new(wire::Messages::new(leg, stream, id, false))
    }

    fn router(&self, exchange: Arc<Inner>) -> Router {
        rest::router(exchange, rest::TWILIO.base)
    }

    fn error(&self, status: u16, code: Option<u32>, message: &str) -> Response {
        rest::error(status, code.unwrap_or(20_500), message)
    }
}

/// What is asked besides the call itself.
pub(super) fn asked(mut form: Form, asking: &Asking) -> Form {
    if let Some(who) = asking.answered_by {
        form.add("AnsweredBy", form::verdict(who));
    }
    if let Some((problem, url)) = &asking.failed {
        form.add("ErrorCode", problem.code.to_string());
        form.add("ErrorUrl", url);
    }
    if let Some(dialled) = asking.dialled {
        form.add("DialCallSid", sid("CA"));
        form.add("DialCallStatus", super::form::word(dialled.outcome));
        form.add("DialBridged", dialled.talked.is_some().to_string());
        if let Some(talked) = dialled.talked {
            form.add("DialCallDuration", talked.as_secs().to_string());
        }
    }
    form
}

fn letter(url: &str, form: &Form) -> Letter {
    Letter::form(url, form.encoded())
        .with("i-twilio-idempotency-token", &Uuid::new_v4().to_string())
}

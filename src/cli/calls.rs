//! `calls`: what is going on, what went on, and why; and a hang-up by hand.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Daemon, Failure,
    client::{Client, list, segment},
    out, sse, timeline,
};
use crate::domain::CallId;

/// Between two attempts to follow a daemon that is away: it may be restarting.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

const PATH: &str = "/switchback/v1/calls";

/// Lists calls, newest first; shows one; follows them as they happen.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    #[command(subcommand)]
    command: Option<CallsCommand>,
    /// Print what happens to calls, as it happens
    #[arg(long)]
    follow: bool,
    /// Only calls in progress
    #[arg(long)]
    live: bool,
    /// How many to list
    #[arg(long, default_value_t = 20)]
    limit: u8,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum CallsCommand {
    /// Show one call from its webhook to its end
    Show {
        /// Its id, the carrier's id of it, a phone number (its latest call), or `last`
        call: String,
    },
    /// End a call in progress
    Hangup {
        /// Its id, the carrier's id of it, a phone number (its latest call), or `last`
        call: String,
    },
}

impl Calls {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        if self.command.is_some() && (self.follow || self.live) {
            let message = "--follow and --live go with the list, not with show and hangup";
            return Err(Failure::Usage(message.to_owned()));
        }
        let client = Client::new(&self.daemon)?;
        match &self.command {
            None if self.follow => self.follow(&client)?,
            None => self.list(&client)?,
            Some(CallsCommand::Show { call }) => {
                let call = find(&client, call)?;
                if self.daemon.json {
                    out::json(&call);
                } else {
                    timeline::of(&call).iter().for_each(|line| out::line(line));
                }
            }
            Some(CallsCommand::Hangup { call }) => {
                let id = timeline::text(&find(&client, call)?, "/id").to_owned();
                let path = format!("{PATH}/{}/hangup", segment(&id));
                let answer = client.ask(Method::POST, &path, &[], None)?;
                if self.daemon.json {
                    out::json(&answer);
                } else {
                    out::line(&format!("hanging up {id}"));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self, client: &Client<'_>) -> Result<(), Failure> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.live.then(|| ("live", "true".to_owned())));
        let answer = client.ask(Method::GET, PATH, &query, None)?;
        if self.daemon.json {
            out::json(&answer);
            return Ok(());
        }
        let heading = ["STARTED", "FROM", "TO", "AGENT", "REASON", "STATUS", "TALKED", "ID"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(list(&answer).iter().map(|call| row(call).to_vec()));
        out::table(&rows);
        Ok(())
    }

    /// Prints events until nobody reads them. A daemon that was there and is away is waited for.
    fn follow(&self, client: &Client<'_>) -> Result<(), Failure> {
        if self.live && !self.daemon.json {
            self.list(client)?;
        }
        let mut parser = sse::Parser::default();
        let mut was_there = false;
        let mut said = String::new();
        loop {
            let from = parser.last_id().map(str::to_owned);
            let read = &mut |piece: &[u8]| {
                was_there = true;
                parser.take(piece).iter().all(|event| self.tell(event))
            };
            match client.stream("/switchback/v1/events", from.as_deref(), read) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(failure) if !was_there => return Err(failure),
                // Once, not every second.
                Err(Failure::Refused(why) | Failure::Usage(why)) if why != said => {
                    out::problem(&why);
                    said = why;
                }
                Err(_) => {}
            }
            parser.broke_off();
            std::thread::sleep(RECONNECT_WAIT);
        }
    }

    /// Prints an event; whether anybody still reads.
    fn tell(&self, event: &sse::Event) -> bool {
        let told: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
        if self.daemon.json {
            return out::try_line(&told.to_string());
        }
        if event.kind == "reset" {
            out::problem("some events were missed; `switchback calls` lists what is known");
            return true;
        }
        out::try_line(&happened(&event.kind, told.get("call").unwrap_or(&Value::Null)))
    }
}

/// The call that is meant.
fn find(client: &Client<'_>, named: &str) -> Result<Value, Failure> {
    if named.parse::<CallId>().is_ok() {
        return client.ask(Method::GET, &format!("{PATH}/{named}"), &[], None);
    }
    let newest = |name: &'static str, value: &str| -> Result<Option<Value>, Failure> {
        let mut query = vec![("limit", "1".to_owned())];
        query.extend((!name.is_empty()).then(|| (name, value.to_owned())));
        Ok(list(&client.ask(Method::GET, PATH, &query, None)?).first().cloned())
    };
    let found = if named == "last" {
        newest("", "")?
    } else if named.starts_with('+') {
        let calls = [newest("from", named)?, newest("to", named)?];
        let started = |call: &Value| timeline::time(call, "/created_at");
        calls.into_iter().flatten().max_by_key(started)
    } else {
        newest("carrier_call_id", named)?
    };
    found.ok_or_else(|| {
        let what = if named == "last" { "there is no call yet" } else { "no call is known by" };
        Failure::Refused(
            format!("{what} {}", if named == "last" { "" } else { named }).trim().into(),
        )
    })
}

fn row(call: &Value) -> [String; 8] {
    [
        timeline::text(call, "/created_at").split('.').next().unwrap_or_default().to_owned(),
        timeline::or(call, "/from", "(no number)").to_owned(),
        timeline::or(call, "/to", "-").to_owned(),
        timeline::agent(call).to_owned(),
        timeline::or(call, "/reason", "-").to_owned(),
        timeline::text(call, "/status").to_owned(),
        timeline::talked(call).unwrap_or_else(|| "-".to_owned()),
        timeline::text(call, "/id").to_owned(),
    ]
}

/// One line for what happened.
fn happened(kind: &str, call: &Value) -> String {
    let text = |at| timeline::or(call, at, "-");
    let what = kind.strip_prefix("call.").unwrap_or(kind);
    let time = text("/updated_at").get(11..19).unwrap_or("--:--:--");
    let detail = match what {
        "started" => format!("{}, {}", text("/reason"), timeline::agent(call)),
        "ended" => timeline::end(call),
        "updated" => match call.pointer("/targets_tried").and_then(Value::as_array) {
            Some(tried) if !tried.is_empty() => timeline::tried(tried.last().unwrap_or(&json!({}))),
            Some(_) | None => text("/status").to_owned(),
        },
        _ => timeline::agent(call).to_owned(),
    };
    let (id, from, to) = (text("/id"), text("/from"), text("/to"));
    format!("{time}  {what:<8}  {id}  {from} -> {to}  {detail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let call = json!({
            "id": "c1", "from": "+14155550137", "to": "+12125550142", "reason": "callback",
            "agent_name": "Return desk", "updated_at": "2026-11-22T03:01:21.5Z",
            "status": "completed", "ended_by": "caller", "targets_tried": []
        });
        let expected =
            "03:01:21  started   c1  +14155550137 -> +12125550142  callback, Return desk";
        assert_eq!(happened("call.started", &call), expected);
        let line = happened("call.ended", &call);
        assert!(line.ends_with("completed: the caller hung up"), "{line}");
    }
}

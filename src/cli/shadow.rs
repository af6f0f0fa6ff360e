//! `shadow`: where our rule would have agreed with a hosted service, call by past call.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{
    Daemon, Failure,
    client::{Client, segment},
    out,
};

/// Says how a hosted service's past calls would have been routed.
#[derive(Debug, Args)]
pub(crate) struct Shadow {
    /// The upstream's name, as in the configuration
    name: String,
    #[command(flatten)]
    daemon: Daemon,
}

impl Shadow {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        let path = format!("/switchback/v1/upstreams/{}/shadow", segment(&self.name));
        let report = client.ask(Method::GET, &path, &[], None)?;
        let differing = report.get("differing").and_then(Value::as_array);
        let differing = differing.map(Vec::as_slice).unwrap_or_default();
        if self.daemon.json {
            out::json(&report);
        } else {
            print(&report, differing);
        }
        Ok(if differing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn print(report: &Value, differing: &[Value]) {
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (calls, agreed) = (count("calls"), count("agreed"));
    out::line(&format!("{calls} past inbound calls, {agreed} routed alike"));
    if differing.is_empty() {
        return;
    }
    let heading = ["at", "from", "to", "theirs", "ours", "reason", "call"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for call in differing {
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let agent = |whose: &str| {
            let agent = call.get(whose).filter(|agent| !agent.is_null());
            let name = agent.map(|agent| agent.get("name").and_then(Value::as_str));
            name.map_or("nobody", |name| name.unwrap_or("an agent that is gone")).to_owned()
        };
        let (theirs, ours) = (agent("theirs"), agent("ours"));
        let row = [text("at"), text("from"), text("to"), theirs, ours, text("reason")];
        rows.push(row.into_iter().chain([text("call_id")]).collect());
    }
    out::table(&rows);
}

//! `doctor`: is this installation well? Each finding comes with its remedy.

mod carriers;
mod daemon;
mod finding;
mod routes;
mod runtimes;
mod through;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::{
    Daemon, Failure,
    client::{Client, list, text},
    data_dir, import, signature,
};
use crate::{
    config::{Config, process_env},
    runtime::{self, Dialer},
};
use finding::{Finding, Health, report};
use routes::Tenant;

/// Accounts that are looked at, one after another.
const ACCOUNTS_MAX: usize = 20;

const DOING: &str = "{spinner} {msg}, {elapsed}";

/// Checks configuration, clock, public URL, carriers, runtimes and routes; or one request's
/// signature.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    /// A configuration file to check, besides what the running daemon uses
    #[arg(long)]
    config: Option<PathBuf>,
    /// How long to hold a media socket open through the public URL: 90s, 5m
    #[arg(long, default_value = "5s", value_parser = duration)]
    hold: Duration,
    /// Do not call the agents' runtimes
    #[arg(long)]
    no_runtimes: bool,
    /// An operator's key, for the signed webhook and the socket; else --key is used
    #[arg(long, env = "SWITCHBACK_OPERATOR_KEY", hide_env_values = true)]
    operator_key: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// Does this request verify, and if not, which reading of it would?
    Signature(signature::Signature),
}

/// `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number with s, m or h, such as 90s".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = count.checked_mul(unit).filter(|seconds| *seconds <= 3600).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

impl Doctor {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        if let Some(DoctorCommand::Signature(signature)) = self.command {
            return signature.run(self.daemon.json);
        }
        let mut findings = Vec::new();
        let ca_file = self.check_config(&mut findings);
        let client = Client::new(&self.daemon)?;
        match client.ask(Method::GET, "/switchback/v1/status", &[], None) {
            Ok(status) => self.look(&client, &status, ca_file, &mut findings)?,
            Err(Failure::Refused(message) | Failure::Usage(message)) => {
                findings.push(Finding::ill(
                    "daemon",
                    message,
                    "start it with `switchback serve`; say where it is by --url and --key",
                ))
            }
        }
        report(&findings, self.daemon.json);
        let ill = findings.iter().any(|finding| finding.health == Health::Ill);
        Ok(if ill { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// The file, where one is named; and what it says of whom runtimes are believed to be.
    fn check_config(&self, findings: &mut Vec<Finding>) -> Option<PathBuf> {
        let path = self.config.as_ref()?;
        match Config::load(Some(path), &data_dir(), &process_env) {
            Ok(config) => {
                findings.push(Finding::well("config", format!("{} can be used", path.display())));
                config.runtime.ca_file
            }
            Err(error) => {
                let remedy = "correct the key; config/switchback.toml shows every one";
                findings.push(Finding::ill("config", error.to_string(), remedy));
                None
            }
        }
    }

    fn look(
        &self,
        client: &Client<'_>,
        status: &Value,
        ca_file: Option<PathBuf>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let doing = import::progress(None, !self.daemon.json, DOING);
        daemon::examine(client, status, findings);
        let operator_key = self.operator_key.clone().or_else(|| self.daemon.key.clone());
        let operator = Daemon { key: operator_key, ..self.daemon.clone() };
        let operator = Client::new(&operator)?;
        let settings = runtime::Settings { allow_private: true, ca_file };
        let dialer = Dialer::new(&settings).map_err(Failure::Usage)?;
        doing.set_message("asking through the public URL");
        let accounts = accounts(client, &operator, status);
        reach(client, &operator, status, &accounts, findings);
        doing.set_message(format!("holding a media socket for {} s", self.hold.as_secs()));
        findings.push(self.hold(&operator, &dialer));
        for account in &accounts {
            doing.set_message(format!("asking the carrier of {}", text(account, "name")));
            carriers::look(&operator, account, findings);
        }
        match Tenant::read(client) {
            Ok(tenant) => {
                doing.set_message("looking at the routes");
                tenant.examine(client, findings);
                if !self.no_runtimes {
                    let live: Vec<Value> = tenant.answering().cloned().collect();
                    for (target, agent) in runtimes::named(&live) {
                        doing.set_message(format!("calling {target}"));
                        findings.push(client.wait(runtimes::call(&dialer, &target, &agent)));
                    }
                }
            }
            Err(Failure::Refused(why) | Failure::Usage(why)) => findings.push(Finding::doubtful(
                "routes",
                format!("no tenant's numbers and agents can be seen: {why}"),
                "give a tenant's key (--key), and an operator's by --operator-key",
            )),
        }
        doing.finish_and_clear();
        Ok(())
    }

    /// A media socket through the public URL.
    fn hold(&self, operator: &Client<'_>, dialer: &Dialer) -> Finding {
        let path = "/switchback/v1/probe-socket";
        match operator.answer_to(Method::POST, path, None) {
            Ok((200, answer)) => {
                let url = text(&answer, "url").to_owned();
                operator.wait(through::socket(dialer, &url, self.hold))
            }
            Ok((_, answer)) => Finding::doubtful(
                "socket",
                format!("no media socket could be tried: {}", text(&answer, "error")),
                "give an operator's key (--operator-key or SWITCHBACK_OPERATOR_KEY)",
            ),
            Err(error) => Finding::doubtful("socket", error, ""),
        }
    }
}

/// The accounts, as whoever may see them sees them; else their names.
fn accounts(client: &Client<'_>, operator: &Client<'_>, status: &Value) -> Vec<Value> {
    let ask = |client: &Client<'_>| {
        let query = [("limit", "100".to_owned())];
        client.ask(Method::GET, "/switchback/v1/carrier-accounts", &query, None)
    };
    let listed = ask(operator).or_else(|_| ask(client)).unwrap_or_default();
    let named = status.get("accounts").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    let whole = named.map(|name| {
        let found = list(&listed).iter().find(|account| text(account, "name") == name);
        found.cloned().unwrap_or_else(|| serde_json::json!({ "name": name }))
    });
    whole.take(ACCOUNTS_MAX).collect()
}

/// Webhooks through the public URL.
fn reach(
    client: &Client<'_>,
    operator: &Client<'_>,
    status: &Value,
    accounts: &[Value],
    findings: &mut Vec<Finding>,
) {
    let public_url = text(status, "public_url");
    if accounts.is_empty() {
        findings.push(Finding::doubtful(
            "accounts",
            "no carrier account is configured: no webhook will be answered",
            "add a [[carrier_accounts]] to the configuration",
        ));
    }
    for account in accounts {
        let url = format!("{public_url}/carriers/{}/voice", text(account, "name"));
        if through::unsigned(client, &url, findings) {
            findings.push(through::signed(operator, account, public_url));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_are_read() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("2h", None),
            ("90", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}

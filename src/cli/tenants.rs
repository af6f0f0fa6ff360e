//! `tenants`: who shares the installation. For operators.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Daemon, Failure, client::Client, keys::list, out};

/// Makes, lists and removes tenants.
#[derive(Debug, Args)]
pub(crate) struct Tenants {
    #[command(subcommand)]
    command: TenantsCommand,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum TenantsCommand {
    /// Make a tenant
    Create {
        /// Its name, unique in the installation
        name: String,
    },
    /// List tenants
    List,
    /// Remove a tenant with all that it has: there is no way back
    Remove {
        /// Its name or id
        tenant: String,
        /// Says that this is meant
        #[arg(long, required = true)]
        yes: bool,
    },
}

const PATH: &str = "/switchback/v1/tenants";

impl Tenants {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        let fields = &["id", "name", "created_at"];
        match self.command {
            TenantsCommand::Create { name } => {
                let body = json!({ "name": name });
                let made = client.ask(Method::POST, PATH, &[], Some(&body))?;
                if self.daemon.json {
                    out::json(&made);
                } else {
                    list(&json!({ "data": [made] }), fields);
                }
            }
            TenantsCommand::List => {
                let answer = client.ask(Method::GET, PATH, &[("limit", "100".to_owned())], None)?;
                if self.daemon.json {
                    out::json(&answer);
                } else {
                    list(&answer, fields);
                }
            }
            TenantsCommand::Remove { tenant, yes: _ } => {
                let id = find(&client, &tenant)?;
                client.ask(Method::DELETE, &format!("{PATH}/{id}"), &[], None)?;
                if self.daemon.json {
                    out::json(&json!({ "removed": id }));
                } else {
                    out::line(&format!("removed {tenant}"));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The id of the tenant of that name or id.
fn find(client: &Client<'_>, named: &str) -> Result<String, Failure> {
    let mut query = vec![("limit", "100".to_owned())];
    loop {
        let page = client.ask(Method::GET, PATH, &query, None)?;
        let tenants = page.get("data").and_then(Value::as_array);
        let tenants = tenants.map(Vec::as_slice).unwrap_or_default();
        let text = |tenant: &Value, field| tenant.get(field)?.as_str().map(str::to_owned);
        let found = tenants
            .iter()
            .find(|tenant| ["name", "id"].iter().any(|by| tenant.get(by) == Some(&json!(named))));
        if let Some(id) = found.and_then(|tenant| text(tenant, "id")) {
            return Ok(id);
        }
        let last = tenants.last().filter(|_| page.get("has_more") == Some(&json!(true)));
        match last.and_then(|tenant| text(tenant, "id")) {
            Some(last) => query = vec![("limit", "100".to_owned()), ("starting_after", last)],
            None => return Err(Failure::Refused(format!("there is no tenant {named}"))),
        }
    }
}

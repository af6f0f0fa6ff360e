//! `tenants`: who shares the installation. For operators.

use std::{ops::ControlFlow, process::ExitCode};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::{
    Daemon, Failure,
    client::{Client, text},
    keys::list,
    out,
};

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
    let mut found = None;
    client.each(PATH, |tenant| {
        if ["name", "id"].iter().any(|by| text(tenant, by) == named) {
            found = Some(text(tenant, "id").to_owned());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    found.ok_or_else(|| Failure::Refused(format!("there is no tenant {named}")))
}

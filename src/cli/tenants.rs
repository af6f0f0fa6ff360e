//! `tenants`: who shares the installation. For operators.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::{Daemon, Failure, client::Client, keys::list, out};

/// Makes and lists tenants.
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
        }
        Ok(ExitCode::SUCCESS)
    }
}

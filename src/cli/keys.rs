//! `keys`: API keys. A key is shown once, when it is made.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Daemon, Failure, client::Client, out};

/// Makes, lists and revokes API keys.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key; it is shown this once
    Create {
        /// A name to recognise it by
        #[arg(long)]
        name: String,
        /// The tenant it opens, by name or id (an operator may choose)
        #[arg(long)]
        tenant: Option<String>,
        /// What it opens
        #[arg(long, value_enum, default_value_t = Scope::Tenant)]
        scope: Scope,
    },
    /// List keys, without the keys themselves
    List,
    /// Revoke a key, at once and for good
    Revoke {
        /// Its id, from `list`
        id: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// Everything of one tenant
    Tenant,
    /// Tenants and keys of the installation
    Operator,
}

const PATH: &str = "/switchback/v1/keys";

impl Keys {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        match self.command {
            KeysCommand::Create { name, tenant, scope } => {
                let scope = match scope {
                    Scope::Tenant => "tenant",
                    Scope::Operator => "operator",
                };
                let body = json!({ "name": name, "tenant": tenant, "scope": scope });
                let made = client.ask(Method::POST, PATH, &[], Some(&body))?;
                if self.daemon.json {
                    out::json(&made);
                } else {
                    let key = made.get("key").and_then(Value::as_str).unwrap_or_default();
                    out::line(key);
                    out::problem("this key is shown only now; keep it where secrets are kept");
                }
            }
            KeysCommand::List => {
                let answer = client.ask(Method::GET, PATH, &[("limit", "100".to_owned())], None)?;
                if self.daemon.json {
                    out::json(&answer);
                } else {
                    list(&answer, &["id", "name", "scope", "tenant_id", "hint", "revoked_at"]);
                }
            }
            KeysCommand::Revoke { id } => {
                let path = format!("{PATH}/{}", super::client::segment(&id));
                let answer = client.ask(Method::DELETE, &path, &[], None)?;
                if self.daemon.json {
                    out::json(&answer);
                } else {
                    out::line(&format!("revoked {id}"));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the rows of a list answer, a column a field.
pub(super) fn list(answer: &Value, fields: &[&str]) {
    let mut rows = vec![fields.iter().map(|field| field.to_uppercase()).collect::<Vec<_>>()];
    for row in answer.get("data").and_then(Value::as_array).into_iter().flatten() {
        let cell = |field: &&str| match row.get(*field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "-".to_owned(),
            Some(other) => other.to_string(),
        };
        rows.push(fields.iter().map(cell).collect());
    }
    out::table(&rows);
}

//! `keys`: API keys. A key is shown once, when it is made or put in another's place.

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
    /// Make a key, or with --rotate one in another's place; it is shown this once
    Create {
        /// A name to recognise it by; with --rotate it keeps the other's
        #[arg(long, required_unless_present = "rotate")]
        name: Option<String>,
        /// The tenant it opens, by name or id (an operator may choose)
        #[arg(long, conflicts_with = "rotate")]
        tenant: Option<String>,
        /// What it opens (a tenant or, with operator, the installation) and what it may do there
        /// (read, write, calls; without any, all of them); may be repeated
        #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "rotate")]
        scope: Vec<Scope>,
        /// When it ends by itself, such as 2027-01-01T00:00:00Z
        #[arg(long, conflicts_with = "rotate")]
        expires: Option<String>,
        /// The id of the key whose place it takes, with all that it may do
        #[arg(long, conflicts_with = "name")]
        rotate: Option<String>,
        /// For how many seconds the other is good yet; a day if it is not said
        #[arg(long, requires = "rotate", conflicts_with = "name")]
        overlap: Option<u32>,
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
    /// Look
    Read,
    /// Change what is configured or remembered
    Write,
    /// Place calls and steer those in progress
    Calls,
}

impl Scope {
    /// What it may do, where this says so.
    const fn may(self) -> Option<&'static str> {
        match self {
            Self::Tenant | Self::Operator => None,
            Self::Read => Some("read"),
            Self::Write => Some("write"),
            Self::Calls => Some("calls"),
        }
    }
}

const PATH: &str = "/switchback/v1/keys";
const COLUMNS: &[&str] = &[
    "id",
    "name",
    "scope",
    "scopes",
    "tenant_id",
    "hint",
    "expires_at",
    "last_used_at",
    "revoked_at",
];

impl Keys {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        match self.command {
            KeysCommand::Create { name, tenant, scope, expires, rotate, overlap } => {
                let (path, body) = match rotate {
                    Some(id) => {
                        let path = format!("{PATH}/{}/rotate", super::client::segment(&id));
                        (path, json!({ "overlap_seconds": overlap }))
                    }
                    None => {
                        let (name, tenant) = (name.as_deref(), tenant.as_deref());
                        (PATH.to_owned(), new_key(name, tenant, &scope, expires.as_deref()))
                    }
                };
                let made = client.ask(Method::POST, &path, &[], Some(&body))?;
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
                    list(&answer, COLUMNS);
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

fn new_key(
    name: Option<&str>,
    tenant: Option<&str>,
    scope: &[Scope],
    expires: Option<&str>,
) -> Value {
    let is_operator = scope.iter().any(|scope| matches!(scope, Scope::Operator));
    let scopes: Vec<_> = scope.iter().filter_map(|scope| scope.may()).collect();
    json!({
        "name": name,
        "tenant": tenant,
        "scope": if is_operator { "operator" } else { "tenant" },
        "scopes": if scopes.is_empty() { Value::Null } else { json!(scopes) },
        "expires_at": expires,
    })
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

//! `apply`, `export`, `replay` and `revisions`: a tenant's configuration as one file, what a change
//! of it would come to, and the way back.

use std::{
    fs,
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::Value;

use super::{
    Daemon, Failure,
    client::{Client, segment},
    keys::list,
    out,
};

const REVISIONS: &str = "/switchback/v1/revisions";

/// Makes a file true.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file, in YAML or JSON
    #[arg(short, long)]
    file: PathBuf,
    /// Say what would change, and change nothing
    #[arg(long)]
    plan: bool,
    /// Archive agents and remove numbers that the file does not name, of the kinds it lists
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    daemon: Daemon,
}

impl Apply {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let query = [("plan", self.plan.to_string()), ("prune", self.prune.to_string())];
        let answer = send(&self.daemon, "/switchback/v1/apply", &query, &self.file)?;
        show(&answer, self.daemon.json);
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the whole configuration as a file.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Export {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        let path = "/switchback/v1/export";
        if self.format == Format::Json || self.daemon.json {
            let query = [("format", "json".to_owned())];
            out::json(&client.ask(Method::GET, path, &query, None)?);
        } else {
            let text = client.fetch(path, &[("format", "yaml".to_owned())])?;
            out::line(text.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says which recorded calls would have gone elsewhere after a change.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The change: a file as `apply` takes it
    #[arg(long)]
    change: PathBuf,
    /// How far back: 90m, 24h, 7d
    #[arg(long, default_value = "24h")]
    since: String,
    /// As for `apply`
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    daemon: Daemon,
}

impl Replay {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let (mut calls, mut moved, mut next) = (0, 0, None::<String>);
        loop {
            let mut query = vec![("since", self.since.clone()), ("prune", self.prune.to_string())];
            query.extend(next.map(|next| ("starting_after", next)));
            let answer = send(&self.daemon, "/switchback/v1/replay", &query, &self.change)?;
            let changed = answer.get("changed").and_then(Value::as_array);
            let changed = changed.map(Vec::as_slice).unwrap_or_default();
            calls += answer.get("calls").and_then(Value::as_u64).unwrap_or(0);
            moved += changed.len();
            if self.daemon.json {
                out::json(&answer);
            } else {
                changed.iter().for_each(|call| out::line(&replayed(call)));
            }
            next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() {
                if !self.daemon.json {
                    out::line(&format!("{moved} of {calls} calls would go elsewhere"));
                    for note in answer.get("approximate").and_then(Value::as_array).iter() {
                        note.iter().for_each(|note| out::line(&format!("note: {}", told(note))));
                    }
                }
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn replayed(call: &Value) -> String {
    let word = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), told);
    let lands = |side: &str| {
        let side = call.get(side);
        let reason = word(side.and_then(|side| side.get("reason")));
        match side.and_then(|side| side.pointer("/agent/name")) {
            Some(agent) => format!("{reason}, {}", told(agent)),
            None => reason,
        }
    };
    let (at, from, to) = (word(call.get("at")), word(call.get("from")), word(call.get("to")));
    format!("{at}  {from} dials {to}: {} -> {}", lands("before"), lands("after"))
}

/// The history of the configuration, and the way back.
#[derive(Debug, Args)]
pub(crate) struct Revisions {
    #[command(subcommand)]
    command: Option<RevisionsCommand>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum RevisionsCommand {
    /// List revisions, newest first
    List,
    /// Show what one did
    Show {
        /// Its id, or `last`
        id: String,
    },
    /// Put everything back as it was after one
    Rollback {
        /// Its id, or `last`
        id: String,
        /// Undo that revision too: as it was before it
        #[arg(long)]
        before: bool,
        /// Say what would change, and change nothing
        #[arg(long)]
        plan: bool,
    },
}

impl Revisions {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.daemon)?;
        let is_json = self.daemon.json;
        match self.command.unwrap_or(RevisionsCommand::List) {
            RevisionsCommand::List => {
                let query = [("limit", "100".to_owned())];
                let answer = client.ask(Method::GET, REVISIONS, &query, None)?;
                if is_json {
                    out::json(&answer);
                } else {
                    list(&answer, &["id", "at", "summary", "created", "updated", "deleted"]);
                }
            }
            RevisionsCommand::Show { id } => {
                let path = format!("{REVISIONS}/{}", segment(&named(&client, id)?));
                show(&client.ask(Method::GET, &path, &[], None)?, is_json);
            }
            RevisionsCommand::Rollback { id, before, plan } => {
                let path = format!("{REVISIONS}/{}/rollback", segment(&named(&client, id)?));
                let query = [("before", before.to_string()), ("plan", plan.to_string())];
                show(&client.ask(Method::POST, &path, &query, None)?, is_json);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The id that is meant.
fn named(client: &Client<'_>, id: String) -> Result<String, Failure> {
    if id != "last" {
        return Ok(id);
    }
    let answer = client.ask(Method::GET, REVISIONS, &[("limit", "1".to_owned())], None)?;
    let last = answer.pointer("/data/0/id").and_then(Value::as_str);
    last.map(str::to_owned).ok_or_else(|| Failure::Refused("there is no revision yet".to_owned()))
}

/// Sends a file.
fn send(
    daemon: &Daemon,
    path: &str,
    query: &[(&str, String)],
    file: &Path,
) -> Result<Value, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let is_json = file.extension().is_some_and(|end| end == "json");
    let kind = if is_json { "application/json" } else { "application/yaml" };
    Client::new(daemon)?.post_text(path, query, kind, text).map_err(|failure| match failure {
        Failure::Refused(said) => Failure::Refused(format!("{}: {said}", file.display())),
        Failure::Usage(said) => Failure::Usage(said),
    })
}

/// Prints what was changed, or would be.
fn show(answer: &Value, is_json: bool) {
    if is_json {
        return out::json(answer);
    }
    let changes = answer.get("changes").and_then(Value::as_array);
    let changes = changes.map(Vec::as_slice).unwrap_or_default();
    let is_coloured = stdout().is_terminal();
    changes.iter().for_each(|change| print(change, is_coloured));
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        out::line(&format!("warning: {}", warning.get("message").map(told).unwrap_or_default()));
    }
    let is_plan = answer.get("planned").and_then(Value::as_bool).unwrap_or(false);
    match (changes.len(), answer.get("revision").and_then(Value::as_str)) {
        (0, _) => out::line("no changes"),
        (count, _) if is_plan => out::line(&format!("{count} changes planned")),
        (count, Some(revision)) => out::line(&format!("{count} changes, revision {revision}")),
        (count, None) => out::line(&format!("{count} changes")),
    }
}

/// One thing, and under it each of its fields.
fn print(change: &Value, is_coloured: bool) {
    let word = |name: &str| change.get(name).map(told).unwrap_or_default();
    let (sign, colour) = match word("action").as_str() {
        "create" => ("+", 32),
        "delete" => ("-", 31),
        _ => ("~", 33),
    };
    let paint = |line: String, colour: u8| {
        out::line(&if is_coloured { format!("\x1b[{colour}m{line}\x1b[0m") } else { line });
    };
    paint(format!("{sign} {} {}", word("kind"), word("name")), colour);
    for field in change.get("fields").and_then(Value::as_array).into_iter().flatten() {
        let name = field.get("field").map(told).unwrap_or_default();
        for (side, sign, colour) in [("before", "-", 31), ("after", "+", 32)] {
            if let Some(value) = field.get(side).filter(|value| !value.is_null()) {
                paint(format!("    {sign} {name}: {}", told(value)), colour);
            }
        }
    }
}

/// A value as people read it.
fn told(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

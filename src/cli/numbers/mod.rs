//! `numbers`: who answers the numbers of carrier accounts, pointing them here, and back.
//!
//! Nothing is changed at a carrier unless numbers are named, or all of them are meant by `--all`.

mod told;

use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Daemon, Failure,
    client::{Client, segment, text},
    import::progress,
    out,
};
use crate::domain::E164;
use told::{Told, answerer, print_check};

/// Numbers of one request, as the API takes them.
const NUMBERS_MAX: usize = 1000;

const LISTING: &str = "{spinner} {pos} numbers listed, {msg}, {elapsed}";
const CHANGING: &str = "{spinner} {pos} of {len} numbers, {msg}, {elapsed}";

/// Shows who answers numbers at their carrier, points them here, and puts them back.
#[derive(Debug, Args)]
pub(crate) struct Numbers {
    #[command(subcommand)]
    command: NumbersCommand,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum NumbersCommand {
    /// List the numbers of the carrier accounts, and who answers each today
    List {
        /// Only this carrier account
        #[arg(long)]
        account: Option<String>,
    },
    /// Point numbers here; who answers them today goes on answering what is no return call
    Point {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
        /// Do not hand calls on to who answers today: the agents here answer all of them
        #[arg(long)]
        no_passthrough: bool,
    },
    /// Put numbers back to what they were before they were pointed here
    Unpoint {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
        /// Also what somebody has changed at the carrier since
        #[arg(long)]
        force: bool,
    },
    /// Find numbers that were changed at their carrier since they were pointed here
    Check {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Numbers, such as +14155550100
    #[arg(value_parser = number)]
    numbers: Vec<String>,
    /// All numbers
    #[arg(long, conflicts_with = "numbers")]
    all: bool,
    /// Only of this carrier account
    #[arg(long)]
    account: Option<String>,
}

#[derive(Debug, Args)]
struct How {
    /// Change nothing, only show the plan
    #[arg(long)]
    dry_run: bool,
    /// Change so many numbers at most, to see how they do
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: Option<u32>,
}

fn number(text: &str) -> Result<String, String> {
    let number = E164::parse(text);
    number.map(|n| n.to_string()).ok_or_else(|| "must be a number such as +14155550100".to_owned())
}

impl Numbers {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let asker = Asker { client: Client::new(&self.daemon)?, json: self.daemon.json };
        match self.command {
            NumbersCommand::List { account } => asker.list(account.as_deref()),
            NumbersCommand::Point { which, how, no_passthrough } => {
                let fields = json!({ "passthrough": !no_passthrough });
                asker.change("point", &which, &how, &fields)
            }
            NumbersCommand::Unpoint { which, how, force } => {
                asker.change("unpoint", &which, &how, &json!({ "force": force }))
            }
            NumbersCommand::Check { which } => asker.check(&which),
        }
    }
}

struct Asker<'d> {
    client: Client<'d>,
    json: bool,
}

impl Asker<'_> {
    /// The accounts to be asked: the one that is named, or every one whose numbers the daemon can
    /// see.
    fn accounts(&self, named: Option<&str>) -> Result<Vec<String>, Failure> {
        if let Some(named) = named {
            return Ok(vec![named.to_owned()]);
        }
        let status = self.client.ask(Method::GET, "/switchback/v1/status", &[], None)?;
        let names = status.get("accounts").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let names: Vec<String> = names.collect();
        if names.is_empty() {
            let text =
                "there is no carrier account: add a [[carrier_accounts]] to the configuration";
            return Err(Failure::Refused(text.to_owned()));
        }
        Ok(names)
    }

    /// Every number of an account.
    fn numbers_at(&self, account: &str, bar: &ProgressBar) -> Result<Vec<Value>, Failure> {
        let path = path(account, "");
        let (mut numbers, mut page) = (Vec::new(), None::<String>);
        loop {
            let query: Vec<_> = page.iter().map(|page| ("page", page.clone())).collect();
            let mut answer = self.client.ask(Method::GET, &path, &query, None)?;
            if let Some(Value::Array(rows)) = answer.get_mut("data").map(Value::take) {
                bar.inc(u64::try_from(rows.len()).unwrap_or_default());
                numbers.extend(rows);
            }
            match answer.get("next_page").and_then(Value::as_str) {
                Some(next) => page = Some(next.to_owned()),
                None => return Ok(numbers),
            }
        }
    }

    /// Every account's numbers. An account that cannot be listed does not hide the others.
    fn everywhere(&self, named: Option<&str>) -> Result<Listed, Failure> {
        let bar = progress(None, !self.json, LISTING);
        let mut listed = Listed::default();
        for account in self.accounts(named)? {
            bar.set_message(account.clone());
            match self.numbers_at(&account, &bar) {
                Ok(numbers) => listed.accounts.push((account, numbers)),
                Err(Failure::Refused(why)) => listed.troubles.push((account, why)),
                Err(usage) => return Err(usage),
            }
        }
        bar.finish_and_clear();
        Ok(listed)
    }

    fn list(&self, named: Option<&str>) -> Result<ExitCode, Failure> {
        let listed = self.everywhere(named)?;
        if self.json {
            let rows = listed.accounts.iter().flat_map(|(account, numbers)| {
                numbers.iter().map(|number| with_account(number, account))
            });
            let errors = listed
                .troubles
                .iter()
                .map(|(account, why)| json!({ "account": account, "error": why }));
            out::json(&json!({
                "data": rows.collect::<Vec<_>>(), "errors": errors.collect::<Vec<_>>(),
            }));
        } else {
            let mut rows =
                vec![["NUMBER", "ACCOUNT", "STATE", "ANSWERED BY"].map(str::to_owned).to_vec()];
            for (account, numbers) in &listed.accounts {
                for number in numbers {
                    let answerer = number.get("answered_by").map(answerer).unwrap_or_default();
                    let state = text(number, "state").to_owned();
                    rows.push(vec![
                        text(number, "e164").to_owned(),
                        account.clone(),
                        state,
                        answerer,
                    ]);
                }
            }
            out::table(&rows);
            listed.tell_troubles();
        }
        Ok(listed.code())
    }

    /// Which numbers are meant, by account; and whether an account could not be listed.
    fn chosen(&self, which: &Which, verb: &str) -> Result<(Chosen, bool), Failure> {
        let listed = self.everywhere(which.account.as_deref())?;
        listed.tell_troubles();
        let mut left: Vec<&String> = which.numbers.iter().collect();
        let mut chosen = Chosen::new();
        for (account, numbers) in &listed.accounts {
            let mut of_account: Vec<String> = numbers
                .iter()
                .filter(|number| {
                    let state = text(number, "state");
                    verb == "point" || !["elsewhere", "unknown"].contains(&state)
                })
                .map(|number| text(number, "e164").to_owned())
                .filter(|number| which.numbers.is_empty() || which.numbers.contains(number))
                .collect();
            of_account.sort_unstable();
            left.retain(|number| !of_account.contains(number));
            if !of_account.is_empty() {
                chosen.insert(account.clone(), of_account);
            }
        }
        match (left.first(), listed.troubles.first()) {
            (Some(missing), None) => {
                Err(Failure::Refused(format!("no carrier account has {missing} to {verb}")))
            }
            (_, Some(_)) if chosen.is_empty() => {
                Err(Failure::Refused("nothing was changed".to_owned()))
            }
            (_, trouble) => Ok((chosen, trouble.is_some())),
        }
    }

    fn change(
        &self,
        verb: &'static str,
        which: &Which,
        how: &How,
        fields: &Value,
    ) -> Result<ExitCode, Failure> {
        let is_named = which.all || !which.numbers.is_empty();
        let dry_run = how.dry_run || !is_named;
        let (chosen, is_partial) = self.chosen(which, verb)?;
        let mut count = how.count;
        let mut told = Told::new(is_partial);
        let all: usize = chosen.values().map(Vec::len).sum();
        let bar = progress(u64::try_from(all).ok(), !self.json && !dry_run, CHANGING);
        for (account, numbers) in &chosen {
            bar.set_message(account.clone());
            let path = path(account, &format!("/{verb}"));
            for part in numbers.chunks(NUMBERS_MAX) {
                self.part(&path, account, part, (dry_run, &mut count), fields, &mut told, &bar)?;
            }
        }
        bar.finish_and_clear();
        told.print(self.json, dry_run, verb);
        if !is_named && !how.dry_run {
            let text = format!("nothing was changed: name the numbers to {verb}, or give --all");
            return Err(Failure::Usage(text));
        }
        Ok(if told.is_amiss() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// Numbers of one account, asked for again until none waits but those past the count.
    #[expect(clippy::too_many_arguments, reason = "each is one thing the loop carries")]
    fn part(
        &self,
        path: &str,
        account: &str,
        numbers: &[String],
        (dry_run, count): (bool, &mut Option<u32>),
        fields: &Value,
        told: &mut Told,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut waiting: Vec<String> = numbers.to_vec();
        loop {
            if *count == Some(0) {
                told.wait(account, &waiting);
                return Ok(());
            }
            let mut body = json!({ "numbers": waiting, "dry_run": dry_run, "count": *count });
            if let (Some(body), Some(fields)) = (body.as_object_mut(), fields.as_object()) {
                body.extend(fields.clone());
            }
            let answer = self.client.work(path, &body)?;
            let changed = told.add(account, &answer);
            bar.inc(changed);
            let done = u32::try_from(changed).unwrap_or(u32::MAX);
            *count = count.map(|left| left.saturating_sub(done));
            let still = told.take_waiting(account);
            // What does not get on is not asked for for ever.
            if dry_run || still.is_empty() || still.len() >= waiting.len() {
                told.wait(account, &still);
                return Ok(());
            }
            waiting = still;
        }
    }

    fn check(&self, which: &Which) -> Result<ExitCode, Failure> {
        let mut rows = Vec::new();
        let mut troubles = Vec::new();
        for account in self.accounts(which.account.as_deref())? {
            let body = match which.numbers.is_empty() {
                true => json!({}),
                false => json!({ "numbers": which.numbers }),
            };
            match self.client.work(&path(&account, "/check"), &body) {
                Ok(answer) => {
                    let numbers = answer.get("numbers").and_then(Value::as_array);
                    rows.extend(
                        numbers.into_iter().flatten().map(|row| with_account(row, &account)),
                    );
                }
                Err(Failure::Refused(why)) => troubles.push((account, why)),
                Err(usage) => return Err(usage),
            }
        }
        // A number that is asked for by name is at one of the accounts.
        if !which.numbers.is_empty() {
            let found: Vec<String> = rows
                .iter()
                .filter(|row| text(row, "state") != "gone")
                .map(|row| text(row, "e164").to_owned())
                .collect();
            rows.retain(|row| {
                text(row, "state") != "gone" || !found.contains(&text(row, "e164").to_owned())
            });
        }
        let is_amiss = |row: &Value| {
            ["unconfirmed", "changed", "outdated", "gone"].contains(&text(row, "state"))
        };
        let ok = troubles.is_empty() && !rows.iter().any(is_amiss);
        print_check(&rows, &troubles, ok, self.json);
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// Numbers by account.
type Chosen = BTreeMap<String, Vec<String>>;

/// What the carriers list.
#[derive(Default)]
struct Listed {
    accounts: Vec<(String, Vec<Value>)>,
    troubles: Vec<(String, String)>,
}

impl Listed {
    fn tell_troubles(&self) {
        for (account, why) in &self.troubles {
            out::problem(&format!("{account}: {why}"));
        }
    }

    fn code(&self) -> ExitCode {
        if self.troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

fn with_account(row: &Value, account: &str) -> Value {
    let mut row = row.clone();
    if let Some(fields) = row.as_object_mut() {
        fields.insert("account".to_owned(), account.into());
    }
    row
}

fn path(account: &str, rest: &str) -> String {
    format!("/switchback/v1/carrier-accounts/{}/numbers{rest}", segment(account))
}

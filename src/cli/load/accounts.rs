//! Whose carriers call, and who signs for them: accounts of a running daemon, of a configuration
//! file, or one that is spelled out.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use reqwest::Method;

use super::{
    super::{
        Daemon, Failure,
        call::account_of,
        client::{Client, list, segment, text},
        data_dir,
    },
    args::{Numbers, Weighted, weighted},
};
use crate::{
    config::{Config, process_env},
    domain::{Account, AccountOrigin, CarrierId, Secret},
    simulator::{
        Reach, Signer,
        load::{Caller, Pairs, Span},
    },
};

/// Numbers of an account that calls go to: more would not make a call different.
const NUMBERS_MAX: usize = 1000;

/// Whose carriers call.
#[derive(Debug, Args)]
pub(super) struct Accounts {
    /// Where the calls go: a daemon's carrier listener, or the whole URL of any application's voice
    /// webhook; by default the URL that the daemon tells its carriers
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The URL that is signed, where the calls reach the listener by another one; by default the
    /// one that the daemon tells its carriers, else --url
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A carrier account that calls, with its share of the calls: main, main=3. Several make a mix;
    /// by default all that are to be seen
    #[arg(long = "account", value_name = "NAME[=SHARE]", value_parser = weighted)]
    named: Vec<Weighted>,
    /// The accounts of this configuration file sign with their own secrets; no daemon is asked
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "secret"])]
    config: Option<PathBuf>,
    /// One account, of this kind: twilio, telnyx, ...; no daemon is asked
    #[arg(long, requires = "secret", value_parser = kind)]
    kind: Option<CarrierId>,
    /// What that account signs with, as `secrets` of its kind in a configuration file
    #[arg(long, requires = "kind", env = "SWITCHBACK_LOAD_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// The carrier's id for that account, which its webhooks tell
    #[arg(long, value_name = "ID", requires = "kind", default_value = "")]
    account_id: String,
    /// What accounts of Telnyx sign with: the seed, in base64, of an Ed25519 key whose public half
    /// is among the account's public_keys
    #[arg(long, value_name = "KEY", env = "SWITCHBACK_SIGNING_KEY", hide_env_values = true)]
    signing_key: Option<String>,
    /// The control API of the daemon whose accounts these are: it signs for its operator
    #[arg(
        long,
        value_name = "URL",
        env = "SWITCHBACK_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    control: String,
    /// An operator's key, for accounts and signatures
    #[arg(long, env = "SWITCHBACK_OPERATOR_KEY", hide_env_values = true)]
    operator_key: Option<String>,
    /// A tenant's key, for its numbers, where --to does not say who is called
    #[arg(long, env = "SWITCHBACK_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// A kind of account, by its name.
fn kind(text: &str) -> Result<CarrierId, String> {
    let known: Vec<&str> = CarrierId::ALL.iter().map(|kind| kind.as_str()).collect();
    text.parse().map_err(|_| format!("is none of {}", known.join(", ")))
}

impl Accounts {
    /// Where the calls go, and the accounts that they come by.
    pub(super) fn callers(&self, numbers: &Numbers) -> Result<(String, Vec<Caller>), Failure> {
        let (accounts, known_url) = match (self.kind, &self.config) {
            (Some(kind), _) => (vec![self.spelled_out(kind)?], None),
            (None, Some(file)) => {
                let config = Config::load(Some(file), &data_dir(), &process_env)?;
                let accounts = config.accounts.into_iter().map(|account| account.account);
                (self.chosen(accounts.collect())?, Some(config.edge.public_url))
            }
            (None, None) => return self.of_daemon(numbers),
        };
        let to = self.url.clone().or_else(|| known_url.clone());
        let to = to.ok_or_else(|| Failure::Usage("say where calls go: --url".to_owned()))?;
        let signed = self.public_url.clone().or(known_url).unwrap_or_else(|| to.clone());
        // Where media is elsewhere, its URLs are taken as they come.
        let media = signed.replacen("http", "ws", 1);
        let none = || Ok(Vec::new());
        let pairs = numbers.pairs(none).map_err(Failure::Usage)?;
        let callers = accounts.into_iter().map(|mut account| {
            let signer = self.signer_of(&mut account, || Ok(Signer::Account))?;
            let reach = reach(&signed, &media, &to);
            Ok(self.caller(account, signer, &signed, reach, pairs.clone()))
        });
        let callers = callers.collect::<Result<_, Failure>>()?;
        Ok((to, callers))
    }

    /// An account with nothing but its secret.
    fn spelled_out(&self, kind: CarrierId) -> Result<Account, Failure> {
        let name = match &self.named[..] {
            [] => String::new(),
            [one] => one.name.clone(),
            _ => {
                let message = "--kind spells out one account: give one --account, its name";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        let mut account = Account::named(name, kind, AccountOrigin::Api);
        account.account_id = self.account_id.clone();
        account.secrets = self.secret.iter().map(|text| Secret::new(text.clone())).collect();
        Ok(account)
    }

    /// Those that were named; all, where none was.
    fn chosen(&self, mut accounts: Vec<Account>) -> Result<Vec<Account>, Failure> {
        for Weighted { name, .. } in &self.named {
            if !accounts.iter().any(|account| account.name == *name) {
                return Err(Failure::Usage(format!("there is no account {name}")));
            }
        }
        let is_named = |name: &str| self.named.iter().any(|named| named.name == name);
        accounts.retain(|account| self.named.is_empty() || is_named(&account.name));
        if accounts.is_empty() {
            return Err(Failure::Usage("there is no carrier account that could call".to_owned()));
        }
        Ok(accounts)
    }

    fn weight(&self, name: &str) -> u32 {
        self.named.iter().find(|named| named.name == name).map_or(1, |named| named.weight)
    }

    /// The account's carrier, with the URLs that it was given: the daemon's own paths, unless the
    /// URL has one of its own.
    fn caller(
        &self,
        account: Account,
        signer: Signer,
        base: &str,
        reach: Reach,
        pairs: Pairs,
    ) -> Caller {
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        let (voice_url, status_url) = match rest.split_once('/') {
            Some((_, path)) if !path.is_empty() => (base.to_owned(), String::new()),
            _ => {
                let base = format!("{}/carriers/{}", base.trim_end_matches('/'), account.name);
                (format!("{base}/voice"), format!("{base}/status"))
            }
        };
        let weight = self.weight(&account.name);
        Caller { account, signer, voice_url, status_url, reach, weight, pairs }
    }

    /// Telnyx signs with a key that nobody else has.
    fn signer_of(
        &self,
        account: &mut Account,
        otherwise: impl FnOnce() -> Result<Signer, Failure>,
    ) -> Result<Signer, Failure> {
        if !matches!(account.carrier, CarrierId::Telnyx | CarrierId::TelnyxTexml) {
            return otherwise();
        }
        match &self.signing_key {
            Some(key) => {
                account.api.private_key = Some(Secret::new(key.clone()));
                Ok(Signer::Account)
            }
            None => Err(Failure::Usage(format!(
                "{}: Telnyx signs with a key that nobody else has: add the public half of one of \
                 yours to the account's public_keys and give --signing-key, or leave the account \
                 out",
                account.name
            ))),
        }
    }

    /// Accounts of a running daemon, which signs for its operator.
    fn of_daemon(&self, numbers: &Numbers) -> Result<(String, Vec<Caller>), Failure> {
        let daemon = |key: &Option<String>| Daemon {
            url: self.control.clone(),
            key: key.clone(),
            json: false,
        };
        let (operator, tenant) = (daemon(&self.operator_key), daemon(&self.key));
        let (operator, tenant) = (Client::new(&operator)?, Client::new(&tenant)?);
        let path = "/switchback/v1/carrier-accounts";
        let listed = operator.ask(Method::GET, path, &[], None)?;
        let mut accounts = Vec::new();
        for shown in list(&listed) {
            accounts.push(account_of(shown)?);
        }
        for Weighted { name, .. } in &self.named {
            // The list is one page.
            if !accounts.iter().any(|account| account.name == *name) {
                let path = format!("{path}/{}", segment(name));
                accounts.push(account_of(&operator.ask(Method::GET, &path, &[], None)?)?);
            }
        }
        let status = operator.ask(Method::GET, "/switchback/v1/status", &[], None)?;
        let known_url = text(&status, "public_url");
        let signed = self.public_url.clone().unwrap_or_else(|| known_url.to_owned());
        let to = self.url.clone().unwrap_or_else(|| known_url.to_owned());
        let mut callers = Vec::new();
        for mut account in self.chosen(accounts)? {
            let known = || known_numbers(&tenant, &account.name);
            let pairs = numbers.pairs(known).map_err(Failure::Usage)?;
            let daemon = || {
                Ok(Signer::Daemon {
                    url: self.control.trim_end_matches('/').to_owned(),
                    key: Secret::new(self.operator_key.clone().unwrap_or_default()),
                })
            };
            let signer = self.signer_of(&mut account, daemon)?;
            let reach = reach(&signed, text(&status, "media_url"), &to);
            callers.push(self.caller(account, signer, &signed, reach, pairs));
        }
        Ok((to, callers))
    }
}

/// What is signed with one URL is sent to another.
fn reach(signed: &str, media: &str, to: &str) -> Reach {
    let socket = to.replacen("http", "ws", 1);
    let instead = [(signed, to), (media, &socket)];
    let instead = instead.into_iter().filter(|(from, to)| from != to && !from.is_empty());
    let owned = |(from, to): (&str, &str)| {
        (from.trim_end_matches('/').to_owned(), to.trim_end_matches('/').to_owned())
    };
    Reach { instead: instead.map(owned).collect(), within: Vec::new() }
}

/// The numbers of the tenant at that account.
fn known_numbers(tenant: &Client<'_>, account: &str) -> Result<Vec<Span>, String> {
    let mut known = Vec::new();
    let listed = tenant.each("/v1/numbers", |number| {
        if text(number, "account") == account {
            known.extend(Span::parse(text(number, "e164")));
        }
        if known.len() < NUMBERS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    listed.map_err(|failure| match failure {
        Failure::Refused(text) | Failure::Usage(text) => {
            format!("say who is called (--to), or give a tenant's key (--key): {text}")
        }
    })?;
    Ok(known)
}

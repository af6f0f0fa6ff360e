//! `load route`: dry-run decisions over the control API.

use std::process::ExitCode;

use clap::Args;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    super::Failure,
    args::Numbers,
    shape::{Run, Shape},
};
use crate::simulator::{
    Sent,
    load::{self, Maker, Pairs, Ready, written},
};

/// Dry-run decisions, at a rate.
#[derive(Debug, Args)]
pub(super) struct Route {
    /// The control API's URL
    #[arg(long, env = "SWITCHBACK_URL", default_value = "http://127.0.0.1:8081")]
    url: String,
    /// A tenant's key
    #[arg(long, env = "SWITCHBACK_KEY", hide_env_values = true)]
    key: String,
    #[command(flatten)]
    numbers: Numbers,
    /// The carrier account, where two hold a number
    #[arg(long)]
    account: Option<String>,
    /// What every decision must hold, such as "\"reason\":\"callback\""
    #[arg(long, value_name = "TEXT", default_value = "")]
    expect: String,
    /// Another seed makes another choice of callers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    shape: Shape,
}

/// Makes the requests.
struct Asks {
    base: String,
    account: String,
    headers: HeaderMap,
    pairs: Pairs,
    seed: u64,
}

impl Maker for Asks {
    async fn make(&self, n: u64) -> Result<Ready, String> {
        let (from, to) = self.pairs.drawn(self.seed, n);
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (from, to) = (encoded(&from), encoded(&to));
        let url = format!("{}/switchback/v1/route?from={from}&to={to}{}", self.base, self.account);
        let headers = self.headers.clone();
        let sent = Sent { method: Method::GET, url, headers, body: String::new() };
        Ok(Ready { bytes: written(&sent), reader: 0 })
    }
}

impl Route {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let pairs = self.numbers.pairs(|| Ok(Vec::new())).map_err(Failure::Usage)?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.key));
        let bearer = bearer.map_err(|_| Failure::Usage("--key is no key".to_owned()))?;
        let account = self
            .account
            .as_deref()
            .map(|name| format!("&account={}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
        let asks = Asks {
            base: self.url.trim_end_matches('/').to_owned(),
            account: account.unwrap_or_default(),
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]),
            pairs,
            seed: self.seed,
        };
        let asked = json!({ "account": self.account, "expect": self.expect, "seed": self.seed });
        let run = Run { what: "route", to: self.url.clone(), asked };
        self.shape.send(&run, asks, load::holds(self.expect.clone()))
    }
}

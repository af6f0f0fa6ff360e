//! `load calls`: the voice webhooks of simulated carriers.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{
    super::Failure,
    accounts::Accounts,
    args::Numbers,
    shape::{Run, Shape},
};
use crate::simulator::load;

/// Webhooks of calls, at a rate.
#[derive(Debug, Args)]
pub(super) struct Calls {
    #[command(flatten)]
    accounts: Accounts,
    #[command(flatten)]
    numbers: Numbers,
    /// What every answer must hold, such as "<Stream"; not asked of Telnyx Call Control, whose
    /// answers say nothing
    #[arg(long, value_name = "TEXT", default_value = "")]
    expect: String,
    /// Another seed makes another choice of callers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    shape: Shape,
}

impl Calls {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let (to, callers) = self.accounts.callers(&self.numbers)?;
        let accounts: Vec<_> = callers
            .iter()
            .map(|caller| {
                json!({ "name": caller.account.name, "kind": caller.account.carrier.as_str(),
                    "share": caller.weight })
            })
            .collect();
        let calls = load::Calls::new(callers, self.seed).map_err(Failure::Usage)?;
        let check = calls.check(self.expect.clone());
        let asked = json!({ "accounts": accounts, "expect": self.expect, "seed": self.seed });
        let run = Run { what: "calls", to, asked };
        self.shape.send(&run, calls, check)
    }
}

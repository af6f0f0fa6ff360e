//! `doctor signature`: does a request verify, and if not, which reading of it would?

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, out};
use crate::{
    carriers::{
        bandwidth, plivo,
        shared::{
            diagnosis::{Diagnosis, Reading},
            request::RawRequest,
        },
        signalwire, telnyx, twilio, vonage,
    },
    domain::{Account, AccountOrigin, CarrierId, Secret, SharedKey, UnixMillis},
    telemetry::clock,
};

/// Checks one request's signature, without a daemon.
#[derive(Debug, Args)]
pub(crate) struct Signature {
    /// The carrier: bandwidth, plivo, signalwire, telnyx, telnyx_texml, twilio, vonage
    #[arg(long)]
    kind: CarrierId,
    /// What it is signed with, such as the auth token or the signature secret, or USER:PASSWORD of
    /// basic authentication; may be given several times
    #[arg(long, required_unless_present_any = ["shared_key", "public_key"])]
    secret: Vec<String>,
    /// What Telnyx signs with, as its portal shows it; may be given several times
    #[arg(long, value_name = "KEY")]
    public_key: Vec<String>,
    /// A key for SHA-256 signatures, as ID=KEY; may be given several times
    #[arg(long, value_name = "ID=KEY")]
    shared_key: Vec<String>,
    /// The public URL that the carrier was given
    #[arg(long)]
    url: String,
    /// The request, raw: request line, headers, empty line, body
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The time to check by, as unix seconds, where the carrier's scheme has a time window
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
}

impl Signature {
    pub(crate) fn run(self, as_json: bool) -> Result<ExitCode, Failure> {
        let shown = self.request.display();
        let file = fs::read(&self.request)
            .map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
        let request = RawRequest::parse(&file)
            .map_err(|error| Failure::Usage(format!("{shown} is no HTTP request: {error}")))?;
        if !self.url.contains("://") {
            return Err(Failure::Usage(format!("--url {} is no URL", self.url)));
        }
        let mut shared_keys = Vec::with_capacity(self.shared_key.len());
        for pair in &self.shared_key {
            let (id, key) = pair.split_once('=').ok_or_else(|| {
                Failure::Usage("--shared-key takes an id, an equals sign and the key".to_owned())
            })?;
            shared_keys.push(SharedKey { id: id.to_owned(), secret: Secret::new(key.to_owned()) });
        }
        let mut account = Account::named("doctor".to_owned(), self.kind, AccountOrigin::File);
        let secrets = self.secret.iter().chain(&self.public_key);
        account.secrets = secrets.cloned().map(Secret::new).collect();
        account.shared_keys = shared_keys;
        let now = self.now.map_or_else(clock::now, |now| UnixMillis(now.saturating_mul(1000)));
        let diagnosis = match self.kind {
            CarrierId::Telnyx | CarrierId::TelnyxTexml => {
                telnyx::diagnose::diagnose(&request, &self.url, &account, now)
            }
            CarrierId::Bandwidth => bandwidth::diagnose::diagnose(&request, &self.url, &account),
            // Their signatures have no time in them: --now changes nothing.
            CarrierId::Plivo => plivo::diagnose::diagnose(&request, &[&self.url], &account),
            CarrierId::SignalWire => {
                signalwire::diagnose::diagnose(&request, &[&self.url], &account)
            }
            CarrierId::Twilio => twilio::diagnose::diagnose(&request, &[&self.url], &account),
            CarrierId::Vonage => vonage::diagnose::diagnose(&request, &self.url, &account, now),
        };
        if as_json {
            out::json(&as_value(&diagnosis));
        } else {
            print(&diagnosis);
        }
        Ok(match diagnosis {
            Diagnosis::Valid(_) => ExitCode::SUCCESS,
            Diagnosis::Invalid { .. } => ExitCode::from(1),
        })
    }
}

fn print(diagnosis: &Diagnosis) {
    match diagnosis {
        Diagnosis::Valid(reading) => {
            out::line(&format!("valid: {} ({})", reading.url, reading.name()));
        }
        Diagnosis::Invalid { cause, would_match } => {
            out::line(&format!("invalid: {}", cause.cause()));
            if would_match.is_empty() {
                out::line("no reading of it would match: most likely another secret signed it");
            }
            for reading in would_match {
                out::line(&format!("would match: {} ({})", reading.url, reading.name()));
                for remedy in reading.remedies() {
                    out::line(&format!("  -> {remedy}"));
                }
            }
        }
    }
}

fn as_value(diagnosis: &Diagnosis) -> Value {
    let reading = |reading: &Reading| {
        json!({
            "reading": reading.name(),
            "url": reading.url,
            "remedies": reading.remedies().collect::<Vec<_>>()
        })
    };
    match diagnosis {
        Diagnosis::Valid(found) => json!({ "valid": true, "reading": reading(found) }),
        Diagnosis::Invalid { cause, would_match } => json!({
            "valid": false,
            "cause": cause.cause(),
            "would_match": would_match.iter().map(reading).collect::<Vec<_>>()
        }),
    }
}

//! The ways of a call's audio that are measured: what its carrier speaks, and what its runtime.

use std::net::SocketAddr;

use switchback::carriers::CarrierId;
use switchback::domain::{Account, AccountApi, AccountId, AccountOrigin, RuntimeMedia, Secret};

/// What carriers believe the daemon to be called.
pub(crate) const HOST: &str = "edge.example.com";

const SECRET: &str = "3f1c0a9e7b5d48264c8e1f2a6b3d5c70";

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// No daemon: bytes between two sockets.
    Raw,
    /// Both sides speak the same, and call the stream the same.
    Passed,
    /// They call it differently, as when the runtime was opened before the carrier's socket.
    Renamed,
    /// Twilio's carrier, a runtime that speaks linear samples.
    Coded,
    /// Vonage's carrier (bytes of linear samples), a runtime that speaks mu-law in JSON.
    Translated,
    /// As renamed, and all calls share a socket to the runtime.
    Linked,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Raw, Self::Passed, Self::Renamed, Self::Coded, Self::Translated, Self::Linked];
    pub(crate) const OF_DAEMONS: [Self; 5] =
        [Self::Passed, Self::Renamed, Self::Coded, Self::Translated, Self::Linked];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Passed => "passed",
            Self::Renamed => "renamed",
            Self::Coded => "coded",
            Self::Translated => "translated",
            Self::Linked => "linked",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|way| way.name() == name).unwrap()
    }

    pub(crate) const fn number(self) -> &'static str {
        match self {
            Self::Raw => "",
            Self::Passed => "+12125550101",
            Self::Renamed => "+12125550102",
            Self::Coded => "+12125550103",
            Self::Translated => "+12125550104",
            Self::Linked => "+12125550105",
        }
    }

    pub(crate) fn account(self) -> Account {
        if self.is_vonage() { vonage() } else { twilio() }
    }

    pub(crate) const fn is_vonage(self) -> bool {
        matches!(self, Self::Translated)
    }

    pub(crate) const fn runtime_media(self) -> RuntimeMedia {
        match self {
            Self::Coded => RuntimeMedia::L16At8,
            Self::Raw | Self::Passed | Self::Renamed | Self::Translated | Self::Linked => {
                RuntimeMedia::Pcmu
            }
        }
    }

    /// Bytes of audio in a frame of 20 ms, as the carrier sends it.
    pub(crate) const fn carrier_len(self) -> usize {
        if self.is_vonage() { 320 } else { 160 }
    }

    /// The same, as the runtime does.
    pub(crate) const fn runtime_len(self) -> usize {
        match self {
            Self::Coded => 320,
            Self::Raw | Self::Passed | Self::Renamed | Self::Translated | Self::Linked => 160,
        }
    }

    pub(crate) fn target(self, runtime: SocketAddr) -> String {
        let link = if self == Self::Linked { "link:" } else { "" };
        format!("{link}ws://{runtime}/{}", self.name())
    }
}

/// The accounts as a configuration names them.
pub(crate) fn configured() -> String {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vonage/test_only_rsa_key.pem");
    let (twilio, vonage) = (twilio(), vonage());
    format!(
        "[[carrier_accounts]]\nname = \"{}\"\nkind = \"twilio\"\naccount_id = \"{}\"\n\
         secrets = [\"{SECRET}\"]\n\
         [[carrier_accounts]]\nname = \"{}\"\nkind = \"vonage\"\napi_key = \"{}\"\n\
         application_id = \"{}\"\nsignature_secrets = [\"{SECRET}\"]\n\
         private_key = {{ file = \"{key}\" }}\n",
        twilio.name, twilio.account_id, vonage.name, vonage.account_id, vonage.application_id,
    )
}

pub(crate) fn twilio() -> Account {
    account("main", CarrierId::Twilio, "AC66acdc865fff60921f34dac80d62be2f", "")
}

pub(crate) fn vonage() -> Account {
    account("other", CarrierId::Vonage, "dfe52f80", "b27451af-72ae-4dcb-b089-35a40a274a99")
}

fn account(name: &str, carrier: CarrierId, account_id: &str, application_id: &str) -> Account {
    Account {
        id: AccountId::of_name(name),
        name: name.to_owned(),
        carrier,
        tenant: None,
        account_id: account_id.to_owned(),
        secrets: vec![Secret::new(SECRET.to_owned())],
        application_id: application_id.to_owned(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }
}

//! Credentials at one carrier.

use std::{fmt, num::NonZeroU32};

use super::{AccountId, ByteOrder, TenantId, spelled};

spelled! {
    /// The kinds of carrier account, each with a room of its own under `carriers/`.
    pub enum CarrierId {
        /// Bandwidth Programmable Voice.
        Bandwidth = "bandwidth",
        /// Plivo Voice.
        Plivo = "plivo",
        /// SignalWire's compatibility API.
        SignalWire = "signalwire",
        /// Telnyx Call Control.
        Telnyx = "telnyx",
        /// Telnyx TeXML.
        TelnyxTexml = "telnyx_texml",
        /// Twilio Programmable Voice.
        Twilio = "twilio",
        /// Vonage Voice.
        Vonage = "vonage",
    }
}

spelled! {
    /// Who keeps an account.
    pub enum AccountOrigin {
        /// The configuration file; read-only through the API.
        File = "file",
        /// The API.
        Api = "api",
    }
}

/// A secret. It shows itself only to who asks by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself; for signing, verifying and storing only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A carrier account as the index holds it: what is needed to verify and to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its identity; the namespace of its calls' ids.
    pub id: AccountId,
    /// Its name: unique in the installation, and part of the URL given to the carrier.
    pub name: String,
    /// Which carrier.
    pub carrier: CarrierId,
    /// The one tenant it serves; `None` where tenants share it and each number names its own.
    pub tenant: Option<TenantId>,
    /// The carrier's name for it (Twilio: `AC...`; Vonage: the API key); empty where the carrier
    /// has none that its webhooks tell (Telnyx).
    pub account_id: String,
    /// The carrier's name for the application that its numbers are put to (Telnyx: connection;
    /// Vonage, Bandwidth: application); empty where calls come without one.
    pub application_id: String,
    /// What webhooks prove themselves by: all of them verify, the first signs. (Telnyx: public
    /// keys, which sign nothing; Bandwidth: `user:password`.)
    pub secrets: Vec<Secret>,
    /// Customer keys for SHA-256 signatures, by the id the carrier names them by.
    pub shared_keys: Vec<SharedKey>,
    /// How the carrier's API is spoken to on its behalf.
    pub api: AccountApi,
    /// Who keeps it.
    pub origin: AccountOrigin,
}

/// How a carrier's API is spoken to on an account's behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountApi {
    /// Where it is: scheme and host, no trailing slash; `None` is the carrier's own place.
    pub url: Option<String>,
    /// A key in place of the account's first secret.
    pub key: Option<ApiKey>,
    /// Who is given tokens for the API, at carriers that give them (Bandwidth): it counts before
    /// `key`.
    pub client: Option<ApiKey>,
    /// The key that tokens for the API are signed with, as PEM, at carriers that take such tokens
    /// (Vonage).
    pub private_key: Option<Secret>,
    /// Which byte of linear audio comes first at the carrier, where that is not settled.
    pub byte_order: ByteOrder,
    /// Calls placed a second at most: what the carrier starts at once, it does not queue.
    pub calls_per_second: NonZeroU32,
}

impl AccountApi {
    /// What Twilio starts a second for an account that has asked for no more.
    pub const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN;
}

impl Default for AccountApi {
    fn default() -> Self {
        Self {
            url: None,
            key: None,
            client: None,
            private_key: None,
            byte_order: ByteOrder::Little,
            calls_per_second: Self::CALLS_PER_SECOND,
        }
    }
}

/// A key to a carrier's API that is not the account's own secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The carrier's id for it (Twilio: `SK...`; Bandwidth: the user); empty where the key alone is
    /// shown (Telnyx).
    pub id: String,
    /// The key.
    pub secret: Secret,
}

impl Account {
    /// An account that has nothing but its name yet.
    #[must_use]
    pub fn named(name: String, carrier: CarrierId, origin: AccountOrigin) -> Self {
        Self {
            id: AccountId::of_name(&name),
            name,
            carrier,
            tenant: None,
            account_id: String::new(),
            application_id: String::new(),
            secrets: Vec::new(),
            shared_keys: Vec::new(),
            api: AccountApi::default(),
            origin,
        }
    }

    /// Whether it can be an account's name: 1 to 64 letters, digits, `-` and `_`.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    }
}

/// A customer's own signing key at the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKey {
    /// The carrier's id for it.
    pub id: String,
    /// The key.
    pub secret: Secret,
}

/// A key that media tokens are signed with. Two are valid while they rotate.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaKey {
    /// Named in the token.
    pub id: u8,
    /// 256 random bits.
    pub secret: [u8; 32],
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaKey({})", self.id)
    }
}

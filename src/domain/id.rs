//! Identities. Every thing has one UUID; the types keep them from being mixed up.

use std::{fmt, str::FromStr};

use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// Owner of agents, numbers, contacts and calls.
    TenantId;
    /// Credentials at one carrier.
    AccountId;
    /// Whoever answers.
    AgentId;
    /// A number we own, at one account.
    NumberId;
    /// One conversation.
    CallId;
    /// One outbound call, remembered.
    TouchId;
    /// A campaign.
    CampaignId;
    /// A SIP trunk.
    TrunkId;
    /// A request to give a number back.
    ReleaseId;
    /// An API key (never the key itself).
    KeyId;
    /// A subscription to what happens to calls.
    WebhookId;
    /// One event for one subscriber; it is the event's id as well.
    DeliveryId;
    /// One attempt to deliver an event.
    AttemptId;
    /// An agent as it was at some moment.
    VersionId;
    /// One line of a tenant's configuration history.
    RevisionId;
}

/// Namespace of every UUIDv5 made here, itself made once at random.
const NAMESPACE: Uuid = Uuid::from_u128(0x7f1d_6a0c_52f3_4b8e_9a55_0d64_1c3b_e2a7);

/// The UUIDv5 of a name (RFC 9562 §5.5), by the hash that the processor has instructions for: a
/// webhook needs several.
#[must_use]
pub fn named(namespace: Uuid, name: &[u8]) -> Uuid {
    let digest = Sha1::new().chain_update(namespace.as_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

impl CallId {
    /// The id of a call that reaches us or that somebody else placed: the same webhook, redelivered
    /// or handled after a restart, names the same call.
    #[must_use]
    pub fn of_carrier_call(account: AccountId, carrier_call_id: &str) -> Self {
        Self(named(account.0, carrier_call_id.as_bytes()))
    }

    /// The trace that everything about the call belongs to (W3C Trace Context): its own 128 bits,
    /// so that no two calls share one and either id is found by the other. Never zero.
    #[must_use]
    pub const fn trace_id(self) -> uuid::fmt::Simple {
        self.0.simple()
    }
}

impl AccountId {
    /// The id of an account named in the configuration file: the same name is the same account on
    /// every start and machine, so the ids of its calls do not move.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }
}

impl TouchId {
    /// The id of a touch whose owner names it by something that is not a UUID.
    #[must_use]
    pub fn of_external(tenant: TenantId, id: &str) -> Self {
        Uuid::try_parse(id).map_or_else(|_| Self(Uuid::new_v5(&tenant.0, id.as_bytes())), Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_rfc() {
        // RFC 9562, appendix A.4.
        let expected = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
        assert_eq!(named(Uuid::NAMESPACE_DNS, b"www.example.com").to_string(), expected);
        for len in [0, 1, 39, 40, 64, 500] {
            let name = vec![7; len];
            assert_eq!(named(NAMESPACE, &name), Uuid::new_v5(&NAMESPACE, &name), "{len}");
        }
    }
}

//! Events that must reach a subscriber: queued in the store, signed, sent, tried again.
//!
//! The store makes an event in the transaction that changes the call, so what is here can be lost
//! by no crash and is told at least once. A delivery is sent only while it is due in the store, and
//! what came of it is written there before anything follows from it. It never follows a redirect,
//! never asks a private address unless it may, and no slow subscriber keeps another waiting.

mod client;
mod lanes;
mod policy;
mod sending;
mod sign;
mod words;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    domain::{AgentWebhook, Webhook},
    store::Store,
};
use client::Client;
pub use policy::{Ladder, wait};
pub use words::WORDS;

/// How events are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether subscribers may be on loopback and private addresses, and speak plain HTTP.
    pub allow_private: bool,
    /// How long endpoints, and URLs that came along, may take to answer.
    pub answer_wait: Duration,
    /// When endpoints, and URLs that came along, are tried again.
    pub tenant_ladder: Ladder,
    /// When agents' webhooks are tried again; how often, each says itself.
    pub agent_ladder: Ladder,
    /// How long a stop waits for answers.
    pub drain: Duration,
}

impl Settings {
    /// The defaults, towards everybody's addresses or the public internet's alone.
    #[must_use]
    pub fn towards(allow_private: bool) -> Self {
        Self {
            allow_private,
            answer_wait: Duration::from_secs(10),
            tenant_ladder: Ladder::callingbox(),
            agent_ladder: Ladder::talkover(),
            drain: Duration::from_secs(10),
        }
    }
}

/// The sender. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    store: Store,
    client: Client,
    stopped: watch::Sender<bool>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// What the subscriber answered.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why it is a failure, if it is one.
    pub error: Option<String>,
}

impl Outbox {
    /// A sender that has sent nothing yet.
    ///
    /// # Errors
    /// No HTTP client can be had.
    pub fn new(settings: Settings, store: Store) -> Result<Self, String> {
        let client = Client::new(settings.allow_private)?;
        let (stopped, _) = watch::channel(false);
        Ok(Self { shared: Arc::new(Shared { settings, store, client, stopped }) })
    }

    /// Sends what is due, until it is stopped and the answers that were under way are in.
    #[must_use]
    pub fn start(&self) -> JoinHandle<()> {
        tokio::spawn(lanes::run(Arc::clone(&self.shared)))
    }

    /// Sends nothing more. What is not answered in time is sent again by the next start.
    pub fn stop(&self) {
        self.shared.stopped.send_replace(true);
    }

    /// Sends one event to an agent's webhook now, and once; it is kept nowhere.
    pub async fn probe(&self, webhook: &Webhook, policy: &AgentWebhook, body: String) -> Probed {
        let request = sending::to_agent(webhook, policy, &webhook.url, body);
        let sent = self.shared.client.send(request).await;
        Probed { status: sent.status, took: sent.took, error: sent.error }
    }
}

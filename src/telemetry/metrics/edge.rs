//! What carriers' connections are counted as.

use std::sync::LazyLock;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::domain::spelled;

pub(super) fn describe() {
    describe_gauge!("switchback_edge_connections", "Carriers' connections that speak HTTP");
    describe_counter!("switchback_edge_refused_total", "What the edge's limits refused, by cause");
}

pub(super) fn begin() {
    LazyLock::force(&CONNECTIONS);
    for cause in EdgeRefusal::ALL {
        refused(*cause).absolute(0);
    }
}

spelled! {
    /// Which limit of the edge was met. Quiet connections that are closed count as none.
    pub enum EdgeRefusal {
        /// As many connections as there may be: the next waited in the kernel's backlog.
        Full = "full",
        /// One address had as many as it may: closed.
        PerAddress = "per_address",
        /// The system gave no connection, most likely for want of file descriptors.
        NotAccepted = "not_accepted",
        /// TLS failed.
        TlsHandshake = "tls_handshake",
        /// TLS took too long.
        TlsTime = "tls_time",
        /// Headers did not come in time.
        HeadTime = "head_time",
        /// Headers were too long.
        HeadBytes = "head_bytes",
        /// A body did not come in time.
        BodyTime = "body_time",
        /// A body was too long.
        BodyBytes = "body_bytes",
        /// An answer was not read in time.
        AnswerTime = "answer_time",
    }
}

/// Counts what a limit of the edge refused.
pub fn edge_refused(cause: EdgeRefusal) {
    refused(cause).increment(1);
}

fn refused(cause: EdgeRefusal) -> Counter {
    counter!("switchback_edge_refused_total", "cause" => cause.as_str())
}

static CONNECTIONS: LazyLock<Gauge> = LazyLock::new(|| gauge!("switchback_edge_connections"));

/// Counts a carrier's connection until it is dropped.
pub struct EdgeConnection(());

impl EdgeConnection {
    /// One more.
    #[must_use]
    pub fn open() -> Self {
        CONNECTIONS.increment(1.0);
        Self(())
    }
}

impl Drop for EdgeConnection {
    fn drop(&mut self) {
        CONNECTIONS.decrement(1.0);
    }
}

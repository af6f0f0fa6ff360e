//! Switchback: a real-time telephony edge and router for voice agents.
//!
//! An outbound agent calls a person; the person calls back; Switchback knows who must answer, hands
//! the call and its history to that agent's runtime, and never lets a caller hear silence.
//!
//! ```text
//! carrier --webhook--> edge --answer--> carrier                 waits for memory only
//! carrier <--media websocket--> edge <--media websocket--> agent runtime
//! control API (two public dialects and our own) --> store --> log --> index
//! ```
//!
//! # The life of a return call
//!
//! This path everything else makes way for. It waits for nothing but memory: not for the store, a
//! runtime, a name server, a log file, or a lock that a slow writer can hold.
//!
//! 1. A carrier asks `POST /carriers/{account}/voice`. [`edge`] reads the body up to a limit and
//!    finds the account, and with it the carrier's room in [`carriers`].
//! 2. The room proves the signature over the raw bytes, then reads a [`domain::InboundCall`].
//! 3. [`routing::decide`] makes a [`domain::Decision`] from a view of the [`index`].
//! 4. The room writes the answer; the edge replies, then counts, then hands what is to be kept to a
//!    bounded queue ([`calls::Journal`]).
//! 5. The carrier opens `GET /media/{token}`; `media` joins its leg to the [`runtime`]'s.
//! 6. When the socket ends, the carrier asks `/resume`: the next rung of the ladder, or good-bye.
//!
//! # One truth, one log, one way to apply it
//!
//! A write is rows, one log entry and the head's bump in one transaction of the [`store`]. Entries
//! reach the index by the [`replica`]'s follower alone, also in one process, where [`sync`] carries
//! them over a channel: the smallest installation runs the protocol of the largest. A write answers
//! when this process's index has applied it. What the control API changes becomes visible whole.
//!
//! A start takes the touches from a snapshot file, where there are many, and the log from there on
//! ([`sync::snapshots`]); a file that is damaged, or that the log does not go on from, is refused.
//!
//! # Code map
//!
//! | layer | its job | it never |
//! |---|---|---|
//! | [`domain`] | the nouns | has serde, async, a clock, a carrier's spelling |
//! | [`index`] | what decisions are made from | is changed but by applying deltas |
//! | [`routing`] | the decision, its trace, the ladder | counts, logs or waits |
//! | [`carriers`] | signatures, webhooks, answers; one room a carrier | does I/O; names another room |
//! | [`dialects`] | the two public APIs' words | does HTTP |
//! | [`media`] | one call's audio as a state machine | has a socket or a timer |
//! | [`replica`] | follows the log | knows where frames come from |
//! | [`telemetry`] | clock, metrics, logs | is known to the pure layers |
//! | [`calls`] | a call's life; the table of live calls | decides |
//! | [`store`] | rows, log, business rules | is waited for by a webhook |
//! | [`sync`] | carries frames to the replica; pulls hosted control APIs | interprets frames |
//! | [`outbox`] | events to subscribers, at least once, in order | loses one; waits for a slow one |
//! | [`dispatch`] | commands to carriers, paced, each call placed once | repeats what may have arrived |
//! | [`runtime`] | sockets to agents, the built-ins | knows carriers |
//! | [`edge`] | the carriers' side | touches the database |
//! | [`control`] | the API's side | is needed to answer a call |
//! | [`simulator`] | a carrier and a runtime played by us | reaches inside: it speaks over sockets |
//! | [`config`], [`app`], [`cli`] | wire the rest | are named by it |
//!
//! Who may import whom is a table in `tests/tidy.rs`, and a test.
//!
//! # Invariants
//!
//! - The same index, call and time give the same decision; the explained form is the same code.
//! - Nothing is read from a request that has not proven itself.
//! - A call is placed by one request: what may have reached the carrier is never sent again, and
//!   the person it may have rung is remembered, whatever ends the process in between.
//! - Every queue is bounded and what it drops is counted; every limit has a name and a reason.
//! - No number, id or URL is ever a metric's label; numbers in logs are masked.
//! - Time is an argument everywhere but in [`telemetry::clock`].

pub mod app;
pub mod calls;
pub mod carriers;
pub mod cli;
pub mod config;
pub mod control;
pub mod dialects;
pub mod dispatch;
pub mod domain;
pub mod edge;
pub mod index;
pub mod media;
pub mod outbox;
pub mod replica;
pub mod routing;
pub mod runtime;
pub mod simulator;
pub mod store;
pub mod sync;
pub mod telemetry;

//! Everything there is, as deltas that put it: what a follower starts from.

use super::{Rows, WriteError, rows::routed};
use crate::{
    domain::{TenantId, UnixMillis},
    replica::{
        Delta,
        feed::Frame,
        log::{Cursor, Entry, Stream},
    },
};

/// Deltas a frame: small enough to be handed on while the next part is read.
const DELTAS_A_PART: usize = 4096;

/// Bytes of entries a frame, and entries: the same.
const BYTES_A_BATCH: usize = 256 * 1024;
const ENTRIES_A_BATCH: usize = 1024;

impl Rows<'_> {
    /// Hands over the entries after a place, and then where the stream stands.
    pub(super) fn tail<E: From<WriteError>>(
        &self,
        stream: Stream,
        since: &Cursor,
        now: UnixMillis,
        mut hand_over: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let epoch = since.epoch;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        self.each_entry::<E>(stream, since.seq, |entry: Entry| {
            bytes += entry.body.len();
            entries.push(entry);
            if bytes < BYTES_A_BATCH && entries.len() < ENTRIES_A_BATCH {
                return Ok(());
            }
            bytes = 0;
            let entries = std::mem::take(&mut entries);
            hand_over(Frame::Batch { stream, epoch, entries })
        })?;
        if !entries.is_empty() {
            hand_over(Frame::Batch { stream, epoch, entries })?;
        }
        hand_over(Frame::Beat { stream, head: self.head(stream)?, at: now })
    }

    /// Hands over a stream's snapshot, part by part.
    ///
    /// # Errors
    /// The store's, or what handing over meets.
    pub fn snapshot<E: From<WriteError>>(
        &self,
        stream: Stream,
        hand_over: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let cursor = self.head(stream)?;
        let mut parts = Parts { stream, cursor, part: 0, deltas: Vec::new(), hand_over };
        match stream {
            Stream::Control => self.control(&mut parts)?,
            Stream::Touches => self.each_remembered(|delta| parts.push(delta))?,
        }
        parts.finish()
    }

    /// What routing knows of one tenant: itself, its agents in business, its numbers.
    ///
    /// # Errors
    /// The store's.
    pub fn routed_tenant(&self, id: TenantId) -> Result<Vec<Delta>, WriteError> {
        let tenant = self.tenant(id)?.map(|record| Delta::Tenant(record.tenant));
        let agents = self.agents_of(id)?.into_iter();
        let numbers = self.all_numbers(id)?;
        let numbers = numbers.iter().map(|record| Delta::Number(routed(record)));
        let agents = agents.map(|record| Delta::Agent(record.agent));
        Ok(tenant.into_iter().chain(agents).chain(numbers).collect())
    }

    fn control<E: From<WriteError>>(
        &self,
        parts: &mut Parts<impl FnMut(Frame) -> Result<(), E>>,
    ) -> Result<(), E> {
        for record in self.tenants()? {
            parts.push(Delta::Tenant(record.tenant))?;
        }
        for account in self.accounts()? {
            parts.push(Delta::Account(account))?;
        }
        parts.push(Delta::MediaKeys(self.media_keys()?))?;
        for id in self.agent_ids()? {
            if let Some(agent) = self.routed_agent(id)? {
                parts.push(Delta::Agent(agent))?;
            }
        }
        for id in self.number_ids()? {
            if let Some(record) = self.any_number(id)? {
                parts.push(Delta::Number(routed(&record)))?;
            }
        }
        Ok(())
    }
}

struct Parts<F> {
    stream: Stream,
    cursor: Cursor,
    part: u32,
    deltas: Vec<Delta>,
    hand_over: F,
}

impl<E, F: FnMut(Frame) -> Result<(), E>> Parts<F> {
    fn push(&mut self, delta: Delta) -> Result<(), E> {
        if self.deltas.len() >= DELTAS_A_PART {
            self.send(false)?;
        }
        self.deltas.push(delta);
        Ok(())
    }

    fn finish(mut self) -> Result<(), E> {
        self.send(true)
    }

    fn send(&mut self, last: bool) -> Result<(), E> {
        let deltas = std::mem::take(&mut self.deltas);
        let (stream, cursor, part) = (self.stream, self.cursor, self.part);
        self.part += 1;
        (self.hand_over)(Frame::Snapshot { stream, cursor, part, deltas, last })
    }
}

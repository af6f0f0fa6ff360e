//! Writes whose asker may ask again: what the first was answered lies in its own transaction, so
//! that there is never the one without the other, and the second is answered the same.

use super::{Actor, Heads, Store, Tx, WriteError, Written};
use crate::domain::Warning;

/// A request that may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The asker's name for it, among all of the tenant's (or of the operators').
    pub key: String,
    /// What it asks, as a hash: the same name for something else is refused.
    pub asked: [u8; 32],
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// Headers that say what the body is.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a write went that may have happened before.
#[derive(Debug)]
pub enum Repeatable<V> {
    /// It happened now.
    Done(Written<V>),
    /// It had happened: what was answered, and where the log stood then.
    Before(Kept, Heads),
}

impl Store {
    /// Writes as [`Self::write`] does, unless this was written before. `told` makes the answer, and
    /// what is kept of it, from what the write answered and warns of.
    ///
    /// # Errors
    /// The key was used for something else; what `f` refuses, or the store's.
    pub async fn write_once<T, V, F, R>(
        &self,
        actor: Actor,
        once: Once,
        f: F,
        told: R,
    ) -> Result<Repeatable<V>, WriteError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
        R: FnOnce(T, &[Warning]) -> (V, Kept) + Send + 'static,
        V: Send + 'static,
    {
        self.submit(actor, move |tx| {
            if let Some((kept, heads)) = tx.kept(actor.tenant, &once)? {
                return Ok((Repeatable::Before(kept, heads), tx.finish()?));
            }
            let done = f(tx)?;
            let finished = tx.finish()?;
            let (value, kept) = told(done, &finished.warnings);
            tx.keep(&once, &kept, finished.heads)?;
            let (warnings, heads) = (finished.warnings.clone(), finished.heads);
            Ok((Repeatable::Done(Written { value, warnings, heads }), finished))
        })
        .await
    }
}

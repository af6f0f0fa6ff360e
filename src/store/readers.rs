//! Reads beside the writer: a few connections that cannot write, each used by one read at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Rows, Settings, StoreError, WriteError, files};

pub(super) struct Readers {
    /// As many permits as connections: who holds one finds a connection. The read's own thread
    /// holds it, so that a read nobody waits for any more still counts.
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(settings: &Settings) -> Result<Self, StoreError> {
        let count = settings.readers.max(1);
        let idle: Vec<_> =
            (0..count).map(|_| files::readable(&settings.path)).collect::<Result<_, _>>()?;
        Ok(Self { permits: Arc::new(Semaphore::new(count)), idle: Arc::new(Mutex::new(idle)) })
    }

    pub(super) async fn read<T, F>(&self, f: F) -> Result<T, WriteError>
    where
        F: FnOnce(&Rows<'_>) -> Result<T, WriteError> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let work = move || {
            let conn = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = conn.ok_or(StoreError::Closed)?;
            let answer = within(&conn, f);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
    }
}

fn within<T>(
    conn: &Connection,
    f: impl FnOnce(&Rows<'_>) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    conn.execute_batch("BEGIN")?;
    let answer = catch_unwind(AssertUnwindSafe(|| f(&Rows::new(conn))));
    conn.execute_batch("ROLLBACK")?;
    answer.unwrap_or(Err(StoreError::Panicked.into()))
}

//! Makes requests ahead of their time, on a thread of its own: signing one takes longer than
//! sending it.

use std::thread::{self, JoinHandle};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::engine::{Ready, Source};

/// Requests that are made at once: where a daemon signs them, each waits for it.
const AT_ONCE: usize = 32;

/// Makes requests.
pub trait Maker: Send + Sync + 'static {
    /// The `n`th.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn make(&self, n: u64) -> impl Future<Output = Result<Ready, String>> + Send;
}

/// Requests that are being made.
pub struct Feed {
    /// Where they come out, one queue for each thread that sends.
    pub sources: Vec<Source>,
    /// Who makes them.
    pub maker: JoinHandle<Result<(), String>>,
}

/// Makes so many requests, or requests without end, for so many threads, and holds `ahead` of them
/// ready. The thread ends with its error, or when nobody takes them any more.
///
/// # Errors
/// The thread.
pub fn feed(
    maker: impl Maker,
    count: Option<u64>,
    threads: usize,
    ahead: usize,
) -> Result<Feed, String> {
    let threads = threads.max(1);
    let queues = (0..threads).map(|_| mpsc::channel(ahead.div_ceil(threads).max(1)));
    let (senders, sources): (Vec<_>, Vec<_>) = queues.unzip();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let work = move || runtime.block_on(make_all(&maker, count.unwrap_or(u64::MAX), &senders));
    let thread = thread::Builder::new().name("load-signs".to_owned()).spawn(work);
    let maker = thread.map_err(|error| error.to_string())?;
    Ok(Feed { sources, maker })
}

async fn make_all(
    maker: &impl Maker,
    count: u64,
    senders: &[mpsc::Sender<Ready>],
) -> Result<(), String> {
    let mut made = stream::iter(0..count).map(|n| maker.make(n)).buffered(AT_ONCE);
    let mut queues = senders.iter().cycle();
    while let Some(ready) = made.try_next().await? {
        // In turns, as the threads' times are.
        if let Some(queue) = queues.next()
            && queue.send(ready).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

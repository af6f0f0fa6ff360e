//! The threads that speak with carriers: a core's worth each, with a scheduler of its own. A
//! connection stays on its thread, with the media socket that it may become: nothing moves between
//! cores, and what else the daemon does cannot get in a queue before it.

use std::{io, num::NonZeroUsize, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

use super::super::gather;
use crate::index;

/// The threads. They end, with all that is on them, when this is dropped.
pub struct Workers {
    handles: Vec<Handle>,
    end: watch::Sender<bool>,
}

impl Workers {
    /// Starts so many.
    ///
    /// # Errors
    /// The system gives no thread or no poll.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let (end, ended) = watch::channel(false);
        let mut handles = Vec::with_capacity(count.get());
        for n in 0..count.get() {
            let runtime = Builder::new_current_thread()
                .thread_name("edge-blocking")
                .enable_all()
                .on_thread_park(|| {
                    index::let_go();
                    gather::rest();
                })
                .build()?;
            handles.push(runtime.handle().clone());
            let mut ended = ended.clone();
            thread::Builder::new().name(format!("edge-{n}")).spawn(move || {
                // It decides one call after the other; when there is none, it waits.
                index::keep();
                runtime.block_on(async { drop(ended.wait_for(|ended| *ended).await) });
                // A name server that is still being asked is not waited for.
                runtime.shutdown_background();
            })?;
        }
        Ok(Self { handles, end })
    }

    /// The one with the fewest tasks: connections, sockets, what they wait for.
    pub(super) fn least_busy(&self) -> Handle {
        let busy = |handle: &&Handle| handle.metrics().num_alive_tasks();
        self.handles.iter().min_by_key(busy).cloned().unwrap_or_else(Handle::current)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.send_replace(true);
    }
}

//! What a runtime is to be told and somebody else knows: asked for while it is dialled, and waited
//! for no longer than a caller may be left waiting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use tokio::task::JoinHandle;

/// How long it may take to be found; a runtime that waits longer is late for its caller.
pub const FETCH_MAX: Duration = Duration::from_millis(300);

/// Something that is being fetched.
#[derive(Debug)]
pub struct Fetch<T> {
    fetch: Option<JoinHandle<Option<T>>>,
    found: Option<T>,
}

impl<T: Send + 'static> Fetch<T> {
    /// Starts to fetch it.
    #[must_use]
    pub fn begin(source: impl Future<Output = Option<T>> + Send + 'static) -> Self {
        let found = async move { tokio::time::timeout(FETCH_MAX, source).await.unwrap_or(None) };
        Self { fetch: Some(tokio::spawn(found)), found: None }
    }

    /// Waits until it is there, or late.
    pub fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(fetch) = &mut self.fetch {
            self.found = ready!(Pin::new(fetch).poll(cx)).unwrap_or(None);
            self.fetch = None;
        }
        Poll::Ready(())
    }
}

impl<T> Fetch<T> {
    /// What was found, once it is ready; none where it was late.
    #[must_use]
    pub const fn found(&self) -> Option<&T> {
        self.found.as_ref()
    }
}

impl<T> Drop for Fetch<T> {
    fn drop(&mut self) {
        if let Some(fetch) = &self.fetch {
            fetch.abort();
        }
    }
}

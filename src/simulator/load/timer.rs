//! Waits to the microsecond: the usual timer of this process is one of whole milliseconds, longer
//! than a whole answer.

use std::{io, time::Instant};

#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

use crate::telemetry::clock;

/// A timer of one waiter.
#[derive(Debug)]
pub(super) struct Timer {
    #[cfg(target_os = "linux")]
    fd: AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Timer {
    /// A timer of the runtime that this is called in.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for descriptors that may be closed; ours is owned"
        )]
        let fd = AsyncFd::new(fd)?;
        Ok(Self { fd })
    }

    /// Waits until then.
    pub(super) async fn until(&mut self, then: Instant) -> io::Result<()> {
        let wait = then.saturating_duration_since(clock::instant());
        if wait.is_zero() {
            // Others of the thread have their turn all the same.
            tokio::task::yield_now().await;
            return Ok(());
        }
        let it_value = timespec(wait);
        let it_interval = timespec(Duration::ZERO);
        let once = Itimerspec { it_interval, it_value };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        let mut expirations = [0; 8];
        loop {
            let mut ready = self.fd.readable().await?;
            let read = ready.try_io(|fd| {
                rustix::io::read(fd.get_ref(), &mut expirations).map_err(io::Error::from)
            });
            match read {
                Ok(read) => return read.map(drop),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn timespec(wait: Duration) -> Timespec {
    let tv_sec = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: wait.subsec_nanos().into() }
}

#[cfg(not(target_os = "linux"))]
impl Timer {
    /// A timer of the runtime that this is called in.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits until then.
    pub(super) async fn until(&mut self, then: Instant) -> io::Result<()> {
        tokio::time::sleep(then.saturating_duration_since(clock::instant())).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_never_early() {
        let mut timer = Timer::new().unwrap();
        for micros in [0, 100, 300, 1500] {
            let then = clock::instant() + Duration::from_micros(micros);
            timer.until(then).await.unwrap();
            assert!(clock::instant() >= then);
        }
    }
}

//! A timer that is asked far more often than it is due: with every frame of a call, for what is due
//! twice a second.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

use super::clock;

/// Wakes whoever asks. As long as nothing is due, asking again reads the clock and touches no timer
/// of the runtime's; and a time that is put off moves none: it is armed anew when it goes off.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<(Instant, Waker)>,
}

impl Timer {
    /// Whether it is that time. Who is told that it is not is woken then, or earlier.
    pub fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let now = clock::instant();
        if at <= now {
            return Poll::Ready(());
        }
        let is_armed = self.armed.as_ref().is_some_and(|(armed, waker)| {
            now < *armed && *armed <= at && waker.will_wake(cx.waker())
        });
        if is_armed {
            return Poll::Pending;
        }
        let until = tokio::time::Instant::from_std(at);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        let is_due = sleep.as_mut().poll(cx);
        self.armed = is_due.is_pending().then(|| (at, cx.waker().clone()));
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_goes_off_when_it_is_time_also_where_that_was_moved() {
        let (mut timer, began) = (Timer::default(), clock::instant());
        let ms = |ms| began + Duration::from_millis(ms);
        poll_fn(|cx| timer.poll(ms(20), cx)).await;
        assert!(clock::instant() >= ms(20));
        // Put off while it is waited for, then brought forward.
        let mut asked = 0;
        poll_fn(|cx| {
            asked += 1;
            timer.poll(if asked == 1 { ms(40) } else { ms(80) }, cx)
        })
        .await;
        assert!(clock::instant() >= ms(80) && asked == 3, "{asked}");
        let mut asked = 0;
        poll_fn(|cx| {
            asked += 1;
            if asked == 1 {
                cx.waker().wake_by_ref();
            }
            timer.poll(if asked == 1 { ms(60_000) } else { ms(100) }, cx)
        })
        .await;
        assert!((ms(100)..ms(10_000)).contains(&clock::instant()));
        // Another task asks: it is the one that is woken.
        let at = clock::instant() + Duration::from_millis(20);
        assert!(timer.poll(at, &mut Context::from_waker(Waker::noop())).is_pending());
        poll_fn(|cx| timer.poll(at, cx)).await;
        assert!(clock::instant() >= at);
    }
}

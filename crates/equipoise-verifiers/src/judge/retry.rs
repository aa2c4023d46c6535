//! How long to wait before a request is tried again, and how many may be under way.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use equipoise_core::{Domain, Stream};

/// The pauses between attempts: they double from `first` on, up to `longest`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Backoff {
    /// The pause before retry `number`, counted from 0, of the request that `key` identifies. It is
    /// ½ to 1 times what doubling gives, so that requests that failed together do not come again
    /// together; which, depends on the request alone.
    pub(super) fn pause(&self, key: u64, number: u32, retry_after: Option<Duration>) -> Duration {
        if let Some(asked) = retry_after {
            return asked.min(self.longest);
        }
        let jitter = Stream::new(0, Domain::Other, [key, u64::from(number), 0]).uniform();
        let doubled = self.first.as_secs_f64() * 2_f64.powi(number.min(60) as i32);
        let seconds = doubled.min(self.longest.as_secs_f64()) * (0.5 + 0.5 * jitter);
        Duration::from_secs_f64(seconds)
    }
}

/// A limit on how many do something at once.
#[derive(Debug)]
pub(super) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place among those who do it; free again when dropped.
pub(super) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub(super) fn take(&self) -> Slot<'_> {
        // A number is whole even if a thread that held the lock has panicked.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_repeat() {
        let seconds = Duration::from_secs_f64;
        let backoff = Backoff {
            first: seconds(0.5),
            longest: seconds(3.0),
        };
        for key in 0..100 {
            for (number, most) in [(0, 0.5), (1, 1.0), (2, 2.0), (3, 3.0), (200, 3.0)] {
                let pause = backoff.pause(key, number, None);
                assert!(
                    pause >= seconds(most / 2.0) && pause <= seconds(most),
                    "{pause:?}"
                );
                assert_eq!(pause, backoff.pause(key, number, None));
            }
        }
        assert_ne!(backoff.pause(0, 0, None), backoff.pause(1, 0, None));
        assert_eq!(backoff.pause(0, 0, Some(seconds(0.0))), seconds(0.0));
        assert_eq!(backoff.pause(0, 0, Some(seconds(2.0))), seconds(2.0));
        assert_eq!(backoff.pause(0, 0, Some(seconds(90.0))), seconds(3.0));
    }
}

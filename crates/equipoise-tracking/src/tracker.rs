//! What a run tells its trackers, and the trait they implement.

use crate::{CompletionRecord, MetricRecord, TrackingError};

/// Something a run has to say.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The metrics of a step: a pure function of recipe and seed, so two equal runs record the same.
    Metrics(&'a MetricRecord),
    /// How long the parts of a step took: anything that depends on the clock.
    Timing(&'a MetricRecord),
    /// One sampled completion.
    Completion(&'a CompletionRecord),
    /// A sentence for whoever watches the run; no tracker needs to keep it.
    Note(&'a str),
}

/// Somewhere the events of a run go: files, a console, a service.
///
/// Called a few times per step, never per token.
pub trait Tracker: Send {
    /// Takes one event. It may be held in memory until [`Tracker::flush`].
    ///
    /// # Errors
    /// If the event cannot be recorded. Whether training goes on without a record is the caller's
    /// decision.
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError>;

    /// Writes out everything recorded so far. Called at least once per step, so that a run can be
    /// watched from outside.
    ///
    /// # Errors
    /// If something cannot be written.
    fn flush(&mut self) -> Result<(), TrackingError>;
}

impl<T: Tracker + ?Sized> Tracker for &mut T {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        (**self).record(event)
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        (**self).flush()
    }
}

impl<T: Tracker + ?Sized> Tracker for Box<T> {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        (**self).record(event)
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        (**self).flush()
    }
}

/// Several trackers as one: each gets every event, also when an earlier one fails, and the first
/// error is returned. Without trackers it is the tracker that records nothing.
#[derive(Default)]
pub struct Trackers(pub Vec<Box<dyn Tracker>>);

impl Tracker for Trackers {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        first_error(self.0.iter_mut().map(|tracker| tracker.record(event)))
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        first_error(self.0.iter_mut().map(|tracker| tracker.flush()))
    }
}

/// Runs the iterator to its end and returns the first error met.
pub(crate) fn first_error(
    results: impl Iterator<Item = Result<(), TrackingError>>,
) -> Result<(), TrackingError> {
    results.fold(Ok(()), Result::and)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    fn _object_safe(_: &dyn Tracker) {}

    /// Writes what it is told into a shared list, and fails if asked to.
    struct Listener(Arc<Mutex<Vec<String>>>, Option<&'static str>);

    impl Tracker for Listener {
        fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
            self.0.lock().unwrap().push(format!("{event:?}"));
            match self.1 {
                None => Ok(()),
                Some(name) => Err(TrackingError::Empty {
                    path: PathBuf::from(name),
                }),
            }
        }

        fn flush(&mut self) -> Result<(), TrackingError> {
            self.0.lock().unwrap().push("flush".into());
            Ok(())
        }
    }

    #[test]
    fn everyone_is_told_and_the_first_error_wins() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut trackers = Trackers(vec![
            Box::new(Listener(heard.clone(), Some("first"))),
            Box::new(Listener(heard.clone(), Some("second"))),
            Box::new(Listener(heard.clone(), None)),
        ]);
        let error = trackers.record(&Event::Note("hello")).unwrap_err();
        assert!(error.to_string().starts_with("first "), "{error}");
        trackers.flush().unwrap();
        let heard = heard.lock().unwrap();
        assert_eq!(heard[..3], vec![r#"Note("hello")"#; 3]);
        assert_eq!(heard[3..], ["flush", "flush", "flush"]);
    }

    #[test]
    fn no_tracker_is_a_tracker() {
        let mut none = Trackers::default();
        none.record(&Event::Note("nobody listens")).unwrap();
        none.flush().unwrap();
    }
}

//! Groups that teach nothing, or are too easy or too hard, left out.

use super::Error;
use crate::Group;
use crate::centre::Centred;
use crate::sum::bounded_sum as sum;

/// Which groups of a batch are kept, and why the others are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filtered {
    /// The indices of the groups kept, ascending.
    pub kept: Vec<usize>,
    /// The number of groups left out because all their rewards are equal, or only one is known.
    pub without_signal: usize,
    /// The number of groups left out because their mean reward is too small.
    pub below: usize,
    /// The number of groups left out because their mean reward is too large.
    pub above: usize,
    /// The number of groups left out because none of their responses could be judged.
    pub unscorable: usize,
}

/// Dynamic sampling (DAPO, arXiv:2503.14476): keeps the groups in which rewards differ, the only ones with
/// advantages under a group estimator. The caller samples more prompts until enough are kept.
///
/// Rewards differ if one of them is farther from the mean than [`TIE_TOLERANCE`](crate::TIE_TOLERANCE) allows;
/// so a group is left out here exactly if [`DrGrpo`](crate::estimators::DrGrpo) gives it no advantage. verl's
/// `filter_groups` compares the standard deviation with 0, which rounding can miss, and keeps groups of one
/// response; SkyRL compares it with 1e-6.
///
/// ```
/// use equipoise_advantages::Group;
/// use equipoise_advantages::selection::with_signal;
///
/// let groups = [
///     Group::new(&[Some(1.0), Some(0.0)], &[3, 4])?,
///     Group::new(&[Some(1.0), Some(1.0)], &[3, 4])?,
///     Group::new(&[None, None], &[3, 4])?,
/// ];
/// let filtered = with_signal(&groups);
/// assert_eq!(filtered.kept, [0]);
/// assert_eq!((filtered.without_signal, filtered.unscorable), (1, 1));
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
pub fn with_signal(groups: &[Group<'_>]) -> Filtered {
    let mut filtered = Filtered::default();
    for (index, group) in groups.iter().enumerate() {
        let centred = Centred::new(std::slice::from_ref(group));
        if group.scorable().next().is_none() {
            filtered.unscorable += 1;
        } else if centred.deviations.iter().all(|value| *value == 0.0) {
            filtered.without_signal += 1;
        } else {
            filtered.kept.push(index);
        }
    }
    filtered
}

/// A window for the mean reward of a group: its pass rate, if rewards are 0 and 1.
///
/// [`MeanWindow::OPEN`] keeps groups that are neither always nor never solved, OpenRLHF's
/// `dynamic_filtering_range` of (0, 1). A narrower one is a difficulty filter, as for offline data whose pass
/// rate was measured once.
///
/// ```
/// use equipoise_advantages::Group;
/// use equipoise_advantages::selection::MeanWindow;
///
/// let groups = [
///     Group::new(&[Some(1.0), Some(0.0), None, Some(0.0)], &[1; 4])?,
///     Group::new(&[Some(1.0), Some(1.0)], &[1; 2])?,
///     Group::new(&[Some(0.0), Some(0.0)], &[1; 2])?,
/// ];
/// let filtered = MeanWindow::OPEN.filter(&groups);
/// assert_eq!((&filtered.kept[..], filtered.below, filtered.above), (&[0][..], 1, 1));
///
/// let window = MeanWindow::closed(0.5, 1.0)?;
/// assert!(window.contains(1.0) && !window.contains(0.25));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanWindow {
    low: f64,
    high: f64,
    closed: bool,
}

impl MeanWindow {
    /// Between 0 and 1, without them.
    pub const OPEN: Self = Self {
        low: 0.0,
        high: 1.0,
        closed: false,
    };

    /// Between two means, without them.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] unless `low` is less than `high`.
    pub fn open(low: f64, high: f64) -> Result<Self, Error> {
        if low < high {
            return Ok(Self {
                low,
                high,
                closed: false,
            });
        }
        Err(Error::InvalidSetting {
            setting: "low",
            value: low,
            requirement: "less than `high`",
        })
    }

    /// From one mean to another, with them.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if `low` is greater than `high`, or one is not a number.
    pub fn closed(low: f64, high: f64) -> Result<Self, Error> {
        if low <= high {
            return Ok(Self {
                low,
                high,
                closed: true,
            });
        }
        Err(Error::InvalidSetting {
            setting: "low",
            value: low,
            requirement: "at most `high`",
        })
    }

    /// Whether a mean lies in the window.
    pub fn contains(self, mean: f64) -> bool {
        if self.closed {
            self.low <= mean && mean <= self.high
        } else {
            self.low < mean && mean < self.high
        }
    }

    /// Keeps the groups whose scorable responses have a mean reward in the window.
    pub fn filter(self, groups: &[Group<'_>]) -> Filtered {
        let mut filtered = Filtered::default();
        for (index, group) in groups.iter().enumerate() {
            let count = group.scorable().count();
            if count == 0 {
                filtered.unscorable += 1;
                continue;
            }
            let mean = sum(group.scorable()) / count as f64;
            if self.contains(mean) {
                filtered.kept.push(index);
            } else if mean <= self.low {
                filtered.below += 1;
            } else {
                filtered.above += 1;
            }
        }
        filtered
    }
}

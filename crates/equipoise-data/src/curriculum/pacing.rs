//! From easy to hard: how much of an ordered data set is open at a step.

use equipoise_core::Stream;
use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// How the share of the data that is open grows with the training steps.
///
/// With s the share at the start, T the step from which on everything is open, and x = t/T:
///
/// ```text
/// root        min(1, (x (1 − s^p) + s^p)^(1/p))     arXiv:1903.09848; p = 1 is linear
/// geometric   min(1, s^(1 − x))                     equal factors in equal times
/// steps       min(1, s · factor^⌊t / length⌋)       arXiv:1904.03626, "fixed exponential pacing"
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pacing {
    /// A root of time: with power 2 new problems come ever more slowly, so that each is seen equally
    /// long while it is new.
    Root {
        /// s, in (0, 1].
        start: f64,
        /// T, at least 1.
        duration: u64,
        /// p, at least 1.
        power: f64,
    },
    /// Slowly at first, then ever faster.
    Geometric {
        /// s, in (0, 1].
        start: f64,
        /// T, at least 1.
        duration: u64,
    },
    /// In steps.
    Steps {
        /// s, in (0, 1].
        start: f64,
        /// What the share grows by, above 1.
        factor: f64,
        /// How many training steps a share lasts, at least 1.
        length: u64,
    },
}

impl Pacing {
    /// Whether the settings are possible.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for one that is outside its range.
    pub fn validate(&self) -> Result<(), CurriculumError> {
        let check = CurriculumError::check;
        let (Self::Root { start, .. } | Self::Geometric { start, .. } | Self::Steps { start, .. }) =
            *self;
        let possible = start > 0.0 && start <= 1.0;
        check(possible, "start", start, "above 0 and at most 1")?;
        match *self {
            Self::Root {
                duration, power, ..
            } => {
                check(duration > 0, "duration", duration as f64, "at least 1")?;
                let possible = power >= 1.0 && power.is_finite();
                check(possible, "power", power, "at least 1 and finite")
            }
            Self::Geometric { duration, .. } => {
                check(duration > 0, "duration", duration as f64, "at least 1")
            }
            Self::Steps { factor, length, .. } => {
                check(length > 0, "length", length as f64, "at least 1")?;
                let possible = factor > 1.0 && factor.is_finite();
                check(possible, "factor", factor, "above 1 and finite")
            }
        }
    }

    /// The share that is open at `step`, from the share at the start to 1.
    ///
    /// ```
    /// use equipoise_data::curriculum::Pacing;
    ///
    /// let pacing = Pacing::Root { start: 0.1, duration: 100, power: 2.0 };
    /// // √(0.5 · (1 − 0.01) + 0.01) = √0.505
    /// assert!((pacing.share(50) - 0.7106335202).abs() < 1e-10);
    /// assert_eq!(pacing.share(100), 1.0);
    /// ```
    pub fn share(&self, step: u64) -> f64 {
        let time = |duration: u64| (step as f64 / duration.max(1) as f64).min(1.0);
        let share = match *self {
            Self::Root {
                start,
                duration,
                power,
            } => {
                let low = start.powf(power);
                (time(duration) * (1.0 - low) + low).powf(power.recip())
            }
            Self::Geometric { start, duration } => start.powf(1.0 - time(duration)),
            Self::Steps {
                start,
                factor,
                length,
            } => start * factor.powf((step / length.max(1)) as f64),
        };
        share.min(1.0)
    }
}

/// Items from the easiest to the hardest, opened by a [`Pacing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacedOrder {
    order: Vec<usize>,
    pacing: Pacing,
}

impl PacedOrder {
    /// Items in this order, the easiest first.
    ///
    /// # Errors
    /// As [`Pacing::validate`], and [`CurriculumError::TooFew`] without an item.
    pub fn new(order: Vec<usize>, pacing: Pacing) -> Result<Self, CurriculumError> {
        pacing.validate()?;
        if order.is_empty() {
            return Err(CurriculumError::TooFew {
                what: "items",
                found: 0,
                needed: 1,
            });
        }
        Ok(Self { order, pacing })
    }

    /// The items that are open at `step`, the easiest first: the share that the pacing says, rounded
    /// up, so never none.
    pub fn open(&self, step: u64) -> &[usize] {
        let count = self.order.len();
        let open = (self.pacing.share(step) * count as f64).ceil() as usize;
        // One that was read from a damaged file may be empty.
        &self.order[..open.max(1).min(count)]
    }

    /// One of the items that are open at `step`, each equally often.
    pub fn draw(&self, step: u64, stream: &mut Stream) -> usize {
        // There is always one: an order without items cannot be made.
        stream.choose(self.open(step)).copied().unwrap_or_default()
    }
}

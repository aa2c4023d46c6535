//! Problems whose pass rate lies in a window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// The settings of a [`PassRateWindow`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PassRateSettings {
    /// The smallest rate that is trained on; default 0.1.
    pub low: f64,
    /// The largest rate that is trained on; default 0.9.
    pub high: f64,
    /// How many passes and how many failures every problem has beforehand; default one each, which
    /// makes the rate the mean of a posterior with a uniform prior.
    pub prior: (f64, f64),
    /// What earlier trials count for when new ones come, from 0 (nothing) to 1 (as much); default
    /// 0.9, since the policy changes.
    pub decay: f64,
    /// How many steps a problem outside the window rests before it is tried again; default 50.
    pub cool_down: u64,
    /// With fewer trials than this, which decay too, a problem never rests; default 4.
    pub min_trials: f64,
}

impl Default for PassRateSettings {
    fn default() -> Self {
        Self {
            low: 0.1,
            high: 0.9,
            prior: (1.0, 1.0),
            decay: 0.9,
            cool_down: 50,
            min_trials: 4.0,
        }
    }
}

/// What is known of one problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    passes: f64,
    trials: f64,
    /// The step from which on it is tried again; `None` if it does not rest.
    rests_until: Option<u64>,
}

/// Keeps problems whose running pass rate lies in a window: the filter that recipes apply to a data set
/// once, with pass rates measured beforehand, kept up to date while the policy changes.
///
/// ```text
/// trials ← decay · trials + new trials          passes ← decay · passes + new passes
/// rate   = (passes + prior passes) / (trials + both priors)
/// ```
///
/// A problem outside the window rests for [`cool_down`](PassRateSettings::cool_down) steps; then it
/// is tried again, and rests again if it still is outside.
///
/// ```
/// use equipoise_data::curriculum::{PassRateSettings, PassRateWindow};
///
/// let settings = PassRateSettings { low: 0.2, high: 0.8, cool_down: 10, ..Default::default() };
/// let mut window = PassRateWindow::new(settings)?;
/// assert_eq!(window.rate(7), 0.5); // never tried: the prior
/// window.record(7, 100, 3, 4)?;
/// assert_eq!(window.rate(7), (3.0 + 1.0) / (4.0 + 2.0));
/// window.record(8, 100, 8, 8)?; // (8 + 1) / (8 + 2) = 0.9: too easy
/// assert!(window.admits(7, 101) && !window.admits(8, 101) && window.admits(8, 110));
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassRateWindow {
    settings: PassRateSettings,
    /// In order of the problems, so that the saved bytes are the same in every run.
    records: BTreeMap<u64, Record>,
}

/// How many problems are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassRateCounts {
    /// Tried, and not resting.
    pub active: usize,
    /// Resting because they are solved too rarely.
    pub too_hard: usize,
    /// Resting because they are solved too often.
    pub too_easy: usize,
}

impl PassRateWindow {
    /// A window that knows no problem yet.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] unless 0 ≤ low ≤ high ≤ 1, the decay is from 0 to 1, and
    /// the prior is positive.
    pub fn new(settings: PassRateSettings) -> Result<Self, CurriculumError> {
        let check = CurriculumError::check;
        let PassRateSettings {
            low,
            high,
            prior,
            decay,
            min_trials,
            ..
        } = settings;
        check((0.0..=1.0).contains(&high), "high", high, "from 0 to 1")?;
        check((0.0..=high).contains(&low), "low", low, "from 0 to `high`")?;
        check((0.0..=1.0).contains(&decay), "decay", decay, "from 0 to 1")?;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        check(positive(prior.0), "prior", prior.0, "positive and finite")?;
        check(positive(prior.1), "prior", prior.1, "positive and finite")?;
        check(min_trials >= 0.0, "min_trials", min_trials, "at least 0")?;
        Ok(Self {
            settings,
            records: BTreeMap::new(),
        })
    }

    /// Notes that `passes` of `trials` responses to a problem were right at `step`, and decides
    /// whether it rests.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] if more passed than were tried.
    pub fn record(
        &mut self,
        problem: u64,
        step: u64,
        passes: u64,
        trials: u64,
    ) -> Result<(), CurriculumError> {
        let possible = passes <= trials;
        CurriculumError::check(possible, "passes", passes as f64, "at most `trials`")?;
        if trials == 0 {
            return Ok(());
        }
        let settings = self.settings;
        let record = self.records.entry(problem).or_default();
        record.trials = settings.decay * record.trials + trials as f64;
        record.passes = settings.decay * record.passes + passes as f64;
        let rate = settings.rate(record);
        let outside = !(settings.low..=settings.high).contains(&rate);
        let rests = outside && record.trials >= settings.min_trials;
        record.rests_until = rests.then(|| step.saturating_add(settings.cool_down));
        Ok(())
    }

    /// The pass rate of a problem, the prior included; the prior's for one that was never tried.
    pub fn rate(&self, problem: u64) -> f64 {
        let record = self.records.get(&problem).copied().unwrap_or_default();
        self.settings.rate(&record)
    }

    /// Whether a problem is trained on at `step`: it was never tried, lies in the window, or has
    /// rested long enough to be tried again.
    pub fn admits(&self, problem: u64, step: u64) -> bool {
        let record = self.records.get(&problem);
        let until = record.and_then(|record| record.rests_until);
        until.is_none_or(|until| step >= until)
    }

    /// How many of the problems that were tried rest at `step`, and why.
    pub fn counts(&self, step: u64) -> PassRateCounts {
        let mut counts = PassRateCounts::default();
        for record in self.records.values() {
            match record.rests_until {
                Some(until) if step < until => {
                    if self.settings.rate(record) < self.settings.low {
                        counts.too_hard += 1;
                    } else {
                        counts.too_easy += 1;
                    }
                }
                _ => counts.active += 1,
            }
        }
        counts
    }
}

impl PassRateSettings {
    fn rate(&self, record: &Record) -> f64 {
        (record.passes + self.prior.0) / (record.trials + self.prior.0 + self.prior.1)
    }
}

//! Dynamic sampling: groups without signal are dropped, and others are drawn in their place.

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// What the rewards of a group have to teach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Rewards differ.
    Present,
    /// All known rewards are equal, or only one is known.
    Absent,
    /// No response could be judged.
    Unscorable,
}

impl Signal {
    /// The signal of a group with these rewards, `None` for responses that could not be judged.
    ///
    /// Rewards differ if they are different numbers. Where rounding matters,
    /// `equipoise_advantages::selection::with_signal` says which groups an estimator would give no
    /// advantage.
    pub fn of(rewards: &[Option<f64>]) -> Self {
        let mut known = rewards.iter().flatten();
        match known.next() {
            None => Self::Unscorable,
            Some(first) if known.all(|reward| reward == first) => Self::Absent,
            Some(_) => Self::Present,
        }
    }
}

/// How many groups are drawn when some are missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefillSize {
    /// Always as many, as verl's `filter_groups` does with its generation batch.
    Fixed(usize),
    /// As many as are missing.
    Missing,
    /// As many as are expected to make up for those that will be dropped, times this factor. With
    /// `kept` of `drawn` groups so far:
    ///
    /// ```text
    /// ⌈factor · missing · (drawn + 2) / (kept + 1)⌉
    /// ```
    ///
    /// The share kept is estimated with one group of either kind beforehand (Laplace's rule), so
    /// that it is never 0.
    Expected(f64),
}

/// Dynamic sampling (DAPO, arXiv:2503.14476, §3.2): rounds of groups, of which those with
/// [`Signal::Present`] are kept, until a step has enough of them or the rounds are used up.
///
/// ```
/// use equipoise_data::curriculum::{DynamicSampling, Next, RefillSize, Signal};
///
/// let sampling = DynamicSampling { groups: 8, max_rounds: 3, refill: RefillSize::Expected(1.0) };
/// let mut step = sampling.start()?;
///
/// // 4 of 16 groups have a signal; 4 are missing, and ⌈4 · 18 / 5⌉ = 15 are drawn for them.
/// let signals: Vec<Signal> = (0..16)
///     .map(|group| if group % 4 == 0 { Signal::Present } else { Signal::Absent })
///     .collect();
/// let round = step.offer(&signals);
/// assert_eq!(round.kept, [0, 4, 8, 12]);
/// assert_eq!(round.next, Next::Draw(15));
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicSampling {
    /// How many groups with signal a step needs; at least 1.
    pub groups: usize,
    /// How many rounds there are at most, the first one included; at least 1. DAPO's scripts have 10,
    /// SkyRL 30.
    pub max_rounds: u32,
    /// How many groups are drawn in further rounds.
    pub refill: RefillSize,
}

/// What to do after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There are enough groups.
    Train,
    /// Draw that many groups more, and offer them.
    Draw(usize),
    /// The rounds are used up, and that many groups are missing. A step may go on with fewer groups,
    /// or stop the run: this is for the caller to decide and to say.
    GiveUp {
        /// How many groups are missing.
        missing: usize,
    },
}

/// What became of the groups of one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The groups to keep, by their place in the round, ascending.
    pub kept: Vec<usize>,
    /// What to do now.
    pub next: Next,
}

/// The refilling of one step: what was offered so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refill {
    settings: DynamicSampling,
    /// Rounds offered.
    pub rounds: u32,
    /// Groups offered.
    pub drawn: usize,
    /// Groups kept.
    pub kept: usize,
    /// Groups with signal that came after there were enough.
    pub surplus: usize,
    /// Groups dropped because all their rewards are equal.
    pub without_signal: usize,
    /// Groups dropped because none of their responses could be judged.
    pub unscorable: usize,
}

impl DynamicSampling {
    /// The start of a step.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for a count of 0, or a factor that is not positive and
    /// finite.
    pub fn start(self) -> Result<Refill, CurriculumError> {
        let groups = self.groups as f64;
        CurriculumError::check(self.groups > 0, "groups", groups, "at least 1")?;
        let rounds = f64::from(self.max_rounds);
        CurriculumError::check(self.max_rounds > 0, "max_rounds", rounds, "at least 1")?;
        match self.refill {
            RefillSize::Fixed(size) => {
                CurriculumError::check(size > 0, "refill", size as f64, "at least 1")?;
            }
            RefillSize::Missing => {}
            RefillSize::Expected(factor) => {
                let usable = factor > 0.0 && factor.is_finite();
                CurriculumError::check(usable, "refill", factor, "positive and finite")?;
            }
        }
        Ok(Refill {
            settings: self,
            rounds: 0,
            drawn: 0,
            kept: 0,
            surplus: 0,
            without_signal: 0,
            unscorable: 0,
        })
    }
}

impl Refill {
    /// How many groups are missing.
    pub fn missing(&self) -> usize {
        self.settings.groups.saturating_sub(self.kept)
    }

    /// Offers the groups of a round, in order; the first that have a signal are kept, as many as are
    /// missing.
    pub fn offer(&mut self, signals: &[Signal]) -> Round {
        self.rounds = self.rounds.saturating_add(1);
        self.drawn += signals.len();
        let mut kept = Vec::new();
        for (place, signal) in signals.iter().enumerate() {
            match signal {
                Signal::Absent => self.without_signal += 1,
                Signal::Unscorable => self.unscorable += 1,
                Signal::Present if self.missing() == 0 => self.surplus += 1,
                Signal::Present => {
                    self.kept += 1;
                    kept.push(place);
                }
            }
        }
        let missing = self.missing();
        let next = if missing == 0 {
            Next::Train
        } else if self.rounds >= self.settings.max_rounds {
            Next::GiveUp { missing }
        } else {
            Next::Draw(self.refill_size(missing))
        };
        Round { kept, next }
    }

    fn refill_size(&self, missing: usize) -> usize {
        match self.settings.refill {
            RefillSize::Fixed(size) => size,
            RefillSize::Missing => missing,
            RefillSize::Expected(factor) => {
                let per_kept = (self.drawn + 2) as f64 / (self.kept + 1) as f64;
                ((factor * missing as f64 * per_kept).ceil() as usize).max(1)
            }
        }
    }
}

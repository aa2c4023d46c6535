//! One of K samples kept, softly by reward, and what that does to a distribution.

use super::{Error, error::check};
use crate::sum::bounded_sum as sum;

/// Curation (arXiv:2407.09499): of K samples one is kept, with probability proportional to exp(r / T).
///
/// Fine-tuning on what is kept, again and again, is iterated best-of-K; T → 0 is rejection sampling of the
/// best. For a distribution p over finitely many outcomes, one round with K samples makes
///
/// ```text
/// p'(x) = p(x) H_K(x)      H_K(x) = E_{x₂ … x_K ~ p} [ K e^{r(x)} / (e^{r(x)} + Σ_{j ≥ 2} e^{r(x_j)}) ]
/// ```
///
/// (r in units of T), so that for K → ∞ it is p e^r / E\[e^r\], a step of KL-regularised reinforcement learning
/// with β = 1. E\[e^r\] rises by at least ((K − 1)/K) Var\[e^r\] / max e^r. Without real data mixed in
/// ([`mix_with_real`]) rounds end on the outcomes of the largest reward alone.
///
/// Rewards have to be finite. Differences of rewards beyond about 700 T count as certain.
///
/// ```
/// use equipoise_advantages::selection::BestOfK;
///
/// let curation = BestOfK::new(2, 1.0)?;
/// let mut chances = [0.0; 2];
/// curation.probabilities(&[0.0, 3.0_f64.ln()], &mut chances)?;
/// assert!((chances[1] - 0.75).abs() < 1e-15);
/// assert_eq!(curation.select(&[0.0, 3.0_f64.ln()], 0.2)?, Some(0));
/// assert_eq!(curation.select(&[0.0, 3.0_f64.ln()], 0.3)?, Some(1));
///
/// // Two samples out of ½, ½: the better is kept if both are different in 3 of 4 cases.
/// let mut next = [0.0; 2];
/// curation.next_distribution(&[0.5, 0.5], &[0.0, 3.0_f64.ln()], &mut next)?;
/// assert!((next[1] - (0.25 + 0.5 * 0.75)).abs() < 1e-12);
/// # Ok::<(), equipoise_advantages::selection::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestOfK {
    samples: Option<usize>,
    temperature: f64,
}

/// Steps of the quadrature per unit; its error falls like exp(−π² · steps).
const STEPS: f64 = 8.0;

/// Where the integral begins, for one sample: what lies below is less than the last place.
const START: f64 = -46.0;

/// e^709 is the last finite one.
const LARGEST_EXPONENT: f64 = 700.0;

impl BestOfK {
    /// Keeps one of `samples`, at temperature `temperature` in units of reward.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for no sample, or a temperature that is not finite and positive.
    pub fn new(samples: usize, temperature: f64) -> Result<Self, Error> {
        if samples == 0 {
            return Err(Error::InvalidSetting {
                setting: "samples",
                value: 0.0,
                requirement: "at least 1",
            });
        }
        Ok(Self {
            samples: Some(samples),
            ..Self::unlimited(temperature)?
        })
    }

    /// The limit of infinitely many samples.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a temperature that is not finite and positive.
    pub fn unlimited(temperature: f64) -> Result<Self, Error> {
        if temperature.is_finite() && temperature > 0.0 {
            return Ok(Self {
                samples: None,
                temperature,
            });
        }
        Err(Error::InvalidSetting {
            setting: "temperature",
            value: temperature,
            requirement: "a finite number greater than 0",
        })
    }

    /// The probability that each of these samples is the one kept.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one probability per reward.
    pub fn probabilities(self, rewards: &[f64], out: &mut [f64]) -> Result<(), Error> {
        check(("rewards", rewards.len()), ("probabilities", out.len()))?;
        let exponent = self.exponents(rewards);
        for (weight, reward) in out.iter_mut().zip(rewards) {
            *weight = exponent(*reward).exp();
        }
        normalise(out);
        Ok(())
    }

    /// The index of the sample kept, for a uniform number in \[0, 1); `None` without a sample.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a reward that is not a number.
    pub fn select(self, rewards: &[f64], uniform: f64) -> Result<Option<usize>, Error> {
        if let Some(wrong) = rewards.iter().find(|reward| !reward.is_finite()) {
            return Err(Error::InvalidSetting {
                setting: "reward",
                value: *wrong,
                requirement: "a finite number",
            });
        }
        let exponent = self.exponents(rewards);
        let weights = || rewards.iter().map(|reward| exponent(*reward).exp());
        let mut left = uniform * sum(weights());
        let mut last = None;
        for (index, weight) in weights().enumerate() {
            if weight > 0.0 {
                last = Some(index);
                if left < weight {
                    break;
                }
                left -= weight;
            }
        }
        Ok(last)
    }

    /// p', the distribution of what is kept, from p and the reward of each outcome.
    ///
    /// The expectation is not a sum over the K − 1 others' outcomes, of which there are too many, but the
    /// integral ∫ K e^{r(x)} exp(−t e^{r(x)}) (Σ_y p(y) exp(−t e^{r(y)}))^{K−1} dt, by the trapezoidal rule in
    /// log t, to about 14 digits. p' is divided by its sum, which is 1 but for rounding: round after round
    /// the error would grow like 2^n. With one sample p' is p, bit for bit.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless all rows are equally long.
    pub fn next_distribution(
        self,
        distribution: &[f64],
        rewards: &[f64],
        out: &mut [f64],
    ) -> Result<(), Error> {
        check(
            ("probabilities", distribution.len()),
            ("rewards", rewards.len()),
        )?;
        check(
            ("probabilities", distribution.len()),
            ("probabilities to be written", out.len()),
        )?;
        if self.samples == Some(1) {
            out.copy_from_slice(distribution);
            return Ok(());
        }
        let exponent = self.exponents(rewards);
        let Some(samples) = self.samples else {
            for ((next, p), reward) in out.iter_mut().zip(distribution).zip(rewards) {
                *next = p * exponent(*reward).exp();
            }
            normalise(out);
            return Ok(());
        };
        out.fill(0.0);
        let smallest = rewards.iter().map(|r| exponent(*r)).fold(0.0, f64::min);
        let end = (5.0 - smallest) * STEPS;
        let mut step = ((START - (samples as f64).ln()) * STEPS).floor();
        while step <= end {
            // t = e^u; a sample's term decays like exp(−e^{u + r}).
            let u = step / STEPS;
            let decay = |reward: f64| (-(u + exponent(reward)).exp()).exp();
            let outcomes = distribution.iter().zip(rewards);
            let survival = sum(outcomes.map(|(p, reward)| p * decay(*reward)));
            let others = survival.powf((samples - 1) as f64) * samples as f64 / STEPS;
            for ((next, p), reward) in out.iter_mut().zip(distribution).zip(rewards) {
                *next += p * (u + exponent(*reward)).exp() * decay(*reward) * others;
            }
            step += 1.0;
        }
        normalise(out);
        Ok(())
    }

    /// What is exponentiated for a reward: 0 for the largest one, and less for the others.
    fn exponents(self, rewards: &[f64]) -> impl Fn(f64) -> f64 {
        let largest = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        move |reward| ((reward - largest) / self.temperature).max(-LARGEST_EXPONENT)
    }
}

/// Divides by the sum, if there is one.
fn normalise(weights: &mut [f64]) {
    let total = sum(weights.iter().copied());
    if total != 0.0 {
        for weight in weights {
            *weight /= total;
        }
    }
}

/// Real data mixed into a round of curation, which keeps the loop from collapsing (arXiv:2407.09499).
///
/// ```text
/// p'(x) = (p_real(x) + λ p(x) H_K(x)) / (1 + λ)
/// ```
///
/// `curated` is what [`BestOfK::next_distribution`] gives and is replaced; λ, `lambda`, at least 0, is the
/// number of curated samples per real one.
///
/// # Errors
/// [`Error::LengthMismatch`] unless both rows are equally long.
///
/// ```
/// use equipoise_advantages::selection::mix_with_real;
///
/// let mut next = [0.0, 1.0];
/// mix_with_real(&[0.5, 0.5], 1.0, &mut next)?;
/// assert_eq!(next, [0.25, 0.75]);
/// # Ok::<(), equipoise_advantages::selection::Error>(())
/// ```
pub fn mix_with_real(real: &[f64], lambda: f64, curated: &mut [f64]) -> Result<(), Error> {
    check(
        ("real probabilities", real.len()),
        ("curated ones", curated.len()),
    )?;
    for (curated, real) in curated.iter_mut().zip(real) {
        *curated = (real + lambda * *curated) / (1.0 + lambda);
    }
    Ok(())
}

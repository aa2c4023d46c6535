//! Losses of single completions that are labelled good or bad.

use super::{Error, SequenceGradient, SequenceStats, log_sigmoid, sigmoid};
use crate::numeric::slope;
use crate::sum::sum;

/// A completion and whether it is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// The completion's numbers.
    pub stats: SequenceStats,
    /// Whether it is desirable.
    pub desirable: bool,
}

/// Which loss of single completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpairedKind {
    /// Kahneman-Tversky optimisation (arXiv:2402.01306, Eq. 7).
    Kto,
    /// APO-zero of single completions (arXiv:2408.06266).
    ApoZero,
    /// Binary classifier optimisation (arXiv:2404.04656).
    Bco,
}

/// A loss of single completions, with h = log π_θ − log π_ref.
///
/// ```text
///            desirable                    undesirable                  baseline
/// Kto        w_D (1 − σ(β (h − z)))       w_U (1 − σ(β (z − h)))       z, see `kto_baseline`
/// ApoZero    w_D (1 − σ(β h))             w_U σ(β h)                   without effect
/// Bco        −w_D ln σ(β h − δ)           −w_U ln σ(δ − β h)           δ, see `bco_baseline`
///
/// derivatives by h, with x = β (h − z), β h or β h − δ:
/// Kto, ApoZero   −w_D β σ(x) σ(−x)        w_U β σ(x) σ(−x)
/// Bco            −w_D β σ(−x)             w_U β σ(x)
/// ```
///
/// The baseline is a constant to the derivative and is given, because it is the same for a whole
/// batch: with it, a micro-batch evaluates to what the batch would. TRL's `kto` and
/// `apo_zero_unpaired` are the same; it has no BCO trainer any more.
///
/// ```
/// use equipoise_objectives::preference::{
///     Example, SequenceStats, Unpaired, UnpairedKind, UnpairedLoss,
/// };
///
/// let kto = Unpaired { kind: UnpairedKind::Kto, beta: 0.1, desirable: 1.0, undesirable: 2.0 };
/// let stats = SequenceStats::new(&[-2.0], Some(&[-3.0]), 1)?;
/// let example = Example { stats, desirable: false };
/// let mut out = UnpairedLoss::new();
/// kto.evaluate(&[example], 1.0, &mut out)?;
/// assert_eq!(out.losses, [1.0]);
/// assert_eq!(out.gradients[0].head, 2.0 * 0.1 * 0.25);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unpaired {
    /// Which loss.
    pub kind: UnpairedKind,
    /// β, above 0.
    pub beta: f64,
    /// w_D, the weight of desirable completions, at least 0.
    pub desirable: f64,
    /// w_U, the weight of the others, at least 0.
    pub undesirable: f64,
}

impl Unpaired {
    /// The loss of each example and the derivatives of their sum. `out` is overwritten.
    ///
    /// # Errors
    /// [`Error::MissingReference`].
    pub fn evaluate(
        &self,
        examples: &[Example],
        baseline: f64,
        out: &mut UnpairedLoss,
    ) -> Result<(), Error> {
        out.losses.clear();
        out.gradients.clear();
        for example in examples {
            let h = example.stats.log_ratio()?;
            let x = match self.kind {
                UnpairedKind::Kto => self.beta * (h - baseline),
                UnpairedKind::ApoZero => self.beta * h,
                UnpairedKind::Bco => self.beta * h - baseline,
            };
            // The loss of an undesirable completion is that of a desirable one at −x.
            let (weight, sign) = if example.desirable {
                (self.desirable, 1.0)
            } else {
                (self.undesirable, -1.0)
            };
            let (loss, derivative) = match self.kind {
                UnpairedKind::Kto | UnpairedKind::ApoZero => (sigmoid(-sign * x), -slope(x)),
                UnpairedKind::Bco => (-log_sigmoid(sign * x), -sigmoid(-sign * x)),
            };
            let by_token = weight * sign * self.beta * derivative;
            out.losses.push(weight * loss);
            out.gradients.push(SequenceGradient {
                shared: example.stats.shared,
                head: by_token,
                tail: by_token,
            });
        }
        Ok(())
    }
}

/// KTO's reference point z of a batch, an estimate of the KL divergence from the reference:
///
/// ```text
/// z = max(0, mean of h over mismatched completions)
/// ```
///
/// `mismatched` holds the numbers of every prompt with *another* prompt's completion (the batch's
/// completions shifted by one) and is that of the whole batch over all workers. Every such sequence
/// has to be evaluated by policy and reference as well.
///
/// ```
/// use equipoise_objectives::preference::{SequenceStats, kto_baseline};
///
/// let a = SequenceStats::new(&[-2.0], Some(&[-3.0]), 1)?;
/// let b = SequenceStats::new(&[-2.0], Some(&[-5.0]), 1)?;
/// assert_eq!(kto_baseline(&[a, b])?, 2.0);
/// assert!(kto_baseline(&[a]).is_err());
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::BatchOfOne`] for fewer than two sequences: shifted by one, a batch of one gives a prompt
/// its own completion, and z would be its own log-ratio. [`Error::MissingReference`].
pub fn kto_baseline(mismatched: &[SequenceStats]) -> Result<f64, Error> {
    if mismatched.len() < 2 {
        return Err(Error::BatchOfOne);
    }
    for stats in mismatched {
        stats.log_ratio()?;
    }
    let total = sum(mismatched.iter().filter_map(|stats| stats.log_ratio().ok()));
    let mean = total / mismatched.len() as f64;
    Ok(if mean < 0.0 { 0.0 } else { mean })
}

/// BCO's reward shift δ of a batch: the mean of the mean rewards β h of its desirable and of its
/// undesirable completions (of one of them if the other is empty; 0 for no examples).
///
/// The paper keeps a running mean of this number over batches; feed it with this.
///
/// ```
/// use equipoise_objectives::preference::{Example, SequenceStats, bco_baseline};
///
/// let stats = |h| SequenceStats::new(&[h], Some(&[0.0]), 1);
/// let good = |h| stats(h).map(|stats| Example { stats, desirable: true });
/// let bad = |h| stats(h).map(|stats| Example { stats, desirable: false });
/// assert_eq!(bco_baseline(0.5, &[good(2.0)?, good(4.0)?, bad(-1.0)?])?, 0.5);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::MissingReference`].
pub fn bco_baseline(beta: f64, examples: &[Example]) -> Result<f64, Error> {
    for example in examples {
        example.stats.log_ratio()?;
    }
    let mean = |desirable: bool| {
        let of_side = examples.iter().filter(|e| e.desirable == desirable);
        let count = of_side.clone().count();
        let total = sum(of_side.filter_map(|e| e.stats.log_ratio().ok()));
        (count > 0).then(|| beta * total / count as f64)
    };
    Ok(match (mean(true), mean(false)) {
        (Some(good), Some(bad)) => 0.5 * (good + bad),
        (one, other) => one.or(other).unwrap_or(0.0),
    })
}

/// What a loss makes of a batch of examples. Create it once; its buffers are reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnpairedLoss {
    /// The loss of each example.
    pub losses: Vec<f64>,
    /// The derivative of the sum of the losses by the tokens of each example.
    pub gradients: Vec<SequenceGradient>,
}

impl UnpairedLoss {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

//! Entropy: a bonus for undecided policies, a controller of it, and the choice of undecided tokens.

use crate::{Error, Term};

/// Rewards entropy, to keep a policy exploring (Williams and Peng, 1991).
///
/// ```text
/// ℓ_t = −c H_t          dℓ_t / dH_t = −c
/// ```
///
/// with H_t the entropy, in nats, of the policy's distribution over the vocabulary at token t.
///
/// ```
/// let bonus = equipoise_objectives::EntropyBonus { coefficient: 0.01 };
/// assert_eq!(bonus.evaluate(2.0).value, -0.02);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntropyBonus {
    /// The coefficient c; 0 switches the bonus off, and a negative one punishes entropy.
    pub coefficient: f64,
}

impl EntropyBonus {
    /// The loss term of one token, and its derivative with respect to the entropy.
    pub fn evaluate(self, entropy: f64) -> Term {
        Term {
            value: -(self.coefficient * entropy),
            derivative: -self.coefficient,
        }
    }
}

/// Adapts the coefficient of the bonus to a target, as Skywork-OR1 does (arXiv:2505.22312).
///
/// ```text
/// c ← min(c + δ, c_max) if H ≤ target, else max(c − δ, c_min)
/// the bonus applies in a step if the step before had H ≤ target
/// ```
///
/// with H the mean entropy of a step's tokens. It holds its whole state, so saving it is saving the value.
/// TRL's adaptive entropy is the same.
///
/// ```
/// use equipoise_objectives::AdaptiveEntropy;
///
/// let mut control = AdaptiveEntropy::new(0.2);
/// assert_eq!(control.bonus().coefficient, 0.0);
/// control.update(0.1);
/// control.update(0.15);
/// assert_eq!(control.bonus().coefficient, 0.01);
/// control.update(0.3);
/// assert_eq!((control.bonus().coefficient, control.coefficient), (0.0, 0.005));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveEntropy {
    /// The coefficient at present.
    pub coefficient: f64,
    /// The entropy below which it rises, in nats.
    pub target: f64,
    /// By how much it changes in a step.
    pub delta: f64,
    /// The smallest coefficient.
    pub min: f64,
    /// The largest coefficient.
    pub max: f64,
    /// The mean entropy of the last step; `None` before the first.
    pub last: Option<f64>,
}

impl AdaptiveEntropy {
    /// From 0 in steps of 0.005 up to 1, before the first step.
    pub fn new(target: f64) -> Self {
        Self {
            coefficient: 0.0,
            target,
            delta: 0.005,
            min: 0.0,
            max: 1.0,
            last: None,
        }
    }

    /// The bonus of the coming step.
    pub fn bonus(&self) -> EntropyBonus {
        let applies = self.last.is_some_and(|last| last <= self.target);
        EntropyBonus {
            coefficient: if applies { self.coefficient } else { 0.0 },
        }
    }

    /// Takes note of the mean entropy of a step. One that is not finite changes nothing.
    pub fn update(&mut self, entropy: f64) {
        if entropy.is_finite() {
            self.coefficient = match entropy <= self.target {
                true => (self.coefficient + self.delta).min(self.max),
                false => (self.coefficient - self.delta).max(self.min),
            };
            self.last = Some(entropy);
        }
    }
}

/// Which tokens of a step have an entropy among the highest `share`, response by response ("beyond the
/// 80/20 rule", arXiv:2506.01939: a fifth of the tokens carries the gradient).
///
/// ```text
/// kept   H_t ≥ the (1 − share)-quantile of the entropies of all tokens of the step
/// ```
///
/// The quantile is interpolated linearly between the two nearest entropies, as in TRL and NumPy. It is that
/// of the whole step, so that micro-batches change nothing. Tokens without a finite entropy are not kept.
/// As multipliers of 0 and 1 the marks remove tokens from the loss and leave its denominators alone.
///
/// # Errors
/// [`Error::InvalidOption`] unless `share` is greater than 0 and at most 1.
///
/// ```
/// use equipoise_objectives::top_entropy_marks;
///
/// // The 0.5-quantile of 0.1, 0.2, 0.4 and 0.9 is 0.3.
/// let marks = top_entropy_marks(&[&[0.1, 0.9], &[0.4, 0.2]], 0.5)?;
/// assert_eq!(marks, [[false, true], [true, false]]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn top_entropy_marks(entropies: &[&[f64]], share: f64) -> Result<Vec<Vec<bool>>, Error> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(Error::InvalidOption {
            objective: "top_entropy_marks",
            option: "share",
            value: share.to_string(),
            requirement: "greater than 0 and at most 1",
        });
    }
    let all = || entropies.iter().flat_map(|row| row.iter().copied());
    let mut sorted: Vec<f64> = all().filter(|entropy| entropy.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let threshold = match sorted.len() {
        0 => f64::INFINITY,
        count => {
            let place = (1.0 - share) * (count - 1) as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
        }
    };
    let keep = |entropy: &f64| entropy.is_finite() && *entropy >= threshold;
    Ok(entropies
        .iter()
        .map(|row| row.iter().map(keep).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let bonus = EntropyBonus { coefficient: 0.5 };
        assert_eq!(
            bonus.evaluate(3.0),
            Term {
                value: -1.5,
                derivative: -0.5
            }
        );
    }

    #[test]
    fn the_coefficient_stays_within_its_bounds() {
        let mut control = AdaptiveEntropy {
            max: 0.011,
            ..AdaptiveEntropy::new(1.0)
        };
        for _ in 0..5 {
            control.update(0.5);
        }
        assert_eq!(control.coefficient, 0.011);
        for _ in 0..5 {
            control.update(2.0);
        }
        assert_eq!(control.coefficient, 0.0);
        let before = control;
        control.update(f64::NAN);
        assert_eq!(control, before);
    }

    #[test]
    fn all_tokens_or_none() {
        let rows: [&[f64]; 2] = [&[0.3, 0.1], &[0.2]];
        let all = top_entropy_marks(&rows, 1.0).unwrap();
        assert_eq!(all, [vec![true, true], vec![true]]);
        assert_eq!(
            top_entropy_marks(&[], 0.2).unwrap(),
            Vec::<Vec<bool>>::new()
        );
        let odd = top_entropy_marks(&[&[f64::NAN, 0.5]], 0.5).unwrap();
        assert_eq!(odd, [[false, true]]);
        assert!(top_entropy_marks(&rows, 0.0).is_err());
        assert!(top_entropy_marks(&rows, f64::NAN).is_err());
    }
}

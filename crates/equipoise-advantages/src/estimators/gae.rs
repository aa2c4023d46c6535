//! Generalised advantage estimation from a value model.

use crate::estimators::Correction;
use crate::moments::whiten_tokens;
use crate::options::{Backwards, backwards, fraction};
use crate::sum::bounded;
use crate::tokens::{Tokens, rows};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// Generalised advantage estimation (arXiv:1506.02438), the estimator of PPO.
///
/// ```text
/// δ_t = r_t + γ V_{t+1} − V_t,      Â_t = δ_t + γλ Â_{t+1},      return_t = Â_t + V_t
/// ```
///
/// with V after the last token 0, the reward of the response at its last trained token, r less β times the
/// divergence, and Â then whitened over the trained tokens of the batch; returns are not. For γ = λ = 1
/// Â is the return less the value. Tokens that are not trained are skipped: values and sums are carried over
/// them (verl, NeMo RL); OpenRLHF multiplies by the mask instead, which makes the value after an observation 0.
/// verl divides its masked means by the count + 1e-8, which moves whitened advantages by about that much.
/// Advantages of a group do not add up to 0.
///
/// ```
/// use equipoise_advantages::estimators::Gae;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0)], &[2])?.with_values(&[&[0.25, 0.75]])?;
/// let plain = Gae { whiten: false, ..Gae::default() };
/// let values = plain.estimate(&[group])?.values;
/// assert_eq!(values, [0.5]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gae {
    /// The discount per token, from 0 to 1; default 1.
    pub gamma: f64,
    /// λ, from 0 to 1; default 1.
    pub lambda: f64,
    /// β; default 0.
    pub kl_coefficient: f64,
    /// Whether the advantages are whitened; default true.
    pub whiten: bool,
    /// Which variance that uses; default sample.
    pub correction: Correction,
}

impl Default for Gae {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            lambda: 1.0,
            kl_coefficient: 0.0,
            whiten: true,
            correction: Correction::Sample,
        }
    }
}

impl Gae {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "gae",
        formula: "Σ (γλ)^l δ, whitened over tokens",
        options: &[
            "gamma",
            "lambda",
            "kl_coefficient",
            "whiten",
            "correction",
            "clip",
        ],
        level: Level::Token,
        zero_sum: false,
        source: "arXiv:1506.02438",
        build: |options| {
            let Backwards {
                gamma,
                kl_coefficient,
                whiten,
                correction,
            } = backwards("gae", options)?;
            Ok(Box::new(Self {
                gamma,
                lambda: fraction("gae", "lambda", options.lambda.unwrap_or(1.0))?,
                kl_coefficient,
                whiten,
                correction,
            }))
        },
    };
}

impl AdvantageEstimator for Gae {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            values: true,
            kl: self.kl_coefficient != 0.0,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("gae", groups)?;
        let walk = Walk {
            gamma: self.gamma,
            kl_coefficient: self.kl_coefficient,
            lambda_value: self.lambda,
            whiten: self.whiten.then_some(self.correction),
        };
        Ok(walk.estimate(groups, |_| self.lambda))
    }
}

/// The backward walk that `gae` and `vapo` share.
pub(super) struct Walk {
    pub(super) gamma: f64,
    pub(super) kl_coefficient: f64,
    pub(super) lambda_value: f64,
    pub(super) whiten: Option<Correction>,
}

impl Walk {
    /// The advantages, with λ a function of the number of trained tokens of a response.
    pub(super) fn estimate(
        &self,
        groups: &[Group<'_>],
        lambda_policy: impl Fn(usize) -> f64,
    ) -> Advantages {
        let mut tokens = Tokens::zeros(groups);
        let mut returns = Tokens::zeros(groups);
        for (index, row) in rows(groups).enumerate() {
            let Some(values) = row.group.values.map(|rows| rows[row.response]) else {
                continue;
            };
            returns.response_mut(index).copy_from_slice(values);
            if row.reward.is_none() {
                continue;
            }
            let lambda_policy = lambda_policy(row.trained());
            let (mut policy, mut value, mut next) = (0.0, 0.0, 0.0);
            let advantages = tokens.response_mut(index);
            let targets = returns.response_mut(index);
            row.backwards(self.kl_coefficient, |t, reward| {
                let delta = bounded(bounded(reward + self.gamma * next) - values[t]);
                policy = bounded(delta + self.gamma * lambda_policy * policy);
                value = bounded(delta + self.gamma * self.lambda_value * value);
                next = values[t];
                advantages[t] = policy;
                targets[t] = bounded(value + values[t]);
            });
        }
        if let Some(correction) = self.whiten {
            whiten_tokens(groups, &mut tokens, correction);
        }
        Advantages {
            returns: Some(returns),
            ..Advantages::of_tokens(groups, tokens)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None], &[3, 1]).unwrap();
        let group = group.with_masks(&[&[true, false, true], &[true]]).unwrap();
        let group = group.with_values(&[&[0.25, 9.0, 0.5], &[7.0]]).unwrap();
        let half = Gae {
            gamma: 0.5,
            lambda: 0.5,
            whiten: false,
            ..Gae::default()
        };
        // δ = 1 − 0.5 at the last token, 0.5 · 0.5 − 0.25 at the first; ¼ of ½ is carried on.
        let advantages = half.estimate(&[group]).unwrap();
        assert_eq!(advantages.tokens.unwrap().response(0), [0.125, 0.0, 0.5]);
        let returns = advantages.returns.unwrap();
        assert_eq!(returns.response(0), [0.375, 9.0, 1.0]);
        assert_eq!(returns.response(1), [7.0]);
    }
}

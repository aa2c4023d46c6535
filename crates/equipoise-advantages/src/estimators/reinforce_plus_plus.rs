//! Discounted sums of rewards per token, whitened over the batch.

use crate::estimators::Correction;
use crate::moments::whiten_tokens;
use crate::options::{Backwards, backwards};
use crate::tokens::returns_to_go;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// REINFORCE++ (arXiv:2501.03262).
///
/// ```text
/// r_it = [t last] R_i − β kl_it + token reward,      G_it = r_it + γ G_i,t+1,      A_it = (G_it − m) / √(v + 1e-8)
/// ```
///
/// with m and v the mean and the variance over the trained tokens of the batch. Tokens that are not trained are
/// skipped: the sum is carried over them, and rewards on them do not count, as in verl. Peers: verl and
/// OpenRLHF's reinforce; the latter uses the population variance. With β = 0, γ = 1 and no whitening every
/// token has the reward of its response. There is no baseline in the group, so advantages of a group do not
/// add up to 0 and one response per prompt is enough; needs the divergences where β is not 0.
///
/// ```
/// use equipoise_advantages::estimators::ReinforcePlusPlus;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[2, 1])?;
/// let plain = ReinforcePlusPlus { gamma: 0.5, whiten: false, ..ReinforcePlusPlus::default() };
/// let values = plain.estimate(&[group])?.values;
/// assert_eq!(values, [0.75, 0.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReinforcePlusPlus {
    /// The discount per token, from 0 to 1; default 1.
    pub gamma: f64,
    /// β; default 0.
    pub kl_coefficient: f64,
    /// Whether the sums are whitened; default true.
    pub whiten: bool,
    /// Which variance that uses; default sample.
    pub correction: Correction,
}

impl Default for ReinforcePlusPlus {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            kl_coefficient: 0.0,
            whiten: true,
            correction: Correction::Sample,
        }
    }
}

impl ReinforcePlusPlus {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "reinforce_plus_plus",
        formula: "Σ γ^l (r − β kl), whitened over tokens",
        options: &["gamma", "kl_coefficient", "whiten", "correction", "clip"],
        level: Level::Token,
        zero_sum: false,
        source: "arXiv:2501.03262",
        build: |options| {
            let Backwards {
                gamma,
                kl_coefficient,
                whiten,
                correction,
            } = backwards("reinforce_plus_plus", options)?;
            Ok(Box::new(Self {
                gamma,
                kl_coefficient,
                whiten,
                correction,
            }))
        },
    };
}

impl AdvantageEstimator for ReinforcePlusPlus {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            kl: self.kl_coefficient != 0.0,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("reinforce_plus_plus", groups)?;
        let mut tokens = returns_to_go(groups, self.gamma, self.kl_coefficient);
        if self.whiten {
            whiten_tokens(groups, &mut tokens, self.correction);
        }
        Ok(Advantages::of_tokens(groups, tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None], &[3, 1]).unwrap();
        let group = group.with_masks(&[&[true, false, true], &[true]]).unwrap();
        let group = group.with_kl(&[&[1.0, 9.0, 2.0], &[0.0]]).unwrap();
        let plain = ReinforcePlusPlus {
            gamma: 0.5,
            kl_coefficient: 0.25,
            whiten: false,
            ..ReinforcePlusPlus::default()
        };
        // 1 − 0.5 at the last token; −0.25 + 0.5 · 0.5 at the first.
        let advantages = plain.estimate(&[group]).unwrap();
        assert_eq!(advantages.tokens.unwrap().response(0), [0.0, 0.0, 0.5]);
        assert_eq!(advantages.values, [0.25, 0.0]);
    }
}

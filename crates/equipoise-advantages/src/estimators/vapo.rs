//! Generalised advantage estimation with two λ, one of them of the length.

use crate::estimators::Correction;
use crate::estimators::gae::Walk;
use crate::options::{Backwards, backwards, fraction, positive};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// VAPO (arXiv:2504.05118): one λ for the targets of the value model, another for the advantages, which grows
/// with the length of the response.
///
/// ```text
/// λ_policy = 1 − 1 / (α l), at least 0      l trained tokens of the response, α = 0.05;      λ_value = 1
/// ```
///
/// All else is [`Gae`](crate::estimators::Gae), and with equal λ the two agree bit for bit. The paper's
/// likelihood term on correct responses belongs to the loss, not here. NeMo RL has the three options under the
/// names gae_lambda_value, gae_lambda_policy and length_adaptive_alpha.
///
/// ```
/// use equipoise_advantages::estimators::Vapo;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0)], &[2])?.with_values(&[&[0.25, 0.75]])?;
/// let plain = Vapo { lambda_policy: Some(1.0), whiten: false, ..Vapo::default() };
/// let values = plain.estimate(&[group])?.values;
/// assert_eq!(values, [0.5]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vapo {
    /// The discount per token, from 0 to 1; default 1.
    pub gamma: f64,
    /// λ of the returns, from 0 to 1; default 1.
    pub lambda_value: f64,
    /// λ of the advantages, from 0 to 1; `None`, the default, for the length-adaptive one.
    pub lambda_policy: Option<f64>,
    /// α, above 0; default 0.05.
    pub length_alpha: f64,
    /// β; default 0.
    pub kl_coefficient: f64,
    /// Whether the advantages are whitened; default true.
    pub whiten: bool,
    /// Which variance that uses; default sample.
    pub correction: Correction,
}

impl Default for Vapo {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            lambda_value: 1.0,
            lambda_policy: None,
            length_alpha: 0.05,
            kl_coefficient: 0.0,
            whiten: true,
            correction: Correction::Sample,
        }
    }
}

impl Vapo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "vapo",
        formula: "Σ (γλ_policy)^l δ, λ_policy = 1 − 1/(α l)",
        options: &[
            "gamma",
            "lambda_value",
            "lambda_policy",
            "length_alpha",
            "kl_coefficient",
            "whiten",
            "correction",
            "clip",
        ],
        level: Level::Token,
        zero_sum: false,
        source: "arXiv:2504.05118",
        build: |options| {
            let Backwards {
                gamma,
                kl_coefficient,
                whiten,
                correction,
            } = backwards("vapo", options)?;
            if options.lambda_policy.is_some() && options.length_alpha.is_some() {
                return Err(Error::OptionWithoutEffect {
                    estimator: "vapo with lambda_policy",
                    option: "length_alpha",
                    accepted: &[
                        "gamma",
                        "lambda_value",
                        "lambda_policy",
                        "kl_coefficient",
                        "whiten",
                    ],
                });
            }
            let lambda_value = options.lambda_value.unwrap_or(1.0);
            let policy = options.lambda_policy;
            let length_alpha = options.length_alpha.unwrap_or(0.05);
            Ok(Box::new(Self {
                gamma,
                lambda_value: fraction("vapo", "lambda_value", lambda_value)?,
                lambda_policy: policy
                    .map(|lambda| fraction("vapo", "lambda_policy", lambda))
                    .transpose()?,
                length_alpha: positive("vapo", "length_alpha", length_alpha)?,
                kl_coefficient,
                whiten,
                correction,
            }))
        },
    };
}

impl AdvantageEstimator for Vapo {
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
        self.needs().check("vapo", groups)?;
        let walk = Walk {
            gamma: self.gamma,
            kl_coefficient: self.kl_coefficient,
            lambda_value: self.lambda_value,
            whiten: self.whiten.then_some(self.correction),
        };
        Ok(walk.estimate(groups, |length| {
            let adaptive = 1.0 - 1.0 / (self.length_alpha * length as f64);
            self.lambda_policy.unwrap_or(adaptive.max(0.0))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_grows_with_the_length() {
        // α l = 2, so λ = ½: δ = 1 at the last token and 0 before it.
        let group = Group::new(&[Some(1.0)], &[2]).unwrap();
        let group = group.with_values(&[&[0.0, 0.0]]).unwrap();
        let vapo = Vapo {
            length_alpha: 1.0,
            whiten: false,
            ..Vapo::default()
        };
        let advantages = vapo.estimate(&[group]).unwrap();
        assert_eq!(advantages.tokens.unwrap().response(0), [0.5, 1.0]);
        assert_eq!(advantages.returns.unwrap().response(0), [1.0, 1.0]);
    }
}

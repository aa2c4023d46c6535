//! The reward less the soft maximum of the group.

use crate::centre::Centred;
use crate::options::positive;
use crate::sum::sum;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Online policy mirror descent with the log-mean-exp baseline (Trinity-RFT 0.6.0; Kimi k1.5,
/// arXiv:2501.12599).
///
/// ```text
/// A_i = R_i − τ ln( (1/n) Σ_j exp(R_j / τ) )
/// ```
///
/// The baseline is the mean for τ → ∞ and the best reward for τ → 0. Advantages of a group add up to less
/// than 0 unless its rewards are equal. The only scorable response of a group is its own baseline.
///
/// ```
/// use equipoise_advantages::estimators::Opmd;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(1.0)], &[1; 2])?;
/// let values = Opmd::default().estimate(&[group])?.values;
/// assert_eq!(values, [0.0, 0.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opmd {
    /// τ, in units of reward, above 0; default 1.
    pub temperature: f64,
}

impl Default for Opmd {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Opmd {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "opmd",
        formula: "R − τ ln mean exp(R / τ)",
        options: &["temperature", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2501.12599; Trinity-RFT 0.6.0, advantage_fn",
        build: |options| {
            let temperature = options.temperature.unwrap_or(1.0);
            let temperature = positive("opmd", "temperature", temperature)?;
            Ok(Box::new(Self { temperature }))
        },
    };
}

impl AdvantageEstimator for Opmd {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let centred = Centred::about(groups, |group, unit| {
            let temperature = self.temperature / unit;
            let count = group.scorable().count() as f64;
            let best = group.scorable().fold(f64::NEG_INFINITY, f64::max) / unit;
            let shares = group
                .scorable()
                .map(|r| ((r / unit - best) / temperature).exp());
            best + temperature * (sum(shares) / count).ln()
        });
        let values = centred.in_rewards(groups, |_, _| 1.0);
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3]).unwrap();
        let values = Opmd {
            temperature: 1.0 / std::f64::consts::LN_2,
        }
        .estimate(&[group])
        .unwrap()
        .values;
        let expected = [1.0 - 1.5_f64.log2(), 0.0, -1.5_f64.log2()];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}

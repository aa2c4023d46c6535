//! Advantages from elsewhere.

use crate::Tokens;
use crate::tokens::rows;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// Advantages that the caller supplies, per response or per token: a judge's, or those of a teacher's
/// log-ratios. Rewards have no effect on them, and a response without a reward keeps its own. Tokens that
/// are not trained get 0. If groups have both, those of the tokens count.
///
/// ```
/// use equipoise_advantages::estimators::External;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[None, None], &[1; 2])?.with_advantages(&[0.5, -2.0])?;
/// let values = External.estimate(&[group])?.values;
/// assert_eq!(values, [0.5, -2.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default, Eq)]
pub struct External;

impl External {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "external",
        formula: "as supplied",
        options: &["clip"],
        level: Level::Response,
        zero_sum: false,
        source: "the caller",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for External {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            advantages: true,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("external", groups)?;
        let finite = |row: &&[f64]| row.iter().all(|value| value.is_finite());
        for (at, group) in groups.iter().enumerate() {
            let of_tokens = group.token_advantages.unwrap_or_default();
            if !(group.advantages.iter().all(finite) && of_tokens.iter().all(finite)) {
                return Err(Error::InvalidInput {
                    estimator: "external",
                    group: at,
                    what: "an advantage is not finite; all must be",
                });
            }
        }
        if groups.iter().all(|group| group.token_advantages.is_none()) {
            let values = groups.iter().filter_map(|group| group.advantages);
            return Ok(Advantages::new(groups, values.flatten().copied().collect()));
        }
        let mut tokens = Tokens::zeros(groups);
        for (index, row) in rows(groups).enumerate() {
            let given = row.group.token_advantages.map(|rows| rows[row.response]);
            let whole = row
                .group
                .advantages
                .map_or(0.0, |values| values[row.response]);
            for (t, value) in tokens.response_mut(index).iter_mut().enumerate() {
                if row.is_trained(t) {
                    *value = given.map_or(whole, |given| given[t]);
                }
            }
        }
        Ok(Advantages::of_tokens(groups, tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_and_checked() {
        let group = Group::new(&[None], &[2]).unwrap();
        let given = group.with_token_advantages(&[&[1.0, 3.0]]).unwrap();
        let advantages = External.estimate(&[given]).unwrap();
        assert_eq!(advantages.values, [2.0]);
        assert_eq!(advantages.tokens.unwrap().response(0), [1.0, 3.0]);
        let odd = group.with_advantages(&[f64::NAN]).unwrap();
        assert!(External.estimate(&[odd]).is_err());
        assert!(External.estimate(&[group]).is_err());
    }
}

//! The trait every estimator implements, and its result.

use crate::{Error, Group, Tokens};
use std::fmt;

/// Turns the rewards of a batch into one advantage per response, or per token.
///
/// An estimator sees the whole batch at once, because some normalise over it.
pub trait AdvantageEstimator: Send + Sync + fmt::Debug {
    /// The estimator's name in recipes and logs.
    fn name(&self) -> &'static str;

    /// What the groups must hold beside rewards and lengths; nothing unless an estimator says so.
    fn needs(&self) -> Needs {
        Needs::NOTHING
    }

    /// The advantage of every response, in the order of the groups.
    ///
    /// Every advantage is finite if every number given is. A response that is unscorable takes no part
    /// in any statistic and has advantage 0, and so has the only scorable response of a group where
    /// the estimator compares within groups: with nothing to compare it with, its reward says nothing.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] where a group lacks one of the [`needs`](Self::needs);
    /// [`Error::InvalidInput`] where an estimator is not defined for what a group holds.
    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error>;
}

/// The columns of a [`Group`] that an estimator cannot do without, so that a trainer can supply them or
/// refuse the recipe before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// [`Group::with_greedy_reward`].
    pub greedy_reward: bool,
    /// [`Group::with_prior`].
    pub prior: bool,
    /// [`Group::with_reward_parts`].
    pub reward_parts: bool,
    /// [`Group::with_values`].
    pub values: bool,
    /// [`Group::with_kl`].
    pub kl: bool,
    /// [`Group::with_logprobs`] and [`Group::with_probability_squares`].
    pub probabilities: bool,
    /// [`Group::with_advantages`] or [`Group::with_token_advantages`].
    pub advantages: bool,
}

impl Needs {
    /// Rewards and lengths are enough.
    pub const NOTHING: Self = Self {
        greedy_reward: false,
        prior: false,
        reward_parts: false,
        values: false,
        kl: false,
        probabilities: false,
        advantages: false,
    };

    /// Whether rewards and lengths are enough.
    pub fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Complains about the first group that lacks something.
    pub(crate) fn check(&self, estimator: &'static str, groups: &[Group<'_>]) -> Result<(), Error> {
        for (at, group) in groups.iter().enumerate() {
            let given = group.advantages.is_some() || group.token_advantages.is_some();
            let missing = [
                (self.greedy_reward && group.greedy_reward.is_none()).then_some("greedy reward"),
                (self.prior && group.prior.is_none()).then_some("prior"),
                (self.reward_parts && group.reward_parts.is_none()).then_some("reward parts"),
                (self.values && group.values.is_none()).then_some("values"),
                (self.kl && group.kl.is_none()).then_some("divergences"),
                (self.probabilities && group.logprobs.is_none()).then_some("log-probabilities"),
                (self.probabilities && group.probability_squares.is_none())
                    .then_some("sums of squared probabilities"),
                (self.advantages && !given).then_some("advantages"),
            ];
            if let Some(column) = missing.into_iter().flatten().next() {
                return Err(Error::MissingColumn {
                    estimator,
                    column,
                    group: at,
                });
            }
        }
        Ok(())
    }
}

/// What an estimator returns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Advantages {
    /// One advantage per response, group after group. Where there are advantages per token, their mean
    /// over the response's trained tokens.
    pub values: Vec<f64>,
    /// The advantage of every token, where tokens of a response can differ; 0 for tokens that are not
    /// trained.
    pub tokens: Option<Tokens>,
    /// The targets of the value model, from the estimators that use one. A token that teaches nothing
    /// has its own value as the target.
    pub returns: Option<Tokens>,
    /// What happened on the way.
    pub report: Report,
}

impl Advantages {
    /// The advantages of the responses of `groups`, with the report counted from the two.
    ///
    /// # Panics
    /// Unless there is one value per response.
    pub fn new(groups: &[Group<'_>], values: Vec<f64>) -> Self {
        let responses: usize = groups.iter().map(Group::len).sum();
        assert_eq!(values.len(), responses, "one advantage per response");
        Self {
            report: Report::count(groups, values.iter().map(|value| *value == 0.0)),
            values,
            tokens: None,
            returns: None,
        }
    }

    /// The advantages of the tokens of `groups`, with their means and the report.
    ///
    /// # Panics
    /// Unless there is one row per response.
    pub fn of_tokens(groups: &[Group<'_>], tokens: Tokens) -> Self {
        let responses: usize = groups.iter().map(Group::len).sum();
        assert_eq!(tokens.len(), responses, "one row per response");
        let silent = tokens.iter().map(|row| row.iter().all(|v| *v == 0.0));
        Self {
            report: Report::count(groups, silent),
            values: tokens.means(groups),
            tokens: Some(tokens),
            returns: None,
        }
    }
}

/// How many responses and groups of a batch teach something, and why the others do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The number of groups.
    pub groups: usize,
    /// The number of responses.
    pub responses: usize,
    /// The number of responses that could not be judged: no reward, or one that is not finite.
    pub unscorable: usize,
    /// The number of groups with exactly one scorable response, whether or not the estimator compares
    /// within groups.
    pub singletons: usize,
    /// The number of groups in which every advantage is 0.
    pub without_signal: usize,
}

impl Report {
    /// Counts; `silent` says of each response whether all its advantages are 0.
    fn count(groups: &[Group<'_>], mut silent: impl Iterator<Item = bool>) -> Self {
        let mut report = Self {
            groups: groups.len(),
            ..Self::default()
        };
        for group in groups {
            let scorable = group.scorable().count();
            report.responses += group.len();
            report.unscorable += group.len() - scorable;
            report.singletons += usize::from(scorable == 1);
            let quiet = silent.by_ref().take(group.len()).filter(|s| *s).count();
            report.without_signal += usize::from(quiet == group.len());
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimator_is_object_safe() {
        fn _assert(_: &dyn AdvantageEstimator) {}
    }

    #[test]
    fn report_counts() {
        let groups = [
            Group::new(&[Some(1.0), Some(0.0), None], &[1; 3]).unwrap(),
            Group::new(&[Some(1.0), Some(f64::NAN)], &[1; 2]).unwrap(),
            Group::new(&[None], &[1]).unwrap(),
            Group::new(&[Some(2.0), Some(2.0)], &[1; 2]).unwrap(),
        ];
        let values = vec![0.5, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, -0.0];
        assert_eq!(
            Advantages::new(&groups, values).report,
            Report {
                groups: 4,
                responses: 8,
                unscorable: 3,
                singletons: 1,
                without_signal: 3,
            }
        );
    }

    #[test]
    fn missing_columns_are_named() {
        let needs = Needs {
            values: true,
            ..Needs::NOTHING
        };
        let group = Group::new(&[], &[]).unwrap();
        assert_eq!(
            needs.check("gae", &[group]).unwrap_err().to_string(),
            "advantage estimator `gae` needs the values, which group 0 does not have"
        );
    }
}

//! The trait every estimator implements, and its result.

use crate::Group;
use std::fmt;

/// Turns the rewards of a batch into one advantage per response.
///
/// An estimator sees the whole batch at once, because some normalise over it.
pub trait AdvantageEstimator: Send + Sync + fmt::Debug {
    /// The estimator's name in recipes and logs.
    fn name(&self) -> &'static str;

    /// The advantage of every response, in the order of the groups.
    ///
    /// Every advantage is finite. A response that is unscorable takes no part in any statistic and
    /// has advantage 0, and so has the only scorable response of a group: with nothing to compare
    /// it with, its reward says nothing.
    fn estimate(&self, groups: &[Group<'_>]) -> Advantages;
}

/// What an estimator returns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Advantages {
    /// One advantage per response, group after group.
    pub values: Vec<f64>,
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
        let mut report = Report {
            groups: groups.len(),
            responses,
            ..Report::default()
        };
        let mut rest = &values[..];
        for group in groups {
            let (of_group, tail) = rest.split_at(group.len());
            rest = tail;
            let scorable = group.scorable().count();
            report.unscorable += group.len() - scorable;
            report.singletons += usize::from(scorable == 1);
            report.without_signal += usize::from(of_group.iter().all(|value| *value == 0.0));
        }
        Self { values, report }
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
    /// The number of groups with exactly one scorable response.
    pub singletons: usize,
    /// The number of groups in which every advantage is 0, the singletons among them.
    pub without_signal: usize,
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
}

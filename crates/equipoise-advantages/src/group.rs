//! What an estimator sees of the responses to one prompt.

use crate::Error;

/// The responses to one prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group<'a> {
    rewards: &'a [Option<f64>],
    lengths: &'a [usize],
}

impl<'a> Group<'a> {
    /// A group from the reward and the length in tokens of each response.
    ///
    /// A reward of `None` says that the response could not be judged. One that is not finite is
    /// treated in the same way.
    ///
    /// # Errors
    /// [`Error::LengthCount`] unless there is one length per reward.
    pub fn new(rewards: &'a [Option<f64>], lengths: &'a [usize]) -> Result<Self, Error> {
        if rewards.len() == lengths.len() {
            Ok(Self { rewards, lengths })
        } else {
            Err(Error::LengthCount {
                rewards: rewards.len(),
                lengths: lengths.len(),
            })
        }
    }

    /// The number of responses.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no response.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The reward of each response, or `None` if it is unscorable; every reward given is finite.
    pub fn rewards(&self) -> impl ExactSizeIterator<Item = Option<f64>> + 'a {
        self.rewards
            .iter()
            .map(|reward| reward.filter(|value| value.is_finite()))
    }

    /// The rewards of the responses that could be judged.
    pub fn scorable(&self) -> impl Iterator<Item = f64> + 'a {
        self.rewards().flatten()
    }

    /// The length of each response, in tokens.
    pub fn lengths(&self) -> &'a [usize] {
        self.lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_that_are_not_numbers_are_unscorable() {
        let rewards = [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)];
        let group = Group::new(&rewards, &[1, 2, 3, 4]).unwrap();
        assert!(group.rewards().eq([Some(1.0), None, None, None]));
        assert!(group.scorable().eq([1.0]));
        assert_eq!(group.len(), 4);
        assert_eq!(group.lengths(), [1, 2, 3, 4]);
    }

    #[test]
    fn counts_must_agree() {
        let error = Group::new(&[Some(1.0)], &[1, 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a group has 1 rewards and 2 lengths; there must be one length per reward"
        );
    }
}

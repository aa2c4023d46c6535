//! Numbers per token, and what happens along the tokens of a response.

use crate::Group;
use crate::sum::{bounded, sum};

/// One number per token of a batch, response after response, in one buffer.
///
/// ```
/// use equipoise_advantages::{Group, Tokens};
///
/// let tokens = Tokens::zeros(&[Group::new(&[None, None], &[2, 1])?]);
/// assert_eq!(tokens.response(0), [0.0, 0.0]);
/// assert_eq!(tokens.response(1), [0.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    flat: Vec<f64>,
    /// Where each response starts, and the end.
    offsets: Vec<usize>,
}

impl Tokens {
    /// A zero for every token of the groups' responses.
    pub fn zeros(groups: &[Group<'_>]) -> Self {
        let mut offsets = Vec::with_capacity(groups.iter().map(Group::len).sum::<usize>() + 1);
        offsets.push(0);
        let mut end = 0;
        for length in groups.iter().flat_map(Group::lengths) {
            end += length;
            offsets.push(end);
        }
        Self {
            flat: vec![0.0; end],
            offsets,
        }
    }

    /// The number of responses.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no response.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens of a response, counted over all groups.
    ///
    /// # Panics
    /// If there is no such response.
    pub fn response(&self, index: usize) -> &[f64] {
        &self.flat[self.offsets[index]..self.offsets[index + 1]]
    }

    pub(crate) fn response_mut(&mut self, index: usize) -> &mut [f64] {
        &mut self.flat[self.offsets[index]..self.offsets[index + 1]]
    }

    /// The tokens of every response.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> + Clone {
        self.offsets
            .windows(2)
            .map(|ends| &self.flat[ends[0]..ends[1]])
    }

    pub(crate) fn flat_mut(&mut self) -> &mut [f64] {
        &mut self.flat
    }

    /// The mean over the trained tokens of each response; 0 where there is none.
    pub(crate) fn means(&self, groups: &[Group<'_>]) -> Vec<f64> {
        rows(groups)
            .zip(self.iter())
            .map(|(row, values)| {
                let count = row.trained() as f64;
                let trained = values
                    .iter()
                    .enumerate()
                    .filter(|(t, _)| row.is_trained(*t));
                // Divided first, so that the sum cannot overflow.
                match count > 0.0 {
                    true => bounded(sum(trained.map(|(_, value)| value / count))),
                    false => 0.0,
                }
            })
            .collect()
    }
}

/// One response of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Row<'g, 'a> {
    pub(crate) group: &'g Group<'a>,
    pub(crate) response: usize,
    pub(crate) reward: Option<f64>,
}

impl Row<'_, '_> {
    pub(crate) fn is_trained(&self, token: usize) -> bool {
        self.group.is_trained(self.response, token)
    }

    pub(crate) fn trained(&self) -> usize {
        self.group.trained(self.response)
    }

    /// Walks the trained tokens from the last to the first, with the reward of each: that of the
    /// response at the last of them, that of the token, less `beta` times its divergence.
    pub(crate) fn backwards(&self, beta: f64, mut step: impl FnMut(usize, f64)) {
        let mut reward = self.reward.unwrap_or(0.0);
        for token in (0..self.group.lengths()[self.response]).rev() {
            if !self.is_trained(token) {
                continue;
            }
            if let Some(rows) = self.group.token_rewards {
                reward = bounded(reward + rows[self.response][token]);
            }
            if let Some(rows) = self.group.kl.filter(|_| beta != 0.0) {
                reward = bounded(reward - bounded(beta * rows[self.response][token]));
            }
            step(token, reward);
            reward = 0.0;
        }
    }
}

/// Every response of a batch.
pub(crate) fn rows<'g, 'a>(
    groups: &'g [Group<'a>],
) -> impl Iterator<Item = Row<'g, 'a>> + Clone + 'g {
    groups.iter().flat_map(|group| {
        let rewards = group.rewards().enumerate();
        rewards.map(move |(response, reward)| Row {
            group,
            response,
            reward,
        })
    })
}

/// The discounted sum of the rewards from each trained token on; 0 for all others and for responses
/// that are unscorable.
pub(crate) fn returns_to_go(groups: &[Group<'_>], gamma: f64, beta: f64) -> Tokens {
    let mut returns = Tokens::zeros(groups);
    for (index, row) in rows(groups).enumerate() {
        if row.reward.is_none() {
            continue;
        }
        let out = returns.response_mut(index);
        let mut running = 0.0;
        row.backwards(beta, |token, reward| {
            running = bounded(reward + gamma * running);
            out[token] = running;
        });
    }
    returns
}

//! The gradient of a batch, computed micro-batch by micro-batch.
//!
//! A loss here is a weighted sum over responses whose weights were fixed for the whole batch before
//! it was cut. So a cut changes the order of additions and nothing else: loss and gradient are the
//! same for every micro-batch size up to rounding.

use equipoise_core::{Ragged, TokenId};
use equipoise_models::{
    Dropout, Gradients, Need, Policy, TokenBatch, TokenCotangents, TokenOutputs,
};
use rayon::prelude::*;

use crate::TrainError;

/// A prompt and the response that carries the loss.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// The tokens before the response.
    pub prompt: &'a [TokenId],
    /// The tokens that are scored; may be empty.
    pub response: &'a [TokenId],
}

impl Sequence<'_> {
    fn len(&self) -> usize {
        self.prompt.len() + self.response.len()
    }
}

/// What the loss says about one response: the derivative with respect to each of its numbers, and
/// whatever the caller wants to know.
#[derive(Clone, Debug)]
pub struct ResponseLoss<R> {
    /// The derivative of the batch's loss with respect to each log-probability.
    pub logprobs: Vec<f32>,
    /// The derivative with respect to each entropy.
    pub entropies: Vec<f32>,
    /// What is returned to the caller.
    pub record: R,
}

/// Cuts a batch into consecutive runs of at most `budget` tokens; a sequence longer than that is
/// alone in its run.
///
/// Where a model computes the prompt of neighbours once ([`Need::shares_prompts`]), `shared` counts it
/// once, too.
pub fn micro_batches(
    sequences: &[Sequence<'_>],
    budget: usize,
    shared: bool,
) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (at, sequence) in sequences.iter().enumerate() {
        let follows = |before: &Sequence<'_>| before.prompt == sequence.prompt;
        let more = match sequences[start..at].last() {
            Some(before) if shared && follows(before) => sequence.response.len(),
            _ => sequence.len(),
        };
        tokens += more;
        if at > start && tokens > budget {
            runs.push(start..at);
            (start, tokens) = (at, sequence.len());
        }
    }
    if start < sequences.len() {
        runs.push(start..sequences.len());
    }
    runs
}

/// The gradient of a batch's loss, and the caller's record of every response, in order.
///
/// `loss` is called once per response with its position in `sequences`, its log-probabilities and
/// its entropies. Micro-batches run one after the other, each on all threads, and add to the same
/// gradient; so the memory is that of one, and the number of threads changes no bit.
///
/// # Errors
/// If the model cannot be fed, or a tensor operation fails.
pub fn accumulate<R: Send>(
    policy: &dyn Policy,
    sequences: &[Sequence<'_>],
    budget: usize,
    need: &Need,
    loss: impl Fn(usize, &[f32], &[f32]) -> ResponseLoss<R> + Sync,
) -> Result<(Gradients, Vec<R>), TrainError> {
    let mut gradients = Gradients::new();
    let mut records = Vec::with_capacity(sequences.len());
    for run in micro_batches(sequences, budget, need.shares_prompts()) {
        let tape = policy.forward(&batch(&sequences[run.clone()]), &at(need, run.start))?;
        let outputs = tape.outputs();
        let losses: Vec<ResponseLoss<R>> = run
            .clone()
            .into_par_iter()
            .map(|at| {
                let row = at - run.start;
                loss(at, outputs.logprobs.row(row), outputs.entropies.row(row))
            })
            .collect();
        let (mut logprobs, mut entropies) = (Ragged::new(), Ragged::new());
        for response in losses {
            logprobs.push_row(response.logprobs);
            entropies.push_row(response.entropies);
            records.push(response.record);
        }
        let cotangents = TokenCotangents {
            logprobs,
            entropies: Some(entropies),
            ..TokenCotangents::default()
        };
        tape.backward(&cotangents, &mut gradients)?;
    }
    Ok((gradients, records))
}

/// The same need for a micro-batch that starts at a sequence of the batch.
fn at(need: &Need, first_sequence: usize) -> Need {
    let dropout = need.dropout.map(|dropout| Dropout {
        first_sequence: first_sequence as u64,
        ..dropout
    });
    let mut need = *need;
    need.dropout = dropout;
    need
}

/// The numbers of a batch without a gradient, micro-batch by micro-batch in order.
///
/// # Errors
/// As [`accumulate`].
pub(crate) fn score(
    policy: &dyn Policy,
    sequences: &[Sequence<'_>],
    budget: usize,
    need: &Need,
) -> Result<Vec<TokenOutputs>, TrainError> {
    let runs = micro_batches(sequences, budget, need.shares_prompts()).into_iter();
    runs.map(|run| Ok(policy.score(&batch(&sequences[run.clone()]), &at(need, run.start))?))
        .collect()
}

fn batch(sequences: &[Sequence<'_>]) -> TokenBatch {
    let mut batch = TokenBatch::new();
    for sequence in sequences {
        batch.push(sequence.prompt, sequence.response);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_everything_within_the_budget() {
        let tokens = [0; 20];
        let lengths = [3, 4, 5, 20, 1, 1, 1];
        let sequences: Vec<Sequence<'_>> = lengths
            .iter()
            .map(|&length| Sequence {
                prompt: &tokens[..1],
                response: &tokens[..length - 1],
            })
            .collect();
        assert_eq!(
            micro_batches(&sequences, 8, false),
            [0..2, 2..3, 3..4, 4..7]
        );
        assert_eq!(
            micro_batches(&sequences, 1, false),
            (0..7).map(|i| i..i + 1).collect::<Vec<_>>()
        );
        for shared in [false, true] {
            let whole = micro_batches(&sequences, 1000, shared);
            assert_eq!((whole.len(), whole[0].clone()), (1, 0..7));
            assert!(micro_batches(&[], 8, shared).is_empty());
        }
    }

    #[test]
    fn a_prompt_of_neighbours_counts_once() {
        let (one, other) = ([1; 10], [2; 10]);
        let sequence = |prompt| Sequence {
            prompt,
            response: &[0; 3],
        };
        let sequences = [&one[..], &one, &one, &other, &other, &one].map(sequence);
        // 10 + 3 + 3 + 3, then 10 + 3 + 3 and 10 + 3.
        assert_eq!(micro_batches(&sequences, 19, true), [0..3, 3..5, 5..6]);
        assert_eq!(micro_batches(&sequences, 32, true), [0..4, 4..6]);
        assert_eq!(micro_batches(&sequences, 32, false), [0..2, 2..4, 4..6]);
        // A run that starts in the middle of a group pays for its prompt.
        assert_eq!(
            micro_batches(&sequences, 16, true),
            [0..2, 2..3, 3..5, 5..6]
        );
    }
}

//! The gradient of a batch, computed micro-batch by micro-batch.
//!
//! A loss here is a weighted sum over responses whose weights were fixed for the whole batch before
//! it was cut. So a cut changes the order of additions and nothing else: loss and gradient are the
//! same for every micro-batch size up to rounding.

use equipoise_core::{Ragged, TokenId};
use equipoise_models::{Gradients, Need, Policy, TokenBatch, TokenCotangents, TokenOutputs};
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
pub fn micro_batches(sequences: &[Sequence<'_>], budget: usize) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (at, sequence) in sequences.iter().enumerate() {
        if at > start && tokens + sequence.len() > budget {
            runs.push(start..at);
            (start, tokens) = (at, 0);
        }
        tokens += sequence.len();
    }
    if start < sequences.len() {
        runs.push(start..sequences.len());
    }
    runs
}

/// The gradient of a batch's loss, and the caller's record of every response, in order.
///
/// `loss` is called once per response with its position in `sequences`, its log-probabilities and
/// its entropies. Micro-batches run side by side on the rayon pool, and their gradients are added in
/// order, so the number of threads changes no bit.
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
    let one = |run: &std::ops::Range<usize>| -> Result<(Gradients, Vec<R>), TrainError> {
        let tape = policy.forward(&batch(&sequences[run.clone()]), need)?;
        let outputs = tape.outputs();
        let rows = outputs.logprobs.rows().zip(outputs.entropies.rows());
        let (mut logprobs, mut entropies) = (Ragged::new(), Ragged::new());
        let mut records = Vec::with_capacity(run.len());
        for (at, (row_logprobs, row_entropies)) in run.clone().zip(rows) {
            let response = loss(at, row_logprobs, row_entropies);
            logprobs.push_row(response.logprobs);
            entropies.push_row(response.entropies);
            records.push(response.record);
        }
        let mut gradients = Gradients::new();
        let cotangents = TokenCotangents {
            logprobs,
            entropies: Some(entropies),
        };
        tape.backward(&cotangents, &mut gradients)?;
        Ok((gradients, records))
    };
    let mut total = Gradients::new();
    let mut records = Vec::with_capacity(sequences.len());
    // Only as many tapes exist at a time as there are threads to fill them.
    for wave in micro_batches(sequences, budget).chunks(rayon::current_num_threads().max(1)) {
        let parts: Vec<_> = wave.par_iter().with_max_len(1).map(one).collect();
        for part in parts {
            let (gradients, part_records) = part?;
            total.merge(&gradients)?;
            records.extend(part_records);
        }
    }
    Ok((total, records))
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
    let one = |run: &std::ops::Range<usize>| -> Result<TokenOutputs, TrainError> {
        let batch = batch(&sequences[run.clone()]);
        Ok(policy.score(&batch, need)?)
    };
    micro_batches(sequences, budget)
        .par_iter()
        .with_max_len(1)
        .map(one)
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
        assert_eq!(micro_batches(&sequences, 8), [0..2, 2..3, 3..4, 4..7]);
        assert_eq!(
            micro_batches(&sequences, 1),
            (0..7).map(|i| i..i + 1).collect::<Vec<_>>()
        );
        let whole = micro_batches(&sequences, 1000);
        assert_eq!((whole.len(), whole[0].clone()), (1, 0..7));
        assert!(micro_batches(&[], 8).is_empty());
    }
}

//! What must not change a bit: the graph, the company in a batch, the threads, the future.

use equipoise_core::Ragged;
use equipoise_models::{Policy, TokenBatch, TokenCotangents, TokenOutputs};
use proptest::prelude::*;

use crate::support::{batch, cotangents, decoder, gradients, need, with_threads};

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|x| x.to_bits()).collect()
}

fn score(batch: &TokenBatch) -> TokenOutputs {
    decoder(true).score(batch, &need()).unwrap()
}

/// A sequence of up to 24 tokens, any but the first of them scored.
fn sequence() -> impl Strategy<Value = (Vec<u32>, Vec<bool>)> {
    prop::collection::vec((0_u32..13, any::<bool>()), 0..24).prop_map(|tokens| {
        let (ids, mut scored): (Vec<u32>, Vec<bool>) = tokens.into_iter().unzip();
        if let Some(first) = scored.first_mut() {
            *first = false;
        }
        (ids, scored)
    })
}

fn batch_of(sequences: &[(Vec<u32>, Vec<bool>)]) -> TokenBatch {
    let mut batch = TokenBatch::new();
    for (tokens, scored) in sequences {
        batch.push_masked(tokens, scored).unwrap();
    }
    batch
}

#[test]
fn outputs_have_a_row_per_sequence_and_are_probabilities() {
    let outputs = score(&batch());
    assert!(outputs.logprobs.lengths().eq(batch().scored_lengths()));
    assert!(outputs.entropies.lengths().eq([6, 3, 0, 0, 9]));
    let most = 13_f32.ln();
    assert!(outputs.logprobs.values().iter().all(|&l| l < 0.0));
    let possible = |&h: &f32| (0.0..=most).contains(&h);
    assert!(outputs.entropies.values().iter().all(possible));
}

#[test]
fn scoring_gives_the_bits_of_the_forward_pass() {
    for tied in [true, false] {
        let decoder = decoder(tied);
        let tape = decoder.forward(&batch(), &need()).unwrap();
        assert_eq!(tape.outputs(), &decoder.score(&batch(), &need()).unwrap());
    }
}

#[test]
fn threads_change_no_bit() {
    // More rows than one task works on (64), or threads would have nothing to share.
    let mut batch = batch();
    for i in 0..30 {
        batch.push(&[i % 13, 1], &[4, i % 7, (i + 5) % 13, 2, i % 3, 9, 0]);
    }
    let run = |threads| {
        with_threads(threads, || {
            let decoder = decoder(false);
            let tape = decoder.forward(&batch, &need()).unwrap();
            let outputs = tape.outputs().clone();
            let cotangents = cotangents(&outputs);
            let gradients = gradients(&decoder, &batch, &need(), &cotangents);
            let gradients: Vec<Vec<u32>> = gradients.iter().map(|(_, g)| bits(g)).collect();
            (outputs, gradients)
        })
    };
    assert!(run(1) == run(3));
}

/// Position t's distribution is known when token t is not.
#[test]
fn later_tokens_do_not_reach_back() {
    let (tokens, scored) = ([3, 1, 4, 1, 5, 9, 2, 6, 0], [false, true].repeat(5));
    let scored = &scored[..tokens.len()];
    let of = |tokens: &[u32]| score(&batch_of(&[(tokens.to_vec(), scored.to_vec())]));
    let original = of(&tokens);
    // The last token is only ever predicted, and here it is not scored.
    for changed_at in 1..tokens.len() - 1 {
        let mut changed = tokens;
        changed[changed_at] = (changed[changed_at] + 1) % 13;
        let changed = of(&changed);
        // The scored tokens are 1, 3, 5 and 7.
        let before = changed_at / 2;
        let (now, then) = (changed.logprobs.values(), original.logprobs.values());
        assert_eq!(now[..before], then[..before], "token {changed_at}");
        assert_ne!(now, then, "token {changed_at} matters at all");
        // The entropy of a token's own distribution does not depend on the token either.
        let own = changed_at.div_ceil(2);
        let (now, then) = (changed.entropies.values(), original.entropies.values());
        assert_eq!(now[..own], then[..own], "token {changed_at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_sequence_scores_the_same_alone_and_in_any_company(
        sequences in prop::collection::vec(sequence(), 1..12),
    ) {
        let decoder = decoder(true);
        let together = decoder.score(&batch_of(&sequences), &need()).unwrap();
        for (row, sequence) in sequences.iter().enumerate() {
            let alone = decoder.score(&batch_of(std::slice::from_ref(sequence)), &need()).unwrap();
            prop_assert_eq!(bits(alone.logprobs.row(0)), bits(together.logprobs.row(row)));
            prop_assert_eq!(bits(alone.entropies.row(0)), bits(together.entropies.row(row)));
        }
    }

    /// A turn scored inside a conversation is the same turn scored as a response.
    #[test]
    fn marks_choose_and_change_nothing(sequence in sequence()) {
        let decoder = decoder(true);
        let (tokens, scored) = &sequence;
        let all: Vec<bool> = (0..tokens.len()).map(|t| t > 0).collect();
        let all = decoder.score(&batch_of(&[(tokens.clone(), all)]), &need()).unwrap();
        let some = decoder.score(&batch_of(std::slice::from_ref(&sequence)), &need()).unwrap();
        let marked = all.logprobs.values().iter().zip(scored.iter().skip(1));
        let chosen: Vec<f32> = marked.filter(|(_, mark)| **mark).map(|(l, _)| *l).collect();
        prop_assert_eq!(bits(&chosen), bits(some.logprobs.values()));
    }
}

/// A prompt that stands once for all its completions: outputs to the last bit, gradients up to the
/// order of a sum.
#[test]
fn a_shared_prompt_changes_no_bit_and_no_gradient() {
    let decoder = decoder(true);
    let prompt = [3, 1, 4, 1, 5];
    // Completions that go on alike, an empty one, a prompt that is the beginning of another, and a
    // conversation whose scored turn lies in what is shared.
    let mut sequences: Vec<(Vec<u32>, Vec<bool>)> = Vec::new();
    for response in [&[9, 2, 6, 0][..], &[9, 2, 7], &[], &[8]] {
        let tokens = [&prompt[..], response].concat();
        let scored = (0..tokens.len()).map(|t| t >= prompt.len()).collect();
        sequences.push((tokens, scored));
    }
    for last in [0, 1] {
        let scored = [false, false, true, true, false, true];
        sequences.push((vec![3, 1, 4, 2, 2, last], scored.to_vec()));
    }
    let together = batch_of(&sequences);
    let outputs = decoder.score(&together, &need()).unwrap();
    let all = cotangents(&outputs);
    let mut sums: Vec<Vec<f64>> = Vec::new();
    for (row, sequence) in sequences.iter().enumerate() {
        let alone = batch_of(std::slice::from_ref(sequence));
        let single = decoder.score(&alone, &need()).unwrap();
        assert_eq!(
            bits(single.logprobs.row(0)),
            bits(outputs.logprobs.row(row))
        );
        assert_eq!(
            bits(single.entropies.row(0)),
            bits(outputs.entropies.row(row))
        );
        let of = |column: &Ragged<f32>| single.logprobs.with_values(column.row(row).to_vec());
        let own = TokenCotangents {
            logprobs: of(&all.logprobs).unwrap(),
            entropies: all.entropies.as_ref().and_then(of),
            ..TokenCotangents::default()
        };
        for (at, (_, values)) in gradients(&decoder, &alone, &need(), &own)
            .iter()
            .enumerate()
        {
            sums.resize(sums.len().max(at + 1), vec![]);
            sums[at].resize(values.len(), 0.0);
            for (sum, x) in sums[at].iter_mut().zip(values) {
                *sum += f64::from(*x);
            }
        }
    }
    for ((name, found), sum) in gradients(&decoder, &together, &need(), &all)
        .iter()
        .zip(&sums)
    {
        let largest = sum.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (found, sum) in found.iter().zip(sum) {
            let error = (f64::from(*found) - sum).abs();
            assert!(error < 1e-5 * largest, "{name}: {found}, not {sum}");
        }
    }
}

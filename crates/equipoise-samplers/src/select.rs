//! Drawing one token from a row of logits.

use equipoise_core::{Stream, TokenId};
use equipoise_kernels::rows::log_prob::{self, statistics};

use crate::SampleSpec;

/// A token and its log-probability under the distribution it was drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected {
    /// The token.
    pub token: TokenId,
    /// Its log-probability in nats, after temperature, truncation and renormalisation.
    pub logprob: f32,
}

/// Draws a token; `logits` is scratch afterwards. One uniform number is taken from the stream,
/// none for greedy decoding.
///
/// Without truncation the log-probability is computed exactly as the trainer computes it.
///
/// # Panics
/// If there are no logits.
pub fn select(logits: &mut [f32], spec: &SampleSpec, stream: &mut Stream) -> Selected {
    assert!(!logits.is_empty(), "a vocabulary is not empty");
    if spec.temperature == 0.0 {
        return Selected {
            token: most_likely(logits),
            logprob: 0.0,
        };
    }
    let row = statistics(logits, (1.0 / spec.temperature) as f32);
    if spec.has_full_support() {
        let token = log_prob::draw(logits, row, stream.uniform());
        return Selected {
            token: token as TokenId,
            logprob: row.log_prob(logits[token]),
        };
    }
    let weight = |z: f32| f64::from(z - row.maximum).exp();
    let kept = truncate(logits, spec, weight);
    let total: f64 = kept.iter().map(|&(_, weight)| weight).sum();
    let threshold = stream.uniform() * total;
    let token = draw(
        kept.iter().map(|&(id, weight)| (id as usize, weight)),
        threshold,
    );
    Selected {
        token,
        logprob: (weight(logits[token as usize]).ln() - total.ln()) as f32,
    }
}

/// The lowest id among the largest logits.
fn most_likely(logits: &[f32]) -> TokenId {
    let mut best = 0;
    for (id, &z) in logits.iter().enumerate() {
        if z > logits[best] {
            best = id;
        }
    }
    best as TokenId
}

/// The first candidate at which the running sum passes the threshold; rounding may leave the sum
/// short of it at the end, and then it is the last candidate with any weight.
fn draw(candidates: impl Iterator<Item = (usize, f64)>, threshold: f64) -> TokenId {
    let (mut sum, mut last) = (0.0, 0);
    for (id, weight) in candidates {
        if weight > 0.0 {
            last = id;
        }
        sum += weight;
        if sum > threshold {
            return id as TokenId;
        }
    }
    last as TokenId
}

/// The candidates that top-k, top-p and min-p leave, most likely first, with unnormalised weights.
fn truncate(logits: &[f32], spec: &SampleSpec, weight: impl Fn(f32) -> f64) -> Vec<(TokenId, f64)> {
    let mut candidates: Vec<(TokenId, f64)> =
        (0..).zip(logits.iter().map(|&z| weight(z))).collect();
    // Equal weights stay in order of id.
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
    if spec.top_k > 0 {
        candidates.truncate(spec.top_k);
    }
    if spec.top_p < 1.0 {
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut sum = 0.0;
        let enough = candidates.iter().position(|&(_, weight)| {
            sum += weight;
            sum >= spec.top_p * total
        });
        candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
    }
    let least = spec.min_p * candidates[0].1;
    candidates.retain(|&(_, weight)| weight >= least);
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use equipoise_core::Domain;
    use proptest::prelude::*;

    fn spec(temperature: f64, top_k: usize, top_p: f64, min_p: f64) -> SampleSpec {
        SampleSpec {
            seed: 0,
            step: 0,
            samples_per_prompt: 1,
            temperature,
            top_k,
            top_p,
            min_p,
            stop: vec![],
            max_new_tokens: 1,
        }
    }

    /// Logits of the probabilities ½, ¼, ⅛, ⅛.
    fn halves() -> [f32; 4] {
        [0.5_f32, 0.25, 0.125, 0.125].map(f32::ln)
    }

    /// Frequencies over many draws, and the log-probability reported with each token.
    fn draws(spec: &SampleSpec) -> ([f64; 4], [Option<f32>; 4]) {
        let (mut counts, mut logprobs) = ([0.0; 4], [None; 4]);
        for index in 0..20_000 {
            let mut stream = Stream::new(1, Domain::Sample, [0, 0, index]);
            let drawn = select(&mut halves(), spec, &mut stream);
            counts[drawn.token as usize] += 1.0 / 20_000.0;
            logprobs[drawn.token as usize] = Some(drawn.logprob);
        }
        (counts, logprobs)
    }

    fn check(spec: &SampleSpec, expected: [f64; 4]) {
        let (counts, logprobs) = draws(spec);
        for id in 0..4 {
            // Five standard deviations of the largest binomial.
            assert!(
                (counts[id] - expected[id]).abs() < 0.018,
                "{spec:?}: {counts:?}"
            );
            match logprobs[id] {
                Some(l) => assert!((f64::from(l) - expected[id].ln()).abs() < 1e-5, "{spec:?}"),
                None => assert_eq!(expected[id], 0.0, "{spec:?}"),
            }
        }
    }

    #[test]
    fn draws_follow_the_reported_distribution() {
        check(&spec(1.0, 0, 1.0, 0.0), [0.5, 0.25, 0.125, 0.125]);
        // Temperature ½ squares: 16 : 4 : 1 : 1.
        check(
            &spec(0.5, 0, 1.0, 0.0),
            [16.0 / 22.0, 4.0 / 22.0, 1.0 / 22.0, 1.0 / 22.0],
        );
        check(&spec(1.0, 2, 1.0, 0.0), [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        // 0.5 + 0.25 + 0.125 first reaches 0.8.
        check(
            &spec(1.0, 0, 0.8, 0.0),
            [4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0, 0.0],
        );
        check(&spec(1.0, 0, 1.0, 0.3), [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        // Top-p works on what top-k left: 2/3 alone reaches 0.6.
        check(&spec(1.0, 2, 0.6, 0.0), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals() {
        let mut stream = Stream::new(1, Domain::Sample, [0; 3]);
        let drawn = select(&mut [0.0, 2.0, 2.0], &spec(0.0, 0, 1.0, 0.0), &mut stream);
        assert_eq!(
            drawn,
            Selected {
                token: 1,
                logprob: 0.0
            }
        );
    }

    proptest! {
        #[test]
        fn any_logits_give_a_possible_token(
            logits in prop::collection::vec(-1e4_f32..1e4, 1..40),
            temperature in 0.01_f64..10.0,
            top_k in 0_usize..50,
            top_p in 0.01_f64..=1.0,
            min_p in 0.0_f64..=1.0,
            seed in any::<u64>(),
        ) {
            let spec = spec(temperature, top_k, top_p, min_p);
            let mut stream = Stream::new(seed, Domain::Sample, [0; 3]);
            let drawn = select(&mut logits.clone(), &spec, &mut stream);
            prop_assert!((drawn.token as usize) < logits.len());
            prop_assert!(drawn.logprob.is_finite() && drawn.logprob <= 1e-6);
        }

        #[test]
        fn keeping_one_is_greedy(logits in prop::collection::vec(-5_f32..5.0, 1..40), seed: u64) {
            let mut stream = Stream::new(seed, Domain::Sample, [0; 3]);
            let greedy = select(&mut logits.clone(), &spec(0.0, 0, 1.0, 0.0), &mut stream);
            for one in [spec(1.0, 1, 1.0, 0.0), spec(1.0, 0, 1e-9, 0.0)] {
                let drawn = select(&mut logits.clone(), &one, &mut stream);
                prop_assert_eq!(drawn.token, greedy.token);
                prop_assert!(drawn.logprob.abs() < 1e-6);
            }
        }
    }
}

//! What may not matter to loss and gradient: the order of responses inside a group, and how the step
//! is cut into micro-batches. For every estimator, rule and objective there is.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::step::{
    Backward, Decided, RATIO_BOUNDS, Sampled, decide, every_estimator, every_objective, every_rule,
    micro_batch, smooth_objectives, whole_batch,
};

/// Where a response goes when the batch is rearranged.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Responses of a group are sorted by it.
    rank: u16,
    /// The micro-batch it is put into.
    micro_batch: usize,
}

const MICRO_BATCHES: usize = 4;

/// The numbers of the model: each token's log-probability is linear in them.
const PARAMETERS: usize = 3;

/// Responses with and without reward or tokens. Rewards are quarters, whose sums are exact: otherwise
/// the order of a sum could decide on which side of the mean a reward lies.
fn response() -> impl Strategy<Value = (Sampled, Place)> {
    let reward = prop::option::weighted(0.9, (-4..=4_i32).prop_map(|r| f64::from(r) / 4.0));
    let token = (-4.0..0.0_f64, -1.5..1.5_f64).prop_filter("away from kinks", |token| {
        RATIO_BOUNDS
            .iter()
            .all(|bound| (token.1 - bound.ln()).abs() > 1e-3)
    });
    let place = (any::<u16>(), 0..MICRO_BATCHES);
    (reward, vec(token, 0..6), place).prop_map(|(reward, tokens, (rank, micro_batch))| {
        let sampled = Sampled {
            reward,
            logprobs: tokens.iter().map(|token| token.0).collect(),
            old_logprobs: tokens.iter().map(|token| token.0 - token.1).collect(),
        };
        (sampled, Place { rank, micro_batch })
    })
}

#[derive(Clone, Debug)]
struct Batch {
    responses: Vec<Sampled>,
    places: Vec<Place>,
    group_sizes: Vec<usize>,
}

fn batch() -> impl Strategy<Value = Batch> {
    vec(vec(response(), 1..7), 1..4).prop_map(|groups| {
        let group_sizes = groups.iter().map(Vec::len).collect();
        let (responses, places) = groups.into_iter().flatten().unzip();
        Batch {
            responses,
            places,
            group_sizes,
        }
    })
}

impl Batch {
    /// Whence each response of the rearranged batch comes; no response changes its group.
    fn permutation(&self) -> Vec<usize> {
        let mut permutation: Vec<usize> = (0..self.responses.len()).collect();
        let mut rest = &mut permutation[..];
        for &size in &self.group_sizes {
            let (group, tail) = rest.split_at_mut(size);
            group.sort_by_key(|&index| self.places[index].rank);
            rest = tail;
        }
        permutation
    }
}

/// The derivative of the log-probability of a token by a parameter of the model.
fn slope(response: usize, token: usize, parameter: usize) -> f64 {
    ((response * 31 + token * 7 + parameter * 3) as f64).sin()
}

/// What back-propagation adds to the gradient of the parameters; `rows` are the responses' places in
/// the batch.
fn accumulate(gradient: &mut [f64; PARAMETERS], rows: &[usize], backward: &Backward) {
    for (&row, coefficients) in rows.iter().zip(&backward.coefficients) {
        for (token, coefficient) in coefficients.iter().enumerate() {
            for (parameter, sum) in gradient.iter_mut().enumerate() {
                *sum += coefficient * slope(row, token, parameter);
            }
        }
    }
}

/// The batch after the model's parameters moved by so much.
fn moved(responses: &[Sampled], by: [f64; PARAMETERS]) -> Vec<Sampled> {
    let mut responses = responses.to_vec();
    for (row, response) in responses.iter_mut().enumerate() {
        for (token, logprob) in response.logprobs.iter_mut().enumerate() {
            for (parameter, by) in by.iter().enumerate() {
                *logprob += by * slope(row, token, parameter);
            }
        }
    }
    responses
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

#[test]
fn the_catalogues_are_covered() {
    let names = |names: Vec<&'static str>| {
        let mut names = names;
        names.dedup();
        names
    };
    assert_eq!(
        names(every_rule().iter().map(|rule| rule.name()).collect()),
        equipoise_aggregation::CATALOGUE
            .iter()
            .map(|e| e.name)
            .collect::<Vec<_>>()
    );
    // Two scopes by two sides for zeros, two scopes of balanced_mass; the others have no choice.
    assert_eq!(
        every_rule().len(),
        equipoise_aggregation::CATALOGUE.len() + 4
    );
    // grpo, rloo and others; the token-level ones and those with needs have tests of their own.
    let estimators = names(every_estimator().iter().map(|e| e.name()).collect());
    assert!(estimators.len() >= 8, "{estimators:?}");
    assert_eq!(
        every_objective().len(),
        equipoise_objectives::CATALOGUE.len()
    );
}

proptest! {
    // A case goes through every combination of the three catalogues.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn order_inside_a_group_does_not_matter(batch in batch()) {
        let permutation = batch.permutation();
        let permuted: Vec<Sampled> = permutation
            .iter()
            .map(|&index| batch.responses[index].clone())
            .collect();
        for estimator in every_estimator() {
            for rule in every_rule() {
                let plain =
                    decide(estimator.as_ref(), rule.as_ref(), &batch.responses, &batch.group_sizes);
                let turned =
                    decide(estimator.as_ref(), rule.as_ref(), &permuted, &batch.group_sizes);
                for objective in every_objective() {
                    let plain = whole_batch(objective.as_ref(), &batch.responses, &plain);
                    let turned = whole_batch(objective.as_ref(), &permuted, &turned);
                    prop_assert!(
                        close(turned.loss, plain.loss),
                        "{estimator:?} {rule:?} {objective:?}: {} {}", turned.loss, plain.loss
                    );
                    for (row, &index) in turned.coefficients.iter().zip(&permutation) {
                        let expected = &plain.coefficients[index];
                        prop_assert_eq!(row.len(), expected.len());
                        prop_assert!(
                            row.iter().zip(expected).all(|(a, b)| close(*a, *b)),
                            "{estimator:?} {rule:?} {objective:?}: {row:?} {expected:?}"
                        );
                    }
                }
            }
        }
    }

    /// Micro-batches of any size, with responses of a group scattered over them, some of them empty.
    #[test]
    fn micro_batches_do_not_matter(batch in batch()) {
        for estimator in every_estimator() {
            for rule in every_rule() {
                let decided =
                    decide(estimator.as_ref(), rule.as_ref(), &batch.responses, &batch.group_sizes);
                for objective in every_objective() {
                    let whole = whole_batch(objective.as_ref(), &batch.responses, &decided);
                    let all: Vec<usize> = (0..batch.responses.len()).collect();
                    let mut expected = [0.0; PARAMETERS];
                    accumulate(&mut expected, &all, &whole);

                    let (mut loss, mut gradient) = (0.0, [0.0; PARAMETERS]);
                    for number in 0..MICRO_BATCHES {
                        let rows: Vec<usize> = all
                            .iter()
                            .copied()
                            .filter(|&row| batch.places[row].micro_batch == number)
                            .collect();
                        let part = micro_batch(
                            objective.as_ref(),
                            rows.iter().map(|&row| (&batch.responses[row], decided[row])),
                        );
                        loss += part.loss;
                        accumulate(&mut gradient, &rows, &part);
                    }
                    prop_assert!(
                        close(loss, whole.loss),
                        "{estimator:?} {rule:?} {objective:?}: {loss} {}", whole.loss
                    );
                    prop_assert!(
                        gradient.iter().zip(&expected).all(|(a, b)| close(*a, *b)),
                        "{estimator:?} {rule:?} {objective:?}: {gradient:?} {expected:?}"
                    );
                }
            }
        }
    }

    /// The coefficients are the derivative of the loss that is reported: of the step's loss by a
    /// parameter, along which every token moves, advantages and weights held fixed.
    #[test]
    fn the_gradient_is_that_of_the_loss(batch in batch(), parameter in 0..PARAMETERS) {
        const STEP: f64 = 1e-6;
        let all: Vec<usize> = (0..batch.responses.len()).collect();
        let nudged = |by: f64| {
            let mut step = [0.0; PARAMETERS];
            step[parameter] = by;
            moved(&batch.responses, step)
        };
        let (up, down) = (nudged(STEP), nudged(-STEP));
        for estimator in every_estimator() {
            for rule in every_rule() {
                let decided: Vec<Decided> =
                    decide(estimator.as_ref(), rule.as_ref(), &batch.responses, &batch.group_sizes);
                for objective in smooth_objectives() {
                    let mut gradient = [0.0; PARAMETERS];
                    let whole = whole_batch(objective.as_ref(), &batch.responses, &decided);
                    accumulate(&mut gradient, &all, &whole);
                    let loss = |responses| whole_batch(objective.as_ref(), responses, &decided).loss;
                    let expected = (loss(&up) - loss(&down)) / (2.0 * STEP);
                    let found = gradient[parameter];
                    prop_assert!(
                        (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                        "{estimator:?} {rule:?} {objective:?}: {found} {expected}"
                    );
                }
            }
        }
    }
}

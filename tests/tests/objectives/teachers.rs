//! Demonstrations and teachers' distributions: against peers, against differences, and at the extremes.

use equipoise_objectives::distillation::{Divergence, Tail, on_policy_advantages};
use equipoise_objectives::{
    TokenLoss, dynamic_fine_tuning, label_smoothing, negative_log_likelihood,
    weighted_negative_log_likelihood,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Fixture {
    divergence: Vec<Rows<ByLogits>>,
    bucket: Vec<Rows<ByLogprobs>>,
    smoothing: Vec<Smoothing>,
    dynamic: Vec<Dynamic>,
}

#[derive(serde::Deserialize)]
struct Rows<T> {
    student: Vec<f64>,
    teacher: Vec<f64>,
    #[serde(default = "one")]
    temperature: f64,
    gkd: Vec<T>,
}

fn one() -> f64 {
    1.0
}

#[derive(serde::Deserialize)]
struct ByLogits {
    beta: f64,
    value: f64,
    by_logits: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct ByLogprobs {
    beta: f64,
    value: f64,
    derivatives: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Smoothing {
    epsilon: f64,
    target: usize,
    logprobs: Vec<f64>,
    value: f64,
    by_logits: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Dynamic {
    responses: Vec<Vec<f64>>,
    value: f64,
    gradient: Vec<Vec<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/teachers_peers.json")).unwrap()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= 1e-12 * b.abs().max(1.0),
            "{found:?} {expected:?}"
        );
    }
}

/// Derivatives by log-probabilities, through a softmax, as derivatives by logits.
fn through_softmax(logprobs: &[f64], derivatives: &[f64]) -> Vec<f64> {
    let total: f64 = derivatives.iter().sum();
    let rows = logprobs.iter().zip(derivatives);
    rows.map(|(logprob, derivative)| derivative - logprob.exp() * total)
        .collect()
}

fn evaluate(loss: Divergence, tail: Tail, student: &[f64], teacher: &[f64]) -> (f64, Vec<f64>) {
    let mut derivatives = vec![0.0; student.len()];
    let value = loss.evaluate(tail, student, teacher, &mut derivatives);
    (value.unwrap(), derivatives)
}

#[test]
fn divergences_agree_with_trl() {
    for case in fixture().divergence {
        for expected in &case.gkd {
            let loss = Divergence::gkd(expected.beta).unwrap();
            // Of a whole vocabulary nothing is left over, and the bucket changes nothing.
            for tail in [Tail::Ignore, Tail::Bucket] {
                let (value, derivatives) = evaluate(loss, tail, &case.student, &case.teacher);
                assert_close(&[value], &[expected.value]);
                let by_logits = through_softmax(&case.student, &derivatives);
                let scaled: Vec<f64> = by_logits.iter().map(|d| d / case.temperature).collect();
                assert_close(&scaled, &expected.by_logits);
            }
        }
    }
}

#[test]
fn buckets_agree_with_autograd() {
    for case in fixture().bucket {
        for expected in &case.gkd {
            let loss = Divergence::gkd(expected.beta).unwrap();
            let (value, derivatives) = evaluate(loss, Tail::Bucket, &case.student, &case.teacher);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-10 * b.abs().max(1.0);
            assert!(close(value, expected.value));
            let mut rows = derivatives.iter().zip(&expected.derivatives);
            assert!(rows.all(|(a, b)| close(*a, *b)), "{derivatives:?}");
        }
    }
}

#[test]
fn smoothing_agrees_with_torch() {
    let mut out = TokenLoss::new();
    for case in fixture().smoothing {
        let words = case.logprobs.len();
        let mean = case.logprobs.iter().sum::<f64>() / words as f64;
        label_smoothing(
            &[case.logprobs[case.target]],
            &[mean],
            case.epsilon,
            &mut out,
        )
        .unwrap();
        assert_close(&out.loss, &[case.value]);
        let mut derivatives = vec![-case.epsilon / words as f64; words];
        derivatives[case.target] += out.gradient[0];
        assert_close(
            &through_softmax(&case.logprobs, &derivatives),
            &case.by_logits,
        );
    }
}

#[test]
fn dynamic_fine_tuning_agrees_with_trl() {
    let mut out = TokenLoss::new();
    for case in fixture().dynamic {
        let tokens: usize = case.responses.iter().map(Vec::len).sum();
        let mut loss = 0.0;
        for (response, expected) in case.responses.iter().zip(&case.gradient) {
            dynamic_fine_tuning(response, &mut out);
            loss += out.sum();
            let mean: Vec<f64> = out.gradient.iter().map(|g| g / tokens as f64).collect();
            assert_close(&mean, expected);
        }
        assert_close(&[loss / tokens as f64], &[case.value]);
    }
}

fn normalised(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit - total.ln()).collect()
}

fn divergences(beta: f64) -> [Divergence; 3] {
    [
        Divergence::ForwardKl,
        Divergence::ReverseKl,
        Divergence::JensenShannon { beta },
    ]
}

proptest! {
    #[test]
    fn derivatives_are_central_differences(
        rows in vec((-3.0..3.0_f64, -3.0..3.0_f64), 3..7),
        beta in 0.05..0.95_f64,
    ) {
        let (student, teacher): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let (student, teacher) = (normalised(&student), normalised(&teacher));
        let kept = student.len() - 1;
        for loss in divergences(beta) {
            for tail in [Tail::Ignore, Tail::Bucket] {
                let (_, derivatives) = evaluate(loss, tail, &student[..kept], &teacher[..kept]);
                for (index, found) in derivatives.iter().enumerate() {
                    let moved = |step: f64| {
                        let mut student = student[..kept].to_vec();
                        student[index] += step;
                        evaluate(loss, tail, &student, &teacher[..kept]).0
                    };
                    let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    prop_assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0));
                }
            }
        }
    }

    /// Never negative, 0 at the teacher, and coarser distributions are nearer to each other.
    #[test]
    fn divergences_are_divergences(
        rows in vec((-3.0..3.0_f64, -3.0..3.0_f64), 2..7),
        beta in 0.05..0.95_f64,
        kept in 0..7_usize,
    ) {
        let (student, teacher): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let (student, teacher) = (normalised(&student), normalised(&teacher));
        let kept = kept.min(student.len());
        for loss in divergences(beta) {
            let (whole, _) = evaluate(loss, Tail::Ignore, &student, &teacher);
            let (coarse, _) = evaluate(loss, Tail::Bucket, &student[..kept], &teacher[..kept]);
            prop_assert!(coarse >= -1e-13 && coarse <= whole + 1e-12, "{} {}", coarse, whole);
            let (nothing, derivatives) =
                evaluate(loss, Tail::Bucket, &teacher[..kept], &teacher[..kept]);
            prop_assert!(nothing.abs() < 1e-13);
            if kept < teacher.len() {
                prop_assert!(derivatives.iter().all(|d| d.abs() < 1e-10), "{:?}", derivatives);
            }
        }
        // JSD(β)/β and JSD(β)/(1 − β) at the ends, and 0 at the ends themselves.
        for (beta, share, limit) in [
            (1e-7, 1e-7, Divergence::ForwardKl),
            (1.0 - 1e-7, 1e-7, Divergence::ReverseKl),
        ] {
            let near = Divergence::JensenShannon { beta };
            let (near, _) = evaluate(near, Tail::Ignore, &student, &teacher);
            let (limit, _) = evaluate(limit, Tail::Ignore, &student, &teacher);
            prop_assert!((near / share - limit).abs() < 1e-3 * limit.max(1.0));
            let end = Divergence::JensenShannon { beta: beta.round() };
            let (end, derivatives) = evaluate(end, Tail::Ignore, &student, &teacher);
            prop_assert!(end == 0.0 && derivatives.iter().all(|d| *d == 0.0));
        }
        // β = ½ is symmetric.
        let half = Divergence::JensenShannon { beta: 0.5 };
        let (one, _) = evaluate(half, Tail::Ignore, &student, &teacher);
        let (other, _) = evaluate(half, Tail::Ignore, &teacher, &student);
        prop_assert!((one - other).abs() < 1e-13);
    }

    /// −A has the reverse KL as its mean under the student.
    #[test]
    fn sampled_tokens_estimate_the_reverse_kl(rows in vec((-3.0..3.0_f64, -3.0..3.0_f64), 1..7)) {
        let (student, teacher): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let (student, teacher) = (normalised(&student), normalised(&teacher));
        let mut advantages = vec![0.0; student.len()];
        on_policy_advantages(&student, &teacher, &mut advantages).unwrap();
        let mean: f64 = student.iter().zip(&advantages).map(|(p, a)| -p.exp() * a).sum();
        let (value, _) = evaluate(Divergence::ReverseKl, Tail::Ignore, &student, &teacher);
        prop_assert!((mean - value).abs() < 1e-13);
    }

    #[test]
    fn everything_is_finite(
        rows in vec((extreme(), extreme()), 0..6),
        beta in 0.0..=1.0_f64,
        epsilon in prop_oneof![0.0..1.0_f64, extreme()],
    ) {
        let (student, teacher): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        for loss in divergences(beta) {
            for tail in [Tail::Ignore, Tail::Bucket] {
                let (value, derivatives) = evaluate(loss, tail, &student, &teacher);
                prop_assert!(value.is_finite(), "{:?} {}", loss, value);
                prop_assert!(derivatives.iter().all(|d| d.is_finite()), "{:?}", derivatives);
            }
        }
        let mut advantages = vec![0.0; student.len()];
        on_policy_advantages(&student, &teacher, &mut advantages).unwrap();
        prop_assert!(advantages.iter().all(|a| a.is_finite()));
        let mut out = TokenLoss::new();
        for row in 0..3 {
            match row {
                0 => dynamic_fine_tuning(&student, &mut out),
                1 => label_smoothing(&student, &teacher, epsilon, &mut out).unwrap(),
                _ => weighted_negative_log_likelihood(&student, &teacher, &mut out).unwrap(),
            }
            prop_assert!(out.loss.iter().chain(&out.gradient).all(|x| x.is_finite()));
        }
    }

    /// Weights of 1, no smoothing, and certainty all come back to the negative log-likelihood.
    #[test]
    fn reductions(logprobs in vec(-9.0..0.0_f64, 0..9)) {
        let (mut plain, mut out) = (TokenLoss::new(), TokenLoss::new());
        negative_log_likelihood(&logprobs, &mut plain);
        weighted_negative_log_likelihood(&logprobs, &vec![1.0; logprobs.len()], &mut out).unwrap();
        prop_assert_eq!(&out, &plain);
        label_smoothing(&logprobs, &vec![-5.0; logprobs.len()], 0.0, &mut out).unwrap();
        prop_assert_eq!(&out.gradient, &plain.gradient);
        prop_assert!(out.loss.iter().zip(&plain.loss).all(|(a, b)| a == b));
        dynamic_fine_tuning(&logprobs, &mut out);
        for (token, gradient) in out.gradient.iter().enumerate() {
            prop_assert_eq!(*gradient, plain.gradient[token] * logprobs[token].exp());
        }
    }
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        -10.0..0.0_f64,
        -1e4..1e4_f64,
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        Just(f64::MAX),
        Just(-f64::MAX),
    ]
}

#[test]
fn long_rows_and_wrong_ones() {
    // A vocabulary of 100 000 words, equally probable to both.
    let row = vec![-(100_000.0_f64).ln(); 100_000];
    for loss in divergences(0.5) {
        for tail in [Tail::Ignore, Tail::Bucket] {
            let (value, derivatives) = evaluate(loss, tail, &row, &row);
            assert!(value.abs() < 1e-12, "{value}");
            assert!(derivatives.iter().all(|d| d.is_finite()));
        }
        assert!(
            loss.evaluate(Tail::Ignore, &[-1.0], &[], &mut [0.0])
                .is_err()
        );
        assert!(
            loss.evaluate(Tail::Ignore, &[-1.0], &[-1.0], &mut [])
                .is_err()
        );
        let (value, _) = evaluate(loss, Tail::Bucket, &[f64::NAN], &[-1.0]);
        assert!(value.is_nan());
    }
    assert!(Divergence::gkd(1.5).is_err() && Divergence::gkd(f64::NAN).is_err());
    assert!(on_policy_advantages(&[-1.0], &[], &mut [0.0]).is_err());
}

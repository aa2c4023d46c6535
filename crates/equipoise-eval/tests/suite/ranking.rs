//! Ranking accuracy.

use equipoise_eval::{
    EvalError, PreferencePair, PreferencePairs, Ties, full_ranking_match, pairwise_accuracy, ranks,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    pair: PreferencePair,
    beta: f64,
    gamma: f64,
    agreement: f64,
    ranks: bool,
    ranks_per_token: bool,
    loss: f64,
    threshold: f64,
    break_even: f64,
    ideal_margin: f64,
    ideal: bool,
}

fn pair(
    chosen: f64,
    rejected: f64,
    reference_chosen: f64,
    reference_rejected: f64,
) -> PreferencePair {
    PreferencePair {
        chosen,
        rejected,
        reference_chosen,
        reference_rejected,
        chosen_tokens: 1,
        rejected_tokens: 1,
    }
}

/// Against ranking.py, which divides likelihoods in 60 digits.
#[test]
fn agrees_with_ratios_of_likelihoods() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/ranking.json")).unwrap();
    assert_eq!(cases.len(), 60);
    assert!(cases.iter().any(|case| case.ideal) && cases.iter().any(|case| !case.ideal));
    for case in cases {
        let pair = case.pair;
        assert_eq!(pair.ranks(), case.ranks);
        assert_eq!(pair.ranks_per_token(), case.ranks_per_token);
        close(pair.dpo_loss(case.beta, case.gamma), case.loss);
        close(pair.dpo_threshold(case.beta), case.threshold);
        close(pair.break_even_agreement(case.beta), case.break_even);
        close(
            pair.ideal_margin(case.agreement, case.beta),
            case.ideal_margin,
        );
        let one = PreferencePairs::new([("a", pair, case.agreement)]).unwrap();
        let ideal = one.idealised_ranking_accuracy(case.beta).unwrap().mean();
        assert_eq!(ideal, Some(f64::from(u8::from(case.ideal))));
    }
}

/// The worked case of the paper's theorem: c = 4, loss above the threshold, and wrongly ranked.
#[test]
fn by_hand() {
    let pair = pair(-20.0, -18.0, -22.0, -18.0);
    close(pair.difficulty(), 4.0);
    close(pair.dpo_threshold(0.1), 0.513_015_252_4);
    close(pair.dpo_loss(0.1, 1.0), 0.598_138_869_4);
    assert!(!pair.ranks());
    assert!(pair.rewards_rank());
    // logit(¾) / 0.1 = 10.986.
    close(pair.ideal_margin(0.75, 0.1), -4.0 + 10.0 * 3.0_f64.ln());
    close(pair.break_even_agreement(0.1), 0.598_687_660_1);
    // a = 1 is 0.999: ln 999 / 0.1 = 69.0675.
    assert!((pair.ideal_margin(1.0, 0.1) + 4.0 - 69.0675).abs() < 1e-4);
    close(pair.dpo_loss(0.1, 0.5), 2.0_f64.ln());
    // The reference's log-ratio is −4: below −1 / (2τ) for τ above 1/8.
    assert!(pair.ipo_optimum_ranks_wrongly(0.13) && !pair.ipo_optimum_ranks_wrongly(0.12));
}

#[test]
fn sets_of_pairs() {
    let easy = pair(-5.0, -9.0, -6.0, -8.0);
    let hard = pair(-20.0, -18.0, -22.0, -18.0);
    let pairs = PreferencePairs::new([("easy", easy, 1.0), ("hard", hard, 0.75)]).unwrap();
    assert_eq!(pairs.ranking_accuracy().values(), [Some(1.0), Some(0.0)]);
    assert_eq!(pairs.reward_accuracy().mean(), Some(1.0));
    assert_eq!(pairs.normalised_ranking_accuracy().mean(), Some(0.5));
    // β = 1: ln 3 < 4, so the hard pair stays wrong; at 0.1 it turns.
    assert_eq!(
        pairs.idealised_range(&[0.1, 1.0]).unwrap(),
        [0.5, 0.75, 1.0]
    );
    assert_eq!(
        pairs.alignment_gap(0.1).unwrap().values(),
        [Some(0.0), Some(1.0)]
    );
    assert!(pairs.idealised_ranking_accuracy(0.0).is_err());
    assert!(matches!(
        pairs.idealised_range(&[]),
        Err(EvalError::TooFew { .. })
    ));
    assert!(PreferencePairs::new([("a", easy, 1.5)]).is_err());
    assert!(PreferencePairs::new([("a", pair(f64::NAN, 0.0, 0.0, 0.0), 1.0)]).is_err());
    let empty = PreferencePair {
        chosen_tokens: 0,
        ..easy
    };
    let error = PreferencePairs::new([("a", empty, 1.0)])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the number of tokens of pair a is 0; it must be at least 1"
    );
}

#[test]
fn rankings_of_several() {
    assert!(full_ranking_match(&[0.1, 0.9, 0.5], &[1, 2, 0]).unwrap());
    assert!(!full_ranking_match(&[0.1, 0.9, 0.5], &[1, 0, 2]).unwrap());
    assert!(full_ranking_match(&[0.5, 0.5], &[1, 0]).unwrap());
    assert!(full_ranking_match(&[], &[]).unwrap());
    for wrong in [&[0, 0][..], &[0], &[0, 2]] {
        assert!(full_ranking_match(&[1.0, 2.0], wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn ties_count_as_asked() {
    let scores = || {
        [
            ("a", Some((1.0, 0.0))),
            ("b", Some((2.0, 2.0))),
            ("c", None),
        ]
    };
    for (ties, expected) in [(Ties::Right, 1.0), (Ties::Half, 0.75), (Ties::Wrong, 0.5)] {
        let accuracy = pairwise_accuracy(scores(), ties).unwrap();
        assert_eq!((accuracy.mean(), accuracy.absent()), (Some(expected), 1));
    }
    assert!(pairwise_accuracy([("a", Some((f64::NAN, 0.0)))], Ties::Half).is_err());
    assert_eq!(ranks(0.0, 1.0, Ties::Right), 0.0);
}

proptest! {
    /// Theorem 4.1: a pair is ranked correctly if and only if the loss is at most the threshold.
    #[test]
    fn the_loss_decides(
        numbers in prop::array::uniform4(-60.0..-1.0_f64), beta in 0.01..2.0_f64,
    ) {
        let [chosen, rejected, reference_chosen, reference_rejected] = numbers;
        prop_assume!((chosen - rejected).abs() > 1e-6);
        let pair = pair(chosen, rejected, reference_chosen, reference_rejected);
        prop_assert_eq!(pair.ranks(), pair.dpo_loss(beta, 1.0) <= pair.dpo_threshold(beta));
        // The ideal policy turns a pair exactly from the break-even on.
        let a = pair.break_even_agreement(beta);
        if a > 0.01 && a < 0.99 {
            prop_assert!(pair.ideal_margin(a + 1e-4, beta) > 0.0);
            prop_assert!(pair.ideal_margin(a - 1e-4, beta) < 0.0);
        }
        // Two are a ranking of two.
        let both = full_ranking_match(&[rejected, chosen], &[1, 0]).unwrap();
        prop_assert_eq!(both, pair.ranks());
    }
}

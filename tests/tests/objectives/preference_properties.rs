//! Derivatives of preference losses against finite differences, and what must hold for every batch.

use equipoise_objectives::preference::core::Sigmoid;
use equipoise_objectives::preference::ranking::{difficulty, loss_threshold, ranks_correctly};
use equipoise_objectives::preference::{
    BatchLoss, CATALOGUE, Example, Length, Loss, Options, PairLoss, PairStats, Score, SegmentDpo,
    SegmentLabel, SequenceStats, Setting, UnpairedLoss, by_name, segment_log_ratios,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The log-probabilities of a pair: chosen, rejected, gold; policy and reference.
type Pair = [Vec<(f64, f64)>; 3];

fn stats(tokens: &[(f64, f64)], shared: usize) -> SequenceStats {
    let policy: Vec<f64> = tokens.iter().map(|token| token.0).collect();
    let reference: Vec<f64> = tokens.iter().map(|token| token.1).collect();
    SequenceStats::new(&policy, Some(&reference), shared).unwrap()
}

fn pairs(batch: &[Pair]) -> Vec<PairStats> {
    let pair = |[chosen, rejected, gold]: &Pair| {
        let shared = chosen.len().min(rejected.len());
        PairStats {
            chosen: stats(chosen, shared),
            rejected: stats(rejected, shared),
            gold: Some(stats(gold, gold.len())),
        }
    };
    batch.iter().map(pair).collect()
}

fn evaluate(loss: &PairLoss, batch: &[Pair]) -> BatchLoss {
    let mut out = BatchLoss::new();
    loss.evaluate(&pairs(batch), &mut out).unwrap();
    out
}

fn total(loss: &PairLoss, batch: &[Pair]) -> f64 {
    evaluate(loss, batch).losses.iter().sum()
}

/// The derivative by a token of a completion (0 chosen, 1 rejected, 2 gold).
fn derivative(out: &BatchLoss, pair: usize, side: usize, token: usize) -> f64 {
    let gradient = [&out.chosen, &out.rejected, &out.gold][side][pair];
    if token < gradient.shared {
        gradient.head
    } else {
        gradient.tail
    }
}

fn pair_losses(set: &[(&str, Setting<'_>)]) -> Vec<(&'static str, PairLoss)> {
    let mut losses = Vec::new();
    for entry in CATALOGUE {
        let mut options = Options::default();
        for (name, value) in set.iter().filter(|(name, _)| entry.options.contains(name)) {
            options.set(name, *value).unwrap();
        }
        if let Loss::Pairs(loss) = by_name(entry.name, &options).unwrap() {
            losses.push((entry.name, loss));
        }
    }
    losses
}

fn tokens(range: std::ops::Range<f64>, longest: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
    vec((range.clone(), range), 0..longest)
}

fn batch(range: std::ops::Range<f64>, size: usize) -> impl Strategy<Value = Vec<Pair>> {
    let completion = move || tokens(range.clone(), 5);
    vec([completion(), completion(), completion()], 1..size)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every loss, every token of every completion.
    #[test]
    fn derivatives_are_central_differences(
        batch in batch(-4.0..-0.01, 4),
        beta in 0.05..1.0_f64,
        ld_alpha in 0.0..1.0_f64,
        divergence in prop::sample::select(
            vec!["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]
        ),
        length in prop::sample::select(vec!["sum", "token_mean"]),
    ) {
        let set = [
            ("beta", Setting::Number(beta)),
            ("ld_alpha", Setting::Number(ld_alpha)),
            ("divergence", Setting::Word(divergence)),
            ("length", Setting::Word(length)),
            ("sft_coefficient", Setting::Number(0.3)),
        ];
        let step = 1e-5;
        for (name, loss) in pair_losses(&set) {
            let out = evaluate(&loss, &batch);
            for pair in 0..batch.len() {
                for side in 0..3 {
                    for token in 0..batch[pair][side].len() {
                        let at = |shift: f64| {
                            let mut moved = batch.clone();
                            moved[pair][side][token].0 += shift;
                            total(&loss, &moved)
                        };
                        let (above, below, here) = (at(step), at(-step), at(0.0));
                        // At a kink the two one-sided differences are not the same.
                        let kink = ((above - here) - (here - below)).abs() > 1e-2 * step;
                        if name == "hinge" && kink {
                            continue;
                        }
                        let expected = (above - below) / (2.0 * step);
                        let found = derivative(&out, pair, side, token);
                        let scale = 1.0_f64.max(expected.abs()).max(here.abs());
                        prop_assert!(
                            (found - expected).abs() <= 1e-6 * scale,
                            "{name}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn finite_for_any_sums(batch in batch(-1e7..1e7, 4), small in batch(-1e4..0.0, 4)) {
        for batch in [batch, small] {
            for divergence in ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] {
                let set = [("divergence", Setting::Word(divergence)), ("wpo", Setting::Flag(true))];
                for (name, loss) in pair_losses(&set) {
                    let out = evaluate(&loss, &batch);
                    let slopes = out.chosen.iter().chain(&out.rejected).chain(&out.gold);
                    let numbers = slopes.flat_map(|slope| [slope.head, slope.tail]);
                    for number in numbers.chain(out.losses.iter().copied()) {
                        prop_assert!(number.is_finite(), "{name} {divergence} {out:?}");
                    }
                }
            }
            for entry in CATALOGUE {
                if let Loss::Examples(loss) = by_name(entry.name, &Options::default()).unwrap() {
                    let example = |(i, pair): (usize, &PairStats)| Example {
                        stats: pair.chosen,
                        desirable: i % 2 == 0,
                    };
                    let examples: Vec<Example> =
                        pairs(&batch).iter().enumerate().map(example).collect();
                    let mut out = UnpairedLoss::new();
                    loss.evaluate(&examples, 1e4, &mut out).unwrap();
                    prop_assert!(out.losses.iter().all(|loss| loss.is_finite()));
                    prop_assert!(out.gradients.iter().all(|slope| slope.head.is_finite()));
                }
            }
        }
    }

    /// The order of pairs does not matter to their sum.
    #[test]
    fn pairs_may_be_permuted(batch in batch(-4.0..-0.01, 5)) {
        let mut reversed = batch.clone();
        reversed.reverse();
        for (name, loss) in pair_losses(&[]) {
            let (a, b) = (total(&loss, &batch), total(&loss, &reversed));
            prop_assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{name} {a} {b}");
        }
    }

    /// A batch evaluated pair by pair is the batch, where the loss says so.
    #[test]
    fn losses_of_single_pairs_need_no_batch(batch in batch(-4.0..-0.01, 5)) {
        for (name, loss) in pair_losses(&[]) {
            if loss.needs_batch() {
                continue;
            }
            let whole = evaluate(&loss, &batch);
            for (i, pair) in batch.iter().enumerate() {
                let alone = evaluate(&loss, std::slice::from_ref(pair));
                prop_assert_eq!(alone.losses[0], whole.losses[i], "{}", name);
                prop_assert_eq!(alone.chosen[0], whole.chosen[i], "{}", name);
            }
        }
    }

    /// Swapping the completions of a pair and the sign of the margin mirrors the derivatives.
    #[test]
    fn swapped_pairs_have_mirrored_derivatives(batch in batch(-4.0..-0.01, 4)) {
        let swapped: Vec<Pair> = batch
            .iter()
            .map(|[chosen, rejected, gold]| [rejected.clone(), chosen.clone(), gold.clone()])
            .collect();
        let dpo = PairLoss::single(Score::default(), Sigmoid::default());
        let (a, b) = (evaluate(&dpo, &batch), evaluate(&dpo, &swapped));
        for i in 0..batch.len() {
            // σ(x) + σ(−x) = 1.
            let sum = a.chosen[i].head + b.chosen[i].head;
            prop_assert!((sum + 0.1).abs() < 1e-15);
            prop_assert_eq!(a.chosen[i].head, -a.rejected[i].head);
        }
    }

    /// γ = 0, η = 0, ε = 0, α = 1 and one segment are DPO, bit for bit.
    #[test]
    fn identities_are_exact(batch in batch(-40.0..-0.01, 4), beta in 0.01..2.0_f64) {
        let pair_loss = |name, set: &[(&str, f64)]| {
            let mut options = Options { beta: Some(beta), ..Options::default() };
            for (option, value) in set {
                options.set(option, Setting::Number(*value)).unwrap();
            }
            match by_name(name, &options).unwrap() {
                Loss::Pairs(loss) => evaluate(&loss, &batch),
                Loss::Examples(_) => unreachable!(),
            }
        };
        let dpo = pair_loss("dpo", &[]);
        let same: [(&str, &[(&str, f64)]); 6] = [
            ("phi_dpo", &[("focal_gamma", 0.0)]),
            ("rpo", &[("eta", 0.0)]),
            ("cdpo", &[("label_smoothing", 0.0)]),
            ("dpo", &[("ld_alpha", 1.0), ("reference_scale", 1.0)]),
            ("mpo", &[("dpo_weight", 1.0), ("bco_weight", 0.0), ("sft_coefficient", 0.0)]),
            ("robust", &[("label_smoothing", 0.0)]),
        ];
        for (name, set) in same {
            let found = pair_loss(name, set);
            prop_assert_eq!(&found.losses, &dpo.losses, "{}", name);
            prop_assert_eq!(&found.chosen, &dpo.chosen, "{}", name);
        }
        for (i, [chosen, rejected, _]) in batch.iter().enumerate() {
            let delta = |tokens: &[(f64, f64)]| {
                let row = |of: fn(&(f64, f64)) -> f64| tokens.iter().map(of).collect::<Vec<_>>();
                let (policy, reference) = (row(|t| t.0), row(|t| t.1));
                let mut out = [0.0];
                segment_log_ratios(&policy, &reference, &vec![0; tokens.len()], &mut out).unwrap();
                out[0]
            };
            // Only completions of one length are summed in the same order.
            if chosen.len() == rejected.len() {
                let deltas = [delta(chosen) - delta(rejected)];
                let mut slopes = Vec::new();
                let segment = SegmentDpo { beta, sum_inside: false };
                let loss = segment.evaluate(&deltas, &[SegmentLabel::First], &mut slopes);
                prop_assert_eq!(loss.unwrap(), dpo.losses[i]);
                prop_assert_eq!(slopes[0], dpo.chosen[i].head);
            }
        }
    }

    /// DPO ranks a pair correctly exactly where its loss is at or below the threshold.
    #[test]
    fn the_threshold_of_the_loss_is_that_of_the_ranking(
        chosen in (-40.0..0.0_f64, -40.0..0.0_f64),
        rejected in (-40.0..0.0_f64, -40.0..0.0_f64),
        beta in 0.01..1.0_f64,
    ) {
        // Not within the rounding of the margin.
        prop_assume!((chosen.0 - rejected.0).abs() > 1e-9);
        let pair = [vec![chosen], vec![rejected], vec![]];
        let dpo = PairLoss::single(Score::default(), Sigmoid { beta, ..Sigmoid::default() });
        let loss = evaluate(&dpo, std::slice::from_ref(&pair)).losses[0];
        let threshold = loss_threshold(difficulty(chosen.1, rejected.1), beta);
        let ranked = ranks_correctly(&stats(&[chosen], 1), &stats(&[rejected], 1), Length::Sum);
        prop_assert_eq!(ranked, loss <= threshold);
    }
}

/// The sum of a long completion loses nothing, and empty ones have losses.
#[test]
fn long_and_empty_completions() {
    let long = vec![(-0.1, -0.2); 100_000];
    let batch = [[long, Vec::new(), vec![(-1.0, -1.0)]]];
    let found = pairs(&batch)[0].chosen.log_ratio().unwrap();
    // Each number is the nearest to −0.1 and −0.2, so the sums are exact to half a unit.
    assert!((found - 10_000.0).abs() < 1e-9, "{found}");
    for (name, loss) in pair_losses(&[]) {
        let out = evaluate(&loss, &batch);
        assert!(out.losses[0].is_finite(), "{name}");
        assert_eq!(total(&loss, &[]), 0.0, "{name}");
    }
}

/// Focal weights that are renormalised have mean 1 and are constants to the derivative.
#[test]
fn focal_weights_by_hand() {
    let pair = |h: f64| [vec![(h, 0.0)], vec![(0.0, 0.0)], Vec::new()];
    let focal = |gamma: f64, renormalise| {
        let options = Options {
            beta: Some(1.0),
            focal_gamma: Some(gamma),
            focal_renormalise: Some(renormalise),
            ..Options::default()
        };
        match by_name("phi_dpo", &options).unwrap() {
            Loss::Pairs(loss) => loss,
            Loss::Examples(_) => unreachable!(),
        }
    };
    for (gamma, loss, slope) in [
        (0.0, 0.371_100_665_9, -0.310_025_518_9),
        (1.0, 0.115_050_676_5, -0.175_497_853_2),
        (2.0, 0.035_668_645_6, -0.079_019_268_3),
        (5.0, 0.001_062_867_1, -0.004_554_697_9),
    ] {
        let out = evaluate(&focal(gamma, false), &[pair(0.8)]);
        assert!((out.losses[0] - loss).abs() < 1e-10);
        assert!((out.chosen[0].head - slope).abs() < 1e-10);
    }
    let out = evaluate(&focal(2.0, true), &[pair(0.8), pair(-1.0), pair(900.0)]);
    assert!((out.weights.iter().sum::<f64>() / 3.0 - 1.0).abs() < 1e-12);
}

//! Numbers of papers worked by hand, and derivatives of the losses beside the catalogue.

use equipoise_objectives::preference::core::Sigmoid;
use equipoise_objectives::preference::ranking::{difficulty, ideal_margin, ranks_correctly};
use equipoise_objectives::preference::{
    BatchLoss, Calibrated, GroupContrast, Length, Loss, Mix, MixMoments, Options, PairLoss,
    PairStats, Reduction, Score, SegmentDpo, SegmentLabel, SequenceStats, by_name,
    optimal_mix_weight,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn stats(policy: f64, reference: f64) -> SequenceStats {
    SequenceStats::new(&[policy], Some(&[reference]), 1).unwrap()
}

fn pair(chosen: [f64; 2], rejected: [f64; 2]) -> PairStats {
    PairStats {
        chosen: stats(chosen[0], chosen[1]),
        rejected: stats(rejected[0], rejected[1]),
        gold: None,
    }
}

fn evaluate(name: &str, options: &Options, pairs: &[PairStats]) -> BatchLoss {
    let Loss::Pairs(loss) = by_name(name, options).unwrap() else {
        panic!("{name} is a loss of pairs");
    };
    let mut out = BatchLoss::new();
    loss.evaluate(pairs, &mut out).unwrap();
    out
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-10, "{found} {expected}");
}

#[test]
fn rpo_cumulative_and_average() {
    let mut example = pair([-12.0, -13.0], [-15.0, -14.0]);
    let out = evaluate("rpo", &Options::default(), &[example]);
    assert_near(out.losses[0], 0.683_797_179_7);
    assert_near(out.chosen[0].head, -0.005_000_001_7);
    example.chosen.tokens = 6;
    let average = Options {
        beta: Some(0.01),
        sft_coefficient: Some(0.2),
        sft_reduction: Some(Reduction::TokenMean),
        ..Options::default()
    };
    let out = evaluate("dpo", &average, &[example]);
    assert_near(out.losses[0], 1.083_197_179_7);
}

#[test]
fn bvpo_with_covariance_and_at_the_ends() {
    let moments = MixMoments {
        trace_bias: &[0.1, 0.2],
        empty_bias: &[0.3, -0.4],
        trace_variance: 1.0,
        empty_variance: 0.1,
        covariance: 0.05,
    };
    let (alpha, error) = optimal_mix_weight(&moments).unwrap();
    assert_near(alpha, 0.25);
    assert_near(error, 0.2625);
    assert_eq!(Mix { alpha: 1.0 }.value(0.7, 3.0), 0.7);
    assert_eq!(Mix { alpha: 0.0 }.value(0.7, 3.0), 3.0);
}

#[test]
fn calibrated_dpo_is_the_weighted_sum() {
    let dpo = PairLoss::single(Score::default(), Sigmoid::default());
    let preference = [pair([-12.0, -13.0], [-15.0, -14.0])];
    let confidence = [
        pair([-1.0, -2.0], [-3.0, -2.0]),
        pair([-2.0, -1.0], [-1.0, -1.5]),
    ];
    let each = |example| evaluate("dpo", &Options::default(), &[example]).losses[0];
    let mut outs = [BatchLoss::new(), BatchLoss::new()];
    let found = Calibrated { coefficient: 0.5 }
        .evaluate(&dpo, &preference, &confidence, &mut outs)
        .unwrap();
    let expected = each(preference[0]) + 0.5 * (each(confidence[0]) + each(confidence[1]));
    assert_near(found, expected);
}

#[test]
fn ranking_accuracy_of_the_paper() {
    let (chosen, rejected) = (stats(-20.0, -22.0), stats(-18.0, -18.0));
    assert_eq!(difficulty(-22.0, -18.0), 4.0);
    assert!(!ranks_correctly(&chosen, &rejected, Length::Sum));
    let out = evaluate(
        "dpo",
        &Options::default(),
        &[pair([-20.0, -22.0], [-18.0, -18.0])],
    );
    assert_near(out.losses[0], 0.598_138_869_4);
    assert!(ideal_margin(-4.0, 0.75, 0.1, 1e-3) > 0.0);
    assert!(ideal_margin(-4.0, 0.59, 0.1, 1e-3) < 0.0);
    // Half the reference: −2 + 0.5 · 4 = 0.
    let half = Options {
        reference_scale: Some(0.5),
        ..Options::default()
    };
    let out = evaluate("dpo", &half, &[pair([-20.0, -22.0], [-18.0, -18.0])]);
    assert_eq!(out.losses[0], 2.0_f64.ln());
}

#[test]
fn gal_at_the_reference_and_segments_without_labels() {
    let group = [stats(-3.0, -3.0), stats(-5.0, -5.0), stats(-1.0, -1.0)];
    let mut slopes = Vec::new();
    let loss = GroupContrast::default().evaluate(&group, &[1.0, 0.0, 1.0], &mut slopes);
    assert_near(loss.unwrap(), 2.0_f64.ln());
    assert_eq!(slopes, [-0.25, 0.5, -0.25]);
    let loss = GroupContrast::default().evaluate(&group, &[1.0; 3], &mut slopes);
    assert_eq!((loss.unwrap(), &slopes[..]), (0.0, &[0.0; 3][..]));

    let labels = [SegmentLabel::None; 2];
    let loss = SegmentDpo::default().evaluate(&[3.0, 1.0], &labels, &mut slopes);
    assert_eq!((loss.unwrap(), &slopes[..]), (0.0, &[0.0; 2][..]));
}

const STEP: f64 = 1e-5;

proptest! {
    #[test]
    fn gal_derivatives_are_central_differences(
        responses in vec((-6.0..0.0_f64, 0..3_u8, 1..4_usize), 0..6),
        beta in 0.1..2.0_f64,
        mean in any::<bool>(),
    ) {
        let length = if mean { Length::TokenMean } else { Length::Sum };
        let gal = GroupContrast { beta, length };
        let rewards: Vec<f64> = responses.iter().map(|response| response.1.into()).collect();
        let evaluate = |moved: usize, shift: f64| {
            let group: Vec<SequenceStats> = responses
                .iter()
                .enumerate()
                .map(|(i, (policy, _, tokens))| {
                    let shift = if i == moved { shift } else { 0.0 };
                    SequenceStats { tokens: *tokens, ..stats(policy + shift, -3.0) }
                })
                .collect();
            let mut slopes = Vec::new();
            (gal.evaluate(&group, &rewards, &mut slopes).unwrap(), slopes)
        };
        let (_, slopes) = evaluate(0, 0.0);
        for (i, slope) in slopes.iter().enumerate() {
            let expected = (evaluate(i, STEP).0 - evaluate(i, -STEP).0) / (2.0 * STEP);
            prop_assert!((slope - expected).abs() < 1e-6, "{slope} {expected}");
        }
    }

    /// And swapping the completions with their labels changes nothing.
    #[test]
    fn segment_derivatives_are_central_differences(
        segments in vec((-9.0..9.0_f64, 0..3_u8), 0..6),
        beta in 0.05..1.0_f64,
        sum_inside in any::<bool>(),
    ) {
        let segment = SegmentDpo { beta, sum_inside };
        let kinds = [SegmentLabel::None, SegmentLabel::First, SegmentLabel::Second];
        let flipped = [SegmentLabel::None, SegmentLabel::Second, SegmentLabel::First];
        let label = |of: [SegmentLabel; 3]| -> Vec<SegmentLabel> {
            segments.iter().map(|segment| of[usize::from(segment.1)]).collect()
        };
        let deltas: Vec<f64> = segments.iter().map(|segment| segment.0).collect();
        let mut slopes = Vec::new();
        let loss = segment.evaluate(&deltas, &label(kinds), &mut slopes).unwrap();
        let mut scratch = Vec::new();
        for i in 0..deltas.len() {
            let mut at = |shift: f64| {
                let mut moved = deltas.clone();
                moved[i] += shift;
                segment.evaluate(&moved, &label(kinds), &mut scratch).unwrap()
            };
            let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            prop_assert!((slopes[i] - expected).abs() < 1e-6, "{} {expected}", slopes[i]);
        }
        let negated: Vec<f64> = deltas.iter().map(|delta| -delta).collect();
        let swapped = segment.evaluate(&negated, &label(flipped), &mut scratch).unwrap();
        prop_assert_eq!(loss, swapped);
    }
}

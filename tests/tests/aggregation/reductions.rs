//! Which rule becomes which: members of a family that are another rule, to the last bit where the arithmetic
//! is the same, and what balancing the mass of advantage promises.

use equipoise_aggregation::diagnostics::{compare, diagnose, net_advantage};
use equipoise_aggregation::rules::{
    Adaptive, Balanced, BalancedMass, DrGrpo, LambdaGrpo, LengthPower, PromptMean, SequenceMean,
    TokenMean, VlNorm,
};
use equipoise_aggregation::{
    CATALOGUE, Options, Reducer, Response, Scope, Source, batch_weights, batch_weights_by_prompt,
    by_name, mixed_weights,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn response() -> impl Strategy<Value = Response> {
    (0_usize..40, -2.0..2.0_f64).prop_map(|(tokens, advantage)| Response { tokens, advantage })
}

fn batch() -> impl Strategy<Value = (Vec<Response>, Vec<usize>)> {
    vec(vec(response(), 1..7), 1..5)
        .prop_map(|groups| (groups.concat(), groups.iter().map(Vec::len).collect()))
}

#[track_caller]
fn assert_same(a: &[f64], b: &[f64], bound: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= bound * b.abs(), "{a:e} {b:e}");
    }
}

proptest! {
    #[test]
    fn members_of_a_family((responses, sizes) in batch()) {
        let of = |rule: &dyn Reducer| batch_weights(rule, &responses, &sizes).unwrap();
        let max_tokens = NonZeroUsize::new(64).unwrap();
        prop_assert_eq!(of(&LengthPower { alpha: 0.0 }), of(&PromptMean));
        let free = LambdaGrpo { lambda: 0.0, strength: 0.4 };
        assert_same(&of(&free), &of(&PromptMean), 1e-15);
        let weak = LambdaGrpo { lambda: 2.0, strength: 0.0 };
        assert_same(&of(&weak), &of(&PromptMean), 1e-15);
        let flat = VlNorm { alpha: 0.0, max_tokens };
        assert_same(&of(&flat), &of(&DrGrpo { max_tokens }), 1e-15);
        // An adaptive rule that never sees a gap or a variation, and ones that always do.
        let never = Adaptive { gap: f64::MAX, variation: f64::MAX };
        prop_assert_eq!(of(&never), of(&Balanced::default()));
        let always = Adaptive { gap: f64::MAX, variation: 0.0 };
        prop_assert_eq!(of(&always), of(&PromptMean));
    }

    #[test]
    fn members_of_a_family_in_one_group(group in vec(response(), 1..9)) {
        let steep = LengthPower { alpha: 1.0 }.weights(&group);
        assert_same(&steep, &SequenceMean.weights(&group), 1e-15);
        prop_assert_eq!(PromptMean.weights(&group), TokenMean.weights(&group));
        let gap = Adaptive { gap: 0.0, variation: 0.0 };
        prop_assert_eq!(gap.weights(&group), SequenceMean.weights(&group));
    }

    /// For rewards of two values the advantages of a sign are all alike.
    #[test]
    fn balancing_mass_is_balancing_responses_where_a_sign_has_one_advantage(
        rows in vec((1_usize..50, any::<bool>()), 1..9),
        (up, down) in (0.1..3.0_f64, 0.1..3.0_f64),
    ) {
        let group: Vec<Response> = rows
            .iter()
            .map(|&(tokens, right)| Response { tokens, advantage: if right { up } else { -down } })
            .collect();
        for scope in [Scope::Group, Scope::Batch] {
            let balanced = Balanced { scope, ..Balanced::default() };
            assert_same(
                &BalancedMass { scope }.weights(&group),
                &balanced.weights(&group),
                1e-14,
            );
        }
    }

    /// Lengths may be correlated with advantages inside a sign: no advantage is left over.
    #[test]
    fn balanced_mass_leaves_no_net_advantage(rows in vec((1_usize..50, -2.0..2.0_f64), 2..9)) {
        let centre = rows.iter().map(|row| row.1).sum::<f64>() / rows.len() as f64;
        let group: Vec<Response> = rows
            .iter()
            .map(|&(tokens, reward)| Response { tokens, advantage: reward - centre })
            .collect();
        let weights = BalancedMass::default().weights(&group);
        let net = net_advantage(&group, &weights).unwrap();
        prop_assert!(net.abs() < 1e-12, "{net}");
    }

    #[test]
    fn factors_of_prompts_and_sources_of_responses((responses, sizes) in batch()) {
        for entry in CATALOGUE {
            let max_tokens = entry.options.contains(&"max_tokens").then_some(9);
            let rule = by_name(entry.name, &Options { max_tokens, ..Options::default() }).unwrap();
            let plain = batch_weights(&*rule, &responses, &sizes).unwrap();
            let ones = vec![1.0; sizes.len()];
            let same = batch_weights_by_prompt(&*rule, &responses, &sizes, &ones).unwrap();
            prop_assert_eq!(&same, &plain);
            for source in [Source::OnPolicy, Source::OffPolicy] {
                let sources = vec![source; responses.len()];
                let mixed = mixed_weights(&*rule, &*rule, &responses, &sizes, &sources).unwrap();
                prop_assert_eq!(&mixed, &plain);
            }
        }
    }

    #[test]
    fn comparing_is_diagnosing_each((responses, sizes) in batch()) {
        let rules: [&dyn Reducer; 3] = [&TokenMean, &Balanced::default(), &Adaptive::default()];
        let found = compare(&rules, &responses, &sizes).unwrap();
        prop_assert_eq!(found.rules.len(), 3);
        prop_assert_eq!(found.reading().len(), 3);
        for (rule, found) in rules.iter().zip(found.rules) {
            let weights = batch_weights(*rule, &responses, &sizes).unwrap();
            prop_assert_eq!(found, diagnose(rule.name(), &responses, &sizes, &weights).unwrap());
        }
    }
}

//! Budgets: allocation, learning curves, and both together round by round.

use equipoise_data::curriculum::{
    AdaptiveSampler, AdaptiveSettings, BudgetDomain, CurriculumError, FitStatus, LearningCurve,
    Observation, Reason, allocate, fit_learning_curve,
};
use proptest::prelude::*;

use super::{close, golden, number, numbers, saved};

fn domain(weight: f64, cost: f64, scale: f64, exponent: f64, floor: f64) -> BudgetDomain {
    BudgetDomain {
        weight,
        cost,
        curve: LearningCurve {
            asymptote: 0.0,
            scale,
            exponent,
        },
        floor,
    }
}

/// The case of the paper notes: b = (1, 4), c = (1, 2), w = 1/2, p = 1/2, a budget of 1000.
#[test]
fn the_known_case() {
    let domains = [
        domain(0.5, 1.0, 1.0, 0.5, 0.0),
        domain(0.5, 2.0, 4.0, 0.5, 0.0),
    ];
    let found = allocate(&domains, 1000.0).unwrap();
    assert!((found.samples[0] - 239.53231198).abs() < 1e-8);
    assert!((found.samples[1] - 380.23384401).abs() < 1e-8);
    assert!((found.loss - 0.1348726358).abs() < 1e-10);
    assert!((found.multiplier - 6.74363179e-5).abs() < 1e-13);
    // Half of the budget for each is worse.
    let equal: f64 = [(0, 500.0), (1, 250.0)]
        .map(|(place, samples)| 0.5 * domains[place].curve.loss(samples))
        .iter()
        .sum();
    assert!((equal - 0.1488518).abs() < 1e-7, "{equal}");
    // As many samples for each too: 1000 / 3.
    let split: f64 = (domains.iter())
        .map(|d| 0.5 * d.curve.loss(1000.0 / 3.0))
        .sum();
    assert!((split - 0.1369306394).abs() < 1e-10);
}

#[test]
fn allocations_agree_with_python() {
    for case in golden("budgets") {
        let domains: Vec<BudgetDomain> = case["domains"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| {
                let get = |key: &str| number(&d[key]);
                domain(
                    get("weight"),
                    get("cost"),
                    get("scale"),
                    get("exponent"),
                    get("floor"),
                )
            })
            .collect();
        let found = allocate(&domains, number(&case["budget"])).unwrap();
        for (ours, theirs) in found.samples.iter().zip(numbers(&case["samples"])) {
            assert!(close(*ours, theirs), "{ours} and {theirs}: {case}");
        }
        assert!(
            close(found.multiplier, number(&case["multiplier"])),
            "{case}"
        );
        assert!(close(found.loss, number(&case["loss"])), "{case}");
    }
}

#[test]
fn curves_agree_with_python() {
    for case in golden("curves") {
        let points = case["points"].as_array().unwrap().iter();
        let observations: Vec<Observation> = points
            .map(|point| Observation {
                samples: number(&point[0]),
                loss: number(&point[1]),
            })
            .collect();
        let fit = fit_learning_curve(&observations).unwrap();
        let residual = number(&case["residual"]);
        assert!(
            (fit.residual - residual).abs() < 1e-9 * residual + 1e-14,
            "{case}"
        );
        for (ours, key) in [
            (fit.curve.asymptote, "asymptote"),
            (fit.curve.scale, "scale"),
            (fit.curve.exponent, "exponent"),
        ] {
            let theirs = number(&case[key]);
            assert!(
                (ours - theirs).abs() < 1e-5 * theirs.abs() + 1e-6,
                "{key}: {ours}: {case}"
            );
        }
    }
}

#[test]
fn fits_without_information_say_so() {
    let at = |losses: [f64; 4]| -> Vec<Observation> {
        let pairs = [10.0, 20.0, 40.0, 80.0].into_iter().zip(losses);
        pairs
            .map(|(samples, loss)| Observation { samples, loss })
            .collect()
    };
    // Nothing is learned, or it is unlearned: the scale is 0.
    for losses in [[0.5; 4], [0.2, 0.3, 0.4, 0.5]] {
        let fit = fit_learning_curve(&at(losses)).unwrap();
        assert_eq!(fit.status, FitStatus::AtBound);
        assert_eq!(fit.curve.scale, 0.0);
        let mean = losses.iter().sum::<f64>() / 4.0;
        assert!(close(fit.curve.asymptote, mean));
    }
    // A loss that halves with every doubling has no asymptote.
    let fit = fit_learning_curve(&at([0.8, 0.4, 0.2, 0.1])).unwrap();
    assert!((fit.curve.exponent - 1.0).abs() < 1e-6 && (fit.curve.scale - 8.0).abs() < 1e-4);
    let few = at([0.8, 0.4, 0.2, 0.1]);
    assert!(matches!(
        fit_learning_curve(&few[..2]),
        Err(CurriculumError::TooFew {
            found: 2,
            needed: 3,
            ..
        })
    ));
    let wrong = Observation {
        samples: 0.0,
        loss: 1.0,
    };
    assert!(fit_learning_curve(&[wrong; 3]).is_err());
}

#[test]
fn impossible_budgets_are_named() {
    let usual = domain(1.0, 1.0, 1.0, 0.5, 10.0);
    assert!(matches!(
        allocate(&[], 1.0),
        Err(CurriculumError::TooFew { .. })
    ));
    for (setting, domains, budget) in [
        ("budget", vec![usual; 2], 19.0),
        ("budget", vec![usual], f64::NAN),
        (
            "weight",
            vec![BudgetDomain {
                weight: 0.0,
                ..usual
            }],
            100.0,
        ),
        (
            "cost",
            vec![BudgetDomain {
                cost: -1.0,
                ..usual
            }],
            100.0,
        ),
        (
            "floor",
            vec![BudgetDomain {
                floor: -1.0,
                ..usual
            }],
            100.0,
        ),
        ("scale", vec![domain(1.0, 1.0, 0.0, 0.5, 0.0)], 100.0),
        ("exponent", vec![domain(1.0, 1.0, 1.0, 0.0, 0.0)], 100.0),
    ] {
        let error = allocate(&domains, budget).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`{setting}` is ")),
            "{error}"
        );
    }
}

/// Bought batch by batch with curves fitted on the way, samples end up divided as the optimum is.
#[test]
fn round_by_round_leads_to_the_allocation() {
    let truth = [
        domain(0.5, 1.0, 1.0, 0.5, 0.0),
        domain(0.5, 2.0, 4.0, 0.8, 0.0),
        domain(1.0, 1.0, 0.5, 0.3, 0.0),
    ];
    let mut sampler = AdaptiveSampler::new(AdaptiveSettings {
        weights: vec![0.5, 0.5, 1.0],
        costs: vec![1.0, 2.0, 1.0],
        exploration: 0.0,
    })
    .unwrap();
    let mut spent = 0.0;
    while spent < 4000.0 {
        let purchase = sampler.next();
        let curve = truth[purchase.domain];
        let batch = 10;
        let samples = sampler.samples()[purchase.domain] + batch;
        spent += curve.cost * batch as f64;
        let loss = curve.curve.loss(samples as f64);
        sampler.record(purchase.domain, batch, loss).unwrap();
        // A run that was killed and resumed goes on the same.
        sampler = saved(&sampler);
    }
    let best = allocate(&truth, spent).unwrap();
    let samples = sampler.samples();
    let loss: f64 = (truth.iter().zip(&samples))
        .map(|(domain, &samples)| domain.weight * domain.curve.loss(samples as f64))
        .sum();
    assert!(
        loss < 1.0005 * best.loss,
        "{samples:?} and {:?}",
        best.samples
    );
    for (ours, best) in samples.iter().zip(&best.samples) {
        assert!((*ours as f64 - best).abs() < 15.0, "{samples:?}: {best}");
    }
}

#[test]
fn exploration_keeps_every_domain_known() {
    let settings = AdaptiveSettings {
        weights: vec![1.0, 1.0],
        costs: vec![1.0, 1.0],
        exploration: 0.1,
    };
    let mut sampler = AdaptiveSampler::new(settings.clone()).unwrap();
    let mut reasons = Vec::new();
    for _ in 0..200 {
        let purchase = sampler.next();
        reasons.push(purchase.reason);
        // The second domain learns nothing.
        let samples = sampler.samples()[0] as f64 + 10.0;
        let loss = if purchase.domain == 0 {
            samples.powf(-0.5)
        } else {
            0.5
        };
        sampler.record(purchase.domain, 10, loss).unwrap();
    }
    assert_eq!(reasons[..6], [Reason::Unknown; 6]);
    assert!(reasons[6..].contains(&Reason::Exploration) && reasons[6..].contains(&Reason::Gain));
    let samples = sampler.samples();
    let share = samples[1] as f64 / 2000.0;
    assert!((0.095..0.11).contains(&share), "{samples:?}");

    assert!(sampler.record(2, 1, 0.5).is_err());
    assert!(sampler.record(0, 0, 0.5).is_err());
    assert!(sampler.record(0, 1, f64::NAN).is_err());
    for wrong in [
        AdaptiveSettings {
            costs: vec![1.0],
            ..settings.clone()
        },
        AdaptiveSettings {
            exploration: 0.6,
            ..settings.clone()
        },
        AdaptiveSettings {
            weights: vec![0.0, 1.0],
            ..settings.clone()
        },
        AdaptiveSettings {
            weights: vec![],
            costs: vec![],
            ..settings
        },
    ] {
        assert!(AdaptiveSampler::new(wrong).is_err());
    }
}

proptest! {
    /// The budget is spent, the floors are kept, the gains are equal, and moving money between two
    /// domains never helps.
    #[test]
    fn no_other_division_is_better(
        parts in prop::collection::vec((0.1..3.0, 0.1..5.0, 0.1..5.0, 0.1..1.5, 0.0..100.0), 1..6),
        rest in 10.0..5000.0,
        moved in 0.001..0.2,
    ) {
        let domains: Vec<BudgetDomain> =
            parts.iter().map(|&(w, c, b, p, floor)| domain(w, c, b, p, floor)).collect();
        let floors: f64 = domains.iter().map(|d| d.cost * d.floor).sum();
        let found = allocate(&domains, floors + rest).unwrap();
        let spent: f64 = domains.iter().zip(&found.samples).map(|(d, n)| d.cost * n).sum();
        prop_assert!(close(spent, floors + rest));
        for (d, &n) in domains.iter().zip(&found.samples) {
            prop_assert!(n >= d.floor);
            let gain = d.marginal_gain_per_cost(n);
            if n > d.floor {
                prop_assert!((gain / found.multiplier - 1.0).abs() < 1e-6);
            } else {
                prop_assert!(gain <= found.multiplier * (1.0 + 1e-6));
            }
        }
        for from in 0..domains.len() {
            for to in 0..domains.len() {
                let mut samples = found.samples.clone();
                let money = moved * domains[from].cost * (samples[from] - domains[from].floor);
                samples[from] -= money / domains[from].cost;
                samples[to] += money / domains[to].cost;
                let loss: f64 = domains.iter().zip(&samples)
                    .map(|(d, &n)| d.weight * d.curve.loss(n)).sum();
                prop_assert!(loss >= found.loss * (1.0 - 1e-9));
            }
        }
    }

    /// A curve without noise is found again, in any unit of samples.
    #[test]
    fn curves_without_noise_are_found_again(
        asymptote in 0.05..0.5_f64, scale in 0.5..3.0_f64, exponent in 0.2..1.5_f64,
        unit in 0.1..1000.0_f64,
    ) {
        let truth = LearningCurve { asymptote, scale: scale * unit.powf(exponent), exponent };
        let observations: Vec<Observation> = (0..8)
            .map(|k| unit * 3.0_f64.powi(k))
            .map(|samples| Observation { samples, loss: truth.loss(samples) })
            .collect();
        let fit = fit_learning_curve(&observations).unwrap();
        prop_assert_eq!(fit.status, FitStatus::Inside);
        prop_assert!((fit.curve.exponent - exponent).abs() < 1e-4);
        prop_assert!((fit.curve.asymptote - asymptote).abs() < 1e-4);
        let (ours, theirs) = (fit.curve.loss(7.0 * unit), truth.loss(7.0 * unit));
        prop_assert!((ours - theirs).abs() < 1e-5);
    }
}

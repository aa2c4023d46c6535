//! Agreement with TRL, OpenRLHF and verl where sampler and trainer differ: weights, masks, whole losses.

use equipoise_objectives::mismatch::{
    Correction, Divergence, Mode, OffPolicySequenceMask, Pooling, RatioLevel, Rejection, normalise,
    normalise_responses,
};
use equipoise_objectives::{Options, Setting, TokenLoss, TokenTerms, ValueLoss, by_name};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    trl: Vec<Case>,
    openrlhf: Vec<Case>,
    values: Vec<Value>,
    normalised: Vec<Normalised>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/mismatch_peers.json")).unwrap()
}

#[derive(serde::Deserialize)]
struct Case {
    source: String,
    objective: String,
    options: BTreeMap<String, f64>,
    weights: Vec<f64>,
    logprobs: Vec<Vec<f64>>,
    old: Vec<Vec<f64>>,
    advantages: Vec<Vec<f64>>,
    /// Nothing where the sampler reported no probability.
    sampler: Vec<Vec<Option<f64>>>,
    mode: String,
    min: Option<f64>,
    max: Option<f64>,
    threshold: Option<f64>,
    factors: Option<Vec<Vec<f64>>>,
    loss: f64,
    gradient: Vec<Vec<f64>>,
}

#[track_caller]
fn assert_close(found: f64, expected: f64, bound: f64, what: &str) {
    let scale = expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= bound * scale,
        "{what}: {found} is not {expected}"
    );
}

impl Case {
    fn sampler(&self, at: usize) -> Vec<f64> {
        let row = self.sampler[at].iter();
        row.map(|logprob| logprob.unwrap_or(f64::NAN)).collect()
    }

    fn correction(&self, level: RatioLevel, mode: Mode) -> Correction {
        Correction {
            level,
            mode,
            min: self.min,
            max: self.max,
        }
    }

    /// The weights and masks of a response, put together as the peer's mode says.
    fn multipliers(&self, at: usize) -> Vec<f64> {
        let (old, sampler) = (&self.old[at], self.sampler(at));
        let mut factors = Vec::new();
        let correction = match self.mode.as_str() {
            "off" => return vec![1.0; old.len()],
            "token_truncate" | "token_clip" => self.correction(RatioLevel::Token, Mode::Truncate),
            "token_mask" => self.correction(RatioLevel::Token, Mode::Mask),
            "sequence_truncate" => self.correction(RatioLevel::Sequence, Mode::Truncate),
            "sequence_mask" => self.correction(RatioLevel::Sequence, Mode::Mask),
            "seq_mask" => return self.kept_by_the_geometric_mean(old, &sampler),
            mode => panic!("{mode}"),
        };
        let report = correction.multipliers(old, &sampler, &mut factors).unwrap();
        assert_eq!(
            report.unavailable,
            sampler.iter().filter(|x| x.is_nan()).count()
        );
        factors
    }

    fn kept_by_the_geometric_mean(&self, old: &[f64], sampler: &[f64]) -> Vec<f64> {
        let rule = Rejection {
            divergence: Divergence::K1,
            pooling: Pooling::Mean,
            min: self.max.map(|max| -max.ln()),
            max: self.min.map(|min| -min.ln()),
        };
        let (mut kept, mut factors) = (Vec::new(), Vec::new());
        rule.keep(old, sampler, &mut kept).unwrap();
        let open = Correction {
            level: RatioLevel::Token,
            mode: Mode::Mask,
            min: None,
            max: None,
        };
        open.multipliers(old, sampler, &mut factors).unwrap();
        let rows = factors.iter().zip(&kept);
        rows.map(|(factor, kept)| if *kept { *factor } else { 0.0 })
            .collect()
    }

    fn check(&self) {
        let mut options = Options::default();
        for (name, value) in &self.options {
            options.set(name, Setting::Number(*value)).unwrap();
        }
        let objective = by_name(&self.objective, &options).unwrap();
        let (mut out, mut loss) = (TokenLoss::new(), 0.0);
        for at in 0..self.logprobs.len() {
            let what = format!("{} {}", self.source, self.mode);
            let mut factors = self.multipliers(at);
            if let Some(expected) = &self.factors {
                for (found, expected) in factors.iter().zip(&expected[at]) {
                    assert_close(*found, *expected, 1e-12, &what);
                }
            }
            if let Some(threshold) = self.threshold {
                let mask = OffPolicySequenceMask { threshold };
                let (sampler, advantage) = (self.sampler(at), self.advantages[at][0]);
                if !mask.keeps(&self.logprobs[at], &sampler, advantage).unwrap() {
                    factors.fill(0.0);
                }
            }
            let advantages = &self.advantages[at][..];
            let terms = TokenTerms::new(&self.logprobs[at], &self.old[at], advantages)
                .and_then(|terms| terms.with_multipliers(&factors))
                .unwrap();
            objective.evaluate(&terms, &mut out);
            loss += self.weights[at] * out.sum();
            // OpenRLHF adds 1e-8 to the lengths that it divides by.
            for (found, expected) in out.gradient.iter().zip(&self.gradient[at]) {
                assert_close(self.weights[at] * found, *expected, 3e-8, &what);
            }
        }
        assert_close(loss, self.loss, 3e-8, &self.source);
    }
}

#[test]
fn trl_from_the_weights_to_the_loss() {
    let cases = fixture().trl;
    cases.iter().for_each(Case::check);
    let outside = |case: &&Case| case.factors.iter().flatten().flatten().any(|x| *x == 0.0);
    assert!(cases.iter().filter(outside).count() > 3);
    let missing = |case: &&Case| case.sampler.iter().flatten().any(Option::is_none);
    assert!(cases.iter().filter(missing).count() > 3);
}

#[test]
fn openrlhf_from_the_weights_to_the_loss() {
    fixture().openrlhf.iter().for_each(Case::check);
}

#[derive(serde::Deserialize)]
struct Value {
    value: f64,
    old: f64,
    target: f64,
    clip: Option<f64>,
    loss: f64,
    derivative: f64,
}

#[test]
fn openrlhf_value_losses() {
    for case in fixture().values {
        let found = ValueLoss { clip: case.clip }.evaluate(case.value, case.old, case.target);
        assert_close(found.value, case.loss, 1e-12, "value");
        assert_close(found.derivative, case.derivative, 1e-12, "derivative");
    }
}

#[derive(serde::Deserialize)]
struct Normalised {
    old: Vec<Vec<f64>>,
    sampler: Vec<Vec<f64>>,
    level: String,
    max: f64,
    weights: Vec<Vec<f64>>,
}

#[test]
fn verl_weights_of_mean_one() {
    for case in fixture().normalised {
        let level = match case.level.as_str() {
            "token" => RatioLevel::Token,
            _ => RatioLevel::Sequence,
        };
        let correction = Correction {
            level,
            ..Correction::truncated(case.max)
        };
        let mut weights = vec![Vec::new(); case.old.len()];
        for (at, weights) in weights.iter_mut().enumerate() {
            let (old, sampler) = (&case.old[at], &case.sampler[at]);
            correction.multipliers(old, sampler, weights).unwrap();
        }
        let mut rows: Vec<&mut [f64]> = weights.iter_mut().map(Vec::as_mut_slice).collect();
        match level {
            RatioLevel::Token => normalise(&mut rows),
            _ => normalise_responses(&mut rows),
        };
        for (found, expected) in weights.iter().flatten().zip(case.weights.iter().flatten()) {
            // verl adds 1e-8 to the number of tokens.
            assert_close(*found, *expected, 2e-8, &case.level);
        }
    }
}

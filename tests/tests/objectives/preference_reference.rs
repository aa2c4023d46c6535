//! Agreement with `fixtures/preference.py`, which runs the code of TRL and OpenRLHF.

use equipoise_objectives::preference::{
    BatchLoss, Example, Loss, Options, PairStats, SequenceGradient, SequenceStats, Setting,
    UnpairedLoss, by_name, kto_baseline,
};
use std::collections::BTreeMap;

type Rows = Vec<Vec<f64>>;

#[derive(serde::Deserialize)]
struct Batch {
    chosen: Rows,
    rejected: Rows,
    gold: Rows,
    reference_chosen: Rows,
    reference_rejected: Rows,
    squares_chosen: Rows,
    squares_rejected: Rows,
}

#[derive(serde::Deserialize)]
struct Case {
    peer: String,
    name: String,
    options: BTreeMap<String, serde_json::Value>,
    batch: usize,
    /// Whether the peer computes in float32 there.
    float32: bool,
    loss: f64,
    chosen: Rows,
    rejected: Rows,
    #[serde(default)]
    gold: Rows,
}

#[derive(serde::Deserialize)]
struct Fixture {
    batches: Vec<Batch>,
    cases: Vec<Case>,
}

impl Batch {
    fn pairs(&self) -> Vec<PairStats> {
        let pair = |i: usize| {
            let mut pair = PairStats::new(
                (&self.chosen[i], Some(&self.reference_chosen[i])),
                (&self.rejected[i], Some(&self.reference_rejected[i])),
            )
            .unwrap();
            pair.chosen.align(&self.squares_chosen[i]).unwrap();
            pair.rejected.align(&self.squares_rejected[i]).unwrap();
            let gold = SequenceStats::new(&self.gold[i], None, self.gold[i].len());
            pair.gold = Some(gold.unwrap());
            pair
        };
        (0..self.chosen.len()).map(pair).collect()
    }
}

fn options(case: &Case) -> Options {
    let mut options = Options::default();
    for (name, value) in &case.options {
        let setting = match value {
            serde_json::Value::Bool(flag) => Setting::Flag(*flag),
            serde_json::Value::String(word) => Setting::Word(word),
            number => Setting::Number(number.as_f64().unwrap()),
        };
        options.set(name, setting).unwrap();
    }
    options
}

fn assert_close(case: &Case, found: f64, expected: f64) {
    let tolerance = if case.float32 { 2e-5 } else { 1e-12 };
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{} {} {:?} of batch {}: {found} {expected}",
        case.peer,
        case.name,
        case.options,
        case.batch
    );
}

fn assert_gradients(case: &Case, found: &[SequenceGradient], scale: f64, expected: &Rows) {
    for (found, expected) in found.iter().zip(expected) {
        let mut tokens = vec![0.0; expected.len()];
        found.spread(scale, &mut tokens);
        for (a, b) in tokens.iter().zip(expected) {
            assert_close(case, *a, *b);
        }
    }
}

fn check_unpaired(
    case: &Case,
    pairs: &[PairStats],
    loss: equipoise_objectives::preference::Unpaired,
) {
    let chosen = pairs.iter().map(|pair| (pair.chosen, true));
    let rejected = pairs.iter().map(|pair| (pair.rejected, false));
    let examples: Vec<Example> = chosen
        .chain(rejected)
        .map(|(stats, desirable)| Example { stats, desirable })
        .collect();
    let all: Vec<SequenceStats> = examples.iter().map(|example| example.stats).collect();
    let mut out = UnpairedLoss::new();
    let baseline = kto_baseline(&all).unwrap();
    loss.evaluate(&examples, baseline, &mut out).unwrap();
    let count = examples.len() as f64;
    assert_close(case, out.losses.iter().sum::<f64>() / count, case.loss);
    let (chosen, rejected) = out.gradients.split_at(pairs.len());
    assert_gradients(case, chosen, 1.0 / count, &case.chosen);
    assert_gradients(case, rejected, 1.0 / count, &case.rejected);
}

#[test]
fn values_and_derivatives_agree_with_the_peers() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/preference.json")).unwrap();
    assert!(fixture.cases.len() > 100);
    let mut out = BatchLoss::new();
    for case in &fixture.cases {
        let pairs = fixture.batches[case.batch].pairs();
        let scale = 1.0 / pairs.len() as f64;
        match by_name(&case.name, &options(case)).unwrap() {
            Loss::Examples(loss) => check_unpaired(case, &pairs, loss),
            Loss::Pairs(loss) => {
                loss.evaluate(&pairs, &mut out).unwrap();
                assert_close(case, out.mean(), case.loss);
                assert_gradients(case, &out.chosen, scale, &case.chosen);
                assert_gradients(case, &out.rejected, scale, &case.rejected);
                assert_gradients(case, &out.gold, scale, &case.gold);
            }
        }
    }
}

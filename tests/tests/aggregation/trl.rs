//! Agreement with the reductions of TRL's `GRPOTrainer._compute_loss`, under TRL's own names for them.

use equipoise_aggregation::{Error, Options, Response, batch_weights, by_name, resolve};

#[derive(serde::Deserialize)]
struct Fixture {
    max_tokens: usize,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    loss_type: String,
    terms: Vec<Vec<f64>>,
    loss: f64,
}

#[test]
fn trl_aggregates_alike_but_for_masked_responses() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/aggregation_trl.json")).unwrap();
    for case in &fixture.cases {
        // Refused because it depends on the cut into micro-batches; these cases are one micro-batch.
        let name = match resolve(&case.loss_type) {
            Err(Error::Refused { name: "bnpo", .. }) => "token_mean",
            _ => case.loss_type.as_str(),
        };
        let (entry, _) = resolve(name).unwrap();
        let options = Options {
            max_tokens: (entry.name == "dr_grpo").then_some(fixture.max_tokens),
            ..Options::default()
        };
        let response = |terms: &Vec<f64>| Response {
            tokens: terms.len(),
            advantage: 1.0,
        };
        let responses: Vec<Response> = case.terms.iter().map(response).collect();
        let rule = by_name(name, &options).unwrap();
        let weights = batch_weights(&*rule, &responses, &[responses.len()]).unwrap();
        let rows = case.terms.iter().zip(&weights);
        let loss: f64 = rows
            .map(|(terms, weight)| weight * terms.iter().sum::<f64>())
            .sum();
        // TRL counts fully masked responses where it divides by a number of responses.
        let counted = case.terms.iter().filter(|terms| !terms.is_empty()).count();
        let share = match entry.name {
            "token_mean" => 1.0,
            _ => counted as f64 / responses.len() as f64,
        };
        let bound = 1e-13 * case.loss.abs().max(1.0);
        assert!(
            (share * loss - case.loss).abs() <= bound,
            "{}: {} {}",
            case.loss_type,
            share * loss,
            case.loss
        );
    }
}

//! Saves a small random model, and beside it the numbers it computes, for transformers to check:
//! `tests/fixtures/models.py --check DIR`.

use std::path::Path;

use equipoise_models::{Config, Decoder, Family, Need, Policy, RopeScaling, TokenBatch};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args()
        .nth(1)
        .ok_or("usage: save_for_transformers DIR")?;
    let directory = Path::new(&directory);
    let config = Config {
        vocab_size: 40,
        hidden_size: 24,
        num_hidden_layers: 3,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 8,
        intermediate_size: 36,
        rope_theta: 300.0,
        rms_norm_eps: 1e-5,
        tie_word_embeddings: true,
        max_position_embeddings: 64,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: vec![2],
        heads: Default::default(),
        other: Default::default(),
    };
    let decoder = Decoder::new(config, 0.3, 1)?;
    decoder.save(directory)?;

    let tokens: Vec<u32> = (0..30).map(|t| (t * t + 7 * t + 3) % 40).collect();
    let scored: Vec<bool> = (0..30).map(|t| t > 4 && t % 3 != 0).collect();
    let mut batch = TokenBatch::new();
    batch.push_masked(&tokens, &scored)?;
    let outputs = [1.0, 0.7].map(|temperature| {
        let scores = decoder.score(&batch, &Need::at_temperature(temperature))?;
        Ok(json!({
            "temperature": temperature,
            "logprobs": scores.logprobs.values(),
            "entropies": scores.entropies.values(),
        }))
    });
    let outputs = outputs
        .into_iter()
        .collect::<Result<Vec<_>, equipoise_models::ModelError>>()?;
    let expected = json!({
        "sequences": [{ "tokens": tokens, "scored": scored }],
        "outputs": outputs,
    });
    std::fs::write(directory.join("expected.json"), format!("{expected:#}\n"))?;
    Ok(())
}

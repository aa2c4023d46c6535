//! A model that scores completions, for the verifier `reward_model`.

use std::path::Path;
use std::sync::Arc;

use equipoise_core::TokenId;
use equipoise_data::Tokenizer;
use equipoise_models::{Decoder, Need, OutputHeads};
use equipoise_verifiers::Scorer;

use crate::TrainError;
use crate::gradient::{Sequence, score};
use crate::saved::tokenizer_file;

/// A sequence classifier with one output, read from a directory, that scores completions of a prompt.
///
/// The score is the head's number for the last token of prompt, completion and end of sequence, in
/// the model's own tokens; a longer text than the model can read is an error.
#[derive(Debug)]
pub struct ModelScorer {
    decoder: Decoder,
    tokenizer: Tokenizer,
    tokens_per_batch: usize,
}

impl ModelScorer {
    /// Reads the model and its tokenizer.
    ///
    /// # Errors
    /// If a file cannot be read, or the model has no head for scores.
    pub fn load(directory: &Path, tokens_per_batch: usize) -> Result<Self, TrainError> {
        let decoder = Decoder::load(directory)?;
        if decoder.config().heads == OutputHeads::Vocabulary {
            return Err(TrainError::Assembly(format!(
                "reward_model.path: {} is a language model without a head for scores; a reward model \
                 has the architecture …ForSequenceClassification",
                directory.display()
            )));
        }
        Ok(Self {
            tokenizer: Tokenizer::load(tokenizer_file(directory)?, None)?,
            decoder,
            tokens_per_batch,
        })
    }

    /// The tokens of one pair, the completion's with the end of sequence.
    fn tokens(&self, prompt: &str, completion: &str) -> Result<[Vec<TokenId>; 2], String> {
        let encode = |text: &str| {
            self.tokenizer
                .encode(text)
                .map_err(|error| error.to_string())
        };
        let mut response = encode(completion)?;
        response.push(self.tokenizer.eos());
        let prompt = encode(prompt)?;
        let (length, limit) = (
            prompt.len() + response.len(),
            self.decoder.config().max_position_embeddings,
        );
        if length > limit {
            return Err(format!(
                "{length} tokens, and the reward model reads at most {limit}"
            ));
        }
        Ok([prompt, response])
    }
}

impl Scorer for ModelScorer {
    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f64>, String> {
        let tokens = pairs
            .iter()
            .map(|(prompt, completion)| self.tokens(prompt, completion));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let sequences: Vec<Sequence<'_>> = tokens
            .iter()
            .map(|[prompt, response]| Sequence { prompt, response })
            .collect();
        let need = Need::at_temperature(1.0).with_sequence_scores();
        let parts = score(&self.decoder, &sequences, self.tokens_per_batch, &need)
            .map_err(|error| error.to_string())?;
        let scores = parts
            .into_iter()
            .flat_map(|part| part.sequence_scores.unwrap_or_default());
        Ok(scores.map(f64::from).collect())
    }
}

/// The scorer of a recipe's `[reward_model]`.
pub(crate) fn scorer(
    section: Option<&crate::recipe::RewardModelSection>,
) -> Result<Option<Arc<dyn Scorer>>, TrainError> {
    let Some(section) = section else {
        return Ok(None);
    };
    let scorer = ModelScorer::load(&section.path, section.tokens_per_batch)?;
    Ok(Some(Arc::new(scorer)))
}

#[cfg(test)]
mod tests {
    use equipoise_models::{Policy as _, TokenBatch};

    use super::*;
    use crate::Assembly;
    use crate::recipe::Recipe;

    /// The smallest recipe scored by the reward model in `directory`.
    fn recipe(directory: &Path) -> Recipe {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace(
            "[verifier]\nkind = \"number\"\nformat_weight = 0.1\n",
            &format!(
                "[verifier]\nname = \"reward_model\"\n[reward_model]\npath = {:?}\ntokens_per_batch = 40\n",
                directory.display().to_string()
            ),
        );
        Recipe::parse(&text, "tiny", &[]).unwrap()
    }

    #[test]
    fn the_scores_are_the_heads_numbers_for_the_last_token() {
        let directory = tempfile::tempdir().unwrap();
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let base = Assembly::new(Recipe::load(&tiny, &[]).unwrap()).unwrap();
        let mut config = base.decoder.config().clone();
        config.heads = OutputHeads::Score;
        let model = Decoder::new(config, 0.3, 5).unwrap();
        model.save(directory.path()).unwrap();
        base.tokenizer
            .save(directory.path().join("tokenizer.json"))
            .unwrap();

        let assembly = Assembly::new(recipe(directory.path())).unwrap();
        let problem = assembly.source.train(0);
        let texts = ["<think></think>7", "1", "23+4=<think>", ""];
        let pairs: Vec<_> = texts.iter().map(|text| (&problem, *text)).collect();
        let verdicts = equipoise_verifiers::verify_all(&*assembly.verifier, &pairs);
        for (text, verdict) in texts.iter().zip(&verdicts) {
            let prompt = base.tokenizer.encode(&problem.prompt).unwrap();
            let mut response = base.tokenizer.encode(text).unwrap();
            response.push(base.tokenizer.eos());
            let mut batch = TokenBatch::new();
            batch.push(&prompt, &response);
            let need = Need::at_temperature(1.0).with_sequence_scores();
            let alone = model.score(&batch, &need).unwrap().sequence_scores.unwrap()[0];
            // The same bits, whatever else is in the batch.
            assert_eq!(verdict.reward(), Some(f64::from(alone)), "{text:?}");
        }
        let distinct: std::collections::BTreeSet<String> = verdicts
            .iter()
            .map(|verdict| format!("{verdict:?}"))
            .collect();
        assert_eq!(distinct.len(), texts.len());
        // What the model cannot read is unscorable, not worth 0.
        let long = "1".repeat(100);
        assert_eq!(assembly.verifier.verify(&problem, &long).reward(), None);
    }

    #[test]
    fn a_language_model_is_no_reward_model() {
        let directory = tempfile::tempdir().unwrap();
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let base = Assembly::new(Recipe::load(&tiny, &[]).unwrap()).unwrap();
        base.decoder.save(directory.path()).unwrap();
        base.tokenizer
            .save(directory.path().join("tokenizer.json"))
            .unwrap();
        let error = Assembly::new(recipe(directory.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("without a head for scores"), "{error}");
    }
}

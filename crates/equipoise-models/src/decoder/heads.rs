//! Score heads on the trunk of a language model: beside its vocabulary projection, or in its place.

use candle_core::{Device, Tensor, Var};
use equipoise_core::{Domain, Stream};

use super::Decoder;
use crate::{Config, ModelError, OutputHeads, Parameters};

impl Decoder {
    /// The same trunk with a new score head beside its vocabulary projection, sharing all other
    /// weights: a value function. Its weights are normal with standard deviation 1/(hidden + 1), as
    /// in trl's reward models.
    ///
    /// # Errors
    /// If the model has an adapter (add it afterwards) or a score head already.
    pub fn with_score_head(&self, seed: u64) -> Result<Self, ModelError> {
        self.with_new_head(OutputHeads::VocabularyAndScore, seed)
    }

    /// The same trunk with a new score head in place of its vocabulary projection, sharing all other
    /// weights: what the training of a reward model starts from. The head is drawn as that of
    /// [`with_score_head`](Self::with_score_head), the same for the same seed.
    ///
    /// Training it trains this model, too. Where both are wanted,
    /// [`frozen_copy`](Self::frozen_copy) makes a trunk of its own first.
    ///
    /// ```
    /// # use equipoise_models::{Config, Decoder, Family, Need, OutputHeads, Policy, RopeScaling, TokenBatch};
    /// # let config = Config {
    /// #     vocab_size: 8, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 2,
    /// #     num_key_value_heads: 1, head_dim: 2, intermediate_size: 6, rope_theta: 10_000.0,
    /// #     rms_norm_eps: 1e-6, tie_word_embeddings: false, max_position_embeddings: 16,
    /// #     family: Family::Qwen3, rope_scaling: RopeScaling::Default, attention_bias: false,
    /// #     mlp_bias: false, eos_token_ids: vec![0], heads: OutputHeads::Vocabulary,
    /// #     other: Default::default(),
    /// # };
    /// let language_model = Decoder::new(config, 0.02, 1)?; // or Decoder::load(directory)?
    /// let reward_model = language_model.reward_model(7)?;
    /// assert_eq!(reward_model.config().heads, OutputHeads::Score);
    ///
    /// let mut batch = TokenBatch::new();
    /// batch.push(&[5, 3], &[7, 1, 0]);
    /// let need = Need::at_temperature(1.0).with_sequence_scores();
    /// let scores = reward_model.score(&batch, &need)?.sequence_scores;
    /// assert_eq!(scores.map(|scores| scores.len()), Some(1));
    /// # Ok::<(), equipoise_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// If the model has an adapter (merge it first, or add it afterwards) or a score head already.
    pub fn reward_model(&self, seed: u64) -> Result<Self, ModelError> {
        self.with_new_head(OutputHeads::Score, seed)
    }

    fn with_new_head(&self, heads: OutputHeads, seed: u64) -> Result<Self, ModelError> {
        if self.adapter.is_some() || self.config.heads != OutputHeads::Vocabulary {
            let reason = "a score head goes on a model that has neither one nor an adapter";
            return Err(ModelError::Config(reason.to_owned()));
        }
        let hidden = self.config.hidden_size;
        let mut stream = Stream::new(seed, Domain::Initialisation, [0, 2, 0]);
        let deviation = 1.0 / (hidden + 1) as f64;
        let values = (0..hidden).map(|_| (stream.normal() * deviation) as f32);
        let score = Tensor::from_vec(values.collect(), (1, hidden), &Device::Cpu)?;
        let score = ("score.weight".to_owned(), Var::from_tensor(&score)?);
        // A trunk that only scores has no use for the projection.
        let kept = |name: &str| heads != OutputHeads::Score || name != "lm_head.weight";
        let entries = self.base.iter().filter(|(name, _)| kept(name));
        let entries = entries.map(|(name, var)| (name.to_owned(), var.clone()));
        let config = Config {
            heads,
            ..self.config.clone()
        };
        let parameters = Parameters::new(entries.chain([score]).collect());
        let model = Self::with_rotary(config, parameters, self.rotary.clone())?;
        Ok(model
            .with_precision(self.precision)
            .with_activation_checkpointing(self.activation_checkpointing))
    }
}

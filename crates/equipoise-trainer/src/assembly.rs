//! From a recipe to the parts it names: problems, tokenizer, verifier, model.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use equipoise_core::{Problem, Prompt, TokenId};
use equipoise_data::{
    Arithmetic, Countdown, EOS, Operator, ProblemSource, Procedural, StyleWeights, Task, Tokenizer,
};
use equipoise_models::{Config, Decoder, Family, RopeScaling, SaveOptions, Sidecars};
use equipoise_verifiers::{
    CountdownExpression, ExactNumber, Extraction, Format, Resources, Verifier, Weighted,
};

use crate::TrainError;
use crate::files;
use crate::recipe::{self, DataSource, ModelSection, Recipe, VerifierKind, VerifierSection};
use crate::reward_model;
use crate::saved::{
    ADAPTER, BASE, BASE_HASH, base_hash, check_base, companions, load_policy, policy_config,
    start_directory, tokenizer_file,
};

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";

/// The parts of a run, built from its recipe. Clones share the parts.
#[derive(Clone, Debug)]
pub struct Assembly {
    /// The recipe.
    pub recipe: Arc<Recipe>,
    /// Where problems come from.
    pub source: Arc<dyn ProblemSource>,
    /// Text to token ids and back.
    pub tokenizer: Arc<Tokenizer>,
    /// What scores completions.
    pub verifier: Arc<dyn Verifier>,
    /// The model that is trained.
    pub decoder: Decoder,
    /// What lay beside the model it started from: tokenizer, chat template, generation settings.
    pub sidecars: Arc<Sidecars>,
    /// The directory of what an adapter is trained on: the recipe's model, or where a run has saved one
    /// that was drawn.
    base: Option<PathBuf>,
    /// The hash of what an adapter's training leaves as it is, once it has been asked for.
    base_hash: Arc<OnceLock<String>>,
}

/// What a run has beside its weights: enough to tell its size before anything large exists.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Where problems come from.
    pub source: Arc<dyn ProblemSource>,
    /// Text to token ids and back.
    pub tokenizer: Tokenizer,
    /// The sizes of the model.
    pub config: Config,
}

impl Outline {
    /// Reads and generates what a resolved recipe names, but for the weights.
    ///
    /// # Errors
    /// As [`Assembly::new`].
    pub fn new(recipe: &Recipe) -> Result<Self, TrainError> {
        let task = task(recipe);
        let tokenizer = tokenizer(recipe, task.as_deref())?;
        let config = config(recipe, &tokenizer)?;
        config.validate()?;
        if let Some(lora) = &recipe.lora {
            lora.config().validate(config.num_hidden_layers)?;
        }
        check_vocabulary(&config, &tokenizer)?;
        Ok(Self {
            source: source(recipe, task, &tokenizer)?,
            tokenizer,
            config,
        })
    }
}

impl Assembly {
    /// Builds the parts of a resolved recipe.
    ///
    /// # Errors
    /// If a file it names is missing or wrong, or the parts do not go together.
    pub fn new(recipe: Recipe) -> Result<Self, TrainError> {
        let task = task(&recipe);
        let tokenizer = tokenizer(&recipe, task.as_deref())?;
        let mut decoder = model(&recipe, &tokenizer)?;
        if let Some(lora) = &recipe.lora {
            decoder = decoder.with_adapter(&lora.config(), recipe.seed)?;
        }
        let sidecars = match &recipe.model {
            ModelSection::Directory(model) => Sidecars::read(&start_directory(model)?)?,
            ModelSection::Shape(_) => Sidecars::default(),
        };
        Self::with_parts(recipe, task, tokenizer, decoder, sidecars)
    }

    /// The same with the model and tokenizer of a directory in Hugging Face layout, whatever the
    /// recipe's `[model]` says: a checkpoint of the run.
    ///
    /// # Errors
    /// As [`Assembly::new`].
    pub fn with_model(recipe: Recipe, directory: &Path) -> Result<Self, TrainError> {
        let task = task(&recipe);
        let tokenizer = Tokenizer::load(tokenizer_file(directory)?, None)?;
        let adapter = directory.join(ADAPTER);
        let decoder = match &recipe.lora {
            // The model in a checkpoint has its adapter merged; the run goes on with both apart.
            Some(_) if adapter.is_dir() => {
                let base = model(&recipe, &tokenizer)?;
                check_base(&base_name(&recipe), &base, &adapter)?;
                base.load_adapter(&adapter)?
            }
            _ => load_policy(directory)?,
        };
        let sidecars = Sidecars::read(&companions(directory)?)?;
        Self::with_parts(recipe, task, tokenizer, decoder, sidecars)
    }

    fn with_parts(
        recipe: Recipe,
        task: Option<Box<dyn Task>>,
        tokenizer: Tokenizer,
        decoder: Decoder,
        sidecars: Sidecars,
    ) -> Result<Self, TrainError> {
        let decoder = decoder
            .with_precision(recipe.engine.precision.into())
            .with_activation_checkpointing(recipe.engine.activation_checkpointing);
        check_vocabulary(decoder.config(), &tokenizer)?;
        let tokenizer = Arc::new(tokenizer);
        let base = match (&recipe.model, &recipe.lora) {
            (ModelSection::Directory(model), Some(_)) => Some(start_directory(model)?),
            _ => None,
        };
        Ok(Self {
            base,
            source: source(&recipe, task, &tokenizer)?,
            verifier: verifier(&recipe, &tokenizer)?,
            tokenizer,
            decoder,
            sidecars: Arc::new(sidecars),
            recipe: Arc::new(recipe),
            base_hash: Arc::default(),
        })
    }

    /// The tokens that end a completion: the tokenizer's, and those the model's files name.
    pub fn stops(&self) -> Vec<TokenId> {
        stops(&self.tokenizer, self.decoder.config(), &self.sidecars)
    }

    /// Writes the model as others read it: weights with an adapter merged, configuration, tokenizer
    /// and what lay beside them, all at once; and an adapter by itself in a directory of its own. Its
    /// configuration names the directory of its base: the recipe's, the one in which the run has saved
    /// it, or, if there is neither, one beside it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_model(&self, directory: &Path) -> Result<(), TrainError> {
        if self.decoder.adapter().is_none() {
            return self.save_whole(&self.decoder, directory);
        }
        self.save_whole(&self.decoder.merged()?, directory)?;
        let base = match &self.base {
            Some(base) => base.clone(),
            None => {
                let beside = directory.join(BASE);
                self.save_whole(&self.decoder.without_adapter(), &beside)?;
                beside
            }
        };
        let adapter = directory.join(ADAPTER);
        self.decoder.save_adapter(&adapter, &base)?;
        let path = adapter.join(BASE_HASH);
        std::fs::write(&path, self.base_hash()?).map_err(TrainError::file("write", &path))
    }

    /// A model in Hugging Face layout, with what lies beside it.
    fn save_whole(&self, decoder: &Decoder, directory: &Path) -> Result<(), TrainError> {
        // The model's own files as they were; a tokenizer the recipe chose stays.
        let own = self.sidecars.get("tokenizer.json").is_some();
        let sidecars = match own && self.recipe.data.tokenizer.is_none() {
            true => (*self.sidecars).clone(),
            false => self.sidecars.with_tokenizer(self.tokenizer.to_json()?),
        };
        Ok(decoder.save_whole(directory, &SaveOptions::default(), &sidecars)?)
    }

    /// Saves the base of an adapter into a run's directory, once, if no other directory has it: a
    /// model whose weights were drawn. Later adapters name it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn keep_base(&mut self, run: &Path) -> Result<(), TrainError> {
        let drawn = matches!(self.recipe.model, ModelSection::Shape(_));
        if self.decoder.adapter().is_none() || !drawn {
            return Ok(());
        }
        let directory = run.join(BASE);
        if !directory.join("config.json").is_file() {
            self.save_whole(&self.decoder.without_adapter(), &directory)?;
        }
        self.base = Some(directory);
        Ok(())
    }

    /// [`base_hash`] of the model: at most once in a run, since these weights stay as they are.
    fn base_hash(&self) -> Result<&str, TrainError> {
        if let Some(known) = self.base_hash.get() {
            return Ok(known);
        }
        let found = base_hash(&self.decoder)?;
        Ok(self.base_hash.get_or_init(|| found))
    }

    /// A problem's prompt in token ids.
    ///
    /// # Errors
    /// If the tokenizer has no token for a character of it.
    pub fn prompt(&self, problem: &Problem) -> Result<Prompt, TrainError> {
        Ok(Prompt {
            id: problem.id,
            tokens: self.tokenizer.encode(&problem.prompt)?,
        })
    }
}

/// The tokens that end a text of a model: its tokenizer's end of sequence, and those its
/// configuration and generation settings name.
pub fn stops(tokenizer: &Tokenizer, config: &Config, sidecars: &Sidecars) -> Vec<TokenId> {
    let mut stops = vec![tokenizer.eos()];
    for stop in config
        .eos_token_ids
        .iter()
        .copied()
        .chain(sidecars.generation_stops())
    {
        if (stop as usize) < config.vocab_size && !stops.contains(&stop) {
            stops.push(stop);
        }
    }
    stops
}

fn task(recipe: &Recipe) -> Option<Box<dyn Task>> {
    match recipe.data.source()? {
        DataSource::Arithmetic(section) => Some(Box::new(Arithmetic {
            operands: section.operands,
            max_value: section.max_value,
            operators: section.operators.chars().filter_map(operator).collect(),
            styles: StyleWeights {
                direct: section.styles.direct,
                steps: section.styles.steps,
                columns: section.styles.columns,
            },
        })),
        DataSource::Countdown(section) => Some(Box::new(Countdown {
            numbers: section.numbers,
            max_value: section.max_value,
            target_max: section.target_max,
            misses: section.misses,
        })),
        DataSource::Generated(name) => {
            let mut generated = recipe.data.generated().into_iter();
            generated.find_map(|(other, task)| (other == name).then_some(task))
        }
        DataSource::Files(_) => None,
    }
}

/// The recipe's validation knows no others.
fn operator(symbol: char) -> Option<Operator> {
    [Operator::Plus, Operator::Minus, Operator::Times]
        .into_iter()
        .find(|op| op.symbol() == symbol)
}

fn source(
    recipe: &Recipe,
    task: Option<Box<dyn Task>>,
    tokenizer: &Tokenizer,
) -> Result<Arc<dyn ProblemSource>, TrainError> {
    let held_out = recipe.data.held_out.unwrap_or(0);
    if let Some(task) = task {
        return Ok(Arc::new(Procedural::from_box(task, recipe.seed, held_out)?));
    }
    match recipe.data.source() {
        Some(DataSource::Files(data)) => Ok(Arc::new(files::problems(
            data,
            &recipe.model,
            recipe.seed,
            tokenizer,
        )?)),
        _ => Err(TrainError::Assembly(
            "[data] needs a task or a path".to_owned(),
        )),
    }
}

fn tokenizer(recipe: &Recipe, task: Option<&dyn Task>) -> Result<Tokenizer, TrainError> {
    if let Some(path) = &recipe.data.tokenizer {
        if path.as_os_str() == recipe::BYTES {
            return Ok(Tokenizer::bytes()?);
        }
        return Ok(Tokenizer::load(path, None)?);
    }
    if let ModelSection::Directory(model) = &recipe.model {
        return Ok(Tokenizer::load(
            tokenizer_file(&start_directory(model)?)?,
            None,
        )?);
    }
    match task {
        Some(task) => Ok(Tokenizer::from_alphabet(&task.alphabet(), EOS)?),
        None => Err(TrainError::Assembly(
            "problems from a file need a tokenizer: start from a model with model.path, or set \
             data.tokenizer to a tokenizer.json, or to \"bytes\" for one token per byte"
                .to_owned(),
        )),
    }
}

/// What messages call the model that an adapter is on.
fn base_name(recipe: &Recipe) -> String {
    match &recipe.model {
        ModelSection::Directory(model) => model.path.display().to_string(),
        ModelSection::Shape(_) => "the shape in [model]".to_owned(),
    }
}

fn check_vocabulary(config: &Config, tokenizer: &Tokenizer) -> Result<(), TrainError> {
    let (vocabulary, tokens) = (config.vocab_size, tokenizer.vocab_size());
    if tokens > vocabulary {
        return Err(TrainError::Assembly(format!(
            "the tokenizer has {tokens} tokens and the model only {vocabulary}: \
             use the tokenizer that belongs to the model"
        )));
    }
    Ok(())
}

fn model(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Decoder, TrainError> {
    match &recipe.model {
        ModelSection::Directory(model) => {
            let directory = start_directory(model)?;
            policy_config(&directory)?;
            Ok(Decoder::load(&directory)?)
        }
        ModelSection::Shape(shape) => {
            let config = config(recipe, tokenizer)?;
            Ok(Decoder::new(config, shape.initializer_range, recipe.seed)?)
        }
    }
}

fn config(recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Config, TrainError> {
    let shape = match &recipe.model {
        ModelSection::Directory(model) => return policy_config(&start_directory(model)?),
        ModelSection::Shape(shape) => shape,
    };
    Ok(Config {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: shape.hidden_size,
        num_hidden_layers: shape.num_hidden_layers,
        num_attention_heads: shape.num_attention_heads,
        num_key_value_heads: shape.num_key_value_heads,
        head_dim: shape.head_dim,
        intermediate_size: shape.intermediate_size,
        rope_theta: shape.rope_theta,
        rms_norm_eps: shape.rms_norm_eps,
        tie_word_embeddings: shape.tie_word_embeddings,
        max_position_embeddings: shape.max_position_embeddings,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: vec![tokenizer.eos()],
        heads: Default::default(),
        other: Default::default(),
    })
}

fn verifier(recipe: &Recipe, tokenizer: &Arc<Tokenizer>) -> Result<Arc<dyn Verifier>, TrainError> {
    let section = match &recipe.verifier {
        VerifierSection::Mix(mix) => mix,
        VerifierSection::Named(named) => {
            let tokenizer = Arc::clone(tokenizer);
            let mut resources = Resources::default();
            // What the tokenizer cannot read has no tokens, as it has none in training.
            resources.tokenize = Some(Arc::new(move |text| {
                tokenizer.encode(text).unwrap_or_default()
            }));
            resources.scorer = reward_model::scorer(recipe.reward_model.as_ref())?;
            return Ok(Arc::from(named.spec().build_with(&resources)?));
        }
    };
    let after_think = section.extraction == recipe::Extraction::AfterThink;
    let answer: Box<dyn Verifier> = match section.kind {
        VerifierKind::Number => Box::new(ExactNumber {
            extraction: match section.extraction {
                recipe::Extraction::AfterThink => Extraction::AfterTag(THINK_END.to_owned()),
                recipe::Extraction::LastNumber => Extraction::LastNumber,
                recipe::Extraction::Hashes => Extraction::AfterMarker("####".to_owned()),
            },
        }),
        VerifierKind::Countdown => Box::new(CountdownExpression {
            after_tag: if after_think {
                THINK_END.to_owned()
            } else {
                String::new()
            },
            use_all: section.use_all.unwrap_or(true),
        }),
    };
    let mut parts = vec![(answer, section.correct_weight)];
    if section.format_weight != 0.0 {
        let format = Format {
            open: THINK.to_owned(),
            close: THINK_END.to_owned(),
        };
        parts.push((Box::new(format), section.format_weight));
    }
    Ok(Arc::new(Weighted::new(parts)?))
}

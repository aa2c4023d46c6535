//! Models on disk: which directory holds one, how it is read, and the base of an adapter.

use std::path::{Path, PathBuf};

use equipoise_models::{Config, Decoder, OutputHeads, adapter_base, finish_save};

use crate::TrainError;
use crate::recipe::ModelDirectory;

/// The directory of an adapter within a checkpoint.
pub(crate) const ADAPTER: &str = "adapter";

/// The directory of a run, or of a model that was saved without one, in which the base of an adapter
/// is, if no other directory has it.
pub(crate) const BASE: &str = "base";

/// The file beside an adapter that holds the hash of the base it was trained on.
pub(crate) const BASE_HASH: &str = "base.blake3";

/// The directory of a saved model: `path` itself if it holds one or an adapter in PEFT's layout, or
/// the newest checkpoint if it is a run's.
///
/// # Errors
/// If there is none of them.
pub fn model_directory(path: &Path) -> Result<PathBuf, TrainError> {
    finish_save(path)?;
    let holds = |name: &str| path.join(name).is_file();
    if holds("config.json") || holds("adapter_config.json") {
        return Ok(path.to_owned());
    }
    match crate::checkpoint::newest(path)? {
        Some(checkpoint) => Ok(checkpoint),
        None => Err(TrainError::Assembly(format!(
            "{} is neither a model (it has no config.json), nor an adapter (no adapter_config.json), \
             nor a run with a checkpoint",
            path.display()
        ))),
    }
}

/// Where the model that a recipe starts from is. For a run that has gone on meanwhile that is another
/// place than before; an adapter's hash of its base then tells.
pub(crate) fn start_directory(model: &ModelDirectory) -> Result<PathBuf, TrainError> {
    model_directory(&model.path).map_err(|error| match error {
        TrainError::Assembly(reason) => TrainError::Assembly(format!("model.path: {reason}")),
        other => other,
    })
}

/// Where the tokenizer of a saved model is. An adapter without one has its base's.
///
/// # Errors
/// If the directory is an adapter's whose `adapter_config.json` is damaged, or whose base is not
/// there.
pub fn tokenizer_file(model_directory: &Path) -> Result<PathBuf, TrainError> {
    Ok(companions(model_directory)?.join("tokenizer.json"))
}

/// The directory of what belongs to a saved model beside its weights: its own, or, for an adapter
/// without a tokenizer, its base's.
///
/// # Errors
/// As [`tokenizer_file`].
pub fn companions(model_directory: &Path) -> Result<PathBuf, TrainError> {
    finish_save(model_directory)?;
    let own = ["config.json", "tokenizer.json"];
    if own.iter().any(|name| model_directory.join(name).is_file()) {
        return Ok(model_directory.to_owned());
    }
    Ok(base_directory(model_directory)?.unwrap_or_else(|| model_directory.to_owned()))
}

/// Where the base of an adapter is; `None` if the directory holds no adapter.
fn base_directory(adapter: &Path) -> Result<Option<PathBuf>, TrainError> {
    let base = match adapter_base(adapter)? {
        None => return Ok(None),
        Some(base) => base,
    };
    if base.join("config.json").is_file() {
        return Ok(Some(base));
    }
    Err(TrainError::Assembly(format!(
        "{} is an adapter, and the base model that its adapter_config.json names, \"{}\", is no \
         directory with a model here (a relative path begins where the program runs): put it there, or \
         set base_model_name_or_path to where it is",
        adapter.display(),
        base.display()
    )))
}

/// Reads a language model, to be sampled or trained as a policy, from its directory or from that of
/// an adapter, which is put on the base it names.
///
/// # Errors
/// If a file is missing or damaged, the adapter was trained on another base, or the model is one that
/// only scores ([`OutputHeads::Score`]), which is said before its weights are read.
pub fn load_policy(directory: &Path) -> Result<Decoder, TrainError> {
    finish_save(directory)?;
    if directory.join("config.json").is_file() {
        policy_config(directory)?;
        return Ok(Decoder::load(directory)?);
    }
    let Some(path) = base_directory(directory)? else {
        // Says which file is missing.
        return Ok(Decoder::load(directory)?);
    };
    policy_config(&path)?;
    let base = Decoder::load(&path)?;
    check_base(&path.display().to_string(), &base, directory)?;
    Ok(base.load_adapter(directory)?)
}

/// The configuration of a language model.
pub(crate) fn policy_config(directory: &Path) -> Result<Config, TrainError> {
    let config = Config::load(directory)?;
    match config.heads {
        OutputHeads::Vocabulary | OutputHeads::VocabularyAndScore => Ok(config),
        OutputHeads::Score => Err(TrainError::Assembly(format!(
            "{} is a reward model (…ForSequenceClassification): it gives a score and has no projection \
             to the vocabulary, so no tokens can be sampled from it or trained. Name a language model \
             (…ForCausalLM); a reward model can score completions, as the path of [reward_model]",
            directory.display()
        ))),
    }
}

/// The BLAKE3 hash of a model's frozen weights, by name.
pub(crate) fn base_hash(decoder: &Decoder) -> Result<String, TrainError> {
    // A score head is trained beside an adapter.
    let frozen = |name: &str| name != "score.weight";
    let mut named: Vec<_> = (decoder.base().iter())
        .filter(|(name, _)| frozen(name))
        .collect();
    named.sort_by_key(|(name, _)| *name);
    let mut hasher = blake3::Hasher::new();
    for (name, weight) in named {
        hasher.update(name.as_bytes());
        let numbers = weight.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        let numbers = numbers.map_err(equipoise_models::ModelError::from)?;
        for block in numbers.chunks(1 << 14) {
            let bytes: Vec<u8> = block.iter().flat_map(|x| x.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Refuses a base that is not the one an adapter was trained on; `name` is what the base is called.
/// An adapter of other programs says nothing of its base's weights.
pub(crate) fn check_base(name: &str, base: &Decoder, adapter: &Path) -> Result<(), TrainError> {
    let path = adapter.join(BASE_HASH);
    let Ok(expected) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    if base_hash(base)? == expected {
        return Ok(());
    }
    Err(TrainError::Checkpoint {
        path: adapter.to_owned(),
        reason: format!(
            "the weights of the base model, {name}, are not those that the adapter was trained on: they \
             have changed since; put the old ones back"
        ),
    })
}

//! Low-rank adaptation: what an adapter is.

use crate::ModelError;

/// The linear layers of a decoder layer, by their names in a checkpoint.
pub(crate) const MODULES: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];

/// A low-rank adapter (LoRA, Hu et al., arXiv:2106.09685): every chosen weight W acts as
///
/// ```text
/// W + s·B·A        A: (rank, inputs)   B: (outputs, rank)
/// s = alpha / rank, or alpha / √rank (rsLoRA, Kalajdzievski, arXiv:2312.03732)
/// ```
///
/// B starts at zero, so a new adapter changes nothing. Names and defaults are PEFT's.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// The rank r.
    pub rank: usize,
    /// α.
    pub alpha: f64,
    /// Whether s is α/√r.
    pub rank_stabilised: bool,
    /// The probability that an element of an adapter's input is dropped in training.
    pub dropout: f64,
    /// Which linear layers: names such as `q_proj`, `self_attn.q_proj` or
    /// `layers.3.mlp.up_proj`, which stand for all modules that end so; `*` stands for anything
    /// within a part between dots; `all-linear` for all of them.
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    /// Rank 8, α 8, no dropout, on all linear layers.
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.0,
            rank_stabilised: false,
            dropout: 0.0,
            target_modules: vec!["all-linear".to_owned()],
        }
    }
}

impl LoraConfig {
    /// s, what the adapter's product is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha
            / if self.rank_stabilised {
                rank.sqrt()
            } else {
                rank
            }
    }

    /// Whether a module such as `model.layers.3.mlp.up_proj` is adapted.
    pub fn targets(&self, module: &str) -> bool {
        let mut patterns = self.target_modules.iter();
        patterns.any(|pattern| matches(pattern, module))
    }

    /// Checks the numbers, and that every pattern finds a module in a model of so many layers.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming what is wrong.
    pub fn validate(&self, layers: usize) -> Result<(), ModelError> {
        let fail = |reason: String| Err(ModelError::Config(format!("lora: {reason}")));
        if self.rank == 0 || self.rank > 1 << 16 {
            return fail(format!(
                "the rank is {}; it must be in 1..=65536",
                self.rank
            ));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return fail(format!("alpha is {}; it must be positive", self.alpha));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!(
                "the dropout is {}; it must be in [0, 1)",
                self.dropout
            ));
        }
        if self.target_modules.is_empty() {
            return fail("there are no target modules".to_owned());
        }
        match self.unmatched_target(layers) {
            None => Ok(()),
            Some(reason) => fail(format!("target module {reason}")),
        }
    }

    /// What is wrong with the first of the target modules that names nothing in a model of so many
    /// layers; `None` if all name something.
    pub fn unmatched_target(&self, layers: usize) -> Option<String> {
        let pattern = self.unmatched(layers)?;
        let known = MODULES.join(", ");
        Some(format!(
            "{pattern:?} names no linear layer; known are {known}, and all-linear"
        ))
    }

    /// The first of the target modules that names nothing.
    pub(crate) fn unmatched(&self, layers: usize) -> Option<&str> {
        let mut patterns = self.target_modules.iter();
        let names = |pattern: &str| modules(layers).any(|module| matches(pattern, &module));
        patterns.find(|pattern| !names(pattern)).map(String::as_str)
    }
}

/// The names of all modules that can be adapted.
pub(crate) fn modules(layers: usize) -> impl Iterator<Item = String> {
    (0..layers).flat_map(|layer| MODULES.map(|name| format!("model.layers.{layer}.{name}")))
}

fn matches(pattern: &str, module: &str) -> bool {
    if pattern == "all-linear" {
        return true;
    }
    let (mut patterns, mut parts) = (pattern.rsplit('.'), module.rsplit('.'));
    patterns.all(|pattern| parts.next().is_some_and(|part| glob(pattern, part)))
}

/// Whether `text` is `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| glob(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_the_ends_of_modules() {
        let module = "model.layers.3.mlp.up_proj";
        for pattern in [
            "up_proj",
            "mlp.up_proj",
            "layers.3.mlp.up_proj",
            "*_proj",
            "mlp.*",
            "u*p*",
        ] {
            assert!(matches(pattern, module), "{pattern}");
        }
        for pattern in [
            "p_proj",
            "up",
            "layers.4.mlp.up_proj",
            "self_attn.*",
            "x*",
            "a.model.layers.3.mlp.up_proj",
        ] {
            assert!(!matches(pattern, module), "{pattern}");
        }
        assert!(modules(2).all(|module| matches("all-linear", &module)));
        assert_eq!(modules(2).count(), 14);
    }

    #[test]
    fn the_scale_by_hand() {
        let config = LoraConfig {
            rank: 16,
            alpha: 32.0,
            ..LoraConfig::default()
        };
        assert_eq!(config.scale(), 2.0);
        let stabilised = LoraConfig {
            rank_stabilised: true,
            ..config
        };
        assert_eq!(stabilised.scale(), 8.0);
    }

    #[test]
    fn impossible_adapters_are_named() {
        let with = |change: fn(&mut LoraConfig)| {
            let mut config = LoraConfig::default();
            change(&mut config);
            config.validate(2).unwrap_err().to_string()
        };
        assert!(with(|c| c.rank = 0).contains("rank is 0"));
        assert!(with(|c| c.alpha = f64::NAN).contains("alpha is NaN"));
        assert!(with(|c| c.dropout = 1.0).contains("dropout is 1"));
        assert!(with(|c| c.target_modules.clear()).contains("no target modules"));
        let unknown = with(|c| c.target_modules = vec!["qkv_proj".to_owned()]);
        assert!(
            unknown.contains("\"qkv_proj\" names no linear layer"),
            "{unknown}"
        );
        assert!(LoraConfig::default().validate(2).is_ok());
    }
}

//! Rewards for the length of a completion.

mod cosine;
mod overlong;
mod target;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use cosine::{CosineLength, CosineLengthOptions};
pub use overlong::{SoftOverlong, SoftOverlongOptions};
pub use target::{TargetLength, TargetLengthMode, TargetLengthOptions};

/// Turns text into token ids, as the model's tokenizer does.
pub type Tokenize = Arc<dyn Fn(&str) -> Vec<u32> + Send + Sync>;

/// What a length counts.
///
/// A verifier sees text. Text that is turned into tokens again may have a few tokens more or fewer
/// than were sampled, so a limit in tokens should leave some room.
#[derive(Clone, Default)]
pub enum LengthUnit {
    /// Unicode code points.
    #[default]
    Characters,
    /// Runs of anything but white space. A text in a script without spaces has few of them.
    Words,
    /// Tokens.
    Tokens(Tokenize),
}

impl LengthUnit {
    /// Tokens, as `tokenize` makes them.
    pub fn tokens(tokenize: impl Fn(&str) -> Vec<u32> + Send + Sync + 'static) -> Self {
        Self::Tokens(Arc::new(tokenize))
    }

    /// The length of `text`.
    pub fn length(&self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Words => text.split_whitespace().count(),
            Self::Tokens(tokenize) => tokenize(text).len(),
        }
    }

    /// The unit's name in the plural.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Words => "words",
            Self::Tokens(_) => "tokens",
        }
    }
}

impl fmt::Debug for LengthUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A [`LengthUnit`] by its name, without the tokenizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnitName {
    /// [`LengthUnit::Characters`].
    #[default]
    Characters,
    /// [`LengthUnit::Words`].
    Words,
    /// [`LengthUnit::Tokens`].
    Tokens,
}

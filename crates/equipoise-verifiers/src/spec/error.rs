//! Why a verifier cannot be made from its name and options.

use thiserror::Error;

use crate::compose::NoVerifiers;
use crate::invalid::InvalidOption;
use crate::weighted::InvalidWeights;

/// Why a verifier cannot be made from a [`VerifierSpec`](crate::VerifierSpec), and where in it.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{}{kind}", self.place())]
pub struct BuildError {
    /// Where in the outermost verifier's options it is, such as `parts[1].verifier`; empty if it is
    /// the outermost itself.
    pub at: String,
    /// What is wrong.
    pub kind: BuildErrorKind,
}

/// What is wrong with a [`VerifierSpec`](crate::VerifierSpec).
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// There is no verifier of that name.
    #[error("there is no verifier {name:?}{}; the verifiers are {}",
        did_you_mean(suggestion.as_deref()), known.join(", "))]
    UnknownName {
        /// The name.
        name: String,
        /// The verifier that is probably meant.
        suggestion: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The verifier has no such option.
    #[error("{verifier} has no option {option:?}{}; {}",
        did_you_mean(suggestion.as_deref()), options(known))]
    UnknownOption {
        /// The verifier's name.
        verifier: String,
        /// The option's.
        option: String,
        /// The option that is probably meant.
        suggestion: Option<String>,
        /// All its options.
        known: Vec<String>,
    },
    /// An option is missing, or has a value of the wrong kind.
    #[error("{verifier}: {what}")]
    Value {
        /// The verifier's name.
        verifier: String,
        /// What is wrong, with the option's name.
        what: String,
    },
    /// An option has a value without meaning.
    #[error(transparent)]
    Invalid(#[from] InvalidOption),
    /// The weights of a composition have no meaning.
    #[error(transparent)]
    Weights(#[from] InvalidWeights),
    /// A composition has no verifiers.
    #[error(transparent)]
    NoVerifiers(#[from] NoVerifiers),
    /// The verifier needs something that no file can hold.
    #[error("{verifier} needs {what}, which is not at hand here")]
    Missing {
        /// The verifier's name.
        verifier: String,
        /// What it needs.
        what: &'static str,
    },
    /// The verifier, or one of its options, is left out of this program.
    #[error("{verifier} needs the feature `{feature}`, which this program was built without")]
    Feature {
        /// The verifier's name.
        verifier: String,
        /// The cargo feature of this crate.
        feature: &'static str,
    },
}

impl BuildError {
    fn place(&self) -> String {
        match self.at.as_str() {
            "" => String::new(),
            at => format!("{at}: "),
        }
    }

    /// The same one level further out, inside the option `at`.
    pub(super) fn inside(mut self, at: &str) -> Self {
        let dot = if self.at.is_empty() { "" } else { "." };
        self.at = format!("{at}{dot}{}", self.at);
        self
    }
}

impl<K: Into<BuildErrorKind>> From<K> for BuildError {
    fn from(kind: K) -> Self {
        let at = String::new();
        let kind = kind.into();
        Self { at, kind }
    }
}

/// The one of `candidates` most similar to `word`, if any is similar enough to be meant.
pub(super) fn nearest(word: &str, candidates: &[String]) -> Option<String> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.clone())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!(", did you mean {word:?}?"))
}

fn options(known: &[String]) -> String {
    match known {
        [] => "it has none".to_owned(),
        known => format!("its options are {}", known.join(", ")),
    }
}

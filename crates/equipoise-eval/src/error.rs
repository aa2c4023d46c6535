//! What can be wrong with what is to be evaluated.

/// Why an evaluation has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// There is nothing to average over.
    #[error("{what}: there is nothing to evaluate; at least {least} needed, found {found}")]
    TooFew {
        /// What was to be computed.
        what: String,
        /// How many are needed.
        least: usize,
        /// How many there are.
        found: usize,
    },
    /// A problem has fewer scored samples than the metric draws.
    #[error(
        "{metric}: problem {problem} has {scored} scored samples, {needed} are needed; draw more \
         samples or take a smaller k"
    )]
    TooFewSamples {
        /// The metric, such as `pass@8`.
        metric: String,
        /// The identifier of the first such problem.
        problem: String,
        /// How many of its samples could be scored.
        scored: usize,
        /// How many the metric needs.
        needed: usize,
    },
    /// A problem occurs twice.
    #[error("the problem {id} occurs twice; identifiers must be unique")]
    Duplicate {
        /// Its identifier.
        id: String,
    },
    /// Problems of one side that the other does not have.
    #[error(
        "{only_first} problems are only in the first result and {only_second} only in the second, \
         for example {example}; compare results on the same problems"
    )]
    Unmatched {
        /// How many problems only the first has.
        only_first: usize,
        /// How many only the second has.
        only_second: usize,
        /// One of them.
        example: String,
    },
    /// An argument or a number of the data is outside its range.
    #[error("{what} is {found}; it must be {expected}")]
    OutOfRange {
        /// Which number, and where.
        what: String,
        /// What it was.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A row of a file cannot be read.
    #[error("{file}, line {line}: {what}; needed is {expected}")]
    BadRow {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, with the key.
        what: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Two lists that belong together differ in length.
    #[error("{what}: {first} and {second} elements; as many are needed of both")]
    LengthMismatch {
        /// What the lists are.
        what: &'static str,
        /// The length of the first.
        first: usize,
        /// The length of the second.
        second: usize,
    },
}

impl EvalError {
    /// [`EvalError::OutOfRange`].
    pub(crate) fn range(
        what: impl Into<String>,
        found: impl ToString,
        expected: &'static str,
    ) -> Self {
        Self::OutOfRange {
            what: what.into(),
            found: found.to_string(),
            expected,
        }
    }

    /// [`EvalError::TooFew`].
    pub(crate) fn too_few(what: impl Into<String>, least: usize, found: usize) -> Self {
        Self::TooFew {
            what: what.into(),
            least,
            found,
        }
    }
}

//! What can be wrong with a request to this crate.

use std::fmt;

/// Why weights, a rule or diagnostics could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The group sizes do not add up to the number of responses.
    GroupSizes {
        /// The number of responses given.
        responses: usize,
        /// The sum of the group sizes given.
        covered: usize,
    },
    /// There is not one weight per response.
    WeightCount {
        /// The rule that the weights are said to come from.
        rule: String,
        /// The number of responses.
        responses: usize,
        /// The number of weights.
        weights: usize,
    },
    /// No rule of the catalogue has this name.
    UnknownRule {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<&'static str>,
    },
    /// An option was given to a rule on which it has no effect.
    OptionWithoutEffect {
        /// The rule's name.
        rule: &'static str,
        /// The option's name.
        option: &'static str,
        /// The options that the rule does have.
        accepted: &'static [&'static str],
    },
    /// A rule cannot be built without this option.
    MissingOption {
        /// The rule's name.
        rule: &'static str,
        /// The option's name.
        option: &'static str,
        /// What the option means.
        meaning: &'static str,
    },
    /// An option's value is outside its range.
    InvalidOption {
        /// The rule's name.
        rule: &'static str,
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// What the value has to be.
        requirement: &'static str,
    },
    /// A name stands for something that this crate does not do.
    Refused {
        /// The name.
        name: &'static str,
        /// Why, and what to use.
        why: &'static str,
    },
    /// No option has this name.
    UnknownOption {
        /// The name given.
        option: String,
        /// Every name there is.
        known: &'static [&'static str],
    },
    /// An option's value is of the wrong kind.
    WrongKind {
        /// The option's name.
        option: &'static str,
        /// The kind of value that it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// There is not one weight per prompt group, or one of them is negative or not finite.
    PromptWeights {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A word is none of those an option accepts.
    UnknownValue {
        /// The option's name.
        option: &'static str,
        /// The word given.
        value: String,
        /// The words accepted.
        known: &'static [&'static str],
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GroupSizes { responses, covered } => write!(
                f,
                "group sizes add up to {covered}, but there are {responses} responses; \
                 give one size per prompt group, in the order of the responses"
            ),
            Self::WeightCount {
                rule,
                responses,
                weights,
            } => write!(
                f,
                "`{rule}` has {weights} weights for {responses} responses; \
                 there must be one weight per response"
            ),
            Self::UnknownRule { name, known } => write!(
                f,
                "unknown aggregation rule `{name}`; the rules are {}",
                quoted(known)
            ),
            Self::OptionWithoutEffect {
                rule,
                option,
                accepted,
            } => {
                write!(
                    f,
                    "option `{option}` has no effect on aggregation rule `{rule}`"
                )?;
                match accepted {
                    [] => write!(f, ", which has no options; remove it"),
                    _ => write!(f, "; its options are {}", quoted(accepted)),
                }
            }
            Self::MissingOption {
                rule,
                option,
                meaning,
            } => write!(
                f,
                "aggregation rule `{rule}` needs option `{option}`: {meaning}"
            ),
            Self::InvalidOption {
                rule,
                option,
                value,
                requirement,
            } => write!(
                f,
                "option `{option}` of aggregation rule `{rule}` is {value}; it must be {requirement}"
            ),
            Self::Refused { name, why } => {
                write!(f, "aggregation rule `{name}` is refused: {why}")
            }
            Self::UnknownOption { option, known } => write!(
                f,
                "there is no option `{option}`; the options are {}",
                quoted(known)
            ),
            Self::WrongKind {
                option,
                expected,
                found,
            } => write!(f, "option `{option}` is {found}; it must be {expected}"),
            Self::PromptWeights { what } => f.write_str(what),
            Self::UnknownValue {
                option,
                value,
                known,
            } => write!(
                f,
                "unknown value `{value}` of option `{option}`; the values are {}",
                quoted(known)
            ),
        }
    }
}

impl std::error::Error for Error {}

/// The words in back quotes, with commas between them.
fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_would_be_right() {
        let error = Error::UnknownRule {
            name: "mean".into(),
            known: vec!["balanced", "token_mean"],
        };
        assert_eq!(
            error.to_string(),
            "unknown aggregation rule `mean`; the rules are `balanced`, `token_mean`"
        );
        let error = Error::OptionWithoutEffect {
            rule: "token_mean",
            option: "scope",
            accepted: &[],
        };
        assert_eq!(
            error.to_string(),
            "option `scope` has no effect on aggregation rule `token_mean`, \
             which has no options; remove it"
        );
    }
}

//! A rule that picks a rule for each group.

use super::{Balanced, PromptMean};
use crate::diagnostics::{coefficient_of_variation, length_gap};
use crate::{Entry, Options, Reducer, Response, Scope};
use std::fmt;

/// Picks, for every group, the rule that suits its lengths.
///
/// The analysis of Balanced Aggregation (arXiv:2605.04077) says when which rule does well: lengths that
/// vary much, with a small gap between the signs, favour the token mean; a large gap favours the sequence
/// mean; Balanced Aggregation holds in both. Of a group it needs
///
/// ```text
/// gap        |T̄₋ − T̄₊| / T̄              by how much the mean lengths of the signs differ
/// variation  σ(T) / T̄                   by how much the lengths vary, population deviation
///
/// gap ≥ `gap`               sequence mean      w_i = 1 / (P G T_i)
/// variation ≥ `variation`   token mean         w_i = 1 / (P Σ_{j ∈ g} T_j)
/// otherwise                 balanced           w_i = n_s / (P G Σ_{j ∈ S_s} T_j)
/// ```
///
/// A group of one sign has no gap. The thresholds are ours, as is the idea of switching: the paper
/// gives no numbers, and our definitions of the two statistics are those of
/// [`diagnostics`](crate::diagnostics). At the default gap of 0.3 the token mean gives signs of equal
/// number a mass of 57 % to 43 %; below that its bias is smaller than the error of a group of eight. At
/// the default variation of 0.5 a response one deviation above the mean has three times the length of
/// one a deviation below, and the sequence mean a third of the weight per token.
///
/// [`Reducer::choice`] says what was picked, so that a run can count it.
///
/// ```
/// use equipoise_aggregation::{Response, rules::{Adaptive, Choice}};
///
/// let group = |rows: [(usize, f64); 4]| rows.map(|(tokens, advantage)| Response { tokens, advantage });
/// let rule = Adaptive::default();
/// // Wrong answers twice as long as right ones: the gap is 10 / 15.
/// assert_eq!(
///     rule.choose(&group([(10, 1.0), (10, 1.0), (20, -1.0), (20, -1.0)])),
///     Choice::SequenceMean
/// );
/// // The same lengths, one of each for either sign: no gap, variation 1/3.
/// assert_eq!(
///     rule.choose(&group([(10, 1.0), (20, 1.0), (10, -1.0), (20, -1.0)])),
///     Choice::Balanced
/// );
/// // Lengths of 2 and 28: no gap, variation 13/15.
/// assert_eq!(
///     rule.choose(&group([(2, 1.0), (28, 1.0), (2, -1.0), (28, -1.0)])),
///     Choice::TokenMean
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The relative length gap from which on a group takes the sequence mean; at least 0.
    pub gap: f64,
    /// The length variation from which on a group with a smaller gap takes the token mean; at least 0.
    pub variation: f64,
}

/// What [`Adaptive`] picked for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The gap between the signs is large.
    SequenceMean,
    /// The lengths vary much, and the gap is small.
    TokenMean,
    /// Neither.
    Balanced,
}

impl Choice {
    /// The name of the rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::SequenceMean => "sequence_mean",
            Self::TokenMean => "token_mean",
            Self::Balanced => "balanced",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            gap: 0.3,
            variation: 0.5,
        }
    }
}

impl Adaptive {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "adaptive",
        token_weight: "that of sequence_mean, prompt_mean or balanced, by the group's lengths",
        options: &["gap", "variation"],
        build: |options| {
            let default = Self::default();
            let threshold = |option, value: f64| {
                let requirement = "a finite number, at least 0";
                Options::number("adaptive", option, value, requirement, value >= 0.0)
            };
            Ok(Box::new(Self {
                gap: threshold("gap", options.gap.unwrap_or(default.gap))?,
                variation: threshold("variation", options.variation.unwrap_or(default.variation))?,
            }))
        },
    };

    /// The rule for a group.
    pub fn choose(&self, responses: &[Response]) -> Choice {
        let gap = length_gap(responses).map_or(0.0, |gap| gap.relative.abs());
        let variation = coefficient_of_variation(responses).unwrap_or(0.0);
        if gap >= self.gap {
            Choice::SequenceMean
        } else if variation >= self.variation {
            Choice::TokenMean
        } else {
            Choice::Balanced
        }
    }
}

impl Reducer for Adaptive {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Group
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        match self.choose(responses) {
            Choice::SequenceMean => super::SequenceMean.weights(responses),
            Choice::TokenMean => PromptMean.weights(responses),
            Choice::Balanced => Balanced::default().weights(responses),
        }
    }

    fn choice(&self, responses: &[Response]) -> Option<&'static str> {
        Some(self.choose(responses).name())
    }
}

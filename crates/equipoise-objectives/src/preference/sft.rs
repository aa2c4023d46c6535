//! The regulariser: a likelihood term on the chosen (or on a gold) completion.

use super::{BatchLoss, Error, PairStats};

/// How the negative log-likelihoods of the tokens are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// The sum over the completion's tokens: RPO's "cumulative" form.
    Sum,
    /// The mean over the completion's tokens, and then over pairs: OpenRLHF, RPO's "average" form.
    #[default]
    TokenMean,
    /// The mean over all such tokens of the batch: TRL. Pair i's share is −(N / Σ T) log π(y_i), so
    /// that the mean over the N pairs is the batch's.
    BatchTokenMean,
}

/// Which completion the likelihood is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The chosen completion.
    #[default]
    Chosen,
    /// The gold completion of TPO.
    Gold,
}

/// c · NLL of a completion, added to the loss of its pair.
///
/// ```text
/// Sum             c · (−Σ_t log π_t)            derivative by each log π_t: −c
/// TokenMean       c · (−Σ_t log π_t / T)                                    −c / T
/// BatchTokenMean  c · (−N Σ_t log π_t / Σ_j T_j)                            −c N / Σ_j T_j
/// ```
///
/// A pair weight does not act on it (in TRL, WPO's weights multiply the `sft` loss too, by its batch
/// mean). c = 0 adds nothing at all: the loss is the unregularised one, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SftTerm {
    /// c, at least 0.
    pub coefficient: f64,
    /// How tokens are put together.
    pub reduction: Reduction,
    /// Whose tokens.
    pub target: Target,
}

impl SftTerm {
    /// Adds the term to a batch's losses and derivatives.
    pub(super) fn add(&self, pairs: &[PairStats], out: &mut BatchLoss) -> Result<(), Error> {
        if self.coefficient == 0.0 {
            return Ok(());
        }
        let stats = |pair: &PairStats| match self.target {
            Target::Chosen => Ok(pair.chosen),
            Target::Gold => pair.gold.ok_or(Error::MissingGold),
        };
        let mut tokens = 0;
        for pair in pairs {
            tokens += stats(pair)?.tokens;
        }
        for (i, pair) in pairs.iter().enumerate() {
            let stats = stats(pair)?;
            let factor = match self.reduction {
                Reduction::Sum => 1.0,
                Reduction::TokenMean => 1.0 / stats.tokens.max(1) as f64,
                Reduction::BatchTokenMean => pairs.len() as f64 / tokens.max(1) as f64,
            };
            let slope = -self.coefficient * factor;
            let gradient = match self.target {
                Target::Chosen => &mut out.chosen[i],
                Target::Gold => &mut out.gold[i],
            };
            gradient.add(slope, slope);
            out.losses[i] += slope * stats.policy();
        }
        Ok(())
    }
}

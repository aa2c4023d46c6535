//! Whether a policy or a reward model ranks responses as people do, and how well it could.
//!
//! Chen et al., "Preference Learning Algorithms Do Not Learn Preference Rankings", arXiv:2405.19534.

use crate::{EvalError, Scores};

/// A pair of responses with the log-probabilities (sums over tokens, natural logarithm) that a policy
/// and its reference give them.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreferencePair {
    /// ln π(chosen), at most 0.
    pub chosen: f64,
    /// ln π(rejected), at most 0.
    pub rejected: f64,
    /// ln π_ref(chosen).
    pub reference_chosen: f64,
    /// ln π_ref(rejected).
    pub reference_rejected: f64,
    /// Tokens of the chosen response, at least 1.
    pub chosen_tokens: usize,
    /// Tokens of the rejected response, at least 1.
    pub rejected_tokens: usize,
}

/// What two equal scores count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// As right, as the paper's definition has it (≥).
    Right,
    /// As half right: what a coin would get.
    Half,
    /// As wrong.
    Wrong,
}

/// 1 if `chosen` is scored above `rejected`, 0 if below.
pub fn ranks(chosen: f64, rejected: f64, ties: Ties) -> f64 {
    match (chosen > rejected, chosen < rejected, ties) {
        (true, _, _) | (false, false, Ties::Right) => 1.0,
        (false, false, Ties::Half) => 0.5,
        _ => 0.0,
    }
}

impl PreferencePair {
    /// Whether the policy ranks the pair correctly: ln π(chosen) ≥ ln π(rejected). The reference
    /// plays no part; the accuracy of DPO's implicit reward is [`PreferencePair::rewards_rank`].
    pub fn ranks(&self) -> bool {
        self.chosen >= self.rejected
    }

    /// The same for log-probabilities per token.
    pub fn ranks_per_token(&self) -> bool {
        let per_token = |sum: f64, tokens: usize| sum / tokens as f64;
        per_token(self.chosen, self.chosen_tokens) >= per_token(self.rejected, self.rejected_tokens)
    }

    /// Whether the implicit reward ln π − ln π_ref of the chosen response is the larger one.
    pub fn rewards_rank(&self) -> bool {
        self.chosen - self.reference_chosen >= self.rejected - self.reference_rejected
    }

    /// How hard the pair is: c = ln π_ref(rejected) − ln π_ref(chosen) (theorem 4.1). Above 0 the
    /// reference ranks it wrongly.
    pub fn difficulty(&self) -> f64 {
        self.reference_rejected - self.reference_chosen
    }

    /// The loss of DPO, with the reference's part scaled by γ (equation 4; γ = 1 is DPO).
    ///
    /// ```text
    /// L = −ln σ(β (ln π(w) − ln π(l) + γ c))
    /// ```
    pub fn dpo_loss(&self, beta: f64, gamma: f64) -> f64 {
        softplus(-beta * (self.chosen - self.rejected + gamma * self.difficulty()))
    }

    /// The loss of DPO at or below which the policy ranks the pair correctly, and only then (theorem
    /// 4.1): −ln σ(β c).
    pub fn dpo_threshold(&self, beta: f64) -> f64 {
        softplus(-beta * self.difficulty())
    }

    /// How far the policy that is ideal for a share `agreement` of raters preferring the chosen
    /// response ranks it above the other (theorem 3.1).
    ///
    /// ```text
    /// ln π*(w) − ln π*(l) = ln π_ref(w) − ln π_ref(l) + logit(a) / β
    /// ```
    ///
    /// A share of 0 or 1 is moved inside by [`AGREEMENT_MARGIN`], as in the paper's code: with all
    /// raters agreeing the ideal policy would be certain, whatever the reference.
    pub fn ideal_margin(&self, agreement: f64, beta: f64) -> f64 {
        let a = agreement.clamp(AGREEMENT_MARGIN, 1.0 - AGREEMENT_MARGIN);
        (a / (1.0 - a)).ln() / beta - self.difficulty()
    }

    /// The share of raters from which on the ideal policy ranks the pair correctly: σ(β c).
    pub fn break_even_agreement(&self, beta: f64) -> f64 {
        (-softplus(-beta * self.difficulty())).exp()
    }

    /// Whether a policy with an IPO loss of 0 ranks the pair wrongly (proposition A.7):
    /// ln π_ref(w) − ln π_ref(l) < −1 / (2τ).
    pub fn ipo_optimum_ranks_wrongly(&self, tau: f64) -> bool {
        -self.difficulty() < -1.0 / (2.0 * tau)
    }
}

/// How far from 0 and 1 the share of raters is kept in [`PreferencePair::ideal_margin`].
pub const AGREEMENT_MARGIN: f64 = 1e-3;

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Pairs with their identifiers, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct PreferencePairs {
    ids: Vec<String>,
    pairs: Vec<PreferencePair>,
    agreement: Vec<f64>,
}

impl PreferencePairs {
    /// Takes pairs, each with the share of raters who prefer the chosen response (1 where one rater
    /// decided).
    ///
    /// # Errors
    /// [`EvalError::Duplicate`]; [`EvalError::OutOfRange`] for a number that is not finite, no tokens
    /// or a share outside [0, 1].
    pub fn new<I: Into<String>>(
        pairs: impl IntoIterator<Item = (I, PreferencePair, f64)>,
    ) -> Result<Self, EvalError> {
        let mut taken = Self {
            ids: Vec::new(),
            pairs: Vec::new(),
            agreement: Vec::new(),
        };
        for (id, pair, agreement) in pairs {
            let id = id.into();
            let numbers = [
                ("chosen", pair.chosen),
                ("rejected", pair.rejected),
                ("reference_chosen", pair.reference_chosen),
                ("reference_rejected", pair.reference_rejected),
            ];
            if let Some((name, bad)) = numbers.iter().find(|(_, value)| !value.is_finite()) {
                return Err(EvalError::range(
                    format!("{name} of pair {id}"),
                    bad,
                    "finite",
                ));
            }
            if pair.chosen_tokens == 0 || pair.rejected_tokens == 0 {
                let what = format!("the number of tokens of pair {id}");
                return Err(EvalError::range(what, 0, "at least 1"));
            }
            if !(0.0..=1.0).contains(&agreement) {
                let what = format!("the agreement on pair {id}");
                return Err(EvalError::range(what, agreement, "in [0, 1]"));
            }
            taken.ids.push(id);
            taken.pairs.push(pair);
            taken.agreement.push(agreement);
        }
        crate::outcomes::unique(&taken.ids)?;
        Ok(taken)
    }

    /// The pairs, in order.
    pub fn pairs(&self) -> &[PreferencePair] {
        &self.pairs
    }

    /// The ranking accuracy, pair by pair: [`PreferencePair::ranks`].
    pub fn ranking_accuracy(&self) -> Scores {
        self.shares("ranking accuracy", |pair, _| pair.ranks())
    }

    /// The ranking accuracy per token: [`PreferencePair::ranks_per_token`].
    pub fn normalised_ranking_accuracy(&self) -> Scores {
        self.shares("ranking accuracy per token", |pair, _| {
            pair.ranks_per_token()
        })
    }

    /// The accuracy of the implicit reward: [`PreferencePair::rewards_rank`].
    pub fn reward_accuracy(&self) -> Scores {
        self.shares("implicit reward accuracy", |pair, _| pair.rewards_rank())
    }

    /// The idealised ranking accuracy (corollary 3.3): the share of pairs that the ideal policy ranks
    /// correctly, the bound of what preference learning from this reference can reach.
    ///
    /// ```text
    /// R* = E 1[ ln π_ref(w) − ln π_ref(l) + logit(a) / β > 0 ]
    /// ```
    ///
    /// In logarithms throughout: the ratio of likelihoods of long responses is 0 or infinite in
    /// floating point.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless β is above 0.
    pub fn idealised_ranking_accuracy(&self, beta: f64) -> Result<Scores, EvalError> {
        if beta.is_nan() || beta <= 0.0 {
            return Err(EvalError::range("β", beta, "above 0"));
        }
        let name = format!("idealised ranking accuracy β={beta}");
        Ok(self.shares(&name, |pair, agreement| {
            pair.ideal_margin(agreement, beta) > 0.0
        }))
    }

    /// The alignment gap: idealised minus reached ranking accuracy, pair by pair.
    ///
    /// # Errors
    /// As [`PreferencePairs::idealised_ranking_accuracy`].
    pub fn alignment_gap(&self, beta: f64) -> Result<Scores, EvalError> {
        let (ideal, reached) = (
            self.idealised_ranking_accuracy(beta)?,
            self.ranking_accuracy(),
        );
        let gaps = ideal.present().into_iter().zip(reached.present());
        let gaps = gaps.map(|(ideal, reached)| Some(ideal - reached));
        Scores::new("alignment gap", self.ids.iter().cloned().zip(gaps))
    }

    /// The smallest, the median and the largest idealised ranking accuracy over several β, as the
    /// paper reports it where the β of the training is not known (it takes 0.01, 0.1, 1, 5 and 10).
    ///
    /// # Errors
    /// [`EvalError::TooFew`] without β or pairs, and as
    /// [`PreferencePairs::idealised_ranking_accuracy`].
    pub fn idealised_range(&self, betas: &[f64]) -> Result<[f64; 3], EvalError> {
        let mut values = Vec::with_capacity(betas.len());
        for beta in betas {
            values.extend(self.idealised_ranking_accuracy(*beta)?.mean());
        }
        values.sort_unstable_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            let what = "idealised ranking accuracy";
            return Err(EvalError::too_few(
                what,
                1,
                self.pairs.len().min(betas.len()),
            ));
        };
        let half = values.len() / 2;
        let median = f64::midpoint(values[half], values[(values.len() - 1) / 2]);
        Ok([*low, median, *high])
    }

    fn shares(&self, name: &str, of: impl Fn(&PreferencePair, f64) -> bool) -> Scores {
        let marks = self.pairs.iter().zip(&self.agreement);
        let marks = marks.map(|(pair, agreement)| of(pair, *agreement));
        let value = |mark: bool| Some(f64::from(u8::from(mark)));
        Scores::of(name, &self.ids, marks.map(value).collect())
    }
}

/// Whether scores put all of several responses in the given order, the best first (definition A.8):
/// `order[0]` is the index of the response that people like most. Two equal scores match either
/// order. For two responses it is [`ranks`] with [`Ties::Right`].
///
/// # Errors
/// [`EvalError::OutOfRange`] unless `order` is a permutation of the indices of `scores`.
pub fn full_ranking_match(scores: &[f64], order: &[usize]) -> Result<bool, EvalError> {
    let mut seen = vec![false; scores.len()];
    for &index in order {
        match seen.get_mut(index) {
            Some(seen) if !*seen => *seen = true,
            _ => {
                let what = "an index of the order";
                return Err(EvalError::range(
                    what,
                    index,
                    "each index of the scores once",
                ));
            }
        }
    }
    if order.len() != scores.len() {
        return Err(EvalError::LengthMismatch {
            what: "scores and order",
            first: scores.len(),
            second: order.len(),
        });
    }
    let falls = |pair: &[usize]| scores[pair[0]] >= scores[pair[1]];
    Ok(order.windows(2).all(falls))
}

/// The accuracy of a reward model on pairs of scores (chosen, rejected); `None` for a score that
/// could not be had.
///
/// # Errors
/// [`EvalError::Duplicate`], or [`EvalError::OutOfRange`] for a score that is not a number.
pub fn pairwise_accuracy<I: Into<String>>(
    scores: impl IntoIterator<Item = (I, Option<(f64, f64)>)>,
    ties: Ties,
) -> Result<Scores, EvalError> {
    let mut marks = Vec::new();
    for (id, pair) in scores {
        let id: String = id.into();
        let nan = pair.is_some_and(|(chosen, rejected)| chosen.is_nan() || rejected.is_nan());
        if nan {
            let what = format!("a score of pair {id}");
            return Err(EvalError::range(what, f64::NAN, "a number"));
        }
        marks.push((
            id,
            pair.map(|(chosen, rejected)| ranks(chosen, rejected, ties)),
        ));
    }
    Scores::new("pairwise accuracy", marks)
}

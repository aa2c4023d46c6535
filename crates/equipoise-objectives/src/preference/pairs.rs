//! The composition: terms of scores, cores and matchings, a pair weight and a regulariser.

use super::core::{Core, PairTerm};
use super::{Error, Focal, PairStats, PairWeight, Score, SequenceGradient, SftTerm, Target};
use crate::sum::sum;

/// Which chosen and which rejected scores meet in a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Those of the same pair.
    #[default]
    Pair,
    /// Alignment by optimal transport, paired (AOT, arXiv:2406.05882): the differences
    /// P_w − P_l of the policy and R_w − R_l of the reference are sorted over the batch, and the
    /// k-th smallest of the one meets the k-th smallest of the other.
    SortedDifferences,
    /// AOT, unpaired: the scores of the chosen and of the rejected completions are sorted over the
    /// batch, and the k-th smallest meet.
    SortedScores,
}

/// One loss of a (possibly single) mixture.
#[derive(Debug)]
pub struct Term {
    /// What the loss is multiplied by; 1 for a single loss.
    pub weight: f64,
    /// How completions become scores. [`Matching::SortedDifferences`] takes only its reference
    /// scale and `ld_alpha`.
    pub score: Score,
    /// Which scores meet.
    pub matching: Matching,
    /// The loss of two scores that met.
    pub core: Box<dyn Core>,
}

/// A loss of pairs of completions.
///
/// ```text
/// ℓ_i = w_i Σ_terms weight · core(s_w, s_l) + c · NLL
/// ```
///
/// ```
/// use equipoise_objectives::preference::core::Sigmoid;
/// use equipoise_objectives::preference::{
///     BatchLoss, PairLoss, PairStats, Reduction, Score, SftTerm, Target,
/// };
///
/// // RPO: DPO and β η times the chosen's negative log-likelihood.
/// let mut rpo = PairLoss::single(Score::default(), Sigmoid { beta: 0.01, ..Sigmoid::default() });
/// rpo.sft = Some(SftTerm {
///     coefficient: 0.01 * 0.005,
///     reduction: Reduction::Sum,
///     target: Target::Chosen,
/// });
/// let pair = PairStats::new((&[-12.0], Some(&[-13.0])), (&[-15.0], Some(&[-14.0])))?;
/// let mut out = BatchLoss::new();
/// rpo.evaluate(&[pair], &mut out)?;
/// assert!((out.losses[0] - 0.683_797_179_7).abs() < 1e-10);
/// assert!((out.chosen[0].head + 0.005_000_001_7).abs() < 1e-10);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Debug)]
pub struct PairLoss {
    /// The losses added, each with its weight; several make a mixture, as in InternVL's mixed
    /// preference optimisation (arXiv:2411.10442); none leaves the regulariser alone.
    pub terms: Vec<Term>,
    /// What a pair's loss is multiplied by. It acts on terms with [`Matching::Pair`]; in a sorted
    /// batch a loss belongs to no one pair. (TRL multiplies the sorted losses by the unsorted
    /// weights.)
    pub weight: PairWeight,
    /// The likelihood term.
    pub sft: Option<SftTerm>,
}

impl PairLoss {
    /// One loss of weight 1, without pair weight and regulariser.
    pub fn single(score: Score, core: impl Core + 'static) -> Self {
        Self {
            terms: vec![Term {
                weight: 1.0,
                score,
                matching: Matching::Pair,
                core: Box::new(core),
            }],
            weight: PairWeight::default(),
            sft: None,
        }
    }

    /// Whether the reference's log-probabilities are needed.
    #[must_use]
    pub fn needs_reference(&self) -> bool {
        self.terms.iter().any(|term| term.score.needs_reference())
    }

    /// Whether a gold completion is needed beside every pair.
    #[must_use]
    pub fn needs_gold(&self) -> bool {
        self.sft
            .is_some_and(|sft| sft.target == Target::Gold && sft.coefficient != 0.0)
    }

    /// Whether a pair's loss depends on the other pairs of the batch: then a micro-batch of the
    /// batch cannot be evaluated by itself.
    #[must_use]
    pub fn needs_batch(&self) -> bool {
        let sorted = self
            .terms
            .iter()
            .any(|term| term.matching != Matching::Pair);
        let focal = self.weight.focal.is_some_and(|focal| focal.renormalise);
        let tokens = self.sft.is_some_and(|sft| {
            sft.reduction == super::Reduction::BatchTokenMean && sft.coefficient != 0.0
        });
        sorted || focal || tokens
    }

    /// The losses of a batch's pairs and the derivatives of their sum.
    ///
    /// `out` is overwritten; its buffers are reused. On an error it holds nothing of use.
    ///
    /// # Errors
    /// [`Error::MissingReference`] and [`Error::MissingGold`].
    pub fn evaluate(&self, pairs: &[PairStats], out: &mut BatchLoss) -> Result<(), Error> {
        out.reset(pairs);
        for term in &self.terms {
            match term.matching {
                Matching::Pair => term.add_pairs(pairs, &self.weight, out)?,
                Matching::SortedDifferences => term.add_sorted_differences(pairs, out)?,
                Matching::SortedScores => term.add_sorted_scores(pairs, out)?,
            }
        }
        self.sft.map_or(Ok(()), |sft| sft.add(pairs, out))
    }
}

impl Term {
    /// The difference of a pair's scores; NaN where there is no reference, which is reported later.
    fn difference(&self, pair: &PairStats) -> f64 {
        match (
            self.score.evaluate(&pair.chosen),
            self.score.evaluate(&pair.rejected),
        ) {
            (Ok(chosen), Ok(rejected)) => chosen.0 - rejected.0,
            _ => f64::NAN,
        }
    }

    fn add_pairs(
        &self,
        pairs: &[PairStats],
        weight: &PairWeight,
        out: &mut BatchLoss,
    ) -> Result<(), Error> {
        let log_mean = weight.focal.map_or(0.0, |focal: Focal| {
            focal.log_mean(pairs.iter().map(|pair| self.difference(pair)))
        });
        for (i, pair) in pairs.iter().enumerate() {
            let (chosen, chosen_slope) = self.score.evaluate(&pair.chosen)?;
            let (rejected, rejected_slope) = self.score.evaluate(&pair.rejected)?;
            let mut term = self.core.evaluate(chosen, rejected);
            let mut factor = weight.constant(pair);
            out.weights[i] = factor;
            if let Some(focal) = weight.focal {
                let (weighted, of_focal) = focal.apply(chosen - rejected, log_mean, term);
                term = weighted;
                out.weights[i] *= of_focal;
            }
            factor *= self.weight;
            out.losses[i] += factor * term.loss;
            self.add(&mut out.chosen[i], factor * term.chosen * chosen_slope);
            self.add(
                &mut out.rejected[i],
                factor * term.rejected * rejected_slope,
            );
        }
        Ok(())
    }

    fn add_sorted_differences(
        &self,
        pairs: &[PairStats],
        out: &mut BatchLoss,
    ) -> Result<(), Error> {
        out.sort_keys(pairs.len());
        for (i, pair) in pairs.iter().enumerate() {
            let chosen = self.score.parts(&pair.chosen)?;
            let rejected = self.score.parts(&pair.rejected)?;
            out.first[i] = (chosen[0] - rejected[0], i);
            out.second[i] = (chosen[1] - rejected[1], i);
        }
        out.sort();
        for k in 0..pairs.len() {
            let ((policy, i), (reference, _)) = (out.first[k], out.second[k]);
            let term = self.core.evaluate(policy, reference);
            out.losses[i] += self.weight * term.loss;
            self.add(&mut out.chosen[i], self.weight * term.chosen);
            self.add(&mut out.rejected[i], -(self.weight * term.chosen));
        }
        Ok(())
    }

    fn add_sorted_scores(&self, pairs: &[PairStats], out: &mut BatchLoss) -> Result<(), Error> {
        out.sort_keys(pairs.len());
        for (i, pair) in pairs.iter().enumerate() {
            out.first[i] = (self.score.evaluate(&pair.chosen)?.0, i);
            out.second[i] = (self.score.evaluate(&pair.rejected)?.0, i);
        }
        out.sort();
        for k in 0..pairs.len() {
            let ((chosen, i), (rejected, j)) = (out.first[k], out.second[k]);
            let PairTerm {
                loss,
                chosen: by_chosen,
                rejected: by_rejected,
            } = self.core.evaluate(chosen, rejected);
            let chosen_slope = self.score.evaluate(&pairs[i].chosen)?.1;
            let rejected_slope = self.score.evaluate(&pairs[j].rejected)?.1;
            out.losses[i] += self.weight * loss;
            self.add(&mut out.chosen[i], self.weight * by_chosen * chosen_slope);
            self.add(
                &mut out.rejected[j],
                self.weight * by_rejected * rejected_slope,
            );
        }
        Ok(())
    }

    fn add(&self, gradient: &mut SequenceGradient, slope: f64) {
        gradient.add(slope, self.score.ld_alpha * slope);
    }
}

/// What a loss makes of a batch. Create it once; its buffers are reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchLoss {
    /// The loss of each pair. Losses of sorted batches are entered where the chosen completion is.
    pub losses: Vec<f64>,
    /// The derivative of the *sum* of all losses by the tokens of each chosen completion.
    pub chosen: Vec<SequenceGradient>,
    /// The same for the rejected completions.
    pub rejected: Vec<SequenceGradient>,
    /// The same for the gold completions; zeros where there are none.
    pub gold: Vec<SequenceGradient>,
    /// The pair weights that were applied (those of the last term, in a mixture).
    pub weights: Vec<f64>,
    first: Vec<(f64, usize)>,
    second: Vec<(f64, usize)>,
}

impl BatchLoss {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The mean of the losses over the pairs, 0 for none: what frameworks report and minimise.
    /// Its derivatives are those here divided by the number of pairs.
    ///
    /// ```
    /// use equipoise_objectives::preference::BatchLoss;
    ///
    /// let mut batch = BatchLoss::new();
    /// assert_eq!(batch.mean(), 0.0);
    /// batch.losses = vec![1.0, 2.0];
    /// assert_eq!(batch.mean(), 1.5);
    /// ```
    #[must_use]
    pub fn mean(&self) -> f64 {
        sum(self.losses.iter().copied()) / self.losses.len().max(1) as f64
    }

    fn reset(&mut self, pairs: &[PairStats]) {
        let empty = |shared| SequenceGradient {
            shared,
            ..SequenceGradient::default()
        };
        self.losses.clear();
        self.losses.resize(pairs.len(), 0.0);
        self.weights.clear();
        self.weights.resize(pairs.len(), 1.0);
        self.chosen.clear();
        self.rejected.clear();
        self.gold.clear();
        for pair in pairs {
            self.chosen.push(empty(pair.chosen.shared));
            self.rejected.push(empty(pair.rejected.shared));
            self.gold
                .push(empty(pair.gold.map_or(0, |gold| gold.shared)));
        }
    }

    fn sort_keys(&mut self, count: usize) {
        for keys in [&mut self.first, &mut self.second] {
            keys.clear();
            keys.resize(count, (0.0, 0));
        }
    }

    /// Equal numbers stay in the order of their pairs.
    fn sort(&mut self) {
        for keys in [&mut self.first, &mut self.second] {
            keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
    }
}

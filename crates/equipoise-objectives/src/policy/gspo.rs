//! One ratio for the whole response.

use super::PpoClip;
use crate::sum::{Sum, mean};
use crate::{Clip, Entry, Level, PolicyObjective, Term, TokenLoss, TokenTerms};

/// The bounds of the paper's second version: the mean of many log-ratios moves little.
const BOUNDS: PpoClip = PpoClip {
    epsilon_low: 3e-4,
    epsilon_high: 4e-4,
    dual_clip: None,
    delta: None,
};

/// Group sequence policy optimisation (arXiv:2507.18071): PPO's clip on one ratio per response, the
/// geometric mean of its token ratios.
///
/// ```text
/// s = exp((1/T) Σ_t (log π_θ,t − log π_old,t))
/// L = −min(min(s, δ) A, clip(s, 1 − ε_low, 1 + ε_high) A)         ℓ_t = L for every token
/// d Σ_s ℓ_s / d log π_θ,t = −s A         or 0 where clipped
/// ```
///
/// Every token carries the response's loss, so that the sequence mean of an aggregation rule is the mean
/// over responses, as in the paper. TRL (`importance_sampling_level = "sequence"`) computes the same; its
/// token-level rules weigh responses by length, and it warns. If there is an advantage per token, ℓ_t has
/// its own; multipliers scale each ℓ_t.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::{Gspo, PpoClip}};
///
/// let objective = Gspo(PpoClip::default());
/// let mut out = TokenLoss::new();
/// // The log-ratios 0.3 and −0.1 have mean 0.1.
/// let terms = TokenTerms::new(&[-0.7, -1.1], &[-1.0, -1.0], 2.0)?;
/// objective.evaluate(&terms, &mut out);
/// assert!((out.loss[0] + 2.0 * 0.1_f64.exp()).abs() < 1e-15);
/// assert_eq!(out.loss[0], out.loss[1]);
/// assert_eq!(out.gradient[0], out.loss[0]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gspo(
    /// The bounds on the ratio; the paper's are 3e-4 below and 4e-4 above.
    pub PpoClip,
);

impl Default for Gspo {
    fn default() -> Self {
        Self(BOUNDS)
    }
}

impl Gspo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "gspo",
        formula: "−min(s A, clip(s, 1 − ε_low, 1 + ε_high) A), s = exp(mean log-ratio)",
        options: &["epsilon_low", "epsilon_high", "dual_clip", "delta"],
        build: |options| Ok(Box::new(Self(PpoClip::build("gspo", options, BOUNDS)?))),
    };
}

impl PolicyObjective for Gspo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn level(&self) -> Level {
        Level::Sequence
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        out.reset(terms.len());
        let log_ratio = mean_log_ratio(terms);
        let mut derivative = Sum::default();
        for token in 0..terms.len() {
            let (term, clip) = self.0.term(log_ratio, terms.advantage().at(token));
            out.set_scaled(token, term, clip, terms.multiplier(token));
            derivative.add(out.gradient[token]);
        }
        // Each token moves the mean by a T-th, and the mean moves every term.
        let each = derivative.value() / terms.len().max(1) as f64;
        out.gradient.fill(each);
    }
}

/// The token form of GSPO (arXiv:2507.18071, section 4.3): the ratio of the response in value, that of the
/// token in gradient.
///
/// ```text
/// s_t = sg(s) π_θ,t / sg(π_θ,t)
/// ℓ_t = −min(s_t A_t, clip(s_t, 1 − ε_low, 1 + ε_high) A_t)
/// dℓ_t / d log π_θ,t = −s A_t         or 0 where clipped
/// ```
///
/// With one advantage per response the gradient is that of [`Gspo`]; with one per token, each token answers
/// for its own. verl's `gspo`, which cuts the log-ratio off at 10 where it is 20 on either side here.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::{GspoToken, PpoClip}};
///
/// let mut out = TokenLoss::new();
/// let terms = TokenTerms::new(&[-0.7, -1.1], &[-1.0, -1.0], &[2.0, 0.0][..])?;
/// GspoToken(PpoClip::default()).evaluate(&terms, &mut out);
/// assert!((out.gradient[0] + 2.0 * 0.1_f64.exp()).abs() < 1e-15);
/// assert_eq!(out.gradient[1], 0.0);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GspoToken(
    /// The bounds on the ratio; the paper's are 3e-4 below and 4e-4 above.
    pub PpoClip,
);

impl Default for GspoToken {
    fn default() -> Self {
        Self(BOUNDS)
    }
}

impl GspoToken {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "gspo_token",
        formula: "as gspo in value, with the gradient of each token's own log-probability",
        options: &["epsilon_low", "epsilon_high", "dual_clip", "delta"],
        build: |options| {
            let bounds = PpoClip::build("gspo_token", options, BOUNDS)?;
            Ok(Box::new(Self(bounds)))
        },
    };
}

impl PolicyObjective for GspoToken {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn level(&self) -> Level {
        Level::Sequence
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        out.reset(terms.len());
        let log_ratio = mean_log_ratio(terms);
        for token in 0..terms.len() {
            let (term, clip): (Term, Clip) = self.0.term(log_ratio, terms.advantage().at(token));
            out.set_scaled(token, term, clip, terms.multiplier(token));
        }
    }
}

/// (1/T) Σ_t (log π_θ,t − log π_old,t), within what numbers can hold.
fn mean_log_ratio(terms: &TokenTerms<'_>) -> f64 {
    mean(terms.log_ratios().map(|ratio| ratio.clamp(-1e290, 1e290)))
}

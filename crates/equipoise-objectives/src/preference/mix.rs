//! Two losses in one: BVPO's mixture of trace and empty-trace pairs, and calibrated DPO.

use super::{BatchLoss, Error, PairLoss, PairStats};

/// BVPO's mixture (arXiv:2510.05095) of a loss on pairs sampled with a reasoning trace and the same
/// loss on pairs sampled without one.
///
/// ```text
/// L = α L_trace + (1 − α) L_empty
/// ```
///
/// The two kinds of pairs are two batches. Multiply the derivatives of each by its weight; given
/// everything but the traces, the variance of the mixed gradient is α² that of the trace gradient.
///
/// ```
/// use equipoise_objectives::preference::{Mix, log_sigmoid};
///
/// let mix = Mix { alpha: 0.5 };
/// let loss = mix.value(-log_sigmoid(1.0), -log_sigmoid(-0.5));
/// assert!((loss - 0.643_669_335_8).abs() < 1e-10);
/// assert_eq!(Mix { alpha: 1.0 }.value(0.3, 7.0), 0.3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// α, from 0 to 1; 0.5 by default. 1 is the trace loss alone, 0 the other alone.
    pub alpha: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { alpha: 0.5 }
    }
}

impl Mix {
    /// What the losses and derivatives of the pairs with and without trace are multiplied by.
    #[must_use]
    pub fn weights(self) -> [f64; 2] {
        [self.alpha, 1.0 - self.alpha]
    }

    /// The mixed loss.
    #[must_use]
    pub fn value(self, trace: f64, empty: f64) -> f64 {
        let [of_trace, of_empty] = self.weights();
        of_trace * trace + of_empty * empty
    }
}

/// What [`optimal_mix_weight`] is computed from: for two estimators of one gradient, their biases
/// and the traces of their covariances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixMoments<'a> {
    /// b_t, the bias of the trace gradient.
    pub trace_bias: &'a [f64],
    /// b_e, the bias of the empty-trace gradient.
    pub empty_bias: &'a [f64],
    /// S_t = tr Cov(g_t), at least 0.
    pub trace_variance: f64,
    /// S_e = tr Cov(g_e), at least 0.
    pub empty_variance: f64,
    /// S_te = tr Cov(g_t, g_e).
    pub covariance: f64,
}

/// The α whose mixed gradient has the least mean squared error, and that error.
///
/// ```text
/// α* = clip₀¹( (|b_e|² − b_t·b_e + S_e − S_te) / (|b_t − b_e|² + S_t + S_e − 2 S_te) )
/// MSE(α) = |α b_t + (1 − α) b_e|² + α² S_t + (1 − α)² S_e + 2 α (1 − α) S_te
/// ```
///
/// The closed form of BVPO's Theorem 2, derived from the mean squared error (the paper does not say
/// how to estimate its terms; micro-batch gradients with b_t = 0 are a choice). Where the denominator
/// is 0 every α is as good, and α* is 1.
///
/// ```
/// use equipoise_objectives::preference::{MixMoments, optimal_mix_weight};
///
/// let moments = MixMoments {
///     trace_bias: &[0.0, 0.0],
///     empty_bias: &[0.3, -0.4],
///     trace_variance: 1.0,
///     empty_variance: 0.1,
///     covariance: 0.0,
/// };
/// let (alpha, error) = optimal_mix_weight(&moments)?;
/// assert!((alpha - 7.0 / 27.0).abs() < 1e-15 && (error - 7.0 / 27.0).abs() < 1e-15);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::LengthMismatch`] if the two biases have not the same length.
pub fn optimal_mix_weight(moments: &MixMoments<'_>) -> Result<(f64, f64), Error> {
    let (trace, empty) = (moments.trace_bias, moments.empty_bias);
    if trace.len() != empty.len() {
        return Err(Error::LengthMismatch {
            what: "components of the bias without trace",
            expected: trace.len(),
            found: empty.len(),
        });
    }
    let dot =
        |f: fn(f64, f64) -> f64| crate::sum::sum(trace.iter().zip(empty).map(|(t, e)| f(*t, *e)));
    let (s_t, s_e, s_te) = (
        moments.trace_variance,
        moments.empty_variance,
        moments.covariance,
    );
    let numerator = dot(|t, e| e * (e - t)) + s_e - s_te;
    let denominator = dot(|t, e| (t - e) * (t - e)) + s_t + s_e - 2.0 * s_te;
    let alpha = if denominator == 0.0 {
        1.0
    } else {
        (numerator / denominator).clamp(0.0, 1.0)
    };
    let rest = 1.0 - alpha;
    let bias = crate::sum::sum(trace.iter().zip(empty).map(|(t, e)| {
        let mixed = alpha * t + rest * e;
        mixed * mixed
    }));
    let error = bias + alpha * alpha * s_t + rest * rest * s_e + 2.0 * alpha * rest * s_te;
    Ok((alpha, error))
}

/// Calibrated DPO (of the code of arXiv:2410.09724): beside the preference pair, a chosen completion
/// is to be preferred with a high stated confidence, a rejected one with a low one.
///
/// ```text
/// L = c (DPO(cwh, cwl) + DPO(rwl, rwh)) + DPO(chosen, rejected)
/// ```
///
/// cwh is the chosen completion with high confidence, rwl the rejected one with low confidence, and
/// so on; only the tokens of the stated confidence count in these pairs. c = 1 in the scripts. Any
/// pair loss may take DPO's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibrated {
    /// c, at least 0.
    pub coefficient: f64,
}

impl Default for Calibrated {
    fn default() -> Self {
        Self { coefficient: 1.0 }
    }
}

impl Calibrated {
    /// The calibrated loss of a batch: the mean over its pairs.
    ///
    /// `confidence` holds the pairs (cwh, cwl) and (rwl, rwh) of all preference pairs in any order;
    /// its sum is divided by the number of preference pairs. `outs` are overwritten with the two
    /// batches' losses and derivatives; multiply those of the confidence pairs by the coefficient.
    ///
    /// ```
    /// use equipoise_objectives::preference::core::Sigmoid;
    /// use equipoise_objectives::preference::{BatchLoss, Calibrated, PairLoss, PairStats, Score};
    ///
    /// let dpo = PairLoss::single(Score::default(), Sigmoid::default());
    /// let equal = PairStats::new((&[-1.0], Some(&[-1.0])), (&[-1.0], Some(&[-1.0])))?;
    /// let mut outs = [BatchLoss::new(), BatchLoss::new()];
    /// let loss = Calibrated { coefficient: 0.5 }.evaluate(&dpo, &[equal], &[equal; 2], &mut outs)?;
    /// assert!((loss - 2.0 * 2.0_f64.ln()).abs() < 1e-15);
    /// # Ok::<(), equipoise_objectives::preference::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`PairLoss::evaluate`], and [`Error::LengthMismatch`] unless there are two confidence
    /// pairs for every preference pair.
    pub fn evaluate(
        self,
        loss: &PairLoss,
        preference: &[PairStats],
        confidence: &[PairStats],
        outs: &mut [BatchLoss; 2],
    ) -> Result<f64, Error> {
        if confidence.len() != 2 * preference.len() {
            return Err(Error::LengthMismatch {
                what: "confidence pairs, which come in twos",
                expected: 2 * preference.len(),
                found: confidence.len(),
            });
        }
        let [of_preference, of_confidence] = outs;
        loss.evaluate(preference, of_preference)?;
        loss.evaluate(confidence, of_confidence)?;
        Ok(of_preference.mean() + self.coefficient * (2.0 * of_confidence.mean()))
    }
}

//! Segment DPO: preferences of aligned segments of two completions.

use super::{Error, log_sigmoid, sigmoid};
use crate::sum::sum;

/// The preference of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentLabel {
    /// The first completion's segment is better, l = +1.
    First,
    /// The second completion's segment is better, l = −1.
    Second,
    /// No preference, l = 0: the segment does not count.
    #[default]
    None,
}

impl SegmentLabel {
    /// l: +1, −1 or 0.
    ///
    /// ```
    /// assert_eq!(equipoise_objectives::preference::SegmentLabel::Second.sign(), -1.0);
    /// ```
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::First => 1.0,
            Self::Second => -1.0,
            Self::None => 0.0,
        }
    }
}

/// Segment DPO, the form for text of DenseDPO (arXiv:2506.03517).
///
/// ```text
/// δ_f = Σ_{t in f} (log π − log π_ref)(first) − Σ_{t in f} (log π − log π_ref)(second)
/// L = 1/#{f: l_f ≠ 0} Σ_{f: l_f ≠ 0} −ln σ(β l_f δ_f)          dL/dδ_f = −β l_f σ(−β l_f δ_f) / #
/// sum inside:  L = −ln σ(β Σ_f l_f δ_f)                          dL/dδ_f = −β l_f σ(−β Σ_f l_f δ_f)
/// ```
///
/// One segment preferred in the first completion is DPO, bit for bit for completions of one length
/// and to rounding for others. Without any label the loss
/// is 0. A public implementation divides by the number of *all* segments and lets each tie add a
/// constant ln 2; whether the paper sums inside or outside of the logarithm is not known here. δ_f
/// is conditional on each completion's own prefix.
///
/// ```
/// use equipoise_objectives::preference::{SegmentDpo, SegmentLabel::{First, None}};
///
/// let mut gradient = Vec::new();
/// let deltas = [3.0, -2.0, 1.0];
/// let loss = SegmentDpo::default().evaluate(&deltas, &[First, First, None], &mut gradient)?;
/// assert!((loss - 0.676_247_056_9).abs() < 1e-10);
/// assert_eq!(gradient[2], 0.0);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentDpo {
    /// β, above 0; 0.1 by default.
    pub beta: f64,
    /// Whether the labelled segments are summed inside of the logarithm; `false` by default.
    pub sum_inside: bool,
}

impl Default for SegmentDpo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            sum_inside: false,
        }
    }
}

impl SegmentDpo {
    /// The loss of one pair and its derivative by each δ_f, which is also that by the
    /// log-probability of each token of segment f of the first completion, and minus that of the
    /// second's. `gradient` is overwritten.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if there is not one label per segment.
    pub fn evaluate(
        &self,
        deltas: &[f64],
        labels: &[SegmentLabel],
        gradient: &mut Vec<f64>,
    ) -> Result<f64, Error> {
        if labels.len() != deltas.len() {
            return Err(Error::LengthMismatch {
                what: "segment labels",
                expected: deltas.len(),
                found: labels.len(),
            });
        }
        gradient.clear();
        let labelled = labels.iter().filter(|l| **l != SegmentLabel::None).count();
        if labelled == 0 {
            gradient.resize(deltas.len(), 0.0);
            return Ok(0.0);
        }
        let signed = || {
            let both = deltas.iter().zip(labels);
            both.map(|(delta, label)| (label.sign(), *delta))
                .map(|(sign, delta)| (sign, if sign == 0.0 { 0.0 } else { sign * delta }))
        };
        if self.sum_inside {
            let x = self.beta * sum(signed().map(|(_, margin)| margin));
            let slope = -self.beta * sigmoid(-x);
            gradient.extend(signed().map(|(sign, _)| sign * slope));
            return Ok(-log_sigmoid(x));
        }
        let count = labelled as f64;
        gradient
            .extend(signed().map(|(sign, margin)| {
                sign * (-self.beta * sigmoid(-(self.beta * margin))) / count
            }));
        let losses = signed()
            .filter(|(sign, _)| *sign != 0.0)
            .map(|(_, margin)| -log_sigmoid(self.beta * margin));
        Ok(sum(losses) / count)
    }
}

/// Σ over each segment's tokens of log π − log π_ref of one completion.
///
/// `segments` gives the segment of each token, `out` has one entry per segment and is overwritten.
///
/// ```
/// use equipoise_objectives::preference::segment_log_ratios;
///
/// let mut sums = [0.0; 2];
/// segment_log_ratios(&[-1.0, -2.0, -3.0], &[-2.0, -2.0, -1.0], &[0, 0, 1], &mut sums)?;
/// assert_eq!(sums, [1.0, -2.0]);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::LengthMismatch`] if the rows differ in length; [`Error::UnknownSegment`].
pub fn segment_log_ratios(
    policy: &[f64],
    reference: &[f64],
    segments: &[usize],
    out: &mut [f64],
) -> Result<(), Error> {
    for (what, found) in [
        ("log-probabilities of the reference", reference.len()),
        ("segment numbers", segments.len()),
    ] {
        if found != policy.len() {
            return Err(Error::LengthMismatch {
                what,
                expected: policy.len(),
                found,
            });
        }
    }
    let count = out.len();
    if let Some(segment) = segments.iter().find(|segment| **segment >= count) {
        return Err(Error::UnknownSegment {
            segment: *segment,
            segments: count,
        });
    }
    out.fill(0.0);
    // Runs of one segment are summed at a time, each as `SequenceStats` sums a completion.
    let mut start = 0;
    while start < segments.len() {
        let segment = segments[start];
        let run = segments[start..].iter().take_while(|s| **s == segment);
        let end = start + run.count();
        let total = |row: &[f64]| sum(row[start..end].iter().copied());
        out[segment] += total(policy) - total(reference);
        start = end;
    }
    Ok(())
}

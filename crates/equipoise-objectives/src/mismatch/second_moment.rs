//! Leaving out the tokens that have drifted the farthest, as many as a step needs.

use super::log_ratios;
use crate::Error;
use crate::policy::check_length;
use crate::sum::Sum;

/// The second moment of a far log-ratio stays a number.
const LARGEST: f64 = 1e150;

/// Leaves out the tokens of a step with the largest squared log-ratio, until the mean of the others is low
/// enough (M2PO, arXiv:2510.01161).
///
/// ```text
/// m_t = (log π_old,t − log π_sampler,t)²
/// kept   as many tokens of the smallest m_t as have a mean of at most the threshold
/// ```
///
/// A clip on the ratio drops tokens of stale responses that are rare and informative; this drops only what
/// carries the variance. The paper's threshold is 0.04. The choice belongs to the whole step: AReaL makes it
/// in each micro-batch, so that it depends on how the step is cut, and always keeps at least one token; here
/// a step whose tokens are all too far keeps none. Of equal moments the later token is left out first. A
/// token whose probability the sampler did not report has moment 0, and one that the trainer could not
/// evaluate (NaN) is left out.
///
/// ```
/// use equipoise_objectives::mismatch::SecondMomentMask;
///
/// // Moments 1, 0.04 and 0: their means are 0, 0.02 and 0.347, from the smallest.
/// let step: [(&[f64], &[f64]); 2] = [(&[-1.0, -2.0], &[-2.0, -2.2]), (&[-0.5], &[-0.5])];
/// let kept = SecondMomentMask { threshold: 0.04 }.keep(&step)?;
/// assert_eq!(kept, [vec![false, true], vec![true]]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SecondMomentMask {
    /// The largest mean of the squared log-ratios that are kept, in squared nats; at least 0.
    pub threshold: f64,
}

impl SecondMomentMask {
    /// Which tokens of a step are kept, response by response, from the log-probabilities of trainer and
    /// sampler of each.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless each response has as many of the one as of the other.
    pub fn keep(&self, responses: &[(&[f64], &[f64])]) -> Result<Vec<Vec<bool>>, Error> {
        let mut moments: Vec<(f64, usize, usize)> = Vec::new();
        for (row, (old, sampler)) in responses.iter().enumerate() {
            check_length("log-probabilities of the sampler", old, sampler)?;
            for (token, log_ratio) in log_ratios(old, sampler).enumerate() {
                let inside = log_ratio.clamp(-LARGEST, LARGEST);
                moments.push((inside * inside, row, token));
            }
        }
        moments.retain(|(moment, ..)| !moment.is_nan());
        moments.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut kept: Vec<Vec<bool>> = responses
            .iter()
            .map(|(old, _)| vec![false; old.len()])
            .collect();
        let mut total = Sum::default();
        for (count, (moment, row, token)) in moments.into_iter().enumerate() {
            total.add(moment);
            // The mean over the smallest grows with every token, so the first that is too much is the last.
            if total.value() / (count + 1) as f64 > self.threshold {
                break;
            }
            kept[row][token] = true;
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_none() {
        let step: [(&[f64], &[f64]); 2] = [(&[-1.0, f64::NAN], &[-3.0, -1.0]), (&[], &[])];
        let keep = |threshold| SecondMomentMask { threshold }.keep(&step).unwrap();
        assert_eq!(keep(4.0), [vec![true, false], vec![]]);
        assert_eq!(keep(3.9), [vec![false, false], vec![]]);
        let uneven: [(&[f64], &[f64]); 1] = [(&[-1.0], &[])];
        assert!(SecondMomentMask { threshold: 1.0 }.keep(&uneven).is_err());
    }
}

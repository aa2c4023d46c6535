//! Whether a model's confidence means what it says.

use crate::EvalError;

/// An answer with the confidence that it is right.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Prediction {
    /// The stated chance that the answer is right, in [0, 1].
    pub confidence: f64,
    /// Whether it is.
    pub correct: bool,
}

impl Prediction {
    /// 1 for a right answer, 0 for a wrong one.
    fn outcome(self) -> f64 {
        f64::from(u8::from(self.correct))
    }
}

/// How predictions are put into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binning {
    /// So many bins of the same width: (0, 1/m], (1/m, 2/m] …, the first with 0 (Guo et al.,
    /// arXiv:1706.04599).
    EqualWidth(usize),
    /// So many bins with the same number of predictions, as nearly as can be: the border after
    /// bin i is at position ⌊i n / m + ½⌋ of the sorted predictions, moved up to the next change of
    /// confidence. Equal confidences are never parted, so that the order of the predictions does
    /// not matter; there may therefore be fewer bins.
    EqualMass(usize),
    /// A bin for every confidence that occurs.
    Distinct,
}

/// One row of a reliability table.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bin {
    /// The lower border; for equal mass, the smallest confidence in the bin.
    pub low: f64,
    /// The upper border; for equal mass, the largest.
    pub high: f64,
    /// How many predictions are in it; not 0.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their share of right answers.
    pub accuracy: f64,
}

/// Predictions, checked, from the least to the most confident.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    sorted: Vec<Prediction>,
}

impl Calibration {
    /// Takes predictions in any order.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] for none, [`EvalError::OutOfRange`] for a confidence outside [0, 1].
    pub fn new(predictions: &[Prediction]) -> Result<Self, EvalError> {
        if predictions.is_empty() {
            return Err(EvalError::too_few("calibration", 1, 0));
        }
        let outside = |one: &Prediction| !(0.0..=1.0).contains(&one.confidence);
        if let Some(at) = predictions.iter().position(outside) {
            let what = format!("the confidence of prediction {at}");
            return Err(EvalError::range(
                what,
                predictions[at].confidence,
                "in [0, 1]",
            ));
        }
        let mut sorted = predictions.to_vec();
        // Wrong before right, so that sums do not depend on the order given.
        sorted.sort_unstable_by(|a, b| {
            let by_confidence = a.confidence.total_cmp(&b.confidence);
            by_confidence.then(a.correct.cmp(&b.correct))
        });
        // −0 sorts before 0 and equals it.
        for one in &mut sorted {
            one.confidence += 0.0;
        }
        Ok(Self { sorted })
    }

    /// How many predictions there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.average(|one| one.outcome())
    }

    /// The mean confidence; above the accuracy the model is overconfident.
    pub fn confidence(&self) -> f64 {
        self.average(|one| one.confidence)
    }

    /// The reliability table: bins that are not empty, from the least to the most confident.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for no bins.
    pub fn reliability(&self, binning: Binning) -> Result<Vec<Bin>, EvalError> {
        let groups = self.groups(binning)?;
        let bin = |group: &Group<'_>| {
            let members = group.members;
            let count = members.len();
            let confidence: f64 = members.iter().map(|one| one.confidence).sum();
            let right = members.iter().filter(|one| one.correct).count();
            Bin {
                low: group.low,
                high: group.high,
                count,
                confidence: confidence / count as f64,
                accuracy: right as f64 / count as f64,
            }
        };
        Ok(groups.iter().map(bin).collect())
    }

    /// The expected calibration error (Naeini et al., AAAI 2015; arXiv:1706.04599).
    ///
    /// ```text
    /// ECE = Σ_bins (count / n) |accuracy − confidence|
    /// ```
    ///
    /// It depends on the bins, and it grows with their number: report the binning with it.
    ///
    /// # Errors
    /// As [`Calibration::reliability`].
    pub fn expected_error(&self, binning: Binning) -> Result<f64, EvalError> {
        let bins = self.reliability(binning)?;
        let gap = |bin: &Bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        Ok(bins.iter().map(gap).sum::<f64>() / self.count() as f64)
    }

    /// The largest gap of a bin.
    ///
    /// # Errors
    /// As [`Calibration::reliability`].
    pub fn maximum_error(&self, binning: Binning) -> Result<f64, EvalError> {
        let gaps = self.reliability(binning)?;
        let gaps = gaps.iter().map(|bin| (bin.accuracy - bin.confidence).abs());
        Ok(gaps.fold(0.0, f64::max))
    }

    /// AUROC: the chance that a right answer is more confident than a wrong one, equal confidences
    /// counted half (Mann and Whitney's U over its largest value). `None` if all answers are right or
    /// all are wrong.
    ///
    /// ```text
    /// AUROC = (R₊ − n₊ (n₊ + 1) / 2) / (n₊ n₋)      R₊ the sum of the mid-ranks of right answers
    /// ```
    ///
    /// Counted in whole numbers, so that ties are exact.
    pub fn auroc(&self) -> Option<f64> {
        let (mut below, mut twice, mut right) = (0_u128, 0_u128, 0_u128);
        for group in self.sorted.chunk_by(|a, b| a.confidence == b.confidence) {
            let hits = group.iter().filter(|one| one.correct).count() as u128;
            let misses = group.len() as u128 - hits;
            twice += hits * (2 * below + misses);
            below += misses;
            right += hits;
        }
        let pairs = right * below;
        (pairs > 0).then(|| twice as f64 / (2 * pairs) as f64)
    }

    /// The Brier score, the mean of (confidence − outcome)² (Brier, 1950).
    pub fn brier(&self) -> f64 {
        self.average(|one| (one.confidence - one.outcome()).powi(2))
    }

    /// The Brier score in parts: [`Murphy`].
    ///
    /// # Errors
    /// As [`Calibration::reliability`].
    pub fn murphy(&self, binning: Binning) -> Result<Murphy, EvalError> {
        let (n, base) = (self.count() as f64, self.accuracy());
        let mut parts = Murphy {
            reliability: 0.0,
            resolution: 0.0,
            uncertainty: base * (1.0 - base),
            within_variance: 0.0,
            within_covariance: 0.0,
        };
        for Group { members: group, .. } in self.groups(binning)? {
            let size = group.len() as f64;
            let f = group.iter().map(|one| one.confidence).sum::<f64>() / size;
            let o = group.iter().map(|one| one.outcome()).sum::<f64>() / size;
            parts.reliability += size * (f - o).powi(2) / n;
            parts.resolution += size * (o - base).powi(2) / n;
            for one in group {
                let (df, d_o) = (one.confidence - f, one.outcome() - o);
                parts.within_variance += df * df / n;
                parts.within_covariance += 2.0 * df * d_o / n;
            }
        }
        Ok(parts)
    }

    /// The mean of −ln(confidence in what happened), confidences first moved into
    /// [clip, 1 − clip]: without it one certain and wrong answer makes the mean infinite.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless 0 ≤ `clip` < ½.
    pub fn log_loss(&self, clip: f64) -> Result<f64, EvalError> {
        if !(0.0..0.5).contains(&clip) {
            return Err(EvalError::range("the clip", clip, "from 0 to below ½"));
        }
        Ok(self.average(|one| {
            let p = one.confidence.clamp(clip, 1.0 - clip);
            // ln(1 − p) keeps the digits of a small p.
            if one.correct { -p.ln() } else { -(-p).ln_1p() }
        }))
    }

    fn average(&self, of: impl Fn(Prediction) -> f64) -> f64 {
        let sum: f64 = self.sorted.iter().map(|one| of(*one)).sum();
        sum / self.sorted.len() as f64
    }

    /// The bins that are not empty, with their borders.
    fn groups(&self, binning: Binning) -> Result<Vec<Group<'_>>, EvalError> {
        let sorted = &self.sorted[..];
        let with_ends = |members| Group::between(ends(members), members);
        match binning {
            Binning::EqualWidth(0) | Binning::EqualMass(0) => {
                Err(EvalError::range("the number of bins", 0, "at least 1"))
            }
            Binning::EqualWidth(m) => {
                let bin = |one: &Prediction| equal_width(one.confidence, m);
                let groups = sorted.chunk_by(|a, b| bin(a) == bin(b));
                let border = |bin: usize| bin as f64 / m as f64;
                let with_borders = |group| {
                    // A group is never empty.
                    let bin = <[Prediction]>::first(group).map_or(0, bin);
                    Group::between((border(bin), border(bin + 1)), group)
                };
                Ok(groups.map(with_borders).collect())
            }
            Binning::EqualMass(m) => {
                let n = sorted.len();
                let (mut start, mut groups) = (0, Vec::new());
                for bin in 1..=m {
                    let mut end = (2 * bin * n + m) / (2 * m);
                    while end > 0 && end < n && sorted[end].confidence == sorted[end - 1].confidence
                    {
                        end += 1;
                    }
                    if end > start {
                        groups.push(with_ends(&sorted[start..end]));
                        start = end;
                    }
                }
                Ok(groups)
            }
            Binning::Distinct => {
                let groups = sorted.chunk_by(|a, b| a.confidence == b.confidence);
                Ok(groups.map(with_ends).collect())
            }
        }
    }
}

/// The predictions of a bin, at least one, with its borders.
struct Group<'a> {
    low: f64,
    high: f64,
    members: &'a [Prediction],
}

impl<'a> Group<'a> {
    fn between((low, high): (f64, f64), members: &'a [Prediction]) -> Self {
        Self { low, high, members }
    }
}

/// The smallest and the largest confidence of sorted predictions.
fn ends(group: &[Prediction]) -> (f64, f64) {
    let low = group.first().map_or(0.0, |one| one.confidence);
    (low, group.last().map_or(low, |one| one.confidence))
}

/// The bin of a confidence among m of equal width.
fn equal_width(confidence: f64, m: usize) -> usize {
    let border = |bin: usize| bin as f64 / m as f64;
    let mut bin = ((confidence * m as f64).ceil() as usize).clamp(1, m) - 1;
    // 0.7 · 10 may come out above or below 7; the borders decide.
    while bin > 0 && confidence <= border(bin) {
        bin -= 1;
    }
    while bin + 1 < m && confidence > border(bin + 1) {
        bin += 1;
    }
    bin
}

/// The Brier score in parts (Murphy, Journal of Applied Meteorology 12, 1973; the last two, for bins
/// that hold different confidences, Stephenson, Coelho and Jolliffe, Weather and Forecasting 23,
/// 2008).
///
/// ```text
/// Brier = reliability − resolution + uncertainty + within_variance − within_covariance
///
/// reliability   Σ_bins (count / n) (f̄ − ō)²      how far the confidences are from the shares
/// resolution    Σ_bins (count / n) (ō − o)²      how well they part right answers from wrong ones
/// uncertainty   o (1 − o)                        what a constant forecast of the accuracy o gets
/// within_…      the spread of f in a bin, and twice its covariance with the outcome
/// ```
///
/// With [`Binning::Distinct`] the last two are 0.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Murphy {
    /// Smaller is better; 0 for confidences that are right on average in every bin.
    pub reliability: f64,
    /// Larger is better; 0 if right and wrong answers are equally confident.
    pub resolution: f64,
    /// A property of the problems, not of the confidences.
    pub uncertainty: f64,
    /// The variance of confidences inside bins.
    pub within_variance: f64,
    /// Twice the covariance of confidences and outcomes inside bins.
    pub within_covariance: f64,
}

impl Murphy {
    /// The Brier score.
    pub fn brier(&self) -> f64 {
        self.reliability - self.resolution + self.uncertainty + self.within_variance
            - self.within_covariance
    }

    /// The Brier skill score, 1 − Brier / uncertainty; `None` if all answers are right or all wrong.
    pub fn skill(&self) -> Option<f64> {
        (self.uncertainty > 0.0).then(|| 1.0 - self.brier() / self.uncertainty)
    }
}

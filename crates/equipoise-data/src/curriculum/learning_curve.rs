//! Learning curves a + b n^(−p), and their fit.

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// The loss after n samples of a domain: a + b n^(−p).
///
/// The loss may be one minus the pass rate. Power laws of this form are what dataset budgets are
/// computed with (arXiv:2202.01327).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningCurve {
    /// a: the loss that no number of samples brings down.
    pub asymptote: f64,
    /// b: what samples can bring down.
    pub scale: f64,
    /// p: how fast.
    pub exponent: f64,
}

impl LearningCurve {
    /// a + b n^(−p).
    pub fn loss(&self, samples: f64) -> f64 {
        self.asymptote + self.scale * samples.powf(-self.exponent)
    }

    /// What one more sample takes off the loss: b p n^(−p−1).
    pub fn marginal_gain(&self, samples: f64) -> f64 {
        self.scale * self.exponent * samples.powf(-self.exponent - 1.0)
    }
}

/// A loss that was measured after some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// How many samples had been used; positive.
    pub samples: f64,
    /// The loss then.
    pub loss: f64,
}

/// Whether a fit can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitStatus {
    /// The least squares lie inside the ranges of all parameters.
    Inside,
    /// A parameter lies at the end of its range (a or b at 0, or p at its smallest or largest), so
    /// the data do not tell it.
    AtBound,
}

/// A fitted curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveFit {
    /// The curve.
    pub curve: LearningCurve,
    /// The sum of squared differences between curve and observations.
    pub residual: f64,
    /// Whether it can be relied on.
    pub status: FitStatus,
}

/// The range of exponents that are searched.
const EXPONENTS: (f64, f64) = (0.01, 2.0);

/// How many exponents are tried before the best of them is refined.
const GRID: usize = 100;

/// The curve with the least squared differences to `observations`, among those with a ≥ 0, b ≥ 0 and
/// 0.01 ≤ p ≤ 2.
///
/// Variable projection (Golub and Pereyra, 1973), as in VPNLS (arXiv:2603.22339): with p held fixed
/// the best a and b are the solution of a linear problem, so only p is searched, first over 100
/// values with equal ratios, then by golden sections around the best. The linear problem has two
/// unknowns that must not be negative; all four cases of which are 0 are tried, so it is solved
/// exactly.
///
/// ```
/// use equipoise_data::curriculum::{FitStatus, LearningCurve, Observation, fit_learning_curve};
///
/// let truth = LearningCurve { asymptote: 0.1, scale: 2.0, exponent: 0.5 };
/// let observations: Vec<Observation> = [16.0, 64.0, 256.0, 1024.0]
///     .map(|samples| Observation { samples, loss: truth.loss(samples) })
///     .to_vec();
/// assert_eq!(observations[0].loss, 0.6); // 0.1 + 2 / √16
/// let fit = fit_learning_curve(&observations)?;
/// assert_eq!(fit.status, FitStatus::Inside);
/// assert!((fit.curve.exponent - 0.5).abs() < 1e-6);
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
///
/// # Errors
/// [`CurriculumError::TooFew`] with fewer than three different numbers of samples, and
/// [`CurriculumError::InvalidSetting`] for an observation that is not finite or has no samples.
pub fn fit_learning_curve(observations: &[Observation]) -> Result<CurveFit, CurriculumError> {
    for Observation { samples, loss } in observations {
        let possible = *samples > 0.0 && samples.is_finite();
        CurriculumError::check(possible, "samples", *samples, "positive and finite")?;
        CurriculumError::check(loss.is_finite(), "loss", *loss, "finite")?;
    }
    let mut counts: Vec<f64> = observations.iter().map(|seen| seen.samples).collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    if counts.len() < 3 {
        return Err(CurriculumError::TooFew {
            what: "different numbers of samples",
            found: counts.len(),
            needed: 3,
        });
    }
    let logs = observations.iter().map(|seen| seen.samples.ln());
    // In units of the geometric mean the powers are near 1, whatever the exponent.
    let unit = (logs.sum::<f64>() / observations.len() as f64).exp();
    let projected = |exponent: f64| Projection::new(observations, unit, exponent);

    let (low, high) = EXPONENTS;
    let ratio = (high / low).powf(1.0 / (GRID - 1) as f64);
    let at = |place: usize| match place {
        0 => low,
        _ if place >= GRID - 1 => high,
        _ => low * ratio.powi(place as i32),
    };
    let residuals: Vec<f64> = (0..GRID)
        .map(|place| projected(at(place)).residual)
        .collect();
    let best = (0..GRID).fold(0, |best, place| {
        if residuals[place] < residuals[best] {
            place
        } else {
            best
        }
    });
    let exponent = golden_section((at(best.saturating_sub(1)), at(best + 1)), |exponent| {
        projected(exponent).residual
    });
    // At the ends of the range the sections only come close to what may be the best.
    let exponent = [low, exponent, high]
        .into_iter()
        .min_by(|a, b| projected(*a).residual.total_cmp(&projected(*b).residual))
        .unwrap_or(exponent);
    let found = projected(exponent);
    let inside = low < exponent && exponent < high && found.asymptote > 0.0 && found.scale > 0.0;
    Ok(CurveFit {
        curve: LearningCurve {
            asymptote: found.asymptote,
            scale: found.scale * unit.powf(exponent),
            exponent,
        },
        residual: found.residual,
        status: match inside {
            true => FitStatus::Inside,
            false => FitStatus::AtBound,
        },
    })
}

/// The best a and b for one exponent, with b in units of the geometric mean of the samples.
#[derive(Clone, Copy, Debug)]
struct Projection {
    asymptote: f64,
    scale: f64,
    residual: f64,
}

impl Projection {
    fn new(observations: &[Observation], unit: f64, exponent: f64) -> Self {
        let count = observations.len() as f64;
        let rows: Vec<(f64, f64)> = observations
            .iter()
            .map(|seen| ((seen.samples / unit).powf(-exponent), seen.loss))
            .collect();
        let x_mean = rows.iter().map(|(x, _)| x).sum::<f64>() / count;
        let y_mean = rows.iter().map(|(_, y)| y).sum::<f64>() / count;
        let spread: f64 = rows.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        let product: f64 = rows.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let slope = product / spread;
        let squares: f64 = rows.iter().map(|(x, _)| x * x).sum();
        let through_zero = rows.iter().map(|(x, y)| x * y).sum::<f64>() / squares;
        let candidates = [
            (y_mean - slope * x_mean, slope),
            (0.0, through_zero),
            (y_mean, 0.0),
            (0.0, 0.0),
        ];
        let feasible = candidates
            .into_iter()
            .filter(|(a, b)| *a >= 0.0 && *b >= 0.0);
        let scored = feasible.map(|(asymptote, scale)| {
            let difference = |(x, y): &(f64, f64)| (asymptote + scale * x - y).powi(2);
            Self {
                asymptote,
                scale,
                residual: rows.iter().map(difference).sum(),
            }
        });
        let best = scored.min_by(|one, other| one.residual.total_cmp(&other.residual));
        // The last candidate is always feasible.
        best.unwrap_or(Self {
            asymptote: 0.0,
            scale: 0.0,
            residual: f64::INFINITY,
        })
    }
}

/// Where a function of one variable with one minimum in `range` has it.
fn golden_section((mut low, mut high): (f64, f64), value: impl Fn(f64) -> f64) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_left, mut at_right) = (value(left), value(right));
    for _ in 0..80 {
        if at_left <= at_right {
            high = right;
            (right, at_right) = (left, at_left);
            left = high - golden * (high - low);
            at_left = value(left);
        } else {
            low = left;
            (left, at_left) = (right, at_right);
            right = low + golden * (high - low);
            at_right = value(right);
        }
    }
    f64::midpoint(low, high)
}

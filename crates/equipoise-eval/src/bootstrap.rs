//! How sure a number is: intervals from resampled problems.

use equipoise_core::{Domain, Stream};
use rayon::prelude::*;

use crate::address::BOOTSTRAP;
use crate::interval::{cumulative, quantile};
use crate::outcomes::mean;
use crate::{EvalError, Interval, Scores, clustered_standard_error, standard_error, wilson_at};

/// With more problems than this, the acceleration of [`Resampled::bca`] leaves out blocks of them.
const MAX_LEFT_OUT: usize = 1000;

/// The bootstrap over problems (Efron, 1979): a number is computed again from as many problems, drawn
/// with replacement, and its spread is how unsure it is.
///
/// Problems are drawn, not samples: the samples of a problem depend on one another, and come along
/// with it. Resample r is a function of the seed and r alone, whatever the number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// How many resamples, at least 1; default 2000.
    pub resamples: usize,
    /// The seed; default 0.
    pub seed: u64,
    /// The confidence level, between 0 and 1; default 0.95.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 2000,
            seed: 0,
            level: 0.95,
        }
    }
}

/// A number and its value in every resample.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampled {
    /// The number from the problems as they are.
    pub value: f64,
    /// Its value in every resample in which it exists, from the smallest to the largest.
    sorted: Vec<f64>,
    /// The number without problem i, or without a block of them, where it exists.
    left_out: Vec<f64>,
    level: f64,
}

impl Bootstrap {
    /// Resamples a number: `statistic` computes it from the indices of some of `problems` problems,
    /// each as often as it was drawn. Where it answers `None` (an area under a curve without a wrong
    /// answer, say), the resample is left out.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] without problems, if the number itself does not exist or no resample has
    /// it; [`EvalError::OutOfRange`] for no resamples or an impossible level.
    pub fn resample(
        &self,
        what: &str,
        problems: usize,
        statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
    ) -> Result<Resampled, EvalError> {
        let blocks = problems.min(MAX_LEFT_OUT);
        let without = |block: usize| {
            let (from, to) = (block * problems / blocks, (block + 1) * problems / blocks);
            let rest: Vec<usize> = (0..from).chain(to..problems).collect();
            statistic(&rest)
        };
        let mut resampled = self.draw(what, problems, &statistic)?;
        if problems > 1 {
            let left_out = (0..blocks).into_par_iter().map(without);
            resampled.left_out = left_out.flatten_iter().collect();
        }
        Ok(resampled)
    }

    /// The resamples without the values that leave problems out.
    fn draw(
        &self,
        what: &str,
        problems: usize,
        statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
    ) -> Result<Resampled, EvalError> {
        crate::interval::two_sided(self.level)?;
        if self.resamples == 0 {
            let what = "the number of resamples";
            return Err(EvalError::range(what, 0, "at least 1"));
        }
        let all: Vec<usize> = (0..problems).collect();
        let value = (problems > 0).then(|| statistic(&all)).flatten();
        let Some(value) = value else {
            return Err(EvalError::too_few(what, 1, problems));
        };
        let one = |resample: usize| {
            let coordinates = [BOOTSTRAP, resample as u64, problems as u64];
            let mut stream = Stream::new(self.seed, Domain::Other, coordinates);
            let drawn: Vec<usize> = (0..problems)
                .map(|_| stream.below(problems as u64) as usize)
                .collect();
            statistic(&drawn)
        };
        let resampled = (0..self.resamples).into_par_iter().map(one);
        let mut sorted: Vec<f64> = resampled.flatten_iter().collect();
        if sorted.is_empty() {
            return Err(EvalError::too_few(format!("{what}, resampled"), 1, 0));
        }
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Resampled {
            value,
            sorted,
            left_out: Vec::new(),
            level: self.level,
        })
    }

    /// Resamples a mean over problems.
    ///
    /// # Errors
    /// As [`Bootstrap::resample`].
    pub fn mean(&self, what: &str, values: &[f64]) -> Result<Resampled, EvalError> {
        let mean_of = |drawn: &[usize]| {
            let sum: f64 = drawn.iter().map(|&index| values[index]).sum();
            (!drawn.is_empty()).then(|| sum / drawn.len() as f64)
        };
        let mut resampled = self.draw(what, values.len(), mean_of)?;
        let (sum, rest) = (values.iter().sum::<f64>(), values.len() as f64 - 1.0);
        if rest > 0.0 {
            let left_out = values.iter().map(|value| (sum - value) / rest);
            resampled.left_out = left_out.collect();
        }
        Ok(resampled)
    }
}

impl Resampled {
    /// The values of the resamples, from the smallest to the largest.
    pub fn values(&self) -> &[f64] {
        &self.sorted
    }

    /// The standard deviation of the resamples; 0 for a single one.
    pub fn standard_error(&self) -> f64 {
        let n = self.sorted.len();
        standard_error(&self.sorted).map_or(0.0, |error| error * (n as f64).sqrt())
    }

    /// The percentile interval: the quantiles (1 ± level) / 2 of the resamples, linear between them.
    pub fn percentile(&self) -> Interval {
        let tail = (1.0 - self.level) / 2.0;
        self.between(tail, 1.0 - tail)
    }

    /// The bias-corrected and accelerated interval (Efron, "Better bootstrap confidence intervals",
    /// Journal of the American Statistical Association 82, 1987, pages 171–185).
    ///
    /// ```text
    /// z₀ = Φ⁻¹(share of resamples below the value, those equal to it counted half)
    /// a  = Σ (θ̄ − θ₍ᵢ₎)³ / 6 (Σ (θ̄ − θ₍ᵢ₎)²)^{3/2}        θ₍ᵢ₎ without problem i, θ̄ their mean
    /// quantiles Φ(z₀ + (z₀ ± z) / (1 − a (z₀ ± z)))
    /// ```
    ///
    /// Of more than 1000 problems, blocks of neighbours are left out instead, 1000 in all, which have
    /// the same a on average.
    ///
    /// Where it is not defined, because all resamples are on one side of the value or leaving out a
    /// problem changes nothing, it is the percentile interval.
    pub fn bca(&self) -> Interval {
        let below = self.sorted.partition_point(|value| *value < self.value);
        let to = self.sorted.partition_point(|value| *value <= self.value);
        let share = (below + to) as f64 / (2 * self.sorted.len()) as f64;
        let centre = mean(&self.left_out);
        let powers = self
            .left_out
            .iter()
            .fold((0.0, 0.0), |(square, cube), one| {
                let d = centre - one;
                (square + d * d, cube + d * d * d)
            });
        let scale = 6.0 * powers.0.powf(1.5);
        if share <= 0.0 || share >= 1.0 || scale.is_nan() || scale <= 0.0 {
            return self.percentile();
        }
        let (z0, a) = (quantile(share), powers.1 / scale);
        let end = |z: f64| cumulative(z0 + (z0 + z) / (1.0 - a * (z0 + z)));
        // The level was checked when the resamples were drawn.
        let z = quantile(f64::midpoint(self.level, 1.0));
        let (low, high) = (end(-z), end(z));
        if low.is_nan() || high.is_nan() || low >= high {
            return self.percentile();
        }
        self.between(low, high)
    }

    fn between(&self, low: f64, high: f64) -> Interval {
        Interval {
            low: linear_quantile(&self.sorted, low),
            high: linear_quantile(&self.sorted, high),
        }
    }
}

/// The quantile of sorted values, linear between neighbours: at p = i / (n − 1) it is the value i.
fn linear_quantile(sorted: &[f64], p: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = (position as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// How an interval came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// [`Resampled::bca`].
    Bca,
    /// [`Resampled::percentile`].
    Percentile,
    /// [`wilson`](crate::wilson) with the number of problems.
    Wilson,
}

/// A metric with its interval.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// The metric's name.
    pub metric: String,
    /// The mean over problems.
    pub value: f64,
    /// The interval of the asked confidence.
    pub interval: Interval,
    /// How the interval came about.
    pub method: Method,
    /// The standard error over problems; `None` for a single problem.
    pub standard_error: Option<f64>,
    /// How many problems were averaged over.
    pub problems: usize,
    /// How many problems have no number and were left out.
    pub absent: usize,
}

impl Scores {
    /// The mean over problems that have a number, with its interval: [`Resampled::bca`].
    ///
    /// If all problems have the same number the resamples have no spread, and the bootstrap claims
    /// certainty. A metric in [0, 1] then gets the Wilson interval with as many trials as problems,
    /// which no distribution on [0, 1] can exceed by much; another has an interval of one point,
    /// marked [`Method::Percentile`].
    ///
    /// # Errors
    /// [`EvalError::TooFewSamples`] if no problem has a number, and as [`Bootstrap::resample`].
    pub fn estimate(&self, bootstrap: &Bootstrap) -> Result<Estimate, EvalError> {
        let values = self.present();
        if values.is_empty() && !self.ids().is_empty() {
            // Says which problem, and what it lacks.
            self.clone().complete()?;
        }
        let resampled = bootstrap.mean(self.metric(), &values)?;
        let (first, last) = (
            resampled.sorted[0],
            resampled.sorted[resampled.sorted.len() - 1],
        );
        let share = values.iter().all(|value| (0.0..=1.0).contains(value));
        let (interval, method) = if first < last {
            (resampled.bca(), Method::Bca)
        } else if share {
            let interval = wilson_at(resampled.value, values.len(), bootstrap.level)?;
            (interval, Method::Wilson)
        } else {
            (resampled.percentile(), Method::Percentile)
        };
        Ok(Estimate {
            metric: self.metric().to_owned(),
            value: mean(&values),
            interval,
            method,
            standard_error: standard_error(&values),
            problems: values.len(),
            absent: self.absent(),
        })
    }
}

impl crate::Outcomes<bool> {
    /// The [`clustered_standard_error`] of the share of right answers over all scored samples, the
    /// problems being the clusters; `None` for fewer than two problems.
    pub fn clustered_standard_error(&self) -> Option<f64> {
        let row = |row: Vec<bool>| row.into_iter().map(|right| f64::from(u8::from(right)));
        let rows: Vec<Vec<f64>> = self.scored_rows().map(|one| row(one).collect()).collect();
        clustered_standard_error(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        intervals: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        value: f64,
        resamples: Vec<f64>,
        left_out: Vec<f64>,
        level: f64,
        percentile: [f64; 2],
        bca: [f64; 2],
    }

    fn close(interval: Interval, [low, high]: [f64; 2]) {
        assert!((interval.low - low).abs() < 1e-9, "{interval:?}, not {low}");
        assert!(
            (interval.high - high).abs() < 1e-9,
            "{interval:?}, not {high}"
        );
    }

    /// Against statistics_reference.py, which has its own normal distribution.
    #[test]
    fn intervals_agree_with_the_reference() {
        let text = include_str!("../tests/fixtures/statistics_reference.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        assert_eq!(golden.intervals.len(), 20);
        for case in golden.intervals {
            let mut sorted = case.resamples;
            sorted.sort_unstable_by(f64::total_cmp);
            let resampled = Resampled {
                value: case.value,
                sorted,
                left_out: case.left_out,
                level: case.level,
            };
            close(resampled.percentile(), case.percentile);
            close(resampled.bca(), case.bca);
        }
    }

    /// The shortcut for means does what the general way does.
    #[test]
    fn a_mean_is_a_statistic() {
        let values = [0.0, 0.25, 1.0, 0.5, 0.75, 0.125];
        let bootstrap = Bootstrap::default();
        let general = |drawn: &[usize]| {
            let sum: f64 = drawn.iter().map(|&at| values[at]).sum();
            Some(sum / drawn.len() as f64)
        };
        let general = bootstrap.resample("mean", values.len(), general).unwrap();
        let mean = bootstrap.mean("mean", &values).unwrap();
        assert_eq!(mean.sorted, general.sorted);
        for (a, b) in mean.left_out.iter().zip(&general.left_out) {
            assert!((a - b).abs() < 1e-15);
        }
    }

    /// By hand: the quartiles of 0, 10, 20, 30, 40 are at positions 1 and 3.
    #[test]
    fn percentiles_are_linear_between_values() {
        let resampled = Resampled {
            value: 20.0,
            sorted: vec![0.0, 10.0, 20.0, 30.0, 40.0],
            left_out: vec![1.0, 1.0],
            level: 0.5,
        };
        close(resampled.percentile(), [10.0, 30.0]);
        // Leaving a problem out changes nothing: there is no acceleration to correct by.
        close(resampled.bca(), [10.0, 30.0]);
    }
}

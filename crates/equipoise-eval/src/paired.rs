//! Comparison of two checkpoints on the same problems.

use std::collections::HashMap;

use equipoise_core::{Domain, Stream};
use rayon::prelude::*;

use crate::address::PERMUTATION;
use crate::combinatorics::{MAX_EXACT, choose, ln_choose};
use crate::interval::{cumulative, quantile, two_sided};
use crate::outcomes::mean;
use crate::{Bootstrap, EvalError, Interval, Scores, standard_error};

/// Up to so many differences that are not 0, all 2ᵐ signs are tried.
const EXACT_SIGNS: usize = 20;

/// The problems that two results share, with both numbers of each.
///
/// Pairing removes what makes one problem harder than another from the comparison: the differences
/// vary less than the two results do (arXiv:2411.00640, section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Pairing {
    ids: Vec<String>,
    first: Vec<f64>,
    second: Vec<f64>,
    only_first: Vec<String>,
    only_second: Vec<String>,
}

impl Pairing {
    /// Matches two results by the identifiers of their problems, in the order of the first. A
    /// problem without a number on one side is on the other side only.
    pub fn new(first: &Scores, second: &Scores) -> Self {
        let present = |scores: &Scores| -> Vec<(String, f64)> {
            let problems = scores.ids().iter().zip(scores.values());
            let with_number = problems.filter_map(|(id, value)| Some((id.clone(), (*value)?)));
            with_number.collect()
        };
        let (all_first, all_second) = (present(first), present(second));
        let lookup: HashMap<&str, f64> = all_second
            .iter()
            .map(|(id, value)| (id.as_str(), *value))
            .collect();
        let mut pairing = Self {
            ids: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            only_first: Vec::new(),
            only_second: Vec::new(),
        };
        for (id, value) in &all_first {
            match lookup.get(id.as_str()) {
                Some(other) => {
                    pairing.ids.push(id.clone());
                    pairing.first.push(*value);
                    pairing.second.push(*other);
                }
                None => pairing.only_first.push(id.clone()),
            }
        }
        let known: HashMap<&str, ()> = all_first.iter().map(|(id, _)| (id.as_str(), ())).collect();
        let unknown = all_second
            .iter()
            .filter(|(id, _)| !known.contains_key(id.as_str()));
        pairing.only_second = unknown.map(|(id, _)| id.clone()).collect();
        pairing
    }

    /// The identifiers of the matched problems.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The problems with a number in the first result only.
    pub fn only_first(&self) -> &[String] {
        &self.only_first
    }

    /// The problems with a number in the second result only.
    pub fn only_second(&self) -> &[String] {
        &self.only_second
    }

    /// Second minus first, problem by problem.
    pub fn differences(&self) -> Vec<f64> {
        let pairs = self.first.iter().zip(&self.second);
        pairs.map(|(first, second)| second - first).collect()
    }

    /// The same pairing if both results have the same problems.
    ///
    /// # Errors
    /// [`EvalError::Unmatched`] otherwise.
    pub fn complete(self) -> Result<Self, EvalError> {
        let example = self.only_first.first().or(self.only_second.first());
        match example {
            None => Ok(self),
            Some(example) => Err(EvalError::Unmatched {
                only_first: self.only_first.len(),
                only_second: self.only_second.len(),
                example: example.clone(),
            }),
        }
    }

    /// Compares the two results on the problems they share.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] for fewer than two shared problems, and as [`Bootstrap::resample`].
    pub fn compare(&self, bootstrap: &Bootstrap) -> Result<Comparison, EvalError> {
        let differences = self.differences();
        let n = differences.len();
        let Some(error) = standard_error(&differences) else {
            return Err(EvalError::too_few("a paired comparison", 2, n));
        };
        let resampled = bootstrap.mean("the difference", &differences)?;
        let difference = mean(&differences);
        let positive = differences.iter().filter(|d| **d > 0.0).count();
        let negative = differences.iter().filter(|d| **d < 0.0).count();
        let deviation = error * (n as f64).sqrt();
        Ok(Comparison {
            problems: n,
            only_first: self.only_first.len(),
            only_second: self.only_second.len(),
            first: mean(&self.first),
            second: mean(&self.second),
            difference,
            interval: resampled.bca(),
            percentile: resampled.percentile(),
            standard_error: error,
            p_bootstrap: shifted(resampled.values(), difference),
            p_permutation: sign_flip_test(&differences, bootstrap.resamples, bootstrap.seed)?,
            p_sign: sign_test(positive, negative),
            better: positive,
            worse: negative,
            effect: (deviation > 0.0).then_some(difference / deviation),
            minimum_detectable: minimum_detectable_effect(error, 1.0 - bootstrap.level, 0.8)?,
            correlation: correlation(&self.first, &self.second),
        })
    }
}

/// How much better the second of two results is than the first.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Comparison {
    /// How many problems were compared.
    pub problems: usize,
    /// How many the second result lacks.
    pub only_first: usize,
    /// How many the first result lacks.
    pub only_second: usize,
    /// The mean of the first over the compared problems.
    pub first: f64,
    /// The mean of the second over the compared problems.
    pub second: f64,
    /// Second minus first.
    pub difference: f64,
    /// The interval of the difference: bootstrap over problems,
    /// [`Resampled::bca`](crate::Resampled::bca).
    pub interval: Interval,
    /// The same by [`Resampled::percentile`](crate::Resampled::percentile).
    pub percentile: Interval,
    /// The standard error of the difference over problems.
    pub standard_error: f64,
    /// Two-sided, by the bootstrap under the null hypothesis: the share of resamples whose
    /// difference, shifted to mean 0, is at least as far from 0 as the difference is, (1 + hits) /
    /// (1 + resamples).
    pub p_bootstrap: f64,
    /// Two-sided, by [`sign_flip_test`].
    pub p_permutation: f64,
    /// Two-sided, by [`sign_test`]; for right and wrong answers, McNemar's exact test.
    pub p_sign: f64,
    /// Problems on which the second is better.
    pub better: usize,
    /// Problems on which it is worse.
    pub worse: usize,
    /// The difference in standard deviations of the differences (Cohen's d for pairs); `None` if
    /// they do not vary.
    pub effect: Option<f64>,
    /// The difference that such a comparison finds in 80 of 100 cases:
    /// [`minimum_detectable_effect`].
    pub minimum_detectable: f64,
    /// The correlation (Pearson) of the two results over problems: what pairing gains, as
    /// Var(difference) = Var(first) + Var(second) − 2 Cov. `None` if one of them does not vary.
    pub correlation: Option<f64>,
}

/// (1 + #{|θ* − θ| ≥ |θ|}) / (1 + B).
fn shifted(resamples: &[f64], difference: f64) -> f64 {
    let slack = 1e-12 * difference.abs().max(1e-300);
    let far = |value: &&f64| (*value - difference).abs() >= difference.abs() - slack;
    (1 + resamples.iter().filter(far).count()) as f64 / (1 + resamples.len()) as f64
}

/// The two-sided exact sign test: the chance that of `positive` + `negative` fair coins the rarer
/// side is as rare as here, or more.
///
/// ```text
/// p = min(1, 2 Σ_{i ≤ min(b, c)} C(b + c, i) / 2^{b+c})
/// ```
///
/// For answers that are right or wrong, `positive` problems being right in the second result alone
/// and `negative` in the first alone, it is McNemar's test in its exact form (McNemar, Psychometrika
/// 12, 1947). Problems without a difference do not count.
///
/// ```
/// // Five coins, one of them tails: 2 · (1 + 5) / 32.
/// assert_eq!(equipoise_eval::sign_test(4, 1), 0.375);
/// ```
pub fn sign_test(positive: usize, negative: usize) -> f64 {
    let (n, rarer) = (positive + negative, positive.min(negative));
    if positive == negative {
        return 1.0;
    }
    // C(n, i) / 2ⁿ from one i to the next; the largest term is the last one, so that the sum starts
    // where nothing is lost to underflow.
    let largest = if n <= MAX_EXACT {
        choose(n, rarer) * 0.5_f64.powi(n as i32)
    } else {
        (ln_choose(n, rarer) - n as f64 * std::f64::consts::LN_2).exp()
    };
    let (mut sum, mut term) = (0.0, 1.0);
    for i in (0..=rarer).rev() {
        sum += term;
        // C(n, i − 1) / C(n, i) = i / (n − i + 1).
        term *= i as f64 / (n - i + 1) as f64;
        if term < sum * 1e-18 {
            break;
        }
    }
    (2.0 * sum * largest).min(1.0)
}

/// The two-sided permutation test of paired differences: if the two results differ by chance alone,
/// every difference might as well have the other sign.
///
/// ```text
/// p = share of the signs s ∈ {−1, 1}ⁿ with |Σ sᵢ dᵢ| ≥ |Σ dᵢ|
/// ```
///
/// Exact for up to 20 differences that are not 0. Beyond, `draws` signs are drawn by `seed`, and
/// p = (1 + hits) / (1 + draws), which is never 0.
///
/// # Errors
/// [`EvalError::OutOfRange`] for no draws.
pub fn sign_flip_test(differences: &[f64], draws: usize, seed: u64) -> Result<f64, EvalError> {
    if draws == 0 {
        return Err(EvalError::range("the number of draws", 0, "at least 1"));
    }
    let nonzero: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let observed = nonzero.iter().sum::<f64>().abs();
    // Sums that are equal but for rounding are equal.
    let size: f64 = nonzero.iter().map(|d| d.abs()).sum();
    let reached = |sum: f64| sum.abs() >= observed - 1e-12 * size;
    if nonzero.len() <= EXACT_SIGNS {
        let all = 1_u64 << nonzero.len();
        let signed = |signs: u64| -> f64 {
            let signed = nonzero.iter().enumerate();
            let signed = signed.map(|(at, d)| if signs >> at & 1 == 1 { -d } else { *d });
            signed.sum()
        };
        let hits = (0..all)
            .into_par_iter()
            .filter(|signs| reached(signed(*signs)));
        return Ok(hits.count() as f64 / all as f64);
    }
    let one = |draw: usize| {
        let mut stream = Stream::new(seed, Domain::Other, [PERMUTATION, draw as u64, 0]);
        let mut bits = 0;
        let signed = nonzero.iter().enumerate().map(|(at, d)| {
            if at % 64 == 0 {
                bits = stream.next_u64();
            }
            if bits >> (at % 64) & 1 == 1 { -d } else { *d }
        });
        reached(signed.sum())
    };
    let hits = (0..draws).into_par_iter().filter(|draw| one(*draw)).count();
    Ok((1 + hits) as f64 / (1 + draws) as f64)
}

/// The smallest true difference that a two-sided test at level `alpha` finds with chance `power`
/// when the difference has the given standard error (arXiv:2411.00640, section 5).
///
/// ```text
/// δ = (z_{1 − α/2} + z_{power}) · SE
/// ```
///
/// ```
/// // z = 1.960 and 0.842 at 5 % and 80 %.
/// let effect = equipoise_eval::minimum_detectable_effect(0.01, 0.05, 0.8)?;
/// assert!((effect - 0.02801585).abs() < 1e-8);
/// # Ok::<(), equipoise_eval::EvalError>(())
/// ```
///
/// # Errors
/// [`EvalError::OutOfRange`] unless `alpha` and `power` are between 0 and 1.
pub fn minimum_detectable_effect(error: f64, alpha: f64, power: f64) -> Result<f64, EvalError> {
    Ok(reach(alpha, power)? * error)
}

/// How many problems it takes to find a true difference of `effect` in the same way, if the paired
/// differences have the standard deviation `deviation`: ((z_{1 − α/2} + z_{power}) · σ / δ)², rounded
/// up.
///
/// # Errors
/// As [`minimum_detectable_effect`], and unless `effect` is above 0.
pub fn problems_needed(
    effect: f64,
    deviation: f64,
    alpha: f64,
    power: f64,
) -> Result<u64, EvalError> {
    if effect.is_nan() || effect <= 0.0 {
        return Err(EvalError::range("the effect", effect, "above 0"));
    }
    Ok((reach(alpha, power)? * deviation / effect).powi(2).ceil() as u64)
}

fn reach(alpha: f64, power: f64) -> Result<f64, EvalError> {
    if !(power > 0.0 && power < 1.0) {
        return Err(EvalError::range("the power", power, "between 0 and 1"));
    }
    Ok(two_sided(1.0 - alpha)? + quantile(power))
}

/// The two-sided p-value of a normal z = value / error; 1 without an error to speak of.
pub fn normal_test(value: f64, error: f64) -> f64 {
    match error > 0.0 {
        true => 2.0 * cumulative(-(value / error).abs()),
        false => 1.0,
    }
}

/// Pearson's correlation; `None` if one side does not vary.
pub(crate) fn correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    let (a, b) = (mean(first), mean(second));
    let pairs = first.iter().zip(second);
    let (xx, yy, xy) = pairs.fold((0.0, 0.0, 0.0), |(xx, yy, xy), (x, y)| {
        let (dx, dy) = (x - a, y - b);
        (xx + dx * dx, yy + dy * dy, xy + dx * dy)
    });
    let scale = f64::sqrt(xx * yy);
    (scale > 0.0).then(|| (xy / scale).clamp(-1.0, 1.0))
}

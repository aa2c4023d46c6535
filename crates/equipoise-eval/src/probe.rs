//! How much of a reward model's accuracy is a shortcut: the length of an answer, or its form.

use equipoise_core::{Domain, Stream};

use crate::address::SHORTCUT;
use crate::outcomes::mean;
use crate::paired::correlation;
use crate::ranking::{Ties, ranks};
use crate::{Bootstrap, Estimate, EvalError, Scores};

/// One pair as a reward model scores it, with a feature of each answer that says nothing about which
/// is better: its length, its number of Markdown marks.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ProbedPair {
    /// The pair's identifier.
    pub id: String,
    /// The score of the better answer.
    pub chosen: f64,
    /// The score of the worse answer.
    pub rejected: f64,
    /// The feature of the better answer.
    pub chosen_feature: f64,
    /// The feature of the worse answer.
    pub rejected_feature: f64,
}

/// What a feature explains of a reward model's choices.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ShortcutProbe {
    /// The reward model's accuracy, ties half.
    pub accuracy: Estimate,
    /// The accuracy of the feature alone: larger is better. Far from one half, the data cannot tell
    /// the feature from quality.
    pub feature_alone: Estimate,
    /// The accuracy where the better answer has more of the feature; `None` without such pairs.
    pub aligned: Option<Estimate>,
    /// The accuracy where it has less; `None` without such pairs. A model that reads the answers is
    /// as good here as where it is aligned.
    pub opposed: Option<Estimate>,
    /// Pearson's correlation of the difference of scores with that of features, better minus worse;
    /// `None` if one of them does not vary.
    pub correlation: Option<f64>,
}

/// Probes a reward model with a feature it should not need.
///
/// # Errors
/// [`EvalError::TooFew`] without pairs, [`EvalError::Duplicate`], [`EvalError::OutOfRange`] for a
/// number that is not finite.
pub fn shortcut_probe(
    pairs: &[ProbedPair],
    bootstrap: &Bootstrap,
) -> Result<ShortcutProbe, EvalError> {
    for pair in pairs {
        let numbers = [
            pair.chosen,
            pair.rejected,
            pair.chosen_feature,
            pair.rejected_feature,
        ];
        if let Some(bad) = numbers.iter().find(|number| !number.is_finite()) {
            return Err(EvalError::range(
                format!("a number of pair {}", pair.id),
                bad,
                "finite",
            ));
        }
    }
    let scores = |metric: &str, of: &dyn Fn(&ProbedPair) -> Option<f64>| {
        Scores::new(metric, pairs.iter().map(|pair| (pair.id.clone(), of(pair))))
    };
    let right = |pair: &ProbedPair| ranks(pair.chosen, pair.rejected, Ties::Half);
    let feature = |pair: &ProbedPair| pair.chosen_feature - pair.rejected_feature;
    let part = |metric: &str, of: &dyn Fn(&ProbedPair) -> Option<f64>| match scores(metric, of)? {
        none if none.mean().is_none() => Ok(None),
        some => some.estimate(bootstrap).map(Some),
    };
    let margins: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.chosen - pair.rejected)
        .collect();
    let features: Vec<f64> = pairs.iter().map(feature).collect();
    Ok(ShortcutProbe {
        accuracy: scores("accuracy", &|pair| Some(right(pair)))?.estimate(bootstrap)?,
        feature_alone: scores("feature alone", &|pair| {
            Some(ranks(
                pair.chosen_feature,
                pair.rejected_feature,
                Ties::Half,
            ))
        })?
        .estimate(bootstrap)?,
        aligned: part("accuracy, aligned", &|pair| {
            (feature(pair) > 0.0).then(|| right(pair))
        })?,
        opposed: part("accuracy, opposed", &|pair| {
            (feature(pair) < 0.0).then(|| right(pair))
        })?,
        correlation: correlation(&margins, &features),
    })
}

/// How much accuracy is lost when a feature means nothing any more, the intervention of "The Pitfalls
/// of Simplicity Bias in Neural Networks" (arXiv:2006.07710) for pairs.
///
/// `score(pair, false)` and `score(pair, true)` are the scores (chosen, rejected) of pair `pair`: with
/// the feature put into the better answer, and into the worse one. In the first setting the better
/// answer always has it; in the second a coin decides for every pair, the same on every machine.
/// The result is the second accuracy minus the first, pair by pair: 0 for a model that does not
/// look at the feature.
///
/// # Errors
/// [`EvalError::TooFew`] without pairs, and [`EvalError::OutOfRange`] for a score that is not a number.
pub fn randomised_feature_drop(
    pairs: usize,
    score: impl Fn(usize, bool) -> (f64, f64),
    bootstrap: &Bootstrap,
) -> Result<Estimate, EvalError> {
    let mut drops = Vec::with_capacity(pairs);
    for pair in 0..pairs {
        let coordinates = [SHORTCUT, pair as u64, 0];
        let swapped = Stream::new(bootstrap.seed, Domain::Other, coordinates).below(2) == 1;
        let accuracy = |swapped: bool| {
            let (chosen, rejected) = score(pair, swapped);
            match chosen.is_nan() || rejected.is_nan() {
                true => Err(EvalError::range(
                    format!("a score of pair {pair}"),
                    f64::NAN,
                    "a number",
                )),
                false => Ok(ranks(chosen, rejected, Ties::Half)),
            }
        };
        // Scored even where the coin leaves the pair as it is: a bad score is always told.
        let before = accuracy(false)?;
        let drop = match swapped {
            true => accuracy(true)? - before,
            false => 0.0,
        };
        drops.push((pair.to_string(), Some(drop)));
    }
    Scores::new("accuracy change", drops)?.estimate(bootstrap)
}

/// The number of Markdown marks of a text: headings, list items, bold letters and code fences; the
/// feature of form for [`ProbedPair`].
///
/// ```
/// assert_eq!(equipoise_eval::probe::markdown_marks("# A\n- b **c**\n```\nd\n```"), 5);
/// ```
pub fn markdown_marks(text: &str) -> usize {
    let line = |line: &str| {
        let line = line.trim_start();
        let hashes = line.trim_start_matches('#');
        let heading = hashes.len() < line.len() && hashes.starts_with(' ');
        let item = ["- ", "* ", "• "].iter().any(|mark| line.starts_with(mark));
        let fence = line.starts_with("```");
        usize::from(heading || item || fence) + line.matches("**").count() / 2
    };
    text.lines().map(line).sum()
}

/// The mean of a feature over better and over worse answers: what the data prefers.
///
/// # Errors
/// [`EvalError::TooFew`] without pairs.
pub fn feature_means(pairs: &[ProbedPair]) -> Result<(f64, f64), EvalError> {
    if pairs.is_empty() {
        return Err(EvalError::too_few("the means of a feature", 1, 0));
    }
    let of = |feature: fn(&ProbedPair) -> f64| mean(&pairs.iter().map(feature).collect::<Vec<_>>());
    Ok((
        of(|pair| pair.chosen_feature),
        of(|pair| pair.rejected_feature),
    ))
}

//! A reward model that does not reward overconfidence.

use super::{Error, difference, negative_log_sigmoid, plackett_luce};
use std::fmt;
use std::str::FromStr;

/// Which comparisons the loss of PPO-M's calibrated reward model makes ("Taming Overconfidence in LLMs",
/// arXiv:2410.09724; the modes are those of its code).
///
/// Both texts of a preference are scored twice, with a high and with a low verbalised confidence appended.
/// A good answer should be worth more if it was given with confidence, and a bad one less:
///
/// ```text
/// default    L = −log σ(r_w,high − r_w,low) − log σ(r_l,low − r_l,high)
/// combined   L − log σ(r_w − r_l)               the texts without a confidence
/// variant    L − log σ(r_w,high − r_l,low)
/// kwise      Plackett–Luce of the ranking  r_w,high > r_w,low > r_l,low > r_l,high
/// ```
///
/// In the paper a high confidence is drawn from 7 to 10 and a low one from 0 to 3, for each text anew.
///
/// ```
/// use equipoise_objectives::reward_model::{CalibratedScores, Calibration};
///
/// let scores = CalibratedScores {
///     chosen_high: 1.2,
///     chosen_low: 0.7,
///     rejected_low: -0.1,
///     rejected_high: 0.4,
///     plain: None,
/// };
/// let term = Calibration::Default.evaluate(&scores)?;
/// assert!((term.value - 1.4481539684).abs() < 1e-10);
/// # Ok::<(), equipoise_objectives::reward_model::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calibration {
    /// High against low, of either text.
    #[default]
    Default,
    /// Also the texts as they are.
    Combined,
    /// Also the confident good answer against the doubtful bad one.
    Variant,
    /// All four at once.
    Kwise,
}

/// The scores of a preference's texts with a confidence appended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibratedScores {
    /// r_w,high: the chosen text with a high confidence.
    pub chosen_high: f64,
    /// r_w,low: the chosen text with a low confidence.
    pub chosen_low: f64,
    /// r_l,low: the rejected text with a low confidence.
    pub rejected_low: f64,
    /// r_l,high: the rejected text with a high confidence.
    pub rejected_high: f64,
    /// The chosen and the rejected text without a confidence, for [`Calibration::Combined`]; the others
    /// do not look at them.
    pub plain: Option<[f64; 2]>,
}

/// The loss of a preference and its derivatives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibratedTerm {
    /// The loss.
    pub value: f64,
    /// The derivatives by r_w,high, r_w,low, r_l,low and r_l,high.
    pub derivatives: [f64; 4],
    /// The derivatives by the scores of the chosen and the rejected text without a confidence.
    pub plain: [f64; 2],
}

impl Calibration {
    const NAMES: &'static [&'static str] = &["default", "combined", "variant", "kwise"];

    /// The loss of one preference and its derivatives.
    ///
    /// # Errors
    /// [`Error::PlainScoresMissing`] if [`Self::Combined`] has nothing to compare.
    pub fn evaluate(self, scores: &CalibratedScores) -> Result<CalibratedTerm, Error> {
        let ranked = [
            scores.chosen_high,
            scores.chosen_low,
            scores.rejected_low,
            scores.rejected_high,
        ];
        let mut term = CalibratedTerm::default();
        if self == Self::Kwise {
            term.value = plackett_luce(&ranked, &mut term.derivatives)?;
            return Ok(term);
        }
        let mut compare = |better: usize, worse: usize| {
            let (value, slope) = negative_log_sigmoid(difference(ranked[better], ranked[worse]));
            term.value += value;
            term.derivatives[better] += slope;
            term.derivatives[worse] -= slope;
        };
        compare(0, 1);
        compare(2, 3);
        if self == Self::Variant {
            compare(0, 2);
        }
        if self == Self::Combined {
            let [chosen, rejected] = scores.plain.ok_or(Error::PlainScoresMissing)?;
            let (value, slope) = negative_log_sigmoid(difference(chosen, rejected));
            term.value += value;
            term.plain = [slope, -slope];
        }
        Ok(term)
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl FromStr for Calibration {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "default" => Ok(Self::Default),
            "combined" => Ok(Self::Combined),
            "variant" => Ok(Self::Variant),
            "kwise" => Ok(Self::Kwise),
            _ => Err(Error::UnknownCalibration {
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::LN_2;

    #[test]
    fn words_round_trip() {
        for word in Calibration::NAMES {
            assert_eq!(word.parse::<Calibration>().unwrap().to_string(), *word);
        }
        assert_eq!(
            "v5".parse::<Calibration>().unwrap_err().to_string(),
            "unknown calibration `v5`; the values are `default`, `combined`, `variant`, `kwise`"
        );
    }

    #[test]
    fn by_hand_where_all_scores_are_equal() {
        let scores = CalibratedScores {
            chosen_high: 1.0,
            chosen_low: 1.0,
            rejected_low: 1.0,
            rejected_high: 1.0,
            plain: Some([1.0; 2]),
        };
        for (mode, value) in [
            (Calibration::Default, 2.0 * LN_2),
            (Calibration::Combined, 3.0 * LN_2),
            (Calibration::Variant, 3.0 * LN_2),
            (Calibration::Kwise, 24.0_f64.ln()),
        ] {
            let found = mode.evaluate(&scores).unwrap().value;
            assert!((found - value).abs() < 1e-14, "{mode}: {found}");
        }
        let without = CalibratedScores {
            plain: None,
            ..scores
        };
        assert_eq!(
            Calibration::Combined.evaluate(&without),
            Err(Error::PlainScoresMissing)
        );
    }
}

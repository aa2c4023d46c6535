//! What a recipe may say about an estimator beside its name.

use crate::Error;
use crate::estimators::{
    Baseline, Correction, Normalisation, RewardAggregation, StandardDeviation,
};
use std::fmt;

/// A value as a recipe writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting<'a> {
    /// A number, whole or not.
    Number(f64),
    /// A word.
    Word(&'a str),
    /// True or false.
    Flag(bool),
}

impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "the number {number}"),
            Self::Word(word) => write!(f, "the word `{word}`"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// A type that an option can have.
pub(crate) trait FromSetting: Sized {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error>;
}

pub(crate) fn wrong_kind(
    option: &'static str,
    expected: &'static str,
    found: Setting<'_>,
) -> Error {
    Error::WrongKind {
        option,
        expected,
        found: found.to_string(),
    }
}

impl FromSetting for f64 {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Number(number) => Ok(number),
            other => Err(wrong_kind(option, "a number", other)),
        }
    }
}

impl FromSetting for bool {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Flag(flag) => Ok(flag),
            other => Err(wrong_kind(option, "true or false", other)),
        }
    }
}

impl FromSetting for usize {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            // 2⁵³: up to there every whole number is a floating-point number.
            Setting::Number(number)
                if number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) =>
            {
                Ok(number as usize)
            }
            other => Err(wrong_kind(
                option,
                "a whole number that is not negative",
                other,
            )),
        }
    }
}

/// The options, each named once: the struct, the list of names, what is given, and setting by name.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What a recipe may say about an estimator beside its name; `None` is the estimator's own
        /// default.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Options {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl Options {
            /// Every option's name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Sets the option of that name.
            ///
            /// ```
            /// use equipoise_advantages::{Options, Setting};
            ///
            /// let mut options = Options::default();
            /// options.set("gamma", Setting::Number(0.99))?;
            /// assert_eq!(options.gamma, Some(0.99));
            /// # Ok::<(), equipoise_advantages::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::UnknownOption`], which lists the names there are; [`Error::WrongKind`] for a
            /// word where a number belongs, and the like; [`Error::UnknownValue`] for a word that the
            /// option does not know.
            pub fn set(&mut self, name: &str, value: Setting<'_>) -> Result<(), Error> {
                match name {
                    $(stringify!($name) => {
                        self.$name = Some(FromSetting::from_setting(stringify!($name), value)?);
                    })*
                    _ => {
                        return Err(Error::UnknownOption {
                            option: name.to_owned(),
                            known: Self::NAMES,
                        });
                    }
                }
                Ok(())
            }

            /// The names of the options that are given.
            pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> + use<> {
                [$(self.$name.is_some().then_some(stringify!($name))),*]
                    .into_iter()
                    .flatten()
            }
        }
    };
}

options! {
    /// Whose standard deviation `grpo` and `passk_best` divide by; default group.
    std: StandardDeviation,
    /// Which standard deviation that is, and which one a whitening uses; default sample.
    correction: Correction,
    /// What is added to a divisor that may be 0, in its units; default 1e-6 (`otb`: 1e-8).
    epsilon: f64,
    /// What `grpo` subtracts: the mean of the group, or of the others in it; default mean.
    baseline: Baseline,
    /// The bound on the absolute value of every advantage; none unless given. Any estimator takes it.
    clip: f64,
    /// The discount γ per token of `reinforce_plus_plus`, `gae` and `vapo`; default 1.
    gamma: f64,
    /// λ of `gae`; default 1.
    lambda: f64,
    /// λ of the returns of `vapo`; default 1.
    lambda_value: f64,
    /// λ of the advantages of `vapo`, in place of the length-adaptive one.
    lambda_policy: f64,
    /// α in λ_policy = 1 − 1/(α l) of `vapo`; default 0.05.
    length_alpha: f64,
    /// Whether the advantages of all trained tokens are brought to mean 0 and variance 1; default true.
    whiten: bool,
    /// β of the divergence per token that is taken from the rewards; default 0.
    kl_coefficient: f64,
    /// The number of attempts k of `pass_k`; default 4.
    k: usize,
    /// The reward from which on `pass_k` counts a response as correct; default 0.5.
    threshold: f64,
    /// The divisor f_norm of `gpg`; default 1.
    divisor: f64,
    /// The shift δV of the baseline of `asymre`; default −0.1.
    delta: f64,
    /// The temperature τ of the baseline of `opmd`; default 1.
    temperature: f64,
    /// What the sums of `gdpo` and the differences of `spo` are normalised over; default batch.
    normalise: Normalisation,
    /// Whether `gdpo` normalises each reward before the sum or the sum; default normalize_then_sum.
    aggregation: RewardAggregation,
    /// Whether `otb` has no baseline where only the longest response of a group goes on; default true.
    zero_tail: bool,
}

/// A number within bounds, or the error that names the option.
pub(crate) fn number(
    estimator: &'static str,
    option: &'static str,
    value: f64,
    requirement: &'static str,
    holds: bool,
) -> Result<f64, Error> {
    match value.is_finite() && holds {
        true => Ok(value),
        false => Err(Error::InvalidOption {
            estimator,
            option,
            value: value.to_string(),
            requirement,
        }),
    }
}

/// A number that may be 0 and not less.
pub(crate) fn not_negative(
    estimator: &'static str,
    option: &'static str,
    value: f64,
) -> Result<f64, Error> {
    let requirement = "a finite number, at least 0";
    number(estimator, option, value, requirement, value >= 0.0)
}

/// A number from 0 to 1.
pub(crate) fn fraction(
    estimator: &'static str,
    option: &'static str,
    value: f64,
) -> Result<f64, Error> {
    let holds = (0.0..=1.0).contains(&value);
    number(estimator, option, value, "from 0 to 1", holds)
}

/// What the estimators that go back from token to token have in common.
pub(crate) struct Backwards {
    pub(crate) gamma: f64,
    pub(crate) kl_coefficient: f64,
    pub(crate) whiten: bool,
    pub(crate) correction: Correction,
}

/// Their options, checked. A variance chosen where nothing is whitened has no effect.
pub(crate) fn backwards(estimator: &'static str, options: &Options) -> Result<Backwards, Error> {
    let gamma = fraction(estimator, "gamma", options.gamma.unwrap_or(1.0))?;
    let beta = options.kl_coefficient.unwrap_or(0.0);
    let kl_coefficient = number(estimator, "kl_coefficient", beta, "a finite number", true)?;
    match (options.whiten, options.correction) {
        (Some(false), Some(_)) => Err(Error::OptionWithoutEffect {
            estimator,
            option: "correction",
            accepted: &["whiten = true"],
        }),
        (whiten, correction) => Ok(Backwards {
            gamma,
            kl_coefficient,
            whiten: whiten.unwrap_or(true),
            correction: correction.unwrap_or(Correction::Sample),
        }),
    }
}

/// A number above 0.
pub(crate) fn positive(
    estimator: &'static str,
    option: &'static str,
    value: f64,
) -> Result<f64, Error> {
    let requirement = "a finite number above 0";
    number(estimator, option, value, requirement, value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_by_name() {
        let mut options = Options::default();
        options.set("std", Setting::Word("batch")).unwrap();
        options.set("k", Setting::Number(8.0)).unwrap();
        options.set("whiten", Setting::Flag(false)).unwrap();
        assert_eq!(options.std, Some(StandardDeviation::Batch));
        assert_eq!((options.k, options.whiten), (Some(8), Some(false)));
        assert!(options.given().eq(["std", "whiten", "k"]));
    }

    #[test]
    fn what_cannot_be_set() {
        let error = |name, value| {
            let error = Options::default().set(name, value).unwrap_err();
            error.to_string()
        };
        assert!(error("gama", Setting::Number(1.0)).starts_with(
            "there is no option `gama`; the options are `std`, `correction`, `epsilon`, "
        ));
        assert_eq!(
            error("gamma", Setting::Word("one")),
            "option `gamma` is the word `one`; it must be a number"
        );
        assert_eq!(
            error("k", Setting::Number(1.5)),
            "option `k` is the number 1.5; it must be a whole number that is not negative"
        );
        assert_eq!(
            error("whiten", Setting::Number(1.0)),
            "option `whiten` is the number 1; it must be true or false"
        );
        assert_eq!(
            error("std", Setting::Flag(true)),
            "option `std` is true; it must be a word"
        );
        assert_eq!(
            error("baseline", Setting::Word("median")),
            "unknown value `median` of option `baseline`; the values are `mean`, `leave_one_out`"
        );
    }
}

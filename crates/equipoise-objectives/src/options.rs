//! What a recipe may say about a policy objective beside its name.

use crate::Error;
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

fn number(option: &'static str, setting: Setting<'_>) -> Result<f64, Error> {
    match setting {
        Setting::Number(number) => Ok(number),
        other => Err(Error::WrongKind {
            option,
            expected: "a number",
            found: other.to_string(),
        }),
    }
}

/// The options, each named once: the struct, the list of names, what is given, and setting by name.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a recipe may say about an objective beside its name; `None` is the objective's own
        /// default. Every option is a number.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Options {
            $($(#[$doc])* pub $name: Option<f64>,)*
        }

        impl Options {
            /// Every option's name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Sets the option of that name.
            ///
            /// # Errors
            /// [`Error::UnknownOption`], which lists the names there are, and [`Error::WrongKind`] for
            /// anything but a number.
            ///
            /// ```
            /// use equipoise_objectives::{Options, Setting};
            ///
            /// let mut options = Options::default();
            /// options.set("epsilon_high", Setting::Number(0.28))?;
            /// assert_eq!(options.epsilon_high, Some(0.28));
            /// assert!(options.set("epsilon_high", Setting::Flag(true)).is_err());
            /// # Ok::<(), equipoise_objectives::Error>(())
            /// ```
            pub fn set(&mut self, name: &str, value: Setting<'_>) -> Result<(), Error> {
                match name {
                    $(stringify!($name) => {
                        self.$name = Some(number(stringify!($name), value)?);
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
            pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
                [$(self.$name.is_some().then_some(stringify!($name))),*]
                    .into_iter()
                    .flatten()
            }
        }
    };
}

options! {
    /// How far below 1 a ratio may fall (`ppo_clip`, `gspo`, `gspo_token`, `clip_cov`; `gmpo` in units of
    /// the log-ratio; the bounds of `bandpo_*` are at least as far from 1), or the smallest weight of
    /// `cispo`.
    epsilon_low,
    /// How far above 1 a ratio may rise, or the largest weight of `cispo`.
    epsilon_high,
    /// The cap of `ppo_clip` and `gspo` on the ratio for negative advantages, after the minimum; default
    /// none.
    dual_clip,
    /// The cap of `ppo_clip` and `gspo` on the ratio of the unclipped branch, on either side; default none.
    delta,
    /// The temperature of `sapo` for positive advantages; default 1.
    tau_positive,
    /// The temperature of `sapo` for the others; default 1.05.
    tau_negative,
    /// The power k of `vespo` for advantages that are not negative; default 2.
    k_positive,
    /// The decay λ of `vespo` for advantages that are not negative; default 3.
    lambda_positive,
    /// The power k of `vespo` for negative advantages; default 3.
    k_negative,
    /// The decay λ of `vespo` for negative advantages; default 2.
    lambda_negative,
    /// The divergence from which on a negative advantage is dropped (`dppo_tv` 0.2, `dppo_kl` 0.05).
    delta_low,
    /// The divergence from which on a positive advantage is dropped (`dppo_tv` 0.2, `dppo_kl` 0.05).
    delta_high,
    /// The largest weight a ratio can become (`dppo_tv` and `dppo_kl` 20, `aipo` 2, `topr` 1), or the
    /// largest upper bound (`bandpo_*` 100).
    max_weight,
    /// The share of the step's tokens that `clip_cov` and `kl_cov` treat specially; default 0.0002.
    share,
    /// The covariance above which `clip_cov` chooses tokens; default 1.
    covariance_low,
    /// The covariance below which `clip_cov` chooses tokens; default 5.
    covariance_high,
    /// The weight of the penalty of `kl_cov`; default 1.
    coefficient,
    /// The weight of the quadratic penalty of `dro`; default 0.1.
    beta,
    /// The divergence that the bounds of `bandpo_*` leave a token; default 0.05.
    radius,
    /// The probability at which the shaping of `shaped_off_policy` is one half; default 0.1.
    gamma,
}

/// The value of an option, or its default, checked.
pub(crate) fn checked(
    objective: &'static str,
    option: &'static str,
    given: Option<f64>,
    default: f64,
    range: Range,
) -> Result<f64, Error> {
    let value = given.unwrap_or(default);
    let (holds, requirement) = match range {
        Range::NotNegative => (value >= 0.0, "a finite number, at least 0"),
        Range::Positive => (value > 0.0, "a finite number greater than 0"),
        Range::AboveOne => (value > 1.0, "a finite number greater than 1"),
        Range::Share => (value > 0.0 && value <= 1.0, "greater than 0 and at most 1"),
        Range::Finite => (true, "a finite number"),
    };
    match holds && value.is_finite() {
        true => Ok(value),
        false => Err(Error::InvalidOption {
            objective,
            option,
            value: value.to_string(),
            requirement,
        }),
    }
}

/// Where a number has to lie. All are finite.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    Finite,
    NotNegative,
    Positive,
    AboveOne,
    Share,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_by_name() {
        let mut options = Options::default();
        for name in Options::NAMES {
            options.set(name, Setting::Number(0.5)).unwrap();
        }
        assert!(options.given().eq(Options::NAMES.iter().copied()));
        assert_eq!(options.gamma, Some(0.5));
    }

    #[test]
    fn what_cannot_be_set() {
        let error = |name, value| {
            let error = Options::default().set(name, value).unwrap_err();
            error.to_string()
        };
        let unknown = error("epsilon", Setting::Number(0.2));
        let begin = "there is no option `epsilon`; the options are `epsilon_low`, `epsilon_high`, ";
        assert!(unknown.starts_with(begin), "{unknown}");
        assert_eq!(
            error("beta", Setting::Word("small")),
            "option `beta` is the word `small`; it must be a number"
        );
        assert_eq!(
            error("beta", Setting::Flag(true)),
            "option `beta` is true; it must be a number"
        );
    }
}

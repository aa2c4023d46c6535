//! What a recipe may say about a rule beside its name.

use crate::rules::ZeroAdvantage;
use crate::{Error, Scope};
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
trait FromSetting: Sized {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error>;
}

fn wrong_kind(option: &'static str, expected: &'static str, found: Setting<'_>) -> Error {
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

impl FromSetting for Scope {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Word(word) => word.parse(),
            other => Err(wrong_kind(option, "a word", other)),
        }
    }
}

impl FromSetting for ZeroAdvantage {
    fn from_setting(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Word(word) => word.parse(),
            other => Err(wrong_kind(option, "a word", other)),
        }
    }
}

/// The options, each named once: the struct, the list of names, what is given, and setting by name.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What a recipe may say about a rule beside its name; `None` is the rule's own default.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Options {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl Options {
            /// Every option's name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Sets the option of that name.
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
            pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
                [$(self.$name.is_some().then_some(stringify!($name))),*]
                    .into_iter()
                    .flatten()
            }
        }
    };
}

options! {
    /// Over which responses `balanced` and `balanced_mass` pool; default group.
    scope: Scope,
    /// Where `balanced` counts responses with advantage zero; default neutral.
    zero_advantage: ZeroAdvantage,
    /// The constant divisor of `dr_grpo` and `vl_norm`, in tokens; has no default.
    max_tokens: usize,
    /// The power of the length in `vl_norm`, default 1, and in `length_power`, default 0.5.
    alpha: f64,
    /// The power λ of `lambda_grpo`; default 1.
    lambda: f64,
    /// How strongly a standardised length moves the base of that power; default 1/9.
    strength: f64,
    /// The relative length gap from which on `adaptive` takes the sequence mean; default 0.3.
    gap: f64,
    /// The length variation from which on `adaptive` takes the token mean; default 0.5.
    variation: f64,
}

impl Options {
    /// A finite number within bounds, or the error that names the option.
    pub(crate) fn number(
        rule: &'static str,
        option: &'static str,
        value: f64,
        requirement: &'static str,
        holds: bool,
    ) -> Result<f64, Error> {
        match value.is_finite() && holds {
            true => Ok(value),
            false => Err(Error::InvalidOption {
                rule,
                option,
                value: value.to_string(),
                requirement,
            }),
        }
    }

    /// The constant divisor that a rule cannot do without.
    pub(crate) fn required_max_tokens(
        &self,
        rule: &'static str,
    ) -> Result<std::num::NonZeroUsize, Error> {
        let max_tokens = self.max_tokens.ok_or(Error::MissingOption {
            rule,
            option: "max_tokens",
            meaning: "the limit on the length of a response, in tokens",
        })?;
        std::num::NonZeroUsize::new(max_tokens).ok_or(Error::InvalidOption {
            rule,
            option: "max_tokens",
            value: max_tokens.to_string(),
            requirement: "at least 1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_by_name() {
        let mut options = Options::default();
        options.set("scope", Setting::Word("batch")).unwrap();
        options.set("max_tokens", Setting::Number(64.0)).unwrap();
        options.set("alpha", Setting::Number(0.75)).unwrap();
        assert_eq!(options.scope, Some(Scope::Batch));
        assert_eq!(options.max_tokens, Some(64));
        assert!(options.given().eq(["scope", "max_tokens", "alpha"]));
        assert_eq!(Options::NAMES.len(), 8);
    }

    #[test]
    fn what_cannot_be_set() {
        let error = |name, value| {
            let error = Options::default().set(name, value).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            error("alfa", Setting::Number(1.0)),
            "there is no option `alfa`; the options are `scope`, `zero_advantage`, `max_tokens`, \
             `alpha`, `lambda`, `strength`, `gap`, `variation`"
        );
        assert_eq!(
            error("alpha", Setting::Word("one")),
            "option `alpha` is the word `one`; it must be a number"
        );
        assert_eq!(
            error("max_tokens", Setting::Number(1.5)),
            "option `max_tokens` is the number 1.5; it must be a whole number that is not negative"
        );
        assert_eq!(
            error("max_tokens", Setting::Number(-1.0)),
            "option `max_tokens` is the number -1; it must be a whole number that is not negative"
        );
        assert_eq!(
            error("scope", Setting::Flag(true)),
            "option `scope` is true; it must be a word"
        );
        assert_eq!(
            error("zero_advantage", Setting::Word("both")),
            "unknown value `both` of option `zero_advantage`; the values are `neutral`, `negative`"
        );
    }
}

//! The options of the catalogue's losses, as recipes write them.

use super::{Divergence, Error, Length, Reduction};
use crate::Setting;

fn wrong_kind(option: &'static str, expected: &'static str, found: Setting<'_>) -> Error {
    Error::WrongKind {
        option,
        expected,
        found: found.to_string(),
    }
}

/// What can stand in an option.
trait Value: Sized {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error>;
}

impl Value for f64 {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Number(number) => Ok(number),
            _ => Err(wrong_kind(option, "a number", setting)),
        }
    }
}

impl Value for bool {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        match setting {
            Setting::Flag(flag) => Ok(flag),
            _ => Err(wrong_kind(option, "true or false", setting)),
        }
    }
}

/// The value that stands at a word's place among an option's words.
fn word<T: Copy>(
    option: &'static str,
    setting: Setting<'_>,
    known: &'static [&'static str],
    values: &[T],
) -> Result<T, Error> {
    let Setting::Word(word) = setting else {
        return Err(wrong_kind(option, "a word", setting));
    };
    let place = known.iter().position(|name| *name == word);
    let value = place.and_then(|place| values.get(place));
    value.copied().ok_or_else(|| Error::UnknownValue {
        option,
        value: word.to_owned(),
        known,
    })
}

impl Value for Length {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        let values = [Self::Sum, Self::TokenMean];
        word(option, setting, &["sum", "token_mean"], &values)
    }
}

impl Value for Reduction {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        let values = [Self::Sum, Self::TokenMean, Self::BatchTokenMean];
        let known = &["sum", "token_mean", "batch_token_mean"];
        word(option, setting, known, &values)
    }
}

impl Value for Divergence {
    fn read(option: &'static str, setting: Setting<'_>) -> Result<Self, Error> {
        let values = [
            Self::ReverseKl,
            Self::ForwardKl,
            Self::JensenShannon,
            Self::Alpha(0.5),
        ];
        let known = &[
            "reverse_kl",
            "forward_kl",
            "js_divergence",
            "alpha_divergence",
        ];
        word(option, setting, known, &values)
    }
}

/// Defines the options, their names, which are given and how one is set, in one place.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// What a recipe may say about a loss beside its name; `None` is the loss's own default.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Options {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl Options {
            /// Every option's name.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The names of the options that are given.
            pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
                [$(self.$name.map(|_| stringify!($name))),*].into_iter().flatten()
            }

            /// Sets the option of that name.
            ///
            /// ```
            /// use equipoise_objectives::preference::{Length, Options, Setting};
            ///
            /// let mut options = Options::default();
            /// options.set("beta", Setting::Number(0.2))?;
            /// options.set("length", Setting::Word("token_mean"))?;
            /// options.set("wpo", Setting::Flag(true))?;
            /// assert_eq!((options.beta, options.wpo), (Some(0.2), Some(true)));
            /// assert_eq!(options.length, Some(Length::TokenMean));
            /// assert!(options.set("beta", Setting::Flag(true)).is_err());
            /// # Ok::<(), equipoise_objectives::preference::Error>(())
            /// ```
            ///
            /// # Errors
            /// [`Error::UnknownOption`], [`Error::WrongKind`], and [`Error::UnknownValue`] for a
            /// word that the option does not know. Ranges are checked when the loss is built.
            pub fn set(&mut self, name: &str, value: Setting<'_>) -> Result<(), Error> {
                match name {
                    $(stringify!($name) => {
                        self.$name = Some(<$kind as Value>::read(stringify!($name), value)?);
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
        }
    };
}

options! {
    /// β, how hard the loss holds to the reference; above 0. Default 0.1; `tpo` and `rpo` 0.01.
    beta: f64,
    /// ε, the share of wrong labels. Default 0.1 for `cdpo` and `robust`, 0.001 for `exo`, else 0.
    label_smoothing: f64,
    /// Whether scores are sums (`sum`) or means (`token_mean`) over tokens. Default `token_mean`
    /// for `ipo`.
    length: Length,
    /// τ of `discopop`, above 0 and at most 1; default 0.05.
    tau: f64,
    /// γ, the target margin of `simpo`, `alphapo` and `tpo_l`; default 0.5.
    margin: f64,
    /// α of `alphapo`; default 0.25. 0 is `simpo`.
    shape: f64,
    /// The f-divergence: `reverse_kl` (default), `forward_kl`, `js_divergence`, `alpha_divergence`.
    divergence: Divergence,
    /// α of the α-divergence; default 0.5.
    divergence_alpha: f64,
    /// γ, what the reference's log-probabilities are multiplied by; at least 0, default 1.
    reference_scale: f64,
    /// What tokens past the pair's shared length are multiplied by, from 0 to 1; default 1.
    ld_alpha: f64,
    /// Whether pairs have WPO's weight; default false.
    wpo: bool,
    /// γ of the focal weight, at least 0; default 2.
    focal_gamma: f64,
    /// Whether the focal weight is a constant to the derivative; default false.
    focal_detach: bool,
    /// Whether focal weights are divided by their mean; default false.
    focal_renormalise: bool,
    /// What the likelihood term is multiplied by, at least 0. Default 1 for `cpo`, `orpo`, `tpo`,
    /// `tpo_l`, `mpo` and `sft`, else 0.
    sft_coefficient: f64,
    /// How the likelihood term is reduced: `sum`, `token_mean` or `batch_token_mean`. Default
    /// `batch_token_mean` where the term is part of the loss, else `token_mean`.
    sft_reduction: Reduction,
    /// η of `rpo`, at least 0; default 0.005.
    eta: f64,
    /// The weight of DPO in `mpo`, at least 0; default 0.8.
    dpo_weight: f64,
    /// The weight of BCO in `mpo`, at least 0; default 0.2.
    bco_weight: f64,
    /// The weight of desirable completions, at least 0; default 1.
    desirable_weight: f64,
    /// The weight of undesirable completions, at least 0; default 1.
    undesirable_weight: f64,
}

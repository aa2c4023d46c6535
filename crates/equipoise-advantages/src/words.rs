//! Options whose values are words.

/// An enumeration with a word for each value: the words, their reading and their writing.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $option:literal {
        $($(#[$of_value:meta])* $value:ident = $word:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of_value])* $value,)*
        }

        impl $name {
            /// The words that stand for the values.
            pub const NAMES: &'static [&'static str] = &[$($word),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)*
                })
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;

            fn from_str(word: &str) -> Result<Self, crate::Error> {
                match word {
                    $($word => Ok(Self::$value),)*
                    _ => Err(crate::Error::UnknownValue {
                        option: $option,
                        value: word.to_owned(),
                        known: Self::NAMES,
                    }),
                }
            }
        }

        impl crate::options::FromSetting for $name {
            fn from_setting(
                option: &'static str,
                setting: crate::Setting<'_>,
            ) -> Result<Self, crate::Error> {
                match setting {
                    crate::Setting::Word(word) => word.parse(),
                    other => Err(crate::options::wrong_kind(option, "a word", other)),
                }
            }
        }
    };
}

pub(crate) use words;

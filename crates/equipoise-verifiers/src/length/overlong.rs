//! DAPO's soft overlong punishment.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use super::LengthUnit;
use crate::invalid::InvalidOption;
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`SoftOverlong`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftOverlongOptions {
    /// L_max: from here on the whole punishment falls.
    pub max_length: usize,
    /// L_cache: over how much of the length before it the punishment grows; 0 for a hard limit.
    pub cache: usize,
}

/// DAPO's soft overlong punishment (arXiv:2503.14476, equation 13), from −1 to 0:
///
/// ```text
///                 0                              if length ≤ L_max − L_cache
/// score(length) = ((L_max − L_cache) − length)   if L_max − L_cache < length ≤ L_max
///                 ─────────────────────────────
///                            L_cache
///                 −1                             if length > L_max
/// ```
///
/// The paper has L_max = 20480 and L_cache = 4096 tokens. It says nothing about whether the answer
/// is right; put it beside a verifier that does, in a [`Weighted`](crate::Weighted).
#[derive(Clone, Debug)]
pub struct SoftOverlong {
    options: SoftOverlongOptions,
    unit: LengthUnit,
}

impl SoftOverlong {
    /// The verifier with these options, for lengths in `unit`.
    ///
    /// # Errors
    /// A `max_length` of 0, or a `cache` beyond it.
    pub fn new(options: SoftOverlongOptions, unit: LengthUnit) -> Result<Self, InvalidOption> {
        let SoftOverlongOptions { max_length, cache } = options;
        if max_length == 0 {
            return Err(InvalidOption::new(
                "soft_overlong",
                "max_length",
                0,
                "positive",
            ));
        }
        if cache > max_length {
            let expected = format!("at most max_length = {max_length}");
            return Err(InvalidOption::new(
                "soft_overlong",
                "cache",
                cache,
                expected,
            ));
        }
        Ok(Self { options, unit })
    }

    fn score(&self, length: usize) -> f64 {
        let SoftOverlongOptions { max_length, cache } = self.options;
        let free = max_length - cache;
        if length <= free {
            0.0
        } else if length <= max_length {
            -((length - free) as f64) / cache as f64
        } else {
            -1.0
        }
    }
}

impl Verifier for SoftOverlong {
    fn name(&self) -> &str {
        "soft_overlong"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let length = self.unit.length(completion);
        let SoftOverlongOptions { max_length, cache } = self.options;
        let (free, unit) = (max_length - cache, self.unit.name());
        let place = if length <= free {
            format!("within {free}")
        } else if length <= max_length {
            format!("between {free} and {max_length}")
        } else {
            format!("more than {max_length}")
        };
        Explanation {
            why: format!("{length} {unit}, {place}"),
            ..Explanation::of(Verdict::score(self.name(), self.score(length)))
        }
    }
}

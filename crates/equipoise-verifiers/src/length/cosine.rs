//! The reward that depends on correctness and, along a cosine, on length.

use std::f64::consts::PI;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use super::LengthUnit;
use crate::compose::{Child, Composition, Judged, composed_verifier};
use crate::invalid::{InvalidOption, finite};
use crate::verdict::{Verdict, Verifier};

/// The options of [`CosineLength`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CosineLengthOptions {
    /// L_max: the length at which the reward reaches its value for long completions.
    pub max_length: usize,
    /// r₀ᶜ: the reward of a right answer of length 0.
    #[serde(default = "one")]
    pub correct_short: f64,
    /// r_Lᶜ: the reward of a right answer of the greatest length.
    #[serde(default = "half")]
    pub correct_long: f64,
    /// r₀ʷ: the reward of a wrong answer of length 0.
    #[serde(default = "minus_one")]
    pub wrong_short: f64,
    /// r_Lʷ: the reward of a wrong answer of the greatest length.
    #[serde(default = "minus_half")]
    pub wrong_long: f64,
    /// rₑ: the reward of any completion of at least the greatest length, right or wrong; without it,
    /// they keep the reward of that length.
    #[serde(default)]
    pub exceeded: Option<f64>,
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn minus_one() -> f64 {
    -1.0
}

fn minus_half() -> f64 {
    -0.5
}

impl CosineLengthOptions {
    /// The rewards of open-r1 and TRL, 1 to ½ for right and −1 to −½ for wrong answers.
    pub fn new(max_length: usize) -> Self {
        Self {
            max_length,
            correct_short: one(),
            correct_long: half(),
            wrong_short: minus_one(),
            wrong_long: minus_half(),
            exceeded: None,
        }
    }
}

/// The cosine length-scaled reward (arXiv:2502.03373, appendix C.1): short right answers get more
/// than long ones, and wrong answers are punished less the longer they have tried.
///
/// ```text
/// cos(t, T, a, b) = b + ½·(a − b)·(1 + cos(π·t/T))        from a at t = 0 to b at t = T
///
/// reward = rₑ                                 if length ≥ L_max and rₑ is given
///          cos(length, L_max, r₀ᶜ, r_Lᶜ)      if the answer is right
///          cos(length, L_max, r₀ʷ, r_Lʷ)      if it is wrong
/// ```
///
/// A length beyond L_max counts as L_max. (open-r1 goes on with the cosine, which there turns round:
/// a right answer twice as long as allowed is rewarded like the shortest.) The paper has r₀ᶜ = 2,
/// r_Lᶜ = 1, r₀ʷ = −10, r_Lʷ = 0 and rₑ = −10.
///
/// Whether the answer is right another verifier says. If it does not look at the answer, or cannot
/// judge, the completion is unscorable.
#[derive(Debug)]
pub struct CosineLength {
    inner: [Child; 1],
    options: CosineLengthOptions,
    unit: LengthUnit,
}

impl CosineLength {
    /// The reward for answers that `verifier` calls right or wrong, for lengths in `unit`.
    ///
    /// # Errors
    /// A `max_length` of 0, or a reward that is not finite.
    pub fn new(
        verifier: Box<dyn Verifier>,
        options: CosineLengthOptions,
        unit: LengthUnit,
    ) -> Result<Self, InvalidOption> {
        if options.max_length == 0 {
            return Err(InvalidOption::new(
                "cosine_length",
                "max_length",
                0,
                "positive",
            ));
        }
        finite(
            "cosine_length",
            &[
                ("correct_short", options.correct_short),
                ("correct_long", options.correct_long),
                ("wrong_short", options.wrong_short),
                ("wrong_long", options.wrong_long),
                ("exceeded", options.exceeded.unwrap_or(0.0)),
            ],
        )?;
        Ok(Self {
            inner: Child::all([verifier]),
            options,
            unit,
        })
    }

    fn reward(&self, correct: bool, length: usize) -> f64 {
        let options = &self.options;
        if let (Some(exceeded), true) = (options.exceeded, length >= options.max_length) {
            return exceeded;
        }
        let (short, long) = match correct {
            true => (options.correct_short, options.correct_long),
            false => (options.wrong_short, options.wrong_long),
        };
        let progress = length.min(options.max_length) as f64 / options.max_length as f64;
        long + 0.5 * (short - long) * (1.0 + (PI * progress).cos())
    }
}

impl Composition for CosineLength {
    fn children(&self) -> &[Child] {
        &self.inner
    }

    fn combine(&self, problem: &Problem, completion: &str, judged: &Judged) -> Verdict {
        let inner = match judged.only() {
            Ok(inner) => inner,
            Err(unscorable) => return unscorable,
        };
        let Some(correct) = inner.correct() else {
            let inner = self.inner[0].name();
            let why = format_args!("{inner} does not say whether the answer is right");
            return Verdict::unscorable(problem, why);
        };
        let reward = self.reward(correct, self.unit.length(completion));
        judged.rescored(self.name(), reward, &self.inner, Some(correct))
    }

    fn steps(&self, completion: &str, steps: &mut Vec<String>) {
        let (length, unit) = (self.unit.length(completion), self.unit.name());
        let most = self.options.max_length;
        steps.push(format!("length: {length} of {most} {unit}"));
    }
}

composed_verifier!(CosineLength, "cosine_length");

//! Rewards for a length that is asked for.

use equipoise_core::Problem;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::LengthUnit;
use crate::compose::{Child, Composition, Judged, composed_verifier};
use crate::invalid::{InvalidOption, finite};
use crate::pattern::compile;
use crate::verdict::{Verdict, Verifier};

/// What a length that is asked for means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetLengthMode {
    /// As long as that: any distance costs.
    #[default]
    Exact,
    /// At most as long: what is saved is rewarded.
    Maximum,
}

/// The options of [`TargetLength`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetLengthOptions {
    /// The length that is asked for; none if every prompt names its own.
    pub target: Option<usize>,
    /// A regular expression whose first group is the length in a prompt, such as
    /// `Think for (\d+) tokens`. Where it matches it counts, and not `target`; a prompt in which
    /// neither is found is unscorable.
    pub prompt_pattern: Option<String>,
    /// What it means.
    pub mode: TargetLengthMode,
    /// α: what a unit of length costs or brings. [default: 0.0003]
    pub alpha: Option<f64>,
    /// δ: the factor of a completion of just the length that is asked for. Only in the mode
    /// `maximum`. [default: 0.5]
    pub delta: Option<f64>,
}

/// The rewards of length-controlled policy optimisation (L1, arXiv:2503.04697),
/// where n* is the length that is asked for:
///
/// ```text
/// exact      reward = r − α·|n* − length|
/// maximum    reward = r · clip(α·(n* − length) + δ, 0, 1)
/// ```
///
/// r is the reward of another verifier. Without one, r is 0 in the exact and 1 in the maximum mode,
/// which leaves the penalty alone. The paper has α = 0.0003 and δ = 0.5, and lengths in tokens.
/// Whether the answer is right is what the other verifier says.
#[derive(Debug)]
pub struct TargetLength {
    inner: Vec<Child>,
    options: TargetLengthOptions,
    prompt: Option<Regex>,
    alpha: f64,
    delta: f64,
    unit: LengthUnit,
}

impl TargetLength {
    /// The reward with these options on top of that of `verifier`, for lengths in `unit`.
    ///
    /// # Errors
    /// Neither a target nor a pattern; a pattern that is no regular expression or has no group; α or
    /// δ that is negative or not finite; δ in the exact mode.
    pub fn new(
        verifier: Option<Box<dyn Verifier>>,
        options: TargetLengthOptions,
        unit: LengthUnit,
    ) -> Result<Self, InvalidOption> {
        const NAME: &str = "target_length";
        if options.target.is_none() && options.prompt_pattern.is_none() {
            let expected = "given, or prompt_pattern has to be";
            return Err(InvalidOption::new(NAME, "target", "absent", expected));
        }
        let pattern = options.prompt_pattern.as_deref();
        let prompt = pattern
            .map(|pattern| compile(NAME, "prompt_pattern", pattern))
            .transpose()?;
        if prompt
            .as_ref()
            .is_some_and(|regex| regex.captures_len() < 2)
        {
            let value = format!("{:?}", pattern.unwrap_or_default());
            let expected = r"a regular expression with a group, such as `(\d+)`";
            return Err(InvalidOption::new(NAME, "prompt_pattern", value, expected));
        }
        if options.delta.is_some() && options.mode == TargetLengthMode::Exact {
            let expected = "absent with mode = \"exact\"";
            return Err(InvalidOption::new(NAME, "delta", "given", expected));
        }
        let (alpha, delta) = (
            options.alpha.unwrap_or(0.0003),
            options.delta.unwrap_or(0.5),
        );
        finite(NAME, &[("alpha", alpha), ("delta", delta)])?;
        for (option, value) in [("alpha", alpha), ("delta", delta)] {
            if value < 0.0 {
                return Err(InvalidOption::new(NAME, option, value, "0 or positive"));
            }
        }
        Ok(Self {
            inner: Child::list(verifier),
            options,
            prompt,
            alpha,
            delta,
            unit,
        })
    }

    /// The length that is asked for.
    fn target(&self, problem: &Problem) -> Option<usize> {
        let named = self.prompt.as_ref().and_then(|regex| {
            let captures = regex.captures(&problem.prompt)?;
            captures.get(1)?.as_str().parse().ok()
        });
        named.or(self.options.target)
    }

    fn reward(&self, inner: Option<f64>, target: usize, length: usize) -> f64 {
        let (target, length) = (target as f64, length as f64);
        match self.options.mode {
            TargetLengthMode::Exact => inner.unwrap_or(0.0) - self.alpha * (target - length).abs(),
            TargetLengthMode::Maximum => {
                let factor = self.alpha * (target - length) + self.delta;
                inner.unwrap_or(1.0) * factor.clamp(0.0, 1.0)
            }
        }
    }
}

impl Composition for TargetLength {
    fn children(&self) -> &[Child] {
        &self.inner
    }

    fn combine(&self, problem: &Problem, completion: &str, judged: &Judged) -> Verdict {
        let Some(target) = self.target(problem) else {
            let why = "the prompt does not say how long the answer should be";
            return Verdict::unscorable(problem, why);
        };
        let inner = match judged.only() {
            _ if self.inner.is_empty() => None,
            Ok(inner) => Some(inner),
            Err(unscorable) => return unscorable,
        };
        let length = self.unit.length(completion);
        let reward = self.reward(inner.and_then(Verdict::reward), target, length);
        let correct = inner.and_then(Verdict::correct);
        judged.rescored(self.name(), reward, &self.inner, correct)
    }

    fn steps(&self, completion: &str, steps: &mut Vec<String>) {
        let (length, unit) = (self.unit.length(completion), self.unit.name());
        steps.push(format!("length: {length} {unit}"));
    }
}

composed_verifier!(TargetLength, "target_length");

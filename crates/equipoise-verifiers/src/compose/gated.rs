//! A verifier that is asked only about what another one lets through.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use super::{Child, Composition, Judged, composed_verifier};
use crate::invalid::{InvalidOption, finite};
use crate::verdict::{Verdict, Verifier};

/// The options of [`Gated`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatedOptions {
    /// The least reward of the gate that lets a completion through.
    pub threshold: f64,
    /// The reward of a completion that is not let through.
    pub fallback: f64,
    /// Whether such a completion counts as wrongly answered; otherwise nothing is said about it.
    pub closed_is_wrong: bool,
}

impl Default for GatedOptions {
    fn default() -> Self {
        Self {
            threshold: 1.0,
            fallback: 0.0,
            closed_is_wrong: true,
        }
    }
}

/// The reward of a verifier for the completions that another one, the gate, lets through:
///
/// ```text
/// reward = reward of the verifier    if reward of the gate ≥ threshold
///          fallback                  otherwise, and the verifier is not asked
/// ```
///
/// A form can be the condition for correctness, and a cheap check can come before an expensive one.
/// Whether the answer is right the verifier says, or the gate if the verifier does not look. A
/// completion that is not let through is wrong by default: leaving it out would count only the
/// well-formed ones, and accuracy would rise when forms get worse. If the gate cannot judge, or is
/// passed and the verifier cannot, the completion is unscorable. The gate is a part of weight 0, the
/// verifier one of weight 1.
#[derive(Debug)]
pub struct Gated {
    /// The gate and the verifier.
    children: [Child; 2],
    options: GatedOptions,
}

const GATE: usize = 0;
const VERIFIER: usize = 1;

impl Gated {
    /// `verifier` behind `gate`.
    ///
    /// # Errors
    /// A threshold or a fallback that is not finite.
    pub fn new(
        gate: Box<dyn Verifier>,
        verifier: Box<dyn Verifier>,
        options: GatedOptions,
    ) -> Result<Self, InvalidOption> {
        let numbers = [
            ("threshold", options.threshold),
            ("fallback", options.fallback),
        ];
        finite("gated", &numbers)?;
        let children = Child::all([gate, verifier]);
        Ok(Self { children, options })
    }

    fn is_open(&self, judged: &Judged) -> bool {
        let gate = judged.get(GATE).and_then(Verdict::reward);
        gate.is_some_and(|reward| reward >= self.options.threshold)
    }
}

impl Composition for Gated {
    fn children(&self) -> &[Child] {
        &self.children
    }

    fn next(&self, judged: &Judged) -> Option<usize> {
        if judged.get(GATE).is_none() {
            return Some(GATE);
        }
        (self.is_open(judged) && judged.get(VERIFIER).is_none()).then_some(VERIFIER)
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        if let Some(unscorable) = judged.unscorable(&self.children) {
            return unscorable;
        }
        let said = |at| judged.get(at).and_then(Verdict::correct);
        let (reward, correct) = match judged.get(VERIFIER).and_then(Verdict::reward) {
            Some(reward) => (reward, said(VERIFIER).or(said(GATE))),
            None => {
                let wrong = self.options.closed_is_wrong.then_some(false);
                (self.options.fallback, wrong)
            }
        };
        let weight = |at| if at == VERIFIER { 1.0 } else { 0.0 };
        Verdict::Scored {
            reward,
            correct,
            parts: judged.parts(&self.children, weight),
        }
    }
}

composed_verifier!(Gated, "gated");

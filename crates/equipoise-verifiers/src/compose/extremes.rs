//! The least, the greatest and the product of several rewards.

use equipoise_core::Problem;
use thiserror::Error;

use super::{Child, Composition, Judged, composed_verifier};
use crate::verdict::{Verdict, Verifier};

/// A composition of verifiers was made of none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{composition} needs at least one verifier")]
pub struct NoVerifiers {
    /// The name of the composition.
    pub composition: &'static str,
}

/// The children, which have to be some.
pub(super) fn some(
    composition: &'static str,
    verifiers: Vec<Box<dyn Verifier>>,
) -> Result<Vec<Child>, NoVerifiers> {
    match verifiers.is_empty() {
        true => Err(NoVerifiers { composition }),
        false => Ok(Child::list(verifiers)),
    }
}

/// The least of several verifiers' rewards: a completion is as good as its weakest side.
///
/// The answer is right if every verifier that looks at it says so. If one cannot judge, the
/// completion is unscorable. Every reward is a part of weight 1.
#[derive(Debug)]
pub struct Minimum(Vec<Child>);

/// The greatest of several verifiers' rewards: a completion is as good as its best side.
///
/// The answer is right if any verifier that looks at it says so. If one cannot judge, the completion
/// is unscorable, for it might have given more; [`FirstScorable`](crate::FirstScorable) is for
/// verifiers that stand in for each other. Every reward is a part of weight 1.
#[derive(Debug)]
pub struct Maximum(Vec<Child>);

/// The product of several verifiers' rewards: with rewards in [0, 1], a soft "and".
///
/// The answer is right if every verifier that looks at it says so. If one cannot judge, the
/// completion is unscorable. Every reward is a part of weight 1.
#[derive(Debug)]
pub struct Product(Vec<Child>);

impl Minimum {
    /// The least reward of `verifiers`.
    ///
    /// # Errors
    /// There are none.
    pub fn new(verifiers: Vec<Box<dyn Verifier>>) -> Result<Self, NoVerifiers> {
        Ok(Self(some("minimum", verifiers)?))
    }
}

impl Maximum {
    /// The greatest reward of `verifiers`.
    ///
    /// # Errors
    /// There are none.
    pub fn new(verifiers: Vec<Box<dyn Verifier>>) -> Result<Self, NoVerifiers> {
        Ok(Self(some("maximum", verifiers)?))
    }
}

impl Product {
    /// The product of the rewards of `verifiers`.
    ///
    /// # Errors
    /// There are none.
    pub fn new(verifiers: Vec<Box<dyn Verifier>>) -> Result<Self, NoVerifiers> {
        Ok(Self(some("product", verifiers)?))
    }
}

/// One verdict from several rewards, if all children could judge.
fn folded(
    children: &[Child],
    judged: &Judged,
    correct: Option<bool>,
    fold: fn(f64, f64) -> f64,
) -> Verdict {
    if let Some(unscorable) = judged.unscorable(children) {
        return unscorable;
    }
    let rewards = (0..children.len()).filter_map(|at| judged.get(at)?.reward());
    match rewards.reduce(fold) {
        Some(reward) => Verdict::Scored {
            reward,
            correct,
            parts: judged.parts(children, |_| 1.0),
        },
        None => Verdict::Unscorable {
            why: "nothing was judged".to_owned(),
        },
    }
}

impl Composition for Minimum {
    fn children(&self) -> &[Child] {
        &self.0
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        folded(&self.0, judged, judged.all_correct(), f64::min)
    }
}

impl Composition for Maximum {
    fn children(&self) -> &[Child] {
        &self.0
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        folded(&self.0, judged, judged.any_correct(), f64::max)
    }
}

impl Composition for Product {
    fn children(&self) -> &[Child] {
        &self.0
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        folded(&self.0, judged, judged.all_correct(), |a, b| a * b)
    }
}

composed_verifier!(Minimum, "minimum");
composed_verifier!(Maximum, "maximum");
composed_verifier!(Product, "product");

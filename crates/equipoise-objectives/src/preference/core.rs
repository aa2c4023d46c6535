//! Cores, one family per file: the loss of a pair as a function of the scores of its two completions.

mod apo;
mod bco;
mod discopop;
mod exo;
mod hinge;
mod ipo;
mod nca;
mod robust;
mod sigmoid;
mod sppo;

pub use apo::{ApoDown, ApoZero};
pub use bco::BcoPair;
pub use discopop::Discopop;
pub use exo::Exo;
pub use hinge::Hinge;
pub use ipo::Ipo;
pub use nca::Nca;
pub use robust::Robust;
pub use sigmoid::Sigmoid;
pub use sppo::SppoHard;

use std::fmt;

/// The loss of one pair and its derivatives by the two scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairTerm {
    /// The loss.
    pub loss: f64,
    /// The derivative by the chosen completion's score.
    pub chosen: f64,
    /// The derivative by the rejected completion's score.
    pub rejected: f64,
}

impl PairTerm {
    /// A loss that depends on the difference of the scores alone.
    pub(super) fn of_margin(loss: f64, derivative: f64) -> Self {
        Self {
            loss,
            chosen: derivative,
            rejected: -derivative,
        }
    }
}

/// The loss of a pair as a function of the scores s_w of the chosen and s_l of the rejected
/// completion.
///
/// A value and its derivatives are finite for finite scores up to 10¹⁰⁰; a NaN is passed on.
pub trait Core: fmt::Debug + Send + Sync {
    /// The loss and its derivatives.
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm;
}

/// Checks the derivatives of a core against central differences on a grid of scores.
#[cfg(test)]
pub(super) fn check(core: &dyn Core) {
    let step = 1e-5;
    for chosen in [-7.3, -1.1, -0.02, 0.013, 0.9, 6.7] {
        for rejected in [-8.1, -1.3, 0.011, 0.7, 5.9] {
            let found = core.evaluate(chosen, rejected);
            let loss = |dw: f64, dl: f64| core.evaluate(chosen + dw, rejected + dl).loss;
            let by_chosen = (loss(step, 0.0) - loss(-step, 0.0)) / (2.0 * step);
            let by_rejected = (loss(0.0, step) - loss(0.0, -step)) / (2.0 * step);
            for (a, b) in [(found.chosen, by_chosen), (found.rejected, by_rejected)] {
                assert!(
                    (a - b).abs() <= 1e-6 * b.abs().max(1.0),
                    "{core:?} at {chosen}, {rejected}: {a} {b}"
                );
            }
        }
    }
    for extreme in [1e4, 1e6, 1e100] {
        for (chosen, rejected) in [(extreme, -extreme), (-extreme, extreme), (extreme, extreme)] {
            let term = core.evaluate(chosen, rejected);
            let finite = [term.loss, term.chosen, term.rejected]
                .iter()
                .all(|number| number.is_finite());
            assert!(finite, "{core:?} {term:?}");
        }
    }
    assert!(core.evaluate(f64::NAN, 0.0).loss.is_nan(), "{core:?}");
}

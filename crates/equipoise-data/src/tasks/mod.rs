//! The procedural tasks.

mod arithmetic;
mod countdown;

pub use arithmetic::{Arithmetic, Operator, StyleWeights};
pub use countdown::Countdown;

//! The trait every optimiser implements.

use std::path::Path;

use candle_core::{Tensor, Var};

use crate::OptimError;

/// One parameter of a step, with its gradient.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The parameter's name: the key of its state, unique within a step.
    pub name: &'a str,
    /// The parameter, written in place.
    pub parameter: &'a Var,
    /// The gradient of the loss, in the parameter's shape; f32, bf16 or f16, independent of the
    /// parameter's own type.
    pub gradient: Option<&'a Tensor>,
}

/// Turns gradients into new parameters, and can be saved and resumed at any step.
pub trait Optimizer: Send {
    /// Changes every parameter of `updates` by one step.
    ///
    /// `learning_rate` is the rate of this very step, warm-up and decay already in it (see
    /// [`Schedule::at`](crate::Schedule::at)). Every gradient counts as multiplied by
    /// `gradient_scale` (see [`clip_scale`](crate::clip_scale)), at no extra pass over memory.
    ///
    /// # Errors
    /// A parameter without a gradient that is not frozen; a gradient of another shape; parameters
    /// other than those of earlier steps; a rate or scale that is negative or not finite. Nothing
    /// is changed then.
    fn step(
        &mut self,
        updates: &[Update<'_>],
        learning_rate: f64,
        gradient_scale: f64,
    ) -> Result<(), OptimError>;

    /// The number of steps taken, those before a resume included.
    fn steps(&self) -> u64;

    /// Writes the whole state to one file, under a temporary name that is renamed at the end, so
    /// that an interrupted or failed save leaves an older file as it was.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path) -> Result<(), OptimError>;

    /// Replaces the state by a saved one. A step after it gives the same bytes as if the run had
    /// never stopped, provided the parameters were restored too.
    ///
    /// `parameters` are the names and parameters the state has to fit, frozen ones included or not.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or belongs to other parameters (all differences are
    /// listed). The state is unchanged then.
    fn load(&mut self, path: &Path, parameters: &[(&str, &Var)]) -> Result<(), OptimError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimizer_is_dyn_compatible() {
        fn _assert(_: &dyn Optimizer) {}
    }
}

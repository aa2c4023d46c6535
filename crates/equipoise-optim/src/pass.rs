//! The one pass over memory that is an AdamW step of one parameter.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp2, Layout};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::state::Slot;

/// The number of elements one task works on. Fixed, so that nothing depends on the thread count;
/// large enough to hide the cost of a task, small enough for its five arrays to fit a second-level
/// cache.
pub(crate) const CHUNK: usize = 16 * 1024;

/// Everything an element's update depends on besides the element, computed once per step in f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coefficients {
    /// β₁ and 1 − β₁.
    pub(crate) beta1: f32,
    pub(crate) one_minus_beta1: f32,
    /// β₂ and 1 − β₂.
    pub(crate) beta2: f32,
    pub(crate) one_minus_beta2: f32,
    /// ε.
    pub(crate) epsilon: f32,
    /// 1 − ηλ, or 1 where there is no decay.
    pub(crate) decay: f32,
    /// η / (1 − β₁ᵗ).
    pub(crate) step_size: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub(crate) root_correction: f32,
    /// What every gradient is multiplied by.
    pub(crate) gradient_scale: f32,
}

impl Coefficients {
    /// One element: moments in place, returns the new weight.
    #[inline(always)]
    fn element(&self, weight: f32, gradient: f32, first: &mut f32, second: &mut f32) -> f32 {
        let gradient = gradient * self.gradient_scale;
        *first = self.beta1 * *first + self.one_minus_beta1 * gradient;
        *second = self.beta2 * *second + self.one_minus_beta2 * gradient * gradient;
        let denominator = second.sqrt() * self.root_correction + self.epsilon;
        weight * self.decay - self.step_size * *first / denominator
    }
}

/// A number type parameters and gradients are stored in.
trait Element: Copy + PartialEq + Send + Sync {
    fn widen(self) -> f32;
    fn narrow(value: f32) -> Self;
}

impl Element for f32 {
    fn widen(self) -> f32 {
        self
    }
    fn narrow(value: f32) -> Self {
        value
    }
}

impl Element for bf16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Element for f16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }
}

/// The step of one parameter, as an in-place operation on it with its gradient.
pub(crate) struct Pass<'a> {
    pub(crate) coefficients: Coefficients,
    /// The operation's interface takes it by shared reference, hence the lock; it is never
    /// contended.
    pub(crate) slot: Mutex<&'a mut Slot>,
}

impl InplaceOp2 for Pass<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        use CpuStorage::{BF16, F16, F32};
        let (Some((p0, p1)), Some((g0, g1))) = (
            parameter_layout.contiguous_offsets(),
            gradient_layout.contiguous_offsets(),
        ) else {
            candle_core::bail!("adamw: the parameter and its gradient must be contiguous");
        };
        match (parameter, gradient) {
            (F32(p), F32(g)) => self.own_master(&mut p[p0..p1], &g[g0..g1]),
            (F32(p), BF16(g)) => self.own_master(&mut p[p0..p1], &g[g0..g1]),
            (F32(p), F16(g)) => self.own_master(&mut p[p0..p1], &g[g0..g1]),
            (BF16(p), F32(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            (BF16(p), BF16(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            (BF16(p), F16(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            (F16(p), F32(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            (F16(p), BF16(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            (F16(p), F16(g)) => self.with_master(&mut p[p0..p1], &g[g0..g1]),
            _ => candle_core::bail!("adamw: the parameter or its gradient is not f32, bf16 or f16"),
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// A parameter that is its own master: it is f32.
    fn own_master<G: Element>(&self, parameter: &mut [f32], gradient: &[G]) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut **slot;
        parameter
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(slot.first_moment.par_chunks_mut(CHUNK))
            .zip(slot.second_moment.par_chunks_mut(CHUNK))
            .for_each(|(((parameter, gradient), first), second)| {
                let elements = parameter.iter_mut().zip(gradient).zip(first).zip(second);
                for (((weight, &gradient), first), second) in elements {
                    *weight = self
                        .coefficients
                        .element(*weight, gradient.widen(), first, second);
                }
            });
    }

    /// A parameter in low precision: the master takes the step, the parameter its rounded value.
    fn with_master<P: Element, G: Element>(&self, parameter: &mut [P], gradient: &[G]) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut **slot;
        let master = slot
            .master
            .get_or_insert_with(|| parameter.iter().map(|weight| weight.widen()).collect());
        parameter
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(slot.first_moment.par_chunks_mut(CHUNK))
            .zip(slot.second_moment.par_chunks_mut(CHUNK))
            .zip(master.par_chunks_mut(CHUNK))
            .for_each(|((((parameter, gradient), first), second), master)| {
                let elements = parameter
                    .iter_mut()
                    .zip(gradient)
                    .zip(first)
                    .zip(second)
                    .zip(master);
                for ((((weight, &gradient), first), second), master) in elements {
                    // A weight that is not its master's rounded value was written by somebody else
                    // since the last step (other weights were loaded): it is the truth, not the
                    // master, which would bring the old weights back.
                    let current = if P::narrow(*master) == *weight {
                        *master
                    } else {
                        weight.widen()
                    };
                    *master = self
                        .coefficients
                        .element(current, gradient.widen(), first, second);
                    *weight = P::narrow(*master);
                }
            });
    }
}

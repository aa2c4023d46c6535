//! The gated activation of the feed-forward block, SwiGLU (Shazeer, arXiv:2002.05202).
//!
//! ```text
//! y = silu(g) · u,   silu(g) = g · σ(g),   σ(g) = 1 / (1 + e^(−g))
//! ```

use crate::simd::{exp, per_instruction_set};

per_instruction_set! {
    /// y = silu(gate) · up, element by element.
    pub fn forward(gate: &[f32], up: &[f32], y: &mut [f32]) {
        for ((y, &g), &u) in y.iter_mut().zip(gate).zip(up) {
            *y = g / (1.0 + exp(-g)) * u;
        }
    }
}

per_instruction_set! {
    /// The same in the place of the gate.
    pub fn forward_in_place(gate: &mut [f32], up: &[f32]) {
        for (g, &u) in gate.iter_mut().zip(up) {
            *g = *g / (1.0 + exp(-*g)) * u;
        }
    }
}

per_instruction_set! {
    /// The gradients with respect to gate and up.
    ///
    /// ```text
    /// dg = dy · u · σ(g) · (1 + g · (1 − σ(g)))        du = dy · silu(g)
    /// ```
    pub fn backward(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
        let inputs = gate.iter().zip(up).zip(dy);
        for (((&g, &u), &dy), (dg, du)) in inputs.zip(dgate.iter_mut().zip(dup.iter_mut())) {
            let sigmoid = 1.0 / (1.0 + exp(-g));
            *du = dy * g * sigmoid;
            *dg = dy * u * sigmoid * (1.0 + g * (1.0 - sigmoid));
        }
    }
}

per_instruction_set! {
    /// As [`backward`], the gradients taking the places of gate and up.
    pub fn backward_in_place(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((g, u), &dy) in gate.iter_mut().zip(up).zip(dy) {
            let sigmoid = 1.0 / (1.0 + exp(-*g));
            let dgate = dy * *u * sigmoid * (1.0 + *g * (1.0 - sigmoid));
            *u = dy * *g * sigmoid;
            *g = dgate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_by_hand() {
        // silu(1) = 1 / (1 + 0.367879) = 0.731059
        let mut y = [0.0];
        forward(&[1.0], &[2.0], &mut y);
        assert!((y[0] - 1.462_117).abs() < 1e-6, "{y:?}");
    }

    #[test]
    fn in_place_gives_the_same_bits() {
        let (gate, up, dy) = ([-2.0, 0.5, 3.0], [1.0, -2.0, 0.25], [0.5, 1.5, -1.0]);
        let (mut dgate, mut dup) = ([0.0; 3], [0.0; 3]);
        backward(&gate, &up, &dy, &mut dgate, &mut dup);
        let mut y = [0.0; 3];
        forward(&gate, &up, &mut y);
        let mut activated = gate;
        forward_in_place(&mut activated, &up);
        assert_eq!(activated, y);
        let (mut gate, mut up) = (gate, up);
        backward_in_place(&mut gate, &mut up, &dy);
        assert_eq!((gate, up), (dgate, dup));
    }

    #[test]
    fn extreme_gates_stay_finite() {
        let (gate, up) = ([-1e30, -100.0, 100.0, 1e30], [1.0; 4]);
        let mut y = [f32::NAN; 4];
        forward(&gate, &up, &mut y);
        assert!(y.iter().all(|y| y.is_finite()), "{y:?}");
        let (mut dgate, mut dup) = ([f32::NAN; 4], [f32::NAN; 4]);
        backward(&gate, &up, &[1.0; 4], &mut dgate, &mut dup);
        assert!(
            dgate.iter().chain(&dup).all(|d| d.is_finite()),
            "{dgate:?} {dup:?}"
        );
    }
}

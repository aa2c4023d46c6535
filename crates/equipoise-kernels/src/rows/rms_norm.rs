//! Root-mean-square normalisation (Zhang and Sennrich, arXiv:1910.07467).
//!
//! ```text
//! yᵢ = wᵢ · xᵢ · s,   s = (mean(x²) + ε)^(−1/2)
//! ```

use crate::simd::{dot, per_instruction_set, square_sum};

per_instruction_set! {
    /// Normalises every row of `x` (rows as long as `weight`) into `y`.
    pub fn forward(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
        let width = weight.len();
        if width == 0 {
            return;
        }
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let scale = 1.0 / (square_sum(x) / width as f32 + epsilon).sqrt();
            for ((y, &x), &w) in y.iter_mut().zip(x).zip(weight) {
                *y = x * scale * w;
            }
        }
    }
}

per_instruction_set! {
    /// The same in place.
    pub fn forward_in_place(x: &mut [f32], weight: &[f32], epsilon: f32) {
        let width = weight.len();
        if width == 0 {
            return;
        }
        for x in x.chunks_exact_mut(width) {
            let scale = 1.0 / (square_sum(x) / width as f32 + epsilon).sqrt();
            for (x, &w) in x.iter_mut().zip(weight) {
                *x = *x * scale * w;
            }
        }
    }
}

per_instruction_set! {
    /// The gradient with respect to `x` into `dx`, and that with respect to the weight added to
    /// `dweight`.
    ///
    /// ```text
    /// dxᵢ = s · (wᵢ dyᵢ − xᵢ s² · mean(w · dy · x))        dwᵢ = Σ_rows dyᵢ xᵢ s
    /// ```
    pub fn backward(
        x: &[f32],
        weight: &[f32],
        epsilon: f32,
        dy: &[f32],
        dx: &mut [f32],
        dweight: &mut [f32],
    ) {
        let width = weight.len();
        if width == 0 {
            return;
        }
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let scale = 1.0 / (square_sum(x) / width as f32 + epsilon).sqrt();
            for ((dx, &dy), &w) in dx.iter_mut().zip(dy).zip(weight) {
                *dx = dy * w;
            }
            let projection = dot(dx, x) * scale * scale / width as f32;
            for ((dw, &dy), &x) in dweight.iter_mut().zip(dy).zip(x) {
                *dw += dy * x * scale;
            }
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = (*dx - x * projection) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_by_hand() {
        // mean(3², 4²) = 12.5, so the row is divided by √12.5 = 3.5355.
        let mut y = [0.0; 2];
        forward(&[3.0, 4.0], &[1.0, 2.0], 0.0, &mut y);
        assert!(
            (y[0] - 0.848_528).abs() < 1e-6 && (y[1] - 2.262_742).abs() < 1e-6,
            "{y:?}"
        );
    }

    #[test]
    fn in_place_gives_the_same_bits() {
        let (x, weight) = ([0.3, -1.7, 2.9, 0.01, 5.0, -3.3], [1.5, -0.2, 0.7]);
        let mut y = [0.0; 6];
        forward(&x, &weight, 1e-6, &mut y);
        let mut x = x;
        forward_in_place(&mut x, &weight, 1e-6);
        assert_eq!(x, y);
    }
}

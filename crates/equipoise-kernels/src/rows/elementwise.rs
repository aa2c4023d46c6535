//! Sums and multiples of slices, compiled for every instruction set.

use crate::simd::per_instruction_set;

per_instruction_set! {
    /// y += x, element by element over the shorter of the two.
    pub fn add(y: &mut [f32], x: &[f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

per_instruction_set! {
    /// y += factor · x, the product rounded before the sum.
    pub fn add_scaled(y: &mut [f32], x: &[f32], factor: f32) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += factor * x;
        }
    }
}

per_instruction_set! {
    /// y *= factor.
    pub fn scale(y: &mut [f32], factor: f32) {
        for y in y.iter_mut() {
            *y *= factor;
        }
    }
}

per_instruction_set! {
    /// Adds `row` to every row of `y`, which are as long.
    pub fn add_to_rows(y: &mut [f32], row: &[f32]) {
        if row.is_empty() {
            return;
        }
        for y in y.chunks_exact_mut(row.len()) {
            for (y, x) in y.iter_mut().zip(row) {
                *y += x;
            }
        }
    }
}

per_instruction_set! {
    /// Adds every row of `rows` to `sum`, which is as long as a row, in order.
    pub fn add_columns(sum: &mut [f32], rows: &[f32]) {
        if sum.is_empty() {
            return;
        }
        for row in rows.chunks_exact(sum.len()) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut y = [1.0, 2.0, 3.0, 4.0];
        add(&mut y, &[1.0, 1.0]);
        assert_eq!(y, [2.0, 3.0, 3.0, 4.0]);
        add_scaled(&mut y, &[1.0; 4], 0.5);
        assert_eq!(y, [2.5, 3.5, 3.5, 4.5]);
        add_to_rows(&mut y, &[10.0, 20.0]);
        assert_eq!(y, [12.5, 23.5, 13.5, 24.5]);
        scale(&mut y, 2.0);
        assert_eq!(y, [25.0, 47.0, 27.0, 49.0]);
        let mut sum = [1.0, 1.0];
        add_columns(&mut sum, &y);
        assert_eq!(sum, [53.0, 97.0]);
        add_to_rows(&mut y, &[]);
        add_columns(&mut [], &y);
    }
}

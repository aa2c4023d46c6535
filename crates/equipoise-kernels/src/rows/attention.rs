//! Causal attention of one query over the keys before it.
//!
//! ```text
//! sⱼ = scale · q·kⱼ        p = softmax(s)        out = Σⱼ pⱼ vⱼ
//! ```
//!
//! Only a row of scores exists at a time, so memory grows linearly with the sequence.

use crate::simd::{dot, exp, exp_sum, max, per_instruction_set, sum};

/// Keys and values of consecutive positions: position j's vector is
/// `head_dim` long and starts at `j · stride`.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The keys, starting at the first position's.
    pub keys: &'a [f32],
    /// The values, likewise.
    pub values: &'a [f32],
    /// From one position to the next, in elements.
    pub stride: usize,
    /// How many positions.
    pub length: usize,
}

/// Attends `query` over the positions of two segments, the first before the second (either may be
/// empty), and writes the result to `out`. `scores` needs as many elements as there are positions.
///
/// The split into segments does not change a bit of the result: a sampler keeps the prompt's keys
/// once and each sample's own beside them.
///
/// # Panics
/// If a slice is too short.
pub fn attend(
    query: &[f32],
    segments: [Segment<'_>; 2],
    scale: f32,
    scores: &mut [f32],
    out: &mut [f32],
) {
    attend_inner(query, segments[0], segments[1], scale, scores, out);
}

per_instruction_set! {
    fn attend_inner(
        query: &[f32],
        first: Segment<'_>,
        second: Segment<'_>,
        scale: f32,
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let width = query.len();
        let scores = &mut scores[..first.length + second.length];
        let (head, tail) = scores.split_at_mut(first.length);
        for (segment, scores) in [(first, head), (second, tail)] {
            for (j, score) in scores.iter_mut().enumerate() {
                *score = scale * dot(query, &segment.keys[j * segment.stride..][..width]);
            }
        }
        let maximum = max(scores);
        let total = exp_sum(scores, maximum);
        out.fill(0.0);
        let (head, tail) = scores.split_at(first.length);
        for (segment, weights) in [(first, head), (second, tail)] {
            for (j, &weight) in weights.iter().enumerate() {
                let value = &segment.values[j * segment.stride..][..width];
                for (out, &v) in out.iter_mut().zip(value) {
                    *out = weight.mul_add(v, *out);
                }
            }
        }
        let inverse = 1.0 / total;
        for out in out.iter_mut() {
            *out *= inverse;
        }
    }
}

per_instruction_set! {
    /// Gradients of one query's attention over `length` positions (the query's own is the last):
    /// writes that of the query, adds those of keys and values. `probabilities` and `products` are
    /// scratch with room for `length` elements; strides as in [`Segment`].
    ///
    /// ```text
    /// dvⱼ += pⱼ do      dsⱼ = pⱼ (do·vⱼ − Σₖ pₖ do·vₖ)      dq = scale Σⱼ dsⱼ kⱼ      dkⱼ += scale dsⱼ q
    /// ```
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn backward(
        query: &[f32],
        keys: &[f32],
        values: &[f32],
        stride: usize,
        length: usize,
        scale: f32,
        dout: &[f32],
        probabilities: &mut [f32],
        products: &mut [f32],
        dquery: &mut [f32],
        dkeys: &mut [f32],
        dvalues: &mut [f32],
    ) {
        let width = query.len();
        let probabilities = &mut probabilities[..length];
        let products = &mut products[..length];
        for (j, score) in probabilities.iter_mut().enumerate() {
            *score = scale * dot(query, &keys[j * stride..][..width]);
        }
        let maximum = max(probabilities);
        for p in probabilities.iter_mut() {
            *p = exp(*p - maximum);
        }
        let inverse = 1.0 / sum(probabilities);
        for (j, (p, product)) in probabilities.iter_mut().zip(products.iter_mut()).enumerate() {
            *p *= inverse;
            *product = dot(dout, &values[j * stride..][..width]);
        }
        let mean = dot(probabilities, products);
        dquery.fill(0.0);
        for (j, (&p, &product)) in probabilities.iter().zip(products.iter()).enumerate() {
            let ds = scale * p * (product - mean);
            let at = j * stride;
            for (dv, &d) in dvalues[at..][..width].iter_mut().zip(dout) {
                *dv = p.mul_add(d, *dv);
            }
            for (dk, &q) in dkeys[at..][..width].iter_mut().zip(query) {
                *dk = ds.mul_add(q, *dk);
            }
            for (dq, &k) in dquery.iter_mut().zip(&keys[at..][..width]) {
                *dq = ds.mul_add(k, *dq);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_positions_by_hand() {
        // Scores 0 and ln 3 give weights ¼ and ¾.
        let (keys, values) = ([0.0, 3.0_f32.ln()], [4.0, 8.0]);
        let none = Segment {
            keys: &[],
            values: &[],
            stride: 1,
            length: 0,
        };
        let all = Segment {
            keys: &keys,
            values: &values,
            stride: 1,
            length: 2,
        };
        let (mut scores, mut out) = ([0.0; 2], [0.0; 1]);
        attend(&[1.0], [none, all], 1.0, &mut scores, &mut out);
        assert!((out[0] - 7.0).abs() < 1e-6, "{out:?}");
    }

    #[test]
    fn where_the_prompt_ends_changes_no_bit() {
        let (width, length) = (24, 37);
        let number = |i: usize| ((i * 7919) % 1013) as f32 / 500.0 - 1.0;
        let keys: Vec<f32> = (0..width * length).map(number).collect();
        let values: Vec<f32> = (0..width * length).map(|i| number(i + 5)).collect();
        let query: Vec<f32> = (0..width).map(|i| number(i + 9)).collect();
        let attend_split = |split: usize| {
            let segment = |from: usize, to: usize| Segment {
                keys: &keys[from * width..],
                values: &values[from * width..],
                stride: width,
                length: to - from,
            };
            let (mut scores, mut out) = (vec![0.0; length], vec![0.0; width]);
            let segments = [segment(0, split), segment(split, length)];
            attend(&query, segments, 0.2, &mut scores, &mut out);
            out
        };
        let whole = attend_split(0);
        for split in 1..=length {
            assert_eq!(attend_split(split), whole, "split at {split}");
        }
    }
}

//! Keys and values in blocks of sixteen positions, and the attention of one new row over them.
//!
//! A block holds its positions in every layer and key-value head: the keys transposed, so that one
//! vector holds an element of sixteen of them and no score needs a sum across a vector, and the values
//! position by position. The result has the bits of [`forward`](super::forward)'s row.

use super::Heads;
use crate::simd::{exp_sum, max, per_instruction_set};

/// Positions in a block.
pub const POSITIONS: usize = 16;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The number of layers.
    pub layers: usize,
    /// The heads of each.
    pub heads: Heads,
}

/// Consecutive positions: all blocks but the last are full.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The blocks, each [`Blocks::length`] numbers.
    pub blocks: &'a [Box<[f32]>],
    /// How many positions are filled.
    pub length: usize,
}

impl Segment<'_> {
    /// No positions.
    pub const EMPTY: Segment<'static> = Segment {
        blocks: &[],
        length: 0,
    };
}

impl Blocks {
    /// Numbers in a block.
    pub fn length(&self) -> usize {
        2 * self.layers * self.heads.key_value * self.heads.head_dim * POSITIONS
    }

    /// Where the keys of a layer's head start in a block; its values follow them.
    fn place(&self, layer: usize, head: usize) -> usize {
        2 * (layer * self.heads.key_value + head) * self.heads.head_dim * POSITIONS
    }

    /// Stores the key and value rows (all heads) of one position in a layer.
    ///
    /// # Panics
    /// If the block, the rows, the layer or the slot do not fit.
    pub fn store(&self, block: &mut [f32], layer: usize, slot: usize, key: &[f32], value: &[f32]) {
        let d = self.heads.head_dim;
        assert!(slot < POSITIONS && key.len() == self.heads.key_value * d);
        for (head, (key, value)) in key.chunks_exact(d).zip(value.chunks_exact(d)).enumerate() {
            let of_head = &mut block[self.place(layer, head)..][..2 * d * POSITIONS];
            let (keys, values) = of_head.split_at_mut(d * POSITIONS);
            for (keys, &key) in keys.chunks_exact_mut(POSITIONS).zip(key) {
                keys[slot] = key;
            }
            values[slot * d..][..d].copy_from_slice(value);
        }
    }

    /// Attends one token's queries (all heads) over the positions of two segments, the first before
    /// the second, in a layer, and writes the result to `out`. `scores` is scratch.
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn attend(
        &self,
        layer: usize,
        query: &[f32],
        segments: [Segment<'_>; 2],
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let Heads { head_dim, .. } = self.heads;
        scores.resize(segments[0].length + segments[1].length, 0.0);
        let heads = query
            .chunks_exact(head_dim)
            .zip(out.chunks_exact_mut(head_dim));
        for (head, (query, out)) in heads.enumerate() {
            let place = self.place(layer, head / self.heads.sharing());
            let [first, second] = segments;
            attend_head(query, first, second, place, self.heads.scale(), scores, out);
        }
    }
}

/// Products of a query with the keys of N blocks: one chain each, in ascending order.
#[inline(always)]
fn products<const N: usize>(
    query: &[f32],
    blocks: &[Box<[f32]>; N],
    place: usize,
) -> [[f32; POSITIONS]; N] {
    let mut sums = [[0.0_f32; POSITIONS]; N];
    let keys: [&[f32]; N] = std::array::from_fn(|b| &blocks[b][place..][..query.len() * POSITIONS]);
    for (i, &q) in query.iter().enumerate() {
        for (sums, keys) in sums.iter_mut().zip(keys) {
            let keys = &keys[i * POSITIONS..][..POSITIONS];
            for (sum, &key) in sums.iter_mut().zip(keys) {
                *sum = q.mul_add(key, *sum);
            }
        }
    }
    sums
}

/// The scores of a segment.
#[inline(always)]
fn segment_scores(query: &[f32], segment: Segment<'_>, place: usize, scale: f32, out: &mut [f32]) {
    // Four chains at a time hide some of the latency of one.
    let (fours, rest) = segment.blocks.as_chunks::<4>();
    let (mut quads, tail) = (out.chunks_mut(4 * POSITIONS), fours.len() * 4 * POSITIONS);
    let write = |sums: &[f32], out: &mut [f32]| {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = scale * sum;
        }
    };
    for blocks in fours {
        if let Some(out) = quads.next() {
            write(products(query, blocks, place).as_flattened(), out);
        }
    }
    if tail < out.len() {
        let (ones, _) = rest.as_chunks::<1>();
        for (block, out) in ones.iter().zip(out[tail..].chunks_mut(POSITIONS)) {
            write(products(query, block, place).as_flattened(), out);
        }
    }
}

/// Σⱼ weightⱼ · value of N·16 elements from `at` on, over the segment, onto `sums`.
#[inline(always)]
fn mix<const N: usize>(
    segment: Segment<'_>,
    weights: &[f32],
    place: usize,
    width: usize,
    sums: &mut [[f32; 16]; N],
) {
    for (block, weights) in segment.blocks.iter().zip(weights.chunks(POSITIONS)) {
        let values = &block[place..];
        for (j, &weight) in weights.iter().enumerate() {
            let value = &values[j * width..][..16 * N];
            for (sums, value) in sums.iter_mut().zip(value.chunks_exact(16)) {
                for (sum, &v) in sums.iter_mut().zip(value) {
                    *sum = weight.mul_add(v, *sum);
                }
            }
        }
    }
}

per_instruction_set! {
    fn attend_head(
        query: &[f32],
        first: Segment<'_>,
        second: Segment<'_>,
        place: usize,
        scale: f32,
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let width = query.len();
        let (head, tail) = scores.split_at_mut(first.length);
        segment_scores(query, first, place, scale, head);
        segment_scores(query, second, place, scale, tail);
        let maximum = max(scores);
        let inverse = 1.0 / exp_sum(scores, maximum);
        let (head, tail) = scores.split_at(first.length);
        let values = place + width * POSITIONS;
        let mut at = 0;
        while at + 64 <= width {
            let mut sums = [[0.0_f32; 16]; 4];
            mix(first, head, values + at, width, &mut sums);
            mix(second, tail, values + at, width, &mut sums);
            out[at..at + 64].copy_from_slice(sums.as_flattened());
            at += 64;
        }
        while at + 16 <= width {
            let mut sums = [[0.0_f32; 16]; 1];
            mix(first, head, values + at, width, &mut sums);
            mix(second, tail, values + at, width, &mut sums);
            out[at..at + 16].copy_from_slice(sums.as_flattened());
            at += 16;
        }
        let rest = &mut out[at..];
        rest.fill(0.0);
        for (segment, weights) in [(first, head), (second, tail)] {
            for (block, weights) in segment.blocks.iter().zip(weights.chunks(POSITIONS)) {
                for (j, &weight) in weights.iter().enumerate() {
                    let value = &block[values + at + j * width..];
                    for (out, &v) in rest.iter_mut().zip(value) {
                        *out = weight.mul_add(v, *out);
                    }
                }
            }
        }
        for out in out.iter_mut() {
            *out *= inverse;
        }
    }
}

//! Keys and values in blocks of sixteen positions, and the attention of one new row over them.
//!
//! A block holds its positions in every layer and key-value head: the keys transposed, so that one
//! vector holds an element of sixteen of them and no score needs a sum across a vector, and the values
//! position by position. The result has the bits of [`forward`](super::forward)'s row.

use std::cell::Cell;
use std::ops::Range;

use super::Heads;
use crate::simd::{exp_sum, fetch, max, per_instruction_set};

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
    /// the second, in a layer, and writes the result to `out`.
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn attend(&self, layer: usize, query: &[f32], segments: [Segment<'_>; 2], out: &mut [f32]) {
        let Heads { head_dim, .. } = self.heads;
        let chain = Chain(segments);
        let group = self.heads.sharing() * head_dim;
        let groups = query.chunks_exact(group).zip(out.chunks_exact_mut(group));
        let mut scores = SCORES.take();
        for (head, (query, out)) in groups.enumerate() {
            let place = self.place(layer, head);
            attend_group(
                query,
                chain,
                place,
                head_dim,
                self.heads.scale(),
                &mut scores,
                out,
            );
        }
        SCORES.set(scores);
    }
}

thread_local! {
    static SCORES: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The blocks of two segments, one after the other.
#[derive(Clone, Copy)]
struct Chain<'a>([Segment<'a>; 2]);

impl<'a> Chain<'a> {
    fn length(&self) -> usize {
        self.0[0].length + self.0[1].length
    }

    fn blocks(&self) -> usize {
        self.0[0].blocks.len() + self.0[1].blocks.len()
    }

    /// What a block holds from `place` on, and which positions.
    #[inline(always)]
    fn block(&self, at: usize, place: usize) -> (&'a [f32], Range<usize>) {
        let [first, second] = self.0;
        let (segment, at, before) = match at.checked_sub(first.blocks.len()) {
            None => (first, at, 0),
            Some(at) => (second, at, first.length),
        };
        let start = at * POSITIONS;
        let end = segment.length.min(start + POSITIONS);
        (&segment.blocks[at][place..], before + start..before + end)
    }

    /// Where a block's numbers from `place` on lie, to be fetched: those of the last one if there are
    /// not so many.
    #[inline(always)]
    fn address(&self, at: usize, place: usize) -> *const f32 {
        let at = at.min(self.blocks().saturating_sub(1));
        self.block(at, place).0.as_ptr()
    }
}

/// Products of Q queries, one after the other in `query`, with the keys of N blocks: one chain each, in
/// ascending order. Meanwhile as many numbers of the blocks at `next` are fetched.
#[inline(always)]
fn products<const Q: usize, const N: usize>(
    query: &[f32],
    keys: [&[f32]; N],
    next: [*const f32; N],
    width: usize,
) -> [[[f32; POSITIONS]; N]; Q] {
    let mut sums = [[[0.0_f32; POSITIONS]; N]; Q];
    let queries: [&[f32]; Q] = std::array::from_fn(|q| &query[q * width..][..width]);
    let keys: [&[[f32; POSITIONS]]; N] = std::array::from_fn(|n| &keys[n].as_chunks().0[..width]);
    for i in 0..width {
        for next in next {
            fetch(next.wrapping_add(i * POSITIONS));
        }
        for q in 0..Q {
            let x = queries[q][i];
            for n in 0..N {
                for (sum, &key) in sums[q][n].iter_mut().zip(&keys[n][i]) {
                    *sum = x.mul_add(key, *sum);
                }
            }
        }
    }
    sums
}

/// The scores of Q queries with N blocks, each query's `length` apart.
#[inline(always)]
fn score<const Q: usize, const N: usize>(
    query: &[f32],
    chain: Chain<'_>,
    at: usize,
    next: [*const f32; N],
    [place, width]: [usize; 2],
    scale: f32,
    scores: &mut [f32],
) {
    let length = chain.length();
    let blocks: [(&[f32], Range<usize>); N] = std::array::from_fn(|n| chain.block(at + n, place));
    let keys = std::array::from_fn(|n| blocks[n].0);
    let sums = products::<Q, N>(query, keys, next, width);
    for (q, sums) in sums.iter().enumerate() {
        for (sums, (_, positions)) in sums.iter().zip(&blocks) {
            let scores = &mut scores[q * length..][positions.clone()];
            for (out, sum) in scores.iter_mut().zip(sums) {
                *out = scale * sum;
            }
        }
    }
}

/// Σⱼ weightⱼ · value of N·16 elements from `from` on, over the chain, for Q queries whose weights are
/// `length` apart.
#[inline(always)]
fn mix<const Q: usize, const N: usize>(
    chain: Chain<'_>,
    weights: &[f32],
    place: usize,
    width: usize,
) -> [[[f32; 16]; N]; Q] {
    let mut sums = [[[0.0_f32; 16]; N]; Q];
    let length = chain.length();
    for at in 0..chain.blocks() {
        let (values, positions) = chain.block(at, place);
        let next = chain.address(at + 1, place);
        let weights: [&[f32]; Q] =
            std::array::from_fn(|q| &weights[q * length..][positions.clone()]);
        for j in 0..positions.len() {
            for n in 0..N {
                fetch(next.wrapping_add(j * width + n * 16));
            }
            let (values, _) = values[j * width..][..16 * N].as_chunks::<16>();
            for q in 0..Q {
                let weight = weights[q][j];
                for n in 0..N {
                    for (sum, &v) in sums[q][n].iter_mut().zip(&values[n]) {
                        *sum = weight.mul_add(v, *sum);
                    }
                }
            }
        }
    }
    sums
}

/// Q queries that share their keys and values: Q·N is the number of chains that are computed at once,
/// of sixteen lanes each, which hides the latency of one.
#[inline(always)]
fn attend_heads<const Q: usize, const N: usize>(
    query: &[f32],
    chain: Chain<'_>,
    [place, width]: [usize; 2],
    scale: f32,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (blocks, length) = (chain.blocks(), chain.length());
    let (keys, values) = ([place, width], place + width * POSITIONS);
    let mut at = 0;
    while at + N <= blocks {
        let after = at + N;
        let next = std::array::from_fn(|n| match after < blocks {
            true => chain.address(after + n, place),
            false => chain.address(n, values),
        });
        score::<Q, N>(query, chain, at, next, keys, scale, scores);
        at = after;
    }
    while at < blocks {
        let next = match at + 1 < blocks {
            true => chain.address(at + 1, place),
            false => chain.address(0, values),
        };
        score::<Q, 1>(query, chain, at, [next], keys, scale, scores);
        at += 1;
    }
    let mut inverses = [0.0; Q];
    for (q, inverse) in inverses.iter_mut().enumerate() {
        let scores = &mut scores[q * length..][..length];
        let maximum = max(scores);
        *inverse = 1.0 / exp_sum(scores, maximum);
    }
    let mut at = 0;
    while at + 16 * N <= width {
        let sums = mix::<Q, N>(chain, scores, values + at, width);
        for ((q, sums), inverse) in sums.iter().enumerate().zip(inverses) {
            let out = &mut out[q * width + at..][..16 * N];
            for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
                *out = sum * inverse;
            }
        }
        at += 16 * N;
    }
    while at + 16 <= width {
        let sums = mix::<Q, 1>(chain, scores, values + at, width);
        for ((q, sums), inverse) in sums.iter().enumerate().zip(inverses) {
            let out = &mut out[q * width + at..][..16];
            for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
                *out = sum * inverse;
            }
        }
        at += 16;
    }
    for (q, inverse) in inverses.into_iter().enumerate() {
        let rest = &mut out[q * width + at..(q + 1) * width];
        rest.fill(0.0);
        for block in 0..blocks {
            let (block, positions) = chain.block(block, values + at);
            let weights = &scores[q * length..][positions];
            for (j, &weight) in weights.iter().enumerate() {
                for (out, &v) in rest.iter_mut().zip(&block[j * width..]) {
                    *out = weight.mul_add(v, *out);
                }
            }
        }
        for out in rest {
            *out *= inverse;
        }
    }
}

per_instruction_set! {
    /// All queries of one key-value head.
    fn attend_group(
        query: &[f32],
        chain: Chain<'_>,
        place: usize,
        width: usize,
        scale: f32,
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        scores.resize(2 * chain.length(), 0.0);
        let place = [place, width];
        let (mut query, mut out) = (query, out);
        while query.len() >= 2 * width && width > 0 {
            let (now, later) = out.split_at_mut(2 * width);
            attend_heads::<2, 2>(query, chain, place, scale, scores, now);
            (query, out) = (&query[2 * width..], later);
        }
        if !query.is_empty() {
            attend_heads::<1, 4>(query, chain, place, scale, scores, out);
        }
    }
}

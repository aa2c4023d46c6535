//! Causal grouped-query attention over packed sequences, block by block.
//!
//! ```text
//! sₜⱼ = scale · qₜ·kⱼ  (j ≤ t)        pₜ = softmax(sₜ)        outₜ = Σⱼ pₜⱼ vⱼ        scale = head_dim^(−1/2)
//! ```
//!
//! Several query heads share one key-value head (Ainslie et al., arXiv:2305.13245). Scores exist for
//! one block of queries at a time, on each thread, and the backward pass computes them again (as
//! Dao et al., arXiv:2205.14135, but with whole rows: no running maximum is needed), so memory grows
//! linearly with a sequence. Every score is one chain of fused multiply-adds over the head's
//! elements, and every element of the result one over the positions, in ascending order; so a row
//! has the same bits whatever else is computed with it, and [`cache::Blocks`] computes the
//! same ones for a sampler. For the same reason a prompt that many sequences begin with can stand in
//! the batch once ([`Sequences`]): what follows it gets the bits it would get beside a copy of its own.

mod backward;
pub mod cache;
mod forward;
mod sequences;
mod tiles;

use std::marker::PhantomData;

pub use backward::backward;
pub use forward::forward;
pub use sequences::Sequences;

/// The heads of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// How many heads queries have.
    pub query: usize,
    /// How many heads keys and values have; it divides the number of query heads.
    pub key_value: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl Heads {
    /// Query heads that share one key-value head.
    fn sharing(&self) -> usize {
        self.query / self.key_value
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    fn check(&self, query: usize, key: usize, value: usize, tokens: usize) {
        assert!(
            self.key_value > 0 && self.query.is_multiple_of(self.key_value),
            "{self:?}"
        );
        // Checked: that tasks write disjoint rows rests on every row being where it seems to be. As none
        // of the products overflows for the last token, none does for an earlier one.
        let length = |heads: usize| tokens.checked_mul(heads)?.checked_mul(self.head_dim);
        let (wide, narrow) = (length(self.query), length(self.key_value));
        let found = (Some(query), Some(key), Some(value));
        assert_eq!(found, (wide, narrow, narrow), "{self:?}");
    }
}

/// Queries a task works on at a time.
const QUERIES: usize = 64;

/// Rows of several heads which tasks write side by side, each its own heads of its own rows.
struct SharedRows<'a> {
    start: *mut f32,
    length: usize,
    width: usize,
    head_dim: usize,
    rows: PhantomData<&'a mut [f32]>,
}

// SAFETY: threads reach the memory through `head` alone, whose callers promise disjoint segments.
unsafe impl Sync for SharedRows<'_> {}

impl<'a> SharedRows<'a> {
    fn new(rows: &'a mut [f32], heads: usize, head_dim: usize) -> Self {
        Self {
            start: rows.as_mut_ptr(),
            length: rows.len(),
            width: heads * head_dim,
            head_dim,
            rows: PhantomData,
        }
    }

    /// One head of one row.
    ///
    /// # Safety
    /// No two live borrows may be of the same head of the same row.
    #[expect(clippy::mut_from_ref, reason = "the caller promises disjointness")]
    unsafe fn head(&self, row: usize, head: usize) -> &mut [f32] {
        let at = row * self.width + head * self.head_dim;
        assert!(head * self.head_dim < self.width && row < self.length / self.width);
        // SAFETY: the segment lies inside the borrowed rows, and the caller promises that nobody
        // else holds it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), self.head_dim) }
    }
}

#[cfg(test)]
mod tests;

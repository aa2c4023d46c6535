//! Interim.
use rayon::prelude::*;
use crate::rows::attention::{Segment, attend, backward as backward_row};

/// Heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// q
    pub query: usize,
    /// kv
    pub key_value: usize,
    /// d
    pub head_dim: usize,
}

/// f
pub fn forward(h: Heads, q: &[f32], k: &[f32], v: &[f32], offsets: &[usize], out: &mut [f32]) {
    let (qw, kw, d) = (h.query * h.head_dim, h.key_value * h.head_dim, h.head_dim);
    let scale = 1.0 / (d as f32).sqrt();
    let mut starts = vec![0; out.len() / qw];
    for w in offsets.windows(2) { starts[w[0]..w[1]].fill(w[0]); }
    out.par_chunks_mut(qw).enumerate().for_each(|(t, out)| {
        let start = starts[t];
        let n = t + 1 - start;
        let mut scores = vec![0.0; n];
        for head in 0..h.query {
            let kv = head / (h.query / h.key_value) * d;
            let seg = Segment { keys: &k[start * kw + kv..], values: &v[start * kw + kv..], stride: kw, length: n };
            let none = Segment { keys: &[], values: &[], stride: 0, length: 0 };
            attend(&q[t * qw + head * d..][..d], [none, seg], scale, &mut scores, &mut out[head * d..][..d]);
        }
    });
}

/// b
#[allow(clippy::too_many_arguments)]
pub fn backward(h: Heads, q: &[f32], k: &[f32], v: &[f32], dout: &[f32], offsets: &[usize], dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
    let (qw, kw, d) = (h.query * h.head_dim, h.key_value * h.head_dim, h.head_dim);
    let scale = 1.0 / (d as f32).sqrt();
    dk.fill(0.0);
    dv.fill(0.0);
    for w in offsets.windows(2) {
        for t in w[0]..w[1] {
            let n = t + 1 - w[0];
            let (mut p, mut g) = (vec![0.0; n], vec![0.0; n]);
            for head in 0..h.query {
                let kv = w[0] * kw + head / (h.query / h.key_value) * d;
                backward_row(&q[t * qw + head * d..][..d], &k[kv..], &v[kv..], kw, n, scale, &dout[t * qw + head * d..][..d], &mut p, &mut g, &mut dq[t * qw + head * d..][..d], &mut dk[kv..], &mut dv[kv..]);
            }
        }
    }
}

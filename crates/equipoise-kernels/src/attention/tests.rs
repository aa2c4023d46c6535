//! Attention against its definition in double precision, and what must not change a bit.

use super::cache::{Blocks, POSITIONS, Segment};
use super::*;
use equipoise_core::{Domain, Stream};

fn random(length: usize, seed: u64) -> Vec<f32> {
    let mut stream = Stream::new(seed, Domain::Other, [1, 2, 3]);
    (0..length).map(|_| stream.normal() as f32).collect()
}

const LENGTHS: [usize; 9] = [1, 15, 0, 16, 17, 33, 100, 64, 300];

fn offsets(lengths: &[usize]) -> Vec<usize> {
    let mut offsets = vec![0];
    for length in lengths {
        offsets.push(offsets.last().unwrap() + length);
    }
    offsets
}

fn shapes() -> Vec<Heads> {
    let shape = |query, key_value, head_dim| Heads {
        query,
        key_value,
        head_dim,
    };
    vec![
        shape(1, 1, 6),
        shape(4, 2, 24),
        shape(7, 1, 64),
        shape(2, 2, 80),
    ]
}

/// The definition, with its gradient for the scalar Σ cotangent · out.
struct Reference {
    out: Vec<f64>,
    dquery: Vec<f64>,
    dkey: Vec<f64>,
    dvalue: Vec<f64>,
}

fn reference(
    heads: Heads,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    dout: &[f32],
    offsets: &[usize],
) -> Reference {
    let d = heads.head_dim;
    let scale = 1.0 / (d as f64).sqrt();
    let mut r = Reference {
        out: vec![0.0; q.len()],
        dquery: vec![0.0; q.len()],
        dkey: vec![0.0; k.len()],
        dvalue: vec![0.0; k.len()],
    };
    let product = |x: &[f32], y: &[f32]| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    for pair in offsets.windows(2) {
        for t in pair[0]..pair[1] {
            for h in 0..heads.query {
                let at = (t * heads.query + h) * d;
                let of = |j: usize| (j * heads.key_value + h / heads.sharing()) * d;
                let (q, dout) = (&q[at..at + d], &dout[at..at + d]);
                let js = pair[0]..t + 1;
                let scores: Vec<f64> = js
                    .clone()
                    .map(|j| scale * product(q, &k[of(j)..of(j) + d]))
                    .collect();
                let most = scores.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = scores.iter().map(|s| (s - most).exp()).sum();
                let p: Vec<f64> = scores.iter().map(|s| (s - most).exp() / total).collect();
                let dp: Vec<f64> = js
                    .clone()
                    .map(|j| product(dout, &v[of(j)..of(j) + d]))
                    .collect();
                let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                for (j, (p, dp)) in js.zip(p.iter().zip(&dp)) {
                    let ds = scale * p * (dp - mean);
                    for i in 0..d {
                        r.out[at + i] += p * f64::from(v[of(j) + i]);
                        r.dvalue[of(j) + i] += p * f64::from(dout[i]);
                        r.dquery[at + i] += ds * f64::from(k[of(j) + i]);
                        r.dkey[of(j) + i] += ds * f64::from(q[i]);
                    }
                }
            }
        }
    }
    r
}

fn close(what: &str, found: &[f32], expected: &[f64]) {
    let largest = expected.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
    for (at, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error < 3e-6 * largest,
            "{what} {at}: {found}, expected {expected}"
        );
    }
}

struct Run {
    out: Vec<f32>,
    gradients: [Vec<f32>; 3],
}

fn run(heads: Heads, operands: &[Vec<f32>; 4], offsets: &[usize]) -> Run {
    run_sequences(heads, operands, &Sequences::from_offsets(offsets))
}

fn run_sequences(heads: Heads, operands: &[Vec<f32>; 4], sequences: &Sequences) -> Run {
    let [q, k, v, dout] = operands;
    // Whatever was there before does not matter.
    let mut out = vec![f32::NAN; q.len()];
    forward(heads, q, k, v, sequences, &mut out);
    let mut gradients = [q, k, v].map(|x| vec![f32::NAN; x.len()]);
    let [dq, dk, dv] = &mut gradients;
    backward(heads, q, k, v, dout, sequences, dq, dk, dv);
    Run { out, gradients }
}

fn operands(heads: Heads, tokens: usize) -> [Vec<f32>; 4] {
    let (wide, narrow) = (
        tokens * heads.query * heads.head_dim,
        tokens * heads.key_value * heads.head_dim,
    );
    [
        random(wide, 1),
        random(narrow, 2),
        random(narrow, 3),
        random(wide, 4),
    ]
}

#[test]
fn two_positions_by_hand() {
    // One head of one element: scores 0 and ln 3 give weights ¼ and ¾, so 4 and 8 give 7. With a
    // cotangent of 1 there, dv = (¼, ¾), and ds₁ = ¾(8 − 7) = ¾ = −ds₀.
    let heads = Heads {
        query: 1,
        key_value: 1,
        head_dim: 1,
    };
    let ln3 = 3.0_f32.ln();
    let operands = [
        vec![0.0, 1.0],
        vec![0.0, ln3],
        vec![4.0, 8.0],
        vec![0.0, 1.0],
    ];
    let run = run(heads, &operands, &[0, 2]);
    let expected = [
        (&run.out, [4.0, 7.0]),
        (&run.gradients[0], [0.0, 0.75 * ln3]),
        (&run.gradients[1], [-0.75, 0.75]),
        (&run.gradients[2], [0.25, 0.75]),
    ];
    for (found, expected) in expected {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
}

#[test]
fn forward_and_gradients_are_those_of_the_definition() {
    let offsets = offsets(&LENGTHS);
    for heads in shapes() {
        let operands = operands(heads, *offsets.last().unwrap());
        let [q, k, v, dout] = &operands;
        let expected = reference(heads, q, k, v, dout, &offsets);
        let found = run(heads, &operands, &offsets);
        close("out", &found.out, &expected.out);
        close("dquery", &found.gradients[0], &expected.dquery);
        close("dkey", &found.gradients[1], &expected.dkey);
        close("dvalue", &found.gradients[2], &expected.dvalue);
    }
}

/// Long enough for several spans of queries.
#[test]
fn a_long_sequence_agrees_too() {
    let heads = shapes()[1];
    let offsets = [0, 1100];
    let operands = operands(heads, 1100);
    let [q, k, v, dout] = &operands;
    let expected = reference(heads, q, k, v, dout, &offsets);
    let found = run(heads, &operands, &offsets);
    close("out", &found.out, &expected.out);
    close("dkey", &found.gradients[1], &expected.dkey);
}

#[test]
fn neither_threads_nor_company_change_a_bit() {
    let offsets = offsets(&LENGTHS);
    for heads in shapes() {
        let operands = operands(heads, *offsets.last().unwrap());
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| run(heads, &operands, &offsets))
        };
        let (one, three) = (with(1), with(3));
        assert_eq!(one.out, three.out);
        assert_eq!(one.gradients, three.gradients);
        for pair in offsets.windows(2) {
            let part = |x: &[f32], heads: usize, d: usize| {
                x[pair[0] * heads * d..pair[1] * heads * d].to_vec()
            };
            let d = heads.head_dim;
            let [q, k, v, dout] = &operands;
            let alone = [
                part(q, heads.query, d),
                part(k, heads.key_value, d),
                part(v, heads.key_value, d),
                part(dout, heads.query, d),
            ];
            let alone = run(heads, &alone, &[0, pair[1] - pair[0]]);
            assert_eq!(alone.out, part(&one.out, heads.query, d));
            let [_, dkey, _] = &one.gradients;
            assert_eq!(alone.gradients[1], part(dkey, heads.key_value, d));
        }
    }
}

/// What the sampler computes is what the trainer computes, wherever the prompt ends.
#[test]
fn the_cache_gives_the_bits_of_the_whole_sequence() {
    for heads in shapes() {
        let length = 75;
        let [q, k, v, _] = operands(heads, length);
        let mut whole = vec![0.0; q.len()];
        let sequences = Sequences::from_offsets(&[0, length]);
        forward(heads, &q, &k, &v, &sequences, &mut whole);
        let (wide, narrow) = (
            heads.query * heads.head_dim,
            heads.key_value * heads.head_dim,
        );
        // The second of three layers, so that a wrong place is found.
        let blocks = Blocks { layers: 3, heads };
        let filled = |from: usize, to: usize| {
            let count = (to - from).div_ceil(POSITIONS);
            let mut memory: Vec<Box<[f32]>> = vec![vec![f32::NAN; blocks.length()].into(); count];
            for t in from..to {
                let (block, slot) = ((t - from) / POSITIONS, (t - from) % POSITIONS);
                let (key, value) = (&k[t * narrow..][..narrow], &v[t * narrow..][..narrow]);
                blocks.store(&mut memory[block], 1, slot, key, value);
            }
            memory
        };
        for prompt in [0, 1, 16, 37] {
            let prefix = filled(0, prompt);
            for t in [prompt, prompt + 3, length - 1] {
                let own = filled(prompt, t + 1);
                let segments = [
                    Segment {
                        blocks: &prefix,
                        length: prompt,
                    },
                    Segment {
                        blocks: &own,
                        length: t + 1 - prompt,
                    },
                ];
                let mut out = vec![f32::NAN; wide];
                let query = &q[t * wide..][..wide];
                blocks.attend(1, query, segments, &mut out);
                assert_eq!(
                    out,
                    whole[t * wide..][..wide],
                    "prompt {prompt}, position {t}"
                );
            }
        }
    }
}

/// Sizes whose products wrap around would let tasks write to the same place.
#[test]
fn absurd_offsets_and_late_starts_are_refused() {
    let heads = Heads {
        query: 4,
        key_value: 4,
        head_dim: 1,
    };
    let x = [0.0; 4];
    for offsets in [&[0, 1, 1 << 62, (1 << 62) + 1][..], &[1, 1]] {
        let refused = std::panic::catch_unwind(|| {
            let sequences = Sequences::from_offsets(offsets);
            forward(heads, &x, &x, &x, &sequences, &mut [0.0; 4]);
        });
        assert!(refused.is_err(), "{offsets:?}");
    }
}

/// A prefix that stands once gives what copies of it would: the same bits forwards and for what each
/// sequence has alone, and the sum of the copies' gradients.
#[test]
fn a_shared_prefix_is_a_copy_for_each() {
    // Two families: a prefix with no tokens of its own beside it, one with an empty continuation and
    // some longer than a block and than a span of queries. Between them a sequence that shares nothing.
    let families: [(usize, &[usize]); 3] = [(37, &[5, 0, 70, 1]), (0, &[9]), (130, &[64, 3, 600])];
    for heads in shapes() {
        let d = heads.head_dim;
        let mut sequences = Sequences::default();
        // For every row of the copies, the row that stands for it.
        let (mut copied, mut offsets) = (Vec::new(), vec![0]);
        for (prefix, lengths) in families {
            let prefix = match prefix {
                0 => 0..0,
                _ => sequences.push(0..0, prefix),
            };
            for &length in lengths {
                let own = sequences.push(prefix.clone(), length);
                copied.extend(prefix.clone().chain(own));
                offsets.push(copied.len());
            }
        }
        let few = operands(heads, sequences.tokens());
        let widths = [heads.query, heads.key_value, heads.key_value, heads.query].map(|h| h * d);
        let mut at = 0;
        let mut many = few.each_ref().map(|x| {
            let width = widths[at];
            at += 1;
            copied
                .iter()
                .flat_map(|row| x[row * width..][..width].to_vec())
                .collect::<Vec<f32>>()
        });
        // A result that stands once has one cotangent: the first of its copies has it.
        let mut seen = std::collections::HashSet::new();
        for (dout, row) in many[3].chunks_exact_mut(widths[0]).zip(&copied) {
            if !seen.insert(row) {
                dout.fill(0.0);
            }
        }
        let copies = run(heads, &many, &offsets);
        let shared = run_sequences(heads, &few, &sequences);
        for (out, row) in copies.out.chunks_exact(widths[0]).zip(&copied) {
            assert_eq!(out, &shared.out[row * widths[0]..][..widths[0]], "{row}");
        }
        for (which, width) in [(0, widths[0]), (1, widths[1]), (2, widths[2])] {
            let mut sums = vec![0.0_f64; shared.gradients[which].len()];
            for (copy, row) in copies.gradients[which].chunks_exact(width).zip(&copied) {
                for (sum, x) in sums[row * width..][..width].iter_mut().zip(copy) {
                    *sum += f64::from(*x);
                }
            }
            close("gradient", &shared.gradients[which], &sums);
        }
        let three = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        let again = three.install(|| run_sequences(heads, &few, &sequences));
        assert_eq!(again.gradients, shared.gradients);
    }
}

#[test]
fn a_prefix_must_stand_before_what_goes_on_from_it() {
    let refused = std::panic::catch_unwind(|| {
        let mut sequences = Sequences::from_offsets(&[0, 3]);
        sequences.push(1..4, 2)
    });
    assert!(refused.is_err());
}

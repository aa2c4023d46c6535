//! Which of several sources an example comes from.

use equipoise_core::{Domain, Stream};

use crate::rows::DataError;

/// The place of the mixture's offsets among the streams of [`Domain::Shuffle`].
const MIXTURE: u64 = 2;

/// Deals numbers to sources by weight: *which source has number n, and which of its own numbers is
/// that?* Both are functions of the weights, the seed and `n` alone, found in a time that does not
/// grow with `n`.
///
/// The sources are the leaves of a binary tree. A node whose left side has the share p of its weight
/// sends to the left, of its first n numbers,
///
/// ```text
/// L(n) = ⌊n·p + u⌋      u in [0, 1) from the stream (seed, Shuffle, [0, 2, node])
/// ```
///
/// and the others to the right: a sequence of low discrepancy (Beatty, 1926), not a draw. Since
/// |L(n) − n·p| < 1 at every node, the first n numbers hold of a source of share w, under d nodes,
///
/// ```text
/// |count(n) − n·w| < d ≤ ⌈log₂ sources⌉
/// ```
///
/// so that every batch has the mixture that was asked for, to within a few examples. Shares are whole
/// multiples of 2⁻⁶⁴ and all arithmetic is exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMixture {
    sources: usize,
    /// The inner nodes of the tree, a node before those under it; the root is the first.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    /// The share of the left side, in 2⁻⁶⁴.
    share: u64,
    /// What is added before rounding down, in 2⁻⁶⁴.
    offset: u64,
    left: Child,
    right: Child,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Node(usize),
    Source(usize),
}

impl Node {
    /// How many of the node's first `count` numbers go to the left.
    fn left_of(&self, count: u64) -> u64 {
        // At most (2⁶⁴ − 1)² + 2⁶⁴ − 1, which 128 bits hold.
        ((u128::from(count) * u128::from(self.share) + u128::from(self.offset)) >> 64) as u64
    }
}

impl SourceMixture {
    /// A mixture of sources with these weights, of which only the ratios count.
    ///
    /// # Errors
    /// No weight, or one that is not above 0 and finite.
    pub fn new(weights: &[f64], seed: u64) -> Result<Self, DataError> {
        let bad = weights
            .iter()
            .position(|weight| !(weight.is_finite() && *weight > 0.0));
        if let Some(at) = bad {
            return Err(DataError::Setting {
                key: format!("sources[{at}].weight"),
                got: weights[at].to_string(),
                expected: "it must be above 0".into(),
            });
        }
        if weights.is_empty() {
            return Err(DataError::Setting {
                key: "sources".into(),
                got: "[]".into(),
                expected: "name at least one source".into(),
            });
        }
        let mut nodes = Vec::new();
        // Weights are compared to the largest, so that their sum is finite.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let weights: Vec<f64> = weights.iter().map(|weight| weight / largest).collect();
        grow(&mut nodes, &weights, 0, seed);
        Ok(Self {
            sources: weights.len(),
            nodes,
        })
    }

    /// How many sources there are.
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// The source of number `number`, and which of the source's own numbers, from 0, it is.
    ///
    /// ```
    /// use equipoise_data::SourceMixture;
    ///
    /// let mixture = SourceMixture::new(&[3.0, 1.0], 7)?;
    /// let of_first = (0..400).filter(|&n| mixture.locate(n).0 == 0).count();
    /// assert!(of_first.abs_diff(300) <= 1);
    /// # Ok::<(), equipoise_data::DataError>(())
    /// ```
    pub fn locate(&self, number: u64) -> (usize, u64) {
        let mut number = number;
        let mut at = if self.nodes.is_empty() {
            Child::Source(0)
        } else {
            Child::Node(0)
        };
        loop {
            let node = match at {
                Child::Source(source) => return (source, number),
                Child::Node(node) => &self.nodes[node],
            };
            let before = node.left_of(number);
            // The last number of all has no successor; where it goes matters to nobody.
            let goes_left = node.left_of(number.saturating_add(1)) > before;
            (at, number) = match goes_left {
                true => (node.left, before),
                false => (node.right, number - before),
            };
        }
    }

    /// How many of the first `count` numbers each source has.
    pub fn counts(&self, count: u64) -> Vec<u64> {
        let mut counts = vec![0; self.sources];
        let root = if self.nodes.is_empty() {
            Child::Source(0)
        } else {
            Child::Node(0)
        };
        let mut open = vec![(root, count)];
        while let Some((child, count)) = open.pop() {
            match child {
                Child::Source(source) => counts[source] = count,
                Child::Node(node) => {
                    let node = &self.nodes[node];
                    let left = node.left_of(count);
                    open.extend([(node.left, left), (node.right, count - left)]);
                }
            }
        }
        counts
    }
}

/// Adds the tree of the sources `first..first + weights.len()`.
fn grow(nodes: &mut Vec<Node>, weights: &[f64], first: usize, seed: u64) -> Child {
    if weights.len() < 2 {
        return Child::Source(first);
    }
    let (left, right) = weights.split_at(weights.len() / 2);
    let sum = |side: &[f64]| side.iter().sum::<f64>();
    let share = sum(left) / (sum(left) + sum(right));
    let index = nodes.len();
    nodes.push(Node {
        // The conversion of a float saturates, and a side that has weight must get something.
        share: ((share * 2_f64.powi(64)) as u64).max(1),
        offset: Stream::new(seed, Domain::Shuffle, [0, MIXTURE, index as u64]).next_u64(),
        left: Child::Source(first),
        right: Child::Source(first),
    });
    let at = weights.len() / 2;
    let left = grow(nodes, left, first, seed);
    let right = grow(nodes, right, first + at, seed);
    (nodes[index].left, nodes[index].right) = (left, right);
    Child::Node(index)
}

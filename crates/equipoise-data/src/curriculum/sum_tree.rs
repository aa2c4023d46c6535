//! A tree of sums: priorities that are changed and drawn in logarithmic time.

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// Weights with their sum and their smallest, both kept up to date when one weight changes
/// (arXiv:1511.05952, appendix B.2).
///
/// Every inner number is the sum of the two below it, computed anew whenever one of them changes.
/// So the tree is a function of the weights alone, and one that was saved and read back draws the
/// same.
///
/// ```
/// use equipoise_data::curriculum::SumTree;
///
/// let mut tree = SumTree::new(3);
/// for (index, weight) in [1.0, 4.0, 2.0].into_iter().enumerate() {
///     tree.set(index, weight)?;
/// }
/// assert_eq!(tree.total(), 7.0);
/// // The weights lie side by side: [0, 1), [1, 5), [5, 7).
/// assert_eq!([0.5, 1.0, 4.9, 5.0, 6.9].map(|point| tree.find(point).unwrap()), [0, 1, 1, 2, 2]);
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<f64>", into = "Vec<f64>")]
pub struct SumTree {
    count: usize,
    /// The root is at 1, and the children of i at 2i and 2i + 1; the leaves begin at half the length.
    sums: Vec<f64>,
    /// The smallest positive weight below each node; infinity if there is none.
    smallest: Vec<f64>,
}

impl SumTree {
    /// A tree of that many weights, all 0.
    pub fn new(count: usize) -> Self {
        let leaves = count.next_power_of_two();
        Self {
            count,
            sums: vec![0.0; 2 * leaves],
            smallest: vec![f64::INFINITY; 2 * leaves],
        }
    }

    /// How many weights there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sum of all weights.
    pub fn total(&self) -> f64 {
        self.sums[1]
    }

    /// The smallest weight above 0; `None` if all are 0.
    pub fn smallest(&self) -> Option<f64> {
        Some(self.smallest[1]).filter(|weight| weight.is_finite())
    }

    /// A weight; 0 for an index beyond the last.
    pub fn get(&self, index: usize) -> f64 {
        match index < self.count {
            true => self.sums[self.sums.len() / 2 + index],
            false => 0.0,
        }
    }

    /// Changes a weight.
    ///
    /// # Errors
    /// [`CurriculumError::OutOfRange`] beyond the last weight, and
    /// [`CurriculumError::InvalidSetting`] for one that is negative or not finite.
    pub fn set(&mut self, index: usize, weight: f64) -> Result<(), CurriculumError> {
        if index >= self.count {
            return Err(CurriculumError::OutOfRange {
                what: "weight",
                index,
                count: self.count,
            });
        }
        let possible = weight >= 0.0 && weight.is_finite();
        CurriculumError::check(possible, "weight", weight, "at least 0 and finite")?;
        let mut node = self.sums.len() / 2 + index;
        self.sums[node] = weight;
        self.smallest[node] = if weight > 0.0 { weight } else { f64::INFINITY };
        while node > 1 {
            node /= 2;
            self.join(node);
        }
        Ok(())
    }

    fn join(&mut self, node: usize) {
        let (left, right) = (2 * node, 2 * node + 1);
        self.sums[node] = self.sums[left] + self.sums[right];
        self.smallest[node] = self.smallest[left].min(self.smallest[right]);
    }

    /// The index whose weight covers `point` when all lie side by side from 0 to the sum; points
    /// outside belong to the first or last weight above 0. `None` if all are 0.
    pub fn find(&self, point: f64) -> Option<usize> {
        let leaves = self.sums.len() / 2;
        let (mut node, mut left) = (1, point);
        // Rounding must never lead into a part without weight.
        if self.sums[1] <= 0.0 {
            return None;
        }
        while node < leaves {
            let (first, second) = (2 * node, 2 * node + 1);
            if self.sums[second] <= 0.0 || (left < self.sums[first] && self.sums[first] > 0.0) {
                node = first;
            } else {
                left -= self.sums[first];
                node = second;
            }
        }
        Some(node - leaves)
    }
}

impl From<Vec<f64>> for SumTree {
    /// A tree of these weights; those that are negative or not finite become 0.
    fn from(weights: Vec<f64>) -> Self {
        let mut tree = Self::new(weights.len());
        let leaves = tree.sums.len() / 2;
        for (index, weight) in weights.into_iter().enumerate() {
            if weight > 0.0 && weight.is_finite() {
                tree.sums[leaves + index] = weight;
                tree.smallest[leaves + index] = weight;
            }
        }
        (1..leaves).rev().for_each(|node| tree.join(node));
        tree
    }
}

impl From<SumTree> for Vec<f64> {
    /// The weights.
    fn from(tree: SumTree) -> Self {
        let leaves = tree.sums.len() / 2;
        tree.sums[leaves..leaves + tree.count].to_vec()
    }
}

//! Rows of different lengths in one vector.

use serde::{Deserialize, Serialize};

/// Rows of different lengths, stored back to back: `values` holds every row, and row `i` is
/// `values[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ragged<T> {
    values: Vec<T>,
    offsets: Vec<usize>,
}

impl<T> Default for Ragged<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            offsets: vec![0],
        }
    }
}

impl<T> Ragged<T> {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The given rows.
    pub fn from_rows<R: IntoIterator<Item = T>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut ragged = Self::new();
        for row in rows {
            ragged.push_row(row);
        }
        ragged
    }

    /// `values` cut into rows at `offsets`; `None` unless the offsets start at 0, never fall, and
    /// end at the number of values.
    pub fn from_parts(values: Vec<T>, offsets: Vec<usize>) -> Option<Self> {
        let starts = offsets.first() == Some(&0);
        let rises = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = offsets.last() == Some(&values.len());
        (starts && rises && ends).then_some(Self { values, offsets })
    }

    /// Appends one row.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = T>) {
        self.values.extend(row);
        self.offsets.push(self.values.len());
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `index`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[T] {
        &self.values[self.offsets[index]..self.offsets[index + 1]]
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> {
        self.offsets
            .windows(2)
            .map(|pair| &self.values[pair[0]..pair[1]])
    }

    /// The length of every row.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// Every value, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Every value, to be changed in place; the borders stay.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Where each row starts, and, last, where the last one ends: one more than there are rows.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Other values with the same borders; `None` if their number differs.
    pub fn with_values<U>(&self, values: Vec<U>) -> Option<Ragged<U>> {
        (values.len() == self.values.len()).then(|| Ragged {
            values,
            offsets: self.offsets.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let rows = [vec![1, 2], vec![], vec![3]];
        let ragged = Ragged::from_rows(rows.clone());
        assert_eq!(ragged.len(), 3);
        assert!(ragged.rows().eq(rows.iter().map(Vec::as_slice)));
        assert!(ragged.lengths().eq([2, 0, 1]));
    }

    #[test]
    fn parts_are_checked() {
        assert!(Ragged::from_parts(vec![1, 2], vec![0, 1, 2]).is_some());
        assert!(Ragged::from_parts(vec![1, 2], vec![0, 1]).is_none());
        assert!(Ragged::from_parts(vec![1, 2], vec![1, 2]).is_none());
        assert!(Ragged::from_parts(vec![1, 2], vec![0, 2, 1, 2]).is_none());
        assert!(Ragged::<u8>::from_parts(vec![], vec![]).is_none());
        assert!(Ragged::<u8>::from_parts(vec![], vec![0]).is_some_and(|r| r.is_empty()));
    }

    #[test]
    fn new_values_keep_the_borders() {
        let ragged = Ragged::from_rows([vec![1, 2], vec![3]]);
        let text = ragged.with_values(vec!["a", "b", "c"]).unwrap();
        assert_eq!(text.row(1), &["c"]);
        assert!(ragged.with_values(vec![0]).is_none());
    }
}

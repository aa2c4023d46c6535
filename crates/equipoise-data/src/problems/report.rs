//! What became of the rows that problems were read from.

use crate::rows::FileReport;

/// What was read, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataReport {
    /// The files of problems, in the order of the sources.
    pub files: Vec<FileReport>,
    /// The file of held-out problems, if there is one.
    pub held_out_file: Option<FileReport>,
    /// Rows with the prompt and answer of an earlier row. They add no problem; a completion that
    /// the earlier rows do not have still counts as a demonstration.
    pub duplicates: usize,
    /// Rows with the prompt of an earlier row and another answer, which are left out.
    pub conflicts: usize,
    /// Rows with a prompt that is similar to an earlier one, which are left out.
    pub near_duplicates: usize,
    /// Problems left out of training because the held-out file asks the same.
    pub held_out_overlap: usize,
    /// Problems to train on, of all sources.
    pub train: usize,
    /// Problems held out.
    pub held_out: usize,
    /// Demonstrations.
    pub demonstrations: usize,
}

impl DataReport {
    /// Rows of the files of problems, those that were left out included.
    pub fn rows(&self) -> usize {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Every count that is not 0, a line for each file and one for all of them together.
    pub fn lines(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| (file, ""));
        let held_out = self.held_out_file.iter().map(|file| (file, " held out"));
        let mut lines: Vec<String> = files
            .chain(held_out)
            .map(|(file, what)| {
                let mut parts = vec![format!("{} rows{what}", file.rows)];
                parts.extend(file.left_out());
                format!("{}: {}", file.path.display(), parts.join(", "))
            })
            .collect();
        let counts = [
            (self.duplicates, "repeated"),
            (self.conflicts, "repeated with another answer"),
            (self.near_duplicates, "similar to earlier ones"),
            (self.held_out_overlap, "held out by the other file"),
            (self.demonstrations, "demonstrations"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if !counts.is_empty() {
            lines.push(counts.join(", "));
        }
        lines
    }
}

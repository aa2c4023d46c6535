//! The first coordinates of the random streams of this crate, so that no two purposes share one.
//! Changing one changes every interval that has been reported.

/// Subsets of votes.
pub(crate) const MAJORITY: u64 = 101;
/// Resamples of problems.
pub(crate) const BOOTSTRAP: u64 = 102;
/// Signs of differences.
pub(crate) const PERMUTATION: u64 = 103;
/// Templates of injections.
pub(crate) const INJECTION: u64 = 104;
/// Randomised shortcuts.
pub(crate) const SHORTCUT: u64 = 105;

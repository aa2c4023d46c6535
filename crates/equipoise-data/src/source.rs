//! Where problems come from, addressed by number.

use equipoise_core::Problem;

/// A problem with a completion that solves it, for supervised fine-tuning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demonstration {
    /// What is asked.
    pub problem: Problem,
    /// The text the model should learn to produce after the prompt, without the end-of-sequence
    /// token; not empty.
    pub completion: String,
}

/// An endless supply of training problems, addressed by number, and a fixed list of held-out ones.
///
/// Problem `n` is a function of the source's settings and `n` alone, so the position of a run in its
/// data is one whole number: saving it is a checkpoint, and adding to it is a skip.
pub trait ProblemSource: Send + Sync + std::fmt::Debug {
    /// Training problem `number`; its [`Problem::id`] is `number`. It never asks what a held-out
    /// problem asks.
    fn train(&self, number: u64) -> Problem;

    /// The problems kept for evaluation, always the same and in the same order; their ids count
    /// from 0.
    fn held_out(&self) -> &[Problem];

    /// Demonstration `number`; `None` if the source has no demonstrations. The problem's id is
    /// `number`, and it is never a held-out problem.
    fn demonstration(&self, number: u64) -> Option<Demonstration>;

    /// How many different training problems there are; `None` if they are drawn without end.
    fn len(&self) -> Option<u64> {
        None
    }

    /// How many different demonstrations there are; `None` if they are drawn without end.
    fn demonstrations(&self) -> Option<u64> {
        None
    }

    /// One of the different training problems; the indices from 0 to [`len`](Self::len) name each of
    /// them once, which the first numbers need not where sources are mixed.
    fn nth_problem(&self, index: u64) -> Problem {
        self.train(index)
    }

    /// One of the different demonstrations; the indices from 0 to
    /// [`demonstrations`](Self::demonstrations) name each of them once.
    fn nth_demonstration(&self, index: u64) -> Option<Demonstration> {
        self.demonstration(index)
    }

    /// What a reader of a run should know of where its problems come from, a line each: what was read,
    /// and what was left out.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether there is no training problem.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn _assert(_: &dyn ProblemSource) {}
    }
}

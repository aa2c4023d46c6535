//! Groups sent to reinforcement, to a teacher, or nowhere.

/// How hard a prompt is for the present policy, by how many of its rollouts succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difficulty {
    /// No rollout succeeds.
    Hard,
    /// Some do.
    Mid,
    /// All do.
    Easy,
}

impl Difficulty {
    /// The difficulty of a prompt of which `successes` of `rollouts` responses succeed, or `None` without a
    /// rollout.
    ///
    /// ```
    /// use equipoise_advantages::selection::Difficulty;
    ///
    /// assert_eq!(Difficulty::of(0, 8), Some(Difficulty::Hard));
    /// assert_eq!(Difficulty::of(3, 8), Some(Difficulty::Mid));
    /// assert_eq!(Difficulty::of(8, 8), Some(Difficulty::Easy));
    /// assert_eq!(Difficulty::of(0, 0), None);
    /// ```
    pub fn of(successes: usize, rollouts: usize) -> Option<Self> {
        match successes {
            _ if rollouts == 0 => None,
            0 => Some(Self::Hard),
            _ if successes < rollouts => Some(Self::Mid),
            _ => Some(Self::Easy),
        }
    }
}

/// What is done with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Learn from a teacher's solution.
    Distill,
    /// Learn from the group's own rewards.
    Rl,
    /// Nothing.
    Skip,
}

/// DYPO's gate (arXiv:2604.08926): imitation where the policy always fails, reinforcement where it fails
/// sometimes, nothing where it never does.
///
/// A group without a single success or a single failure has no advantages, and a group that the policy cannot
/// solve at all is where a teacher helps.
///
/// ```
/// use equipoise_advantages::selection::{GroupRouter, Route};
///
/// let routes = [0, 3, 8].map(|successes| GroupRouter::default().route(successes, 8));
/// assert_eq!(routes, [Route::Distill, Route::Rl, Route::Skip]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRouter {
    /// Where hard prompts go; default [`Route::Distill`].
    pub hard: Route,
    /// Where prompts between go; default [`Route::Rl`].
    pub mid: Route,
    /// Where easy prompts go; default [`Route::Skip`].
    pub easy: Route,
}

impl Default for GroupRouter {
    fn default() -> Self {
        Self {
            hard: Route::Distill,
            mid: Route::Rl,
            easy: Route::Skip,
        }
    }
}

impl GroupRouter {
    /// Where a group goes of which `successes` of `rollouts` responses succeed; without a rollout nothing is
    /// known, and it is skipped.
    pub fn route(self, successes: usize, rollouts: usize) -> Route {
        match Difficulty::of(successes, rollouts) {
            Some(Difficulty::Hard) => self.hard,
            Some(Difficulty::Mid) => self.mid,
            Some(Difficulty::Easy) => self.easy,
            None => Route::Skip,
        }
    }
}

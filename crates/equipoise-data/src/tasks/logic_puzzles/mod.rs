//! Puzzles with one solution, found by going through all cases.

mod formula;
mod knights;
mod order;
mod truth;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::PromptStyle;
use crate::task::{Task, TaskError, completion, problem};
use knights::Knights;
use order::Order;
use truth::TruthTable;

/// The kinds of [`LogicPuzzles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PuzzleKind {
    /// Who always tells the truth, and who always lies? The answer lists the knights, or is `none`.
    KnightsAndKnaves,
    /// How many assignments make a formula true? The answer is a number.
    TruthTable,
    /// In which order do comparisons put everyone? The answer lists all, the oldest first.
    Order,
}

impl PuzzleKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::KnightsAndKnaves, Self::TruthTable, Self::Order];
}

/// Logic puzzles: knights and knaves, truth tables, and transitive order.
///
/// ```text
///           compact                     answer
/// knights   A:-C;C:(A=C)?               A
/// truth     A,C:(A|-C)#                 3
/// order     C>A;B<A!                    C,A,B
/// ```
///
/// `A:-C` reads "A says: C is a knave"; `-` is not, `&` and, `|` or, `=` "both or neither"; `C>A`
/// reads "C is older than A" and `B<A` "B is younger than A". Letters are drawn from A to L.
///
/// Answers come from a search through all cases: a puzzle about knights is drawn until exactly one
/// assignment agrees with what everyone says, and an order is accepted only if at every place there
/// is exactly one candidate.
///
/// # Demonstrations
///
/// ```text
/// knights   cases in order, each T for knight or F for knave per person, with who then contradicts
///           the statement; the case without contradiction last:   FF:A;FT:C;TF:ok
/// truth     every case with its value, 1 or 0, and the sum:       FF=1;FT=0;TF=1;TT=1>3
/// order     who is left, and the oldest of them:                  A,B,C:C;A,B:A;B:B
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogicPuzzles {
    /// From 1 to 6; default 1.
    ///
    /// ```text
    /// level   knights and knaves   letters and leaves of a formula   people and comparisons
    ///   1           2                        2, 3                           3, 2
    ///   2           3                        3, 4                           4, 4
    ///   3           4                        3, 6                           5, 5
    ///   4           5                        4, 7                           6, 7
    ///   5           6                        4, 9                           8, 10
    ///   6           7                        5, 11                         10, 13
    /// ```
    pub difficulty: u32,
    /// The kinds that are drawn, each equally often; default all.
    pub kinds: Vec<PuzzleKind>,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for LogicPuzzles {
    fn default() -> Self {
        Self {
            difficulty: 1,
            kinds: PuzzleKind::ALL.to_vec(),
            prompt: PromptStyle::default(),
        }
    }
}

impl LogicPuzzles {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "logic_puzzles";
}

impl Task for LogicPuzzles {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("ABCDEFGHIJKLTnoek-&|=():;,<>?#!")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let kind = stream.choose(&self.kinds).copied();
        let level = self.difficulty.clamp(1, Self::LEVELS) as usize - 1;
        let (prompt, solution) = match kind.unwrap_or(PuzzleKind::Order) {
            PuzzleKind::KnightsAndKnaves => {
                let puzzle = Knights::draw(level + 2, stream);
                (puzzle.write(self.prompt), puzzle.solve())
            }
            PuzzleKind::TruthTable => {
                let sizes = [(2, 3), (3, 4), (3, 6), (4, 7), (4, 9), (5, 11)];
                let puzzle = TruthTable::draw(sizes[level], stream);
                (puzzle.write(self.prompt), Some(puzzle.solve()))
            }
            PuzzleKind::Order => {
                let sizes = [(3, 2), (4, 4), (5, 5), (6, 7), (8, 10), (10, 13)];
                let puzzle = Order::draw(sizes[level], level >= 2, stream);
                (puzzle.write(self.prompt), puzzle.solve())
            }
        };
        let answer = solution.map(|(_, answer)| answer).unwrap_or_default();
        problem(Self::NAME, id, prompt, answer)
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let prompt = &problem.prompt;
        let (thought, answer) = if let Some(puzzle) = Knights::read(prompt) {
            puzzle.solve()?
        } else if let Some(puzzle) = TruthTable::read(prompt) {
            puzzle.solve()
        } else {
            Order::read(prompt)?.solve()?
        };
        Some(completion(&thought, &answer))
    }

    fn verifier(&self) -> &'static str {
        "exact_match"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)?;
        TaskError::check_any(Self::NAME, "kinds", &self.kinds)
    }
}

//! The number of assignments that make a formula true.

use equipoise_core::Stream;

use super::formula::{Connective, Formula, chosen, draw_letters, listed, read_listed};
use super::knights::written_case;
use crate::tasks::wording::{PromptStyle, Wording, instructed};

const PUZZLE: Wording = Wording {
    compact: "{}:{}#",
    text: instructed!(
        "The letters {} are each true or false. In formulas, - means not, & means and, | means or, \
         and = means that both sides have the same value. In how many cases is {} true?",
        "the number of cases"
    ),
};

/// The most letters that are read.
const MOST: usize = 8;

/// A formula, with the letters that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TruthTable {
    letters: Vec<usize>,
    formula: Formula,
}

impl TruthTable {
    /// A formula over `sizes.0` letters with `sizes.1` leaves; every letter is one of them.
    pub(super) fn draw(sizes: (usize, usize), stream: &mut Stream) -> Self {
        let letters = draw_letters(sizes.0, stream);
        let mut leaves: Vec<usize> = letters.clone();
        while leaves.len() < sizes.1 {
            leaves.extend(stream.choose(&letters));
        }
        stream.shuffle(&mut leaves);
        let formula = joined(&leaves, stream);
        Self { letters, formula }
    }

    pub(super) fn write(&self, style: PromptStyle) -> String {
        let formula = self.formula.to_string();
        PUZZLE.write(style, &[&listed(&self.letters), &formula])
    }

    pub(super) fn read(prompt: &str) -> Option<Self> {
        let parts = PUZZLE.read(prompt)?;
        let letters = read_listed(parts[0])?;
        let formula = Formula::read(parts[1])?;
        (letters.len() <= MOST).then_some(Self { letters, formula })
    }

    /// The thought and the answer.
    pub(super) fn solve(&self) -> (String, String) {
        let mut count = 0;
        let cases: Vec<String> = (0..1 << self.letters.len())
            .map(|rank| {
                let value = u32::from(self.formula.value(chosen(&self.letters, rank)));
                count += value;
                format!("{}={value}", written_case(self.letters.len(), rank))
            })
            .collect();
        (format!("{}>{count}", cases.join(";")), count.to_string())
    }
}

/// A formula with these leaves, from left to right; each part is negated one time in four.
fn joined(leaves: &[usize], stream: &mut Stream) -> Formula {
    let formula = match leaves {
        [] => Formula::Letter(0),
        [leaf] => Formula::Letter(*leaf),
        _ => {
            let at = stream.between(1, leaves.len() as i64 - 1).unsigned_abs() as usize;
            let (left, right) = leaves.split_at(at);
            let connective = stream.choose(&Connective::ALL).copied();
            Formula::Both(
                Box::new(joined(left, stream)),
                connective.unwrap_or(Connective::And),
                Box::new(joined(right, stream)),
            )
        }
    };
    match stream.below(4) {
        0 => Formula::Not(Box::new(formula)),
        _ => formula,
    }
}

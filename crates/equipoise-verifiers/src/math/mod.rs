//! Answers to mathematical problems, compared by what they say.

mod compare;
mod exact;
mod expression;
mod lexer;
mod normal;
mod numeric;
mod parser;
mod places;
mod read;
mod sets;
mod token;
mod units;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

pub use places::Place;

use crate::verdict::{Explanation, Verdict, Verifier};
use compare::Rules;
use read::Reading;

/// Rewards 1 if the completion's answer says the same as the problem's, however it is written, else 0.
///
/// Understood are numbers (decimals, fractions, mixed numbers, percentages, thousands separators,
/// scientific notation, bases), units and currencies, π, e, roots, powers, logarithms and
/// trigonometric functions, complex numbers, expressions in any number of variables, tuples,
/// intervals, sets and unions, matrices, equations and inequalities, and words; in LaTeX, in plain
/// text and in a mixture of both. No answer makes it fail or hang: everything it does is bounded by
/// the length of the answer.
///
/// Two scalars are compared exactly if both are fractions of whole numbers, then by a normal form of
/// quotients of polynomials, then by their values at seeded points. A number with a decimal point is
/// compared to [`decimals`](Self::decimals) places, so 0.333333 is one third and 0.33 is not.
///
/// ```
/// use equipoise_core::Problem;
/// use equipoise_verifiers::{Math, Verifier};
///
/// let problem = Problem {
///     id: 0,
///     prompt: "Solve 4x² = 3.".into(),
///     answer: r"\pm\frac{\sqrt{3}}{2}".into(),
///     source: "example".into(),
/// };
/// let reward = |completion| Math::default().verify(&problem, completion).reward();
/// assert_eq!(reward(r"So x² = 3/4, and \boxed{x = \sqrt{0.75} \text{ or } x = -\sqrt{3/4}}"), Some(1.0));
/// assert_eq!(reward(r"The answer is $\frac{\sqrt{3}}{2}$."), Some(0.0)); // one of two
/// ```
///
/// A completion without an answer that can be read is wrong. A problem without one is unscorable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Math {
    /// Where the completion's answer may stand, in the order in which the places are tried: the first
    /// place at which something readable stands decides.
    pub places: Vec<Place>,
    /// The decimal places to which a number with a decimal point is compared; 6 as in Math-Verify.
    pub decimals: u32,
    /// Whether the inequality `1 < x < 2` is right where the problem's answer is `(1, 2)`, which may be
    /// an interval or a point. False unless it is set; an interval that cannot be a point, such as
    /// `[1, 2]` or `(2, ∞)`, is always compared with an inequality.
    pub points_as_intervals: bool,
}

impl Default for Math {
    fn default() -> Self {
        Self {
            places: Place::ALL.to_vec(),
            decimals: 6,
            points_as_intervals: false,
        }
    }
}

impl Math {
    /// The problem's answer: boxed, behind `####`, or all of it.
    fn gold(&self, problem: &Problem) -> Reading {
        let answer = problem.answer.as_str();
        for place in [Place::Boxed, Place::Hashes] {
            if let Some(found) = place.find(answer) {
                return Reading::of(&found);
            }
        }
        let whole = Reading::of(answer);
        if whole.prose || whole.value.is_err() {
            // "The answer is $5$" as a gold answer.
            for place in [Place::Phrase, Place::Formula] {
                if let Some(found) = place.find(answer).map(|found| Reading::of(&found))
                    && found.value.is_ok()
                {
                    return found;
                }
            }
        }
        whole
    }

    /// The completion's answer, and where it was found.
    fn answer(&self, gold: &Reading, completion: &str) -> Option<(Place, Reading)> {
        // Thoughts are not the answer.
        let text = completion.rsplit("</think>").next().unwrap_or(completion);
        let mut unreadable = None;
        for &place in &self.places {
            let Some(found) = place.find(text) else {
                continue;
            };
            if place == Place::Whole && gold.is_choice() && read::leading_choice(&found).is_some() {
                return Some((place, Reading::of(&found)));
            }
            let reading = Reading::of(&found);
            let asked = matches!(place, Place::Boxed | Place::Hashes);
            if reading.value.is_ok() && (asked || !reading.prose) {
                return Some((place, reading));
            }
            if unreadable.is_none() && !reading.text.is_empty() && (asked || !reading.prose) {
                unreadable = Some((place, reading));
                // What is an answer and nothing else is not searched for numbers.
                if place == Place::Whole && !found.contains('=') {
                    break;
                }
            }
        }
        unreadable
    }

    fn rules(&self) -> Rules {
        Rules {
            decimals: self.decimals,
            points_as_intervals: self.points_as_intervals,
        }
    }

    /// The verdict, and what was read for it.
    fn decide(&self, problem: &Problem, completion: &str) -> Decision {
        let gold = self.gold(problem);
        if gold.text.is_empty() {
            let verdict = Verdict::unscorable(problem, "the problem has no answer");
            return Decision {
                verdict,
                gold,
                answer: None,
            };
        }
        let answer = self.answer(&gold, completion);
        let right = answer
            .as_ref()
            .is_some_and(|(_, answer)| gold.matches(answer, &self.rules()));
        let verdict = match &gold.value {
            Err(why) if !right && answer.is_some() => {
                let why = format_args!("the answer {:?} cannot be read: {why}", problem.answer);
                Verdict::unscorable(problem, why)
            }
            _ => Verdict::answer(self.name(), right),
        };
        Decision {
            verdict,
            gold,
            answer,
        }
    }
}

/// A verdict with what was read for it.
struct Decision {
    verdict: Verdict,
    gold: Reading,
    answer: Option<(Place, Reading)>,
}

/// What a reading is, in words.
fn described(reading: &Reading) -> String {
    match &reading.value {
        Ok(value) => parser::kind(value).to_owned(),
        Err(why) => format!("not understood ({why}), so it is compared sign by sign"),
    }
}

impl Verifier for Math {
    fn name(&self) -> &str {
        "math"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.decide(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let Decision {
            verdict,
            gold,
            answer,
        } = self.decide(problem, completion);
        if gold.text.is_empty() {
            return Explanation::of(verdict);
        }
        let steps = vec![
            format!("the gold answer {:?} is {}", gold.text, described(&gold)),
            match &answer {
                None => "the completion has no answer".into(),
                Some((place, reading)) => {
                    let (place, what) = (place.words(), described(reading));
                    let text = &reading.text;
                    format!("the answer {text:?} was found {place} and is {what}")
                }
            },
        ];
        let extracted = answer.map(|(_, reading)| reading.text);
        let why = match (&verdict, &extracted) {
            (Verdict::Unscorable { why }, _) => why.clone(),
            (_, None) => "wrong: the completion has no answer".into(),
            (verdict, Some(found)) if verdict.correct() == Some(true) => {
                format!("right: {found:?} is {:?}", gold.text)
            }
            (_, Some(found)) => format!("wrong: {found:?} is not {:?}", gold.text),
        };
        Explanation {
            verdict,
            extracted,
            why,
            steps,
        }
    }
}

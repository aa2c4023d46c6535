//! Whether a judge of pairs looks at the answers, or at what is around them.

mod injection;
mod prompted;
mod suite;
mod templates;
mod text_rules;

use equipoise_core::{Problem, Stream};
use equipoise_verifiers::Verifier;
use rayon::prelude::*;

pub use injection::{Direction, Family, Injection, Rewrite, Rewriter, Rewriting, Style};
pub use prompted::{
    Bandwagon, Citation, Distraction, Position, Prefix, Reflection, Target, judge_bias_bench,
    reasoning_study,
};
pub use suite::{BiasReport, BiasRow, BiasSuite, SuiteItems};

/// A question with a better and a worse answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JudgedPair {
    /// What identifies the pair.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// The better answer.
    pub chosen: String,
    /// The worse answer.
    pub rejected: String,
}

/// One of the two places in which a judge sees an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Assistant A.
    First,
    /// Assistant B.
    Second,
}

impl Slot {
    /// The other place.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The letter by which prompts name it: `A` or `B`.
    pub fn letter(self) -> char {
        match self {
            Self::First => 'A',
            Self::Second => 'B',
        }
    }
}

/// What a judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Assistant A is better.
    First,
    /// Assistant B is better.
    Second,
    /// Neither is.
    Tie,
    /// No verdict could be read, or the judge failed.
    Unreadable,
}

impl Choice {
    /// The verdict of a text by the marks `[[A]]`, `[[B]]` and `[[C]]` (a tie), as MT-Bench asks for
    /// them (arXiv:2306.05685); the last mark counts, and without one the text is unreadable.
    ///
    /// ```
    /// use equipoise_eval::judge::Choice;
    /// assert_eq!(Choice::read("[[A]] looked better at first, but [[B]]"), Choice::Second);
    /// assert_eq!(Choice::read("A"), Choice::Unreadable);
    /// ```
    pub fn read(text: &str) -> Self {
        let marks = [
            ("[[A]]", Self::First),
            ("[[B]]", Self::Second),
            ("[[C]]", Self::Tie),
        ];
        let found = marks
            .iter()
            .filter_map(|(mark, choice)| Some((text.rfind(mark)?, *choice)));
        found
            .max_by_key(|(at, _)| *at)
            .map_or(Self::Unreadable, |(_, choice)| choice)
    }

    /// The place of the answer it prefers.
    pub fn slot(self) -> Option<Slot> {
        match self {
            Self::First => Some(Slot::First),
            Self::Second => Some(Slot::Second),
            Self::Tie | Self::Unreadable => None,
        }
    }
}

/// What a judge is shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JudgeItem {
    /// The pair's identifier.
    pub id: String,
    /// What the judge is told before anything else; empty for nothing.
    pub system: String,
    /// What was asked.
    pub question: String,
    /// What stands before the answers; empty for nothing.
    pub before: String,
    /// The answer of Assistant A.
    pub first: String,
    /// What stands between the answers; empty for nothing.
    pub between: String,
    /// The answer of Assistant B.
    pub second: String,
    /// What stands after the answers; empty for nothing.
    pub after: String,
    /// Where the better answer stands. A judge must not see it.
    pub better: Slot,
}

impl JudgeItem {
    /// A pair as it is, the better answer in a place that `stream` draws.
    pub fn new(pair: &JudgedPair, stream: &mut Stream) -> Self {
        let better = match stream.below(2) {
            0 => Slot::First,
            _ => Slot::Second,
        };
        let (first, second) = match better {
            Slot::First => (&pair.chosen, &pair.rejected),
            Slot::Second => (&pair.rejected, &pair.chosen),
        };
        Self {
            id: pair.id.clone(),
            system: String::new(),
            question: pair.question.clone(),
            before: String::new(),
            first: first.clone(),
            between: String::new(),
            second: second.clone(),
            after: String::new(),
            better,
        }
    }

    /// The answer in a place.
    pub fn answer(&self, slot: Slot) -> &str {
        match slot {
            Slot::First => &self.first,
            Slot::Second => &self.second,
        }
    }

    /// The answer in a place, to be changed.
    pub fn answer_mut(&mut self, slot: Slot) -> &mut String {
        match slot {
            Slot::First => &mut self.first,
            Slot::Second => &mut self.second,
        }
    }

    /// The item as the user turn of a prompt: question, the two answers under their names, and what
    /// injections have put around them. [`JudgeItem::system`] is a turn of its own.
    pub fn prompt(&self) -> String {
        let mut parts = vec![format!("[User Question]\n{}", self.question)];
        let mut add = |text: &str| {
            if !text.is_empty() {
                parts.push(text.to_owned());
            }
        };
        add(&self.before);
        for (slot, after) in [(Slot::First, &self.between), (Slot::Second, &self.after)] {
            let letter = slot.letter();
            let answer = self.answer(slot);
            add(&format!(
                "[The Start of Assistant {letter}'s Answer]\n{answer}\n[The End of Assistant \
                 {letter}'s Answer]"
            ));
            add(after);
        }
        parts.join("\n\n")
    }
}

/// Says which of two answers is better.
pub trait PairJudge: Send + Sync {
    /// The judge's name.
    fn name(&self) -> &str;

    /// Judges one item.
    fn judge(&self, item: &JudgeItem) -> Choice;

    /// Judges many; the choices are in their order. By default every item is a task of rayon's
    /// current thread pool; a judge behind a network or on a batch does better.
    fn judge_batch(&self, items: &[JudgeItem]) -> Vec<Choice> {
        items.par_iter().map(|item| self.judge(item)).collect()
    }
}

/// A function as a judge.
///
/// ```
/// use equipoise_eval::judge::{Choice, FnJudge, JudgeItem, PairJudge};
///
/// // The longer answer is the better one.
/// let judge = FnJudge::new("length", |item: &JudgeItem| {
///     match item.first.len() > item.second.len() {
///         true => Choice::First,
///         false => Choice::Second,
///     }
/// });
/// assert_eq!(judge.name(), "length");
/// ```
#[derive(Clone, Debug)]
pub struct FnJudge<F> {
    name: String,
    judge: F,
}

impl<F: Fn(&JudgeItem) -> Choice + Send + Sync> FnJudge<F> {
    /// A judge that asks `judge`.
    pub fn new(name: impl Into<String>, judge: F) -> Self {
        Self {
            name: name.into(),
            judge,
        }
    }
}

impl<F: Fn(&JudgeItem) -> Choice + Send + Sync> PairJudge for FnJudge<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn judge(&self, item: &JudgeItem) -> Choice {
        (self.judge)(item)
    }
}

/// A verifier as a judge: each answer is rewarded by itself, and the larger reward wins.
///
/// The verifier's problem is the question with everything that injections have put around the
/// answers, so that a reward model sees the cue of a prompt, too; the expected answer is empty. Equal
/// rewards are a tie, and an answer that cannot be scored makes the item unreadable.
#[derive(Clone, Copy, Debug)]
pub struct RewardJudge<'a>(pub &'a dyn Verifier);

impl PairJudge for RewardJudge<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn judge(&self, item: &JudgeItem) -> Choice {
        let prompt = [
            &item.system,
            &item.question,
            &item.before,
            &item.between,
            &item.after,
        ];
        let prompt = prompt.into_iter().filter(|part| !part.is_empty());
        let problem = Problem {
            id: 0,
            prompt: prompt.cloned().collect::<Vec<_>>().join("\n\n"),
            answer: String::new(),
            source: item.id.clone(),
        };
        let pair = [
            (&problem, item.first.as_str()),
            (&problem, item.second.as_str()),
        ];
        let rewards: Vec<Option<f64>> = equipoise_verifiers::verify_all(self.0, &pair)
            .iter()
            .map(equipoise_verifiers::Verdict::reward)
            .collect();
        match rewards[..] {
            [Some(first), Some(second)] if first > second => Choice::First,
            [Some(first), Some(second)] if first < second => Choice::Second,
            [Some(_), Some(_)] => Choice::Tie,
            _ => Choice::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traits_are_object_safe() {
        fn _assert(_: &dyn PairJudge, _: &dyn Injection) {}
    }
}

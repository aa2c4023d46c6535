//! The trait of injections, and those that rewrite the answers.

use std::fmt;
use std::sync::Arc;

use equipoise_core::Stream;

use super::{JudgeItem, templates};

/// Puts a cue into an item that says nothing about which answer is better.
///
/// An injection never moves the label to the other answer: the better one stays the better one, also
/// where it changes places.
pub trait Injection: Send + Sync + fmt::Debug {
    /// The name, in `snake_case`.
    fn name(&self) -> &'static str;

    /// What kind of bias it looks for.
    fn family(&self) -> Family;

    /// The item with the cue. Where there are several wordings, `stream` chooses.
    fn apply(&self, item: &JudgeItem, stream: &mut Stream) -> JudgeItem;
}

/// The four dimensions of JudgeBiasBench (arXiv:2603.08091). Which bias belongs to which is our
/// reading of its code, which does not say.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// How an answer sounds and looks.
    SuperficialQuality,
    /// What the prompt says about the answers.
    Context,
    /// In which order the answers stand.
    Presentation,
    /// Who an answer says it is from.
    Diversity,
}

/// Whether a cue is put into an answer or taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The worse answer gets the cue.
    Add,
    /// The better answer loses it.
    Remove,
}

/// What a rewriter is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    /// The cue.
    pub style: Style,
    /// Whether to add or to remove it.
    pub direction: Direction,
    /// What was asked.
    pub question: &'a str,
    /// The answer to rewrite, its content to be kept and its errors not to be corrected.
    pub answer: &'a str,
}

/// Rewrites an answer; `None` to leave it to the built-in rules.
pub type Rewriter = Arc<dyn Fn(&Rewrite<'_>) -> Option<String> + Send + Sync>;

/// The seven cues of JudgeBiasBench that are written into the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// More words for the same.
    Length,
    /// Sources that do not exist.
    Authority,
    /// Headings, lists and bold letters.
    Beauty,
    /// No doubt about anything.
    Assertiveness,
    /// Praise for who asks.
    Sycophancy,
    /// Joy.
    Sentiment,
    /// Numbers and things that prove nothing.
    Concreteness,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Length,
        Self::Authority,
        Self::Beauty,
        Self::Assertiveness,
        Self::Sycophancy,
        Self::Sentiment,
        Self::Concreteness,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Authority => "authority",
            Self::Beauty => "beauty",
            Self::Assertiveness => "assertiveness",
            Self::Sycophancy => "sycophancy",
            Self::Sentiment => "sentiment",
            Self::Concreteness => "concreteness",
        }
    }
}

/// Removes a cue from the better answer and adds it to the worse one.
///
/// The paper lets a language model do it; give one as [`Rewriting::rewriter`]. The built-in rules
/// are text alone: adding always changes the answer, removing takes out what can be recognised
/// without understanding (Markdown, emoji, words such as "certainly", praise at the start, citations
/// "et al."), and leaves the rest. So the built-in suite is a lower bound of what a judge can be
/// led to.
#[derive(Clone)]
pub struct Rewriting {
    /// The cue.
    pub style: Style,
    /// Who rewrites; `None` for the built-in rules.
    pub rewriter: Option<Rewriter>,
}

impl fmt::Debug for Rewriting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rewriter = self.rewriter.as_ref().map(|_| "…");
        f.debug_struct("Rewriting")
            .field("style", &self.style)
            .field("rewriter", &rewriter)
            .finish()
    }
}

impl Injection for Rewriting {
    fn name(&self) -> &'static str {
        self.style.name()
    }

    fn family(&self) -> Family {
        Family::SuperficialQuality
    }

    fn apply(&self, item: &JudgeItem, stream: &mut Stream) -> JudgeItem {
        let mut changed = item.clone();
        for (slot, direction) in [
            (item.better, Direction::Remove),
            (item.better.other(), Direction::Add),
        ] {
            let rewrite = Rewrite {
                style: self.style,
                direction,
                question: &item.question,
                answer: item.answer(slot),
            };
            let rewritten = self
                .rewriter
                .as_ref()
                .and_then(|rewriter| rewriter(&rewrite));
            *changed.answer_mut(slot) = match (rewritten, direction) {
                (Some(text), _) => text,
                (None, Direction::Add) => templates::add(&rewrite, stream),
                (None, Direction::Remove) => templates::remove(&rewrite),
            };
        }
        changed
    }
}

//! Runs a judge on items with and without cues, and counts what the cues changed.

use equipoise_core::{Domain, Stream};

use super::injection::{Family, Injection};
use super::{Choice, JudgeItem, JudgedPair, PairJudge, Slot};
use crate::address::INJECTION;
use crate::interval::wilson_at;
use crate::{Bootstrap, Estimate, EvalError, Method};

/// Injections, and how they are applied and counted.
#[derive(Debug)]
pub struct BiasSuite {
    /// The injections, each with a name of its own.
    pub injections: Vec<Box<dyn Injection>>,
    /// The seed of the places of the answers and of the wordings.
    pub seed: u64,
    /// The intervals, over pairs.
    pub bootstrap: Bootstrap,
}

/// Everything a judge is shown: each pair as it is, and with every cue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteItems {
    /// The pairs without a cue, in order; the better answer in a place drawn once for each pair.
    pub control: Vec<JudgeItem>,
    /// For every injection its name, its family and the same items with the cue.
    pub biased: Vec<(&'static str, Family, Vec<JudgeItem>)>,
}

/// What one bias, or all together, did to a judge.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BiasRow {
    /// The injection's name; `total` for all.
    pub bias: String,
    /// Its family; `None` for all.
    pub family: Option<Family>,
    /// How many items were judged twice.
    pub items: usize,
    /// Items whose verdict without the cue could not be read.
    pub unreadable: usize,
    /// Items whose verdict with the cue could not be read.
    pub unreadable_biased: usize,
    /// Readable both times, and right only without the cue.
    pub harmful: usize,
    /// Readable both times, and right only with it.
    pub helpful: usize,
    /// Readable both times, never right, and changed: to a tie or from one.
    pub neutral: usize,
    /// Bias sensitivity rate (arXiv:2603.08091): of the items that are right without the cue, the
    /// share that is wrong with it. A tie or an unreadable verdict with the cue is not wrong. `None`
    /// if nothing was right.
    pub sensitivity: Option<Estimate>,
    /// Robust rate (arXiv:2504.09946): of the items readable both times, the share whose verdict did
    /// not change. A verdict is which answer, not which place. `None` if there are none.
    pub robust: Option<Estimate>,
    /// Accuracy without the cue, over the items readable both times; a tie is not right.
    pub accuracy: Option<f64>,
    /// Accuracy with the cue, over the same.
    pub accuracy_biased: Option<f64>,
    /// The second minus the first.
    pub accuracy_change: Option<Estimate>,
}

/// What the biases of a suite did to a judge.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BiasReport {
    /// The judge's name.
    pub judge: String,
    /// A row for every injection, in order.
    pub rows: Vec<BiasRow>,
    /// All injections together; its intervals draw pairs, each with all its cues.
    pub total: BiasRow,
}

impl BiasSuite {
    /// The items of some pairs: a function of the pairs, the seed and the injections.
    pub fn items(&self, pairs: &[JudgedPair]) -> SuiteItems {
        let stream = |pair: u64, purpose: u64| {
            Stream::new(self.seed, Domain::Other, [INJECTION, pair, purpose])
        };
        let numbered = || pairs.iter().zip(0_u64..);
        let control: Vec<JudgeItem> = numbered()
            .map(|(pair, number)| JudgeItem::new(pair, &mut stream(number, 0)))
            .collect();
        let biased = self
            .injections
            .iter()
            .zip(1_u64..)
            .map(|(injection, purpose)| {
                let items = control.iter().zip(0_u64..);
                let items =
                    items.map(|(item, pair)| injection.apply(item, &mut stream(pair, purpose)));
                (injection.name(), injection.family(), items.collect())
            });
        SuiteItems {
            biased: biased.collect(),
            control,
        }
    }

    /// Judges all items, and counts.
    ///
    /// # Errors
    /// As [`BiasSuite::count`].
    pub fn run(
        &self,
        judge: &dyn PairJudge,
        pairs: &[JudgedPair],
    ) -> Result<BiasReport, EvalError> {
        let items = self.items(pairs);
        let control = judge.judge_batch(&items.control);
        let biased = items.biased.iter();
        let biased: Vec<Vec<Choice>> = biased
            .map(|(_, _, items)| judge.judge_batch(items))
            .collect();
        self.count(judge.name(), &items, &control, &biased)
    }

    /// Counts verdicts that were had elsewhere: `control[i]` on `items.control[i]`, `biased[b][i]` on
    /// `items.biased[b]`'s item i.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] without pairs or injections, [`EvalError::LengthMismatch`] if there are
    /// not as many verdicts as items, [`EvalError::Duplicate`] if two pairs have one identifier.
    pub fn count(
        &self,
        judge: &str,
        items: &SuiteItems,
        control: &[Choice],
        biased: &[Vec<Choice>],
    ) -> Result<BiasReport, EvalError> {
        let ids: Vec<String> = items.control.iter().map(|item| item.id.clone()).collect();
        crate::outcomes::unique(&ids)?;
        if ids.is_empty() || items.biased.is_empty() {
            let least = ids.len().min(items.biased.len());
            return Err(EvalError::too_few("judge bias", 1, least));
        }
        same_length("items and verdicts", ids.len(), control.len())?;
        same_length("injections and verdicts", items.biased.len(), biased.len())?;
        let sides = |items: &[JudgeItem], choices: &[Choice]| -> Vec<Side> {
            let pairs = items.iter().zip(choices);
            pairs
                .map(|(item, choice)| Side::of(item.better, *choice))
                .collect()
        };
        let before = sides(&items.control, control);
        let mut rows = Vec::with_capacity(biased.len());
        let mut sums = vec![Tally::default(); ids.len()];
        for ((name, family, items), choices) in items.biased.iter().zip(biased) {
            same_length("biased items and verdicts", items.len(), choices.len())?;
            let after = sides(items, choices);
            let tallies = before.iter().zip(&after);
            let tallies: Vec<Tally> = tallies.map(|(a, b)| Tally::of(*a, *b)).collect();
            for (sum, tally) in sums.iter_mut().zip(&tallies) {
                sum.add(tally);
            }
            rows.push(self.row(name, Some(*family), &tallies)?);
        }
        Ok(BiasReport {
            judge: judge.to_owned(),
            rows,
            total: self.row("total", None, &sums)?,
        })
    }

    /// The numbers of one bias, or of all, from the tally of every pair.
    fn row(
        &self,
        bias: &str,
        family: Option<Family>,
        pairs: &[Tally],
    ) -> Result<BiasRow, EvalError> {
        let mut all = Tally::default();
        for tally in pairs {
            all.add(tally);
        }
        let share = |hits: usize| (all.readable > 0).then(|| hits as f64 / all.readable as f64);
        let flipped = |tally: &Tally| (tally.flipped as f64, tally.right);
        let kept = |tally: &Tally| {
            let changed = tally.harmful + tally.helpful + tally.neutral;
            ((tally.readable - changed) as f64, tally.readable)
        };
        let change = |tally: &Tally| (tally.helpful as f64 - tally.harmful as f64, tally.readable);
        Ok(BiasRow {
            bias: bias.to_owned(),
            family,
            items: all.items,
            unreadable: all.unreadable,
            unreadable_biased: all.unreadable_biased,
            harmful: all.harmful,
            helpful: all.helpful,
            neutral: all.neutral,
            sensitivity: self.ratio("bias sensitivity rate", pairs, flipped)?,
            robust: self.ratio("robust rate", pairs, kept)?,
            accuracy: share(all.right_readable),
            accuracy_biased: share(all.right_readable + all.helpful - all.harmful),
            accuracy_change: self.ratio("accuracy change", pairs, change)?,
        })
    }

    /// Σ of the first numbers of all pairs over Σ of the second, its interval from resampled pairs;
    /// `None` if the second sum is 0.
    fn ratio(
        &self,
        metric: &str,
        pairs: &[Tally],
        of: impl Fn(&Tally) -> (f64, usize),
    ) -> Result<Option<Estimate>, EvalError> {
        let parts: Vec<(f64, usize)> = pairs.iter().map(of).collect();
        let parts: Vec<(f64, usize)> = parts.into_iter().filter(|(_, of)| *of > 0).collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let quotient = |drawn: &[usize]| {
            let (sum, count) = drawn.iter().fold((0.0, 0), |(sum, count), &index| {
                (sum + parts[index].0, count + parts[index].1)
            });
            (count > 0).then(|| sum / count as f64)
        };
        let resampled = self.bootstrap.resample(metric, parts.len(), quotient)?;
        let values = resampled.values();
        let varies = values.first() != values.last();
        let share = (0.0..=1.0).contains(&resampled.value) && metric.ends_with("rate");
        let (interval, method) = match (varies, share) {
            (true, _) => (resampled.bca(), Method::Bca),
            (false, true) => {
                let interval = wilson_at(resampled.value, parts.len(), self.bootstrap.level)?;
                (interval, Method::Wilson)
            }
            (false, false) => (resampled.percentile(), Method::Percentile),
        };
        Ok(Some(Estimate {
            metric: metric.to_owned(),
            value: resampled.value,
            interval,
            method,
            standard_error: (parts.len() > 1).then(|| resampled.standard_error()),
            problems: parts.len(),
            absent: pairs.len() - parts.len(),
        }))
    }
}

fn same_length(what: &'static str, first: usize, second: usize) -> Result<(), EvalError> {
    match first == second {
        true => Ok(()),
        false => Err(EvalError::LengthMismatch {
            what,
            first,
            second,
        }),
    }
}

/// Which answer a verdict is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Right,
    Wrong,
    Tie,
    Unreadable,
}

impl Side {
    fn of(better: Slot, choice: Choice) -> Self {
        match choice {
            Choice::Unreadable => Self::Unreadable,
            Choice::Tie => Self::Tie,
            Choice::First if better == Slot::First => Self::Right,
            Choice::Second if better == Slot::Second => Self::Right,
            Choice::First | Choice::Second => Self::Wrong,
        }
    }
}

/// Counts of one pair, under one cue or all.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    items: usize,
    unreadable: usize,
    unreadable_biased: usize,
    /// Right without the cue, whatever came after.
    right: usize,
    /// Right without the cue and wrong with it.
    flipped: usize,
    /// Readable both times.
    readable: usize,
    /// Right without the cue, and readable with it.
    right_readable: usize,
    harmful: usize,
    helpful: usize,
    neutral: usize,
}

impl Tally {
    fn of(before: Side, after: Side) -> Self {
        let readable = before != Side::Unreadable && after != Side::Unreadable;
        let (was, is) = (before == Side::Right, after == Side::Right);
        let count = usize::from;
        Self {
            items: 1,
            unreadable: count(before == Side::Unreadable),
            unreadable_biased: count(after == Side::Unreadable),
            right: count(was),
            flipped: count(was && after == Side::Wrong),
            readable: count(readable),
            right_readable: count(readable && was),
            harmful: count(readable && was && !is),
            helpful: count(readable && !was && is),
            neutral: count(readable && !was && !is && before != after),
        }
    }

    fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.unreadable += other.unreadable;
        self.unreadable_biased += other.unreadable_biased;
        self.right += other.right;
        self.flipped += other.flipped;
        self.readable += other.readable;
        self.right_readable += other.right_readable;
        self.harmful += other.harmful;
        self.helpful += other.helpful;
        self.neutral += other.neutral;
    }
}

//! The matrix of problems × samples that sample metrics are computed from.

use std::collections::HashSet;

use equipoise_verifiers::Verdict;

use crate::EvalError;

/// What came of the samples of every problem: a ragged matrix, a row a problem, an entry a sample.
///
/// `T` is `bool` (is the answer right?) or `f64` (the reward). An entry is `None` if the sample could
/// not be scored: it takes no part in any metric, and [`Outcomes::unscorable`] counts it. Rows may
/// have different lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes<T> {
    ids: Vec<String>,
    rows: Vec<Vec<Option<T>>>,
}

impl<T: Copy> Outcomes<T> {
    /// The outcomes of some problems, each with its identifier.
    ///
    /// # Errors
    /// [`EvalError::Duplicate`] if two problems have the same identifier.
    pub fn new<I: Into<String>>(
        problems: impl IntoIterator<Item = (I, Vec<Option<T>>)>,
    ) -> Result<Self, EvalError> {
        let (ids, rows): (Vec<String>, _) = problems
            .into_iter()
            .map(|(id, row)| (id.into(), row))
            .unzip();
        unique(&ids)?;
        Ok(Self { ids, rows })
    }

    /// The identifiers of the problems, in order.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The samples of every problem, in the order of [`Outcomes::ids`].
    pub fn rows(&self) -> &[Vec<Option<T>>] {
        &self.rows
    }

    /// How many samples could be scored.
    pub fn scored(&self) -> usize {
        self.rows.iter().flatten().flatten().count()
    }

    /// How many samples could not be scored; no metric knows them.
    pub fn unscorable(&self) -> usize {
        self.rows.iter().map(Vec::len).sum::<usize>() - self.scored()
    }

    /// The scored samples of every problem.
    pub(crate) fn scored_rows(&self) -> impl Iterator<Item = Vec<T>> + '_ {
        let row = |row: &Vec<Option<T>>| row.iter().flatten().copied().collect();
        self.rows.iter().map(row)
    }

    /// A number for every problem, from its scored samples; absent where `number` says so.
    pub(crate) fn scores(
        &self,
        metric: String,
        needed: usize,
        number: impl Fn(&[T]) -> f64,
    ) -> Scores {
        let value = |row: Vec<T>| (row.len() >= needed.max(1)).then(|| number(&row));
        let values = self.scored_rows().map(value).collect();
        self.with_values(metric, needed, values)
    }

    /// The numbers of all problems, computed elsewhere; `None` where fewer than `needed` samples
    /// could be scored.
    pub(crate) fn with_values(
        &self,
        metric: String,
        needed: usize,
        values: Vec<Option<f64>>,
    ) -> Scores {
        Scores {
            metric,
            needed: needed.max(1),
            ids: self.ids.clone(),
            values,
            scored: self.scored_rows().map(|row| row.len()).collect(),
        }
    }
}

impl Outcomes<f64> {
    /// Which rewards are at least `threshold`.
    pub fn at_least(&self, threshold: f64) -> Outcomes<bool> {
        let mark = |row: &Vec<Option<f64>>| {
            let passed = |reward: &Option<f64>| reward.map(|reward| reward >= threshold);
            row.iter().map(passed).collect()
        };
        Outcomes {
            ids: self.ids.clone(),
            rows: self.rows.iter().map(mark).collect(),
        }
    }

    /// The rewards of verdicts, `None` where one is unscorable.
    ///
    /// # Errors
    /// As [`Outcomes::new`].
    pub fn rewards<I: Into<String>>(
        problems: impl IntoIterator<Item = (I, Vec<Verdict>)>,
    ) -> Result<Self, EvalError> {
        let rewards = |verdicts: Vec<Verdict>| verdicts.iter().map(Verdict::reward).collect();
        Self::new(problems.into_iter().map(|(id, row)| (id, rewards(row))))
    }
}

impl Outcomes<bool> {
    /// Whether the answers of verdicts are right, `None` where one is unscorable or nothing looked
    /// at the answer.
    ///
    /// # Errors
    /// As [`Outcomes::new`].
    pub fn correct<I: Into<String>>(
        problems: impl IntoIterator<Item = (I, Vec<Verdict>)>,
    ) -> Result<Self, EvalError> {
        let correct = |verdicts: Vec<Verdict>| verdicts.iter().map(Verdict::correct).collect();
        Self::new(problems.into_iter().map(|(id, row)| (id, correct(row))))
    }
}

/// Refuses an identifier that occurs twice.
pub(crate) fn unique(ids: &[String]) -> Result<(), EvalError> {
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().find(|id| !seen.insert(id.as_str())) {
        Some(id) => Err(EvalError::Duplicate { id: id.clone() }),
        None => Ok(()),
    }
}

/// One number for every problem: a metric before it is averaged.
///
/// A problem with fewer scored samples than the metric needs has none. [`Scores::present`] leaves
/// such problems out and [`Scores::absent`] counts them, [`Scores::complete`] makes them an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    metric: String,
    needed: usize,
    ids: Vec<String>,
    values: Vec<Option<f64>>,
    scored: Vec<usize>,
}

impl Scores {
    /// Numbers that come from somewhere else, such as another program.
    ///
    /// # Errors
    /// [`EvalError::Duplicate`], or [`EvalError::OutOfRange`] if a number is not finite.
    pub fn new<I: Into<String>>(
        metric: impl Into<String>,
        problems: impl IntoIterator<Item = (I, Option<f64>)>,
    ) -> Result<Self, EvalError> {
        let (ids, values): (Vec<String>, Vec<Option<f64>>) = problems
            .into_iter()
            .map(|(id, value)| (id.into(), value))
            .unzip();
        unique(&ids)?;
        let bad = |value: &Option<f64>| value.is_some_and(|value| !value.is_finite());
        if let Some(at) = values.iter().position(bad) {
            let found = values[at].unwrap_or(f64::NAN);
            let what = format!("the number of problem {}", ids[at]);
            return Err(EvalError::range(what, found, "finite"));
        }
        Ok(Self::of(&metric.into(), &ids, values))
    }

    /// Finite numbers of problems whose identifiers are known to be unique.
    pub(crate) fn of(metric: &str, ids: &[String], values: Vec<Option<f64>>) -> Self {
        let scored = values.iter().map(|value| usize::from(value.is_some()));
        Self {
            metric: metric.to_owned(),
            needed: 1,
            scored: scored.collect(),
            ids: ids.to_vec(),
            values,
        }
    }

    /// The metric's name, such as `pass@8`.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The identifiers of all problems.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The number of each problem, in the order of [`Scores::ids`].
    pub fn values(&self) -> &[Option<f64>] {
        &self.values
    }

    /// The numbers of the problems that have one, in order.
    pub fn present(&self) -> Vec<f64> {
        self.values.iter().flatten().copied().collect()
    }

    /// How many problems have no number.
    pub fn absent(&self) -> usize {
        self.values.iter().filter(|value| value.is_none()).count()
    }

    /// The mean over the problems that have a number; `None` if none has.
    pub fn mean(&self) -> Option<f64> {
        let present = self.present();
        (!present.is_empty()).then(|| mean(&present))
    }

    /// The same scores if every problem has a number.
    ///
    /// # Errors
    /// [`EvalError::TooFewSamples`] for the first problem without one.
    pub fn complete(self) -> Result<Self, EvalError> {
        match self.values.iter().position(Option::is_none) {
            None => Ok(self),
            Some(at) => Err(EvalError::TooFewSamples {
                metric: self.metric.clone(),
                problem: self.ids[at].clone(),
                scored: self.scored[at],
                needed: self.needed,
            }),
        }
    }
}

/// The arithmetic mean; not a number for an empty slice.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

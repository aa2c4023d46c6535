//! Everything that is known about sampled completions, and the table of it.

use std::collections::HashMap;

use crate::report::{Report, Row, Unit};
use crate::{
    Binning, Bootstrap, Calibration, Confidence, ConfidenceCounts, EvalError, Outcomes, Prediction,
    Resampling, Scores, majority_at_k,
};

/// One sampled completion as it was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRecord {
    /// The identifier of its problem.
    pub problem: String,
    /// Whether the answer is right; `None` if it could not be scored, or nothing looked at it.
    pub correct: Option<bool>,
    /// The reward; `None` if it could not be scored.
    pub reward: Option<f64>,
    /// The extracted answer; `None` if there is none.
    pub answer: Option<String>,
    /// The confidence it states.
    pub confidence: Confidence,
}

/// Sampled completions, problem by problem.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSet {
    correct: Outcomes<bool>,
    rewards: Outcomes<f64>,
    answers: Vec<Vec<Option<String>>>,
    confidences: Vec<Vec<Confidence>>,
}

impl SampleSet {
    /// Groups completions by their problem, in the order in which the problems first occur.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] for none, [`EvalError::OutOfRange`] for a reward that is not finite.
    pub fn new(records: impl IntoIterator<Item = SampleRecord>) -> Result<Self, EvalError> {
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut problems: Vec<(String, Vec<SampleRecord>)> = Vec::new();
        for record in records {
            if let Some(bad) = record.reward.filter(|reward| !reward.is_finite()) {
                let what = format!("a reward of problem {}", record.problem);
                return Err(EvalError::range(what, bad, "finite"));
            }
            let next = problems.len();
            let at = *known.entry(record.problem.clone()).or_insert(next);
            if at == next {
                problems.push((record.problem.clone(), Vec::new()));
            }
            problems[at].1.push(record);
        }
        if problems.is_empty() {
            return Err(EvalError::too_few("sampled completions", 1, 0));
        }
        let rows = |of: fn(&SampleRecord) -> Option<bool>| {
            let row = move |(id, row): &(String, Vec<SampleRecord>)| {
                (id.clone(), row.iter().map(of).collect())
            };
            problems.iter().map(row)
        };
        let correct = Outcomes::new(rows(|record| record.correct))?;
        let rewards = problems.iter().map(|(id, row)| {
            let rewards = row.iter().map(|record| record.reward);
            (id.clone(), rewards.collect())
        });
        let rewards = Outcomes::new(rewards)?;
        let (answers, confidences) = problems
            .into_iter()
            .map(|(_, row)| {
                let pairs = row
                    .into_iter()
                    .map(|record| (record.answer, record.confidence));
                pairs.unzip()
            })
            .unzip();
        Ok(Self {
            correct,
            rewards,
            answers,
            confidences,
        })
    }

    /// Which answers are right.
    pub fn correct(&self) -> &Outcomes<bool> {
        &self.correct
    }

    /// The rewards.
    pub fn rewards(&self) -> &Outcomes<f64> {
        &self.rewards
    }

    /// What two checkpoints are compared by: the accuracy of every problem, or, if nothing looked at
    /// the answers, its mean reward.
    ///
    /// # Errors
    /// None in this version.
    pub fn main_scores(&self) -> Result<(Scores, Unit), EvalError> {
        match self.correct.scored() {
            0 => Ok((self.rewards.average_at_k(1)?, Unit::Number)),
            _ => Ok((self.correct.accuracy(), Unit::Share)),
        }
    }

    /// How many completions state a confidence.
    pub fn confidence_counts(&self) -> ConfidenceCounts {
        let mut counts = ConfidenceCounts::default();
        for confidence in self.confidences.iter().flatten() {
            counts.add(confidence);
        }
        counts
    }

    /// The stated confidences of scored answers, problem by problem.
    pub fn predictions(&self) -> Vec<Vec<Prediction>> {
        let rows = self.correct.rows().iter().zip(&self.confidences);
        let row = |(outcomes, confidences): (&Vec<Option<bool>>, &Vec<Confidence>)| {
            let pairs = outcomes.iter().zip(confidences);
            let found = pairs.filter_map(|(outcome, confidence)| match confidence {
                Confidence::Found(confidence) => Some(Prediction {
                    confidence: *confidence,
                    correct: (*outcome)?,
                }),
                Confidence::Absent | Confidence::Malformed { .. } => None,
            });
            found.collect()
        };
        rows.map(row).collect()
    }

    /// The table: for every k pass@k, and from 2 on pass^k and maj@k; avg@n; the mean reward, if it
    /// says more than right and wrong; calibration, if confidences are stated; and what was counted.
    /// A metric that no problem has enough samples for has a row that says so.
    ///
    /// `same` says which extracted answers are one answer in a vote.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a k of 0 or impossible settings of the bootstrap.
    pub fn report(
        &self,
        title: &str,
        ks: &[usize],
        same: impl Fn(&str, &str) -> bool,
        bootstrap: &Bootstrap,
    ) -> Result<Report, EvalError> {
        let mut report = Report::new(title);
        report.level = bootstrap.level;
        if self.correct.scored() > 0 {
            let accuracy = self.correct.accuracy();
            push(&mut report, accuracy, "avg", Unit::Share, bootstrap)?;
            for &k in ks {
                let pass = self.correct.pass_at_k(k)?;
                push(&mut report, pass, "", Unit::Share, bootstrap)?;
                if k == 1 {
                    continue;
                }
                let all = self.correct.all_of_k(k)?;
                push(&mut report, all, "", Unit::Share, bootstrap)?;
                if self.answers.iter().flatten().any(Option::is_some) {
                    let resampling = Resampling {
                        seed: bootstrap.seed,
                        ..Resampling::default()
                    };
                    let vote = majority_at_k(&self.correct, &self.answers, k, &same, &resampling)?;
                    push(&mut report, vote, "", Unit::Share, bootstrap)?;
                }
            }
        }
        if self.rewards_say_more() {
            let reward = self.rewards.average_at_k(1)?;
            push(&mut report, reward, "mean reward", Unit::Number, bootstrap)?;
        }
        self.push_calibration(&mut report, bootstrap)?;
        let rows = self.correct.rows();
        report.push(Row::count("problems", rows.len()));
        report.push(Row::count("samples", rows.iter().map(Vec::len).sum()));
        let unscorable = self.rewards.unscorable().min(self.correct.unscorable());
        report.push(Row::count("unscorable", unscorable));
        Ok(report)
    }

    /// Whether some reward is not simply 1 for right and 0 for wrong.
    fn rewards_say_more(&self) -> bool {
        let rewards = self.rewards.rows().iter().flatten();
        let mut pairs = rewards.zip(self.correct.rows().iter().flatten());
        pairs.any(|(reward, correct)| {
            let plain = correct.map(|correct| f64::from(u8::from(correct)));
            reward.is_some() && *reward != plain
        })
    }

    fn push_calibration(
        &self,
        report: &mut Report,
        bootstrap: &Bootstrap,
    ) -> Result<(), EvalError> {
        let counts = self.confidence_counts();
        if counts.found + counts.malformed == 0 {
            return Ok(());
        }
        let stated = Row::count("stated confidences", counts.found);
        let (absent, malformed) = (counts.absent, counts.malformed);
        report.push(stated.note(format!("{absent} absent, {malformed} malformed")));
        let predictions = self.predictions();
        let flat: Vec<Prediction> = predictions.iter().flatten().copied().collect();
        let Ok(calibration) = Calibration::new(&flat) else {
            // All of them belong to answers that could not be scored.
            return Ok(());
        };
        type Number = fn(&Calibration) -> Option<f64>;
        let numbers: [(&str, Unit, &str, Number); 6] = [
            (
                "confidence − accuracy",
                Unit::ShareDifference,
                "above 0: overconfident",
                |c| Some(c.confidence() - c.accuracy()),
            ),
            ("ECE", Unit::Share, "10 bins of equal width", |c| {
                c.expected_error(Binning::EqualWidth(10)).ok()
            }),
            (
                "ECE, equal mass",
                Unit::Share,
                "10 bins of equal mass",
                |c| c.expected_error(Binning::EqualMass(10)).ok(),
            ),
            (
                "AUROC",
                Unit::Number,
                "of right against wrong",
                Calibration::auroc,
            ),
            ("Brier score", Unit::Number, "", |c| Some(c.brier())),
            ("log loss", Unit::Number, "nats, clipped at 1e-6", |c| {
                c.log_loss(1e-6).ok()
            }),
        ];
        for (name, unit, note, number) in numbers {
            let value = number(&calibration);
            let mut row = Row::new(name, value, unit).of(flat.len()).note(note);
            if value.is_some() {
                let of_problems = |drawn: &[usize]| {
                    let drawn = drawn.iter().flat_map(|&at| predictions[at].iter().copied());
                    let drawn: Vec<Prediction> = drawn.collect();
                    number(&Calibration::new(&drawn).ok()?)
                };
                let resampled = bootstrap.resample(name, predictions.len(), of_problems)?;
                row = row.between(resampled.percentile());
            }
            report.push(row);
        }
        let parts = calibration.murphy(Binning::Distinct)?;
        for (name, part) in [
            ("Brier: reliability", parts.reliability),
            ("Brier: resolution", parts.resolution),
            ("Brier: uncertainty", parts.uncertainty),
        ] {
            report.push(Row::new(name, part, Unit::Number).of(flat.len()));
        }
        report.reliability = calibration.reliability(Binning::EqualWidth(10))?;
        Ok(())
    }
}

/// Adds the row of a metric, or one that says why there is none.
fn push(
    report: &mut Report,
    scores: Scores,
    name: &str,
    unit: Unit,
    bootstrap: &Bootstrap,
) -> Result<(), EvalError> {
    let name = match name {
        "" => scores.metric().to_owned(),
        name => name.to_owned(),
    };
    let mut row = match scores.estimate(bootstrap) {
        Ok(estimate) => Row::estimate(&estimate, unit),
        Err(EvalError::TooFewSamples { needed, .. }) => {
            let why = format!("no problem has {needed} scored samples");
            Row::new("", None, unit).note(why)
        }
        Err(other) => return Err(other),
    };
    row.metric = name;
    report.push(row);
    Ok(())
}

//! `equipoise eval`: how many held-out problems a model solves, or how good saved completions are.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_core::Problem;
use equipoise_eval::report::Report;
use equipoise_eval::rows::{RowSettings, after_thinking, sample_records};
use equipoise_eval::{
    Bootstrap, Pairing, SampleRecord, SampleSet, Scale, stated_confidence, wilson,
    without_confidence,
};
use equipoise_trainer::{Assembly, Evaluation, evaluate, evaluate_sampled};
use equipoise_verifiers::{ExactNumber, Extraction, Verifier as _};
use serde_json::{Value, json};

use crate::output::percent;
use crate::saved::Saved;

/// The arguments of `equipoise eval`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A run's directory, a model's with config.json, model.safetensors and tokenizer.json, or an
    /// adapter's in PEFT's layout; with a second one, both are compared problem by problem.
    #[arg(value_name = "PATH", num_args = 1..=2, required_unless_present = "completions")]
    paths: Vec<PathBuf>,
    /// What the first is compared with, as a second PATH; with --completions, another such file.
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Evaluate saved completions instead of a model: a JSON object a line with `problem` or `id`,
    /// `correct` or `reward`, and perhaps `completion`, `answer` and `confidence`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "recipe", "set", "problems", "samples"])]
    completions: Option<PathBuf>,
    /// The recipe whose held-out problems and verifier are used; that of the run if not given.
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Change a value of the recipe, for example `data.held_out=1000`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Only the first so many held-out problems.
    #[arg(long, value_name = "N")]
    problems: Option<usize>,
    /// So many answers to each problem, sampled as in training; 0 for the most likely one alone.
    #[arg(long, value_name = "N", default_value_t = 0)]
    samples: usize,
    /// The k of pass@k, pass^k and maj@k. [default: 1 and the number of answers to a problem]
    #[arg(long, value_name = "K", value_delimiter = ',')]
    k: Vec<usize>,
    /// With --completions: the reward from which on an answer is right, where no row says `correct`.
    #[arg(long, value_name = "REWARD", conflicts_with = "paths")]
    threshold: Option<f64>,
    /// What a bare number after "Confidence:" is a part of.
    #[arg(long, value_enum, default_value_t = ConfidenceScale::Auto)]
    confidence_scale: ConfidenceScale,
    #[command(flatten)]
    output: Output,
}

/// How results are computed and shown, the same for all commands that evaluate.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// The seed of the intervals' random numbers.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How often the problems are resampled for an interval.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    resamples: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the table with pictures into this file, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Output {
    pub(crate) fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            resamples: self.resamples,
            seed: self.seed,
            ..Bootstrap::default()
        }
    }

    /// Writes the page, if one is wanted.
    pub(crate) fn page(&self, report: &Report) -> anyhow::Result<()> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        let written = fs::write(path, report.to_html());
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints the table, or its JSON, and writes the page.
    pub(crate) fn show(&self, report: &Report) -> anyhow::Result<()> {
        self.page(report)?;
        let mut out = io::stdout();
        if self.json {
            writeln!(out, "{}", report.to_json())?;
        } else {
            write!(out, "{}", report.to_text())?;
        }
        Ok(())
    }
}

/// The words of `--confidence-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ConfidenceScale {
    /// Whatever leaves no doubt.
    Auto,
    /// From 0 to 1.
    Unit,
    /// From 0 to 10.
    Ten,
    /// From 0 to 100.
    Hundred,
}

impl From<ConfidenceScale> for Scale {
    fn from(scale: ConfidenceScale) -> Self {
        match scale {
            ConfidenceScale::Auto => Self::Unambiguous,
            ConfidenceScale::Unit => Self::Unit,
            ConfidenceScale::Ten => Self::Ten,
            ConfidenceScale::Hundred => Self::Hundred,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let second = arguments.against.as_deref();
    if let Some(file) = &arguments.completions {
        return saved_completions(arguments, file, second);
    }
    let (Some(first), given) = (arguments.paths.first(), arguments.paths.get(1)) else {
        bail!("name a run or a model");
    };
    if given.is_some() && second.is_some() {
        bail!("name the second model once: as a second PATH or with --against");
    }
    let second = given.map(PathBuf::as_path).or(second);
    let evaluated = Evaluated::of(arguments, first)?;
    let mut report = evaluated.report(arguments)?;
    let mut summary = evaluated.summary();
    if let Some(path) = second {
        let other = Evaluated::of(arguments, path)?;
        let comparison = compare(arguments, &evaluated.set, &other.set, &mut report)?;
        summary["against"] = other.summary();
        summary["comparison"] = comparison;
    }
    summary["report"] = report.to_json();
    let titled = Report {
        title: format!("{}: {}", evaluated.model, report.title),
        ..report.clone()
    };
    arguments.output.page(&titled)?;
    let mut out = io::stdout();
    if arguments.output.json {
        writeln!(out, "{summary}")?;
        return Ok(());
    }
    evaluated.tell(&mut out)?;
    write!(out, "\n{}", report.to_text())?;
    Ok(())
}

/// Evaluates a file of completions, alone or against another.
fn saved_completions(
    arguments: &Arguments,
    file: &Path,
    second: Option<&Path>,
) -> anyhow::Result<()> {
    let read = |path: &Path| -> anyhow::Result<SampleSet> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let settings = RowSettings {
            threshold: arguments.threshold,
            scale: arguments.confidence_scale.into(),
        };
        let records = sample_records(&name, &text, settings)?;
        SampleSet::new(records).with_context(|| format!("{name} has no rows"))
    };
    let set = read(file)?;
    let mut report = table(arguments, &set, &file.display().to_string())?;
    if let Some(second) = second {
        compare(arguments, &set, &read(second)?, &mut report)?;
    }
    arguments.output.show(&report)
}

/// The table of a set of samples, with the k that were asked for.
fn table(arguments: &Arguments, set: &SampleSet, title: &str) -> anyhow::Result<Report> {
    let most = set.correct().rows().iter().map(Vec::len).max().unwrap_or(1);
    let mut ks = match arguments.k.is_empty() {
        true => vec![1, most],
        false => arguments.k.clone(),
    };
    ks.sort_unstable();
    ks.dedup();
    Ok(set.report(title, &ks, same_answer, &arguments.output.bootstrap())?)
}

/// Adds the comparison of two sets to the report; the problems they do not share are counted there.
fn compare(
    arguments: &Arguments,
    first: &SampleSet,
    second: &SampleSet,
    report: &mut Report,
) -> anyhow::Result<Value> {
    let ((first, unit), (second, other)) = (first.main_scores()?, second.main_scores()?);
    if unit != other {
        bail!("one of the two says which answers are right, the other only rewards");
    }
    let comparison = Pairing::new(&first, &second).compare(&arguments.output.bootstrap())?;
    report.push_comparison(&comparison, unit);
    Ok(serde_json::to_value(&comparison)?)
}

/// Whether two extracted answers are one: the same text, or the same number.
fn same_answer(first: &str, second: &str) -> bool {
    let (first, second) = (first.trim(), second.trim());
    // The completion is a number and nothing else, so that 4 and (3, 4) stay two answers.
    const TAG: &str = "</think>";
    let number = ExactNumber {
        extraction: Extraction::AfterTag(TAG.to_owned()),
    };
    let problem = Problem {
        id: 0,
        prompt: String::new(),
        answer: first.to_owned(),
        source: "vote".to_owned(),
    };
    let verdict = || number.verify(&problem, &format!("{TAG}{second}"));
    first == second || verdict().correct() == Some(true)
}

/// A model and what it answered.
struct Evaluated {
    model: String,
    problems: usize,
    samples: usize,
    evaluation: Evaluation,
    set: SampleSet,
}

impl Evaluated {
    fn of(arguments: &Arguments, path: &Path) -> anyhow::Result<Self> {
        let saved = Saved::open(path)?;
        let recipe = saved.recipe(arguments.recipe.as_deref(), &arguments.set)?;
        let assembly = Assembly::with_model(recipe, &saved.directory)?;
        let held_out = assembly.source.held_out();
        let count = arguments.problems.unwrap_or(held_out.len());
        if count == 0 || count > held_out.len() {
            bail!(
                "--problems {count}: the recipe holds out {}; take from 1 to so many, or more with \
                 --set data.held_out=N",
                held_out.len()
            );
        }
        let problems = &held_out[..count];
        let evaluation = match arguments.samples {
            0 => evaluate(&assembly, problems)?,
            n => evaluate_sampled(&assembly, problems, n)?,
        };
        // Explaining may mean to judge once more; without a vote nobody asks for the answers.
        let votes = arguments.samples > 1 && arguments.k != [1];
        let record = |answer: &equipoise_trainer::Answer| {
            let (problem, text) = (&answer.problem, answer.completion.as_str());
            let extracted = votes.then(|| {
                let explained = assembly.verifier.explain(problem, text).extracted;
                explained.or_else(|| after_thinking(&without_confidence(text)))
            });
            SampleRecord {
                problem: format!("{}/{}", problem.source, problem.id),
                correct: answer.verdict.correct(),
                reward: answer.verdict.reward(),
                answer: extracted.flatten(),
                confidence: stated_confidence(text, arguments.confidence_scale.into()),
            }
        };
        Ok(Self {
            model: saved.directory.display().to_string(),
            problems: count,
            samples: arguments.samples,
            set: SampleSet::new(evaluation.answers.iter().map(record))?,
            evaluation,
        })
    }

    /// Scored answers, right ones, and the ends of the accuracy's interval.
    fn accuracy(&self) -> (usize, usize, (f64, f64)) {
        let correct = self.set.correct();
        let right = correct.rows().iter().flatten();
        let right = right.filter(|one| **one == Some(true)).count();
        // Answers to the same problem are not independent, problems are: with several answers to each
        // the interval is wider than it need be, never narrower.
        let trials = correct.scored() / self.samples.max(1);
        let interval = wilson(self.evaluation.accuracy().unwrap_or(0.0), trials);
        (correct.scored(), right, (interval.low, interval.high))
    }

    fn report(&self, arguments: &Arguments) -> anyhow::Result<Report> {
        table(
            arguments,
            &self.set,
            &format!("{} held-out problems", self.problems),
        )
    }

    fn summary(&self) -> Value {
        let (scored, correct, (low, high)) = self.accuracy();
        json!({
            "model": self.model,
            "problems": self.problems,
            "samples": self.samples,
            "scored": scored,
            "correct": correct,
            "unscorable": self.evaluation.unscorable(),
            "accuracy": self.evaluation.accuracy(),
            "accuracy_low": low,
            "accuracy_high": high,
            "format": self.evaluation.format(),
            "mean_length": self.evaluation.mean_length(),
        })
    }

    fn tell(&self, out: &mut impl io::Write) -> io::Result<()> {
        let (scored, correct, (low, high)) = self.accuracy();
        let how = match self.samples {
            0 => "answered by the most likely tokens".to_owned(),
            n => format!("{n} sampled answers to each"),
        };
        writeln!(out, "model        {}", self.model)?;
        writeln!(out, "problems     {} held out, {how}", self.problems)?;
        match self.evaluation.accuracy() {
            Some(accuracy) => writeln!(
                out,
                "accuracy     {} ({correct} of {scored}; 95 % interval {} to {})",
                percent(accuracy),
                percent(low),
                percent(high),
            )?,
            None => writeln!(out, "accuracy     unknown: no answer could be scored")?,
        }
        if let Some(format) = self.evaluation.format() {
            writeln!(out, "format       {}", percent(format))?;
        }
        if let Some(length) = self.evaluation.mean_length() {
            writeln!(out, "length       {length:.1} tokens")?;
        }
        writeln!(out, "unscorable   {}", self.evaluation.unscorable())
    }
}

#[cfg(test)]
mod tests {
    use super::same_answer;

    #[test]
    fn answers_are_the_same_number_or_the_same_text() {
        for (first, second) in [
            ("1/2", "0.5"),
            ("7", " 7.0"),
            ("x + 1", "x + 1"),
            ("1,000", "1000"),
        ] {
            assert!(same_answer(first, second), "{first} {second}");
            assert!(same_answer(second, first), "{second} {first}");
        }
        for (first, second) in [("7", "8"), ("(3, 4)", "4"), ("x", "y"), ("", "0")] {
            assert!(!same_answer(first, second), "{first} {second}");
            assert!(!same_answer(second, first), "{second} {first}");
        }
    }
}

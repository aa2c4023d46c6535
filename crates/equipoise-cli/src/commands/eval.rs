//! `equipoise eval`: how many held-out problems a model solves.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::bail;
use equipoise_trainer::{Assembly, evaluate, evaluate_sampled};
use serde_json::json;

use crate::interval::wilson;
use crate::output::percent;
use crate::saved::Saved;

/// The arguments of `equipoise eval`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A run's directory, or a model's with config.json, model.safetensors and tokenizer.json.
    path: PathBuf,
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
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let saved = Saved::open(&arguments.path)?;
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
    let (evaluation, how) = match arguments.samples {
        0 => (
            evaluate(&assembly, problems)?,
            "answered by the most likely tokens".to_owned(),
        ),
        n => (
            evaluate_sampled(&assembly, problems, n)?,
            format!("{n} sampled answers to each"),
        ),
    };
    let verdicts = evaluation
        .answers
        .iter()
        .map(|answer| answer.verdict.correct());
    let (scored, correct) = verdicts.flatten().fold((0, 0), |(scored, correct), right| {
        (scored + 1, correct + usize::from(right))
    });
    // Answers to the same problem are not independent, problems are: with several answers to each
    // the interval is wider than it need be, never narrower.
    let trials = scored / arguments.samples.max(1);
    let (low, high) = wilson(evaluation.accuracy().unwrap_or(0.0), trials);
    let model = saved.directory.display();
    let mut out = io::stdout();
    if arguments.json {
        let summary = json!({
            "model": model.to_string(),
            "problems": count,
            "samples": arguments.samples,
            "scored": scored,
            "correct": correct,
            "unscorable": evaluation.unscorable(),
            "accuracy": evaluation.accuracy(),
            "accuracy_low": low,
            "accuracy_high": high,
            "format": evaluation.format(),
            "mean_length": evaluation.mean_length(),
        });
        writeln!(out, "{summary}")?;
        return Ok(());
    }
    writeln!(out, "model        {model}")?;
    writeln!(out, "problems     {count} held out, {how}")?;
    match evaluation.accuracy() {
        Some(accuracy) => writeln!(
            out,
            "accuracy     {} ({correct} of {scored}; 95 % interval {} to {})",
            percent(accuracy),
            percent(low),
            percent(high),
        )?,
        None => writeln!(out, "accuracy     unknown: no answer could be scored")?,
    }
    if let Some(format) = evaluation.format() {
        writeln!(out, "format       {}", percent(format))?;
    }
    if let Some(length) = evaluation.mean_length() {
        writeln!(out, "length       {length:.1} tokens")?;
    }
    writeln!(out, "unscorable   {}", evaluation.unscorable())?;
    Ok(())
}

//! `equipoise train`: from a recipe to a trained model and a report.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use equipoise_tracking::{METRICS_FILE, MetricRecord};
use equipoise_trainer::recipe::Recipe;
use equipoise_trainer::{Outcome, Outline, Run};

use crate::estimate::{Lengths, memory, parameters};
use crate::output::{duration, percent, program, quoted};
use crate::progress::Progress;
use crate::{interrupt, run_directory, summary};

/// The arguments of `equipoise train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The recipe, a TOML file.
    recipe: PathBuf,
    /// Change a value of the recipe, for example `stage.rl.learning_rate=1e-4`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the newest run of this recipe, from its newest checkpoint.
    #[arg(long)]
    resume: bool,
    /// Print the resolved recipe and the predicted memory, and do nothing.
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// The run's directory, instead of NAME, NAME-2, … in `tracking.runs`.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (recipe, notes) = Recipe::load_noted(&arguments.recipe, &arguments.set)?;
    let outline = Outline::new(&recipe)?;
    let lengths = Lengths::measure(&recipe, &outline)?;
    let essentials = summary::essentials(&recipe, &outline, lengths);
    let mut out = io::stdout();
    if arguments.dry_run {
        let threads = rayon::current_num_threads();
        let memory = memory(&recipe, &outline.config, lengths, threads);
        writeln!(out, "{}", recipe.to_toml()?)?;
        write!(out, "{essentials}")?;
        tell(&notes)?;
        writeln!(out, "{:<10} {}", "parameters", parameters(&outline.config))?;
        writeln!(
            out,
            "{:<10} {}",
            "memory",
            summary::memory(&memory, threads)
        )?;
        return Ok(ExitCode::SUCCESS);
    }

    let started = Instant::now();
    let stop = interrupt::flag()?;
    let (mut run, directory, _lock) = open(arguments, recipe.clone())?;
    write!(out, "{essentials}")?;
    tell(&notes)?;
    let mut progress = Progress::new(&recipe);
    let outcome = run.train(&mut progress, &stop);
    progress.close();
    match outcome? {
        Outcome::Finished { report } => {
            let time = duration(started.elapsed());
            finished(&recipe, &directory, &report, &time, &example(&outline))?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted { checkpoint } => {
            writeln!(
                out,
                "interrupted; everything is saved in {}",
                checkpoint.display()
            )?;
            writeln!(
                out,
                "to go on:\n    {}",
                resume_command(arguments, &directory, &recipe)?
            )?;
            Ok(ExitCode::from(interrupt::EXIT_CODE))
        }
    }
}

/// What the recipe's reader should know: names that stood for others, and odd combinations.
fn tell(notes: &[String]) -> io::Result<()> {
    notes
        .iter()
        .try_for_each(|note| writeln!(io::stdout(), "{:<10} {note}", "note"))
}

/// The run, its directory, and the lock on it.
fn open(
    arguments: &Arguments,
    recipe: Recipe,
) -> anyhow::Result<(Run, PathBuf, run_directory::Lock)> {
    let mut out = io::stdout();
    let (runs, name) = (recipe.tracking.runs.clone(), recipe.name.clone());
    if arguments.resume {
        let directory = match &arguments.run_dir {
            Some(directory) => directory.clone(),
            None => match run_directory::newest(&runs, &name)? {
                Some(directory) => directory,
                None => bail!(
                    "there is no run to resume: {} does not exist; train without --resume first",
                    runs.join(&name).display()
                ),
            },
        };
        if !directory.is_dir() {
            bail!(
                "there is no run to resume: {} does not exist",
                directory.display()
            );
        }
        let lock = run_directory::lock(&directory)?;
        let run = Run::resume(recipe, &directory)?;
        let steps = run.progress().total_steps;
        writeln!(
            out,
            "{:<10} {}, resumed after {steps} steps",
            "run",
            directory.display()
        )?;
        return Ok((run, directory, lock));
    }
    let directory = match &arguments.run_dir {
        Some(directory) => directory.clone(),
        None => run_directory::next(&runs, &name)?,
    };
    let run = Run::create(recipe, &directory)?;
    let lock = run_directory::lock(&directory)?;
    let first = runs.join(&name);
    let why = if arguments.run_dir.is_none() && directory != first {
        format!(
            " ({} already holds a run, which stays as it is; --resume goes on with the newest)",
            first.display()
        )
    } else {
        String::new()
    };
    writeln!(out, "{:<10} {}{why}", "run", directory.display())?;
    Ok((run, directory, lock))
}

/// What to type to go on with an interrupted run.
fn resume_command(
    arguments: &Arguments,
    directory: &Path,
    recipe: &Recipe,
) -> anyhow::Result<String> {
    let mut command = format!("{} train {}", program(), path(&arguments.recipe));
    for set in &arguments.set {
        command += &format!(" --set {}", quoted(set));
    }
    command += " --resume";
    let newest = run_directory::newest(&recipe.tracking.runs, &recipe.name)?;
    if newest.as_deref() != Some(directory) {
        command += &format!(" --run-dir {}", path(directory));
    }
    Ok(command)
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// The end of a run: what was reached, and what to do with it.
fn finished(
    recipe: &Recipe,
    directory: &Path,
    report: &Path,
    time: &str,
    example: &str,
) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let stages: Vec<String> = (0..recipe.stages.len())
        .map(|at| summary::stage_name(recipe, at))
        .collect();
    let reinforced = recipe.stages.iter().position(|stage| stage.kind() == "rl");
    let first_stage = &stages[reinforced.unwrap_or(0)];
    let accuracies = accuracies(&directory.join(METRICS_FILE))?;
    let first = accuracies.iter().find(|(stage, _)| stage == first_stage);
    if let (Some((stage, first)), Some((_, last))) = (first, accuracies.last()) {
        writeln!(
            out,
            "held-out accuracy {} at the start of {stage}, {} at the end: {:+.1} percentage points",
            percent(*first),
            percent(*last),
            100.0 * (last - first),
        )?;
    }
    writeln!(
        out,
        "finished in {time}; the report is {}",
        report.display()
    )?;
    let (program, run) = (program(), path(directory));
    writeln!(
        out,
        "next:\n    {program} sample {run}{example}\n    {program} eval {run}"
    )?;
    writeln!(out, "    {program} inspect {run}")?;
    Ok(())
}

/// A prompt to try, if there is one that fits a command line.
fn example(outline: &Outline) -> String {
    let prompts = outline
        .source
        .held_out()
        .iter()
        .map(|problem| &problem.prompt);
    let short =
        |prompt: &&String| prompt.len() <= 40 && !prompt.starts_with('-') && !prompt.contains('\n');
    prompts
        .take(1)
        .find(short)
        .map_or_else(String::new, |prompt| format!(" {}", quoted(prompt)))
}

/// Every held-out accuracy on record, with its stage.
fn accuracies(metrics: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let context = || format!("cannot read {}", metrics.display());
    let file = std::fs::File::open(metrics).with_context(context)?;
    let mut found = Vec::new();
    for line in io::BufReader::new(file).lines() {
        let record: MetricRecord =
            serde_json::from_str(&line.with_context(context)?).with_context(context)?;
        if let Some(accuracy) = record.get("held_out/accuracy") {
            found.push((record.stage, accuracy));
        }
    }
    Ok(found)
}

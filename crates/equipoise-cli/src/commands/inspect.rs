//! `equipoise inspect`: what a stage trains on, token by token; files of data are shown by
//! [`inspect_data`].

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use equipoise_core::TokenId;
use equipoise_data::Tokenizer;
use equipoise_trainer::recipe::{Recipe, RlStage, SftStage, Stage};
use equipoise_trainer::{Assembly, Example, Progress, Rl, Sft};
use equipoise_verifiers::Verdict;

use super::inspect_data::{self, DataArguments};
use crate::output::{colours, token_text, word};
use crate::saved::Saved;
use crate::summary::stage_name;

/// The arguments of `equipoise inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A recipe, for its model as it starts; a run's directory, for its newest checkpoint; or a file
    /// of data (.jsonl, .json, .parquet).
    source: PathBuf,
    /// Change a value of the recipe, for example `sampler.temperature=0.7`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The stage: `sft`, `rl`, or `rl.1` for the second of several. The one the run is in, or the
    /// first one, if not given.
    #[arg(long)]
    stage: Option<String>,
    /// The step of the stage. The one that is next, or the first, if not given.
    #[arg(long, value_name = "N")]
    step: Option<u64>,
    /// How many demonstrations, groups of completions, or rows are shown.
    #[arg(long, value_name = "N", default_value_t = 2)]
    count: usize,
    #[command(flatten)]
    data: DataArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if inspect_data::is_data(&arguments.source) {
        if !arguments.set.is_empty() || arguments.stage.is_some() || arguments.step.is_some() {
            bail!("--set, --stage and --step are for recipes and runs, not for files of data");
        }
        return inspect_data::run(&arguments.source, &arguments.data, arguments.count);
    }
    if arguments.data.given() {
        bail!("--tokenizer, --template, --date, --kind and --last-turn-only are for files of data");
    }
    let (assembly, progress) = if arguments.source.is_dir() {
        let saved = Saved::open(&arguments.source)?;
        let recipe = saved.recipe(None, &arguments.set)?;
        let progress = saved.progress().unwrap_or_default();
        (Assembly::with_model(recipe, &saved.directory)?, progress)
    } else {
        let recipe = Recipe::load(&arguments.source, &arguments.set)?;
        (Assembly::new(recipe)?, Progress::default())
    };
    let recipe = assembly.recipe.clone();
    let at = match &arguments.stage {
        None => progress.stage,
        Some(name) => find_stage(&recipe, name)?,
    };
    let next = if at == progress.stage {
        progress.step
    } else {
        0
    };
    let step = arguments.step.unwrap_or(next);
    let name = stage_name(&recipe, at);
    let used = used_before(&recipe, at, progress);
    let mut page = Page {
        out: io::stdout(),
        tokenizer: assembly.tokenizer.clone(),
        colours: colours(),
        count: arguments.count,
    };
    match recipe.stages[at].clone() {
        Stage::Sft(stage) => {
            let sft = Sft::new(assembly, stage.clone(), name.clone(), used.demonstrations)?;
            page.sft(&sft, &stage, &name, step)
        }
        Stage::Rl(stage) => {
            // Sampling and weighing do not ask the reference.
            let (number, first) = (at as u64, used.problems);
            let rl = Rl::new(assembly, stage.clone(), name.clone(), number, first, None)?;
            page.rl(rl, &stage, &name, step)
        }
    }
}

fn find_stage(recipe: &Recipe, name: &str) -> anyhow::Result<usize> {
    let names: Vec<String> = (0..recipe.stages.len())
        .map(|at| stage_name(recipe, at))
        .collect();
    // `rl` is also the first of several.
    let found = names.iter().position(|other| other == name).or_else(|| {
        let mut kinds = recipe.stages.iter().map(Stage::kind);
        kinds.position(|kind| kind == name)
    });
    found.with_context(|| {
        let names = names.join(", ");
        format!("--stage {name}: there is no such stage; the recipe has {names}")
    })
}

/// The problems and demonstrations used before stage `at`. What lies behind the run is known; a
/// stage that is still to come, or long past, is taken to follow stages of full length.
fn used_before(recipe: &Recipe, at: usize, progress: Progress) -> Progress {
    if at == progress.stage {
        return progress;
    }
    let mut used = Progress::default();
    for stage in &recipe.stages[..at] {
        match stage {
            Stage::Sft(stage) => used.demonstrations += stage.steps * stage.batch_size as u64,
            Stage::Rl(stage) => used.problems += stage.steps * stage.prompts_per_step as u64,
        }
    }
    used
}

/// Where and how it is shown.
struct Page {
    out: io::Stdout,
    tokenizer: std::sync::Arc<Tokenizer>,
    colours: bool,
    count: usize,
}

impl Page {
    fn sft(&mut self, sft: &Sft, stage: &SftStage, name: &str, step: u64) -> anyhow::Result<()> {
        let batch = sft.batch(step)?;
        let tokens: usize = batch.iter().map(|example| example.response.len()).sum();
        writeln!(
            self.out,
            "{name} step {step}: {} demonstrations with {tokens} loss-carrying tokens, which all \
             count alike: weight {:.3e} each",
            stage.batch_size,
            1.0 / tokens.max(1) as f64
        )?;
        self.legend()?;
        for (at, Example { prompt, response }) in batch.iter().take(self.count).enumerate() {
            let (before, loss) = (prompt.len(), response.len());
            writeln!(self.out, "\ndemonstration {at}: {before} + {loss} tokens")?;
            self.tokens(prompt, response, loss)?;
        }
        Ok(())
    }

    fn rl(&mut self, mut rl: Rl, stage: &RlStage, name: &str, step: u64) -> anyhow::Result<()> {
        let inspection = rl.inspect(step)?;
        let rollout = &inspection.rollout;
        writeln!(
            self.out,
            "{name} step {step}: {} prompts × {} samples; estimator {} × objective {} × aggregation \
             {}",
            stage.prompts_per_step,
            stage.samples_per_prompt,
            stage.estimator,
            stage.objective,
            stage.aggregation
        )?;
        self.legend()?;
        let shown = self.count.min(stage.prompts_per_step) * stage.samples_per_prompt;
        for at in 0..shown {
            if at % stage.samples_per_prompt == 0 {
                let (group, problem) = (at / stage.samples_per_prompt, rollout.problem(at));
                let (prompt, answer) = (&problem.prompt, &problem.answer);
                writeln!(self.out, "\ngroup {group}: {prompt:?}, answer {answer:?}")?;
            }
            let (completion, response) = (&rollout.completions()[at], &inspection.responses[at]);
            let reward = match &rollout.verdicts()[at] {
                Verdict::Scored { reward, parts, .. } => {
                    let parts: Vec<String> = parts
                        .iter()
                        .map(|part| format!("{} {} × {}", part.name, part.score, part.weight))
                        .collect();
                    format!("reward {reward:.3} ({})", parts.join(", "))
                }
                Verdict::Unscorable { why } => format!("unscorable: {why}"),
            };
            writeln!(
                self.out,
                "  sample {}: {reward}; advantage {:+.3}; weight {:.3e}; length {} ({})",
                at % stage.samples_per_prompt,
                response.advantage,
                inspection.weights[at],
                completion.tokens.len(),
                word(&completion.finish)
            )?;
            self.tokens(
                &rollout.prompt(at).tokens,
                &completion.tokens,
                response.tokens,
            )?;
        }
        let report = &inspection.advantages.report;
        writeln!(
            self.out,
            "\nall {} groups: {} without a signal; {} of {} completions unscorable, {} cut off",
            report.groups,
            report.without_signal,
            report.unscorable,
            report.responses,
            rollout.truncated()
        )?;
        writeln!(self.out, "{}", inspection.diagnostics)?;
        Ok(())
    }

    fn legend(&mut self) -> anyhow::Result<()> {
        if self.count == 0 {
            bail!("--count 0: there would be nothing to see");
        }
        let how = if self.colours {
            "green"
        } else {
            "in [brackets]"
        };
        writeln!(self.out, "tokens that carry loss are {how}")?;
        Ok(())
    }

    /// One line of tokens; the first `loss` of the response carry loss.
    fn tokens(
        &mut self,
        prompt: &[TokenId],
        response: &[TokenId],
        loss: usize,
    ) -> anyhow::Result<()> {
        let marks =
            std::iter::repeat_n(false, prompt.len()).chain((0..response.len()).map(|at| at < loss));
        write!(self.out, "   ")?;
        for (&token, carries) in prompt.iter().chain(response).zip(marks) {
            let text = token_text(self.tokenizer.token(token));
            match (self.colours, carries) {
                (true, true) => write!(self.out, " \x1b[32m{text}\x1b[0m")?,
                (true, false) => write!(self.out, " \x1b[2m{text}\x1b[0m")?,
                (false, true) => write!(self.out, " [{text}]")?,
                (false, false) => write!(self.out, " {text}")?,
            }
        }
        writeln!(self.out)?;
        Ok(())
    }
}

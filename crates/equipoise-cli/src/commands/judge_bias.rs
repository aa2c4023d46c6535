//! `equipoise judge-bias`: whether a judge of pairs can be led astray.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_eval::judge::{BiasSuite, Choice, JudgeItem, judge_bias_bench, reasoning_study};
use equipoise_eval::report::Report;
use equipoise_eval::rows::{judged_pairs, verdicts};
use serde_json::json;

use super::eval::Output;

/// The arguments of `equipoise judge-bias`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Pairs of answers: a JSON object a line with `id`, `question`, `chosen` and `rejected`.
    pairs: PathBuf,
    /// The injections.
    #[arg(long, value_enum, default_value_t = Suite::JudgeBiasBench)]
    suite: Suite,
    /// What the judge said: a JSON object a line with `id`, `bias` and `verdict` (`A`, `B`, `tie`, or
    /// a text with `[[A]]`, `[[B]]` or `[[C]]`). Without it, what the judge is to be asked is
    /// printed, a JSON object a line with `id`, `bias`, `system` and `prompt`. Take the same seed for
    /// both.
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// The words of `--suite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// The twelve of JudgeBiasBench (arXiv:2603.08091).
    JudgeBiasBench,
    /// The five of the study of reasoning models (arXiv:2504.09946).
    ReasoningStudy,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (name, text) = read(&arguments.pairs)?;
    let pairs = judged_pairs(&name, &text)?;
    let bootstrap = arguments.output.bootstrap();
    let suite = BiasSuite {
        injections: match arguments.suite {
            Suite::JudgeBiasBench => judge_bias_bench(None),
            Suite::ReasoningStudy => reasoning_study(),
        },
        seed: bootstrap.seed,
        bootstrap,
    };
    let items = suite.items(&pairs);
    let Some(path) = &arguments.verdicts else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let control = [(None, &items.control)];
        let biased = items
            .biased
            .iter()
            .map(|(bias, _, items)| (Some(*bias), items));
        for (bias, items) in control.into_iter().chain(biased) {
            for item in items {
                let row = json!({
                    "id": item.id,
                    "bias": bias,
                    "system": item.system,
                    "prompt": item.prompt(),
                });
                writeln!(out, "{row}")?;
            }
        }
        return Ok(out.flush()?);
    };
    let (name, text) = read(path)?;
    let mut said = HashMap::new();
    for row in verdicts(&name, &text)? {
        let what = format!(
            "pair {}, bias {}",
            row.id,
            row.bias.as_deref().unwrap_or("none")
        );
        if said.insert((row.id, row.bias), row.choice).is_some() {
            bail!("{name}: there are two verdicts on {what}");
        }
    }
    let mut taken = 0;
    let mut choices = |items: &[JudgeItem], bias: Option<&str>| -> anyhow::Result<Vec<Choice>> {
        let choice = |item: &JudgeItem| {
            let key = (item.id.clone(), bias.map(str::to_owned));
            taken += 1;
            said.get(&key).copied().with_context(|| {
                let bias = bias.unwrap_or("none");
                format!(
                    "{name}: there is no verdict on pair {}, bias {bias}; a judge that said nothing has \
                     \"verdict\": null",
                    item.id
                )
            })
        };
        items.iter().map(choice).collect()
    };
    let control = choices(&items.control, None)?;
    let biased = items
        .biased
        .iter()
        .map(|(bias, _, items)| choices(items, Some(bias)));
    let biased = biased.collect::<anyhow::Result<Vec<_>>>()?;
    if taken < said.len() {
        bail!(
            "{name} has {} verdicts, {taken} of them on the pairs and the suite",
            said.len()
        );
    }
    let found = suite.count(&path.display().to_string(), &items, &control, &biased)?;
    let mut report = Report::new(format!("Judge bias: {}", path.display()));
    report.push_biases(&found);
    if arguments.output.json {
        arguments.output.page(&report)?;
        let whole = json!({ "report": report.to_json(), "biases": found });
        writeln!(io::stdout(), "{whole}")?;
        return Ok(());
    }
    arguments.output.show(&report)
}

fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok((name, text))
}

//! Ours and the peers' in turns, as a table.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A row: our work, the peer's program with its arguments, and the ratio asked for.
struct Row {
    what: &'static str,
    work: &'static str,
    peer: &'static [&'static str],
    target: f64,
}

const ROWS: [Row; 8] = [
    Row {
        what: "train step, 7.3 M parameters, 32 × 128 tokens, f32",
        work: "train-f32",
        peer: &["train.py", "f32"],
        target: 1.5,
    },
    Row {
        what: "the same, bf16 (PyTorch autocast)",
        work: "train-bf16",
        peer: &["train.py", "bf16"],
        target: 1.3,
    },
    Row {
        what: "generate 32 × 96 tokens after 32, same model, f32",
        work: "generate",
        peer: &["sample.py"],
        target: 5.0,
    },
    Row {
        what: "whole GRPO step, 0.8 M parameters, 256 completions (TRL), f32",
        work: "grpo",
        peer: &["grpo.py"],
        target: 4.0,
    },
    Row {
        what: "score 8 × 512 tokens, 0.5 B Qwen2.5 shape, f32",
        work: "score-f32",
        peer: &["large.py", "score", "f32"],
        target: 1.5,
    },
    Row {
        what: "the same, bf16",
        work: "score-bf16",
        peer: &["large.py", "score", "bf16"],
        target: 1.5,
    },
    Row {
        what: "LoRA step (PEFT), 0.5 B, 8 × 512 tokens, f32",
        work: "lora-f32",
        peer: &["large.py", "lora", "f32"],
        target: 1.5,
    },
    Row {
        what: "the same, bf16",
        work: "lora-bf16",
        peer: &["large.py", "lora", "bf16"],
        target: 1.5,
    },
];

#[derive(Default)]
struct Options {
    python: Option<PathBuf>,
    only: Vec<String>,
    rounds: usize,
    markdown: Option<PathBuf>,
}

fn options(words: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        rounds: 3,
        ..Options::default()
    };
    let (pairs, rest) = words.as_chunks::<2>();
    for [key, value] in pairs {
        match *key {
            "--peers" => options.python = Some(value.into()),
            "--only" => options.only.push((*value).to_owned()),
            "--markdown" => options.markdown = Some(value.into()),
            "--rounds" => {
                let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
                options.rounds = rounds.ok_or(format!("--rounds {value} is no positive number"))?;
            }
            _ => return Err(format!("unknown option {key}")),
        }
    }
    match rest {
        [] => Ok(options),
        [key, ..] => Err(format!("{key} needs a value")),
    }
}

/// The median of what some processes printed.
struct Side {
    seconds: f64,
    /// The fastest repetition of all: what it takes when nothing else disturbs the machine.
    fastest: f64,
    /// Tokens of one repetition, where the sides need not have sampled equally many.
    tokens: Option<f64>,
    bytes: f64,
    last: Value,
}

pub(crate) fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let options = options(words)?;
    let chosen = |row: &&Row| {
        let named = |name: &String| row.work.starts_with(name.as_str());
        options.only.is_empty() || options.only.iter().any(named)
    };
    let mut table = String::from(
        "| work | equipoise | peer | times faster | of the fastest | asked for | memory | peer's | ratio | of the peak |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS.iter().filter(chosen) {
        let line = measure(row, &options)?;
        eprint!("{line}");
        table += &line;
    }
    println!("{table}");
    if let Some(path) = &options.markdown {
        std::fs::write(path, &table)?;
    }
    Ok(())
}

fn measure(row: &Row, options: &Options) -> Result<String, Box<dyn Error>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(own(row.work)?);
        if let Some(python) = &options.python {
            theirs.push(peer(python, row.peer)?);
        }
    }
    let ours = side(ours)?;
    let roofline = 100.0 * ours.last["roofline"].as_f64().unwrap_or(f64::NAN);
    let (what, seconds, gigabytes) = (row.what, ours.seconds, ours.bytes / 1e9);
    let mut line = format!("| {what} | {seconds:.3} s ");
    match theirs.is_empty() {
        true => write!(
            line,
            "| – | – | – | {:.1} × | {gigabytes:.2} GB | – | – ",
            row.target
        )?,
        false => {
            let theirs = side(theirs)?;
            // Of time per token, where tokens are counted.
            let per_token = match (ours.tokens, theirs.tokens) {
                (Some(ours), Some(theirs)) => ours / theirs,
                _ => 1.0,
            };
            write!(
                line,
                "| {:.3} s | {:.2} × | {:.2} × | {:.1} × | {gigabytes:.2} GB | {:.2} GB | {:.2} ",
                theirs.seconds,
                theirs.seconds / seconds * per_token,
                theirs.fastest / ours.fastest * per_token,
                row.target,
                theirs.bytes / 1e9,
                ours.bytes / theirs.bytes
            )?;
        }
    }
    writeln!(line, "| {roofline:.0} % |")?;
    Ok(line)
}

fn side(runs: Vec<Value>) -> Result<Side, Box<dyn Error>> {
    let median = |key: &str| {
        let mut numbers: Vec<f64> = runs.iter().filter_map(|run| run[key].as_f64()).collect();
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.get(numbers.len() / 2).copied();
        middle.ok_or_else(|| format!("a run printed no {key}"))
    };
    let fastest = runs.iter().filter_map(|run| run["fastest"].as_f64());
    Ok(Side {
        seconds: median("seconds")?,
        fastest: fastest.fold(f64::NAN, f64::min),
        tokens: median("tokens").ok(),
        bytes: median("peak_bytes")?,
        last: runs.into_iter().next_back().unwrap_or_default(),
    })
}

fn own(work: &str) -> Result<Value, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    last_line(command.args(["work", work]))
}

fn peer(python: &Path, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let mut command = Command::new(std::path::absolute(python)?);
    last_line(command.args(arguments).current_dir(directory))
}

/// Runs a program and reads the last line it prints.
fn last_line(command: &mut Command) -> Result<Value, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {errors}").into());
    }
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().ok_or("a program printed nothing")?;
    Ok(serde_json::from_str(line)?)
}

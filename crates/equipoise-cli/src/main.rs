//! The command `equipoise`: train, evaluate, sample and inspect language models.

mod commands;
mod estimate;
mod interrupt;
mod output;
mod pairs;
mod progress;
mod run_directory;
mod saved;
mod summary;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{contamination, eval, inspect, judge_bias, sample, train, verify};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Post-training of language models: supervised fine-tuning, and reinforcement learning with
/// verifiable rewards.
#[derive(Debug, Parser)]
#[command(name = "equipoise", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model as a recipe says.
    Train(train::Arguments),
    /// Measure how many held-out problems a model solves, how good saved completions are, or which
    /// of two is better.
    Eval(eval::Arguments),
    /// Look for test data in training data.
    Contamination(contamination::Arguments),
    /// Measure whether a judge of pairs can be led astray.
    JudgeBias(judge_bias::Arguments),
    /// Let a model answer.
    Sample(sample::Arguments),
    /// Show what a stage trains on: tokens, loss mask, rewards, advantages and weights.
    Inspect(inspect::Arguments),
    /// Say which answers in a file a verifier rewards, and why.
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    // First of all: this process may have been started to launch a sandbox.
    equipoise_verifiers::sandbox::launch_if_asked();
    // They work only while there is one thread.
    equipoise_kernels::runtime::keep_candle_on_one_thread();
    equipoise_kernels::runtime::keep_freed_memory();
    let result = match Cli::parse().command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Contamination(arguments) => {
            contamination::run(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::JudgeBias(arguments) => judge_bias::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Sample(arguments) => sample::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Inspect(arguments) => inspect::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Verify(arguments) => verify::run(&arguments).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        // Whoever read the output has seen enough, as with `equipoise eval … | head`.
        let closed = error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
        });
        if closed {
            return ExitCode::SUCCESS;
        }
        // If even this cannot be said, the exit code still says it.
        let _ = writeln!(io::stderr(), "error: {}", output::causes(&error));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}

//! `cargo xtask`: builds, checks and launches Equipoise. Links none of its crates, and nothing else.

mod bench;
mod command;
mod fixtures;
mod python;
mod run;
mod suggest;

use std::process::ExitCode;

use command::Command;

const HELP: &str = "\
cargo xtask COMMAND

  train [RECIPE] [-- OPTIONS]   build `equipoise` with optimisation and run `equipoise train RECIPE
                                OPTIONS`; RECIPE is recipes/arithmetic.toml unless given
  test                          every test and every example in the documentation
  bench [kernels|steps] [--peers] [-- OPTIONS]
                                kernels by criterion, and a table of whole steps; with --peers beside
                                PyTorch, transformers and TRL, which are installed into target/peers
                                (needs Python 3.10 or later)
  fixtures [--check] [PART ...]
                                write the golden files of the tests again, or compare: those whose path
                                contains a PART, or all; PyTorch, TRL, verl and OpenRLHF are installed
                                into target/fixtures (needs Python 3.10 or later)
  lint                          formatting, and clippy with warnings denied
  doc                           the documentation, with warnings denied
  ci                            lint, doc, licences (if cargo-deny is installed) and test
  help                          this text

Examples:
  cargo xtask train
  cargo xtask bench --peers -- --only grpo --rounds 5
  cargo xtask train recipes/tiny.toml -- --set stage.rl.aggregation=token_mean
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = command::parse(&arguments).and_then(|command| match command {
        Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        Command::Train { recipe, options } => run::train(recipe.as_deref(), &options),
        Command::Test => run::test(),
        Command::Bench(bench) => bench::run(&bench),
        Command::Fixtures { check, parts } => fixtures::run(check, &parts),
        Command::Lint => run::lint(),
        Command::Doc => run::doc(),
        Command::Ci => run::ci(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message {
                eprintln!("xtask: {message}");
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Why the process does not end with 0.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    /// What to say; `None` if the command that failed has said it.
    message: Option<String>,
    code: u8,
}

impl Failure {
    /// A mistake in how xtask was called.
    fn usage(message: String) -> Self {
        Self {
            message: Some(message),
            code: 2,
        }
    }
}

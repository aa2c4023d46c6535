//! `cargo xtask`: builds, checks and launches Equipoise. Links none of its crates, and nothing else.

mod command;
mod run;
mod suggest;

use std::process::ExitCode;

use command::Command;

const HELP: &str = "\
cargo xtask COMMAND

  train [RECIPE] [-- OPTIONS]   build `equipoise` with optimisation and run `equipoise train RECIPE
                                OPTIONS`; RECIPE is recipes/arithmetic.toml unless given
  test                          every test and every example in the documentation
  lint                          formatting, and clippy with warnings denied
  doc                           the documentation, with warnings denied
  ci                            lint, doc, licences (if cargo-deny is installed) and test
  help                          this text

Examples:
  cargo xtask train
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

//! What the arguments ask for.

use crate::Failure;
use crate::bench::Bench;
use crate::suggest::nearest;

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Train {
        recipe: Option<String>,
        options: Vec<String>,
    },
    Test,
    Bench(Bench),
    Fixtures {
        check: bool,
        parts: Vec<String>,
    },
    Lint,
    Doc,
    Ci,
}

const NAMES: [&str; 8] = [
    "train", "test", "bench", "fixtures", "lint", "doc", "ci", "help",
];

pub(crate) fn parse(arguments: &[String]) -> Result<Command, Failure> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Command::Help);
    };
    let command = match name.as_str() {
        "train" => return Ok(train(rest)),
        "bench" => return Ok(Command::Bench(Bench::parse(rest)?)),
        "fixtures" => return fixtures(rest),
        "test" => Command::Test,
        "lint" => Command::Lint,
        "doc" => Command::Doc,
        "ci" => Command::Ci,
        "help" | "--help" | "-h" => Command::Help,
        unknown => {
            let hint = nearest(unknown, &NAMES)
                .map_or_else(String::new, |name| format!(", did you mean `{name}`?"));
            return Err(Failure::usage(format!(
                "there is no command `{unknown}`{hint}\nthe commands are {}",
                NAMES.join(", ")
            )));
        }
    };
    match rest.first() {
        Some(extra) => Err(Failure::usage(format!(
            "`{name}` takes no argument, found `{extra}`"
        ))),
        None => Ok(command),
    }
}

/// Options begin with `-`, and there is one; everything else is part of a path.
fn fixtures(arguments: &[String]) -> Result<Command, Failure> {
    let (options, parts): (Vec<String>, Vec<String>) = arguments
        .iter()
        .cloned()
        .partition(|argument| argument.starts_with('-'));
    match options.iter().find(|option| *option != "--check") {
        Some(unknown) => Err(Failure::usage(format!(
            "`fixtures` takes `--check` and parts of paths, found `{unknown}`"
        ))),
        None => Ok(Command::Fixtures {
            check: !options.is_empty(),
            parts,
        }),
    }
}

/// The recipe is the first argument that is not an option; a `--` before the options is allowed.
fn train(arguments: &[String]) -> Command {
    let (recipe, options) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first.clone()), rest),
        _ => (None, arguments),
    };
    let options = match options.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => options,
    };
    Command::Train {
        recipe,
        options: options.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let arguments: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&arguments).map_err(|failure| failure.message.unwrap())
    }

    fn train(recipe: Option<&str>, options: &[&str]) -> Result<Command, String> {
        Ok(Command::Train {
            recipe: recipe.map(String::from),
            options: options.iter().map(|&option| option.into()).collect(),
        })
    }

    #[test]
    fn commands_and_help() {
        for line in ["", "help", "--help", "-h"] {
            assert_eq!(parsed(line), Ok(Command::Help));
        }
        assert_eq!(parsed("test"), Ok(Command::Test));
        assert_eq!(parsed("ci"), Ok(Command::Ci));
        assert_eq!(
            parsed("lint --fix"),
            Err("`lint` takes no argument, found `--fix`".into())
        );
    }

    #[test]
    fn measurements() {
        let both = Bench {
            kernels: true,
            steps: true,
            ..Bench::default()
        };
        assert_eq!(parsed("bench"), Ok(Command::Bench(both)));
    }

    #[test]
    fn golden_files() {
        let fixtures = |check, parts: &[&str]| {
            let parts = parts.iter().map(|&part| part.into()).collect();
            Ok(Command::Fixtures { check, parts })
        };
        assert_eq!(parsed("fixtures"), fixtures(false, &[]));
        assert_eq!(
            parsed("fixtures --check objectives adamw"),
            fixtures(true, &["objectives", "adamw"])
        );
        assert_eq!(
            parsed("fixtures --chek"),
            Err("`fixtures` takes `--check` and parts of paths, found `--chek`".into())
        );
    }

    #[test]
    fn recipe_and_options() {
        assert_eq!(parsed("train"), train(None, &[]));
        assert_eq!(parsed("train a.toml"), train(Some("a.toml"), &[]));
        assert_eq!(
            parsed("train a.toml -- --set seed=1 --resume"),
            train(Some("a.toml"), &["--set", "seed=1", "--resume"])
        );
        assert_eq!(parsed("train -- --dry-run"), train(None, &["--dry-run"]));
        assert_eq!(parsed("train --dry-run"), train(None, &["--dry-run"]));
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        assert_eq!(
            parsed("trian"),
            Err(
                "there is no command `trian`, did you mean `train`?\nthe commands are train, \
                 test, bench, fixtures, lint, doc, ci, help"
                    .into()
            )
        );
        assert_eq!(
            parsed("deploy"),
            Err(
                "there is no command `deploy`\nthe commands are train, test, bench, fixtures, lint, doc, ci, help"
                    .into()
            )
        );
    }
}

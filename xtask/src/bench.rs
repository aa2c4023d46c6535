//! `cargo xtask bench`: the measurements, and the peers they are taken beside.

use crate::Failure;
use crate::python::environment;
use crate::run::{cargo, root, wait};

/// What is to be measured.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bench {
    /// The kernels, by criterion.
    pub(crate) kernels: bool,
    /// Whole steps, as a table.
    pub(crate) steps: bool,
    /// Whether PyTorch, transformers and TRL run the same steps, in turns with ours.
    pub(crate) peers: bool,
    /// What the table's program is given.
    pub(crate) options: Vec<String>,
}

impl Bench {
    /// `bench [kernels|steps] [--peers] [-- OPTIONS]`
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let (own, options) = match arguments.iter().position(|argument| argument == "--") {
            Some(at) => (&arguments[..at], arguments[at + 1..].to_vec()),
            None => (arguments, Vec::new()),
        };
        let mut bench = Self {
            options,
            ..Self::default()
        };
        for argument in own {
            match argument.as_str() {
                "kernels" => bench.kernels = true,
                "steps" => bench.steps = true,
                "--peers" => bench.peers = true,
                other => {
                    return Err(Failure::usage(format!(
                        "`bench` measures `kernels` or `steps` and takes `--peers`, found `{other}`"
                    )));
                }
            }
        }
        if bench.kernels && !bench.steps && (bench.peers || !bench.options.is_empty()) {
            return Err(Failure::usage(
                "`--peers` and options are for whole steps: `bench steps --peers`".to_owned(),
            ));
        }
        if !bench.kernels && !bench.steps {
            // The peers have no kernels to be measured beside.
            (bench.kernels, bench.steps) = (!bench.peers, true);
        }
        Ok(bench)
    }
}

pub(crate) fn run(bench: &Bench) -> Result<(), Failure> {
    if bench.kernels {
        let mut command = cargo();
        command.args(["bench", "--package", "equipoise-benches"]);
        wait(command.current_dir(root()))?;
    }
    if bench.steps {
        let python = match bench.peers {
            true => Some(environment(
                "peers",
                "benches/peers/requirements.txt",
                None,
            )?),
            false => None,
        };
        let mut command = cargo();
        command.args(["run", "--release", "--package", "equipoise-benches"]);
        command.args(["--bin", "steps", "--", "table"]);
        if let Some(python) = python {
            command.arg("--peers").arg(python);
        }
        wait(command.args(&bench.options).current_dir(root()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Bench, String> {
        let arguments: Vec<String> = line.split_whitespace().map(String::from).collect();
        Bench::parse(&arguments).map_err(|failure| failure.message.unwrap())
    }

    fn bench(kernels: bool, steps: bool, peers: bool, options: &[&str]) -> Result<Bench, String> {
        Ok(Bench {
            kernels,
            steps,
            peers,
            options: options.iter().map(|&option| option.into()).collect(),
        })
    }

    #[test]
    fn what_is_measured() {
        assert_eq!(parsed(""), bench(true, true, false, &[]));
        assert_eq!(parsed("kernels"), bench(true, false, false, &[]));
        assert_eq!(parsed("steps"), bench(false, true, false, &[]));
        assert_eq!(parsed("--peers"), bench(false, true, true, &[]));
        assert_eq!(
            parsed("steps --peers -- --only grpo"),
            bench(false, true, true, &["--only", "grpo"])
        );
        assert_eq!(parsed("kernels steps"), bench(true, true, false, &[]));
    }

    #[test]
    fn what_cannot_be_measured() {
        let error = parsed("kernel").unwrap_err();
        assert!(error.contains("found `kernel`"), "{error}");
        for line in ["kernels --peers", "kernels -- --rounds 5"] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains("bench steps --peers"), "{error}");
        }
    }
}

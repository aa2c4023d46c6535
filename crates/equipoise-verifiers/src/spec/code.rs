//! The options of the verifier of code.

use std::num::NonZero;
use std::time::Duration;

use serde::Deserialize;

use crate::code::{Code, CodeReward};
use crate::invalid::InvalidOption;
use crate::sandbox::{Level, Limits, Sandbox, SandboxOptions};

/// The options of `code`.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct CodeOptions {
    /// The interpreter and its arguments.
    interpreter: Vec<String>,
    reward: CodeReward,
    tolerance: Option<f64>,
    parallel: NonZero<usize>,
    /// Seconds on the clock, and of the processor, for one run.
    seconds: f64,
    /// Mebibytes of memory of a process.
    memory: u64,
    processes: u32,
    /// The least level of the sandbox.
    required: Level,
}

impl Default for CodeOptions {
    fn default() -> Self {
        let sandbox = SandboxOptions::default();
        let code = Code::python(Sandbox::new(sandbox.clone()));
        Self {
            interpreter: code.interpreter,
            reward: code.reward,
            tolerance: code.tolerance,
            parallel: code.parallel,
            seconds: sandbox.limits.wall.as_secs_f64(),
            memory: sandbox.limits.memory >> 20,
            processes: sandbox.limits.processes,
            required: sandbox.required,
        }
    }
}

impl CodeOptions {
    /// The verifier.
    pub(super) fn code(self) -> Result<Code, InvalidOption> {
        let wall = Duration::try_from_secs_f64(self.seconds)
            .ok()
            .filter(|wall| !wall.is_zero() && wall.as_secs() <= 3_600);
        let Some(wall) = wall else {
            let expected = "more than 0 and at most 3600";
            return Err(InvalidOption::new(
                "code",
                "seconds",
                self.seconds,
                expected,
            ));
        };
        if !(16..=1 << 20).contains(&self.memory) {
            let expected = "from 16 to 1048576 mebibytes";
            return Err(InvalidOption::new("code", "memory", self.memory, expected));
        }
        if self.interpreter.is_empty() {
            let expected = "the interpreter and its arguments";
            return Err(InvalidOption::new("code", "interpreter", "empty", expected));
        }
        let limits = Limits {
            wall,
            cpu: wall,
            memory: self.memory << 20,
            processes: self.processes,
            ..Limits::default()
        };
        let sandbox = Sandbox::new(SandboxOptions {
            limits,
            required: self.required,
            ..SandboxOptions::default()
        });
        Ok(Code {
            interpreter: self.interpreter,
            reward: self.reward,
            tolerance: self.tolerance,
            parallel: self.parallel,
            ..Code::python(sandbox)
        })
    }
}

//! What a run in the sandbox costs on this machine, and which protections it has here.
//!
//! ```text
//! cargo run --release -p equipoise-verifiers --example sandbox_cost
//! ```

use std::time::{Duration, Instant};

use equipoise_core::Problem;
use equipoise_verifiers::sandbox::{self, Command, Sandbox, SandboxError, SandboxOptions};
use equipoise_verifiers::{Code, Verifier};

/// How often each thing is done.
const TIMES: u32 = 40;

fn main() -> Result<(), SandboxError> {
    sandbox::launch_if_asked();
    let sandbox = Sandbox::new(SandboxOptions::default());
    println!("{}\n", sandbox.probe()?);

    let nothing = Command::new("true", []);
    let python = Command::new("python3", ["-s", "-c", "pass"]);
    let verifier = Code::python(sandbox.clone());
    let problem = |answer: &str| Problem {
        id: 0,
        prompt: String::new(),
        answer: answer.to_owned(),
        source: "cost".to_owned(),
    };
    let program = problem(r#"{"tests": [{"stdin": "1 2", "stdout": "3"}]}"#);
    let function = problem(r#"{"asserts": ["assert f(1) == 2", "assert f(2) == 3"]}"#);
    let programmed = "print(sum(map(int, input().split())))";
    let functional = "def f(x): return x + 1";
    let right = |problem, code| verifier.verify(problem, code).reward() == Some(1.0);

    measure("nothing", || {
        sandbox.run(&nothing).is_ok_and(|run| run.succeeded())
    });
    measure("Python", || {
        sandbox.run(&python).is_ok_and(|run| run.succeeded())
    });
    measure("a program with one test", || right(&program, programmed));
    measure("a function with two tests", || right(&function, functional));
    Ok(())
}

/// Prints how long something takes by itself, and how often a second it can be done by as many
/// threads as there are processors; and the processor time, which does not depend on what else the
/// machine does.
fn measure(what: &str, run: impl Fn() -> bool + Sync) {
    let before = processor_time();
    let mut times: Vec<Duration> = (0..TIMES).map(|_| timed(&run)).collect();
    times.sort_unstable();
    let median = times[times.len() / 2].as_secs_f64() * 1e3;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let together = timed(|| {
        std::thread::scope(|scope| {
            let work = || (0..TIMES).all(|_| run());
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .all(|worker| worker.join().unwrap_or(false))
        })
    });
    let rate = f64::from(TIMES) * threads as f64 / together.as_secs_f64();
    println!("{what:28} {median:7.1} ms   {rate:7.1} a second on {threads} processors");
    let runs = f64::from(TIMES) * (threads + 1) as f64;
    if let (Some(before), Some(after)) = (before, processor_time()) {
        println!(
            "{:28} {:7.1} ms of processor time",
            "",
            (after - before) * 1e3 / runs
        );
    }
}

/// The processor time of this process and of all it has waited for, in seconds (proc_pid_stat(5)).
fn processor_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4);
    let ticks: Option<Vec<f64>> = times.map(|field| field.parse().ok()).collect();
    // A hundred a second on every architecture but Alpha and Itanium.
    Some(ticks?.iter().sum::<f64>() / 100.0)
}

/// How long `run` takes; a run that goes wrong ends the program, since its time says nothing.
fn timed(run: impl FnOnce() -> bool) -> Duration {
    let start = Instant::now();
    assert!(run(), "a run went wrong");
    start.elapsed()
}

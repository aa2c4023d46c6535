//! Generated code in the sandbox: attacks on it, and the verifier that is built on it.
//!
//! The sandbox is launched by this very executable, which is why it has its own `main`. Every attack
//! is bounded by itself: a few hundred processes, a gigabyte, ten seconds, and no address but
//! 127.0.0.1, where the test itself listens. Each prints which protections were active, and what it
//! expects depends on these alone.

mod code;
mod common;
mod confinement;
mod forgery;
mod helper;
mod limits;
mod outcome;
mod survival;

use libtest_mimic::{Arguments, Trial};

fn main() {
    equipoise_verifiers::sandbox::launch_if_asked();
    if helper::run_if_asked() {
        return;
    }
    let arguments = Arguments::from_args();
    let groups = [
        code::trials(),
        confinement::trials(),
        forgery::trials(),
        limits::trials(),
        outcome::trials(),
        survival::trials(),
    ];
    let can_run = common::has_python() && cfg!(target_os = "linux");
    if !can_run {
        eprintln!("this is not Linux with a python3: nothing here can be tested");
    }
    let trials = groups.into_iter().flatten();
    let trials = trials.map(|trial| trial.with_ignored_flag(!can_run));
    libtest_mimic::run(&arguments, trials.collect::<Vec<Trial>>()).exit();
}

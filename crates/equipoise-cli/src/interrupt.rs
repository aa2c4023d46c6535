//! Ctrl-C: once to finish the step and save, twice to leave at once.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// The exit code of a run that was interrupted: 128 + SIGINT, as shells count.
pub(crate) const EXIT_CODE: u8 = 130;

/// A flag that rises with the first ctrl-C (or SIGTERM); the second ends the process.
pub(crate) fn flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_CODE.into());
        }
        // Nothing is lost if nobody is there to read this.
        let _ = writeln!(
            io::stderr(),
            "\nfinishing this step, then saving; ctrl-C again leaves at once"
        );
    })
    .context("cannot listen for ctrl-C")?;
    Ok(flag)
}

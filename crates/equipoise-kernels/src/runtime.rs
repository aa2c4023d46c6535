//! Settings of the whole process that make a run faster, for a program's first line.

/// Keeps candle from spreading its own elementwise operations over a second set of threads, which
/// wait for each other by spinning. The kernels here, and micro-batches side by side, already use
/// every core; on two cores the spinning costs two fifths of a training step.
///
/// Call it first in `main`. It has an effect only there: in a process that has other threads already
/// (and wherever the number of threads cannot be told, which is everywhere but on Linux) it changes
/// nothing and returns `false`. A setting of `CANDLE_NUM_THREADS` by the user stays.
///
/// No result changes with it, only the time it takes.
pub fn keep_candle_on_one_thread() -> bool {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_some() || !is_single_threaded() {
        return false;
    }
    // SAFETY: no other thread exists that could read the environment meanwhile.
    unsafe { std::env::set_var(VARIABLE, "1") };
    true
}

/// Whether this thread is certainly the only one of the process.
fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_beside_other_threads() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        assert!(!keep_candle_on_one_thread());
        drop(release);
        assert!(other.join().unwrap());
    }
}

//! What a program asks of the system: settings of the whole process that make a run faster, for its
//! first line, and files mapped into memory.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

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

/// Makes mimalloc keep what the program frees for its next allocations. By default it gives memory back
/// to the system after a second, and a training step, which frees tens of megabytes and asks for them
/// again, pays for that with pages that the system clears anew: 5 to 13 % of its time on two cores.
///
/// For a program whose allocator is mimalloc (version 3, as the `mimalloc` crate has it); in others it
/// changes nothing. Call it at the start of `main`: like [`keep_candle_on_one_thread`] it has an effect only
/// in a process without other threads, and only on Linux. A setting of `MIMALLOC_PURGE_DELAY` by the user
/// stays. Returns whether the setting was made.
#[cfg(feature = "mimalloc")]
pub fn keep_freed_memory() -> bool {
    use std::ffi::c_long;

    use libmimalloc_sys::{mi_option_get, mi_option_set};
    /// `mi_option_purge_delay` of `mimalloc.h`, which the crate has no name for, and its default in
    /// milliseconds. Another value would be that of another version, of which nothing is known here.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    const DEFAULT: c_long = 1000;
    const NEVER: c_long = -1;
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() || !is_single_threaded() {
        return false;
    }
    // SAFETY: the option exists in every version, and no other thread looks at it meanwhile.
    unsafe {
        let free = mi_option_get(PURGE_DELAY) == DEFAULT;
        if free {
            mi_option_set(PURGE_DELAY, NEVER);
        }
        free
    }
}

/// Whether this thread is certainly the only one of the process.
fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// The bytes of a file, read only, without a copy of them: pages come in as they are looked at, and
/// belong to the system, which takes them back when it needs the memory.
///
/// Nobody should write to the file meanwhile. If it is cut short, a look beyond its end ends the process
/// (on Unix by SIGBUS): keep the map for as long as the reading takes, and no longer.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a whole file.
    ///
    /// # Errors
    /// If the system cannot map it; some file systems never can, and then it has to be read.
    pub fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the map is read only, and its bytes are numbers, of which every pattern is valid. That
        // another program changes or cuts the file meanwhile cannot be ruled out by any means, and is
        // what the documentation above warns of, as every library that maps files has to.
        unsafe { memmap2::Mmap::map(file) }.map(Self)
    }

    /// Says that these bytes will not be looked at again soon, so that they do not count as this
    /// process's memory: a hint. They are still there.
    pub fn release(&self, bytes: Range<usize>) {
        if bytes.end > self.0.len() || bytes.is_empty() {
            return;
        }
        #[cfg(unix)]
        {
            // That the hint was not taken changes nothing.
            // SAFETY: pages of a read-only map of a file are read from the file again when they are
            // looked at, so that no byte changes.
            let _ = unsafe {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                self.0
                    .unchecked_advise_range(advice, bytes.start, bytes.len())
            };
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_the_file_also_after_its_pages_were_released() {
        let path = std::env::temp_dir().join(format!("equipoise-map-{}", std::process::id()));
        let bytes: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mapped = Mapped::new(&File::open(&path).unwrap()).unwrap();
        assert_eq!(mapped[..], bytes);
        mapped.release(5000..90_000);
        mapped.release(0..200_000);
        assert_eq!(mapped[..], bytes);
        std::fs::remove_file(&path).unwrap();
    }

    #[cfg(feature = "mimalloc")]
    #[test]
    fn the_allocator_is_left_alone_beside_other_threads() {
        // A test has at least the harness beside it.
        assert!(!keep_freed_memory());
    }

    #[test]
    fn it_refuses_beside_other_threads() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        assert!(!keep_candle_on_one_thread());
        drop(release);
        assert!(other.join().unwrap());
    }
}

//! What a program asks of the system: settings of the whole process that make a run faster, for its
//! first line, files mapped into memory, and fresh memory.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut, Range};

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

/// Numbers in pages that come fresh from the system and go back to it as a whole: zeros, each page
/// of which exists once it is looked at.
///
/// For large buffers. An allocator may hand out memory that was used before, and then has to write
/// the zeros, all of them on the thread that asks; here the system clears a page for the thread that
/// first writes to it. On Linux it is asked for pages of 2 MiB, which cost less to come by and to find.
#[derive(Debug)]
pub struct Pages {
    map: memmap2::MmapMut,
    /// Bytes before the first number: up to where a large page can begin.
    start: usize,
    length: usize,
}

/// The size of a large page on x86-64, and on 64-bit Arm with small pages of 4 KiB.
const LARGE_PAGE: usize = 1 << 21;

impl Pages {
    /// As many zeros.
    ///
    /// # Errors
    /// If the system has not so much memory.
    pub fn zeros(length: usize) -> io::Result<Self> {
        let bytes = length.checked_mul(size_of::<f32>());
        let size = bytes.and_then(|bytes| bytes.checked_add(LARGE_PAGE));
        let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
        let map = memmap2::MmapMut::map_anon(size)?;
        // That the hint was not taken changes nothing.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let address = map.as_ptr().addr();
        Ok(Self {
            start: address.next_multiple_of(LARGE_PAGE) - address,
            map,
            length,
        })
    }
}

impl Deref for Pages {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `start` is less than a large page and leads to an address that is a multiple of one,
        // so that the numbers are aligned; the map is larger by a large page than they are; all its
        // bytes are initialised, and every pattern of them is a number.
        unsafe {
            let first = self.map.as_ptr().add(self.start);
            std::slice::from_raw_parts(first.cast(), self.length)
        }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the map is borrowed for writing as long as the numbers are.
        unsafe {
            let first = self.map.as_mut_ptr().add(self.start);
            std::slice::from_raw_parts_mut(first.cast(), self.length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_pages_are_zeros_that_can_be_written() {
        for length in [0, 1, 1000, LARGE_PAGE / 4, LARGE_PAGE / 2 + 3] {
            let mut pages = Pages::zeros(length).unwrap();
            assert_eq!(pages.len(), length);
            assert!(pages.iter().all(|&x| x == 0.0));
            assert_eq!(pages.as_ptr().addr() % LARGE_PAGE, 0);
            for (at, x) in pages.iter_mut().enumerate() {
                *x = at as f32;
            }
            assert!(pages.iter().enumerate().all(|(at, &x)| x == at as f32));
        }
        assert!(Pages::zeros(usize::MAX / 2).is_err());
        assert!(Pages::zeros(usize::MAX).is_err());
    }

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

    #[test]
    fn it_refuses_beside_other_threads() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        assert!(!keep_candle_on_one_thread());
        drop(release);
        assert!(other.join().unwrap());
    }
}

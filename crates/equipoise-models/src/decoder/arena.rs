//! Buffers that are used again: a training step needs hundreds of megabytes for a moment, and asking
//! the system for fresh pages each time costs more than some of the arithmetic done in them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use equipoise_kernels::runtime::Pages;

/// A store of buffers. Clones share it.
///
/// It never holds much more than was in use at once: where it would, a request that no spare buffer
/// fits first gives spare ones back to the system. Small buffers are scratch memory of each thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena(Arc<Mutex<Store>>);

#[derive(Debug, Default)]
struct Store {
    /// Oldest first.
    spare: VecDeque<Memory>,
    /// Numbers in spare buffers, in buffers in use, and the most that ever were in use.
    idle: usize,
    used: usize,
    most: usize,
}

/// Where numbers lie.
#[derive(Debug)]
enum Memory {
    Heap(Vec<f32>),
    Pages(Pages),
}

impl Memory {
    /// Zeros that nobody has to write, if the system can be asked for them.
    fn fresh(length: usize) -> Self {
        match Pages::zeros(length) {
            Ok(pages) => Self::Pages(pages),
            Err(_) => Self::Heap(vec![0.0; length]),
        }
    }
}

impl Deref for Memory {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Heap(values) => values,
            Self::Pages(pages) => pages,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Heap(values) => values,
            Self::Pages(pages) => pages,
        }
    }
}

/// A buffer that goes back to where it came from. Its contents are whatever was there before.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// At least as many numbers as were asked for: what is handed out again is not cleared again.
    memory: Memory,
    length: usize,
    /// `None`: the scratch memory of a thread.
    home: Option<Arena>,
}

/// Buffers of fewer numbers (1 MiB) are scratch of one block of rows. Each thread keeps its own, the
/// last one given back being the next one taken, so that they stay in its cache.
const SMALL: usize = 1 << 18;
/// How many of them a thread keeps.
const KEPT: usize = 16;

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A little more than asked for, so that a batch of nearly the same size fits later.
fn rounded(length: usize) -> usize {
    let step = (length.max(1).ilog2()).saturating_sub(3);
    length.next_multiple_of(1 << step)
}

fn scratch(length: usize) -> Vec<f32> {
    SCRATCH.with_borrow_mut(|spare| {
        let fit = spare.iter().rposition(|buffer| buffer.len() >= length);
        fit.map_or_else(|| vec![0.0; length], |at| spare.remove(at))
    })
}

impl Arena {
    fn lock(&self) -> MutexGuard<'_, Store> {
        // A buffer's contents mean nothing, so a panic elsewhere cannot have spoiled them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `length` numbers, to be written before they are read.
    pub(crate) fn take(&self, length: usize) -> Buffer {
        let (memory, home) = match length < SMALL {
            true => (Memory::Heap(scratch(length)), None),
            false => (self.lock().take(length), Some(self.clone())),
        };
        Buffer {
            memory,
            length,
            home,
        }
    }

    /// The same, filled with zeros.
    pub(crate) fn zeros(&self, length: usize) -> Buffer {
        let mut buffer = self.take(length);
        buffer.fill(0.0);
        buffer
    }
}

impl Store {
    fn take(&mut self, length: usize) -> Memory {
        // The smallest that fits; none more than twice too large, so that a small request does not
        // occupy what a large one needs.
        let fit = (0..self.spare.len())
            .filter(|&at| (length..=2 * rounded(length)).contains(&self.spare[at].len()))
            .min_by_key(|&at| self.spare[at].len());
        let memory = match fit.and_then(|at| self.spare.remove(at)) {
            Some(memory) => {
                self.idle -= memory.len();
                memory
            }
            None => {
                let length = rounded(length);
                let most = self.most.max(self.used + length);
                while self.idle + self.used + length > most + most / 8 {
                    let Some(memory) = self.spare.pop_front() else {
                        break;
                    };
                    self.idle -= memory.len();
                }
                Memory::fresh(length)
            }
        };
        self.used += memory.len();
        self.most = self.most.max(self.used);
        memory
    }

    fn give(&mut self, memory: Memory) {
        self.used -= memory.len();
        self.idle += memory.len();
        self.spare.push_back(memory);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Heap(Vec::new()));
        match (&self.home, memory) {
            (Some(home), memory) => home.lock().give(memory),
            (None, Memory::Heap(values)) => SCRATCH.with_borrow_mut(|spare| {
                if spare.len() == KEPT {
                    spare.remove(0);
                }
                spare.push(values);
            }),
            (None, Memory::Pages(_)) => {} // scratch memory is never of pages
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_is_used_again() {
        let arena = Arena::default();
        let mut first = arena.take(2 * SMALL);
        first.fill(7.0);
        let place = first.as_ptr();
        drop(first);
        let second = arena.take(2 * SMALL - 9);
        assert_eq!((second.as_ptr(), second.len()), (place, 2 * SMALL - 9));
        drop(second);
        assert!(arena.zeros(2 * SMALL).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn what_fits_nothing_makes_room_first() {
        let arena = Arena::default();
        drop((arena.take(SMALL), arena.take(2 * SMALL), arena.take(10)));
        assert_eq!(arena.lock().spare.len(), 2, "a small one is the thread's");
        let large = arena.take(20 * SMALL);
        assert_eq!(arena.lock().spare.len(), 1, "an eighth more may be held");
        drop(large);
        let other = arena.take(4 * SMALL);
        let (spare, idle) = (arena.lock().spare.len(), arena.lock().idle);
        assert_eq!((other.len(), spare, idle), (4 * SMALL, 0, 0));
    }

    /// The same requests again find everything, whatever the order was.
    #[test]
    fn a_second_round_needs_nothing_from_the_system() {
        let arena = Arena::default();
        let round = || {
            let kept: Vec<Buffer> = (0..4).map(|_| arena.take(7 * SMALL)).collect();
            let wide = arena.take(9 * SMALL);
            drop(kept);
            drop((arena.take(3 * SMALL), arena.take(SMALL), wide));
        };
        round();
        let places = || {
            let store = arena.lock();
            let mut places: Vec<usize> = store.spare.iter().map(|m| m.as_ptr().addr()).collect();
            places.sort_unstable();
            (places, store.used, store.idle)
        };
        let before = places();
        round();
        assert_eq!(places(), before);
        assert_eq!(before.1, 0);
    }

    #[test]
    fn the_last_scratch_is_the_next() {
        let arena = Arena::default();
        let (first, second) = (arena.take(100), arena.take(50));
        let places = [first.as_ptr(), second.as_ptr()];
        drop(first);
        drop(second);
        let again = [arena.take(40), arena.take(80)];
        assert_eq!([again[1].as_ptr(), again[0].as_ptr()], places);
        assert_eq!((again[0].len(), again[1].len()), (40, 80));
        let many: Vec<Buffer> = (0..3 * KEPT).map(|_| arena.take(10)).collect();
        drop(many);
        assert_eq!(SCRATCH.with_borrow(Vec::len), KEPT);
    }
}

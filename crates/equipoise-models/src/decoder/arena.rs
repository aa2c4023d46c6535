//! Buffers that are used again: a training step needs hundreds of megabytes for a moment, and asking
//! the system for fresh pages each time costs more than some of the arithmetic done in them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use equipoise_kernels::gemm::{MatrixRef, Packed, Parallelism, Precision};

/// A store of buffers. Clones share it.
///
/// Of each size it holds no more buffers than were in use at once: a request that no spare one fits first
/// frees smaller ones. Of packed operands it holds no more than were in use at once and others too large
/// for what came after them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    /// Oldest first.
    spare: Arc<Mutex<VecDeque<Vec<f32>>>>,
    /// Memory of packed operands.
    operands: Arc<Mutex<Vec<Packed>>>,
}

/// A packed operand whose memory goes back to where it came from.
#[derive(Debug)]
pub(crate) struct Operand {
    packed: Packed,
    home: Arena,
}

/// A buffer that goes back to where it came from. Its contents are whatever was there before.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// At least as many numbers as were asked for: what is handed out again is not cleared again.
    values: Vec<f32>,
    length: usize,
    /// `None`: the scratch memory of a thread.
    home: Option<Arena>,
}

/// Buffers of fewer numbers (1 MiB) are scratch memory, too. Each thread keeps its own, the last one given
/// back being the next one taken, so that they stay in its cache.
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

/// A buffer for what one thread works in, as for one block of rows: of its own memory, which is likely to
/// be in its cache. To be written before it is read.
pub(crate) fn scratch(length: usize) -> Buffer {
    let values = SCRATCH.with_borrow_mut(|spare| {
        // None much too large, so that a small request does not occupy what a large one needs.
        let fits = |buffer: &Vec<f32>| (length..=4 * length).contains(&buffer.len());
        let fit = spare.iter().rposition(fits);
        fit.map_or_else(|| vec![0.0; length], |at| spare.remove(at))
    });
    Buffer {
        values,
        length,
        home: None,
    }
}

impl Arena {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<f32>>> {
        // A buffer's contents mean nothing, so a panic elsewhere cannot have spoiled them.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `length` numbers, to be written before they are read.
    pub(crate) fn take(&self, length: usize) -> Buffer {
        if length < SMALL {
            return scratch(length);
        }
        let mut spare = self.lock();
        // The smallest that fits; none more than twice too large, so that a small request does not
        // occupy what a large one needs.
        let fit = (0..spare.len())
            .filter(|&at| (length..=2 * rounded(length)).contains(&spare[at].len()))
            .min_by_key(|&at| spare[at].len());
        let found = fit.and_then(|at| spare.remove(at));
        let values = found.unwrap_or_else(|| {
            // What is a little too small was for the same thing in a smaller batch, and will be too small
            // again: it goes first.
            let small = (0..spare.len())
                .filter(|&at| (length / 2..length).contains(&spare[at].len()))
                .max_by_key(|&at| spare[at].len());
            let mut freed = small
                .and_then(|at| spare.remove(at))
                .map_or(0, |one| one.len());
            // Then the oldest ones below it. Larger ones stay: something larger will want them.
            let mut at = 0;
            while freed < length / 2 && at < spare.len() {
                match spare[at].len() < length {
                    true => freed += spare.remove(at).map_or(0, |one| one.len()),
                    false => at += 1,
                }
            }
            drop(spare);
            // Zeros that nobody has to write: fresh pages of the system's.
            vec![0.0; rounded(length)]
        });
        Buffer {
            values,
            length,
            home: Some(self.clone()),
        }
    }

    /// The same, filled with zeros.
    pub(crate) fn zeros(&self, length: usize) -> Buffer {
        let mut buffer = self.take(length);
        buffer.fill(0.0);
        buffer
    }

    /// Packs a right operand, on all threads, into memory of an earlier one: of one that fits, or else of
    /// the largest that is smaller, which grows.
    pub(crate) fn pack(&self, b: MatrixRef<'_>, precision: Precision) -> Operand {
        let length = b.rows() * b.columns();
        let spare = {
            let mut spare = self.operands();
            let of = |at: &usize| spare[*at].memory();
            let places = 0..spare.len();
            let fits = places
                .clone()
                .filter(|at| (length..=4 * length).contains(&of(at)));
            let smaller = places.filter(|at| of(at) < length);
            let found = fits.min_by_key(of).or_else(|| smaller.max_by_key(of));
            found.map(|at| spare.swap_remove(at))
        };
        let mut packed = spare.unwrap_or_default();
        packed.pack(b, precision, Parallelism::Pool);
        Operand {
            packed,
            home: self.clone(),
        }
    }

    fn operands(&self) -> MutexGuard<'_, Vec<Packed>> {
        self.operands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Operand {
    type Target = Packed;

    fn deref(&self) -> &Packed {
        &self.packed
    }
}

impl Drop for Operand {
    fn drop(&mut self) {
        let packed = std::mem::take(&mut self.packed);
        self.home.operands().push(packed);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        match &self.home {
            Some(home) => home.lock().push_back(values),
            None if values.is_empty() => {}
            None => SCRATCH.with_borrow_mut(|spare| {
                if spare.len() == KEPT {
                    spare.remove(0);
                }
                spare.push(values);
            }),
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
        assert_eq!(arena.lock().len(), 2, "a small one is the thread's");
        let large = arena.take(20 * SMALL);
        assert_eq!(arena.lock().len(), 0, "both were given back");
        drop(large);
        let other = arena.take(SMALL);
        assert_eq!((other.len(), arena.lock().len()), (SMALL, 1));
    }

    #[test]
    fn what_is_a_little_too_small_is_replaced_and_the_rest_stays() {
        let arena = Arena::default();
        drop((
            arena.take(8 * SMALL),
            arena.take(3 * SMALL),
            arena.take(SMALL),
        ));
        let larger = arena.take(3 * SMALL + 1);
        let sizes: Vec<usize> = arena.lock().iter().map(Vec::len).collect();
        assert_eq!(sizes, [8 * SMALL, SMALL]);
        drop(larger);
        assert_eq!(arena.lock().len(), 3);
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

//! A few threads that do many short tasks together, one task after the other.
//!
//! A token of a small batch takes a model a few milliseconds, in some fifty steps that depend on each
//! other. A step is too short to wake a thread for it, but shared out it lets every thread read only
//! its part of the weights. So a [`Crew`] is gathered once for many steps: its members wait for the
//! next one by looking, then by giving way to others, and at last asleep. Parts are taken by whoever
//! has time. Nobody waits for a member that has not begun, so a task ends also where the other threads
//! never come, and a machine with more to do than processors loses little.

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a member looks for work before it gives way to other threads.
const LOOKS: u32 = 400;
/// How often it gives way before it sleeps.
const YIELDS: u32 = 100;
/// For how long it sleeps at a time.
const SLEEP: Duration = Duration::from_micros(50);

/// The threads that share out tasks: the one that calls, and helpers of the rayon pool.
pub struct Crew<'a> {
    shared: Option<&'a Shared>,
    members: usize,
    /// Only the thread that gathered the crew may hand out tasks, one at a time.
    leader: PhantomData<*const ()>,
}

/// A task whose lifetime is erased: see [`Crew::run`].
type Task = *const (dyn Fn(usize) + Sync);

/// Alone in its cache lines, as it is written and looked at by several threads.
#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    /// The parts nobody has taken: the first of them in the high half, the end in the low half. The
    /// leader takes from the front and helpers from the back, so that each tends to work where it
    /// worked before.
    open: Line<AtomicU64>,
    /// How many parts are not finished.
    pending: Line<AtomicUsize>,
    closed: AtomicBool,
    task: UnsafeCell<Option<Task>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written by the leader while no part is open or pending, and read by a thread that
// has taken a part, before it says that the part is finished; the task itself is `Sync`.
unsafe impl Sync for Shared {}

impl Shared {
    fn new() -> Self {
        Self {
            open: Line(AtomicU64::new(0)),
            pending: Line(AtomicUsize::new(0)),
            closed: AtomicBool::new(false),
            task: UnsafeCell::new(None),
            panic: Mutex::new(None),
        }
    }

    /// Takes a part, and so keeps the task alive until it is finished.
    fn take(&self, from_the_front: bool) -> Option<usize> {
        let mut open = self.open.0.load(Ordering::Relaxed);
        loop {
            let (first, end) = (open >> 32, open & 0xffff_ffff);
            if first >= end {
                return None;
            }
            let (left, part) = match from_the_front {
                true => ((first + 1) << 32 | end, first),
                false => (first << 32 | (end - 1), end - 1),
            };
            // Acquired: what the leader wrote before it opened the task. That the word may have been
            // the same in an earlier task does no harm, as the task is read afterwards.
            let exchanged =
                self.open
                    .0
                    .compare_exchange_weak(open, left, Ordering::Acquire, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return Some(part as usize),
                Err(now) => open = now,
            }
        }
    }

    /// Does parts of the current task until none is open; says whether there were any.
    fn work(&self, from_the_front: bool) -> bool {
        let mut worked = false;
        while let Some(part) = self.take(from_the_front) {
            worked = true;
            let done = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: a part was taken and is not finished, so the task is the one it belongs to,
                // is not written, and lives.
                let task = unsafe { (*self.task.get()).map(|task| &*task) };
                if let Some(task) = task {
                    task(part);
                }
            }));
            if let Err(payload) = done {
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                match *first {
                    None => *first = Some(payload),
                    // Dropping it might panic, and this part has to be counted as finished.
                    Some(_) => std::mem::forget(payload),
                }
            }
            // Released: what the part wrote.
            self.pending.0.fetch_sub(1, Ordering::Release);
        }
        worked
    }

    /// A helper's life.
    fn help(&self) {
        let mut idle = 0;
        while !self.closed.load(Ordering::Acquire) {
            if self.work(false) {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < LOOKS {
                std::hint::spin_loop();
            } else if idle < LOOKS + YIELDS {
                thread::yield_now();
            } else {
                thread::sleep(SLEEP);
            }
        }
    }
}

/// Ends the helpers' waiting, also when the leader panics.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

impl Crew<'_> {
    /// The calling thread by itself.
    pub fn alone() -> Self {
        Crew {
            shared: None,
            members: 1,
            leader: PhantomData,
        }
    }

    /// Calls `body` with a crew of up to so many threads of the current rayon pool: as many as come
    /// while it runs. They do nothing else meanwhile, so neither `body` nor a part may wait for work it
    /// gives to the pool: where several crews do, their threads may wait for each other forever.
    pub fn gather<R: Send>(members: usize, body: impl FnOnce(&Crew<'_>) -> R + Send) -> R {
        if members <= 1 {
            return body(&Crew::alone());
        }
        let shared = Shared::new();
        rayon::scope(|scope| {
            let (shared, leader) = (&shared, thread::current().id());
            for _ in 1..members {
                scope.spawn(move |_| {
                    // On the leader's thread it would wait for itself.
                    if thread::current().id() != leader {
                        shared.help();
                    }
                });
            }
            let _close = Close(shared);
            body(&Crew {
                shared: Some(shared),
                members,
                leader: PhantomData,
            })
        })
    }

    /// The number of threads, if all of them come.
    pub fn members(&self) -> usize {
        self.members
    }

    /// How many of so many items of equal cost should be one part: all of them for a single thread.
    pub fn share(&self, items: usize) -> usize {
        match self.members {
            1 => items.max(1),
            members => items.div_ceil(2 * members).max(1),
        }
    }

    /// Calls `part` with every number below `parts`, once each, and returns when all are done. What a
    /// part panics with, it panics with; whether parts after it are done then is not said.
    ///
    /// A part cannot hand out parts itself:
    ///
    /// ```compile_fail
    /// equipoise_kernels::crew::Crew::gather(2, |crew| crew.run(4, |_| crew.run(2, |_| {})));
    /// ```
    ///
    /// # Panics
    /// If there are 2³² parts or more.
    pub fn run(&self, parts: usize, part: impl Fn(usize) + Sync) {
        let shared = match self.shared {
            Some(shared) if parts > 1 => shared,
            _ => return (0..parts).for_each(part),
        };
        assert!(u32::try_from(parts).is_ok(), "{parts} parts");
        let task: *const (dyn Fn(usize) + Sync + '_) = &part;
        // SAFETY: only the lifetime changes. The pointer is followed by threads that have taken a part
        // and not finished it, and this function does not return, nor unwind, before every part is
        // finished and none is open.
        let task = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Task>(task) };
        // SAFETY: no part is open or pending, so nobody reads it; and this is the one leader.
        unsafe { *shared.task.get() = Some(task) };
        shared.pending.0.store(parts, Ordering::Relaxed);
        shared.open.0.store(parts as u64, Ordering::Release);
        shared.work(true);
        let mut looks = 0;
        while shared.pending.0.load(Ordering::Acquire) > 0 {
            looks += 1;
            match looks < LOOKS {
                true => std::hint::spin_loop(),
                false => thread::yield_now(),
            }
        }
        let mut panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = panic.take();
        drop(panic);
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
    }

    /// Calls `part` with every piece, or every tuple of pieces, and its number.
    ///
    /// # Panics
    /// If there are more pieces of one than of another; and as [`run`](Self::run).
    pub fn each<P: Divided>(&self, pieces: P, part: impl Fn(usize, P::Piece) + Sync) {
        let count = pieces.count();
        self.run(count, |at| {
            // SAFETY: `run` calls with every number below the count once.
            let piece = unsafe { pieces.piece(at) };
            part(at, piece);
        });
    }
}

/// A slice in pieces that several threads may change at once, each its own.
pub struct Pieces<'a, T> {
    start: *mut T,
    length: usize,
    cut: Cut<'a>,
    lent: PhantomData<&'a mut [T]>,
}

/// Where a slice is cut.
enum Cut<'a> {
    /// Into pieces of this length; the last one may be shorter.
    Even(usize),
    /// At these rows of some width.
    At(&'a [usize], usize),
}

// SAFETY: a piece is given out once, so that sharing the pieces is sending each of them.
unsafe impl<T: Send> Sync for Pieces<'_, T> {}

impl<'a, T> Pieces<'a, T> {
    /// Pieces of this length, the last one perhaps shorter.
    ///
    /// # Panics
    /// If the length is 0.
    pub fn of(data: &'a mut [T], length: usize) -> Self {
        assert!(length > 0, "pieces have a length");
        Self {
            start: data.as_mut_ptr(),
            length: data.len(),
            cut: Cut::Even(length),
            lent: PhantomData,
        }
    }

    /// Rows of `width` elements, cut between `bounds`: piece i has the rows from `bounds[i]` to
    /// `bounds[i + 1]`.
    ///
    /// # Panics
    /// If the bounds do not rise, or the last is past the end.
    pub fn between(data: &'a mut [T], bounds: &'a [usize], width: usize) -> Self {
        let end = bounds.last().map_or(Some(0), |&end| end.checked_mul(width));
        assert!(
            bounds.is_sorted() && end.is_some_and(|end| end <= data.len()),
            "rows of {width} at {bounds:?} in {} elements",
            data.len()
        );
        Self {
            start: data.as_mut_ptr(),
            length: data.len(),
            cut: Cut::At(bounds, width),
            lent: PhantomData,
        }
    }
}

/// What [`Crew::each`] shares out: [`Pieces`], or two or three of them side by side.
pub trait Divided: Sync + sealed::Sealed {
    /// What a part is given.
    type Piece;

    /// How many pieces there are.
    ///
    /// # Panics
    /// If there are more of one than of another.
    fn count(&self) -> usize;

    /// A piece.
    ///
    /// # Safety
    /// The number must be below the count, and no piece may be asked for twice.
    unsafe fn piece(&self, at: usize) -> Self::Piece;
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::Pieces<'_, T> {}
    impl<A: Sealed, B: Sealed> Sealed for (A, B) {}
    impl<A: Sealed, B: Sealed, C: Sealed> Sealed for (A, B, C) {}
}

impl<'a, T: Send> Divided for Pieces<'a, T> {
    type Piece = &'a mut [T];

    fn count(&self) -> usize {
        match self.cut {
            Cut::Even(length) => self.length.div_ceil(length),
            Cut::At(bounds, _) => bounds.len().saturating_sub(1),
        }
    }

    unsafe fn piece(&self, at: usize) -> &'a mut [T] {
        let (start, end) = match self.cut {
            Cut::Even(length) => (at * length, self.length.min((at + 1) * length)),
            Cut::At(bounds, width) => (bounds[at] * width, bounds[at + 1] * width),
        };
        // SAFETY: inside the slice, as was checked when it was cut, disjoint from every other piece,
        // and asked for once.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), end - start) }
    }
}

impl<A: Divided, B: Divided> Divided for (A, B) {
    type Piece = (A::Piece, B::Piece);

    fn count(&self) -> usize {
        let counts = [self.0.count(), self.1.count()];
        assert!(counts[0] == counts[1], "{counts:?} pieces");
        counts[0]
    }

    unsafe fn piece(&self, at: usize) -> Self::Piece {
        // SAFETY: passed on.
        unsafe { (self.0.piece(at), self.1.piece(at)) }
    }
}

impl<A: Divided, B: Divided, C: Divided> Divided for (A, B, C) {
    type Piece = (A::Piece, B::Piece, C::Piece);

    fn count(&self) -> usize {
        let counts = [self.0.count(), self.1.count(), self.2.count()];
        assert!(
            counts[0] == counts[1] && counts[1] == counts[2],
            "{counts:?} pieces"
        );
        counts[0]
    }

    unsafe fn piece(&self, at: usize) -> Self::Piece {
        // SAFETY: passed on.
        unsafe { (self.0.piece(at), self.1.piece(at), self.2.piece(at)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pool<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(body)
    }

    #[test]
    fn every_part_is_done_once_in_every_task() {
        // More members than threads: those that never come are not waited for.
        for (threads, members) in [(1, 1), (1, 3), (2, 2), (3, 3), (2, 5)] {
            let mut counts = vec![0_u32; 1000];
            in_pool(threads, || {
                Crew::gather(members, |crew| {
                    for task in 0..300 {
                        // The crew may be slower than the leader, and the leader than the crew.
                        let length = 1 + task % 17;
                        crew.each(Pieces::of(&mut counts, length), |at, piece| {
                            assert!(piece.len() == length.min(1000 - at * length));
                            for count in piece {
                                *count += 1;
                            }
                        });
                    }
                });
            });
            assert_eq!(counts, [300; 1000], "{threads} threads, {members} members");
        }
    }

    #[test]
    fn a_member_that_fell_asleep_comes_back() {
        let mut counts = [0_u32; 64];
        in_pool(2, || {
            Crew::gather(2, |crew| {
                for _ in 0..3 {
                    thread::sleep(Duration::from_millis(3));
                    crew.each(Pieces::of(&mut counts, 1), |_, count| {
                        thread::sleep(Duration::from_micros(100));
                        count[0] += 1;
                    });
                }
            });
        });
        assert_eq!(counts, [3; 64]);
    }

    #[test]
    fn pieces_side_by_side_belong_together() {
        let (mut rows, mut sums) = ([1, 2, 3, 4, 5, 6], [0; 3]);
        let bounds = [0, 1, 1, 3];
        let pieces = (
            Pieces::between(&mut rows, &bounds, 2),
            Pieces::of(&mut sums, 1),
        );
        Crew::alone().each(pieces, |at, (rows, sum)| {
            sum[0] = rows.iter().sum::<i32>() + 100 * at as i32;
        });
        assert_eq!(sums, [3, 100, 3 + 4 + 5 + 6 + 200]);
    }

    #[test]
    #[should_panic(expected = "[2, 3] pieces")]
    fn unequal_pieces_are_refused() {
        let (mut a, mut b) = ([0; 2], [0; 3]);
        Crew::alone().each((Pieces::of(&mut a, 1), Pieces::of(&mut b, 1)), |_, _| {});
    }

    #[test]
    fn a_panic_in_a_part_reaches_the_caller_when_all_have_ended() {
        let done = AtomicUsize::new(0);
        let caught = in_pool(2, || {
            Crew::gather(2, |crew| {
                let task = || {
                    crew.run(50, |at| {
                        if at == 20 {
                            panic!("part {at}");
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    });
                };
                let caught = catch_unwind(AssertUnwindSafe(task));
                // The crew is still good for other tasks.
                crew.run(10, |_| {
                    done.fetch_add(1, Ordering::Relaxed);
                });
                caught.unwrap_err().downcast_ref::<String>().cloned()
            })
        });
        assert_eq!(caught.as_deref(), Some("part 20"));
        assert_eq!(done.into_inner(), 49 + 10);
    }
}

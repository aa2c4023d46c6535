//! Choosing an instruction set at run time, and the few vector primitives every kernel is made of.
//!
//! All primitives fix the order of their additions (sixteen lanes, then a fixed tree), so the
//! number that comes out is the same on every instruction set.

mod math;

pub(crate) use math::{LANES, dot, exp, exp_sum, max, square_sum};

use std::sync::OnceLock;

/// The instruction sets the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX-512 (F, BW, DQ, VL): sixteen floats an instruction.
    Avx512,
    /// AVX2 with FMA: eight floats an instruction.
    Avx2,
    /// Whatever the target guarantees: NEON on 64-bit Arm, SSE2 on x86-64.
    Portable,
}

/// The best instruction set of this machine, found once.
pub fn instruction_set() -> InstructionSet {
    static FOUND: OnceLock<InstructionSet> = OnceLock::new();
    *FOUND.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("fma")
            {
                return InstructionSet::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return InstructionSet::Avx2;
            }
        }
        InstructionSet::Portable
    })
}

/// Asks for the line of the memory at an address, to be near when it is read. Nothing is read: the
/// address may be any.
#[inline(always)]
pub(crate) fn fetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which does nothing where there is no memory; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Compiles a function once per instruction set and calls the best one this machine has.
///
/// The body is ordinary safe Rust; the compiler vectorises each copy for its instruction set.
macro_rules! per_instruction_set {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    portable($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    portable($($arg),*)
                }
                match $crate::simd::instruction_set() {
                    // SAFETY: this variant is only found on a machine that has these features.
                    $crate::simd::InstructionSet::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::InstructionSet::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::simd::InstructionSet::Portable => {}
                }
            }
            portable($($arg),*)
        }
    };
}
pub(crate) use per_instruction_set;

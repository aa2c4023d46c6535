//! What to do when the policy that sampled is not quite the policy that is trained.
//!
//! A sampler with other kernels, another precision or older weights gives a token another probability than
//! the trainer does with the weights it believes to have been sampled from. With ρ_t = π_old,t / π_sampler,t
//! the ratio of the two for each token, the rules here turn it into a factor on the token's loss term,
//! for [`TokenTerms::with_multipliers`](crate::TokenTerms::with_multipliers), or into a decision to leave
//! tokens out.
//!
//! ```text
//! Correction               level × mode                 names elsewhere
//!   token × truncate       min(ρ_t, C)                  truncated importance sampling; TRL token_truncate
//!   token × mask           ρ_t, or 0 outside            IcePop; TRL token_mask; verl "lo_hi"
//!   sequence × truncate    min(Π ρ_t, C)                TRL sequence_truncate; verl sequence
//!   sequence × mask        Π ρ_t, or 0 outside          TRL sequence_mask, its default
//!   geometric × either     the same with (Π ρ_t)^(1/T)  GSPO's ratio
//! OffPolicySequenceMask    0 or 1 for a response        DeepSeek-V3.2; TRL off_policy_mask_threshold
//! Rejection                0 or 1 by a divergence       verl rollout_rs
//! SecondMomentMask         0 or 1 for a token of a step M2PO; AReaL m2_threshold
//! ```
//!
//! Rules compose by multiplication. OpenRLHF's mask on the level of responses, say, keeps a response by its
//! geometric mean and its tokens then have weights of their own: a [`Rejection`] by the mean of k1 between
//! −ln max and −ln min, times a [`Correction`] of the tokens without bounds.
//!
//! A product over a response grows with its length: with every ρ_t at 1.001, the product of 2000 tokens is
//! 7.4, beyond TRL's bound of 3. Prefer the token or the geometric level unless responses are short.
//!
//! Factors are constants: no gradient flows through them. A correction belongs to an objective whose ratio
//! is to π_old. Where the ratio is to the sampler's own probabilities, as with [`Aipo`](crate::policy::Aipo),
//! the correction is already there, and must not be applied twice.

mod correction;
mod rejection;
mod second_moment;
mod statistics;

pub use correction::{
    Correction, MismatchReport, Mode, RatioLevel, normalise, normalise_responses,
};
pub use rejection::{Divergence, OffPolicySequenceMask, Pooling, Rejection};
pub use second_moment::SecondMomentMask;
pub use statistics::{MismatchStatistics, statistics};

/// log π_old − log π_sampler of each token, cut off at ±20; 0 where the sampler's is missing (NaN).
fn log_ratios<'a>(old: &'a [f64], sampler: &'a [f64]) -> impl ExactSizeIterator<Item = f64> + 'a {
    old.iter()
        .zip(sampler)
        .map(|(old, sampler)| match sampler.is_nan() {
            true => 0.0,
            false => old - sampler,
        })
}

//! Losses of preferences: pairs of completions of which one is better, and single completions that
//! are good or bad.
//!
//! Every loss is a composition of five independent choices:
//!
//! ```text
//! how a completion becomes a score    Score       reference scale, LD, f-divergence, sum or mean, transform
//! which two scores meet               Matching    those of a pair, or sorted over the batch (AOT)
//! what the loss of two scores is      Core        one file each in `core`
//! what a pair weighs                  PairWeight  WPO, focal
//! what is added                       SftTerm     likelihood of the chosen or of a gold completion
//! ```
//!
//! and a mixture of several is a [`PairLoss`] with several [`Term`]s. [`by_name`] composes those that
//! have names; the composition is open to any other.
//!
//! # The losses
//!
//! T tokens, P = log π_θ and R = log π_ref of a completion (sums over its tokens), h = P − R, s its
//! score (h unless said), x = β (s_w − s_l), σ the logistic function. All derivatives by s_w; by s_l
//! it is the opposite unless given. β is 0.1 by default, unless said.
//!
//! | name | loss | derivative by s_w (and s_l) | source |
//! |---|---|---|---|
//! | `dpo` | −ln σ(x) | −β σ(−x) | arXiv:2305.18290 |
//! | `cdpo` | −(1−ε) ln σ(x) − ε ln σ(−x) | β (ε σ(x) − (1−ε) σ(−x)) | Mitchell 2023 |
//! | `robust` | (−(1−ε) ln σ(x) + ε ln σ(−x)) / (1−2ε) | −β ((1−ε) σ(−x) + ε σ(x)) / (1−2ε) | arXiv:2403.00409 |
//! | `ipo` | (s_w − s_l − 1/(2β))², s = h/T | 2 (s_w − s_l − 1/(2β)) | arXiv:2310.12036 |
//! | `hinge` | max(0, 1 − x) | −β if x < 1, else 0 | arXiv:2305.10425 |
//! | `exo` | KL((σ(x), σ(−x)) ‖ (1−ε, ε)) | β σ(x) σ(−x) (x − logit(1−ε)) | arXiv:2402.00856 |
//! | `nca` | −ln σ(βh_w) − ½ ln σ(−βh_w) − ½ ln σ(−βh_l) | β (½σ(βh_w) − σ(−βh_w)); ½β σ(βh_l) | arXiv:2402.05369 |
//! | `bco_pair` | −ln σ(βh_w) − ln σ(−βh_l) | −β σ(−βh_w); β σ(βh_l) | arXiv:2404.04656 |
//! | `sppo_hard` | (h_w − 1/(2β))² + (h_l + 1/(2β))² | 2 (h_w − 1/(2β)); 2 (h_l + 1/(2β)) | arXiv:2405.00675 |
//! | `aot` | `cdpo` of sorted P_w − P_l and sorted R_w − R_l | as `cdpo` | arXiv:2406.05882 |
//! | `aot_unpaired` | `cdpo` of sorted h_w and sorted h_l | as `cdpo` | arXiv:2406.05882 |
//! | `apo_zero` | 1 − σ(βh_w) + σ(βh_l) | −β σσ(−)(βh_w); β σσ(−)(βh_l) | arXiv:2408.06266 |
//! | `apo_down` | σ(βh_w) + 1 − σ(x) | β (σσ(−)(βh_w) − σσ(−)(x)); β σσ(−)(x) | arXiv:2408.06266 |
//! | `discopop` | −ln σ(x)(1−u) + e^(−x) u, u = σ(x/τ) | see [`core::Discopop`] | arXiv:2406.08414 |
//! | `sigmoid_norm` | `dpo` of s = h/T | −β σ(−x) | TRL |
//! | `phi_dpo` | −(1−p)^γ ln p, p = σ(x), γ = 2 | −β (1−p)^γ ((1−p) − γ p ln p) | arXiv:2602.22601 |
//! | `rpo` | −ln σ(x) − βη P_w, β = 0.01, η = 0.005 | −β σ(−x) − βη; β σ(−x) | arXiv:2405.16436 |
//! | `mpo` | 0.8 `dpo` + 0.2 `bco_pair` + 1.0 `sft` | their sum | arXiv:2411.10442 |
//! | `sft` | −P_w, mean over the batch's tokens | −1 | |
//! | `cpo` | `dpo` of s = P, + c NLL(y_w), c = 1 | −β σ(−x) | arXiv:2401.08417 |
//! | `simpo` | −ln σ(x − γ), s = P/T, γ = 0.5 | −β σ(γ − x) | arXiv:2405.14734 |
//! | `alphapo` | `simpo` of s = (1 − e^(−αP/T))/α | −β σ(γ − x) | arXiv:2501.03884 |
//! | `orpo` | c NLL(y_w) − β ln σ(s_w − s_l), s log-odds of P/T | −β σ(s_l − s_w) | arXiv:2403.07691 |
//! | `tpo` | `cpo` with NLL(y_gold), β = 0.01 | −β σ(−x) | arXiv:2405.16681 |
//! | `tpo_l` | `simpo` + c NLL(y_gold), β = 0.01, γ = 0.5 | −β σ(γ − x) | arXiv:2405.16681 |
//! | `kto` | w_D σ(β(z − h)) or w_U σ(β(h − z)) | see [`Unpaired`] | arXiv:2402.01306 |
//! | `apo_zero_unpaired` | w_D σ(−βh) or w_U σ(βh) | see [`Unpaired`] | arXiv:2408.06266 |
//! | `bco` | −w_D ln σ(βh − δ) or −w_U ln σ(δ − βh) | see [`Unpaired`] | arXiv:2404.04656 |
//!
//! Beside the catalogue: [`Mix`] (BVPO) and [`Calibrated`] for losses over two kinds of pairs,
//! [`SegmentDpo`] for labels of segments, [`GroupContrast`] (DYPO's GAL) for a prompt's own
//! responses with rewards, and [`ranking`] for what is to come of it all.
//!
//! # Where other frameworks differ
//!
//! The values and derivatives of the code of TRL 1.16.0 and OpenRLHF 0.11.2, run in float64, agree
//! with the losses here to rounding, except:
//!
//! - Label smoothing has no effect on TRL's DPO (`sigmoid`); cDPO is OpenRLHF's `DPOLoss`, and in
//!   TRL's CPO and TPO trainers.
//! - IPO: TRL divides by lengths, OpenRLHF does not. Option `length`.
//! - TRL's α-divergence refuses float64 (compared in float32); its forward KL and `discopop` overflow. ORPO's log-odds are
//!   taken in float32 there (compared to 2 · 10⁻⁵), and its likelihood term covers the prompt as well.
//! - TRL multiplies sorted losses (`aot`) and the batch's `sft` loss by WPO's weights of unrelated
//!   pairs. Here `aot` takes no weight, and the regulariser none.
//! - TRL sorts `aot` and averages `sft` over one device's micro-batch, and estimates KTO's z from one
//!   micro-batch of all devices, so that these losses change with its size.
//! - WPO's weights on `hinge` cannot be trained with in TRL: the losses are multiplied in place, which
//!   the derivative of a ReLU does not survive.
//! - OpenRLHF's likelihood term is a mean per completion, TRL's one over all tokens of the micro-batch:
//!   option `sft_reduction`.
//! - Compared by run are the losses that a peer has: not `phi_dpo`, `rpo`, `bco` and those beside the
//!   catalogue, which are held to their papers' numbers worked by hand.
//! - SimPO's paper has β = 2 and γ = 1; the defaults here and in TRL are 0.1 and 0.5.
//!
//! # Micro-batches
//!
//! A loss depends on a completion only through the few sums of [`SequenceStats`], so a trainer goes
//! through a batch twice, and no result depends on how it is cut:
//!
//! 1. forward passes over micro-batches of any size: [`PairStats`] for every pair;
//! 2. [`PairLoss::evaluate`] on *all* pairs: losses, and a [`SequenceGradient`] per completion;
//! 3. forward and backward over the micro-batches again: [`SequenceGradient::spread`] with 1 / (number
//!    of pairs) writes what each token's log-probability has to be back-propagated with.
//!
//! Where [`PairLoss::needs_batch`] is false a pair can be evaluated as soon as it is there, and the
//! first pass is not needed. For [`Unpaired`] only the baseline needs the batch.
//!
//! # What always holds
//!
//! - Sums over tokens and over the batch are compensated.
//! - Values and derivatives are finite for sums of log-probabilities up to ±10¹⁰⁰. A NaN is passed on.
//! - At a kink (hinge) the derivative is that of PyTorch, 0. Equal numbers of a sorted batch keep the
//!   order of their pairs.
//! - Where an exponent was cut off the value is constant and the derivative 0.
//! - The empty completion has score 0 (and the largest log-odds), and no token to give a derivative to.
//! - γ = 0 of the focal weight, η = 0 of RPO, ε = 0 of cDPO and of robust DPO, and α = 1 of the mixture
//!   give DPO bit for bit; one segment does for completions of one length, else to rounding (a longer
//!   completion is summed in two parts).

mod aliases;
mod builders;
mod catalogue;
pub mod core;
mod error;
mod group;
mod metrics;
mod mix;
mod options;
mod pairs;
pub mod ranking;
mod score;
mod segments;
mod sft;
mod stats;
mod unpaired;
mod weight;

pub use crate::numeric::{log_sigmoid, log1mexp, sigmoid};
pub use crate::{Alias, Setting};
pub use aliases::ALIASES;
pub use catalogue::{CATALOGUE, Entry, Loss, by_name, resolve};
pub use error::Error;
pub use group::GroupContrast;
pub use metrics::RewardMetrics;
pub use mix::{Calibrated, Mix, MixMoments, optimal_mix_weight};
pub use options::Options;
pub use pairs::{BatchLoss, Matching, PairLoss, Term};
pub use score::{Divergence, Length, Score, Transform};
pub use segments::{SegmentDpo, SegmentLabel, segment_log_ratios};
pub use sft::{Reduction, SftTerm, Target};
pub use stats::{PairStats, SequenceGradient, SequenceStats};
pub use unpaired::{Example, Unpaired, UnpairedKind, UnpairedLoss, bco_baseline, kto_baseline};
pub use weight::{Focal, PairWeight};

//! How the catalogue's losses are composed.

/// Options of losses of a margin of log-ratios, and what one loss has beside them.
macro_rules! of_margins {
    ($($more:literal),*) => {
        &["beta", $($more,)* "divergence", "divergence_alpha", "reference_scale", "ld_alpha", "wpo",
          "sft_coefficient", "sft_reduction"]
    };
}

/// Options of losses that are defined on plain log-ratios.
macro_rules! of_ratios {
    ($($more:literal),*) => {
        &["beta", $($more,)* "reference_scale", "ld_alpha", "sft_coefficient", "sft_reduction"]
    };
}

/// Options of losses without reference.
macro_rules! free {
    ($($more:literal),*) => {
        &["beta", $($more,)* "ld_alpha", "wpo", "sft_coefficient", "sft_reduction"]
    };
}

/// An entry whose builder gets a reader of its options.
macro_rules! entry {
    ($constant:ident, $name:literal, $formula:literal, $options:expr, $build:expr) => {
        pub(in crate::preference) const $constant: Entry = Entry {
            name: $name,
            formula: $formula,
            options: $options,
            build: |options| -> Built {
                let build: fn(&Reader<'_>) -> Built = $build;
                build(&Reader {
                    loss: $name,
                    options,
                })
            },
        };
    };
}

/// An entry of one pairwise core on a score.
macro_rules! single {
    ($constant:ident, $name:literal, $formula:literal, $options:expr, $score:expr, |$r:ident| $core:expr) => {
        entry!($constant, $name, $formula, $options, |$r| {
            Ok(Loss::Pairs($r.single($score, $core)?))
        });
    };
}

mod free;
mod margins;
mod mixtures;
mod reader;
mod unpaired;

pub(super) use free::{ALPHAPO, CPO, ORPO, SIMPO, TPO, TPO_L};
pub(super) use margins::{
    APO_DOWN, APO_ZERO, BCO_PAIR, CDPO, DISCOPOP, DPO, EXO, HINGE, IPO, NCA, ROBUST, SIGMOID_NORM,
    SPPO_HARD,
};
pub(super) use mixtures::{AOT, AOT_UNPAIRED, MPO, PHI_DPO, RPO, SFT};
pub(super) use unpaired::{APO_ZERO_UNPAIRED, BCO, KTO};

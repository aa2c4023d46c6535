#![doc = include_str!("../README.md")]

mod address;
mod bootstrap;
mod calibration;
mod combinatorics;
mod confidence;
mod contamination;
mod error;
mod interval;
pub mod judge;
mod majority;
mod metrics;
mod outcomes;
mod paired;
pub mod probe;
mod ranking;
pub mod report;
pub mod rows;
mod sample_set;

pub use bootstrap::{Bootstrap, Estimate, Method, Resampled};
pub use calibration::{Bin, Binning, Calibration, Murphy, Prediction};
pub use confidence::{
    Confidence, ConfidenceCounts, PHRASES, Scale, stated_confidence, without_confidence,
};
pub use contamination::{
    Contamination, ContaminationItem, ContaminationReport, ContaminationSettings,
};
pub use error::EvalError;
pub use interval::{
    Interval, clustered_standard_error, normal_interval, standard_error, wilson, wilson_at,
};
pub use majority::{Ballot, Resampling, Vote, majority_at_k};
pub use metrics::{all_of_k, best_at_k, g_pass_at_k, mean_g_pass_at_k, pass_at_k};
pub use outcomes::{Outcomes, Scores};
pub use paired::{
    Comparison, Pairing, minimum_detectable_effect, normal_test, problems_needed, sign_flip_test,
    sign_test,
};
pub use ranking::{
    AGREEMENT_MARGIN, PreferencePair, PreferencePairs, Ties, full_ranking_match, pairwise_accuracy,
    ranks,
};
pub use sample_set::{SampleRecord, SampleSet};

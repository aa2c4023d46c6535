//! What must hold of `equipoise-objectives` for every input, and its agreement with a reference program.
//!
//! These tests need packages from elsewhere, and the crate is to have none, not even for its tests.

mod mismatch_peers;
mod policy_alone;
mod policy_limits;
mod policy_peers;
mod policy_properties;
mod preference_papers;
mod preference_properties;
mod preference_reference;
mod properties;
mod reference;
mod reward_model;
mod teachers;

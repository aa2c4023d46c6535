//! What must hold of `equipoise-advantages` for every input, and its agreement with a reference program.
//!
//! These tests need packages from elsewhere, and the crate is to have none, not even for its tests.

mod catalogue;
mod estimators;
mod peers;
mod properties;
mod reference;
mod rewards;
mod selection;

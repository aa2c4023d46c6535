//! What must hold of `equipoise-aggregation` for every input, and its agreement with a reference program.
//!
//! These tests need packages from elsewhere, and the crate is to have none, not even for its tests.

mod peers;
mod properties;
mod reductions;
mod reference;
mod trl;

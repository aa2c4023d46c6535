//! Checks of the repository as a whole, as tests: whatever a machine can check, `cargo test` checks.

mod arrows;
mod licences;
mod repository;
mod tidy;

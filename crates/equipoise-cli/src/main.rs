//! The command `equipoise`.
fn main() {}

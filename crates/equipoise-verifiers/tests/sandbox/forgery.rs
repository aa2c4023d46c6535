//! The verifier of code: what passes, what fails, and what cannot be judged.
use libtest_mimic::Trial;
pub(crate) fn trials() -> Vec<Trial> {
    vec![]
}

//! One file per command: its arguments, and what it does.

pub(crate) mod contamination;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod inspect_data;
pub(crate) mod judge_bias;
pub(crate) mod sample;
pub(crate) mod train;
pub(crate) mod verify;

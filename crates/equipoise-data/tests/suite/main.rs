//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod countdown;
mod dedup;
mod evaluator;
mod gsm8k;
mod mixture;
#[cfg(feature = "parquet")]
mod parquet;
mod problem_options;
mod problems;
mod procedural;
mod row_options;
mod rows;
mod shuffle;
mod tokenizer;

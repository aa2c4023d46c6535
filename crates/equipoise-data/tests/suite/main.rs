//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod chat_checks;
mod chat_files;
mod chat_golden;
mod chat_masks;
mod code_tasks;
mod countdown;
mod curriculum;
mod dedup;
mod evaluator;
mod families;
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
mod source_mixture;
mod tokenizer;

//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod code_tasks;
mod countdown;
mod curriculum;
mod evaluator;
mod families;
mod jsonl;
mod mixture;
mod procedural;
mod tokenizer;

//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod code_tasks;
mod chat_checks;
mod chat_files;
mod chat_golden;
mod chat_masks;
mod countdown;
mod curriculum;
mod evaluator;
mod families;
mod jsonl;
mod mixture;
mod procedural;
mod tokenizer;

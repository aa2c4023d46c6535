//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod chat_checks;
mod chat_files;
mod chat_golden;
mod chat_masks;
mod countdown;
mod evaluator;
mod jsonl;
mod procedural;
mod tokenizer;

//! The crate's tests, in one program so that the tokenizer library is linked once.

mod arithmetic;
mod countdown;
mod evaluator;
mod problems;
mod procedural;
mod tokenizer;

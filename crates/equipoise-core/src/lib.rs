#![doc = include_str!("../README.md")]

mod completion;
mod problem;
mod ragged;
mod stream;

pub use completion::{Completion, Finish, Prompt, TokenId};
pub use problem::{Message, Problem, Role};
pub use ragged::Ragged;
pub use stream::{Domain, Stream};

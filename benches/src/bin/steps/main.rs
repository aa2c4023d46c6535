//! Whole steps, side by side with the peers' programs in `benches/peers`.
//!
//! ```text
//! steps work NAME                     does the work in this process and prints a line of JSON
//! steps table [--peers PYTHON] [--only NAME] [--rounds N] [--markdown FILE]
//! ```
//!
//! The table runs each work in processes of their own, ours and the peer's in turns.

mod table;
mod works;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    equipoise_kernels::runtime::keep_candle_on_one_thread();
    equipoise_kernels::runtime::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["work", name] => works::run(name),
        ["table", ref options @ ..] => table::run(options),
        _ => Err("usage: steps work NAME | steps table [OPTIONS]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

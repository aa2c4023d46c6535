//! Problems from a file, from demonstrations to rewards.

use std::fmt::Write as _;
use std::fs;

use crate::home::{Home, newest_checkpoint, snapshot};

const SHARED: &str = r#"
name = "file"
[model]
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
intermediate_size = 64
max_position_embeddings = 160
[sampler]
max_new_tokens = 16
[verifier]
kind = "number"
format_weight = 0.5
[[stage]]
kind = "sft"
steps = 12
batch_size = 8
learning_rate = 1e-2
eval_every = 6
[[stage]]
kind = "rl"
steps = 3
prompts_per_step = 4
samples_per_prompt = 4
learning_rate = 1e-3
"#;

/// Trains on `rows` with a tokenizer of these symbols, evaluates, and returns what was printed by an
/// inspection of the demonstrations.
fn trained(home: &Home, rows: &str, symbols: &[&str], eos: &str, data: &str) -> String {
    home.write("problems.jsonl", rows);
    let tokenizer = equipoise_data::Tokenizer::from_alphabet(symbols, eos).unwrap();
    tokenizer.save(home.path("tokenizer.json")).unwrap();
    let data = format!(
        "[data]\npath = \"problems.jsonl\"\ntokenizer = \"tokenizer.json\"\nheld_out = 8\n{data}"
    );
    home.write("file.toml", &format!("{SHARED}{data}"));
    let said = home.call(&["train", "file.toml"]).succeeded();
    assert!(
        said.out.contains("42 problems to train on, 8 held out"),
        "{}",
        said.out
    );
    assert!(home.path("runs/file/report.html").is_file());
    let said = home.call(&["eval", "runs/file"]).succeeded();
    assert!(
        said.out.contains("8 held out") && said.out.contains("unscorable   0"),
        "{}",
        said.out
    );
    home.call(&["inspect", "file.toml", "--count", "1"])
        .succeeded()
        .out
}

/// The fifty sums of 0 … 4 and 0 … 9.
fn sums() -> impl Iterator<Item = (u32, u32)> {
    (0..5).flat_map(|a| (0..10).map(move |b| (a, b)))
}

/// A line for each sum: prompt, answer, and a completion that is the answer after `thoughts`.
fn prompts_and_completions(thoughts: &str) -> String {
    let mut rows = String::new();
    for (a, b) in sums() {
        let sum = a + b;
        writeln!(
            rows,
            r#"{{"prompt": "{a}+{b}=", "answer": {sum}, "completion": "{thoughts}{sum}"}}"#
        )
        .unwrap();
    }
    rows
}

#[test]
fn prompts() {
    let home = Home::new();
    let rows = prompts_and_completions("<think></think>");
    let mut symbols: Vec<&str> = "0 1 2 3 4 5 6 7 8 9 + =".split(' ').collect();
    symbols.extend(["<think>", "</think>"]);
    let shown = trained(&home, &rows, &symbols, "<eos>", "");
    assert!(shown.contains(" = [<think>] [</think>] ["), "{shown}");
    // The record of a completion says which line its problem comes from, by number and text.
    let records = fs::read_to_string(home.path("runs/file/completions.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 3 * 8);
}

/// Problems that change between kill and resume would silently make another run.
#[test]
fn a_file_that_was_edited_is_not_taken_up_again() {
    let home = Home::new();
    let rows = prompts_and_completions("");
    let path = home.write("problems.jsonl", &rows);
    let data = "[data]\npath = \"problems.jsonl\"\ntokenizer = \"bytes\"\nheld_out = 8\n";
    home.write("file.toml", &format!("{SHARED}{data}"));
    home.call(&["train", "file.toml"]).succeeded();
    let last = newest_checkpoint(&home.path("runs/file"));
    let whole = snapshot(&last);
    fs::remove_dir_all(&last).unwrap();

    fs::write(&path, rows.replace("4+9=", "4+8=")).unwrap();
    let said = home.call(&["train", "file.toml", "--resume"]);
    said.failed(&[
        "problems.jsonl has changed since the run began",
        "--set name=",
    ]);
    fs::remove_file(&path).unwrap();
    home.call(&["train", "file.toml", "--resume"])
        .failed(&["problems.jsonl", "No such file"]);
    fs::write(&path, &rows).unwrap();
    home.call(&["train", "file.toml", "--resume"]).succeeded();
    assert!(whole == snapshot(&last), "the checkpoint differs");
}

#[test]
fn messages() {
    let home = Home::new();
    let mut rows = String::new();
    for (a, b) in sums() {
        let sum = a + b;
        let messages = format!(
            r#"[{{"role": "system", "content": "add"}}, {{"role": "user", "content": "{a}+{b}"}}]"#
        );
        let completion = format!("<think></think>{sum}");
        writeln!(
            rows,
            r#"{{"messages": {messages}, "answer": "{sum}", "completion": "{completion}"}}"#
        )
        .unwrap();
    }
    let mut symbols: Vec<&str> = "0 1 2 3 4 5 6 7 8 9 + a d s y t e m u r i n"
        .split(' ')
        .collect();
    symbols.extend(["\n", "<think>", "</think>", "<|im_start|>", "<|im_end|>"]);
    let format = "message_format = \"chatml\"\n";
    let shown = trained(&home, &rows, &symbols, "<|im_end|>", format);
    assert!(
        shown.contains("<|im_start|> s y s t e m \\n a d d <|im_end|> \\n"),
        "{shown}"
    );
    assert!(
        shown.contains("a s s i s t a n t \\n [<think>] [</think>]"),
        "{shown}"
    );
    assert!(shown.trim_end().ends_with("[<|im_end|>]"), "{shown}");
}

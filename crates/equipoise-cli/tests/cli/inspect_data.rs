//! `equipoise inspect` on files of data.

use std::fs;
use std::path::PathBuf;

use crate::home::Home;

const ROWS: &str = r#"{"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6"}]}

{"prompt": "2+2=", "completion": " 4"}
{"prompt": [{"role": "user", "content": "2+2?"}], "chosen": [{"role": "assistant", "content": "4"}], "rejected": [{"role": "assistant", "content": "6"}]}
{"prompt": [{"role": "user", "content": "2+2?"}]}
{"text": "2+2"}
{"answer": 4}
"#;

/// The data crate's tokenizer of the Qwen family.
fn tokenizer() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../equipoise-data/tests/fixtures/chat/qwen.tokenizer.json");
    path.to_str().unwrap().to_owned()
}

#[test]
fn rows_are_shown_with_their_loss_mask() {
    let home = Home::new();
    let path = home.path("rows.jsonl");
    fs::write(&path, ROWS).unwrap();
    let data = path.to_str().unwrap();
    let tokenizer = tokenizer();
    let shown = home
        .call(&["inspect", data, "--tokenizer", &tokenizer, "--count", "5"])
        .succeeded()
        .out;
    for line in [
        "    <|im_start|> assistant \\n [4] [<|im_end|>] \\n",
        "    <|im_start|> assistant \\n [6] [<|im_end|>] \\n",
        "    2 + 2 = [␣] [4]",
        "    [2] [+] [2]",
        "    <|im_start|> user \\n 2 + 2 ? <|im_end|> \\n <|im_start|> assistant \\n",
    ] {
        assert!(
            shown.lines().any(|other| other == line),
            "{line:?} is not in {shown}"
        );
    }
    assert!(shown.contains("rows.jsonl:4 rejected: "), "{shown}");
    // 4 and 6, each with its end, in row 1; a space and 4 in row 3; one answer with its end in each
    // half of row 4; none in row 5; three in row 6.
    assert!(
        shown.trim_end().ends_with("13 of them carry loss"),
        "{shown}"
    );

    let last = home
        .call(&[
            "inspect",
            data,
            "--last-turn-only",
            "--count",
            "1",
            "--template",
            "chatml",
        ])
        .succeeded()
        .out;
    assert!(last.contains("assistant\\n4<|im_end|>"), "{last}");
    assert!(last.contains("assistant\\n[6<|im_end|>]"), "{last}");
}

#[test]
fn what_is_wrong_is_said() {
    let home = Home::new();
    let path = home.path("rows.jsonl");
    fs::write(&path, ROWS).unwrap();
    let data = path.to_str().unwrap();
    let tokenizer = tokenizer();
    home.call(&["inspect", data, "--count", "6"])
        .failed(&["rows.jsonl:7", "`messages`"]);
    home.call(&["inspect", data, "--template", "qwen4"])
        .failed(&["qwen4", "qwen2.5"]);
    home.call(&["inspect", data, "--kind", "preference"])
        .failed(&["rows.jsonl:1", "`chosen` is missing"]);
    home.call(&["inspect", data, "--count", "0"])
        .failed(&["--count 0"]);
    home.call(&["inspect", data, "--step", "3"])
        .failed(&["--step", "recipes"]);
    home.call(&["inspect", "nowhere.jsonl"])
        .failed(&["nowhere.jsonl"]);
    let other = home
        .call(&[
            "inspect",
            data,
            "--tokenizer",
            &tokenizer,
            "--template",
            "llama3",
        ])
        .succeeded()
        .out;
    assert!(
        other.contains("error: eos_token is \"<|eot_id|>\""),
        "{other}"
    );
}

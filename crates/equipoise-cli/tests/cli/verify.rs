//! `equipoise verify`: pairs in, verdicts out.

use std::io::Write as _;
use std::process::Stdio;

use crate::home::{Home, Said};

const PAIRS: &str = "\
{\"gold\": 34, \"answer\": \"It is 34.0.\"}
{\"gold\": \"34\", \"answer\": 35}

{\"gold\": \"thirty-four\", \"answer\": \"34\"}
";

/// `equipoise verify` with something on its standard input.
fn piped(home: &Home, arguments: &[&str], input: &str) -> Said {
    let mut command = home.command(&[&["verify"], arguments].concat());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // It may have seen enough.
        let _ = stdin.write_all(input.as_bytes());
    });
    let said = child.wait_with_output().unwrap().into();
    writer.join().unwrap();
    said
}

#[test]
fn one_verdict_a_line_in_order() {
    let home = Home::new();
    home.write("pairs.jsonl", PAIRS);
    let said = home
        .call(&["verify", "--verifier", "exact_number", "pairs.jsonl"])
        .succeeded();
    assert_eq!(
        said.out,
        "{\"reward\":1.0,\"correct\":true,\"extracted\":\"34.0\",\"why\":\"\\\"34.0\\\" equals \
         \\\"34\\\"\"}\n\
         {\"reward\":0.0,\"correct\":false,\"extracted\":\"35\",\"why\":\"\\\"35\\\" does not equal \
         \\\"34\\\"\"}\n\
         {\"reward\":null,\"correct\":null,\"extracted\":null,\"why\":\"problem 4 of \
         pairs.jsonl: the answer \\\"thirty-four\\\" is not a number\"}\n"
    );
    assert_eq!(
        said.err,
        "3 pairs: 1 right, 1 wrong, 1 unscorable; accuracy 50.0 %\n  1 ×, such as: problem 4 of \
         pairs.jsonl: the answer \"thirty-four\" is not a number\n"
    );
    let from_pipe = piped(&home, &["--verifier", "exact_number", "-"], PAIRS).succeeded();
    assert_eq!(
        from_pipe.out,
        said.out.replace("pairs.jsonl", "standard input")
    );
}

#[test]
fn options_come_from_arguments_or_from_a_file() {
    let home = Home::new();
    home.write(
        "pairs.jsonl",
        "{\"gold\": \"Paris\", \"answer\": \"It is\\nAnswer: paris\"}\n",
    );
    home.write(
        "verifier.toml",
        "name = \"gated\"\ngate = { name = \"pattern\", pattern = \"Answer:\" }\n[verifier]\nname = \
         \"exact_match\"\nextraction = { after_marker = \"Answer:\" }\nignore_case = true\n",
    );
    let reward = |arguments: &[&str]| {
        let out = home
            .call(&[&["verify", "pairs.jsonl"], arguments].concat())
            .succeeded()
            .out;
        out.split_once(',').unwrap().0.to_owned()
    };
    assert_eq!(reward(&["--verifier", "exact_match"]), "{\"reward\":0.0");
    let marker = ["--option", "extraction.after_marker=Answer:"];
    let case = ["--option", "ignore_case=true"];
    assert_eq!(
        reward(&[&["--verifier", "exact_match"], &marker[..], &case].concat()),
        "{\"reward\":1.0"
    );
    assert_eq!(reward(&["--spec", "verifier.toml"]), "{\"reward\":1.0");
    assert_eq!(
        reward(&[
            "--spec",
            "verifier.toml",
            "--option",
            "verifier.ignore_case=false"
        ]),
        "{\"reward\":0.0"
    );
    let said = home.call(&[
        "verify",
        "pairs.jsonl",
        "--spec",
        "verifier.toml",
        "--explain",
    ]);
    assert!(said.succeeded().out.contains("\"steps\":[\"pattern: 1: "));
}

#[test]
fn bad_lines_stop_are_skipped_or_get_a_verdict() {
    let home = Home::new();
    let good = "{\"gold\": 1, \"answer\": 1}\n";
    home.write("pairs.jsonl", &format!("{good}{{\"gold\": 1}}\n{good}"));
    let verify = |more: &[&str]| {
        home.call(
            &[
                &["verify", "--verifier", "exact_number", "pairs.jsonl"],
                more,
            ]
            .concat(),
        )
    };
    let stopped = verify(&[]);
    assert_eq!(stopped.out.lines().count(), 1, "{stopped:?}");
    assert_eq!(stopped.code, Some(1));
    assert!(
        stopped
            .err
            .contains("pairs.jsonl:2:11: missing field `answer`"),
        "{stopped:?}"
    );
    let skipped = verify(&["--on-bad-row", "skip"]).succeeded();
    assert_eq!(skipped.out.lines().count(), 2);
    assert!(skipped.err.contains("1 lines are no pairs"), "{skipped:?}");
    let kept = verify(&["--on-bad-row", "verdict"]).succeeded();
    let lines: Vec<&str> = kept.out.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1].starts_with(
            "{\"reward\":null,\"correct\":null,\"extracted\":null,\"why\":\"pairs.jsonl:2:11: "
        ),
        "{lines:?}"
    );
}

#[test]
fn what_cannot_be_is_said() {
    let home = Home::new();
    home.write("pairs.jsonl", PAIRS);
    let fails = |arguments: &[&str], words: &[&str]| {
        home.call(&[&["verify"], arguments].concat()).failed(words);
    };
    fails(
        &["--verifier", "exact_numbr", "pairs.jsonl"],
        &["exact_numbr", "did you mean \"exact_number\"?"],
    );
    fails(
        &[
            "--verifier",
            "exact_match",
            "--option",
            "ignore_cas=true",
            "pairs.jsonl",
        ],
        &["no option \"ignore_cas\", did you mean \"ignore_case\"?"],
    );
    fails(
        &["--verifier", "format", "--option", "open", "pairs.jsonl"],
        &["KEY=VALUE"],
    );
    fails(
        &["--verifier", "format", "absent.jsonl"],
        &["cannot read absent.jsonl"],
    );
    fails(
        &["--spec", "pairs.jsonl", "pairs.jsonl"],
        &["pairs.jsonl is no verifier"],
    );
    let limit = [
        "--verifier",
        "exact_number",
        "--max-unscorable-share",
        "0.2",
        "pairs.jsonl",
    ];
    let said = home.call(&[&["verify"], &limit[..]].concat());
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.out.lines().count(),
        3,
        "the verdicts are there all the same"
    );
    assert!(
        said.err.contains("error: 1 of 3 completions (33.3 %)"),
        "{said:?}"
    );
    for arguments in [
        &["verify"][..],
        &["verify", "pairs.jsonl"],
        &["verify", "--verifier", "format"],
    ] {
        assert_eq!(home.call(arguments).code, Some(2));
    }
}

#[test]
fn the_verifiers_are_listed() {
    let said = Home::new().call(&["verify", "--list"]).succeeded();
    for part in [
        "exact_number",
        "weighted",
        "options: pattern, whole, forbidden",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {}", said.out);
    }
}

#[test]
fn many_pairs_keep_their_order_and_a_reader_may_leave() {
    let home = Home::new();
    let pairs: String = (0..10_000)
        .map(|n| format!("{{\"gold\": {}, \"answer\": {n}}}\n", n - n % 2))
        .collect();
    let said = piped(&home, &["--verifier", "exact_number", "-"], &pairs).succeeded();
    let rewards: Vec<bool> = said
        .out
        .lines()
        .map(|line| line.contains("\"reward\":1.0"))
        .collect();
    let expected: Vec<bool> = (0..10_000).map(|n| n % 2 == 0).collect();
    assert_eq!(rewards, expected);
    // As with `| head`: the output closes long before the end.
    home.write("many.jsonl", &pairs.repeat(20));
    let mut command = home.command(&["verify", "--verifier", "exact_number", "many.jsonl"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

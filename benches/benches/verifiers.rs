//! Answers per second of the verifier of mathematical answers, on one core, over the pairs of its tests;
//! `benches/peers/math_answers.py` measures Math-Verify on the same pairs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use equipoise_core::Problem;
use equipoise_verifiers::{Math, Verifier};

/// The pairs, without and with the long completions.
fn pairs(short: bool) -> Vec<(Problem, String)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/equipoise-verifiers/tests/fixtures/math_pairs.jsonl"
    );
    let text = std::fs::read_to_string(path).expect("the pairs of the tests are there");
    let text_of = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every line is a pair"))
        .map(|row: serde_json::Value| {
            let problem = Problem {
                id: 0,
                prompt: String::new(),
                answer: text_of(&row, "gold"),
                source: "bench".into(),
            };
            (problem, text_of(&row, "answer"))
        })
        .filter(|(_, answer)| !short || answer.len() <= 24)
        .collect()
}

fn math(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("math");
    for (name, short) in [("short answers", true), ("all answers", false)] {
        let pairs = pairs(short);
        let math = Math::default();
        group.throughput(Throughput::Elements(pairs.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (problem, answer) in &pairs {
                    black_box(math.verify(problem, answer));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, math);
criterion_main!(benches);

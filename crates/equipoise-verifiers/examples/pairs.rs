//! Temporary.
use equipoise_core::Problem;
use equipoise_verifiers::{Math, Verifier};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let all = std::env::args().nth(2).is_some();
    let (mut n, mut agree, mut unscorable) = (0, 0, 0);
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let start = std::time::Instant::now();
    let math = Math::default();
    for row in &rows {
        let p = Problem { id: 0, prompt: String::new(), answer: row["gold"].as_str().unwrap().into(), source: "x".into() };
        std::hint::black_box(math.verify(&p, row["answer"].as_str().unwrap()));
    }
    println!("{:.0} per second", rows.len() as f64 / start.elapsed().as_secs_f64());
    for row in &rows {
        let p = Problem { id: 0, prompt: String::new(), answer: row["gold"].as_str().unwrap().into(), source: "x".into() };
        let e = math.explain(&p, row["answer"].as_str().unwrap());
        n += 1;
        let got = e.verdict.reward();
        let want = row["math_verify"].as_bool().unwrap();
        let truth = row.get("truth").and_then(|t| t.as_bool());
        if got.is_none() { unscorable += 1; }
        if got == Some(f64::from(u8::from(want))) { agree += 1; if !all { continue; } }
        println!("{} | {} | mv {want} truth {truth:?} ours {got:?} | {:?}", row["gold"], row["answer"], e.steps);
    }
    println!("{agree} of {n}, unscorable {unscorable}");
}

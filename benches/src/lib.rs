//! What the measurements share: numbers to compute with, and comparisons that noise disturbs little.
//!
//! ```text
//! cargo bench -p equipoise-benches                         all of them
//! cargo bench -p equipoise-benches --bench matmul --features gemm-avx512
//! ```

pub mod peak;

use std::time::{Duration, Instant};

/// Numbers between −1 and 1 without a pattern a processor could use.
pub fn numbers(count: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// The times of two ways to do the same thing, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// The median time of each.
    pub medians: [f64; 2],
    /// The shortest time of each: what a machine that does nothing else would take.
    pub shortest: [f64; 2],
    /// The median over the pairs of second / first: how many times faster the first is.
    pub ratio: f64,
    /// Half the pairs have ratios between these.
    pub quartiles: [f64; 2],
}

/// Two ways to do the same thing.
pub struct Pair {
    /// What is done.
    pub name: String,
    /// Floating-point operations of one run, where they are of interest.
    pub work: Option<f64>,
    /// Our way.
    pub ours: Box<dyn FnMut()>,
    /// Candle's way.
    pub theirs: Box<dyn FnMut()>,
}

/// As many pairs of runs as asked for; one in a test run, `cargo test --benches`, which only has to see
/// that everything can be run.
pub fn pairs(wanted: usize) -> usize {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    if measuring { wanted } else { 1 }
}

/// Runs each pair's ways alternately and prints times and ratios.
pub fn table(note: &str, pairs: usize, works: impl IntoIterator<Item = Pair>) {
    println!("\n{pairs} alternating runs; {note}; times in ms, median (shortest)\n");
    println!(
        "{:40} {:>16} {:>16}   candle / equipoise",
        "work", "equipoise", "candle"
    );
    for pair in works {
        let found = compare(pairs, pair.ours, pair.theirs);
        let shown = |which: usize| {
            let (median, shortest) = (found.medians[which], found.shortest[which]);
            format!("{:.2} ({:.2})", 1e3 * median, 1e3 * shortest)
        };
        let [low, high] = found.quartiles;
        let rate = pair.work.map_or_else(String::new, |work| {
            format!("; {:.0} GFLOP/s at best", work / found.shortest[0] / 1e9)
        });
        println!(
            "{:40} {:>16} {:>16}   {:.2} ({low:.2} to {high:.2}){rate}",
            pair.name,
            shown(0),
            shown(1),
            found.ratio,
        );
    }
}

/// Runs both ways alternately, `pairs` times each, first once without being timed. A pair's runs
/// are neighbours in time, so that what else the machine does slows both.
///
/// # Panics
/// If there are no pairs.
pub fn compare(pairs: usize, mut first: impl FnMut(), mut second: impl FnMut()) -> Comparison {
    assert!(pairs > 0, "nothing to compare");
    first();
    second();
    let mut times = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        // Each comes first as often as the other: whoever does finds the caches as the other left
        // them.
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let time = if which == 0 {
                time(&mut first)
            } else {
                time(&mut second)
            };
            times[which].push(time.as_secs_f64());
        }
    }
    let ratios = times[0].iter().zip(&times[1]).map(|(a, b)| b / a);
    let ratios = sorted(ratios.collect());
    let times = times.map(sorted);
    Comparison {
        medians: [median(&times[0]), median(&times[1])],
        shortest: [times[0][0], times[1][0]],
        ratio: median(&ratios),
        quartiles: [ratios[pairs / 4], ratios[(3 * pairs / 4).min(pairs - 1)]],
    }
}

fn time(body: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    body();
    start.elapsed()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

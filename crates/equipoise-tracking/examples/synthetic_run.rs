//! Writes the records of an invented run and their report, to look at the report without training.
//!
//! ```text
//! cargo run -p equipoise-tracking --example synthetic_run -- DIRECTORY
//! ```
//!
//! The numbers come from formulas and a seeded stream; they have the shapes of a real run and mean
//! nothing.

use std::error::Error;
use std::path::PathBuf;

use equipoise_core::{Domain, Finish, Stream};
use equipoise_tracking::{CompletionRecord, Event, JsonlTracker, MetricRecord, Tracker, report};

const RECIPE: &str = "\
# Arithmetic with several operands, learned by GRPO with Balanced Aggregation.
seed = 0

[model]
hidden = 128
layers = 4

[[stage]]
kind = \"sft\"
steps = 300
learning_rate = 1e-3

[[stage]]
kind = \"rl\"
steps = 150
aggregation = \"balanced\" # or token_mean, sequence_mean, dr_grpo
";

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os()
        .nth(1)
        .ok_or("usage: synthetic_run DIRECTORY")?;
    let directory = PathBuf::from(directory);
    let mut tracker = JsonlTracker::create(&directory)?;
    std::fs::write(directory.join("recipe.toml"), RECIPE)?;
    let mut noise = Stream::new(0, Domain::Other, [0, 0, 0]);
    supervised(&mut tracker, &mut noise)?;
    reinforcement(&mut tracker, &mut noise)?;
    tracker.flush()?;
    println!("{}", report::write(&directory)?.display());
    let curve = directory.join("learning-curve.svg");
    std::fs::write(&curve, report::learning_curve_svg(&directory)?)?;
    println!("{}", curve.display());
    Ok(())
}

/// From 0 at the first step to 1, most of the way in `scale` steps.
fn approach(step: u64, scale: f64) -> f64 {
    1.0 - (-(step as f64) / scale).exp()
}

fn supervised(tracker: &mut JsonlTracker, noise: &mut Stream) -> Result<(), Box<dyn Error>> {
    for step in 1..=300_u64 {
        let mut metrics = MetricRecord::new("sft", step);
        metrics.push(
            "loss",
            2.6 - 2.2 * approach(step, 45.0) + 0.05 * noise.normal(),
        );
        metrics.push(
            "grad_norm",
            0.6 + 3.0 * (-(step as f64) / 20.0).exp() + 0.1 * noise.uniform(),
        );
        let warm = (step as f64 / 20.0).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / 300.0).cos());
        metrics.push("learning_rate", 1e-3 * warm * cosine);
        metrics.push("tokens", (2000.0 + 90.0 * noise.normal()).round());
        if step % 50 == 0 {
            metrics.push("held_out/accuracy", 0.38 * approach(step, 120.0));
            metrics.push("held_out/format", approach(step, 40.0));
        }
        tracker.record(&Event::Metrics(&metrics))?;
        let mut timing = MetricRecord::new("sft", step);
        timing.push("seconds", 0.5 + 0.03 * noise.uniform());
        timing.push("seconds/train", 0.48);
        timing.push("tokens_per_second/train", 4100.0 + 120.0 * noise.normal());
        tracker.record(&Event::Timing(&timing))?;
    }
    Ok(())
}

fn reinforcement(tracker: &mut JsonlTracker, noise: &mut Stream) -> Result<(), Box<dyn Error>> {
    let mut start = MetricRecord::new("rl", 0);
    start.push("held_out/accuracy", 0.352);
    start.push("held_out/format", 0.99);
    tracker.record(&Event::Metrics(&start))?;
    for step in 1..=150_u64 {
        let skill = 0.35 + 0.6 * approach(step, 35.0);
        let answer = (skill + 0.03 * noise.normal()).clamp(0.0, 1.0);
        let format = (0.97 + 0.03 * approach(step, 15.0) + 0.005 * noise.normal()).min(1.0);
        let gap = 7.0 * (1.0 - approach(step, 60.0)) + 1.2 * noise.normal();
        let length = 24.0 + 5.0 * approach(step, 50.0) + 0.7 * noise.normal();
        let mut metrics = MetricRecord::new("rl", step);
        metrics.push("reward/mean", 0.9 * answer + 0.1 * format);
        metrics.push("reward/std", (answer * (1.0 - answer)).sqrt());
        metrics.push("reward/answer", answer);
        metrics.push("reward/format", format);
        metrics.push("reward/unscorable", 0.0);
        metrics.push(
            "groups/no_signal",
            (0.1 + 0.6 * approach(step, 60.0) + 0.05 * noise.normal()).clamp(0.0, 1.0),
        );
        metrics.push("length/mean", length);
        metrics.push(
            "length/max",
            (length * 2.1 + 4.0 * noise.uniform()).round().min(64.0),
        );
        metrics.push("length/correct", length - 0.4 * gap);
        metrics.push("length/incorrect", length + 0.6 * gap);
        metrics.push(
            "completion/truncated",
            (0.04 * (1.0 - approach(step, 40.0)) + 0.004 * noise.normal()).max(0.0),
        );
        metrics.push("loss", 0.02 * noise.normal());
        metrics.push("loss/policy", 0.02 * noise.normal());
        metrics.push(
            "entropy/mean",
            0.08 + 0.3 * (1.0 - approach(step, 40.0)) + 0.01 * noise.normal(),
        );
        metrics.push(
            "kl/reference",
            0.09 * approach(step, 60.0) + 0.003 * noise.uniform(),
        );
        metrics.push("clip/low", 0.004 * noise.uniform());
        metrics.push("clip/high", 0.003 + 0.006 * noise.uniform());
        metrics.push("ratio/max", 1.2 + (1.3 * noise.normal()).exp());
        let spike = if step == 88 { 14.0 } else { 0.0 };
        metrics.push("grad_norm", 0.5 + 0.2 * noise.uniform() + spike);
        metrics.push("learning_rate", 3e-5 * (step as f64 / 10.0).min(1.0));
        metrics.push(
            "advantage/abs_mean",
            0.6 * (1.0 - 0.6 * approach(step, 60.0)) + 0.03 * noise.normal(),
        );
        metrics.push(
            "sampler/logprob_difference",
            1e-6 * (0.8 * noise.normal()).exp(),
        );
        metrics.push(
            "aggregation/length_cv",
            0.35 - 0.1 * approach(step, 50.0) + 0.02 * noise.normal(),
        );
        metrics.push("aggregation/length_gap", gap);
        metrics.push("aggregation/relative_length_gap", gap / length);
        metrics.push("aggregation/mass_positive", answer);
        metrics.push("aggregation/mass_negative", 1.0 - answer);
        metrics.push("aggregation/net_mass", 1e-9 * noise.normal());
        metrics.push("aggregation/coupling", 1e-9 * noise.normal());
        metrics.push("aggregation/token_coupling", -0.02 * gap);
        if step % 10 == 0 {
            metrics.push(
                "held_out/accuracy",
                (skill + 0.008 * noise.normal()).min(1.0),
            );
            metrics.push("held_out/format", format);
            metrics.push("held_out/length", length);
        }
        tracker.record(&Event::Metrics(&metrics))?;
        let mut timing = MetricRecord::new("rl", step);
        timing.push("seconds", 2.0 + 0.1 * noise.uniform());
        timing.push("seconds/sample", 1.1);
        timing.push("seconds/verify", 0.01);
        timing.push("seconds/train", 0.85);
        if step % 10 == 0 {
            timing.push("seconds/evaluate", 0.9);
        }
        timing.push("tokens_per_second/sample", 5600.0 + 150.0 * noise.normal());
        timing.push("tokens_per_second/train", 3900.0 + 120.0 * noise.normal());
        tracker.record(&Event::Timing(&timing))?;
        if step == 1 || step == 150 {
            completions(tracker, noise, step, skill)?;
        }
    }
    Ok(())
}

/// Eight groups of four, right with probability `skill`.
fn completions(
    tracker: &mut JsonlTracker,
    noise: &mut Stream,
    step: u64,
    skill: f64,
) -> Result<(), Box<dyn Error>> {
    for problem in 0..8 {
        let [a, b, c] = [0; 3].map(|_: i64| noise.between(2, 60));
        let answer = a + b - c;
        let right: Vec<bool> = (0..4).map(|_| noise.uniform() < skill).collect();
        let share = right.iter().filter(|right| **right).count() as f64 / 4.0;
        for (sample, right) in right.into_iter().enumerate() {
            let truncated = !right && sample == 3 && step == 1;
            let given = if right {
                answer
            } else {
                answer + noise.between(1, 9)
            };
            let mut completion = format!("{a}+{b}={}\n{}-{c}={given}", a + b, a + b);
            if !truncated {
                completion.push_str(&format!("\n<answer>{given}</answer>"));
            }
            let reward = if right { 1.0 } else { 0.0 };
            let record = CompletionRecord {
                stage: "rl".into(),
                step,
                problem: step * 100 + problem,
                sample: sample as u32,
                prompt: format!("{a}+{b}-{c}="),
                tokens: completion.len(),
                completion,
                answer: answer.to_string(),
                reward: Some(0.9 * reward + if truncated { 0.0 } else { 0.1 }),
                parts: vec![
                    ("answer".into(), reward),
                    ("format".into(), if truncated { 0.0 } else { 1.0 }),
                ],
                unscorable: None,
                advantage: if share == 0.0 || share == 1.0 {
                    0.0
                } else {
                    (reward - share) / (share * (1.0 - share)).sqrt()
                },
                weight: 1.0 / (8.0 * 4.0 * 30.0),
                finish: if truncated {
                    Finish::Length
                } else {
                    Finish::Stop
                },
            };
            tracker.record(&Event::Completion(&record))?;
        }
    }
    Ok(())
}

//! The command `equipoise`: train, evaluate, sample and inspect language models.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use equipoise_tracking::{Event, Tracker, TrackingError};
use equipoise_trainer::{Run, recipe::Recipe};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Console;
impl Tracker for Console {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        match event {
            Event::Metrics(m) => {
                let line: Vec<String> = m
                    .values
                    .iter()
                    .map(|(k, v)| format!("{k}={v:.4}"))
                    .collect();
                println!("{} {} {}", m.stage, m.step, line.join(" "));
            }
            Event::Timing(m) => {
                let line: Vec<String> = m
                    .values
                    .iter()
                    .map(|(k, v)| format!("{k}={v:.3}"))
                    .collect();
                println!("   t {} {}", m.step, line.join(" "));
            }
            Event::Note(n) => println!("note: {n}"),
            _ => {}
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<(), TrackingError> {
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let recipe = Recipe::load(&PathBuf::from(&args[1]), &args[2..])?;
    let dir = recipe.tracking.runs.join(&recipe.name);
    let mut run = Run::create(recipe, &dir)?;
    let outcome = run.train(&mut Console, &AtomicBool::new(false))?;
    println!("{outcome:?}");
    Ok(())
}

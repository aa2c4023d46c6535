//! Every range of a recipe, and every choice that contradicts another.

mod files;
mod sections;
mod stages;

use std::ops::RangeInclusive;

use super::error::Problem;
use super::{ModelSection, Recipe, Stage};

impl Recipe {
    /// Everything that is wrong with a resolved recipe.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut check = Checker::default();
        check.that(is_folder_name(&self.name), "name", || {
            format!(
                "{:?} cannot be the name of a directory; use letters, digits, `-`, `_` and `.`",
                self.name
            )
        });
        check.that(i64::try_from(self.seed).is_ok(), "seed", || {
            format!("{} is more than 9223372036854775807", self.seed)
        });
        if let ModelSection::Shape(shape) = &self.model {
            check.shape(shape);
        }
        if let Some(lora) = &self.lora {
            let imitates = self.stages.iter().any(|s| matches!(s, Stage::Sft(_)));
            let layers = match &self.model {
                ModelSection::Shape(shape) => Some(shape.num_hidden_layers),
                ModelSection::Directory(_) => None,
            };
            // Without layers there is nothing to name, and that is another problem.
            check.lora(lora, imitates, layers.filter(|&layers| layers > 0));
        }
        check.data(&self.data);
        check.files(&self.data);
        check.sampler(&self.sampler);
        check.verifier(&self.verifier);
        check.reward_model(&self.verifier, self.reward_model.as_ref());
        check.that(!self.stages.is_empty(), "stage", || {
            "there is none; add a [[stage]]".into()
        });
        for (index, stage) in self.stages.iter().enumerate() {
            check.prefix = self.stage_key(index);
            check.that(stage.steps() > 0, "steps", || {
                "is 0; a stage has at least one step".into()
            });
            match stage {
                Stage::Sft(stage) => check.sft(stage),
                Stage::Rl(stage) => {
                    check.rl(stage);
                    check.rl_sampling(&self.sampler);
                }
            }
        }
        check.problems
    }
}

fn is_folder_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

/// Collects problems, all under one table.
#[derive(Default)]
struct Checker {
    prefix: String,
    problems: Vec<Problem>,
}

impl Checker {
    fn that(&mut self, holds: bool, key: &str, what: impl FnOnce() -> String) {
        if !holds {
            let key = match self.prefix.as_str() {
                "" => key.into(),
                prefix => format!("{prefix}.{key}"),
            };
            self.problems.push(Problem { key, what: what() });
        }
    }

    fn at_least(&mut self, key: &str, value: usize, least: usize) {
        self.that(value >= least, key, || {
            format!("is {value}; it must be at least {least}")
        });
    }

    fn at_most(&mut self, key: &str, value: usize, most: usize) {
        self.that(value <= most, key, || {
            format!("is {value}; it must be at most {most}")
        });
    }

    fn within(&mut self, key: &str, value: f64, range: RangeInclusive<f64>) {
        self.that(range.contains(&value), key, || {
            let (low, high) = (range.start(), range.end());
            format!("is {value}; it must be from {low} to {high}")
        });
    }

    fn positive(&mut self, key: &str, value: f64) {
        let holds = value > 0.0 && value.is_finite();
        self.that(holds, key, || {
            format!("is {value}; it must be positive and finite")
        });
    }

    fn not_negative(&mut self, key: &str, value: f64) {
        let holds = value >= 0.0 && value.is_finite();
        self.that(holds, key, || {
            format!("is {value}; it must be finite and not negative")
        });
    }

    /// `reason` says next to which choice the option would have an effect.
    fn no_effect(&mut self, key: &str, is_set: bool, reason: &str) {
        self.that(!is_set, key, || {
            format!("has no effect {reason}; remove it")
        });
    }
}

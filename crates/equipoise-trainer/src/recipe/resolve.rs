//! Filling in the options whose default depends on another choice.

use super::catalogues::{aggregation_has_option, resolve_aliases};
use super::choice::{Choice, Value};
use super::data::{ArithmeticSection, CountdownSection, DataSection, MessageFormat, TaskName};
use super::files::{Deduplicate, ExtraColumns, OnBadRow};
use super::presets::Preset;
use super::rl::{KlEstimator, RlStage};
use super::stage::ScheduleKind;
use super::verifier::{VerifierKind, VerifierSection};
use super::{Recipe, Stage, defaults};

impl Recipe {
    /// Gives every option that has an effect and no value its default. Options without effect stay
    /// as they are, so that one that was set in vain is still seen. Returns what a reader of the recipe
    /// should know of names that stand for others.
    pub(super) fn resolve(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        resolve_data(&mut self.data);
        if let VerifierSection::Mix(mix) = &mut self.verifier
            && mix.kind == VerifierKind::Countdown
        {
            mix.use_all.get_or_insert_with(defaults::use_all);
        }
        for stage in &mut self.stages {
            match stage {
                Stage::Sft(stage) => resolve_schedule(stage.schedule, &mut stage.final_fraction),
                Stage::Rl(stage) => {
                    resolve_schedule(stage.schedule, &mut stage.final_fraction);
                    resolve_rl(stage, self.sampler.max_new_tokens, &mut notes);
                }
            }
        }
        notes
    }
}

fn resolve_data(data: &mut DataSection) {
    match data.task {
        Some(TaskName::Arithmetic) => {
            data.arithmetic.get_or_insert_with(|| ArithmeticSection {
                operands: defaults::operands(),
                max_value: defaults::operand_max(),
                operators: defaults::operators(),
                styles: defaults::styles(),
            });
        }
        Some(TaskName::Countdown) => {
            data.countdown.get_or_insert_with(|| CountdownSection {
                numbers: defaults::numbers(),
                max_value: defaults::number_max(),
                target_max: defaults::target_max(),
                misses: defaults::misses(),
            });
        }
        Some(_) => data.resolve_generated(),
        None => {
            if data.chat_template.is_none() {
                data.message_format.get_or_insert(MessageFormat::Plain);
            }
            if data.has_files() {
                resolve_files(data);
            }
        }
    }
    if data.held_out_path.is_none() {
        data.held_out.get_or_insert_with(defaults::held_out);
    }
}

fn resolve_files(data: &mut DataSection) {
    data.extra_columns.get_or_insert(ExtraColumns::Error);
    if *data.on_bad_row.get_or_insert(OnBadRow::Error) == OnBadRow::Skip {
        data.max_bad_share
            .get_or_insert_with(defaults::max_bad_share);
    }
    if *data.deduplicate.get_or_insert(Deduplicate::Exact) == Deduplicate::Near {
        data.near_similarity
            .get_or_insert_with(defaults::near_similarity);
        data.near_words.get_or_insert_with(defaults::near_words);
    }
}

fn resolve_schedule(kind: ScheduleKind, final_fraction: &mut Option<f64>) {
    if kind != ScheduleKind::Constant {
        final_fraction.get_or_insert_with(defaults::final_fraction);
    }
}

/// The method of a stage that names none.
const DEFAULT_PRESET: &str = "ba";

fn resolve_rl(stage: &mut RlStage, max_new_tokens: usize, notes: &mut Vec<String>) {
    // A preset that does not exist is found by the validation.
    let preset = stage.preset.as_deref().unwrap_or(DEFAULT_PRESET);
    if let Some(preset) = Preset::named(preset) {
        stage.estimator.complete(&preset.estimator());
        stage.objective.complete(&preset.objective());
        stage.aggregation.complete(&preset.aggregation());
    }
    if stage.kl_coefficient != 0.0 {
        stage.kl.get_or_insert(KlEstimator::K3);
        stage.kl_importance.get_or_insert(false);
        let rule = stage.kl_aggregation.get_or_insert_default();
        rule.complete(&Choice::named("token_mean"));
    }
    resolve_aliases(stage, notes);
    for rule in [Some(&mut stage.aggregation), stage.kl_aggregation.as_mut()] {
        if let Some(rule) = rule
            && aggregation_has_option(rule.name(), "max_tokens")
        {
            let place = rule.options.entry("max_tokens".into());
            place.or_insert(Value::Number(max_new_tokens as f64));
        }
    }
}

//! Filling in the options whose default depends on another choice.

use super::data::{ArithmeticSection, CountdownSection, DataSection, MessageFormat, TaskName};
use super::rl::{
    Aggregation, Estimator, KlEstimator, RlStage, Scope, StdCorrection, StdScope, ZeroAdvantage,
};
use super::sampling::VerifierKind;
use super::stage::ScheduleKind;
use super::{Recipe, Stage, defaults};

impl Recipe {
    /// Gives every option that has an effect and no value its default. Options without effect stay
    /// as they are, so that one that was set in vain is still seen.
    pub(super) fn resolve(&mut self) {
        resolve_data(&mut self.data);
        if self.verifier.kind == VerifierKind::Countdown {
            self.verifier.use_all.get_or_insert_with(defaults::use_all);
        }
        for stage in &mut self.stages {
            match stage {
                Stage::Sft(stage) => resolve_schedule(stage.schedule, &mut stage.final_fraction),
                Stage::Rl(stage) => {
                    resolve_schedule(stage.schedule, &mut stage.final_fraction);
                    resolve_rl(stage, self.sampler.max_new_tokens);
                }
            }
        }
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
        None => {
            data.message_format.get_or_insert(MessageFormat::Plain);
        }
    }
    if data.held_out_path.is_none() {
        data.held_out.get_or_insert_with(defaults::held_out);
    }
}

fn resolve_schedule(kind: ScheduleKind, final_fraction: &mut Option<f64>) {
    if kind != ScheduleKind::Constant {
        final_fraction.get_or_insert_with(defaults::final_fraction);
    }
}

fn resolve_rl(stage: &mut RlStage, max_new_tokens: usize) {
    if stage.estimator == Estimator::Grpo {
        let std = *stage.std.get_or_insert_with(defaults::std);
        if std != StdScope::None {
            stage.std_correction.get_or_insert(StdCorrection::Sample);
            stage.std_epsilon.get_or_insert_with(defaults::std_epsilon);
        }
    }
    if stage.aggregation == Aggregation::Balanced {
        stage.aggregation_scope.get_or_insert(Scope::Group);
        stage.zero_advantage.get_or_insert(ZeroAdvantage::Neutral);
    }
    if stage.kl_coefficient != 0.0 {
        stage.kl.get_or_insert(KlEstimator::K3);
        stage.kl_aggregation.get_or_insert(Aggregation::TokenMean);
    }
    if stage.uses_max_tokens() {
        stage.aggregation_max_tokens.get_or_insert(max_new_tokens);
    }
}

impl RlStage {
    /// Whether the constant length of Dr. GRPO occurs anywhere.
    pub(super) fn uses_max_tokens(&self) -> bool {
        self.aggregation == Aggregation::DrGrpo || self.kl_aggregation == Some(Aggregation::DrGrpo)
    }
}

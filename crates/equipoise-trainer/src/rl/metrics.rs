//! The numbers of one step. Every key is defined in `docs/metrics.md`.

use equipoise_advantages::Report;
use equipoise_aggregation::Response;
use equipoise_aggregation::diagnostics::Diagnostics;
use equipoise_tracking::MetricRecord;

use super::Rollout;
use super::update::{Record, keep_nan};

/// What the numbers are computed from.
pub(super) struct Summary<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) responses: &'a [Response],
    pub(super) report: &'a Report,
    pub(super) records: &'a [Record],
    pub(super) diagnostics: &'a Diagnostics,
    pub(super) norms: &'a [f64],
    pub(super) learning_rate: f64,
    /// How often a rule that picks rules picked which, as shares of the groups.
    pub(super) choices: Vec<(&'static str, f64)>,
}

impl Summary<'_> {
    pub(super) fn record(&self, metrics: &mut MetricRecord) {
        self.rewards(metrics);
        self.lengths(metrics);
        self.loss(metrics);
        let diagnostics = self.diagnostics;
        metrics.push_some("aggregation/length_cv", diagnostics.length_variation);
        metrics.push_some("aggregation/length_gap", diagnostics.length_gap);
        metrics.push_some(
            "aggregation/relative_length_gap",
            diagnostics.relative_length_gap,
        );
        metrics.push_some(
            "aggregation/mass_positive",
            diagnostics.mass.map(|m| m.positive),
        );
        metrics.push_some(
            "aggregation/mass_negative",
            diagnostics.mass.map(|m| m.negative),
        );
        // Each update's weights are normalised by themselves; as for the loss, their mean is reported.
        let updates = self.norms.len().max(1) as f64;
        let net = diagnostics.net_advantage.map(|sum| sum / updates);
        metrics.push_some("aggregation/net_mass", net);
        metrics.push_some("aggregation/coupling", diagnostics.coupling);
        metrics.push_some("aggregation/token_coupling", diagnostics.token_coupling);
        for (rule, share) in &self.choices {
            metrics.push(format!("aggregation/chose_{rule}"), *share);
        }
    }

    /// What a reader of the console should not miss.
    pub(super) fn notes(&self) -> Vec<String> {
        let saturated: usize = self.records.iter().map(|record| record.saturated).sum();
        let mut notes = Vec::new();
        if saturated > 0 {
            notes.push(format!(
                "{saturated} tokens are more than e²⁰ times likelier or unlikelier than when sampled; \
                 their gradient is cut: lower learning_rate or updates_per_rollout"
            ));
        }
        if self.report.without_signal == self.report.groups {
            notes.push(
                "every group has equal rewards: the policy loss is 0 by construction".to_owned(),
            );
        }
        notes
    }

    fn rewards(&self, metrics: &mut MetricRecord) {
        let rewards: Vec<f64> = self.rollout.rewards().into_iter().flatten().collect();
        let mean = mean(rewards.iter().copied());
        metrics.push_some("reward/mean", mean);
        let deviation =
            mean.and_then(|mean| self::mean(rewards.iter().map(|r| (r - mean).powi(2))));
        metrics.push_some("reward/std", deviation.map(f64::sqrt));
        for part in self.rollout.reward_parts() {
            let scores = part.scores.into_iter().flatten();
            metrics.push_some(format!("reward/{}", part.name), self::mean(scores));
        }
        let report = self.report;
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        metrics.push(
            "reward/unscorable",
            share(report.unscorable, report.responses),
        );
        metrics.push(
            "groups/no_signal",
            share(report.without_signal, report.groups),
        );
        if let Some(refill) = self.rollout.refill() {
            metrics.push("groups/rounds", f64::from(refill.rounds));
            metrics.push("groups/sampled", refill.drawn as f64);
            metrics.push("groups/kept", share(refill.kept, refill.drawn));
        }
        let absolute = self
            .responses
            .iter()
            .map(|response| response.advantage.abs());
        metrics.push_some("advantage/abs_mean", self::mean(absolute));
    }

    fn lengths(&self, metrics: &mut MetricRecord) {
        let lengths = self.rollout.lengths();
        let pairs = || {
            lengths
                .iter()
                .map(|&l| l as f64)
                .zip(self.rollout.verdicts())
        };
        let of = |wanted: bool| {
            mean(
                pairs()
                    .filter(|(_, v)| v.correct() == Some(wanted))
                    .map(|(length, _)| length),
            )
        };
        metrics.push_some("length/mean", mean(pairs().map(|(length, _)| length)));
        metrics.push_some(
            "length/max",
            lengths.iter().max().map(|&longest| longest as f64),
        );
        metrics.push_some("length/correct", of(true));
        metrics.push_some("length/incorrect", of(false));
        let share = self.rollout.truncated() as f64 / lengths.len().max(1) as f64;
        metrics.push("completion/truncated", share);
    }

    fn loss(&self, metrics: &mut MetricRecord) {
        let sum = |pick: fn(&Record) -> f64| self.records.iter().map(pick).sum::<f64>();
        // A step with several updates reports their mean loss.
        let updates = self.norms.len().max(1) as f64;
        let tokens = self
            .records
            .iter()
            .map(|record| record.tokens)
            .sum::<usize>() as f64;
        let (policy, kl) = (
            sum(|r| r.policy_loss) / updates,
            sum(|r| r.kl_loss) / updates,
        );
        let entropy = sum(|r| r.entropy_loss) / updates;
        metrics.push("loss", policy + kl + entropy);
        metrics.push("loss/policy", policy);
        metrics.push("loss/kl", kl);
        metrics.push("loss/entropy", entropy);
        if tokens > 0.0 {
            metrics.push("entropy/mean", sum(|r| r.entropy) / tokens);
            let divergence: Option<f64> = self.records.iter().map(|record| record.kl).sum();
            metrics.push_some("kl/reference", divergence.map(|sum| sum / tokens));
            metrics.push("clip/low", sum(|r| r.clipped_low as f64) / tokens);
            metrics.push("clip/high", sum(|r| r.clipped_high as f64) / tokens);
            metrics.push("clip/weight", sum(|r| r.capped as f64) / tokens);
            metrics.push("clip/masked", sum(|r| r.masked as f64) / tokens);
        }
        let largest =
            |pick: fn(&Record) -> f64, records: &[Record]| keep_nan(records.iter().map(pick));
        metrics.push("ratio/max", largest(|r| r.largest_ratio, self.records));
        // Only the first update runs on the weights that sampled.
        let first = &self.records[..self.records.len() / self.norms.len().max(1)];
        metrics.push(
            "sampler/logprob_difference",
            largest(|r| r.old_difference, first),
        );
        metrics.push_some("grad_norm", mean(self.norms.iter().copied()));
        metrics.push("learning_rate", self.learning_rate);
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(n, sum), x| (n + 1, sum + x));
    (count > 0).then(|| sum / f64::from(count))
}

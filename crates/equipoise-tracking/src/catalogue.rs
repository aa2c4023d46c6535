//! What every metric means: the source of the report's glossary, and checked against
//! `docs/metrics.md`.

/// A metric the trainer emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The key in a [`MetricRecord`](crate::MetricRecord). `reward/PART` stands for every part of
    /// the reward.
    pub key: &'static str,
    /// The unit: `share` is a number from 0 to 1.
    pub unit: &'static str,
    /// What it measures, in a sentence.
    pub meaning: &'static str,
}

/// Shortens the table below.
const fn metric(key: &'static str, unit: &'static str, meaning: &'static str) -> Metric {
    Metric { key, unit, meaning }
}

/// Every metric, in the order of `docs/metrics.md`, which adds formulas and what to expect.
pub const METRICS: &[Metric] = &[
    metric("loss", "loss", "Loss of the step, as minimised."),
    metric("loss/policy", "loss", "Policy-gradient term of the loss."),
    metric(
        "loss/kl",
        "loss",
        "KL term of the loss, times its coefficient.",
    ),
    metric(
        "loss/entropy",
        "loss",
        "Entropy bonus as it enters the loss, times its coefficient.",
    ),
    metric(
        "grad_norm",
        "norm",
        "Euclidean norm of the whole gradient, before clipping.",
    ),
    metric(
        "learning_rate",
        "rate",
        "Learning rate of the optimiser's step.",
    ),
    metric("tokens", "tokens", "Loss-carrying tokens of the step."),
    metric(
        "reward/mean",
        "reward",
        "Mean reward of the scored completions.",
    ),
    metric(
        "reward/std",
        "reward",
        "Standard deviation of the reward over the scored completions.",
    ),
    metric(
        "reward/PART",
        "reward",
        "Mean of one part of the reward, before its weight.",
    ),
    metric(
        "reward/unscorable",
        "share",
        "Share of completions the verifier could not judge.",
    ),
    metric(
        "groups/no_signal",
        "share",
        "Share of groups in which every advantage is 0.",
    ),
    metric(
        "groups/rounds",
        "rounds",
        "Rounds of sampling that dynamic sampling needed.",
    ),
    metric(
        "groups/sampled",
        "groups",
        "Groups sampled in all rounds of dynamic sampling.",
    ),
    metric(
        "groups/kept",
        "share",
        "Share of the groups sampled whose rewards differ, among those that were needed.",
    ),
    metric(
        "advantage/abs_mean",
        "advantage",
        "Mean absolute advantage of a completion.",
    ),
    metric(
        "length/mean",
        "tokens",
        "Mean number of tokens of a completion.",
    ),
    metric("length/max", "tokens", "Tokens of the longest completion."),
    metric(
        "length/correct",
        "tokens",
        "Mean number of tokens of right answers.",
    ),
    metric(
        "length/incorrect",
        "tokens",
        "Mean number of tokens of wrong answers.",
    ),
    metric(
        "completion/truncated",
        "share",
        "Share of completions cut off at the length limit.",
    ),
    metric(
        "entropy/mean",
        "nats/token",
        "Mean entropy of the policy's next-token distribution.",
    ),
    metric(
        "kl/reference",
        "nats/token",
        "Mean Kullback–Leibler divergence from the reference policy, estimated on the sampled tokens.",
    ),
    metric(
        "clip/low",
        "share",
        "Share of tokens clipped below: ratio under 1 − ε_low, negative advantage.",
    ),
    metric(
        "clip/high",
        "share",
        "Share of tokens clipped above: ratio over 1 + ε_high, positive advantage.",
    ),
    metric(
        "clip/weight",
        "share",
        "Share of tokens whose weight is at a bound: their gradient flows, with the bound for a weight.",
    ),
    metric(
        "clip/masked",
        "share",
        "Share of tokens whose term the objective leaves out for the whole step.",
    ),
    metric(
        "ratio/max",
        "ratio",
        "Largest probability ratio between the policy and the one that sampled.",
    ),
    metric(
        "sampler/logprob_difference",
        "nats",
        "Largest absolute difference between the sampler's and the trainer's log-probability of a token, before the step.",
    ),
    metric(
        "aggregation/length_cv",
        "ratio",
        "Coefficient of variation of the lengths in a group, averaged over groups.",
    ),
    metric(
        "aggregation/length_gap",
        "tokens",
        "How much longer negative responses are than positive ones, averaged over groups with both.",
    ),
    metric(
        "aggregation/relative_length_gap",
        "share",
        "The length gap divided by the group's mean length.",
    ),
    metric(
        "aggregation/mass_positive",
        "share",
        "Share of the loss's mass on responses with positive advantage.",
    ),
    metric(
        "aggregation/mass_negative",
        "share",
        "Share of the loss's mass on responses with negative advantage.",
    ),
    metric(
        "aggregation/net_mass",
        "advantage",
        "Net advantage mass: what is left when the signs do not balance.",
    ),
    metric(
        "aggregation/coupling",
        "advantage",
        "Sign–length coupling under the rule in force, averaged over groups with both signs.",
    ),
    metric(
        "aggregation/token_coupling",
        "advantage",
        "The coupling that token aggregation would suffer on the same batch.",
    ),
    metric(
        "aggregation/chose_sequence_mean",
        "share",
        "Share of groups for which `adaptive` took the sequence mean.",
    ),
    metric(
        "aggregation/chose_token_mean",
        "share",
        "Share of groups for which `adaptive` took the token mean.",
    ),
    metric(
        "aggregation/chose_balanced",
        "share",
        "Share of groups for which `adaptive` took Balanced Aggregation.",
    ),
    metric(
        "held_out/accuracy",
        "share",
        "Share of held-out problems solved.",
    ),
    metric(
        "held_out/format",
        "share",
        "Share of held-out completions in the required form.",
    ),
    metric(
        "held_out/length",
        "tokens",
        "Mean number of tokens of held-out completions.",
    ),
    metric(
        "seconds",
        "seconds",
        "Wall-clock time of the step, an evaluation before it included.",
    ),
    metric("seconds/sample", "seconds", "Time spent sampling."),
    metric("seconds/verify", "seconds", "Time spent verifying."),
    metric(
        "seconds/train",
        "seconds",
        "Time spent in forward, backward and the optimiser.",
    ),
    metric(
        "seconds/evaluate",
        "seconds",
        "Time spent on held-out evaluation.",
    ),
    metric(
        "tokens_per_second/sample",
        "tokens/s",
        "Sampled tokens per second of sampling.",
    ),
    metric(
        "tokens_per_second/train",
        "tokens/s",
        "Tokens trained on per second of training; a prompt counts for each of its completions, though it is computed once.",
    ),
];

/// The metric with this key; every unknown key of the form `reward/…` is a part of the reward.
pub fn find(key: &str) -> Option<&'static Metric> {
    let exact = |wanted: &str| METRICS.iter().find(|metric| metric.key == wanted);
    exact(key).or_else(|| {
        key.strip_prefix("reward/")
            .and_then(|_| exact("reward/PART"))
    })
}

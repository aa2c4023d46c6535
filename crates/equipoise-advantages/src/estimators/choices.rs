//! The words that several estimators share.

use crate::Group;
use crate::words::words;

words! {
    /// Whose standard deviation an advantage is divided by.
    StandardDeviation, "std" {
        /// Nobody's: rewards are centred only.
        None = "none",
        /// That of the group's scorable rewards.
        Group = "group",
        /// That of all scorable rewards of the batch about their common mean (Lite PPO,
        /// arXiv:2508.08221). Every group then keeps its own share of signal.
        Batch = "batch",
    }
}

words! {
    /// What the sum of squared deviations is divided by in a standard deviation of n numbers.
    Correction, "correction" {
        /// n − 1 (Bessel's correction), as the training frameworks do.
        Sample = "sample",
        /// n, under which the advantages have variance 1 up to ε, as the analyses assume.
        Population = "population",
    }
}

words! {
    /// What a reward is compared with.
    Baseline, "baseline" {
        /// The mean of the group, the response itself among them.
        Mean = "mean",
        /// The mean of the others in the group.
        LeaveOneOut = "leave_one_out",
    }
}

words! {
    /// What numbers are brought to mean 0 and variance 1 over, after all else.
    Normalisation, "normalise" {
        /// Nothing: they stay as they are.
        None = "none",
        /// The scorable responses of the batch, each counted once.
        Batch = "batch",
        /// The trained tokens of the batch: each response counts as often as it has tokens.
        Tokens = "tokens",
    }
}

words! {
    /// How several rewards become one advantage. The words are TRL's.
    RewardAggregation, "aggregation" {
        /// The weighted sum of the rewards is normalised, as in GRPO.
        SumThenNormalise = "sum_then_normalize",
        /// Each reward is normalised by itself, and then summed (GDPO).
        NormaliseThenSum = "normalize_then_sum",
    }
}

impl Correction {
    /// The standard deviation of `count` values with this sum of squared deviations; 0 where there are
    /// too few values to have one.
    pub(crate) fn deviation(self, squares: f64, count: f64) -> f64 {
        let divisor = match self {
            Self::Sample => count - 1.0,
            Self::Population => count,
        };
        if divisor > 0.0 {
            (squares / divisor).sqrt()
        } else {
            0.0
        }
    }
}

impl Baseline {
    /// What a deviation from the mean is multiplied by; for groups with a deviation, which have two
    /// scorable responses at least.
    pub(crate) fn factor(self, group: &Group<'_>) -> f64 {
        let count = group.scorable().count() as f64;
        match self {
            Self::Mean => 1.0,
            Self::LeaveOneOut => count / (count - 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for word in StandardDeviation::NAMES {
            let value: StandardDeviation = word.parse().unwrap();
            assert_eq!(value.to_string(), *word);
        }
        assert_eq!(
            "bessel".parse::<Correction>().unwrap_err().to_string(),
            "unknown value `bessel` of option `correction`; the values are `sample`, `population`"
        );
        assert!("token".parse::<StandardDeviation>().is_err());
    }
}

//! How the learning rate changes over a run.

/// The shape of the decay after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleKind {
    /// No decay: `final_fraction` has no effect.
    Constant,
    /// A straight line down.
    Linear,
    /// Half a cosine wave down (Loshchilov & Hutter, SGDR, arXiv:1608.03983, without restarts).
    Cosine,
}

/// The multiplier of the learning rate, as a function of the step.
///
/// With `w = warmup_steps`, `n = total_steps`, `f = final_fraction`, and steps counted from 0:
///
/// ```text
/// step < w          (step + 1) / w
/// w ≤ step < n      p = (step − w) / (n − w)
///                   Constant  1
///                   Linear    1 − (1 − f) p
///                   Cosine    f + (1 − f) (1 + cos πp) / 2
/// step ≥ n          Constant  1        otherwise  f
/// ```
///
/// The warm-up starts at `1 / w` and not at 0, and the decay reaches `f` one step after the last,
/// so that with `f = 0` neither the first step nor the last is spent on a learning rate of 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The shape of the decay.
    pub kind: ScheduleKind,
    /// The number of steps over which the rate rises; 0 for none.
    pub warmup_steps: u64,
    /// The number of steps of the run, warm-up included.
    pub total_steps: u64,
    /// The fraction of the peak rate at the end of the decay, in [0, 1].
    pub final_fraction: f64,
}

impl Schedule {
    /// The multiplier of the learning rate at `step`, in [0, 1] if `final_fraction` is.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return (step + 1) as f64 / self.warmup_steps as f64;
        }
        let end = self.final_fraction;
        let progress = if step < self.total_steps {
            (step - self.warmup_steps) as f64 / (self.total_steps - self.warmup_steps) as f64
        } else {
            1.0
        };
        match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Linear => 1.0 - (1.0 - end) * progress,
            ScheduleKind::Cosine => {
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(kind: ScheduleKind) -> Schedule {
        Schedule {
            kind,
            warmup_steps: 4,
            total_steps: 8,
            final_fraction: 0.2,
        }
    }

    #[test]
    fn hand_computed_values() {
        let warmup = [0.25, 0.5, 0.75, 1.0];
        // p = 0, ¼, ½, ¾, then the end; (1 + cos(π/4)) / 2 = 0.8535534.
        let expected = [
            (ScheduleKind::Constant, [1.0, 1.0, 1.0, 1.0, 1.0]),
            (ScheduleKind::Linear, [1.0, 0.8, 0.6, 0.4, 0.2]),
            (
                ScheduleKind::Cosine,
                [1.0, 0.88284271, 0.6, 0.31715729, 0.2],
            ),
        ];
        for (kind, decay) in expected {
            let schedule = schedule(kind);
            for (step, value) in warmup.iter().chain(&decay).enumerate() {
                let found = schedule.at(step as u64);
                assert!((found - value).abs() < 1e-8, "{kind:?} {step}: {found}");
            }
            assert_eq!(schedule.at(8), schedule.at(1_000_000));
        }
    }

    #[test]
    fn without_warmup_the_first_step_is_full() {
        for kind in [
            ScheduleKind::Constant,
            ScheduleKind::Linear,
            ScheduleKind::Cosine,
        ] {
            let schedule = Schedule {
                warmup_steps: 0,
                ..schedule(kind)
            };
            assert_eq!(schedule.at(0), 1.0);
        }
    }

    proptest! {
        #[test]
        fn rises_then_falls_and_never_leaves_the_unit_interval(
            kind in prop::sample::select(vec![
                ScheduleKind::Constant, ScheduleKind::Linear, ScheduleKind::Cosine,
            ]),
            warmup_steps in 0_u64..50,
            total_steps in 0_u64..100,
            final_fraction in 0.0..=1.0,
        ) {
            let schedule = Schedule { kind, warmup_steps, total_steps, final_fraction };
            let values: Vec<f64> = (0..150).map(|step| schedule.at(step)).collect();
            prop_assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
            prop_assert!(values[0] > 0.0 || total_steps == 0);
            for (step, pair) in values.windows(2).enumerate() {
                if (step as u64) + 1 < warmup_steps {
                    prop_assert!(pair[0] < pair[1]);
                } else {
                    prop_assert!(pair[0] >= pair[1] - 1e-15);
                }
            }
        }
    }
}

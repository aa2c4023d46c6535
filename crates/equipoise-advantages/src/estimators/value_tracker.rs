//! The expected reward of a prompt, followed from step to step.

/// A Beta distribution over the success rate of a prompt that forgets (SPO, arXiv:2509.13232).
///
/// ```text
/// v̂ = α / (α + β),      α ← ρ α + r,      β ← ρ β + (1 − r)      r from 0 to 1
/// ```
///
/// A trainer keeps one per prompt: [`value`](Self::value) goes to
/// [`Group::with_prior`](crate::Group::with_prior) before a step, [`update`](Self::update) is called once
/// per scorable reward after it, and [`state`](Self::state) goes into the checkpoint.
///
/// ```
/// use equipoise_advantages::estimators::ValueTracker;
///
/// let mut tracker = ValueTracker::new(0.5, 8.0);
/// tracker.update(1.0, 0.875);
/// // α = 0.875 · 4 + 1, β = 0.875 · 4.
/// assert_eq!(tracker.value(), 4.5 / 8.0);
/// assert_eq!(ValueTracker::from_state(tracker.state()), tracker);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueTracker {
    alpha: f64,
    beta: f64,
}

impl ValueTracker {
    /// A tracker that expects `value` (0 to 1) with the weight of so many observations (at least 0); the
    /// paper's weight is 1 / (1 − ρ_min) = 8. Numbers outside are moved to the nearest inside.
    pub fn new(value: f64, weight: f64) -> Self {
        let (value, weight) = (value.clamp(0.0, 1.0), weight.clamp(0.0, f64::MAX));
        Self {
            alpha: value * weight,
            beta: (1.0 - value) * weight,
        }
    }

    /// v̂, from 0 to 1; ½ where nothing is known.
    pub fn value(&self) -> f64 {
        // Halves, so that the sum cannot overflow.
        let total = self.alpha / 2.0 + self.beta / 2.0;
        if total > 0.0 {
            self.alpha / 2.0 / total
        } else {
            0.5
        }
    }

    /// Takes in a reward, after what is known has been weakened to the share `decay` (0 to 1) of itself.
    /// A reward outside 0 to 1 counts as the nearest inside; one that is not finite changes nothing.
    pub fn update(&mut self, reward: f64, decay: f64) {
        if reward.is_finite() && decay.is_finite() {
            let (reward, decay) = (reward.clamp(0.0, 1.0), decay.clamp(0.0, 1.0));
            self.alpha = decay * self.alpha + reward;
            self.beta = decay * self.beta + (1.0 - reward);
        }
    }

    /// The decay ρ = 2^(−D / D_half), within bounds, for a policy that has moved by the divergence D (nats)
    /// since the last update. The paper's bounds are 0.875 and 0.96.
    pub fn decay(divergence: f64, half: f64, bounds: (f64, f64)) -> f64 {
        let decay = (-divergence.max(0.0) / half).exp2();
        decay.min(bounds.1).max(bounds.0)
    }

    /// α and β, for a checkpoint.
    pub fn state(&self) -> [f64; 2] {
        [self.alpha, self.beta]
    }

    /// The tracker of a checkpoint.
    pub fn from_state([alpha, beta]: [f64; 2]) -> Self {
        Self { alpha, beta }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decays() {
        assert_eq!(ValueTracker::decay(1.0, 1.0, (0.0, 1.0)), 0.5);
        assert_eq!(ValueTracker::decay(9.0, 1.0, (0.875, 0.96)), 0.875);
        assert_eq!(ValueTracker::decay(0.0, 1.0, (0.875, 0.96)), 0.96);
        assert_eq!(ValueTracker::new(0.0, 0.0).value(), 0.5);
    }
}

//! A bound on advantages, for any estimator.

use crate::{AdvantageEstimator, Advantages, Error, Group, Needs};

/// An estimator whose advantages are moved into −bound … bound; returns are left as they are.
#[derive(Debug)]
pub(crate) struct Clipped {
    inner: Box<dyn AdvantageEstimator>,
    bound: f64,
}

impl Clipped {
    pub(crate) fn new(inner: Box<dyn AdvantageEstimator>, bound: f64) -> Self {
        Self { inner, bound }
    }
}

impl AdvantageEstimator for Clipped {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn needs(&self) -> Needs {
        self.inner.needs()
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let mut advantages = self.inner.estimate(groups)?;
        let clip = |value: &mut f64| *value = value.clamp(-self.bound, self.bound);
        match &mut advantages.tokens {
            Some(tokens) => {
                tokens.flat_mut().iter_mut().for_each(clip);
                advantages.values = tokens.means(groups);
            }
            None => advantages.values.iter_mut().for_each(clip),
        }
        Ok(advantages)
    }
}

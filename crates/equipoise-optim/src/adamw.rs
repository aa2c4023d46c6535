//! Adam with decoupled weight decay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use candle_core::{DType, Var};

use crate::pass::{Coefficients, Pass};
use crate::state::{self, Slot};
use crate::{OptimError, Optimizer, Update};

/// The numbers of [`AdamW`] that stay the same over a run.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamWConfig {
    /// β₁, the decay rate of the first moment, in [0, 1). Usual: 0.9.
    pub beta1: f64,
    /// β₂, the decay rate of the second moment, in [0, 1). Usual: 0.999, or 0.95 for language
    /// models.
    pub beta2: f64,
    /// ε, added to the root of the second moment; positive. Usual: 1e-8.
    pub epsilon: f64,
    /// λ, the share of a weight that a step at learning rate 1 would take away; not negative.
    /// Usual: 0.01 to 0.1, and 0 in reinforcement learning.
    pub weight_decay: f64,
    /// Whether parameters of one dimension or none (norm weights, biases) decay as well. Usual:
    /// no, because their size is their function, not their complexity.
    pub decay_vectors: bool,
    /// The names of parameters that are left as they are: they need no gradient, and one that comes
    /// anyway is ignored. Each has to occur in every step, so that a misspelt name is noticed.
    pub frozen: BTreeSet<String>,
}

/// AdamW (Loshchilov & Hutter, arXiv:1711.05101, algorithm 2), in the form of `torch.optim.AdamW`:
///
/// ```text
/// g ← gradient_scale · gradient
/// m ← β₁ m + (1 − β₁) g                    m̂ = m / (1 − β₁ᵗ)
/// v ← β₂ v + (1 − β₂) g²                   v̂ = v / (1 − β₂ᵗ)
/// θ ← (1 − η λ) θ − η m̂ / (√v̂ + ε)
/// ```
///
/// with `t` the number of steps including this one, η the learning rate of the step and λ the
/// weight decay.
///
/// The moments are f32. An f32 parameter is updated in place; a bf16 or f16 parameter has an f32
/// master copy in the state, takes its rounded value after each step, and so does not lose updates
/// smaller than its own resolution. If such a parameter was written from outside between two steps,
/// the elements that changed start again from what was written.
///
/// Memory beside the parameters: 8 bytes per element, 12 for a parameter in low precision.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    steps: u64,
    slots: BTreeMap<String, Slot>,
}

impl AdamW {
    /// An optimiser that has taken no step.
    ///
    /// # Errors
    /// [`OptimError::OutOfRange`] for a number outside the range its field documents.
    pub fn new(config: AdamWConfig) -> Result<Self, OptimError> {
        let unit = |name, value: f64| check(name, value, (0.0..1.0).contains(&value), "in [0, 1)");
        unit("beta1", config.beta1)?;
        unit("beta2", config.beta2)?;
        let epsilon = config.epsilon;
        check(
            "epsilon",
            epsilon,
            epsilon.is_finite() && epsilon > 0.0,
            "positive and finite",
        )?;
        not_negative("weight_decay", config.weight_decay)?;
        Ok(Self {
            config,
            steps: 0,
            slots: BTreeMap::new(),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &AdamWConfig {
        &self.config
    }

    /// Finds everything that could make a step fail, before the first write. Returns the updates to
    /// carry out: those of parameters that are not frozen.
    fn check_updates<'a, 'u>(
        &self,
        updates: &'u [Update<'a>],
    ) -> Result<Vec<&'u Update<'a>>, OptimError> {
        let mut names = BTreeSet::new();
        let mut active = Vec::with_capacity(updates.len());
        for update in updates {
            if !names.insert(update.name) {
                return Err(OptimError::Duplicate {
                    name: update.name.into(),
                });
            }
            if !self.config.frozen.contains(update.name) {
                check_update(update)?;
                active.push(update);
            }
        }
        let unknown = |name: &&String| !names.contains(name.as_str());
        if let Some(name) = self.config.frozen.iter().find(unknown) {
            return Err(OptimError::UnknownFrozen {
                name: name.clone(),
                known: names.iter().map(|&name| name.into()).collect(),
            });
        }
        if self.steps > 0 {
            self.check_same_parameters(&active)?;
        }
        Ok(active)
    }

    fn check_same_parameters(&self, active: &[&Update<'_>]) -> Result<(), OptimError> {
        let present: BTreeSet<&str> = active.iter().map(|update| update.name).collect();
        let missing: Vec<String> = self
            .slots
            .keys()
            .filter(|name| !present.contains(name.as_str()))
            .cloned()
            .collect();
        let added: Vec<String> = present
            .into_iter()
            .filter(|&name| !self.slots.contains_key(name))
            .map(String::from)
            .collect();
        if !missing.is_empty() || !added.is_empty() {
            return Err(OptimError::ParametersChanged {
                steps: self.steps,
                missing,
                added,
            });
        }
        for update in active {
            let shape = update.parameter.dims();
            if let Some(slot) = self.slots.get(update.name)
                && slot.shape != shape
            {
                return Err(OptimError::ShapeChanged {
                    name: update.name.into(),
                    before: slot.shape.clone(),
                    now: shape.into(),
                });
            }
        }
        Ok(())
    }

    fn coefficients(&self, step: u64, learning_rate: f64, gradient_scale: f64) -> Coefficients {
        let AdamWConfig { beta1, beta2, .. } = self.config;
        // A step count beyond i32::MAX leaves both powers at 0 anyway.
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        Coefficients {
            beta1: beta1 as f32,
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            epsilon: self.config.epsilon as f32,
            decay: (1.0 - learning_rate * self.config.weight_decay) as f32,
            step_size: (learning_rate / (1.0 - beta1.powi(t))) as f32,
            root_correction: (1.0 / (1.0 - beta2.powi(t)).sqrt()) as f32,
            gradient_scale: gradient_scale as f32,
        }
    }
}

impl Optimizer for AdamW {
    fn step(
        &mut self,
        updates: &[Update<'_>],
        learning_rate: f64,
        gradient_scale: f64,
    ) -> Result<(), OptimError> {
        not_negative("learning_rate", learning_rate)?;
        not_negative("gradient_scale", gradient_scale)?;
        let active = self.check_updates(updates)?;
        let decayed = self.coefficients(self.steps + 1, learning_rate, gradient_scale);
        let undecayed = Coefficients {
            decay: 1.0,
            ..decayed
        };
        for update in active {
            let Some(gradient) = update.gradient else {
                continue; // checked above: every active update has one
            };
            let slot = self
                .slots
                .entry(update.name.into())
                .or_insert_with(|| Slot::new(update.parameter.dims()));
            let is_vector = update.parameter.rank() <= 1;
            let pass = Pass {
                coefficients: if is_vector && !self.config.decay_vectors {
                    undecayed
                } else {
                    decayed
                },
                slot: Mutex::new(slot),
            };
            update
                .parameter
                .inplace_op2(&gradient.contiguous()?, &pass)?;
        }
        self.steps += 1;
        Ok(())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn save(&self, path: &Path) -> Result<(), OptimError> {
        state::save(path, self.steps, &self.slots)
    }

    fn load(&mut self, path: &Path, parameters: &[(&str, &Var)]) -> Result<(), OptimError> {
        let trained: Vec<(&str, &Var)> = parameters
            .iter()
            .filter(|(name, _)| !self.config.frozen.contains(*name))
            .copied()
            .collect();
        (self.steps, self.slots) = state::load(path, &trained)?;
        Ok(())
    }
}

fn check_update(update: &Update<'_>) -> Result<(), OptimError> {
    let name = || update.name.to_owned();
    let Some(gradient) = update.gradient else {
        return Err(OptimError::MissingGradient { name: name() });
    };
    if gradient.dims() != update.parameter.dims() {
        return Err(OptimError::GradientShape {
            name: name(),
            parameter: update.parameter.dims().into(),
            gradient: gradient.dims().into(),
        });
    }
    for (what, tensor) in [
        ("the parameter", update.parameter.as_tensor()),
        ("the gradient", gradient),
    ] {
        let supported = matches!(tensor.dtype(), DType::F32 | DType::BF16 | DType::F16);
        let problem = if !supported {
            format!("{what} is {:?}", tensor.dtype())
        } else if !tensor.device().is_cpu() {
            format!("{what} is not on the CPU")
        } else {
            continue;
        };
        return Err(OptimError::Unsupported {
            name: name(),
            what: problem,
        });
    }
    if !update.parameter.is_contiguous() {
        return Err(OptimError::Unsupported {
            name: name(),
            what: "the parameter is not contiguous".into(),
        });
    }
    Ok(())
}

fn not_negative(name: &'static str, value: f64) -> Result<(), OptimError> {
    let fits = value.is_finite() && value >= 0.0;
    check(name, value, fits, "finite and not negative")
}

fn check(
    name: &'static str,
    value: f64,
    fits: bool,
    expected: &'static str,
) -> Result<(), OptimError> {
    if fits {
        Ok(())
    } else {
        Err(OptimError::OutOfRange {
            name,
            value,
            expected,
        })
    }
}

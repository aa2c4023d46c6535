//! Named parameters and their gradients.

use candle_core::{Tensor, Var};

use crate::ModelError;

/// The trainable tensors of a model, sorted by name.
///
/// Clones share the tensors: what an optimiser writes, every holder sees.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    entries: Vec<(String, Var)>,
}

impl Parameters {
    /// The given parameters, sorted by name.
    pub fn new(mut entries: Vec<(String, Var)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Self { entries }
    }

    /// Name and tensor of each parameter, in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Var)> {
        self.entries.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        let at = self
            .entries
            .binary_search_by(|(entry, _)| entry.as_str().cmp(name))
            .ok()?;
        Some(&self.entries[at].1)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of scalars in all tensors together.
    pub fn scalar_count(&self) -> usize {
        self.entries.iter().map(|(_, var)| var.elem_count()).sum()
    }
}

/// One gradient per parameter, in the order of [`Parameters::iter`].
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    entries: Vec<Option<Tensor>>,
}

impl Gradients {
    /// No gradient yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gradient of the parameter at `index`, if there is one yet.
    pub fn get(&self, index: usize) -> Option<&Tensor> {
        self.entries.get(index)?.as_ref()
    }

    /// The gradients there are, each with its parameter's index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Tensor)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(i, entry)| Some((i, entry.as_ref()?)))
    }

    /// Adds a gradient of the parameter at `index`.
    ///
    /// # Errors
    /// If its shape differs from what is there.
    pub fn add(&mut self, index: usize, gradient: &Tensor) -> Result<(), ModelError> {
        if self.entries.len() <= index {
            self.entries.resize(index + 1, None);
        }
        let entry = &mut self.entries[index];
        // Detached: a stored gradient must not keep the graph of its step alive.
        let sum = match entry.take() {
            None => gradient.detach(),
            Some(sum) => (sum + gradient)?.detach(),
        };
        *entry = Some(sum);
        Ok(())
    }

    /// Adds all gradients of `other`.
    ///
    /// # Errors
    /// If a shape differs.
    pub fn merge(&mut self, other: &Gradients) -> Result<(), ModelError> {
        other
            .iter()
            .try_for_each(|(index, gradient)| self.add(index, gradient))
    }
}

//! Named parameters and their gradients.

use candle_core::{Device, Tensor, Var};
use equipoise_kernels::rows::elementwise::add;

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
        Some(&self.entries[self.position(name)?].1)
    }

    /// Where the parameter of this name stands in [`Parameters::iter`].
    pub fn position(&self, name: &str) -> Option<usize> {
        let search = |(entry, _): &(String, Var)| entry.as_str().cmp(name);
        self.entries.binary_search_by(search).ok()
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

/// One gradient per parameter, in the order of [`Parameters::iter`], row-major.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    entries: Vec<Option<Vec<f32>>>,
}

impl Gradients {
    /// No gradient yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gradient of the parameter at `index`, if there is one yet.
    pub fn get(&self, index: usize) -> Option<&[f32]> {
        self.entries.get(index)?.as_deref()
    }

    /// The gradients there are, each with its parameter's index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(at, entry)| Some((at, entry.as_deref()?)))
    }

    /// The gradient of the parameter at `index`, to be added to; zeros if there was none.
    ///
    /// # Panics
    /// If there is one of another length.
    pub fn buffer(&mut self, index: usize, length: usize) -> &mut [f32] {
        if self.entries.len() <= index {
            self.entries.resize(index + 1, None);
        }
        let entry = self.entries[index].get_or_insert_with(|| vec![0.0; length]);
        assert_eq!(entry.len(), length, "gradient {index}");
        entry
    }

    /// Adds all gradients of `other`.
    ///
    /// # Panics
    /// If a length differs.
    pub fn merge(&mut self, other: &Gradients) {
        for (index, gradient) in other.iter() {
            add(self.buffer(index, gradient.len()), gradient);
        }
    }

    /// The gradients as tensors of their parameters' shapes, for an optimiser. Nothing is copied.
    ///
    /// # Errors
    /// [`ModelError::NoGradient`] naming a parameter that has none or one of another length.
    pub fn into_tensors(self, parameters: &Parameters) -> Result<Vec<Tensor>, ModelError> {
        let mut entries = self.entries.into_iter();
        let tensors = parameters.iter().map(|(name, var)| {
            let gradient = entries.next().flatten();
            let gradient = gradient.filter(|values| values.len() == var.elem_count());
            let values = gradient.ok_or_else(|| ModelError::NoGradient(name.to_owned()))?;
            Ok(Tensor::from_vec(values, var.shape(), &Device::Cpu)?)
        });
        tensors.collect()
    }
}

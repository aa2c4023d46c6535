//! The shape of a decoder's weights, generic over what stands for a parameter: a name, a tensor, or
//! a borrowed slice.

/// A linear layer `y = x·weightᵀ + bias`, with what an adapter adds to it.
#[derive(Clone, Debug)]
pub(crate) struct Linear<T> {
    /// (outputs, inputs).
    pub(crate) weight: T,
    /// (outputs).
    pub(crate) bias: Option<T>,
    pub(crate) adapter: Option<Adapter<T>>,
}

/// Low-rank adaptation: `y += scale · (x·downᵀ)·upᵀ` (Hu et al., arXiv:2106.09685).
#[derive(Clone, Debug)]
pub(crate) struct Adapter<T> {
    /// PEFT's `lora_A`: (rank, inputs).
    pub(crate) down: T,
    /// PEFT's `lora_B`: (outputs, rank).
    pub(crate) up: T,
    pub(crate) scale: f32,
    /// Which of the model's adapters this is: part of the address of its dropout.
    pub(crate) number: u64,
}

/// One decoder layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer<T> {
    pub(crate) input_norm: T,
    pub(crate) query: Linear<T>,
    pub(crate) key: Linear<T>,
    pub(crate) value: Linear<T>,
    pub(crate) output: Linear<T>,
    /// Normalisation of each head's queries and keys, in models that have it.
    pub(crate) query_norm: Option<T>,
    pub(crate) key_norm: Option<T>,
    pub(crate) post_attention_norm: T,
    pub(crate) gate: Linear<T>,
    pub(crate) up: Linear<T>,
    pub(crate) down: Linear<T>,
}

/// A whole decoder.
#[derive(Clone, Debug)]
pub(crate) struct Weights<T> {
    pub(crate) embedding: T,
    pub(crate) layers: Vec<Layer<T>>,
    pub(crate) norm: T,
    /// The vocabulary projection; `None` if it is the embedding.
    pub(crate) vocabulary: Option<T>,
    /// One number per position: a value function or a reward model.
    pub(crate) score: Option<T>,
}

impl<T> Linear<T> {
    pub(crate) fn try_map<'a, U, E>(
        &'a self,
        f: &mut impl FnMut(&'a T) -> Result<U, E>,
    ) -> Result<Linear<U>, E> {
        Ok(Linear {
            weight: f(&self.weight)?,
            bias: self.bias.as_ref().map(&mut *f).transpose()?,
            adapter: match &self.adapter {
                None => None,
                Some(adapter) => Some(Adapter {
                    down: f(&adapter.down)?,
                    up: f(&adapter.up)?,
                    scale: adapter.scale,
                    number: adapter.number,
                }),
            },
        })
    }
}

impl<T> Layer<T> {
    pub(crate) fn try_map<'a, U, E>(
        &'a self,
        f: &mut impl FnMut(&'a T) -> Result<U, E>,
    ) -> Result<Layer<U>, E> {
        Ok(Layer {
            input_norm: f(&self.input_norm)?,
            query: self.query.try_map(f)?,
            key: self.key.try_map(f)?,
            value: self.value.try_map(f)?,
            output: self.output.try_map(f)?,
            query_norm: self.query_norm.as_ref().map(&mut *f).transpose()?,
            key_norm: self.key_norm.as_ref().map(&mut *f).transpose()?,
            post_attention_norm: f(&self.post_attention_norm)?,
            gate: self.gate.try_map(f)?,
            up: self.up.try_map(f)?,
            down: self.down.try_map(f)?,
        })
    }

    /// The linear layers in the order of [`MODULES`](crate::lora::MODULES).
    pub(crate) fn linears_mut(&mut self) -> [&mut Linear<T>; 7] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.output,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }
}

impl<T> Weights<T> {
    /// Calls `f` with every parameter.
    pub(crate) fn for_each(&mut self, mut f: impl FnMut(&mut T)) {
        for parameter in [&mut self.embedding, &mut self.norm] {
            f(parameter);
        }
        [&mut self.vocabulary, &mut self.score]
            .into_iter()
            .flatten()
            .for_each(&mut f);
        for layer in &mut self.layers {
            [&mut layer.input_norm, &mut layer.post_attention_norm]
                .into_iter()
                .chain(layer.query_norm.as_mut())
                .chain(layer.key_norm.as_mut())
                .for_each(&mut f);
            for linear in layer.linears_mut() {
                f(&mut linear.weight);
                linear.bias.iter_mut().for_each(&mut f);
                if let Some(adapter) = &mut linear.adapter {
                    f(&mut adapter.down);
                    f(&mut adapter.up);
                }
            }
        }
    }

    /// The same structure over other things, visited in a fixed order.
    pub(crate) fn try_map<'a, U, E>(
        &'a self,
        mut f: impl FnMut(&'a T) -> Result<U, E>,
    ) -> Result<Weights<U>, E> {
        let f = &mut f;
        Ok(Weights {
            embedding: f(&self.embedding)?,
            layers: self
                .layers
                .iter()
                .map(|layer| layer.try_map(f))
                .collect::<Result<_, E>>()?,
            norm: f(&self.norm)?,
            vocabulary: self.vocabulary.as_ref().map(&mut *f).transpose()?,
            score: self.score.as_ref().map(&mut *f).transpose()?,
        })
    }
}

//! The three crates of numbers put together as a training step puts them together: rewards to
//! advantages, advantages to weights, and both to the loss and to what the model back-propagates.

mod golden_vectors;
mod invariance;
mod step;

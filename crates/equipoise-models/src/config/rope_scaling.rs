//! How rotary frequencies are stretched for texts longer than those a model was first trained on.
//!
//! The formulas are those of transformers' `modeling_rope_utils.py`, computed in double precision.
//! With D the width of a head and θ the base, the unscaled frequencies are `ωᵢ = θ^(−2i/D)`.

use std::f64::consts::PI;

/// A way to stretch the frequencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RopeScaling {
    /// ωᵢ as they are.
    #[default]
    Default,
    /// ωᵢ / factor: positions are interpolated (Chen et al., arXiv:2306.15595).
    Linear {
        /// How many times longer texts may be.
        factor: f64,
    },
    /// Llama 3.1's: long waves are interpolated, short ones stay.
    Llama3(Llama3),
    /// YaRN (Peng et al., arXiv:2309.00071).
    Yarn(Yarn),
}

/// Parameters of Llama 3.1's scaling.
///
/// ```text
/// λᵢ = 2π/ωᵢ      λ_low = L / low_freq_factor      λ_high = L / high_freq_factor
/// s  = (L/λᵢ − low_freq_factor) / (high_freq_factor − low_freq_factor)
/// ωᵢ' = ωᵢ                              λᵢ < λ_high
///     = ωᵢ / factor                     λᵢ > λ_low
///     = (1 − s) ωᵢ/factor + s ωᵢ        between
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Llama3 {
    /// How many times longer texts may be.
    pub factor: f64,
    /// Waves longer than L divided by it are interpolated.
    pub low_freq_factor: f64,
    /// Waves shorter than L divided by it stay.
    pub high_freq_factor: f64,
    /// L, the longest text the model was first trained on.
    pub original_max_position_embeddings: usize,
}

/// Parameters of YaRN.
///
/// ```text
/// d(r) = D ln(L / 2πr) / (2 ln θ)      low = max(⌊d(beta_fast)⌋, 0)      high = min(⌈d(beta_slow)⌉, D − 1)
/// γᵢ   = clamp((i − low) / (high − low), 0, 1)
/// ωᵢ'  = γᵢ ωᵢ/factor + (1 − γᵢ) ωᵢ
/// ```
///
/// Cosines and sines are multiplied by the attention factor: if it is not given, m(factor, mscale) /
/// m(factor, mscale_all_dim) where both are, else m(factor, 1), with m(f, s) = 0.1 s ln f + 1 for
/// f > 1, else 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Yarn {
    /// How many times longer texts may be.
    pub factor: f64,
    /// L, the longest text the model was first trained on.
    pub original_max_position_embeddings: usize,
    /// Rotations over L from which on a frequency stays.
    pub beta_fast: f64,
    /// Rotations over L below which a frequency is interpolated.
    pub beta_slow: f64,
    /// What cosines and sines are multiplied by.
    pub attention_factor: Option<f64>,
    /// Part of the attention factor's default.
    pub mscale: Option<f64>,
    /// Part of the attention factor's default.
    pub mscale_all_dim: Option<f64>,
    /// Whether low and high are rounded outwards.
    pub truncate: bool,
}

impl RopeScaling {
    /// What is wrong with the parameters, if anything is.
    pub(super) fn validate(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(format!(
                "the rotary scaling's {name} is {value}; it must be positive"
            )),
        };
        let original = |length: usize| positive("original_max_position_embeddings", length as f64);
        match self {
            Self::Default => Ok(()),
            Self::Linear { factor } => positive("factor", *factor),
            Self::Llama3(llama) => {
                positive("factor", llama.factor)?;
                positive("low_freq_factor", llama.low_freq_factor)?;
                original(llama.original_max_position_embeddings)?;
                match llama.high_freq_factor > llama.low_freq_factor {
                    true => positive("high_freq_factor", llama.high_freq_factor),
                    false => Err(format!(
                        "the rotary scaling's high_freq_factor ({}) must be larger than its \
                         low_freq_factor ({})",
                        llama.high_freq_factor, llama.low_freq_factor
                    )),
                }
            }
            Self::Yarn(yarn) => {
                positive("factor", yarn.factor)?;
                positive("beta_fast", yarn.beta_fast)?;
                positive("beta_slow", yarn.beta_slow)?;
                positive("attention_factor", yarn.attention_factor.unwrap_or(1.0))?;
                original(yarn.original_max_position_embeddings)
            }
        }
    }

    /// The frequencies of a head's pairs, and what cosines and sines are multiplied by.
    pub fn frequencies(&self, head_dim: usize, theta: f64) -> (Vec<f64>, f64) {
        let pairs = 0..head_dim / 2;
        let width = head_dim as f64;
        let plain = pairs.clone().map(|i| theta.powf(-2.0 * i as f64 / width));
        match self {
            Self::Default => (plain.collect(), 1.0),
            Self::Linear { factor } => (plain.map(|w| w / factor).collect(), 1.0),
            Self::Llama3(llama) => (plain.map(|w| llama.frequency(w)).collect(), 1.0),
            Self::Yarn(yarn) => {
                let (low, high) = yarn.range(width, theta);
                let scaled = pairs.zip(plain).map(|(i, w)| {
                    let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    ramp * w / yarn.factor + (1.0 - ramp) * w
                });
                (scaled.collect(), yarn.attention_factor())
            }
        }
    }
}

impl Llama3 {
    fn frequency(&self, w: f64) -> f64 {
        let length = self.original_max_position_embeddings as f64;
        let wavelength = 2.0 * PI / w;
        if wavelength < length / self.high_freq_factor {
            return w;
        }
        if wavelength > length / self.low_freq_factor {
            return w / self.factor;
        }
        let smooth = (length / wavelength - self.low_freq_factor)
            / (self.high_freq_factor - self.low_freq_factor);
        (1.0 - smooth) * w / self.factor + smooth * w
    }
}

impl Yarn {
    fn range(&self, width: f64, theta: f64) -> (f64, f64) {
        let length = self.original_max_position_embeddings as f64;
        let dimension =
            |rotations: f64| width * (length / (rotations * 2.0 * PI)).ln() / (2.0 * theta.ln());
        let (mut low, mut high) = (dimension(self.beta_fast), dimension(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, high) = (low.max(0.0), high.min(width - 1.0));
        // As transformers does, so that there is no division by zero.
        (low, if low == high { high + 0.001 } else { high })
    }

    fn attention_factor(&self) -> f64 {
        let magnitude = |scale: f64| match self.factor > 1.0 {
            true => 0.1 * scale * self.factor.ln() + 1.0,
            false => 1.0,
        };
        // A zero counts as absent, as in Python.
        let given = |x: Option<f64>| x.filter(|&x| x != 0.0);
        match (
            self.attention_factor,
            given(self.mscale),
            given(self.mscale_all_dim),
        ) {
            (Some(factor), ..) => factor,
            (None, Some(scale), Some(all)) => magnitude(scale) / magnitude(all),
            _ => magnitude(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// θ = 10⁴ and D = 4: frequencies 1 and 1/100, waves of 6.28 and 628 positions.
    #[test]
    fn by_hand() {
        let of = |scaling: RopeScaling| scaling.frequencies(4, 1e4);
        let close = |found: (Vec<f64>, f64), expected: [f64; 2], factor: f64| {
            for (found, expected) in found.0.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
            }
            assert!((found.1 - factor).abs() < 1e-6, "{}", found.1);
        };
        close(of(RopeScaling::Default), [1.0, 0.01], 1.0);
        close(of(RopeScaling::Linear { factor: 4.0 }), [0.25, 0.0025], 1.0);
        let llama = |length| {
            RopeScaling::Llama3(Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position_embeddings: length,
            })
        };
        // 628 > 100: interpolated. Between 314.16 and 1256.6, L/λ = 2 gives s = 1/3.
        close(of(llama(100)), [1.0, 0.00125], 1.0);
        let length = 400.0 * PI; // 1256.64, not whole: s = (1256 / 628.32 − 1) / 3
        let smooth = (length.floor() / (200.0 * PI) - 1.0) / 3.0;
        let between = (1.0 - smooth) * 0.00125 + smooth * 0.01;
        close(of(llama(1256)), [1.0, between], 1.0);
        let yarn = |attention_factor| {
            RopeScaling::Yarn(Yarn {
                factor: std::f64::consts::E,
                original_max_position_embeddings: 1000,
                beta_fast: 32.0,
                beta_slow: 1.0,
                attention_factor,
                mscale: None,
                mscale_all_dim: None,
                truncate: true,
            })
        };
        // d(32) = 0.348 and d(1) = 1.101, outwards 0 and 2: ramp 0 and 1/2; m(e, 1) = 1.1.
        let half = 0.005 / std::f64::consts::E + 0.005;
        close(of(yarn(None)), [1.0, half], 1.1);
        close(of(yarn(Some(0.5))), [1.0, half], 0.5);
    }

    #[test]
    fn impossible_parameters_are_named() {
        let negative = RopeScaling::Linear { factor: -1.0 };
        assert!(negative.validate().unwrap_err().contains("factor is -1"));
        let llama = RopeScaling::Llama3(Llama3 {
            factor: 8.0,
            low_freq_factor: 4.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 10,
        });
        assert!(llama.validate().unwrap_err().contains("must be larger"));
        assert!(RopeScaling::Default.validate().is_ok());
    }
}

//! Losses of one core on the log-ratios of a pair.

use super::reader::{Built, Reader};
use crate::preference::core::{
    ApoDown, ApoZero, BcoPair, Discopop, Exo, Hinge, Ipo, Nca, Robust, Sigmoid, SppoHard,
};
use crate::preference::{Entry, Length, Loss, Score};

/// Log-ratios, averaged.
const MEAN: Score = Score {
    length: Length::TokenMean,
    ..RATIO
};

/// Log-ratios, summed.
pub(super) const RATIO: Score = Score {
    reference_scale: 1.0,
    ..Score::REFERENCE_FREE
};

single!(DPO, "dpo", "−ln σ(x)", of_margins!(), RATIO, |r| {
    Sigmoid {
        beta: r.beta(0.1)?,
        ..Sigmoid::default()
    }
});

single!(
    CDPO,
    "cdpo",
    "−(1 − ε) ln σ(x) − ε ln σ(−x)",
    of_margins!("label_smoothing"),
    RATIO,
    |r| Sigmoid {
        beta: r.beta(0.1)?,
        label_smoothing: r.smoothing(0.1)?,
        margin: 0.0,
    }
);

single!(
    ROBUST,
    "robust",
    "(−(1 − ε) ln σ(x) + ε ln σ(−x)) / (1 − 2ε)",
    of_margins!("label_smoothing"),
    RATIO,
    |r| {
        let epsilon = r.options.label_smoothing.unwrap_or(0.1);
        let valid = (0.0..0.5).contains(&epsilon);
        let requirement = "a number of at least 0 and below 0.5";
        Robust {
            beta: r.beta(0.1)?,
            label_smoothing: r.check("label_smoothing", epsilon, valid, requirement)?,
        }
    }
);

single!(
    IPO,
    "ipo",
    "(s_w − s_l − 1/(2β))²",
    of_margins!("length"),
    MEAN,
    |r| Ipo { beta: r.beta(0.1)? }
);

single!(
    HINGE,
    "hinge",
    "max(0, 1 − x)",
    of_margins!(),
    RATIO,
    |r| Hinge { beta: r.beta(0.1)? }
);

single!(
    EXO,
    "exo",
    "KL((σ(x), σ(−x)) ‖ (1 − ε, ε))",
    of_margins!("label_smoothing"),
    RATIO,
    |r| {
        let epsilon = r.options.label_smoothing.unwrap_or(1e-3);
        let valid = epsilon > 0.0 && epsilon <= 0.5;
        let requirement = "a number greater than 0 and at most 0.5";
        Exo {
            beta: r.beta(0.1)?,
            label_smoothing: r.check("label_smoothing", epsilon, valid, requirement)?,
        }
    }
);

single!(
    NCA,
    "nca",
    "−ln σ(β h_w) − ½ ln σ(−β h_w) − ½ ln σ(−β h_l)",
    of_ratios!("wpo"),
    RATIO,
    |r| Nca { beta: r.beta(0.1)? }
);

single!(
    BCO_PAIR,
    "bco_pair",
    "−ln σ(β h_w) − ln σ(−β h_l)",
    of_ratios!("wpo"),
    RATIO,
    |r| BcoPair { beta: r.beta(0.1)? }
);

single!(
    SPPO_HARD,
    "sppo_hard",
    "(h_w − 1/(2β))² + (h_l + 1/(2β))²",
    of_ratios!("wpo"),
    RATIO,
    |r| SppoHard { beta: r.beta(0.1)? }
);

single!(
    APO_ZERO,
    "apo_zero",
    "1 − σ(β h_w) + σ(β h_l)",
    of_ratios!("wpo"),
    RATIO,
    |r| ApoZero { beta: r.beta(0.1)? }
);

single!(
    APO_DOWN,
    "apo_down",
    "σ(β h_w) + 1 − σ(x)",
    of_ratios!("wpo"),
    RATIO,
    |r| ApoDown { beta: r.beta(0.1)? }
);

single!(
    DISCOPOP,
    "discopop",
    "−ln σ(x) (1 − σ(x/τ)) + e^(−x) σ(x/τ)",
    of_margins!("tau"),
    RATIO,
    |r| {
        let tau = r.options.tau.unwrap_or(0.05);
        let valid = tau > 0.0 && tau <= 1.0;
        let requirement = "a number greater than 0 and at most 1";
        Discopop {
            beta: r.beta(0.1)?,
            tau: r.check("tau", tau, valid, requirement)?,
        }
    }
);

single!(
    SIGMOID_NORM,
    "sigmoid_norm",
    "−ln σ(β (h_w/T_w − h_l/T_l))",
    of_margins!(),
    MEAN,
    |r| Sigmoid {
        beta: r.beta(0.1)?,
        ..Sigmoid::default()
    }
);

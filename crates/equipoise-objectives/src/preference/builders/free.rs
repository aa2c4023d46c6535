//! Losses of pairs without reference model.

use super::reader::{Built, Reader};
use crate::preference::core::Sigmoid;
use crate::preference::{Entry, Length, Loss, Reduction, Score, Target, Transform};

const FREE_MEAN: Score = Score {
    length: Length::TokenMean,
    ..Score::REFERENCE_FREE
};

/// The family of reference-free losses: a logistic core and a likelihood term.
fn free(r: &Reader<'_>, score: Score, [beta, margin, sft]: [f64; 3], target: Target) -> Built {
    let core = Sigmoid {
        beta: r.beta(beta)?,
        label_smoothing: r.smoothing(0.0)?,
        margin: r.finite("margin", r.options.margin, margin)?,
    };
    let mut loss = r.single(score, core)?;
    loss.sft = r.sft(sft, Reduction::BatchTokenMean, target)?;
    Ok(Loss::Pairs(loss))
}

entry!(
    CPO,
    "cpo",
    "−ln σ(β (log π(y_w) − log π(y_l))) + c NLL(y_w)",
    free!("label_smoothing"),
    |r| free(r, Score::REFERENCE_FREE, [0.1, 0.0, 1.0], Target::Chosen)
);

entry!(
    SIMPO,
    "simpo",
    "−ln σ(β (log π(y_w)/T_w − log π(y_l)/T_l) − γ)",
    free!("label_smoothing", "margin"),
    |r| free(r, FREE_MEAN, [0.1, 0.5, 0.0], Target::Chosen)
);

entry!(
    ALPHAPO,
    "alphapo",
    "simpo of (1 − p^(−α))/α, p = e^(log π(y)/T)",
    free!("label_smoothing", "margin", "shape"),
    |r| {
        let shape = r.finite("shape", r.options.shape, 0.25)?;
        let score = Score {
            transform: Transform::AlphaPo(shape),
            ..FREE_MEAN
        };
        free(r, score, [0.1, 0.5, 0.0], Target::Chosen)
    }
);

entry!(
    ORPO,
    "orpo",
    "c NLL(y_w) − β ln σ(log-odds_w − log-odds_l)",
    free!(),
    |r| {
        let score = Score {
            transform: Transform::LogOdds,
            ..FREE_MEAN
        };
        let core = Sigmoid {
            beta: 1.0,
            ..Sigmoid::default()
        };
        let mut loss = r.single(score, core)?;
        for term in &mut loss.terms {
            term.weight = r.beta(0.1)?;
        }
        loss.sft = r.sft(1.0, Reduction::BatchTokenMean, Target::Chosen)?;
        Ok(Loss::Pairs(loss))
    }
);

entry!(
    TPO,
    "tpo",
    "−ln σ(β (log π(y_w) − log π(y_l))) + c NLL(y_gold)",
    free!("label_smoothing"),
    |r| free(r, Score::REFERENCE_FREE, [0.01, 0.0, 1.0], Target::Gold)
);

entry!(
    TPO_L,
    "tpo_l",
    "−ln σ(β (log π(y_w)/T_w − log π(y_l)/T_l) − γ) + c NLL(y_gold)",
    free!("label_smoothing", "margin"),
    |r| free(r, FREE_MEAN, [0.01, 0.5, 1.0], Target::Gold)
);

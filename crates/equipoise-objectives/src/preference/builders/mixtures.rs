//! Losses over a sorted batch, with a pair weight, with a regulariser, and of several cores.

use super::margins::RATIO;
use super::reader::{Built, Reader};
use crate::preference::core::{BcoPair, Core, Sigmoid};
use crate::preference::{
    Entry, Error, Focal, Loss, Matching, PairLoss, PairWeight, Reduction, SftTerm, Target, Term,
};

/// AOT's cDPO form of whatever met.
fn sorted(r: &Reader<'_>, matching: Matching) -> Built {
    let core = Sigmoid {
        beta: r.beta(0.1)?,
        label_smoothing: r.smoothing(0.0)?,
        margin: 0.0,
    };
    let mut loss = r.single(RATIO, core)?;
    for term in &mut loss.terms {
        term.matching = matching;
    }
    Ok(Loss::Pairs(loss))
}

entry!(
    AOT,
    "aot",
    "cdpo of sorted P_w − P_l and sorted R_w − R_l",
    of_ratios!("label_smoothing"),
    |r| sorted(r, Matching::SortedDifferences)
);

entry!(
    AOT_UNPAIRED,
    "aot_unpaired",
    "cdpo of sorted h_w and sorted h_l",
    of_ratios!("label_smoothing"),
    |r| sorted(r, Matching::SortedScores)
);

entry!(
    PHI_DPO,
    "phi_dpo",
    "−(1 − p)^γ ln p, p = σ(x)",
    of_margins!("focal_gamma", "focal_detach", "focal_renormalise"),
    |r| {
        let beta = r.beta(0.1)?;
        let core = Sigmoid {
            beta,
            ..Sigmoid::default()
        };
        let mut loss = r.single(RATIO, core)?;
        loss.weight.focal = Some(Focal {
            gamma: r.at_least_0("focal_gamma", r.options.focal_gamma, 2.0)?,
            beta,
            detach: r.options.focal_detach.unwrap_or(false),
            renormalise: r.options.focal_renormalise.unwrap_or(false),
        });
        Ok(Loss::Pairs(loss))
    }
);

entry!(
    RPO,
    "rpo",
    "−ln σ(x) − β η log π(y_w)",
    &[
        "beta",
        "eta",
        "divergence",
        "divergence_alpha",
        "reference_scale",
        "ld_alpha",
        "wpo"
    ],
    |r| {
        let beta = r.beta(0.01)?;
        let core = Sigmoid {
            beta,
            ..Sigmoid::default()
        };
        let mut loss = r.single(RATIO, core)?;
        loss.sft = Some(SftTerm {
            coefficient: beta * r.at_least_0("eta", r.options.eta, 0.005)?,
            reduction: Reduction::Sum,
            target: Target::Chosen,
        });
        Ok(Loss::Pairs(loss))
    }
);

entry!(
    MPO,
    "mpo",
    "0.8 dpo + 0.2 bco_pair + sft",
    of_ratios!("dpo_weight", "bco_weight", "wpo"),
    |r| {
        let beta = r.beta(0.1)?;
        let term = |weight, core: Box<dyn Core>| -> Result<Term, Error> {
            Ok(Term {
                weight,
                score: r.score(RATIO)?,
                matching: Matching::Pair,
                core,
            })
        };
        let dpo = r.at_least_0("dpo_weight", r.options.dpo_weight, 0.8)?;
        let bco = r.at_least_0("bco_weight", r.options.bco_weight, 0.2)?;
        let sigmoid = Sigmoid {
            beta,
            ..Sigmoid::default()
        };
        Ok(Loss::Pairs(PairLoss {
            terms: vec![
                term(dpo, Box::new(sigmoid))?,
                term(bco, Box::new(BcoPair { beta }))?,
            ],
            weight: PairWeight {
                wpo: r.options.wpo.unwrap_or(false),
                focal: None,
            },
            sft: r.sft(1.0, Reduction::BatchTokenMean, Target::Chosen)?,
        }))
    }
);

entry!(
    SFT,
    "sft",
    "−log π(y_w)",
    &["sft_coefficient", "sft_reduction"],
    |r| Ok(Loss::Pairs(PairLoss {
        terms: Vec::new(),
        weight: PairWeight::default(),
        sft: r.sft(1.0, Reduction::BatchTokenMean, Target::Chosen)?,
    }))
);

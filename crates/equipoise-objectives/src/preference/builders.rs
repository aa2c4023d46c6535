//! How the catalogue's losses are composed.

use super::core::{
    ApoDown, ApoZero, BcoPair, Core, Discopop, Exo, Hinge, Ipo, Nca, Robust, Sigmoid, SppoHard,
};
use super::{
    Divergence, Entry, Error, Focal, Length, Loss, Matching, Options, PairLoss, PairWeight,
    Reduction, Score, SftTerm, Target, Term, Transform, Unpaired, UnpairedKind,
};

/// Options of losses of a margin of log-ratios, and what one loss has beside them.
macro_rules! of_margins {
    ($($more:literal),*) => {
        &["beta", $($more,)* "divergence", "divergence_alpha", "reference_scale", "ld_alpha", "wpo",
          "sft_coefficient", "sft_reduction"]
    };
}

/// Options of losses that are defined on plain log-ratios.
macro_rules! of_ratios {
    ($($more:literal),*) => {
        &["beta", $($more,)* "reference_scale", "ld_alpha", "sft_coefficient", "sft_reduction"]
    };
}

/// Options of losses without reference.
macro_rules! free {
    ($($more:literal),*) => {
        &["beta", $($more,)* "ld_alpha", "wpo", "sft_coefficient", "sft_reduction"]
    };
}

type Built = Result<Loss, Error>;

/// Reads the options of one loss and checks their ranges.
struct Reader<'a> {
    loss: &'static str,
    options: &'a Options,
}

impl Reader<'_> {
    fn check(
        &self,
        option: &'static str,
        value: f64,
        valid: bool,
        requirement: &'static str,
    ) -> Result<f64, Error> {
        if valid {
            return Ok(value);
        }
        Err(Error::InvalidOption {
            loss: self.loss,
            option,
            value: value.to_string(),
            requirement,
        })
    }

    fn positive(
        &self,
        option: &'static str,
        value: Option<f64>,
        default: f64,
    ) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        let valid = value > 0.0 && value.is_finite();
        self.check(option, value, valid, "a finite number greater than 0")
    }

    fn at_least_0(
        &self,
        option: &'static str,
        value: Option<f64>,
        default: f64,
    ) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        let valid = value >= 0.0 && value.is_finite();
        self.check(option, value, valid, "a finite number, at least 0")
    }

    fn finite(&self, option: &'static str, value: Option<f64>, default: f64) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        self.check(option, value, value.is_finite(), "a finite number")
    }

    fn beta(&self, default: f64) -> Result<f64, Error> {
        self.positive("beta", self.options.beta, default)
    }

    fn smoothing(&self, default: f64) -> Result<f64, Error> {
        let value = self.options.label_smoothing.unwrap_or(default);
        let valid = (0.0..=0.5).contains(&value);
        self.check("label_smoothing", value, valid, "a number from 0 to 0.5")
    }

    /// The score with the options that the loss has; the others are not given.
    fn score(&self, base: Score) -> Result<Score, Error> {
        let o = self.options;
        let mut divergence = o.divergence.unwrap_or(base.divergence);
        if let Some(alpha) = o.divergence_alpha {
            let valid = alpha.is_finite() && matches!(divergence, Divergence::Alpha(_));
            let requirement = "a finite number, and `divergence` `alpha_divergence`";
            divergence =
                Divergence::Alpha(self.check("divergence_alpha", alpha, valid, requirement)?);
        }
        let ld_alpha = o.ld_alpha.unwrap_or(base.ld_alpha);
        let valid = (0.0..=1.0).contains(&ld_alpha);
        Ok(Score {
            reference_scale: self.at_least_0(
                "reference_scale",
                o.reference_scale,
                base.reference_scale,
            )?,
            ld_alpha: self.check("ld_alpha", ld_alpha, valid, "a number from 0 to 1")?,
            divergence,
            length: o.length.unwrap_or(base.length),
            transform: base.transform,
        })
    }

    fn sft(
        &self,
        coefficient: f64,
        reduction: Reduction,
        target: Target,
    ) -> Result<Option<SftTerm>, Error> {
        let given = self.options.sft_coefficient;
        let coefficient = self.at_least_0("sft_coefficient", given, coefficient)?;
        let reduction = self.options.sft_reduction.unwrap_or(reduction);
        Ok((coefficient > 0.0).then_some(SftTerm {
            coefficient,
            reduction,
            target,
        }))
    }

    /// A loss of one term with whatever weight and regulariser the options ask for.
    fn single(&self, base: Score, core: impl Core + 'static) -> Result<PairLoss, Error> {
        let mut loss = PairLoss::single(self.score(base)?, core);
        loss.weight.wpo = self.options.wpo.unwrap_or(false);
        loss.sft = self.sft(0.0, Reduction::TokenMean, Target::Chosen)?;
        Ok(loss)
    }
}

/// An entry whose builder gets a reader of its options.
macro_rules! entry {
    ($constant:ident, $name:literal, $formula:literal, $options:expr, $build:expr) => {
        pub(super) const $constant: Entry = Entry {
            name: $name,
            formula: $formula,
            options: $options,
            build: |options| -> Built {
                let build: fn(&Reader<'_>) -> Built = $build;
                build(&Reader {
                    loss: $name,
                    options,
                })
            },
        };
    };
}

/// An entry of one pairwise core on a score.
macro_rules! single {
    ($constant:ident, $name:literal, $formula:literal, $options:expr, $score:expr, |$r:ident| $core:expr) => {
        entry!($constant, $name, $formula, $options, |$r| {
            Ok(Loss::Pairs($r.single($score, $core)?))
        });
    };
}

const MEAN: Score = Score {
    length: Length::TokenMean,
    ..RATIO
};

const RATIO: Score = Score {
    reference_scale: 1.0,
    ..Score::REFERENCE_FREE
};

const FREE_MEAN: Score = Score {
    length: Length::TokenMean,
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

fn unpaired(r: &Reader<'_>, kind: UnpairedKind) -> Built {
    let o = r.options;
    Ok(Loss::Examples(Unpaired {
        kind,
        beta: r.beta(0.1)?,
        desirable: r.at_least_0("desirable_weight", o.desirable_weight, 1.0)?,
        undesirable: r.at_least_0("undesirable_weight", o.undesirable_weight, 1.0)?,
    }))
}

const UNPAIRED: &[&str] = &["beta", "desirable_weight", "undesirable_weight"];

entry!(
    KTO,
    "kto",
    "w_D (1 − σ(β (h − z))) or w_U (1 − σ(β (z − h)))",
    UNPAIRED,
    |r| unpaired(r, UnpairedKind::Kto)
);

entry!(
    APO_ZERO_UNPAIRED,
    "apo_zero_unpaired",
    "w_D (1 − σ(β h)) or w_U σ(β h)",
    UNPAIRED,
    |r| unpaired(r, UnpairedKind::ApoZero)
);

entry!(
    BCO,
    "bco",
    "−w_D ln σ(β h − δ) or −w_U ln σ(δ − β h)",
    UNPAIRED,
    |r| unpaired(r, UnpairedKind::Bco)
);

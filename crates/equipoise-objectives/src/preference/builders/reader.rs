//! Reads the options of a loss and checks their ranges.

use crate::preference::core::Core;
use crate::preference::{
    Divergence, Error, Loss, Options, PairLoss, Reduction, Score, SftTerm, Target,
};

pub(super) type Built = Result<Loss, Error>;

/// Reads the options of one loss and checks their ranges.
pub(super) struct Reader<'a> {
    pub(super) loss: &'static str,
    pub(super) options: &'a Options,
}

impl Reader<'_> {
    pub(super) fn check(
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

    pub(super) fn positive(
        &self,
        option: &'static str,
        value: Option<f64>,
        default: f64,
    ) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        let valid = value > 0.0 && value.is_finite();
        self.check(option, value, valid, "a finite number greater than 0")
    }

    pub(super) fn at_least_0(
        &self,
        option: &'static str,
        value: Option<f64>,
        default: f64,
    ) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        let valid = value >= 0.0 && value.is_finite();
        self.check(option, value, valid, "a finite number, at least 0")
    }

    pub(super) fn finite(
        &self,
        option: &'static str,
        value: Option<f64>,
        default: f64,
    ) -> Result<f64, Error> {
        let value = value.unwrap_or(default);
        self.check(option, value, value.is_finite(), "a finite number")
    }

    pub(super) fn beta(&self, default: f64) -> Result<f64, Error> {
        self.positive("beta", self.options.beta, default)
    }

    pub(super) fn smoothing(&self, default: f64) -> Result<f64, Error> {
        let value = self.options.label_smoothing.unwrap_or(default);
        let valid = (0.0..=0.5).contains(&value);
        self.check("label_smoothing", value, valid, "a number from 0 to 0.5")
    }

    /// The score with the options that the loss has; the others are not given.
    pub(super) fn score(&self, base: Score) -> Result<Score, Error> {
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

    pub(super) fn sft(
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
    pub(super) fn single(&self, base: Score, core: impl Core + 'static) -> Result<PairLoss, Error> {
        let mut loss = PairLoss::single(self.score(base)?, core);
        loss.weight.wpo = self.options.wpo.unwrap_or(false);
        loss.sft = self.sft(0.0, Reduction::TokenMean, Target::Chosen)?;
        Ok(loss)
    }
}

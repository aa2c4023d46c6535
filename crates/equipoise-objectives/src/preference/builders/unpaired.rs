//! Losses of single completions.

use super::reader::{Built, Reader};
use crate::preference::{Entry, Loss, Unpaired, UnpairedKind};

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

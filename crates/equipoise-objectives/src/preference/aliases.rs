//! Other frameworks' names for the catalogue's losses.

use crate::Alias;

/// Every alias. TRL's names are those of `loss_type`.
pub const ALIASES: &[Alias] = &[
    Alias {
        name: "sigmoid",
        entry: "dpo",
        note: "TRL DPOTrainer; its label_smoothing has no effect on it there (use `cdpo`)",
    },
    Alias {
        name: "exo_pair",
        entry: "exo",
        note: "TRL DPOTrainer; label_smoothing has to be set there, here it defaults to 0.001",
    },
    Alias {
        name: "nca_pair",
        entry: "nca",
        note: "TRL DPOTrainer",
    },
    Alias {
        name: "aot_pair",
        entry: "aot_unpaired",
        note: "not a name of TRL 1.16, whose `aot` and `aot_unpaired` are `aot` and `aot_unpaired` here; \
               taken as the loss over sorted scores",
    },
    Alias {
        name: "rso",
        entry: "hinge",
        note: "the hinge loss of RSO; only its loss, not its rejection sampling",
    },
    Alias {
        name: "slic",
        entry: "hinge",
        note: "the hinge loss of SLiC-HF with its margin at 1",
    },
    Alias {
        name: "focal_dpo",
        entry: "phi_dpo",
        note: "DPO with a focal weight",
    },
    Alias {
        name: "tpo-l",
        entry: "tpo_l",
        note: "TRL experimental TPOTrainer",
    },
    Alias {
        name: "lnmix",
        entry: "discopop",
        note: "the log-ratio modulated loss of the DiscoPOP paper",
    },
];

//! Which remedy works, in one sentence.

use serde::{Deserialize, Serialize};

use super::variant::VariantSummary;
use crate::record::number;
use crate::text::number as shown;

/// The outcome of trying the remedies of a run: the first variant is the run as it was, the others are
/// its remedies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prescription {
    /// This variant clears the roots and lowers the loss, and does so under another seed as well.
    Works {
        /// Index of the variant.
        best: usize,
        /// The other seed.
        seed: i64,
        /// Last training loss under the other seed, of the run as it was and of the remedy.
        losses: [f64; 2],
    },
    /// This variant helps, but there was no budget left to see whether it does under another seed.
    Unconfirmed {
        /// Index of the variant.
        best: usize,
        /// The seed that was not tried.
        seed: i64,
    },
    /// No remedy that was tried helps.
    Nothing {
        /// Whether one did, and did not under another seed.
        refuted: bool,
        /// The other seed.
        seed: i64,
    },
    /// The finding has no remedy that is a flag.
    NoRemedy,
    /// There is nothing to cure.
    Healthy,
    /// Training was stopped.
    Unfinished,
}

/// The same in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prescribed {
    /// `works`, `unconfirmed`, `nothing`, `refuted`, `no-remedy`, `healthy` or `unfinished`.
    pub outcome: String,
    /// Label of the variant, which is its flags.
    pub flags: Option<String>,
    /// The whole command line, word by word.
    pub command: Option<Vec<String>>,
    /// The other seed.
    pub confirmed_with_seed: Option<i64>,
    /// Last training loss under the other seed, of the run as it was and of the remedy.
    #[serde(with = "number::option")]
    pub confirmed_loss_before: Option<f64>,
    /// The same loss, of the remedy.
    #[serde(with = "number::option")]
    pub confirmed_loss_after: Option<f64>,
}

impl Prescription {
    /// The variant that is prescribed, or would be.
    pub(super) fn best(&self) -> Option<usize> {
        match self {
            Self::Works { best, .. } | Self::Unconfirmed { best, .. } => Some(*best),
            _ => None,
        }
    }

    pub(super) fn prescribed(&self, variants: &[VariantSummary]) -> Prescribed {
        let outcome = match self {
            Self::Works { .. } => "works",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Nothing { refuted: false, .. } => "nothing",
            Self::Nothing { refuted: true, .. } => "refuted",
            Self::NoRemedy => "no-remedy",
            Self::Healthy => "healthy",
            Self::Unfinished => "unfinished",
        };
        let best = self.best().and_then(|i| variants.get(i));
        let confirmed = match self {
            Self::Works { seed, losses, .. } => Some((*seed, *losses)),
            _ => None,
        };
        Prescribed {
            outcome: outcome.into(),
            flags: best.map(|v| v.label.clone()),
            command: best.map(|v| v.command.clone()),
            confirmed_with_seed: confirmed.map(|(seed, _)| seed),
            confirmed_loss_before: confirmed.map(|(_, [before, _])| before),
            confirmed_loss_after: confirmed.map(|(_, [_, after])| after),
        }
    }

    pub(super) fn sentence(&self, variants: &[VariantSummary]) -> String {
        let Some(base) = variants.first() else { return "Nothing was trained.".into() };
        let roots = base.findings();
        let tried = variants.len() - 1;
        let remedies = if tried == 1 { "1 remedy".to_owned() } else { format!("{tried} remedies") };
        let change = |best: usize| {
            let v = &variants[best];
            let [before, after] = [base, v].map(|v| v.train_loss.map_or_else(|| "?".into(), shown));
            let verdict = v.verdict.name();
            format!(
                "{} clears {roots} and lowers the training loss from {before} to {after} ({verdict})",
                v.label,
            )
        };
        match self {
            Self::Works { best, seed, losses: [before, after] } => format!(
                "{}, and with seed {seed} from {} to {}.",
                change(*best),
                shown(*before),
                shown(*after)
            ),
            Self::Unconfirmed { best, seed } => format!(
                "{}, but whether it does with seed {seed} was not tried: the budget was spent.",
                change(*best)
            ),
            Self::Nothing { refuted: true, seed } => format!(
                "Of {remedies} for {roots} none is prescribed: what helped with the run's own seed did not with seed {seed}."
            ),
            Self::Nothing { refuted: false, .. } => {
                format!("Of {remedies} for {roots} none clears it and lowers the training loss.")
            }
            Self::NoRemedy => format!("{roots} has no remedy that is a flag: {}", base.headline),
            Self::Healthy => format!("There is nothing to cure: {}", base.headline),
            Self::Unfinished => "Stopped before a remedy could be prescribed.".into(),
        }
    }
}

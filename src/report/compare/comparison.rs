//! Several runs in one document, with the sentence about them.

use serde::{Deserialize, Serialize};

use super::prescription::{Prescribed, Prescription};
use super::sentence::learned_best;
use super::variant::{Split, Variant, VariantSummary};
use crate::report::{ReportError, RunOutcome};
use crate::text::counted;

/// Name and version of the format.
pub const SCHEMA: &str = "gradscope.compare/1";
/// Its place in the directory of a comparison.
pub const FILE_NAME: &str = "compare.json";

/// Several runs in one JSON document: the details stand in each one's own summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name and version of the format, [`SCHEMA`].
    pub schema: String,
    /// Version of gradscope.
    pub gradscope: String,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Which variant learned best, and why.
    pub sentence: String,
    /// The label of that variant; `None` where none learned, or several equally well.
    pub best: Option<String>,
    /// The meaning of a score: accuracy, or minus the mean squared error. Higher is better.
    pub score: String,
    /// Where the score that decides was taken: `test`, `dev` or `train`.
    pub decided_on: Split,
    /// In the order given.
    pub variants: Vec<VariantSummary>,
    /// Labels of those that have not been trained: the comparison ended early, or goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Where the variants are the remedies of the first: which one works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prescription: Option<Prescribed>,
}

impl Comparison {
    /// Compares these variants; `command` is the command line that made them.
    pub fn new(variants: &[Variant], command: &[String]) -> Self {
        let summaries: Vec<VariantSummary> = variants.iter().map(VariantSummary::new).collect();
        // What all of them have, the most telling first.
        let mut telling = [Split::Test, Split::Dev].into_iter();
        let decided_on = telling.find(|split| summaries.iter().all(|v| v.score_on(*split).is_some()));
        let decided_on = decided_on.unwrap_or(Split::Train);
        let (sentence, best) = learned_best(variants, &summaries, decided_on);
        let score = variants.first().map_or("score", |v| v.record.header.data.task.score_name());
        Self {
            schema: SCHEMA.into(),
            gradscope: env!("CARGO_PKG_VERSION").into(),
            command: command.to_vec(),
            sentence,
            best: best.map(|i| summaries[i].label.clone()),
            score: score.into(),
            decided_on,
            variants: summaries,
            missing: Vec::new(),
            prescription: None,
        }
    }

    /// Says which remedy works instead of which variant learned best.
    pub fn prescribe(&mut self, prescription: Prescription) {
        self.sentence = prescription.sentence(&self.variants);
        self.best = prescription.best().and_then(|i| Some(self.variants.get(i)?.label.clone()));
        self.prescription = Some(prescription.prescribed(&self.variants));
    }

    /// The runs that were asked for and are not there, in a sentence.
    pub fn notice(&self) -> Option<String> {
        let stopped: Vec<String> = self
            .variants
            .iter()
            .filter(|v| v.outcome != RunOutcome::Finished)
            .map(|v| format!("{} was stopped after {}", v.label, counted(v.epochs_done, "epoch")))
            .collect();
        let missing = match self.missing.as_slice() {
            [] => None,
            [one] => Some(format!("{one} was not trained")),
            several => Some(format!("{} were not trained", several.join(", "))),
        };
        let parts: Vec<String> = stopped.into_iter().chain(missing).collect();
        (!parts.is_empty()).then(|| format!("Ended early: {}.", parts.join("; ")))
    }

    /// Parts of the data on which some variant has a score, the most telling first.
    pub fn splits(&self) -> Vec<Split> {
        let mut splits = vec![Split::Test, Split::Dev, Split::Train];
        splits.retain(|split| self.variants.iter().any(|v| v.score_on(*split).is_some()));
        splits
    }

    /// As it stands in the file: indented, one newline at the end.
    ///
    /// # Errors
    /// [`ReportError::Json`], which no comparison is known to cause.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self).map_err(ReportError::Json)?;
        text.push('\n');
        Ok(text)
    }
}

//! The settings of a run that have a fixed set of values, as flags, model files and records spell them.

use schemars::JsonSchema;
use serde::Deserialize;

/// Normalisation of a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalisation.
    #[default]
    None,
    /// Batch normalisation before the nonlinearity.
    BatchPre,
    /// Batch normalisation after the nonlinearity.
    BatchPost,
    /// Layer normalisation before the nonlinearity.
    Layer,
}

impl Norm {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Norm; 4] = [Norm::None, Norm::BatchPre, Norm::BatchPost, Norm::Layer];

    /// Returns its name, as `--norm` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Norm::None => "none",
            Norm::BatchPre => "batch-pre",
            Norm::BatchPost => "batch-post",
            Norm::Layer => "layer",
        }
    }

    /// Tells whether it looks at a whole batch.
    pub fn is_batch(self) -> bool {
        matches!(self, Norm::BatchPre | Norm::BatchPost)
    }
}

/// The rule by which a recurrent layer makes a state of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// A plain recurrent cell.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

impl Cell {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Cell; 3] = [Cell::Rnn, Cell::Lstm, Cell::Gru];

    /// Returns its name, as `type` and `--cell` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Rnn => "rnn",
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
        }
    }
}

//! Records of runs: the waist of the program.
//!
//! A record is JSON Lines, one self-describing object a line, `{"kind": "header" | "step" | "epoch" |
//! "end", …}`, appended while training goes. Whatever can write one gets every diagnosis, plot and
//! report; whatever can read one needs no tensor library. Nothing here knows a rule or a colour.

mod derived;
mod detail;
mod header;
mod io;
mod line;
mod merge;
mod quantity;
mod recorder;
pub mod settings;
mod thinning;

pub use derived::Norm;
pub use detail::{CaptureDetail, CaptureSettings, in_full};
pub use header::{
    Activation, Data, Header, Layer, LayerKind, Loss, Run, SCHEMA, TORCHSCRIPT, Task, WEIGHTS_ALONE,
};
pub use io::{Compression, MemoryBudget, Record, RecordError, Warning, Writer, number, prefix};
pub use line::{
    Answers, Axis, Baseline, Boundary, EarlyStop, End, Envelope, Epoch, Line, NonFinite, Outcome,
    SplitPoints, Step, StepLayer, TestResult,
};
pub use merge::{MergeError, RankDifference, Ranks};
pub use quantity::{
    ActivationFrequency, Activations, Activity, Ends, HiddenStateGradient, LayerCapture, LayerSteps,
    OutputSum, PerUnit, ZeroGradientUnits,
};
pub use recorder::{
    EpochCapture, EpochOutlook, EpochScores, MeasuredStep, Recorder, RecorderSettings, RecorderState,
    StepPlace, StepPlan,
};
pub use thinning::{EpochThinning, StepThinning};

/// Limits that other recorders keep to as well; see `python/gradscope/_constants.py`.
pub mod limits {
    pub use super::detail::{IN_FULL, MAX_IN_FULL};
    pub use super::quantity::{DIGITS, RATE_STEPS};
    pub use super::thinning::{EPOCHS_PER_STRIDE, LAYER_EPOCHS, LAYER_POINTS, POINTS_PER_STRIDE};
}

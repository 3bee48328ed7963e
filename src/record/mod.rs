//! What a run looked like: the waist of the program.
//!
//! A record is JSON Lines, one self-describing object a line, `{"kind": "header" | "step" | "epoch" |
//! "end", …}`, appended while training goes. Whatever can write one gets every diagnosis, plot and
//! report; whatever can read one needs no tensor library. Nothing here knows a rule or a colour.

mod activity;
mod boundary;
mod bounded;
mod derived;
mod envelope;
mod error;
mod header;
mod history;
mod layer;
mod line;
mod merge;
pub mod number;
mod packing;
mod ranks;
mod reader;
pub mod settings;
mod state_signal;
mod thinning;
mod writer;

pub use activity::{Activity, OutputSum};
pub use boundary::{Answers, Axis, Boundary, SplitPoints};
pub use bounded::Held;
pub use derived::Norm;
pub use envelope::Envelope;
pub use error::RecordError;
pub use header::{
    Activation, Data, Header, Layer, LayerKind, Loss, Run, SCHEMA, TORCHSCRIPT, Task, WEIGHTS_ALONE,
};
pub use history::{Form, in_full};
pub use layer::{Activations, Firing, LayerCapture, LayerSteps, ZeroRows};
pub use line::{EarlyStop, End, Epoch, Line, NonFinite, Outcome, Step, StepLayer, TestResult};
pub use merge::MergeError;
pub use packing::{Packing, beginning};
pub use ranks::{PerUnit, RankDifference, Ranks};
pub use reader::{Record, Warning};
pub use state_signal::{Ends, StateSignal};
pub use thinning::{EpochThinning, StepThinning};
pub use writer::Writer;

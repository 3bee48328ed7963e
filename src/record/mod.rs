//! What a run looked like: the waist of the program.
//!
//! A record is JSON Lines, one self-describing object a line, `{"kind": "header" | "step" | "epoch" |
//! "end", …}`, appended while training goes. Whatever can write one gets every diagnosis, plot and
//! report; whatever can read one needs no tensor library. Nothing here knows a rule or a colour.

mod activity;
mod derived;
mod envelope;
mod error;
mod layer;
mod line;
pub mod number;
mod reader;
mod thinning;
mod writer;

pub use activity::{Activity, OutputSum};
pub use derived::Norm;
pub use envelope::Envelope;
pub use error::RecordError;
pub use layer::{Activations, Firing, LayerCapture, LayerSteps};
pub use line::{
    Activation, Data, End, Epoch, Header, Layer, LayerKind, Line, Loss, NonFinite, Outcome, Run, SCHEMA,
    Step, StepLayer, Task, TestResult,
};
pub use reader::{Record, Warning};
pub use thinning::{EpochThinning, StepThinning};
pub use writer::Writer;

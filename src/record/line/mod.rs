//! The four kinds of line of a record, and what follows the first.

mod boundary;
mod end;
mod envelope;
mod epoch;
mod kinds;
mod step;
mod step_layer;

pub use boundary::{Answers, Axis, Boundary, SplitPoints};
pub use end::{EarlyStop, End, Outcome, TestResult};
pub use envelope::Envelope;
pub use epoch::{Baseline, Epoch};
pub use kinds::Line;
pub use step::{NonFinite, Step};
pub use step_layer::StepLayer;

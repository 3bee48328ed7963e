//! The quantities that are measured of a layer at a capture point, one a file.
//!
//! Each implements [`Quantity`]: what a history keeps of it, what it comes to over several ranks, the memory
//! that it takes, and what no layer can have. [`LayerCapture`](super::LayerCapture) and [`Activations`] list
//! theirs once, with `list_quantities!`.

mod activation_frequency;
mod activations;
mod activity;
mod distributions;
mod hidden_state_gradient;
mod measured;
mod output_sum;
mod per_unit;
mod scalars;
mod step_norms;
mod zero_gradient_units;

pub use activation_frequency::{ActivationFrequency, RATE_STEPS};
pub use activations::Activations;
pub use activity::Activity;
pub(super) use distributions::{Parameter, Update, distance, relative_difference};
pub use hidden_state_gradient::{Ends, HiddenStateGradient};
pub(super) use measured::{Quantity, list_quantities};
pub use output_sum::OutputSum;
pub use per_unit::PerUnit;
pub use scalars::DIGITS;
pub(super) use scalars::{OutputGradient, RowDeviation, shortened};
pub use step_norms::LayerSteps;
pub(super) use step_norms::NormsOverSteps;
pub use zero_gradient_units::ZeroGradientUnits;

//! The norms of a layer at one step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::Envelope;

/// L2 norms of one layer's weight at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepLayer {
    /// ‖W‖ before the update.
    pub weight_l2: Envelope,
    /// ‖g‖, before clipping.
    pub grad_l2: Envelope,
    /// ‖ΔW‖, the update that the optimizer made.
    pub update_l2: Envelope,
}

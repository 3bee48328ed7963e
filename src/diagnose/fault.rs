//! The faults that rules find: their kinds, and a single match of a rule.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::Severity;

/// The kind of fault that a finding shows. How kinds follow from each other stands in `causes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ranks of a distributed run that train models of their own.
    RanksDiffer,
    OutputActivation,
    TargetScale,
    InputScale(Direction),
    Symmetric,
    ClipDominated,
    /// Gradients arrive and no weight ever moved.
    NeverUpdated,
    BornDead(DeathCause),
    BornSaturated,
    InitScale(Direction),
    DecayDominated,
    ExplodingDepth,
    /// A layer that is cut off from a gradient, or from the optimizer, while its neighbours are not.
    Disconnected,
    /// Gains and the like that nothing uses, which harms nothing else.
    Unused,
    OutputSaturated,
    ExplodingTime,
    UpdateHigh,
    LaterDead,
    LaterSaturated,
    NonFinite,
    VanishingTime,
    VanishingDepth,
    VanishingAll,
    Stalled,
    Frozen,
    Slow,
    DeadUnits,
    DormantUnits,
    ConstantOutput,
    Plateau,
    /// Neither cause nor consequence of anything else: the kind of a rule that stands by itself.
    Independent,
}

/// The direction in which inputs or initial weights are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Small,
    Large,
}

/// The reason why a layer is silent from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathCause {
    /// The bias holds every unit below zero; without it some would fire.
    Bias,
    /// Nothing but zeros comes in.
    Input,
    /// The weighted inputs are negative by themselves.
    Weights,
}

/// One fault that a rule has found.
#[derive(Clone, Debug)]
pub struct RuleMatch {
    pub kind: Kind,
    pub severity: Severity,
    /// Affected layers (indices into the header), in forward order.
    pub layers: Vec<usize>,
    pub first_epoch: u64,
    pub last_epoch: u64,
    /// The exact step from which it held, where that is known.
    pub first_step: Option<u64>,
    pub value: f64,
    /// The limit that `value` crossed, in the same unit.
    pub threshold: f64,
    /// The name of `value`, with its unit.
    pub quantity: &'static str,
    /// Its first sentence can stand alone, as the headline.
    pub message: String,
    pub evidence: BTreeMap<String, Value>,
}

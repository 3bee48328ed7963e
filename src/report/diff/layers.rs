//! Layers of two runs, matched by their names.

use std::collections::HashMap;

use serde::Serialize;

use super::findings::changed;
use crate::record::number;
use crate::report::{LayerEpoch, LayerSummary};

/// A number of a layer that is another one now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerChange {
    /// Name of the layer.
    pub layer: String,
    /// The measured quantity, in a few words.
    pub quantity: String,
    /// As of the base's last captured epoch.
    #[serde(with = "number")]
    pub base: f64,
    /// As of the new run's.
    #[serde(with = "number")]
    pub new: f64,
}

/// A layer whose weight has another shape now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reshaped {
    /// Name of the layer.
    pub layer: String,
    /// Shape of its weight in the base.
    pub base: Vec<u64>,
    /// Shape of its weight now.
    pub new: Vec<u64>,
}

/// The layers by what became of them.
pub struct Layers {
    pub changes: Vec<LayerChange>,
    pub reshaped: Vec<Reshaped>,
    pub only_in_base: Vec<String>,
    pub only_in_new: Vec<String>,
}

/// A number of a layer, with its name.
type Quantity = (&'static str, fn(&LayerEpoch) -> Option<f64>);

/// The numbers that are compared: sizes, and what tells of learning.
const QUANTITIES: [Quantity; 6] = [
    ("weight L2", |e| Some(e.weight.l2)),
    ("gradient L2", |e| e.weight_grad.as_ref().map(|g| g.l2)),
    ("update ratio", |e| e.update_ratio),
    ("activation mean", |e| e.activation.as_ref()?.mean),
    ("activation std", |e| e.activation.as_ref()?.std),
    ("share of dead units", |e| {
        let activation = e.activation.as_ref()?;
        Some(activation.dead_units? as f64 / activation.units.max(1) as f64)
    }),
];

/// The names of the layers that the others lack.
fn only(these: &[LayerSummary], others: &HashMap<&str, &LayerSummary>) -> Vec<String> {
    these.iter().filter(|l| !others.contains_key(l.name.as_str())).map(|l| l.name.clone()).collect()
}

/// Matches layers by name, and lists the numbers that differ by more than the tolerance.
pub fn compare(base: &[LayerSummary], new: &[LayerSummary], tolerance: f64) -> Layers {
    let of_base: HashMap<&str, &LayerSummary> = base.iter().map(|l| (l.name.as_str(), l)).collect();
    let of_new: HashMap<&str, &LayerSummary> = new.iter().map(|l| (l.name.as_str(), l)).collect();
    let mut layers = Layers {
        changes: Vec::new(),
        reshaped: Vec::new(),
        only_in_base: only(base, &of_new),
        only_in_new: only(new, &of_base),
    };
    for layer in new {
        let Some(before) = of_base.get(layer.name.as_str()) else { continue };
        if before.shape != layer.shape {
            let (base, new) = (before.shape.clone(), layer.shape.clone());
            layers.reshaped.push(Reshaped { layer: layer.name.clone(), base, new });
        } else if let (Some(a), Some(b)) = (before.epochs.last(), layer.epochs.last()) {
            layers.changes.extend(changes(&layer.name, a, b, tolerance));
        }
    }
    layers.changes.sort_by(|a, b| b.size().total_cmp(&a.size()));
    layers
}

fn changes(layer: &str, base: &LayerEpoch, new: &LayerEpoch, tolerance: f64) -> Vec<LayerChange> {
    let mut changes = Vec::new();
    for (name, value) in QUANTITIES {
        // Only what both measured can be compared.
        if let (Some(before), Some(now)) = (value(base), value(new))
            && changed(before, now, tolerance)
        {
            changes.push(LayerChange { layer: layer.into(), quantity: name.into(), base: before, new: now });
        }
    }
    changes
}

impl LayerChange {
    /// How large the change is: orders of magnitude, and without bound where one side is none, zero, or
    /// of the other sign.
    fn size(&self) -> f64 {
        let ratio = (self.new / self.base).ln().abs();
        if ratio.is_nan() { f64::INFINITY } else { ratio }
    }

    /// The change in words: `3.2 times as much`, `a tenth`, `from nothing`.
    pub fn in_words(&self) -> String {
        let ratio = self.new / self.base;
        let number = crate::text::number;
        match () {
            () if self.base == 0.0 => "from nothing".into(),
            () if self.new == 0.0 => "down to nothing".into(),
            () if !ratio.is_finite() || ratio <= 0.0 => String::new(),
            () if ratio >= 2.0 => format!("{} times as much", number(ratio)),
            () if ratio <= 0.5 => format!("{} times less", number(1.0 / ratio)),
            () => format!("{}{}%", if ratio > 1.0 { "+" } else { "" }, number(100.0 * (ratio - 1.0))),
        }
    }
}

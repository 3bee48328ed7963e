//! One layer at a capture point, as a whole.

use super::LayerCapture;
use crate::record::Layer;

impl LayerCapture {
    /// Leaves what is kept of it in a history.
    pub fn compact(&mut self) {
        self.compact_each();
    }

    /// The layer over all ranks, rank 0 first; `None` of no rank.
    pub(in crate::record) fn merged(ranks: &[&Self]) -> Option<Self> {
        let mut merged = (*ranks.first()?).clone();
        merged.merge_each(ranks);
        Some(merged)
    }

    /// Bytes that it takes, about.
    pub fn memory(&self) -> usize {
        // Distributions within are counted by their own size.
        self.memory_of_each() + size_of::<Self>() / 4
    }

    /// Whether it can be of this layer.
    ///
    /// # Errors
    /// A sentence that says what cannot be.
    pub(in crate::record) fn check(&self, layer: &Layer) -> Result<(), String> {
        self.check_each(layer).map_err(|reason| format!("layer {}: {reason}", layer.name))
    }
}

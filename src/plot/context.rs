//! A record as its pictures need it.

use std::collections::BTreeSet;

use crate::record::{Epoch, LayerCapture, Record};
use crate::text::count;

/// A layer at the last captured epoch.
#[derive(Clone, Copy)]
pub struct LayerView<'a> {
    /// Its number in forward order, from 0.
    pub index: usize,
    /// Its name for people.
    pub name: &'a str,
    /// Whether a finding is about it.
    pub flagged: bool,
    /// The measurements of it at that epoch.
    pub capture: &'a LayerCapture,
}

/// A record with its last captured epoch in view.
pub struct PlotContext<'a> {
    /// The whole run.
    pub record: &'a Record,
    /// Its last captured epoch.
    pub epoch: &'a Epoch,
    /// The layers then.
    pub layers: Vec<LayerView<'a>>,
    /// Which of the layers have a violin and a row of their own, ascending: of many, the telling ones.
    pub drawn: Vec<usize>,
    /// The captured epochs that pictures move through, ascending; the last is [`epoch`](Self::epoch).
    pub frame_epochs: Vec<&'a Epoch>,
}

/// Layers that are drawn one by one, at most: sixty rows can still be read.
const MAX_DRAWN: usize = 60;
/// Epochs that pictures move through, at most, and drawn layers at all of them together: a page of 200
/// layers over 100 epochs then has about three megabytes of violins.
const MAX_FRAMES: usize = 100;
const MAX_LAYER_FRAMES: usize = 3_600;

impl LayerView<'_> {
    /// A caption of a picture of this layer, which explains the alarm color too if that is used.
    pub fn caption(&self, text: &str) -> String {
        if self.flagged { with_alarm(text) } else { text.to_owned() }
    }
}

impl<'a> PlotContext<'a> {
    /// `None` where no epoch was captured.
    pub fn new(record: &'a Record, flagged: &BTreeSet<String>) -> Option<Self> {
        let epoch = record.shown_epoch()?;
        let layers = record.header.layers.iter().zip(&epoch.layers).enumerate();
        let layers: Vec<LayerView> = layers
            .map(|(index, (layer, capture))| LayerView {
                index,
                name: &layer.name,
                flagged: flagged.contains(&layer.name),
                capture,
            })
            .collect();
        let drawn = telling(&layers, MAX_DRAWN);
        let frame_epochs = frame_epochs(record, epoch, drawn.len());
        Some(Self { record, epoch, layers, drawn, frame_epochs })
    }

    /// The layers that are drawn one by one.
    pub fn shown(&self) -> impl Iterator<Item = LayerView<'a>> + Clone {
        self.drawn.iter().map(|i| self.layers[*i])
    }

    /// They as they were at another epoch; none of those that it lacks.
    pub fn shown_at(&self, epoch: &'a Epoch) -> impl Iterator<Item = LayerView<'a>> {
        self.shown().filter_map(|l| Some(LayerView { capture: epoch.layers.get(l.index)?, ..l }))
    }

    /// The layers that a picture with a row a layer leaves out, in words; `None` where there are none.
    pub fn left_out(&self) -> Option<String> {
        let (drawn, all) = (self.drawn.len() as u64, self.layers.len() as u64);
        (drawn < all).then(|| {
            format!(
                "{} of {} layers are drawn: those with findings, the weakest, the strongest, and some of \
                 every depth",
                count(drawn),
                count(all)
            )
        })
    }

    /// A caption that explains the alarm color too, if that is used.
    pub fn caption(&self, text: String) -> String {
        if self.layers.iter().any(|l| l.flagged) { with_alarm(&text) } else { text }
    }
}

/// The layers to draw where there are too many: the ends, those that a finding is about, those with the
/// weakest and the strongest gradients, and others evenly over the depth.
fn telling(layers: &[LayerView], most: usize) -> Vec<usize> {
    let all = layers.len();
    if all <= most {
        return (0..all).collect();
    }
    let mut chosen = BTreeSet::from([0, all - 1]);
    let flagged: Vec<usize> = layers.iter().filter(|l| l.flagged).map(|l| l.index).collect();
    let mut by_norm: Vec<(f64, usize)> =
        layers.iter().filter_map(|l| Some((l.capture.weight_grad.as_ref()?.l2(), l.index))).collect();
    by_norm.sort_by(|a, b| a.0.total_cmp(&b.0));
    let extremes = by_norm.iter().take(most / 12).chain(by_norm.iter().rev().take(most / 12));
    chosen.extend(evenly(flagged.len(), most / 2).map(|i| flagged[i]));
    chosen.extend(extremes.map(|(_, i)| *i));
    let rest: Vec<usize> = (0..all).filter(|i| !chosen.contains(i)).collect();
    chosen.extend(evenly(rest.len(), most - chosen.len()).map(|i| rest[i]));
    chosen.into_iter().collect()
}

/// The captured epochs to draw of so many layers.
fn frame_epochs<'a>(record: &'a Record, last: &'a Epoch, layers: usize) -> Vec<&'a Epoch> {
    let whole: Vec<&Epoch> = record.epochs.iter().filter(|e| e.epoch <= last.epoch).collect();
    let most = (MAX_LAYER_FRAMES / layers.max(1)).clamp(2, MAX_FRAMES);
    evenly(whole.len(), most).map(|i| whole[i]).collect()
}

/// Indices below `all`, evenly chosen, both ends among them where there is room.
pub fn evenly(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let chosen = all.min(most);
    (0..chosen).map(move |i| if chosen < 2 { 0 } else { i * (all - 1) / (chosen - 1) })
}

/// A caption whose last sentence goes on to explain the alarm color.
fn with_alarm(text: &str) -> String {
    format!("{}; red and ✕: a finding is about this layer.", text.trim_end_matches('.'))
}

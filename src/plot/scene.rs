//! What a picture of one captured epoch is drawn from.

use std::collections::BTreeSet;

use crate::record::{Epoch, LayerCapture, Record};
use crate::stats::Distribution;

use crate::text::{count, number, percent, precise};

/// Values that stand for a large distribution when its magnitudes are asked for: it can tell the
/// quantiles of values alone.
const STAND_INS: u64 = 255;
/// Tensors up to this size have their zeros counted as `3/9`, larger ones as a percentage.
const COUNTED_SINGLY: u64 = 999;

/// A layer at the last captured epoch.
#[derive(Clone, Copy)]
pub struct LayerView<'a> {
    /// Its number in forward order, from 0.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// Whether a finding is about it.
    pub flagged: bool,
    /// What was measured.
    pub capture: &'a LayerCapture,
}

/// A record with its last captured epoch in view.
pub struct Scene<'a> {
    /// The whole run.
    pub record: &'a Record,
    /// Its last captured epoch.
    pub epoch: &'a Epoch,
    /// The layers then.
    pub layers: Vec<LayerView<'a>>,
    /// Which of the layers have a violin and a row of their own, ascending: of many, the telling ones.
    pub drawn: Vec<usize>,
    /// The captured epochs that pictures move through, ascending; the last is [`epoch`](Self::epoch).
    pub moments: Vec<&'a Epoch>,
}

/// Layers that are drawn one by one, at most: sixty rows can still be read.
const MOST_DRAWN: usize = 60;
/// Epochs that pictures move through, at most, and drawn layers at all of them together: a page of 200
/// layers over 100 epochs then has about three megabytes of violins.
const MOST_MOMENTS: usize = 100;
const LAYER_MOMENTS: usize = 3_600;

impl<'a> Scene<'a> {
    /// `None` where no epoch was captured.
    pub fn of(record: &'a Record, flagged: &BTreeSet<String>) -> Option<Self> {
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
        let drawn = telling(&layers, MOST_DRAWN);
        let moments = moments(record, epoch, drawn.len());
        Some(Self { record, epoch, layers, drawn, moments })
    }

    /// The layers that are drawn one by one.
    pub fn shown(&self) -> impl Iterator<Item = LayerView<'a>> + Clone {
        self.drawn.iter().map(|i| self.layers[*i])
    }

    /// They as they were at another epoch; none of those that it lacks.
    pub fn shown_at(&self, epoch: &'a Epoch) -> impl Iterator<Item = LayerView<'a>> {
        self.shown().filter_map(|l| Some(LayerView { capture: epoch.layers.get(l.index)?, ..l }))
    }

    /// What is left out of a picture with a row a layer, in words; `None` where nothing is.
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

    /// A caption that explains the alarm colour too, if that is used.
    pub fn caption(&self, text: String) -> String {
        with_alarm(text, self.layers.iter().any(|l| l.flagged))
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
fn moments<'a>(record: &'a Record, last: &'a Epoch, layers: usize) -> Vec<&'a Epoch> {
    let whole: Vec<&Epoch> = record.epochs.iter().filter(|e| e.epoch <= last.epoch).collect();
    let most = (LAYER_MOMENTS / layers.max(1)).clamp(2, MOST_MOMENTS);
    evenly(whole.len(), most).map(|i| whole[i]).collect()
}

/// Indices below `all`, evenly chosen, both ends among them where there is room.
pub fn evenly(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let chosen = all.min(most);
    (0..chosen).map(move |i| if chosen < 2 { 0 } else { i * (all - 1) / (chosen - 1) })
}

/// A caption whose last sentence goes on to explain the alarm colour.
pub fn with_alarm(text: String, flagged: bool) -> String {
    if !flagged {
        return text;
    }
    format!("{}; red and ✕: a finding is about this layer.", text.trim_end_matches('.'))
}

/// The numbers behind one violin.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// All values.
    pub count: u64,
    /// Exact zeros.
    pub zeros: u64,
    /// NaN values.
    pub nan: u64,
    /// Infinities.
    pub inf: u64,
    /// Smallest (of magnitudes: unknown), lower quartile, median, upper quartile, largest; `None`
    /// where there is none.
    pub summary: Option<[f64; 5]>,
    /// Smallest, a standard deviation below the mean, the mean, one above it, largest: where that is all
    /// that is known of values that differ.
    pub moments: Option<[f64; 5]>,
}

impl Numbers {
    /// Of the values.
    pub fn of_values(d: &Distribution) -> Self {
        let at = |q| d.quantile(q);
        let summary = d.min().zip(d.max()).zip(at(0.25).zip(at(0.5)).zip(at(0.75)));
        let summary = summary.map(|((min, max), ((q1, median), q3))| [min, q1, median, q3, max]);
        let moments = d.min().zip(d.max()).zip(d.mean().zip(d.std())).filter(|_| summary.is_none());
        let moments = moments
            .map(|((min, max), (mean, std))| [min, (mean - std).max(min), mean, (mean + std).min(max), max]);
        Self { count: d.count(), zeros: d.zeros(), nan: d.nan(), inf: d.infinities(), summary, moments }
    }

    /// Of the magnitudes, zeros left out.
    pub fn of_magnitudes(d: &Distribution) -> Self {
        let mut magnitudes: Vec<f64> = if d.is_exact() {
            d.sample().iter().map(|v| f64::from(v.abs())).collect()
        } else {
            let ranks = (0..STAND_INS).map(|i| (i as f64 + 0.5) / STAND_INS as f64);
            ranks.filter_map(|q| d.quantile(q)).map(f64::abs).collect()
        };
        magnitudes.retain(|m| *m > 0.0);
        magnitudes.sort_unstable_by(f64::total_cmp);
        let largest = d.min().zip(d.max()).map(|(min, max)| min.abs().max(max.abs()));
        if d.quantile(0.5).is_none() && d.finite() > 0 {
            // How they are spread was not kept, but how large they are was.
            let size = d.l2() / ((d.finite() - d.zeros()).max(1) as f64).sqrt();
            let moments =
                largest.filter(|l| *l > 0.0 && size.is_finite()).map(|l| [size, size, size, size, l]);
            return Self { summary: None, moments, ..Self::of_values(d) };
        }
        let summary = largest.filter(|l| *l > 0.0).map(|largest| {
            // So many zeros that no stand-in was spared: the largest magnitude is what is known.
            let at = |q| quantile(&magnitudes, q).unwrap_or(largest);
            [at(0.0), at(0.25), at(0.5), at(0.75), largest]
        });
        Self { summary, ..Self::of_values(d) }
    }

    /// The median.
    pub fn median(&self) -> Option<f64> {
        self.summary.map(|s| s[2])
    }

    /// Finite values.
    pub fn finite(&self) -> u64 {
        self.count - self.nan - self.inf
    }

    /// Whether every finite value is an exact zero, and there is one.
    pub fn all_zero(&self) -> bool {
        self.finite() > 0 && self.zeros == self.finite()
    }

    /// What a violin cannot show, in a few words each, and whether it is alarming.
    pub fn notes(&self) -> Vec<(String, bool)> {
        let share = |n: u64| {
            if self.count <= COUNTED_SINGLY { format!("{n}/{}", self.count) } else { percent(n, self.count) }
        };
        let all = |what: &str| match self.count {
            1 => format!("1 value, {what}"),
            n if n <= COUNTED_SINGLY => format!("all {n} {what}"),
            _ => format!("all {what}"),
        };
        let mut notes = Vec::new();
        if self.count == 0 {
            notes.push(("no values".into(), false));
        } else if self.zeros == self.count {
            notes.push((all("zero"), false));
        } else if self.zeros > 0 {
            notes.push((format!("zeros {}", share(self.zeros)), false));
        }
        for (n, what) in [(self.nan, "NaN"), (self.inf, "inf")] {
            if n > 0 && n == self.count {
                notes.push((all(what), true));
            } else if n > 0 {
                notes.push((format!("{what} {}", share(n)), true));
            }
        }
        notes
    }

    /// Everything, for a tooltip.
    pub fn in_words(&self) -> String {
        let mut words = match self.summary {
            Some([min, q1, median, q3, max]) => format!(
                "median {}, quartiles {} and {}, range {} to {}; ",
                precise(median),
                precise(q1),
                precise(q3),
                precise(min),
                precise(max)
            ),
            None => String::new(),
        };
        if let Some([min, low, mean, high, max]) = self.moments {
            words += &if low == mean && mean == high {
                format!("root mean square {}, largest {}; ", precise(mean), precise(max))
            } else {
                format!(
                    "mean {}, one standard deviation from {} to {}, range {} to {}; ",
                    precise(mean),
                    precise(low),
                    precise(high),
                    precise(min),
                    precise(max)
                )
            };
        }
        words += &format!("{} {}", count(self.count), if self.count == 1 { "value" } else { "values" });
        for (n, what) in [(self.zeros, "zero"), (self.nan, "NaN"), (self.inf, "inf")] {
            if n > 0 {
                words += &format!(", {} {what}", count(n));
            }
        }
        words
    }

    /// Cells of a table: count, median, quartiles, smallest, largest, zeros, NaN, inf.
    pub fn cells(&self) -> Vec<String> {
        let cell = |i: usize| self.summary.map_or_else(|| "-".into(), |s| number(s[i]));
        let mut cells = vec![count(self.count)];
        cells.extend([2, 1, 3, 0, 4].map(cell));
        cells.extend([self.zeros, self.nan, self.inf].map(count));
        cells
    }
}

/// The q-quantile of ascending values, interpolated linearly.
fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let rank = q * ascending.len().checked_sub(1)? as f64;
    let (low, high) = (ascending[rank.floor() as usize], ascending[rank.ceil() as usize]);
    Some(low + (high - low) * rank.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_are_summarised_without_zeros_and_signs() {
        let n = Numbers::of_magnitudes(&Distribution::new(&[-1.0, 0.0, 2.0, -3.0, 0.0, f32::NAN]));
        assert_eq!(n.summary, Some([1.0, 1.5, 2.0, 2.5, 3.0]));
        assert_eq!(n.notes(), [("zeros 2/6".into(), false), ("NaN 1/6".into(), true)]);
        let large: Vec<f32> = (1..=10_000).map(|i| if i % 2 == 0 { i as f32 } else { -(i as f32) }).collect();
        let median = Numbers::of_magnitudes(&Distribution::new(&large)).median().unwrap();
        assert!((median / 5000.0 - 1.0).abs() < 0.07, "{median}");
    }

    #[test]
    fn what_a_violin_cannot_show_is_said() {
        let notes = |values: &[f32]| {
            let notes = Numbers::of_values(&Distribution::new(values)).notes();
            notes.into_iter().map(|n| n.0).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(notes(&[0.0; 9]), "all 9 zero");
        assert_eq!(notes(&[0.0; 2000]), "all zero");
        assert_eq!(notes(&[f32::NAN; 4]), "all 4 NaN");
        assert_eq!(notes(&[f32::INFINITY]), "1 value, inf");
        assert_eq!(notes(&[]), "no values");
        assert_eq!(notes(&[1.0, 2.0]), "");
        assert_eq!(Numbers::of_values(&Distribution::new(&[f32::NAN])).cells()[1], "-");
    }
}

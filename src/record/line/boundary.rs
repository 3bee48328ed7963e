//! Answers of a network with two inputs, anywhere on their plane.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::io::MAX_COUNT;
use crate::record::{Header, Task, number};
use crate::stats::{packed_bytes, packed_floats};

/// Points of an axis of the grid, at most.
const MAX_GRID_POINTS: u64 = 512;
/// Points of a split that are kept, at most.
const MAX_POINTS: usize = 10_000;
/// Classes that a byte can tell apart.
const MAX_CLASSES: usize = 256;

/// The plane of the two inputs, with the answers of the network that gave `test`, or would have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Boundary {
    /// Epoch after which the parameters were taken.
    pub epoch: u64,
    /// The first input and the second, in the units of the data.
    pub axes: [Axis; 2],
    /// At every point of the grid, row by row from the lowest second input.
    pub answers: Answers,
    /// The splits that there are, in the order train, dev, test.
    pub splits: Vec<SplitPoints>,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// Place of the first point of the grid.
    pub low: f64,
    /// Place of the last.
    pub high: f64,
    /// Points of the grid, at equal distances.
    pub points: u64,
}

/// The answers of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Answers {
    /// Answers of a classifier.
    Classes {
        /// The likeliest class.
        #[serde(with = "packed_bytes")]
        #[schemars(with = "String")]
        class: Vec<u8>,
        /// 255 times the square root of how much likelier it is than the next: fine where it matters,
        /// near the boundary.
        #[serde(with = "packed_bytes")]
        #[schemars(with = "String")]
        margin: Vec<u8>,
    },
    /// Answers of a regression.
    Values {
        /// The answer itself.
        #[serde(with = "packed_floats")]
        #[schemars(with = "String")]
        value: Vec<f32>,
    },
}

/// Rows of a split: all of them, or a uniform sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SplitPoints {
    /// `train`, `dev` or `test`.
    pub name: String,
    /// All rows of the split.
    pub rows: u64,
    /// Score on all of them.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub score: f64,
    /// Wrong answers among all of them, of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<u64>,
    /// First inputs.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub x: Vec<f32>,
    /// Second inputs.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub y: Vec<f32>,
    /// Classes (by number) or targets.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub target: Vec<f32>,
    /// The answers of the network, likewise.
    #[serde(with = "packed_floats")]
    #[schemars(with = "String")]
    pub answer: Vec<f32>,
}

impl Axis {
    /// Where a point of the grid is.
    pub fn at(&self, index: f64) -> f64 {
        self.low + (self.high - self.low) * index / (self.points.max(2) - 1) as f64
    }
}

impl Boundary {
    /// Says what no run of this kind can have, in a sentence.
    pub(in crate::record) fn implausible(&self, header: &Header) -> Option<String> {
        let classes = header.data.classes.len();
        let span = |axis: &Axis| axis.high - axis.low;
        if header.data.inputs != 2 || classes > MAX_CLASSES {
            return Some("it has a boundary, which a run of this kind has not".into());
        }
        if !self.axes.iter().all(|axis: &Axis| {
            span(axis) > 0.0 && span(axis).is_finite() && (2..=MAX_GRID_POINTS).contains(&axis.points)
        }) {
            return Some("the axes of its boundary are none".into());
        }
        let points = (self.axes[0].points * self.axes[1].points) as usize;
        let fits = match &self.answers {
            Answers::Classes { class, margin } => {
                header.data.task == Task::Classification
                    && class.len() == points
                    && margin.len() == points
                    && class.iter().all(|c| usize::from(*c) < classes)
            }
            Answers::Values { value } => header.data.task == Task::Regression && value.len() == points,
        };
        if !fits {
            return Some("the answers of its boundary do not fit their grid".into());
        }
        let fits = |split: &SplitPoints| {
            let n = split.x.len();
            n <= MAX_POINTS
                && n as u64 <= split.rows
                && split.rows <= MAX_COUNT
                && split.wrong.is_none_or(|wrong| wrong <= split.rows)
                && [&split.y, &split.target, &split.answer].iter().all(|v| v.len() == n)
                && split.x.iter().chain(&split.y).all(|v| v.is_finite())
                && (classes == 0
                    || split
                        .target
                        .iter()
                        .chain(&split.answer)
                        .all(|v: &f32| *v >= 0.0 && v.fract() == 0.0 && (*v as usize) < classes))
        };
        let names: Vec<&str> = self.splits.iter().map(|s| s.name.as_str()).collect();
        let known = ["train", "dev", "test"];
        let ordered = names.iter().map(|n| known.iter().position(|k| k == n)).collect::<Option<Vec<_>>>();
        if !ordered.is_some_and(|o| o.windows(2).all(|w| w[0] < w[1])) || !self.splits.iter().all(fits) {
            return Some("the points of its boundary do not fit each other".into());
        }
        None
    }
}

//! The shape of what flows between two operations.

use std::fmt;

/// For one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers.
    Row(u64),
    /// Steps, and the features of each. In memory features come first, as channels do.
    Sequence([u64; 2]),
    /// Channels, height and width.
    Image([u64; 3]),
}

impl Shape {
    /// How many values it holds.
    pub fn values(self) -> u64 {
        self.dimensions().iter().fold(1, |n, d| n.saturating_mul(*d))
    }

    /// Its dimensions, without that of the rows.
    pub fn dimensions(self) -> Vec<u64> {
        match self {
            Shape::Row(n) => vec![n],
            Shape::Sequence(shape) => shape.to_vec(),
            Shape::Image(shape) => shape.to_vec(),
        }
    }

    /// Numbers of a row, features of a step, or channels.
    pub fn units(self) -> u64 {
        match self {
            Shape::Row(n) | Shape::Sequence([_, n]) | Shape::Image([n, ..]) => n,
        }
    }

    /// Places that have these.
    pub fn positions(self) -> u64 {
        match self {
            Shape::Row(_) => 1,
            Shape::Sequence([steps, _]) => steps,
            Shape::Image([_, height, width]) => height * width,
        }
    }

    /// Describes it with its size, as sentences say it.
    pub fn described(self) -> String {
        match self {
            Shape::Row(n) => format!("rows of {n} numbers"),
            Shape::Sequence(_) => format!("sequences of {self}"),
            Shape::Image(_) => format!("images of {self}"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions: Vec<String> = self.dimensions().iter().map(u64::to_string).collect();
        f.write_str(&dimensions.join(" × "))
    }
}

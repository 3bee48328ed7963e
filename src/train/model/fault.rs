//! Faults of a description and their places, and the checks that its parts share.

use std::ops::Range;

use toml::Spanned;

use crate::train::{Scheme, TrainError};

/// Units or channels of one layer, at most: a weight of two such layers is 4 GiB.
pub const MAX_UNITS: u64 = 1 << 15;

/// A fault, and where it is.
pub struct Fault {
    pub span: Option<Range<usize>>,
    pub reason: String,
}

impl Fault {
    /// With the place of the text and its line.
    pub fn at(self, place: &str, text: &str) -> TrainError {
        let line = self
            .span
            .map(|span| text.as_bytes().iter().take(span.start).filter(|b| **b == b'\n').count() + 1);
        let place = line.map_or_else(|| place.to_owned(), |line| format!("{place}, line {line}"));
        TrainError::Model { place, reason: self.reason }
    }
}

/// The result of a check.
pub type Checked<T> = Result<T, Fault>;

/// Refuses a value.
pub fn wrong<T, U>(value: &Spanned<T>, reason: impl Into<String>) -> Checked<U> {
    Err(Fault { span: Some(value.span()), reason: reason.into() })
}

/// An initialiser, in a value of the file.
pub fn scheme<T>(
    at: &Spanned<T>,
    text: &str,
    read: fn(&str) -> Result<Scheme, TrainError>,
) -> Checked<Scheme> {
    read(text).or_else(|error| wrong(at, error.to_string()))
}

/// A whole number within bounds.
pub fn bounded(what: &str, value: &Spanned<u64>, low: u64, high: u64) -> Checked<u64> {
    match *value.get_ref() {
        n if (low..=high).contains(&n) => Ok(n),
        n => wrong(value, format!("{what} should be between {low} and {high}, not {n}")),
    }
}

/// A probability of dropout.
pub fn probability(value: &Spanned<f64>) -> Checked<f64> {
    match *value.get_ref() {
        p if (0.0..1.0).contains(&p) => Ok(p),
        p => wrong(value, format!("dropout is a probability, from 0 up to but not including 1, not {p}")),
    }
}

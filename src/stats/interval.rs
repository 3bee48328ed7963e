//! Stretches of the number line with a count of values.

/// How many finite values lie where: those of a bin, or the zeros, of width 0.
pub struct Interval {
    /// 0 for the zeros.
    pub bin: i16,
    pub low: f64,
    pub high: f64,
    pub count: u64,
}

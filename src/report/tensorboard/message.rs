//! The messages of an event file, as far as they are used: `event.proto` and `summary.proto` of
//! TensorBoard. Numbers and types of the fields are the format.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Time in seconds.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "Content", tags = "3, 5")]
    pub content: Option<Content>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Content {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(oneof = "What", tags = "2, 5")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    #[prost(float, tag = "2")]
    Scalar(f32),
    #[prost(message, tag = "5")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    #[prost(double, tag = "3")]
    pub num: f64,
    #[prost(double, tag = "4")]
    pub sum: f64,
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// The upper ends of the buckets.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// Values in each.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

impl Event {
    /// The first of a file.
    pub fn version(version: &str) -> Self {
        Self { wall_time: 0.0, step: 0, content: Some(Content::FileVersion(version.to_owned())) }
    }

    /// Values with their tags, at a step.
    pub fn new(wall_time: f64, step: u64, values: Vec<(String, What)>) -> Self {
        let value = values.into_iter().map(|(tag, what)| Value { tag, what: Some(what) }).collect();
        // No run has as many steps as an i64 holds.
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Self { wall_time, step, content: Some(Content::Summary(Summary { value })) }
    }
}

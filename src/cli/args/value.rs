//! Values of flags that are one of a fixed set.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Returns a parser that takes one of these values by its name; help and errors list the names.
pub fn one_of<T>(values: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(values.iter().map(|value| name(*value))).try_map(move |text| {
        values.iter().copied().find(|value| name(*value) == text).ok_or("this is none of the values")
    })
}

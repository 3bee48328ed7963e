//! Values of flags that are one of a fixed set.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::record::settings::Named;

/// Returns a parser that takes one of these values by its name; help and errors list the names.
pub fn one_of<T>(values: &'static [T]) -> impl TypedValueParser<Value = T>
where
    T: Named + Send + Sync,
{
    PossibleValuesParser::new(values.iter().map(|value| value.name()))
        .try_map(|text| T::from_name(&text).ok_or("this is none of the values"))
}

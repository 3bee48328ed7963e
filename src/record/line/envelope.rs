//! A number over several steps that hides no spike.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::record::number::MaybeFinite;

/// A number over one step or over several: smallest, largest and last, so that a spike is never lost.
/// NaN wins over any number, for the same reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Value at the last of the steps.
    pub last: f64,
}

impl From<f64> for Envelope {
    fn from(value: f64) -> Self {
        Self { min: value, max: value, last: value }
    }
}

impl Envelope {
    /// Takes in what came after.
    pub fn extend(&mut self, later: Envelope) {
        let pick = |a: f64, b: f64, b_wins: bool| if a.is_nan() || (!b.is_nan() && !b_wins) { a } else { b };
        self.min = pick(self.min, later.min, later.min < self.min);
        self.max = pick(self.max, later.max, later.max > self.max);
        self.last = later.last;
    }

    fn is_point(&self) -> bool {
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        same(self.min, self.max) && same(self.max, self.last)
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_point() {
            MaybeFinite(self.last).serialize(serializer)
        } else {
            [self.min, self.max, self.last].map(MaybeFinite).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Point(MaybeFinite),
            Range([MaybeFinite; 3]),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Point(v) => Envelope::from(v.0),
            Form::Range([min, max, last]) => Envelope { min: min.0, max: max.0, last: last.0 },
        })
    }
}

impl schemars::JsonSchema for Envelope {
    fn schema_name() -> Cow<'static, str> {
        "Envelope".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let number = generator.subschema_for::<MaybeFinite>();
        schemars::json_schema!({
            "description": "A number of one step, or the smallest, largest and last over several.",
            "anyOf": [number, {"type": "array", "items": number, "minItems": 3, "maxItems": 3}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_never_hidden_by_a_number() {
        for (a, b) in [(f64::NAN, 1.0), (1.0, f64::NAN)] {
            let mut envelope = Envelope::from(a);
            envelope.extend(b.into());
            envelope.extend(2.0.into());
            assert!(envelope.min.is_nan() && envelope.max.is_nan() && envelope.last == 2.0);
        }
    }
}

//! The settings of a training, as flags, model files and records spell them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::number;

/// A value out of a fixed set, each with a name of its own.
pub trait Named: Copy + 'static {
    /// All of them, in the order in which they are listed.
    const ALL: &'static [Self];

    /// Returns its name, as flags, model files and records spell it.
    fn name(self) -> &'static str;

    /// Returns the value of this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name)
    }

    /// Returns the names of all of them, for a sentence.
    fn names() -> String {
        Self::ALL.iter().map(|value| value.name()).collect::<Vec<_>>().join(", ")
    }
}

/// A setting that is one of a fixed set where `gradscope run` wrote the record, and may be anything where
/// another program did: `adam+sgd`, `batch-norm`, `unknown`. Files hold its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// One of the set.
    Known(T),
    /// None of them: its name, as it stands in the record.
    Other(String),
}

impl<T: Named> Setting<T> {
    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(value) => value.name(),
            Self::Other(name) => name,
        }
    }

    /// Returns the value, if it is one of the set.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Other(_) => None,
        }
    }
}

impl<T: Named> From<T> for Setting<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: Named> From<String> for Setting<T> {
    fn from(name: String) -> Self {
        T::from_name(&name).map_or(Self::Other(name), Self::Known)
    }
}

impl<T: Named> From<&str> for Setting<T> {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl<T: PartialEq> PartialEq<T> for Setting<T> {
    fn eq(&self, value: &T) -> bool {
        matches!(self, Self::Known(own) if own == value)
    }
}

impl<T: Named> fmt::Display for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Named> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, T: Named> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl<T> JsonSchema for Setting<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// The settings of a training that a run is started with and that its record keeps as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrainingSettings {
    /// Seed of data, initial weights, shuffling and dropout.
    pub seed: i64,
    /// Epochs asked for; 0 where it is unknown.
    pub epochs: u64,
    /// Epochs without a better dev score after which it was to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Name of the optimizer: `sgd`, `adam`, `adamw`, `rmsprop`.
    pub optimizer: Setting<OptimizerKind>,
    /// Learning rate at the start; this and the numbers after it are NaN where they are unknown.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub lr: f64,
    /// Momentum (SGD, RMSprop); 0 for none.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub momentum: f64,
    /// Weight decay; 0 for none.
    #[serde(with = "number")]
    #[schemars(with = "number::MaybeFinite")]
    pub weight_decay: f64,
    /// Largest global L2 norm of the gradient that is let through, if clipped; NaN where it
    /// is unknown whether it was.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<number::MaybeFinite>")]
    pub clip_norm: Option<f64>,
    /// Largest magnitude of a gradient's value that is let through, if clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
}

impl TrainingSettings {
    /// Returns the settings of a training of so many epochs, of which nothing else is known.
    pub fn unknown(epochs: u64) -> Self {
        Self {
            seed: 0,
            epochs,
            patience: None,
            optimizer: "unknown".into(),
            lr: f64::NAN,
            momentum: f64::NAN,
            weight_decay: f64::NAN,
            clip_norm: Some(f64::NAN),
            clip_value: None,
        }
    }
}

/// The rule that turns gradients into updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerKind {
    /// Stochastic gradient descent, with momentum if asked for.
    Sgd,
    /// Adam (Kingma and Ba, 2014).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2017).
    AdamW,
    /// RMSprop (Tieleman and Hinton, 2012).
    RmsProp,
}

impl Named for OptimizerKind {
    const ALL: &'static [Self] = &[Self::Sgd, Self::Adam, Self::AdamW, Self::RmsProp];

    fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
        }
    }
}

impl OptimizerKind {
    /// Returns PyTorch's default: only AdamW decays weights unasked.
    pub fn default_weight_decay(self) -> f64 {
        if self == Self::AdamW { 0.01 } else { 0.0 }
    }

    /// Tells whether a momentum can be set; Adam has its own running means.
    pub fn takes_momentum(self) -> bool {
        matches!(self, Self::Sgd | Self::RmsProp)
    }
}

/// Normalisation of a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalisation.
    #[default]
    None,
    /// Batch normalisation before the nonlinearity.
    BatchPre,
    /// Batch normalisation after the nonlinearity.
    BatchPost,
    /// Layer normalisation before the nonlinearity.
    Layer,
}

impl Named for Norm {
    const ALL: &'static [Self] = &[Self::None, Self::BatchPre, Self::BatchPost, Self::Layer];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BatchPre => "batch-pre",
            Self::BatchPost => "batch-post",
            Self::Layer => "layer",
        }
    }
}

impl Norm {
    /// Tells whether it looks at a whole batch.
    pub fn is_batch(self) -> bool {
        matches!(self, Norm::BatchPre | Norm::BatchPost)
    }
}

/// The rule by which a recurrent layer makes a state of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// A plain recurrent cell.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

impl Named for Cell {
    const ALL: &'static [Self] = &[Self::Rnn, Self::Lstm, Self::Gru];

    fn name(self) -> &'static str {
        match self {
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Activation, Loss, Task};

    #[test]
    fn a_setting_of_another_program_is_kept_as_it_is_spelled() {
        for (text, known) in [
            ("\"adamw\"", Some(OptimizerKind::AdamW)),
            ("\"SGD\"", None),
            ("\"adam+sgd\"", None),
            ("\"\"", None),
        ] {
            let setting: Setting<OptimizerKind> = serde_json::from_str(text).unwrap();
            assert_eq!(setting.known(), known);
            assert_eq!(serde_json::to_string(&setting).unwrap(), text);
        }
        let norm = Setting::<Norm>::from("batch-norm");
        assert!(norm == Setting::Other("batch-norm".into()) && norm != Norm::BatchPre);
    }

    #[test]
    fn what_is_unknown_stays_so_in_a_file() {
        let unknown = TrainingSettings::unknown(3);
        let text = serde_json::to_string(&unknown).unwrap();
        assert!(text.contains(r#""optimizer":"unknown","lr":"NaN""#), "{text}");
        let read: TrainingSettings = serde_json::from_str(&text).unwrap();
        assert!(read.lr.is_nan() && read.clip_norm.is_some_and(f64::is_nan) && read.epochs == 3);
    }

    /// Two spellings of one value would be a record that cannot be read back.
    #[test]
    fn files_and_flags_spell_a_value_alike() {
        fn check<T: Named + PartialEq + fmt::Debug + for<'de> Deserialize<'de>>() {
            for value in T::ALL {
                let read: T = serde_json::from_value(value.name().into()).unwrap();
                assert_eq!((read, T::from_name(value.name())), (*value, Some(*value)));
            }
        }
        check::<Norm>();
        check::<Cell>();
        check::<Activation>();
        check::<Loss>();
        check::<Task>();
    }
}

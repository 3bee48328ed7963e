//! Reads a description. Whatever is wrong with it is said with its line.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::description::{Defaults, Inputs, Model};
use super::entry::Entry;
use super::fault::{Checked, Fault, MAX_UNITS, bounded, probability, scheme, wrong};
use super::kinds;
use super::layer_options::{LayerOptions, Norm};
use super::layers::LayerSpec;
use super::resolve;
use super::spelled;
use crate::record::{Activation, Loss};
use crate::train::{Scheme, TrainError};

/// Layers, at most.
pub const MAX_LAYERS: usize = 1_000;
/// Bytes of a file, at most: a thousand layers fill a tenth of it.
const MAX_FILE: u64 = 1 << 20;
/// Letters of a name, at most: it becomes the name of a directory.
const LONGEST_NAME: usize = 64;

/// A whole file, as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Name of the model; that of the file where left out.
    #[schemars(with = "Option<String>", length(max = LONGEST_NAME))]
    name: Option<Spanned<String>>,
    /// A description in one line.
    #[serde(default)]
    about: String,
    /// Units of fully connected hidden layers, in place of `layers`.
    #[schemars(with = "Option<Vec<u64>>")]
    hidden: Option<Spanned<Vec<u64>>>,
    /// The layers, first to last; the last is linear and gives the output.
    #[schemars(with = "Option<Vec<Entry>>", length(min = 1, max = MAX_LAYERS))]
    layers: Option<Spanned<Vec<Entry>>>,
    /// Nonlinearity of every layer that names none, but for the last of the model and of a branch.
    #[schemars(with = "Option<spelled::Act>")]
    act: Option<Activation>,
    /// Nonlinearity of the output: sigmoid for binary cross-entropy of probabilities.
    #[schemars(with = "Option<spelled::Act>")]
    output: Option<Activation>,
    /// Negative slope of leaky ReLU, 0.01 where left out.
    #[schemars(with = "Option<f64>", range(min = 0.0, max = 1.0))]
    lrelu_slope: Option<Spanned<f64>>,
    /// Normalisation of the layers of `hidden`.
    #[schemars(with = "Option<Norm>")]
    norm: Option<Spanned<Norm>>,
    /// Dropout of the layers of `hidden`.
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    dropout: Option<Spanned<f64>>,
    /// The shape of a row: so many numbers, steps and their features, or channels, height and width.
    #[schemars(with = "Option<InputsEntry>")]
    inputs: Option<Spanned<InputsEntry>>,
    /// Outputs where there is no data to ask.
    #[schemars(with = "Option<u64>", range(min = 1, max = MAX_UNITS))]
    outputs: Option<Spanned<u64>>,
    /// How it is trained where no flag says otherwise.
    #[serde(default)]
    defaults: DefaultsEntry,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "inputs should be a number, [steps, features], or [channels, height, width]")]
enum InputsEntry {
    Row(u64),
    Sequence([u64; 2]),
    Image([u64; 3]),
}

/// `[defaults]`; what it leaves out is that of `mlp`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DefaultsEntry {
    /// The data, as `--data`.
    data: Option<String>,
    /// The loss, as `--loss`.
    #[schemars(with = "Option<spelled::Loss>")]
    loss: Option<Loss>,
    /// The optimizer, as `--optimizer`.
    optimizer: Option<String>,
    /// The learning rate, as `--lr`.
    #[schemars(with = "Option<f64>", range(min = 0.0, max = 1e6))]
    lr: Option<Spanned<f64>>,
    /// Samples of a batch, as `--batch-size`.
    batch_size: Option<String>,
    /// Passes over the training set, as `--epochs`.
    #[schemars(with = "Option<u64>", range(min = 1))]
    epochs: Option<Spanned<u64>>,
    /// The initialiser of weights, as `--init`.
    #[schemars(with = "Option<String>")]
    init: Option<Spanned<String>>,
    /// The initialiser of biases, as `--bias`.
    #[schemars(with = "Option<String>")]
    bias: Option<Spanned<String>>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Model, TrainError> {
    let failed = |source| TrainError::ReadData { path: path.into(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    let place = path.display().to_string();
    if size > MAX_FILE {
        let reason = format!("{size} bytes are too many for a model description (at most {MAX_FILE})");
        return Err(TrainError::Model { place, reason });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let mut model = parse(&place, &text)?;
    if model.name.is_empty() {
        model.name = path.file_stem().map_or(String::new(), |s| s.to_string_lossy().into_owned());
        check_name(&model.name).map_err(|reason| TrainError::Model { place, reason })?;
    }
    Ok(model)
}

/// Reads a text; a name that it leaves out stays empty.
pub fn parse(place: &str, text: &str) -> Result<Model, TrainError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let reason = error.message().lines().collect::<Vec<_>>().join(" ");
        Fault { span: error.span(), reason }.at(place, text)
    })?;
    file.resolve().map_err(|fault| fault.at(place, text))
}

impl File {
    fn resolve(self) -> Checked<Model> {
        if let Some(name) = &self.name {
            check_name(name.get_ref()).or_else(|reason| wrong(name, reason))?;
        }
        let lrelu_slope = match &self.lrelu_slope {
            Some(slope) if !(0.0..=1.0).contains(slope.get_ref()) => {
                return wrong(slope, format!("lrelu-slope is between 0 and 1, not {}", slope.get_ref()));
            }
            slope => slope.as_ref().map_or(0.01, |s| *s.get_ref()),
        };
        let inputs = match &self.inputs {
            None => None,
            Some(entry) => {
                let inputs = match entry.get_ref() {
                    InputsEntry::Row(n) => Inputs::Row(*n),
                    InputsEntry::Sequence(shape) => Inputs::Sequence(*shape),
                    InputsEntry::Image(shape) => Inputs::Image(*shape),
                };
                let sizes = match &inputs {
                    Inputs::Row(n) => std::slice::from_ref(n),
                    Inputs::Sequence(shape) => shape.as_slice(),
                    Inputs::Image(shape) => shape.as_slice(),
                };
                if !sizes.iter().all(|n| (1..=MAX_UNITS).contains(n)) {
                    return wrong(entry, format!("inputs are between 1 and {MAX_UNITS}"));
                }
                Some(inputs)
            }
        };
        let outputs = self.outputs.as_ref().map(|n| bounded("outputs", n, 1, MAX_UNITS)).transpose()?;
        let (layers, pattern) = self.layers()?;
        Ok(Model {
            name: self.name.map_or(String::new(), Spanned::into_inner),
            about: self.about,
            layers,
            lrelu_slope,
            inputs,
            outputs,
            defaults: self.defaults.resolve()?,
            pattern,
        })
    }

    /// The list of layers; of the short form also what its hidden layers have in common.
    fn layers(&self) -> Checked<(Vec<LayerSpec>, Option<LayerOptions>)> {
        let output = self.output.unwrap_or(Activation::Identity);
        match (&self.hidden, &self.layers) {
            (Some(hidden), None) => {
                let pattern = self.pattern()?;
                if hidden.get_ref().len() > MAX_LAYERS {
                    return wrong(hidden, format!("at most {MAX_LAYERS} layers"));
                }
                if !hidden.get_ref().iter().all(|u| (1..=MAX_UNITS).contains(u)) {
                    return wrong(hidden, format!("a hidden layer has between 1 and {MAX_UNITS} units"));
                }
                let mut layers: Vec<_> =
                    hidden.get_ref().iter().map(|u| hidden_layer(*u, &pattern)).collect();
                layers.push(kinds::hidden(None, LayerOptions::new(output)));
                Ok((layers, Some(pattern)))
            }
            (None, Some(entries)) => {
                let count = entries.get_ref().iter().try_fold(0, |sum, e| Some(sum + e.count()?));
                if !count.is_some_and(|count| (1..=MAX_LAYERS).contains(&count)) {
                    let reason = match count {
                        Some(_) => format!("a model has between 1 and {MAX_LAYERS} layers"),
                        None => "blocks are too deep inside each other".into(),
                    };
                    return wrong(entries, reason);
                }
                for misplaced in
                    [self.norm.as_ref().map(Spanned::span), self.dropout.as_ref().map(Spanned::span)]
                {
                    if misplaced.is_some() {
                        let reason = "norm and dropout beside [[layers]] belong into the layers".into();
                        return Err(Fault { span: misplaced, reason });
                    }
                }
                let between = self.act.unwrap_or(Activation::Identity);
                let layers = resolve::resolve(entries.get_ref(), between, Some(output))?;
                let mut trainable = false;
                for layer in &layers {
                    layer.each(&mut |l| trainable |= l.dense.as_ref().is_some_and(|d| d.trainable));
                }
                if !trainable {
                    return wrong(entries, "no layer is trainable: there is nothing to learn");
                }
                Ok((layers, None))
            }
            (Some(hidden), Some(_)) => {
                wrong(hidden, "hidden is short for [[layers]]: say one of them, not both")
            }
            (None, None) => Err(Fault {
                span: None,
                reason: "it has no layers: say hidden = [units, …] or a list of [[layers]]".into(),
            }),
        }
    }

    fn pattern(&self) -> Checked<LayerOptions> {
        let Some(act) = self.act else {
            let reason = "hidden layers need a nonlinearity: say act, such as act = \"relu\"".into();
            return Err(Fault { span: self.hidden.as_ref().map(Spanned::span), reason });
        };
        Ok(LayerOptions {
            norm: self.norm.as_ref().map_or(Norm::None, |n| *n.get_ref()),
            dropout: self.dropout.as_ref().map_or(Ok(0.0), probability)?,
            ..LayerOptions::new(act)
        })
    }
}

/// A hidden layer of the short form.
pub fn hidden_layer(units: u64, pattern: &LayerOptions) -> LayerSpec {
    kinds::hidden(Some(units), pattern.clone())
}

impl DefaultsEntry {
    fn resolve(self) -> Checked<Defaults> {
        if let Some(lr) = self.lr.as_ref().filter(|lr| !(*lr.get_ref() > 0.0 && *lr.get_ref() <= 1e6)) {
            return wrong(lr, format!("lr is above 0 and at most 1000000, not {}", lr.get_ref()));
        }
        if let Some(epochs) = self.epochs.as_ref() {
            bounded("epochs", epochs, 1, 1_000_000_000)?;
        }
        if let Some(init) = &self.init {
            scheme(init, init.get_ref(), str::parse)?;
        }
        if let Some(bias) = &self.bias {
            scheme(bias, bias.get_ref(), Scheme::for_bias)?;
        }
        let usual = Defaults::default();
        Ok(Defaults {
            data: self.data,
            loss: self.loss,
            optimizer: self.optimizer.unwrap_or(usual.optimizer),
            lr: self.lr.map_or(usual.lr, Spanned::into_inner),
            batch_size: self.batch_size.unwrap_or(usual.batch_size),
            epochs: self.epochs.map_or(usual.epochs, Spanned::into_inner),
            init: self.init.map_or(usual.init, Spanned::into_inner),
            bias: self.bias.map_or(usual.bias, Spanned::into_inner),
        })
    }
}

/// A name becomes part of a path.
fn check_name(name: &str) -> Result<(), String> {
    if (1..=LONGEST_NAME).contains(&name.chars().count())
        && name.chars().all(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
        && !name.starts_with('.')
    {
        return Ok(());
    }
    Err(format!("a model's name is 1 to {LONGEST_NAME} letters, digits, dots, dashes or underscores"))
}

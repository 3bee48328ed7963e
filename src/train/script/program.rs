//! A program, loaded, and its parameters sorted into layers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tch::{CModule, Device, Kind, Tensor};

use crate::checkpoint::{Named, Program, group};
use crate::record::{Activation, Layer, LayerKind};
use crate::train::error::first_sentence;
use crate::train::network::{Mode, Parameters};
use crate::train::{Dataset, Model, TrainError};

/// How files with a program, or mistaken for one, usually end.
const SUFFIXES: [&str; 11] =
    ["pt", "pth", "pt2", "ts", "jit", "torchscript", "ptl", "bin", "ckpt", "safetensors", "npz"];
/// Letters of a name, at most: it becomes the name of a directory.
const LONGEST_NAME: usize = 64;

/// A TorchScript file.
#[derive(Clone, Debug)]
pub struct Script {
    /// Name: its file without the suffix.
    pub name: String,
    path: PathBuf,
}

impl Script {
    /// Whether this names a file that should be a program, rather than a model that is described.
    pub fn is_meant_by(name: &str) -> bool {
        let path = Path::new(name);
        let suffix = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        SUFFIXES.contains(&suffix.as_str())
            || (suffix != "toml" && Model::named(name).is_err() && path.is_file())
    }

    /// The program in this file.
    ///
    /// # Errors
    /// [`TrainError::Program`] where there is none in it, with what to do about it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        Program::read(path)?;
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let name: String = stem
            .trim_start_matches('.')
            .chars()
            .map(|c: char| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' })
            .take(LONGEST_NAME)
            .collect();
        Ok(Self { name: if name.is_empty() { "script".into() } else { name }, path: path.to_owned() })
    }

    /// The fault in it.
    pub fn wrong(&self, reason: impl Into<String>) -> TrainError {
        TrainError::Model { place: self.path.display().to_string(), reason: reason.into() }
    }

    /// Loads it for rows of this data.
    ///
    /// # Errors
    /// [`TrainError`] where libtorch cannot load it, or where its parameters cannot be trained.
    pub fn load(&self, data: &Dataset, device: Device) -> Result<Loaded, TrainError> {
        let program = Program::read(&self.path)?;
        let module = CModule::load_on_device(&self.path, device).map_err(|e| {
            let sentence = first_sentence(&e);
            match without_aside(&sentence) {
                "" => self.wrong(
                    "libtorch cannot load it: it cannot read the program's code (odd names of modules?)",
                ),
                reason => self.wrong(format!("libtorch cannot load it: {reason}")),
            }
        })?;
        // As it is written: the optimizing executor looks at the first passes, and may then round otherwise.
        tch::jit::f_set_graph_executor_optimize(false)?;
        let variables = module.named_parameters()?;
        self.check(&variables)?;
        let mut loaded = layers(&program, &variables);
        let units_first = loaded.iter().map(|(.., known)| *known).collect();
        let (layers, parameters) = loaded.drain(..).map(|(layer, own, _)| (layer, own)).unzip();
        Ok(Loaded {
            module: Mutex::new((module, None)),
            variables,
            layers,
            parameters,
            units_first,
            buffers: program.buffers,
            image: data.image,
        })
    }

    /// Whether these are parameters to train.
    fn check(&self, variables: &[(String, Tensor)]) -> Result<(), TrainError> {
        if variables.is_empty() {
            return Err(self.wrong(
                "it has no parameters, so that there is nothing to train; torch.jit.freeze makes constants of \
                 them: save the model without it",
            ));
        }
        if let Some((name, tensor)) = variables.iter().find(|(_, t)| t.kind() != Kind::Float) {
            return Err(self.wrong(format!(
                "its parameter {name} is of the type {:?}; what is trained is float32: call model.float() before it \
                 is saved",
                tensor.kind()
            )));
        }
        if !variables.iter().any(|(_, t)| t.requires_grad()) {
            return Err(self.wrong("none of its parameters is to be trained: requires_grad is off for all"));
        }
        // Loaded, they have a gradient each, though they are one in PyTorch.
        let mut seen: HashMap<usize, &str> = HashMap::new();
        for (name, tensor) in variables.iter().filter(|(_, t)| t.numel() > 0) {
            if let Some(first) = seen.insert(tensor.data_ptr() as usize, name) {
                return Err(self.wrong(format!(
                    "its parameters {first} and {name} are one and the same, which TorchScript does not keep: \
                     each would get a gradient of its own; record the training with the PyTorch recorder instead"
                )));
            }
        }
        Ok(())
    }
}

/// A program with its parameters.
pub struct Loaded {
    /// And whether it is in training mode, once that is known.
    module: Mutex<(CModule, Option<bool>)>,
    /// Every parameter by its name.
    pub variables: Vec<(String, Tensor)>,
    /// Its layers, and the parameters of each.
    pub layers: Vec<Layer>,
    /// In the same order.
    pub parameters: Vec<Parameters>,
    /// In the same order, whether it is known that the rows of its weight make its units.
    pub units_first: Vec<bool>,
    /// Tensors beside the parameters that training changes, which cannot be read or put back.
    pub buffers: Vec<String>,
    /// Channels, height and width, where a row is an image.
    image: Option<[i64; 3]>,
}

impl Loaded {
    /// Its output for rows of the data.
    ///
    /// # Errors
    /// [`TrainError::Script`] with what the program said.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor, TrainError> {
        let x = match self.image {
            Some([channels, height, width]) => x.reshape([-1, channels, height, width]),
            None => x.shallow_clone(),
        };
        let mut module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        let (module, is_training) = &mut *module;
        let training = mode == Mode::Train;
        if *is_training != Some(training) {
            if training {
                module.f_set_train()?
            } else {
                module.f_set_eval()?
            }
            *is_training = Some(training);
        }
        module.forward_ts(&[x]).map_err(|e| TrainError::Script(said(&e.to_string())))
    }

    /// Multiply-adds of one row, about: how often a kernel is laid on is not known, and taken to be once for
    /// every pixel.
    pub fn macs(&self) -> u64 {
        let pixels = self.image.map_or(1, |[_, height, width]| (height * width) as u64);
        self.layers
            .iter()
            .map(|layer: &Layer| match layer.kind {
                LayerKind::Linear | LayerKind::Embedding => layer.parameters,
                _ => layer.parameters.saturating_mul(pixels),
            })
            .fold(0, u64::saturating_add)
    }
}

/// A sentence of libtorch without the brackets behind it, in which it speaks to its developers.
fn without_aside(sentence: &str) -> &str {
    sentence.split("  (").next().unwrap_or(sentence).trim_end_matches(['.', ' '])
}

/// The sentence in a message of TorchScript, which has a trace of the program around it.
pub fn said(message: &str) -> String {
    let trace = message.contains("TorchScript");
    let told = trace
        .then(|| {
            message
                .lines()
                .filter_map(|line: &str| {
                    let (kind, text) = line.split_once(": ")?;
                    let kind = kind.rsplit('.').next().unwrap_or(kind);
                    let is_error = kind.ends_with("Error") || kind.ends_with("Exception");
                    (is_error && kind.chars().all(char::is_alphanumeric)).then(|| text.trim().to_owned())
                })
                .next_back()
        })
        .flatten();
    told.unwrap_or_else(|| crate::train::sentence_of(message))
}

/// Whether libtorch says that there is too little memory, which is no fault of the program.
pub fn is_about_memory(said: &str) -> bool {
    ["can't allocate memory", "not enough memory", "out of memory"].iter().any(|part| said.contains(part))
}

/// The layers that these parameters make, in their order: a weight with its bias, and whatever is left each
/// by itself; and whether the class of its module is one of PyTorch's, which all have a unit in a row.
fn layers(program: &Program, variables: &[(String, Tensor)]) -> Vec<(Layer, Parameters, bool)> {
    let shapes: Vec<Vec<u64>> =
        variables.iter().map(|(_, t)| t.size().iter().map(|n| *n as u64).collect()).collect();
    let named = variables.iter().zip(&shapes).map(|((name, _), shape)| Named { name, shape });
    let named: Vec<Named> = named.collect();
    let (parts, left) = group(&named);
    let tensor = |index: usize| variables[index].1.shallow_clone();
    let mut found: Vec<(usize, Layer, Parameters, bool)> = Vec::new();
    for part in parts {
        let mut layer = part.layer;
        let mut known = None;
        let path = named[part.weight].name.rsplit_once('.');
        if path.map_or(named[part.weight].name, |(_, leaf)| leaf) == "weight" {
            known = program.kind(path.map_or("", |(path, _)| path));
            layer.kind = known.unwrap_or(layer.kind);
        }
        let own = Parameters::new(tensor(part.weight), part.bias.map(tensor));
        found.push((part.weight, layer, own, known.is_some()));
    }
    for index in left {
        let Named { name, shape } = named[index];
        let layer = Layer {
            name: name.into(),
            kind: LayerKind::Other,
            shape: shape.to_vec(),
            fan_in: 1,
            units: shape.first().copied().unwrap_or(1),
            bias: false,
            parameters: shape.iter().product(),
            activation: Activation::Identity,
            output: false,
            normalized: false,
            trainable: true,
            branch: None,
        };
        found.push((index, layer, Parameters::new(tensor(index), None), false));
    }
    found.sort_by_key(|(index, ..)| *index);
    found
        .into_iter()
        .map(|(_, layer, parameters, known): (usize, Layer, Parameters, bool)| {
            (Layer { trainable: parameters.weight.requires_grad(), ..layer }, parameters, known)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_trace_the_sentence_is_told() {
        let trace = "Internal torch error: The following operation failed in the TorchScript interpreter.\n\
                     Traceback of TorchScript, serialized code (most recent call last):\n  File \"a.py\", line 1\n\
                     RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x2 and 3x4)\n";
        assert_eq!(said(trace), "mat1 and mat2 shapes cannot be multiplied (8x2 and 3x4)");
        assert_eq!(said("Internal torch error: forward() is missing\nframe #0"), "forward() is missing");
    }

    #[test]
    fn a_file_is_told_from_a_name() {
        for (name, is) in [("net.pt", true), ("a/b.TS", true), ("relu5", false), ("net.toml", false)] {
            assert_eq!(Script::is_meant_by(name), is, "{name}");
        }
    }
}

//! Which tensors are the weights of layers, by their names: one layer a weight, under the dotted name of
//! its module, as the PyTorch recorder has it. What a module computes is not in a checkpoint, and told by
//! names and shapes as far as that goes.

use std::collections::HashMap;

use crate::record::{Activation, Layer, LayerKind};

/// A tensor by its name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Such as `fc1.weight`.
    pub name: &'a str,
    /// Output dimension first.
    pub shape: &'a [u64],
}

impl Named<'_> {
    fn count(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, d| product.saturating_mul(*d))
    }
}

/// A layer, and which tensors are its weight and bias.
#[derive(Debug)]
pub struct Part {
    /// As the record describes it.
    pub layer: Layer,
    /// Index of its weight.
    pub weight: usize,
    /// Index of its bias.
    pub bias: Option<usize>,
}

/// The layers that these tensors make, in their order; and the indices of the tensors that are left.
pub fn group(tensors: &[Named]) -> (Vec<Part>, Vec<usize>) {
    let index: HashMap<&str, usize> = tensors.iter().enumerate().map(|(i, t)| (t.name, i)).collect();
    let mut parts = Vec::new();
    let mut taken = vec![false; tensors.len()];
    for (i, tensor) in tensors.iter().enumerate() {
        let (path, leaf) = tensor.name.rsplit_once('.').unwrap_or(("", tensor.name));
        let dimensions = tensor.shape.len();
        let is_weight = !leaf.contains("bias") && (dimensions >= 2 || dimensions == 1 && leaf == "weight");
        if !is_weight || tensor.count() == 0 {
            continue;
        }
        let bias = leaf.contains("weight").then(|| within(path, &leaf.replace("weight", "bias")));
        let bias = bias.and_then(|name| index.get(name.as_str()).copied());
        let bias = bias.filter(|b| tensors[*b].count() > 0);
        let is_batch_norm = index.contains_key(within(path, "running_mean").as_str());
        let kind = kind(path, leaf, dimensions, bias.is_some(), is_batch_norm);
        let name = match (leaf, path) {
            ("weight", "") => "model",
            ("weight", path) => path,
            _ => tensor.name,
        };
        taken[i] = true;
        if let Some(bias) = bias {
            taken[bias] = true;
        }
        parts.push(Part { layer: layer(name, kind, tensor, bias.map(|b| &tensors[b])), weight: i, bias });
    }
    let left = (0..tensors.len()).filter(|i| !taken[*i]).collect();
    (parts, left)
}

/// The name of a part of the module at this path.
fn within(path: &str, leaf: &str) -> String {
    if path.is_empty() { leaf.to_owned() } else { format!("{path}.{leaf}") }
}

fn layer(name: &str, kind: LayerKind, weight: &Named, bias: Option<&Named>) -> Layer {
    let is_gain = weight.shape.len() < 2;
    Layer {
        name: name.to_owned(),
        kind,
        shape: weight.shape.to_vec(),
        fan_in: if is_gain { 1 } else { weight.shape[1..].iter().product() },
        units: weight.shape[0],
        bias: bias.is_some(),
        parameters: weight.count().saturating_add(bias.map_or(0, Named::count)),
        activation: Activation::Identity,
        output: false,
        normalized: false,
        trainable: true,
        branch: None,
    }
}

fn kind(path: &str, leaf: &str, dimensions: usize, has_bias: bool, is_batch_norm: bool) -> LayerKind {
    if ["in_proj", "q_proj", "k_proj", "v_proj"].iter().any(|start| leaf.starts_with(start)) {
        return LayerKind::Linear;
    }
    if leaf.starts_with("weight_ih") || leaf.starts_with("weight_hh") {
        return LayerKind::Recurrent;
    }
    if leaf != "weight" {
        return LayerKind::Other;
    }
    let module = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    let called = |parts: &[&str]| parts.iter().any(|p| module.contains(p));
    match dimensions {
        2 if called(&["emb", "wte", "wpe"]) => LayerKind::Embedding,
        2 => LayerKind::Linear,
        3 => LayerKind::Conv1d,
        4 => LayerKind::Conv2d,
        5 => LayerKind::Conv3d,
        1 if is_batch_norm => LayerKind::BatchNorm,
        1 if called(&["rms"]) => LayerKind::RmsNorm,
        1 if called(&["group", "gn"]) => LayerKind::GroupNorm,
        1 if has_bias => LayerKind::LayerNorm,
        1 if called(&["norm", "ln"]) => LayerKind::RmsNorm,
        _ => LayerKind::Other,
    }
}

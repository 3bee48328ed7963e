//! Walks through a description and works out shapes, names and layers; what kinds of layer are planned
//! with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer_options::{LayerOptions, Norm};
use super::op::Op;
use super::ops::{Activate, Dropout, Normalise, Over, Unflatten};
use super::plan::{Plan, PlannedLayer, Sizes, Step};
use super::shape::Shape;
use crate::record::{Activation, Layer, LayerKind};
use crate::text::count;
use crate::train::Scheme;
use crate::train::init::Init;

/// Values of one weight, at most: 4 GiB.
const MAX_WEIGHT: u64 = 1 << 30;

/// The result of planning, or what does not fit.
pub type Planned<T> = Result<T, String>;

/// A plan in the making.
pub struct Planner {
    pub plan: Plan,
    /// Shape of what comes out of the last operation.
    pub shape: Shape,
    /// Outputs that the data needs, while the last layer is planned.
    pub needed: Option<u64>,
    sizes: Sizes,
    init: Scheme,
    bias: Scheme,
    scope: Scope,
    /// The last layer with a weight and the place of its identity among the operations, while a
    /// nonlinearity that follows would be its own.
    open: Option<(usize, usize)>,
    /// Layers with a weight since a shortcut began that leads around them.
    branch: Option<u64>,
}

/// The kind of input of a layer, where it takes one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Anything,
    Rows,
    Sequences,
    Images,
}

/// Where names are counted: a model, or a block of it.
#[derive(Default)]
struct Scope {
    /// With a dot at the end.
    prefix: String,
    counts: BTreeMap<&'static str, usize>,
}

/// A layer with a weight, before it has its place in a plan.
pub struct Weighted {
    pub name: String,
    pub kind: LayerKind,
    /// Output dimension first.
    pub shape: Vec<u64>,
    /// The draws of the layer's constructor in PyTorch, of the weight and of the bias.
    pub default: (Init, Init),
    pub with_next: bool,
}

impl Planner {
    pub fn new(plan: Plan, sizes: Sizes, init: Scheme, bias: Scheme) -> Self {
        let (shape, scope) = (plan.input, Scope::default());
        Self { plan, shape, needed: None, sizes, init, bias, scope, open: None, branch: None }
    }

    /// Gives the inputs the shape that the first layers need.
    pub fn start(&mut self, takes: Takes) -> Planned<()> {
        let columns = self.sizes.columns;
        match (takes, self.sizes.image) {
            (Takes::Images, Some(image)) => self.push(Unflatten(Shape::Image(image)), Shape::Image(image)),
            (Takes::Sequences, _) => {
                let shape = self.sizes.sequence.unwrap_or([columns, 1]);
                if shape[0].saturating_mul(shape[1]) != columns {
                    return Err(format!(
                        "inputs = [{}, {}] makes a sequence of {} numbers, but the data has rows of {columns}",
                        shape[0],
                        shape[1],
                        shape[0].saturating_mul(shape[1])
                    ));
                }
                let shape = Shape::Sequence(shape);
                self.push(Unflatten(shape), shape);
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins the last layer, which gives as many outputs as the data needs.
    pub fn begin_last(&mut self) {
        self.needed = Some(self.sizes.outputs);
    }

    /// Plans the layers of a block, around which a shortcut leads if it is a branch.
    pub fn inside(&mut self, name: &str, layers: impl FnOnce(&mut Self) -> Planned<()>) -> Planned<()> {
        let scope = Scope { prefix: format!("{name}."), ..Scope::default() };
        let outer = std::mem::replace(&mut self.scope, scope);
        let (needed, branch) = (self.needed.take(), self.branch);
        self.branch = Some(branch.unwrap_or(0));
        layers(self)?;
        // An outer branch goes on where this one ends.
        self.branch = branch.and(self.branch);
        (self.scope, self.needed) = (outer, needed);
        Ok(())
    }

    /// The next name of this kind, such as `fc2` or `block1.fc2`.
    pub fn name(&mut self, kind: &'static str) -> String {
        let number = self.scope.counts.entry(kind).or_default();
        *number += 1;
        format!("{}{kind}{number}", self.scope.prefix)
    }

    /// Adds an operation. What comes behind it is no longer the last layer's own, unless
    /// [`continue_layer`](Self::continue_layer) says so.
    pub fn push(&mut self, op: impl Op + 'static, shape: Shape) {
        self.open = None;
        self.continue_layer(op, shape);
    }

    /// Adds an operation that leaves the last layer's units what they are.
    pub fn continue_layer(&mut self, op: impl Op + 'static, shape: Shape) {
        self.plan.ops.push(Step { op: Arc::new(op), shape });
        self.shape = shape;
    }

    /// A layer with a weight of this shape.
    pub fn weighted(&mut self, weighted: Weighted, dense: &LayerOptions) -> Planned<usize> {
        let Weighted { name, kind, shape, default, with_next } = weighted;
        let values = shape.iter().fold(1u64, |n, d| n.saturating_mul(*d));
        if values > MAX_WEIGHT {
            let dimensions: Vec<String> = shape.iter().map(u64::to_string).collect();
            return Err(format!(
                "{name} would have a weight of {} = {} values; at most {} are possible",
                dimensions.join(" × "),
                count(values),
                count(MAX_WEIGHT)
            ));
        }
        let init = dense.init.as_ref().unwrap_or(&self.init).clone();
        if matches!(init.init, Init::Sparse { .. }) && shape.len() != 2 {
            return Err(format!("{name}: the initialiser {} is for linear layers", init.text));
        }
        let (units, fan_in) = (shape[0], values / shape[0]);
        let bias = dense.bias_init.as_ref().unwrap_or(&self.bias).clone();
        self.branch = self.branch.map(|place| place + 1);
        let layer = Layer {
            name,
            kind,
            fan_in,
            units,
            bias: dense.bias,
            parameters: values + u64::from(dense.bias) * units,
            activation: dense.act,
            output: self.needed.is_some(),
            normalized: dense.norm != Norm::None,
            trainable: dense.trainable,
            branch: self.branch,
            shape: shape.clone(),
        };
        let fan_out = units * shape[2..].iter().product::<u64>();
        self.plan.layers.push(PlannedLayer { layer, fan_out, init: Some((init, bias)), default, with_next });
        Ok(self.plan.layers.len() - 1)
    }

    /// Plans what follows a layer with a weight: normalisation, nonlinearity, dropout.
    pub fn finish(&mut self, layer: usize, dense: &LayerOptions) {
        let shape = self.shape;
        match dense.norm {
            Norm::BatchPre => self.normalise(Over::Batch, dense.trainable, None),
            Norm::Layer => self.normalise(Over::Layer, dense.trainable, None),
            Norm::None | Norm::BatchPost => {}
        }
        self.push(Activate { layer: Some(layer), kind: dense.act, row: self.named(layer) }, shape);
        let identity = self.plan.ops.len() - 1;
        if dense.norm == Norm::BatchPost {
            self.normalise(Over::Batch, dense.trainable, None);
        }
        self.dropout(dense.dropout);
        let open = dense.act == Activation::Identity && dense.norm != Norm::BatchPost;
        self.open = (open && self.needed.is_none()).then_some((layer, identity));
    }

    /// Dropout, if its probability is above 0.
    pub fn dropout(&mut self, probability: f64) {
        if probability > 0.0 {
            self.continue_layer(Dropout(probability), self.shape);
        }
    }

    /// A nonlinearity that stands alone: of the last layer, if that has none and nothing else has come
    /// between.
    pub fn activate(&mut self, kind: Activation) {
        let shape = self.shape;
        match self.open.take() {
            Some((layer, identity)) => {
                self.plan.ops.remove(identity);
                self.plan.layers[layer].layer.activation = kind;
                self.push(Activate { layer: Some(layer), kind, row: self.named(layer) }, shape);
            }
            None => {
                let row = self.name("act");
                self.push(Activate { layer: None, kind, row }, shape);
            }
        }
    }

    /// A gain and a shift a unit, numbered as the layer that it belongs to.
    pub fn normalise(&mut self, over: Over, trainable: bool, init: Option<(Scheme, Scheme)>) {
        let features = self.shape.units();
        let name = self.norm_name(over.prefix());
        let kind = over.kind();
        if kind == LayerKind::BatchNorm && self.shape.positions() == 1 {
            self.plan.batch_norm.get_or_insert(name.clone());
        }
        if let Some((layer, _)) = self.open {
            self.plan.layers[layer].layer.normalized = true;
        }
        let layer = Layer {
            name,
            kind,
            shape: vec![features],
            fan_in: 1,
            units: features,
            bias: true,
            parameters: 2 * features,
            activation: Activation::Identity,
            output: false,
            normalized: false,
            trainable,
            branch: self.branch,
        };
        let default = (Init::Constant(1.0), Init::Constant(0.0));
        self.plan.layers.push(PlannedLayer { layer, fan_out: 1, init, default, with_next: false });
        let layer = self.plan.layers.len() - 1;
        self.continue_layer(Normalise { layer: [layer], over }, self.shape);
    }

    fn norm_name(&self, prefix: &str) -> String {
        let belongs = ["fc", "conv"].iter().filter_map(|kind| self.scope.counts.get(kind)).sum::<usize>();
        let mut names = (belongs.max(1)..).map(|number| format!("{}{prefix}{number}", self.scope.prefix));
        // There is one for every number, and few are taken.
        names.find(|name| self.plan.layers.iter().all(|l| l.layer.name != *name)).unwrap_or_default()
    }

    fn named(&self, layer: usize) -> String {
        self.plan.layers[layer].layer.name.clone()
    }

    /// The length of rows, which is all that this layer takes.
    pub fn row(&self, name: &str) -> Planned<u64> {
        match self.shape {
            Shape::Row(n) => Ok(n),
            _ => Err(format!(
                "{name} takes rows of numbers, but {} gives {}: put a flatten between them",
                self.previous(),
                self.shape.described()
            )),
        }
    }

    /// Channels, height and width of images, which are all that this layer takes.
    pub fn image(&self, name: &str) -> Planned<[u64; 3]> {
        match self.shape {
            Shape::Image(shape) => Ok(shape),
            Shape::Row(n) if self.at_the_data() => Err(format!(
                "{name} takes images (channels × height × width), but the data has rows of {n} numbers: use \
                 --data idx:DIR, or say inputs = [channels, height, width] in the model file"
            )),
            _ => Err(format!(
                "{name} takes images (channels × height × width), but {} gives {}",
                self.previous(),
                self.shape.described()
            )),
        }
    }

    /// Steps and features of sequences, which are all that this layer takes.
    pub fn sequence(&self, name: &str) -> Planned<[u64; 2]> {
        match self.shape {
            Shape::Sequence(shape) => Ok(shape),
            _ => {
                let recurrent = self.plan.layers.last().is_some_and(|l| l.layer.kind == LayerKind::Recurrent);
                Err(format!(
                    "{name} takes sequences (steps × features), but {} gives {}{}",
                    self.previous(),
                    self.shape.described(),
                    if recurrent { ": say steps = \"all\" there" } else { "" }
                ))
            }
        }
    }

    /// Whether nothing has been done to the inputs yet.
    pub fn at_the_data(&self) -> bool {
        self.plan.ops.is_empty()
    }

    /// Returns the name of what gives the present shape, for messages.
    pub fn previous(&self) -> String {
        self.plan
            .ops
            .iter()
            .rev()
            .find_map(|Step { op, .. }| {
                op.named().or_else(|| op.layers().last().map(|layer| self.named(*layer)))
            })
            .unwrap_or("the data".into())
    }
}

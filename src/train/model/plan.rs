//! What a description becomes for data of a given shape: every operation and every layer with its
//! sizes, before a tensor is made.

use super::Model;
use super::layers::{Dense, LayerSpec, Norm, Window};
use crate::record::{Activation, Layer, LayerKind};
use crate::text::count;
use crate::train::init::Init;
use crate::train::{Scheme, TrainError};

/// Values of one weight, at most: 4 GiB.
const LARGEST_WEIGHT: u64 = 1 << 30;

/// What the data is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers of an input.
    pub columns: u64,
    /// Channels, height and width, where an input is an image.
    pub image: Option<[u64; 3]>,
    /// Outputs that are needed.
    pub outputs: u64,
}

/// Shape of what flows between two operations, for one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers.
    Row(u64),
    /// Channels, height and width.
    Image([u64; 3]),
}

impl Shape {
    /// How many values it holds.
    pub fn values(self) -> u64 {
        self.dimensions().iter().product()
    }

    /// Its dimensions, without that of the rows.
    pub fn dimensions(self) -> Vec<u64> {
        match self {
            Shape::Row(n) => vec![n],
            Shape::Image(shape) => shape.to_vec(),
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dimensions: Vec<String> = self.dimensions().iter().map(u64::to_string).collect();
        f.write_str(&dimensions.join(" × "))
    }
}

/// One thing that a forward pass does; layers by their number in the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Rows of numbers to images.
    Unflatten([u64; 3]),
    /// A fully connected layer.
    Linear(usize),
    /// A convolution.
    Conv2d(usize, Window),
    /// Batch normalisation.
    BatchNorm(usize),
    /// Layer normalisation (of images: over channels and positions, with a gain a channel).
    LayerNorm(usize),
    /// The nonlinearity of a layer; the output layer has one too, if only the identity.
    Activation(usize, Activation),
    /// Dropout with this probability.
    Dropout(f64),
    /// The largest value of each window.
    MaxPool2d(Window),
    /// Images to rows of numbers.
    Flatten,
}

/// A layer with parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLayer {
    /// As a record describes it.
    pub layer: Layer,
    /// Outputs of one input: of a matrix its rows, of a convolution these times the size of its kernel.
    pub fan_out: u64,
    /// Initialisers of weight and bias; none for a normalisation.
    pub init: Option<(Scheme, Scheme)>,
}

/// Parameters of a model, at most: with gradients, optimizer state and what is measured, training holds
/// some five copies of them, 20 GiB.
const MOST_PARAMETERS: u64 = 1 << 30;

/// A whole network without its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Shape of an input as the data has it.
    pub input: Shape,
    /// What a forward pass does, with the shape of what comes out.
    pub ops: Vec<(Op, Shape)>,
    /// Layers with parameters, in forward order.
    pub layers: Vec<PlannedLayer>,
    /// Negative slope of leaky ReLU.
    pub lrelu_slope: f64,
}

impl Plan {
    /// Works out all shapes.
    ///
    /// # Errors
    /// [`TrainError::Model`] naming the layer and the two shapes that do not fit each other.
    pub fn new(model: &Model, sizes: Sizes) -> Result<Self, TrainError> {
        let (init, bias) = model.schemes()?;
        let mut planner = Planner {
            plan: Self {
                input: Shape::Row(sizes.columns),
                ops: Vec::new(),
                layers: Vec::new(),
                lrelu_slope: model.lrelu_slope,
            },
            shape: Shape::Row(sizes.columns),
            init,
            bias,
            linears: 0,
            convolutions: 0,
        };
        planner
            .layers(&model.layers, sizes)
            .map_err(|reason| TrainError::Model { place: format!("model {}", model.name), reason })?;
        match planner.plan.parameters() {
            n if n > MOST_PARAMETERS => Err(TrainError::Settings(format!(
                "model {} would have {} parameters; at most {} are trained",
                model.name,
                count(n),
                count(MOST_PARAMETERS)
            ))),
            _ => Ok(planner.plan),
        }
    }

    /// Number of parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().fold(0, |sum, l| sum.saturating_add(l.layer.parameters))
    }

    /// The initialisers of all weights, or of all biases, in a few words.
    pub fn init_text(&self, of: fn(&(Scheme, Scheme)) -> &Scheme) -> String {
        let schemes = self.layers.iter().filter_map(|l| Some((&l.layer.name, &of(l.init.as_ref()?).text)));
        let schemes: Vec<(&String, &String)> = schemes.collect();
        match schemes.first() {
            Some((_, first)) if schemes.iter().all(|(_, text)| text == first) => (*first).clone(),
            _ => schemes.iter().map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", "),
        }
    }

    /// Multiply-adds of one row, about.
    pub fn work(&self) -> u64 {
        let positions = |shape: &Shape| match shape {
            Shape::Row(_) => 1,
            Shape::Image([_, height, width]) => height * width,
        };
        let of = |(op, shape): &(Op, Shape)| match op {
            Op::Linear(l) | Op::Conv2d(l, _) | Op::BatchNorm(l) | Op::LayerNorm(l) => {
                self.layers[*l].layer.parameters.saturating_mul(positions(shape))
            }
            _ => 0,
        };
        self.ops.iter().map(of).fold(0, u64::saturating_add)
    }
}

struct Planner {
    plan: Plan,
    shape: Shape,
    init: Scheme,
    bias: Scheme,
    linears: usize,
    convolutions: usize,
}

type Planned<T> = Result<T, String>;

impl Planner {
    fn layers(&mut self, layers: &[LayerSpec], sizes: Sizes) -> Planned<()> {
        if let (Some(LayerSpec::Conv2d { .. } | LayerSpec::MaxPool2d(_)), Some(image)) =
            (layers.first(), sizes.image)
        {
            self.push(Op::Unflatten(image), Shape::Image(image));
        }
        for (index, layer) in layers.iter().enumerate() {
            let last = index + 1 == layers.len();
            match layer {
                LayerSpec::Linear { units, dense } => {
                    self.linear(*units, dense, last.then_some(sizes.outputs))?
                }
                LayerSpec::Conv2d { channels, window, dense } => {
                    self.convolution(*channels, *window, dense)?
                }
                LayerSpec::MaxPool2d(window) => {
                    let name = "max-pool2d".to_owned();
                    let image = self.image(&name)?;
                    let shape = self.slid(&name, image, *window, image[0])?;
                    self.push(Op::MaxPool2d(*window), Shape::Image(shape));
                }
                LayerSpec::Flatten => self.push(Op::Flatten, Shape::Row(self.shape.values())),
            }
        }
        Ok(())
    }

    fn linear(&mut self, units: Option<u64>, dense: &Dense, needed: Option<u64>) -> Planned<()> {
        self.linears += 1;
        let name = format!("fc{}", self.linears);
        let Shape::Row(fan_in) = self.shape else {
            return Err(format!(
                "{name} takes rows of numbers, but {} gives images of {}: put a flatten between them",
                self.previous(),
                self.shape
            ));
        };
        let units = match (units, needed) {
            (Some(units), Some(needed)) if units != needed => {
                return Err(format!(
                    "{name} is the last layer and gives {units} outputs, but the data needs {needed}: leave its units out"
                ));
            }
            // A description says the units of every layer but the last.
            (units, needed) => units.or(needed).unwrap_or(1),
        };
        let output = needed.is_some();
        let layer = self.weighted(name, LayerKind::Linear, vec![units, fan_in], dense, output)?;
        self.push(Op::Linear(layer), Shape::Row(units));
        self.finish(layer, dense);
        Ok(())
    }

    fn convolution(&mut self, channels: u64, window: Window, dense: &Dense) -> Planned<()> {
        self.convolutions += 1;
        let name = format!("conv{}", self.convolutions);
        let image = self.image(&name)?;
        let shape = self.slid(&name, image, window, channels)?;
        let weight = vec![channels, image[0], window.kernel, window.kernel];
        let layer = self.weighted(name, LayerKind::Conv2d, weight, dense, false)?;
        self.push(Op::Conv2d(layer, window), Shape::Image(shape));
        self.finish(layer, dense);
        Ok(())
    }

    /// A layer with a weight of this shape.
    fn weighted(
        &mut self,
        name: String,
        kind: LayerKind,
        shape: Vec<u64>,
        dense: &Dense,
        output: bool,
    ) -> Planned<usize> {
        let values = shape.iter().fold(1u64, |n, d| n.saturating_mul(*d));
        if values > LARGEST_WEIGHT {
            let dimensions: Vec<String> = shape.iter().map(u64::to_string).collect();
            return Err(format!(
                "{name} would have a weight of {} = {} values; at most {} are possible",
                dimensions.join(" × "),
                count(values),
                count(LARGEST_WEIGHT)
            ));
        }
        let init = dense.init.as_ref().unwrap_or(&self.init).clone();
        if matches!(init.init, Init::Sparse { .. }) && kind != LayerKind::Linear {
            return Err(format!("{name}: the initialiser {} is for linear layers", init.text));
        }
        let (units, fan_in) = (shape[0], values / shape[0]);
        let layer = Layer {
            name,
            kind,
            fan_in,
            units,
            bias: dense.bias,
            parameters: values + u64::from(dense.bias) * units,
            activation: dense.act,
            output,
            normalized: dense.norm != Norm::None,
            trainable: dense.trainable,
            shape: shape.clone(),
        };
        let fan_out = units * shape[2..].iter().product::<u64>();
        let bias = dense.bias_init.as_ref().unwrap_or(&self.bias).clone();
        self.plan.layers.push(PlannedLayer { layer, fan_out, init: Some((init, bias)) });
        Ok(self.plan.layers.len() - 1)
    }

    /// What follows a layer with a weight: normalisation, nonlinearity, dropout.
    fn finish(&mut self, layer: usize, dense: &Dense) {
        let shape = self.shape;
        match dense.norm {
            Norm::BatchPre => self.normalisation("bn", LayerKind::BatchNorm, dense.trainable),
            Norm::Layer => self.normalisation("ln", LayerKind::LayerNorm, dense.trainable),
            Norm::None | Norm::BatchPost => {}
        }
        self.push(Op::Activation(layer, dense.act), shape);
        if dense.norm == Norm::BatchPost {
            self.normalisation("bn", LayerKind::BatchNorm, dense.trainable);
        }
        if dense.dropout > 0.0 {
            self.push(Op::Dropout(dense.dropout), shape);
        }
    }

    /// A gain and a shift a unit, numbered as the layer that it belongs to.
    fn normalisation(&mut self, prefix: &str, kind: LayerKind, trainable: bool) {
        let features = match self.shape {
            Shape::Row(n) | Shape::Image([n, ..]) => n,
        };
        let layer = Layer {
            name: format!("{prefix}{}", self.linears + self.convolutions),
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
        };
        self.plan.layers.push(PlannedLayer { layer, fan_out: 1, init: None });
        let index = self.plan.layers.len() - 1;
        let op = if kind == LayerKind::BatchNorm { Op::BatchNorm(index) } else { Op::LayerNorm(index) };
        self.push(op, self.shape);
    }

    fn push(&mut self, op: Op, shape: Shape) {
        self.plan.ops.push((op, shape));
        self.shape = shape;
    }

    fn image(&self, name: &str) -> Planned<[u64; 3]> {
        match self.shape {
            Shape::Image(shape) => Ok(shape),
            Shape::Row(n) if self.plan.ops.is_empty() => Err(format!(
                "{name} takes images (channels × height × width), but the data has rows of {n} numbers: use \
                 --data idx:DIR, or say inputs = [channels, height, width] in the model file"
            )),
            Shape::Row(n) => Err(format!(
                "{name} takes images (channels × height × width), but {} gives rows of {n} numbers",
                self.previous()
            )),
        }
    }

    /// The shape of what a window gives that moves over an image.
    fn slid(&self, name: &str, image: [u64; 3], window: Window, channels: u64) -> Planned<[u64; 3]> {
        let Window { kernel, stride, padding } = window;
        let [_, height, width] = image;
        if height.min(width) + 2 * padding < kernel {
            return Err(format!(
                "{name}: a kernel of {kernel} × {kernel} with a padding of {padding} does not fit into the {} that \
                 {} gives",
                Shape::Image(image),
                self.previous()
            ));
        }
        let positions = |side: u64| (side + 2 * padding - kernel) / stride + 1;
        Ok([channels, positions(height), positions(width)])
    }

    /// What gives the present shape, for messages.
    fn previous(&self) -> String {
        match self.plan.ops.last() {
            None | Some((Op::Unflatten(_), _)) => "the data".into(),
            Some((Op::Flatten, _)) => "the flatten".into(),
            Some((Op::MaxPool2d(_), _)) => "the max-pool2d".into(),
            _ => self.plan.layers.last().map_or("the data".into(), |l| l.layer.name.clone()),
        }
    }
}

//! What is measured of a network at a capture point.
//!
//! A probe rides along with one ordinary training pass: it keeps what goes into and comes out of each
//! nonlinearity, and adds a zero to every output of a weight whose own gradient, after backward, is the
//! backward signal δ. Nothing is computed twice and the pass gives the same bits as without it.

use tch::{Kind, Tensor};

use super::memory;
use super::network::{Network, Parameters, Tap};
use crate::record::{Activation, Activations, Activity, Firing, Layer, LayerCapture, OutputSum};
use crate::stats::Distribution;

/// A unit-sample is saturated where its slope is below this share of the largest (rules.md's
/// definition of saturation).
const SATURATED_SLOPE: f64 = 0.05;

/// What one pass showed of each layer.
pub struct Probe {
    layers: Vec<Seen>,
}

#[derive(Default)]
struct Seen {
    kind: Option<Activation>,
    /// The zero added to the output of its weight.
    signal: Option<Tensor>,
    pre: Option<Tensor>,
    post: Option<Tensor>,
}

impl Tap for Probe {
    fn weighted_output(&mut self, layer: usize, output: Tensor) -> Tensor {
        let zero = output.zeros_like().set_requires_grad(true);
        let watched = output + &zero;
        self.layers[layer].signal = Some(zero);
        watched
    }

    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor) {
        let seen = &mut self.layers[layer];
        seen.kind = Some(kind);
        seen.pre = Some(pre.detach());
        seen.post = Some(post.detach());
    }
}

impl Probe {
    /// For one pass through this network.
    pub fn new(network: &Network) -> Self {
        Self { layers: network.layers().iter().map(|_| Seen::default()).collect() }
    }

    /// Everything but the update and the firing, after backward and before the optimizer's step.
    pub fn capture(&self, network: &Network) -> Vec<LayerCapture> {
        let layers = network.layers().iter().zip(network.parameters()).zip(&self.layers);
        layers.map(|((layer, parameters), seen)| capture_layer(layer, parameters, seen)).collect()
    }

    /// The first layer whose nonlinearity saw or gave a NaN or an infinity in this pass.
    pub fn first_non_finite(&self) -> Option<usize> {
        let bad = |t: &Option<Tensor>| t.as_ref().is_some_and(|t| !all_finite(t));
        self.layers.iter().position(|seen| bad(&seen.pre) || bad(&seen.post))
    }
}

/// Whether no value is NaN or infinite.
pub fn all_finite(tensor: &Tensor) -> bool {
    memory::values(tensor).iter().all(|v| v.is_finite())
}

fn capture_layer(layer: &Layer, parameters: &Parameters, seen: &Seen) -> LayerCapture {
    let distribution = |t: &Tensor| Distribution::of(&memory::values(t));
    let grad = |t: &Tensor| Some(t.grad()).filter(Tensor::defined);
    let weight_grad = grad(&parameters.weight);
    let signal = seen.signal.as_ref().and_then(grad);
    LayerCapture {
        weight: distribution(&parameters.weight),
        bias: parameters.bias.as_ref().map(distribution),
        weight_grad: weight_grad.as_ref().map(distribution),
        bias_grad: parameters.bias.as_ref().and_then(grad).as_ref().map(distribution),
        update: None,
        weight_row_deviation: row_deviation(&parameters.weight),
        grad_row_deviation: weight_grad.as_ref().and_then(row_deviation),
        activations: activations(layer, seen, weight_grad.as_ref()),
        signal_l2: signal.map(|s| memory::l2(&memory::values(&s))),
        steps: None,
    }
}

/// The largest distance of a row from the mean row, over the norm of the mean row; `None` for vectors
/// and single rows. Rows of a convolution are its output channels.
fn row_deviation(matrix: &Tensor) -> Option<f64> {
    let size = matrix.size();
    let (rows, columns) = match size.as_slice() {
        [rows, rest @ ..] if *rows >= 2 && !rest.is_empty() => {
            (*rows as usize, rest.iter().product::<i64>() as usize)
        }
        _ => return None,
    };
    let values = memory::values(matrix);
    let mut mean = vec![0.0; columns];
    for row in values.chunks_exact(columns) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / rows as f64);
    }
    let distance = |row: &[f32]| row.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m).powi(2)).sum::<f64>();
    let largest = values.chunks_exact(columns).map(distance).fold(0.0, f64::max).sqrt();
    let norm = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
    // `f64::max` drops a NaN, which must stay visible.
    Some(if !norm.is_finite() {
        f64::NAN
    } else if largest == 0.0 {
        0.0
    } else {
        largest / norm
    })
}

fn activations(layer: &Layer, seen: &Seen, weight_grad: Option<&Tensor>) -> Option<Activations> {
    let (pre, post) = (seen.pre.as_ref()?, seen.post.as_ref()?);
    let hidden = !layer.output && layer.units > 1;
    let grad = weight_grad.filter(|_| hidden && !layer.activation.can_die());
    Some(Activations {
        pre: Distribution::of(&memory::values(pre)),
        post: Distribution::of(&memory::values(post)),
        units: post.size()[1] as u64,
        pre_sample_std: sample_std(pre),
        post_sample_std: sample_std(post),
        saturated_fraction: saturated_fraction(seen.kind?, post),
        firing: None,
        activity: grad.map(|grad| Activity { std: unit_std(post), grad: row_norms(grad) }),
        output_sum: (layer.output && layer.units > 1).then(|| output_sum(post)),
    })
}

/// Standard deviation of each unit over the samples (and positions).
fn unit_std(values: &Tensor) -> Vec<f32> {
    let std = rows_of_units(values).std_dim(Some([0i64].as_slice()), false, false);
    memory::values(&std).into_owned()
}

fn row_norms(matrix: &Tensor) -> Vec<f32> {
    let rows = matrix.size().first().copied().unwrap_or(1);
    memory::values(
        &matrix.reshape([rows, -1]).square().sum_dim_intlist([1i64].as_slice(), false, None).sqrt(),
    )
    .into_owned()
}

fn output_sum(post: &Tensor) -> OutputSum {
    let sums = post.sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    OutputSum { min: sums.min().double_value(&[]), max: sums.max().double_value(&[]) }
}

/// `[samples, units]`, where every position of an image is a sample of its channel.
fn rows_of_units(values: &Tensor) -> Tensor {
    match values.size().as_slice() {
        [_, channels, ..] if values.dim() > 2 => values.transpose(0, 1).reshape([*channels, -1]).tr(),
        _ => values.shallow_clone(),
    }
}

/// Standard deviation over samples, root mean square over units, of `[n, units]`; of an image every
/// position is a sample of its channel.
fn sample_std(values: &Tensor) -> f64 {
    let values = rows_of_units(values).to_kind(Kind::Double);
    let mean = values.mean_dim([0i64].as_slice(), true, Kind::Double);
    (values - mean).square().mean(Kind::Double).sqrt().double_value(&[])
}

/// From what came out: the slopes of the logistic function and of tanh are functions of their value.
fn saturated_fraction(kind: Activation, post: &Tensor) -> Option<f64> {
    let slope_share: Tensor = match kind {
        Activation::Sigmoid => post * (1.0 - post) * 4.0,
        Activation::Tanh => 1.0 - post.square(),
        _ => return None,
    };
    Some(slope_share.lt(SATURATED_SLOPE).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]))
}

/// Counts, pass after pass, on how many samples each ReLU unit fired.
pub struct FiringCount {
    exact: bool,
    layers: Vec<Option<Fired>>,
}

struct Fired {
    samples: i64,
    fired: Tensor,
    max_pre: Tensor,
}

impl FiringCount {
    /// `exact` where every sample of the training set is shown once, with the parameters held still.
    pub fn new(network: &Network, exact: bool) -> Self {
        Self { exact, layers: network.layers().iter().map(|_| None).collect() }
    }

    /// Layers with a unit that has not fired so far.
    pub fn has_silent_unit(&self) -> bool {
        self.layers.iter().flatten().any(|f| f.fired.min().int64_value(&[]) == 0)
    }

    /// Puts what was counted into the captures.
    pub fn write(&self, captures: &mut [LayerCapture]) {
        for (capture, fired) in captures.iter_mut().zip(&self.layers) {
            let (Some(activations), Some(fired)) = (&mut capture.activations, fired) else { continue };
            let rate = fired.fired.to_kind(Kind::Float) / fired.samples as f64;
            activations.firing = Some(Firing {
                samples: fired.samples as u64,
                exact: self.exact,
                rate: memory::values(&rate).into_owned(),
                max_pre: memory::values(&fired.max_pre).into_owned(),
            });
        }
    }
}

impl Tap for FiringCount {
    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, _post: &Tensor) {
        if !kind.can_die() {
            return;
        }
        let mut pre = pre.detach();
        if pre.dim() > 2 {
            // A channel fires on a sample where it does at any position.
            pre = pre.flatten(2, -1).amax([2i64].as_slice(), false);
        }
        let fired = pre.gt(0.0).sum_dim_intlist([0i64].as_slice(), false, Kind::Int64);
        let max_pre = pre.amax([0i64].as_slice(), false);
        let samples = pre.size()[0];
        match &mut self.layers[layer] {
            Some(seen) => {
                seen.samples += samples;
                seen.fired += fired;
                seen.max_pre = seen.max_pre.maximum(&max_pre);
            }
            empty => *empty = Some(Fired { samples, fired, max_pre }),
        }
    }
}

/// Two taps on one pass.
pub struct Both<'a>(pub Option<&'a mut Probe>, pub Option<&'a mut FiringCount>);

impl Tap for Both<'_> {
    fn weighted_output(&mut self, layer: usize, output: Tensor) -> Tensor {
        match &mut self.0 {
            Some(probe) => probe.weighted_output(layer, output),
            None => output,
        }
    }

    fn activation(&mut self, layer: usize, kind: Activation, pre: &Tensor, post: &Tensor) {
        if let Some(probe) = &mut self.0 {
            probe.activation(layer, kind, pre, post);
        }
        if let Some(count) = &mut self.1 {
            count.activation(layer, kind, pre, post);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::model::Plan;
    use crate::train::network::Mode;
    use crate::train::{Model, Sizes};
    use tch::Device;

    /// Two channels on a row of four pixels: the first passes its input on, the second is silent.
    fn convolution() -> Network {
        let text = "[[layers]]\ntype = \"conv2d\"\nchannels = 2\nkernel = 1\nact = \"relu\"\nbias = false\n\
                    [[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"linear\"\n";
        let model = Model::parse("test", text).unwrap();
        let sizes = Sizes { columns: 4, image: Some([1, 1, 4]), outputs: 1 };
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu);
        tch::no_grad(|| network.parameters()[0].weight.view(2).copy_(&Tensor::from_slice(&[1.0f32, 0.0])));
        network
    }

    #[test]
    fn a_channel_fires_on_a_sample_where_it_does_at_any_position() {
        let network = convolution();
        let x = Tensor::from_slice(&[-1.0f32, 3.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0]).view([2, 4]);
        let mut count = FiringCount::new(&network, true);
        let _ = network.forward(&x, Mode::Evaluate, Some(&mut count));
        let fired = count.layers[0].as_ref().unwrap();
        assert_eq!(fired.samples, 2);
        assert_eq!(memory::values(&fired.fired).as_ref(), [1.0, 0.0]);
        assert_eq!(memory::values(&fired.max_pre).as_ref(), [3.0, 0.0]);
    }

    #[test]
    fn statistics_of_a_channel_are_over_samples_and_positions_and_rows_are_channels() {
        let network = convolution();
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([1, 4]);
        let mut probe = Probe::new(&network);
        network.forward(&x, Mode::Train, Some(&mut probe)).sum(Kind::Float).backward();
        let capture = &probe.capture(&network)[0];
        let activations = capture.activations.as_ref().unwrap();
        assert_eq!(activations.units, 2);
        // Variances 1.25 and 0.
        assert!((activations.pre_sample_std - (1.25f64 / 2.0).sqrt()).abs() < 1e-9);
        // Rows 1 and 0, mean 0.5.
        assert_eq!(capture.weight_row_deviation, Some(1.0));
        assert!(capture.bias.is_none() && capture.signal_l2.is_some());
        // How often units fire says more of a ReLU than how much they vary.
        assert!(activations.activity.is_none());
    }

    #[test]
    fn what_single_units_do_and_what_outputs_add_up_to_is_measured() {
        let text = "[[layers]]\ntype = \"linear\"\nunits = 2\nact = \"tanh\"\nbias = false\n\
                    [[layers]]\ntype = \"linear\"\nbias = false\n";
        let model = Model::parse("test", text).unwrap();
        let sizes = Sizes { columns: 1, image: None, outputs: 3 };
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu);
        tch::no_grad(|| {
            network.parameters()[0].weight.view(2).copy_(&Tensor::from_slice(&[1.0f32, 0.0]));
            network.parameters()[1]
                .weight
                .view(6)
                .copy_(&Tensor::from_slice(&[1.0f32, 0.0, 1.0, 0.0, 1.0, 0.0]));
        });
        let x = Tensor::from_slice(&[-1.0f32, 1.0]).view([2, 1]);
        let mut probe = Probe::new(&network);
        network.forward(&x, Mode::Train, Some(&mut probe)).square().sum(Kind::Float).backward();
        let layers = probe.capture(&network);
        let hidden = layers[0].activations.as_ref().unwrap();
        let activity = hidden.activity.as_ref().unwrap();
        assert!((activity.std[0] - 1f32.tanh()).abs() < 1e-6 && activity.std[1] == 0.0);
        assert!(activity.grad[0] > 0.0 && activity.grad[1] == 0.0);
        assert!(hidden.output_sum.is_none());
        let sum = layers[1].activations.as_ref().unwrap().output_sum.unwrap();
        assert!((sum.max - 3.0 * 1f64.tanh()).abs() < 1e-6 && (sum.min + sum.max).abs() < 1e-6);
    }
}

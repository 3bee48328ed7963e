//! Captures a network: everything that is measured at a capture point.
//!
//! A probe rides along with one ordinary training pass: it keeps what goes into and comes out of each
//! nonlinearity, and adds a zero to every output of a weight whose own gradient, after backward, is the
//! backward signal δ. Nothing is computed twice and the pass gives the same bits as without it.

use tch::{Kind, Tensor};

use super::device_stats;
use super::memory;
use super::rows::{over_units, row_deviation, unit_variances};
use crate::record::{
    Activation, Activations, Activity, CaptureDetail, HiddenStateGradient, Layer, LayerCapture, OutputSum,
};
use crate::train::network::{ForwardHook, Parameters};

/// A unit-sample is saturated where its slope is below this share of the largest (rules.md's
/// definition of saturation).
const SATURATED_SLOPE: f64 = 0.05;

/// A watcher of one pass, which keeps what it shows of each layer.
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
    /// The zeros added to the hidden states, step after step.
    states: Vec<Tensor>,
    /// Whether one of these states was not finite.
    broken: bool,
}

impl ForwardHook for Probe {
    fn pre_activation(&mut self, layer: usize, output: Tensor) -> Tensor {
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

    fn state(&mut self, layer: usize, state: Tensor) -> Tensor {
        let zero = state.zeros_like().set_requires_grad(true);
        let seen = &mut self.layers[layer];
        seen.broken |= !all_finite(&state);
        let watched = state + &zero;
        seen.states.push(zero);
        watched
    }
}

impl Probe {
    /// For one pass through a network of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { layers: (0..layers).map(|_| Seen::default()).collect() }
    }

    /// The first layer whose nonlinearity saw or gave a NaN or an infinity in this pass.
    pub fn first_non_finite(&self) -> Option<usize> {
        let bad = |t: &Option<Tensor>| t.as_ref().is_some_and(|t| !all_finite(t));
        self.layers.iter().position(|seen| seen.broken || bad(&seen.pre) || bad(&seen.post))
    }
}

/// Whether no value is NaN or infinite.
pub fn all_finite(tensor: &Tensor) -> bool {
    memory::values(tensor).iter().all(|v| v.is_finite())
}

/// Everything but the update and the firing, after backward and before the optimizer's step; of what a
/// layer put out only where a probe went with the pass.
pub fn capture(
    layers: &[Layer],
    parameters: &[Parameters],
    probe: Option<&Probe>,
    detail: &CaptureDetail,
    threads: usize,
) -> Vec<LayerCapture> {
    let unseen = Seen::default();
    let layers = layers.iter().zip(parameters).enumerate();
    layers
        .map(|(index, (layer, parameters))| {
            let seen = probe.and_then(|p| p.layers.get(index)).unwrap_or(&unseen);
            capture_layer(layer, parameters, seen, detail, threads)
        })
        .collect()
}

fn capture_layer(
    layer: &Layer,
    parameters: &Parameters,
    seen: &Seen,
    detail: &CaptureDetail,
    threads: usize,
) -> LayerCapture {
    let distribution = |t: &Tensor| device_stats::distribution_of(t, threads, detail.parameters);
    let weight_grad = gradient(&parameters.weight);
    LayerCapture {
        bias: parameters.bias.as_ref().map(distribution),
        weight_grad: weight_grad.as_ref().map(distribution),
        bias_grad: parameters.bias.as_ref().and_then(gradient).as_ref().map(distribution),
        weight_row_deviation: if detail.rows { row_deviation(&parameters.weight) } else { None },
        grad_row_deviation: weight_grad.as_ref().filter(|_| detail.rows).and_then(row_deviation),
        activations: activations(layer, seen, weight_grad.as_ref(), detail, threads),
        output_gradient_l2: seen.signal.as_ref().and_then(gradient).as_ref().map(device_stats::l2),
        hidden_state_gradient: hidden_state_gradient(seen),
        ..LayerCapture::new(distribution(&parameters.weight))
    }
}

/// The gradient of a tensor, if it has one.
fn gradient(tensor: &Tensor) -> Option<Tensor> {
    Some(tensor.grad()).filter(Tensor::defined)
}

/// ‖δ‖ of every hidden state; none where one has no gradient, or where there are none.
fn hidden_state_gradient(seen: &Seen) -> Option<HiddenStateGradient> {
    let norms: Option<Vec<f32>> =
        seen.states.iter().map(|zero| Some(device_stats::l2(&gradient(zero)?) as f32)).collect();
    norms.filter(|norms| !norms.is_empty()).map(|norms| HiddenStateGradient::new(&norms))
}

fn activations(
    layer: &Layer,
    seen: &Seen,
    weight_grad: Option<&Tensor>,
    detail: &CaptureDetail,
    threads: usize,
) -> Option<Activations> {
    let (pre, post) = (seen.pre.as_ref()?, seen.post.as_ref()?);
    let hidden = !layer.output && layer.units > 1;
    let grad = weight_grad.filter(|_| hidden && !layer.activation.can_die());
    let post_variances = unit_variances(post);
    Some(Activations {
        pre_sample_std: over_units(&unit_variances(pre)),
        post_sample_std: over_units(&post_variances),
        saturated_fraction: saturated_fraction(seen.kind?, post),
        activity: grad.map(|grad| Activity {
            std: post_variances.iter().map(|v| v.sqrt() as f32).collect(),
            grad: row_norms(grad),
        }),
        output_sum: (layer.output && layer.units > 1).then(|| output_sum(post)),
        ..Activations::new(
            device_stats::distribution_of(pre, threads, detail.pre),
            device_stats::distribution_of(post, threads, detail.post),
            post.size()[1] as u64,
        )
    })
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

/// From what came out: the slopes of the logistic function and of tanh are functions of their value.
fn saturated_fraction(kind: Activation, post: &Tensor) -> Option<f64> {
    let slope_share: Tensor = match kind {
        Activation::Sigmoid => post * (1.0 - post) * 4.0,
        Activation::Tanh => 1.0 - post.square(),
        _ => return None,
    };
    Some(slope_share.lt(SATURATED_SLOPE).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::train::model::Plan;
    use crate::train::network::{Mode, Network};
    use crate::train::{Model, Sizes};
    use tch::Device;

    /// Two channels on a row of four pixels: the first passes its input on, the second is silent.
    pub fn convolution() -> Network {
        let text = "[[layers]]\ntype = \"conv2d\"\nchannels = 2\nkernel = 1\nact = \"relu\"\nbias = false\n\
                    [[layers]]\ntype = \"flatten\"\n[[layers]]\ntype = \"linear\"\n";
        let model = Model::parse("test", text).unwrap();
        let sizes = Sizes { columns: 4, image: Some([1, 1, 4]), sequence: None, outputs: 1 };
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu);
        tch::no_grad(|| network.parameters()[0].weight.view(2).copy_(&Tensor::from_slice(&[1.0f32, 0.0])));
        network
    }

    #[test]
    fn statistics_of_a_channel_are_over_samples_and_positions_and_rows_are_channels() {
        let network = convolution();
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([1, 4]);
        let mut probe = Probe::new(network.layers().len());
        network.forward(&x, Mode::Train, Some(&mut probe)).unwrap().sum(Kind::Float).backward();
        let capture =
            &capture(network.layers(), network.parameters(), Some(&probe), &CaptureDetail::FULL, 1)[0];
        let activations = capture.activations.as_ref().unwrap();
        assert_eq!(activations.units, 2);
        // Variances 1.25 and 0.
        assert!((activations.pre_sample_std - (1.25f64 / 2.0).sqrt()).abs() < 1e-9);
        // Rows 1 and 0, mean 0.5.
        assert_eq!(capture.weight_row_deviation, Some(1.0));
        assert!(capture.bias.is_none() && capture.output_gradient_l2.is_some());
        // How often units fire says more of a ReLU than how much they vary.
        assert!(activations.activity.is_none());
    }

    #[test]
    fn what_single_units_do_and_what_outputs_add_up_to_is_measured() {
        let text = "[[layers]]\ntype = \"linear\"\nunits = 2\nact = \"tanh\"\nbias = false\n\
                    [[layers]]\ntype = \"linear\"\nbias = false\n";
        let model = Model::parse("test", text).unwrap();
        let sizes = Sizes { columns: 1, image: None, sequence: None, outputs: 3 };
        let network = Network::new(&Plan::new(&model, sizes).unwrap(), Device::Cpu);
        tch::no_grad(|| {
            network.parameters()[0].weight.view(2).copy_(&Tensor::from_slice(&[1.0f32, 0.0]));
            network.parameters()[1]
                .weight
                .view(6)
                .copy_(&Tensor::from_slice(&[1.0f32, 0.0, 1.0, 0.0, 1.0, 0.0]));
        });
        let x = Tensor::from_slice(&[-1.0f32, 1.0]).view([2, 1]);
        let mut probe = Probe::new(network.layers().len());
        network.forward(&x, Mode::Train, Some(&mut probe)).unwrap().square().sum(Kind::Float).backward();
        let layers = capture(network.layers(), network.parameters(), Some(&probe), &CaptureDetail::FULL, 1);
        let hidden = layers[0].activations.as_ref().unwrap();
        let activity = hidden.activity.as_ref().unwrap();
        assert!((activity.std[0] - 1f32.tanh()).abs() < 1e-6 && activity.std[1] == 0.0);
        assert!(activity.grad[0] > 0.0 && activity.grad[1] == 0.0);
        assert!(hidden.output_sum.is_none());
        let sum = layers[1].activations.as_ref().unwrap().output_sum.unwrap();
        assert!((sum.max - 3.0 * 1f64.tanh()).abs() < 1e-6 && (sum.min + sum.max).abs() < 1e-6);
    }
}

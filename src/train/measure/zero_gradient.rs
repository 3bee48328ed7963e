//! Which units get a gradient at all, where nothing else can be seen of them: rows of weights with their bias
//! whose gradient is exactly zero in every batch of an epoch.

use tch::{Kind, Tensor};

use crate::record::{Layer, LayerCapture, LayerKind, ZeroGradientUnits};
use crate::train::network::Parameters;

/// Of every layer of a network, over the batches of an epoch.
pub struct ZeroGradientScreen {
    batches: u64,
    layers: Vec<Option<Rows>>,
}

/// Of one layer.
struct Rows {
    /// Which rows had a gradient in some batch.
    reached: Tensor,
    /// Whether all had, so that there is nothing left to look for.
    all: bool,
}

impl ZeroGradientScreen {
    /// For an epoch of a network with these layers. Rows of a weight make units only where `units_first` says
    /// so: what somebody wrote by hand may have them in columns.
    pub fn new(layers: &[Layer], parameters: &[Parameters], units_first: &[bool]) -> Self {
        use LayerKind::{Conv1d, Conv2d, Conv3d, Linear};
        Self {
            batches: 0,
            layers: layers
                .iter()
                .zip(parameters)
                .zip(units_first)
                .map(|((layer, own), units_first): ((&Layer, &Parameters), &bool)| {
                    let of_units = *units_first
                        && matches!(layer.kind, Linear | Conv1d | Conv2d | Conv3d)
                        && layer.trainable;
                    of_units.then(|| {
                        let units = [own.weight.size()[0]];
                        Rows { reached: Tensor::zeros(units, (Kind::Bool, own.weight.device())), all: false }
                    })
                })
                .collect(),
        }
    }

    /// Looks at the gradients of a batch.
    pub fn add(&mut self, parameters: &[Parameters]) {
        self.batches += 1;
        for (rows, own) in self.layers.iter_mut().zip(parameters) {
            let Some(rows) = rows.as_mut().filter(|rows| !rows.all) else { continue };
            let bias = own.bias.as_ref().filter(|bias| bias.size() == rows.reached.size());
            let gradients = [Some(&own.weight), bias].into_iter().flatten().map(Tensor::grad);
            for gradient in gradients.filter(Tensor::defined) {
                // A NaN is not zero.
                let reached = gradient.reshape([gradient.size()[0], -1]).ne(0.0).any_dim(1, false);
                rows.reached = rows.reached.logical_or(&reached);
            }
            rows.all = rows.reached.all().int64_value(&[]) != 0;
        }
    }

    /// Puts what was seen into the captures of these layers.
    pub fn write(&self, captures: &mut [LayerCapture]) {
        for (capture, rows) in captures.iter_mut().zip(&self.layers) {
            let Some(rows) = rows.as_ref().filter(|_| capture.weight_grad.is_some()) else { continue };
            let (units, reached) =
                (rows.reached.numel() as u64, rows.reached.sum(Kind::Int64).int64_value(&[]));
            capture.zero_gradient_units =
                Some(ZeroGradientUnits { zero: units - reached as u64, units, batches: self.batches });
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::record::{Activation, CaptureDetail};
    use crate::train::measure::probe;

    #[test]
    fn a_row_is_reached_where_a_weight_of_it_or_its_bias_has_a_gradient_in_some_batch() {
        let weight = Tensor::ones([4, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let bias = Tensor::zeros([4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let parameters = [Parameters::new(weight.shallow_clone(), Some(bias.shallow_clone()))];
        let mut screen = ZeroGradientScreen::new(&[layer()], &parameters, &[true]);
        let mut batch = |x: [f32; 2], unit: i64, factor: f64| {
            weight.shallow_clone().zero_grad();
            bias.shallow_clone().zero_grad();
            let x = Tensor::from_slice(&x).reshape([1, 2]);
            (x.linear(&weight, Some(&bias)).select(1, unit) * factor).sum(Kind::Float).backward();
            screen.add(&parameters);
        };
        batch([1.0, 0.0], 0, 1.0);
        // Nothing but the bias: all inputs are zero.
        batch([0.0, 0.0], 1, 1.0);
        batch([1.0, 0.0], 2, f64::NAN);
        let mut captures = probe::capture(&[layer()], &parameters, None, &CaptureDetail::MOMENTS, 1);
        screen.write(&mut captures);
        assert_eq!(
            captures[0].zero_gradient_units,
            Some(ZeroGradientUnits { zero: 1, units: 4, batches: 3 })
        );
    }

    fn layer() -> Layer {
        gradscope_core::testing::linear("fc", [4, 2], Activation::Identity)
    }
}

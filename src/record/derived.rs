//! Numbers that follow from what was captured: the quantities that findings, summaries and tables
//! share.

use super::{ActivationFrequency, Activations, Layer, LayerCapture, LayerKind};

/// Least RMS of a row of weights that an update is compared with: a layer that starts at zero would
/// otherwise seem to take infinitely large steps.
const MIN_ROW_NORM: f64 = 0.1;

/// An L2 norm over the steps of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Its median, which a single odd batch does not move.
    pub median: f64,
    /// Its largest value.
    pub max: f64,
}

impl Layer {
    /// The least ‖W‖ that an update is compared with, 0.1·√units.
    pub fn min_weight_norm(&self) -> f64 {
        MIN_ROW_NORM * (self.units.max(1) as f64).sqrt()
    }

    /// Whether it is the weight by which a recurrent layer without gates looks back: a square one.
    pub fn is_plain_cell(&self) -> bool {
        self.kind == LayerKind::Recurrent && self.units == self.fan_in && self.name.contains("hh")
    }
}

impl LayerCapture {
    /// ‖g‖ of the weight: over the epoch's steps, else at the captured one; `None` without a gradient.
    pub fn gradient_norm(&self) -> Option<Norm> {
        if let Some(spread) = self.steps.as_ref().and_then(|s| s.grad_l2) {
            return Some(Norm { median: spread.median, max: spread.max });
        }
        self.weight_grad.as_ref().map(|g| Norm { median: g.l2(), max: g.l2() })
    }

    /// ‖ΔW‖, likewise.
    pub fn update_norm(&self) -> Option<Norm> {
        if let Some(spread) = self.steps.as_ref().and_then(|s| s.update_l2) {
            return Some(Norm { median: spread.median, max: spread.max });
        }
        self.update.as_ref().map(|u| Norm { median: u.l2(), max: u.l2() })
    }

    /// ‖W‖: the median over the epoch's steps, else at the captured one.
    pub fn weight_norm(&self) -> f64 {
        self.steps.as_ref().and_then(|s| s.weight_l2).map_or_else(|| self.weight.l2(), |s| s.median)
    }

    /// Elasticity ‖W‖·‖g‖ / loss: how strongly the loss pulls on the weight, whatever the scale of
    /// either. Of matrices alone; `None` where W = 0 or a number is missing or not finite.
    pub fn elasticity(&self, layer: &Layer, loss: f64) -> Option<f64> {
        let weight = self.weight_norm();
        let elasticity = weight * self.gradient_norm()?.median / loss;
        let defined = elasticity.is_finite() && weight > 0.0 && loss > 0.0 && loss.is_finite();
        (layer.kind.is_matrix() && defined).then_some(elasticity)
    }

    /// ‖ΔW‖ / max(‖W‖, 0.1·√units) of the captured step; NaN where a weight is; `None` where no update
    /// was measured.
    pub fn update_ratio(&self, layer: &Layer) -> Option<f64> {
        let (update, weight) = (self.update.as_ref()?.l2(), self.weight.l2());
        // `f64::max` drops a NaN, which must stay visible.
        Some(if weight.is_nan() { weight } else { update / weight.max(layer.min_weight_norm()) })
    }

    /// How often its units fired, see [`Activations::finite_activation_frequency`].
    pub fn firing(&self) -> Option<&ActivationFrequency> {
        self.activations.as_ref()?.finite_activation_frequency()
    }

    /// Whether it holds a NaN or an infinity in its weight or its gradient.
    pub fn is_broken(&self) -> bool {
        !self.weight.l2().is_finite() || self.weight_grad.as_ref().is_some_and(|g| !g.l2().is_finite())
    }
}

impl Activations {
    /// How often units fired; `None` where it was not measured, or where what goes into the
    /// nonlinearity is not finite: of a NaN it cannot be said whether it is above zero.
    pub fn finite_activation_frequency(&self) -> Option<&ActivationFrequency> {
        let firing = self.activation_frequency.as_ref()?;
        let finite = self.pre.finite() == self.pre.count() && firing.max_pre().is_finite();
        (finite && firing.samples > 0 && !firing.rate.is_empty()).then_some(firing)
    }
}

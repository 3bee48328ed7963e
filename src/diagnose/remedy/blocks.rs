//! Changes that several rules suggest: single ones first, then lists of them.

use super::change::Change;
use super::facts::{Initializer, MAX_LEARNING_RATE, TARGET_UPDATE};
use super::plan::Plan;
use crate::diagnose::text::two_digits;
use crate::record::Activation;
use crate::record::settings::{Norm, OptimizerKind};
use crate::text::number;

/// RMS of the inputs outside of which they should be standardised; a guess, as the prototype's.
const INPUT_RMS: std::ops::RangeInclusive<f64> = 0.03..=30.0;
/// Slope of a leaky ReLU that lets a gradient through several layers.
const LARGE_SLOPE: f64 = 0.2;
/// First update from which the rate is to blame for a run without progress.
const LARGE_UPDATE: f64 = 0.1;
/// Hidden layers from which sigmoids shrink the gradient too much for Xavier to help: each takes three
/// quarters or more of it.
const DEEP_SIGMOID: usize = 3;

/// Adam, at this learning rate.
pub fn adam_at(rate: f64) -> [Change; 2] {
    [Change::Optimizer(OptimizerKind::Adam), Change::LearningRate(rate)]
}

/// ReLU with the initialiser of He and others, which is made for it.
pub fn relu_with_he() -> [Change; 2] {
    [Change::Activation(Activation::Relu), Initializer::Kaiming.into()]
}

impl Plan<'_> {
    /// A learning rate that makes steps of a healthy size, or one of a hundredth.
    pub fn lower_rate(&mut self) {
        let lr = self.run.training.lr;
        if lr <= 0.0 || !lr.is_finite() {
            return;
        }
        let hundredth = [Change::LearningRate(two_digits(lr / 100.0))];
        match self.fitting_rate().filter(|fit| *fit < lr) {
            Some(fit) => self.add([Change::LearningRate(two_digits(fit))], self.why_fitting_rate()),
            None => self.add(hundredth.clone(), "a hundredth of the rate; a tenth is rarely enough"),
        }
        if self.is_adaptive() {
            self.add(hundredth, "a hundredth of the rate; a tenth helps half of the time");
        }
    }

    /// The initialiser that suits the activation.
    pub fn fit_init(&mut self, why: &str) {
        if let Some(init) = self.fitting_init() {
            self.add([init.into()], why);
        }
    }

    /// The same where the weights are tiny.
    pub fn fit_tiny_init(&mut self, why: &str) {
        if self.has_tiny_weights() {
            self.fit_init(why);
        }
    }

    /// The initialiser that suits the activation, then Xavier's, which suits most.
    pub fn initialise(&mut self, why: &str) {
        self.fit_init(why);
        if !Initializer::Xavier.is_family_of(&self.run.init) {
            self.add([Initializer::Xavier.into()], why);
        }
    }

    /// Normalisation of what hidden layers make of their inputs.
    pub fn normalise(&mut self, why: &str) {
        // What a recurrent layer makes of a step is not normalised by a flag.
        if self.run.norm == Norm::None && self.q.trunk().next().is_some() {
            self.add([Change::Norm(self.fitting_norm())], why);
        }
    }

    /// A leaky ReLU in place of a ReLU.
    pub fn leaky(&mut self) {
        if self.run.activation == Activation::Relu {
            self.add(
                [Change::Activation(Activation::Lrelu), Change::LeakySlope(LARGE_SLOPE)],
                "a leaky ReLU passes some gradient where a ReLU is silent; it seldom is enough by itself",
            );
        }
    }

    /// Adam at its usual rate.
    pub fn adam(&mut self) {
        if !(self.is_adaptive() && self.run.training.lr == 0.001) {
            self.add(adam_at(0.001), "Adam makes steps of one size, whatever the size of the gradient");
        }
    }

    /// Standardised inputs, where a table's are of an odd size.
    pub fn standardise(&mut self) {
        let data = &self.q.record.header.data;
        let rms = data.input_rms;
        if data.name.starts_with("csv") && rms > 0.0 && rms.is_finite() && !INPUT_RMS.contains(&rms) {
            let why = format!("the inputs have an RMS of {}; networks are made for about 1", number(rms));
            self.add([Change::Standardize], why);
        }
    }

    /// Against units that their weights keep from firing.
    pub fn dead_by_weights(&mut self) {
        self.standardise();
        self.fit_init("weights around zero make about half of the samples fire");
        self.normalise("it moves pre-activations around zero, so that units fire again");
        self.leaky();
    }

    /// Against signals or gradients that grow from layer to layer.
    pub fn growing_with_depth(&mut self) {
        self.fit_init("it keeps the size of signals from layer to layer");
        self.normalise("it keeps the size of signals from layer to layer");
        if self.run.norm == Norm::None {
            self.add(
                [Change::Norm(Norm::Layer)],
                "it keeps the size of signals from layer to layer, without looking at a batch",
            );
        }
    }

    /// Against steps that are too large.
    pub fn too_large_steps(&mut self) {
        self.standardise();
        self.lower_rate();
        if !self.is_adaptive() {
            self.adam();
            if self.run.training.clip_norm.is_none_or(|c| c > 1.0) {
                self.add(
                    [Change::ClipNorm(1.0), Change::LearningRate(two_digits(self.run.training.lr / 10.0))],
                    "it bounds the largest steps, and a tenth of the rate the others",
                );
            }
        }
    }

    /// Against steps that are too small.
    pub fn too_small_steps(&mut self) {
        let lr = self.run.training.lr;
        if self.schedule_ends_it() {
            let fit = self.fitting_rate().unwrap_or(lr).max(lr);
            let why = "the schedule has all but ended the run; a cosine leaves it half of its steps";
            let cosine = Change::LearningRateDecay("cosine".into());
            self.add([cosine.clone(), Change::LearningRate(two_digits(fit))], why);
            let [adam, rate] = adam_at(0.001);
            self.add([cosine, adam, rate], why);
        }
        if lr > 0.0 && lr.is_finite() {
            match self.fitting_rate().filter(|fit| *fit > 2.0 * lr) {
                Some(fit) => self.add([Change::LearningRate(two_digits(fit))], self.why_fitting_rate()),
                None => self.add(
                    [Change::LearningRate(two_digits((lr * 1000.0).min(MAX_LEARNING_RATE)))],
                    "a thousand times the rate; ten times is not enough",
                ),
            }
        } else {
            let rate = if self.is_adaptive() { 0.001 } else { 0.01 };
            self.add([Change::LearningRate(rate)], "with a learning rate of 0 nothing can move");
        }
        self.adam();
    }

    /// Against gradients that shrink from layer to layer.
    pub fn shrinking_with_depth(&mut self) {
        self.standardise();
        self.lift_pre_activations();
        if self.is_narrow() {
            self.normalise(
                "it keeps the size of signals from layer to layer, and layers of a few units alive",
            );
        }
        let act = self.run.activation.known();
        let deep = self.q.hidden().count() >= DEEP_SIGMOID;
        if act == Some(Activation::Sigmoid) && deep {
            self.replace_deep_sigmoids();
        } else if self.has_tiny_weights() {
            let why = format!(
                "the weights ({}) are so small that each layer shrinks the gradient; no learning rate \
                 makes up for it",
                self.run.init
            );
            self.fit_init(&why);
        } else if !deep || act != Some(Activation::Tanh) {
            self.fit_init("it keeps the size of gradients from layer to layer");
        }
        self.normalise("it keeps the size of signals from layer to layer");
        if act == Some(Activation::Lrelu) && self.run.lrelu_slope < LARGE_SLOPE {
            self.add(
                [Change::LeakySlope(LARGE_SLOPE)],
                "a larger slope lets more of the gradient through; it eases the decay, it does not remove it",
            );
        }
        if act == Some(Activation::Tanh) && self.q.trunk().next().is_some() {
            self.add(relu_with_he(), "a ReLU does not saturate");
        }
    }

    /// A bias of zero, where pre-activations are below it and only a part of the gradient passes there.
    fn lift_pre_activations(&mut self) {
        use Activation::{Elu, Gelu, Lrelu, Selu, Silu};
        let lopsided = matches!(self.run.activation.known(), Some(Lrelu | Elu | Gelu | Silu | Selu));
        if !lopsided || !self.is_mostly_negative() || self.has_zero_bias() {
            return;
        }
        let why = "with pre-activations below zero every layer passes only its slope's share of the gradient";
        match self.fitting_init().filter(|_| self.has_tiny_weights()) {
            Some(init) => self
                .add([Change::Bias(0.0), init.into()], format!("{why}, and the tiny weights take the rest")),
            None => self.add([Change::Bias(0.0)], why),
        }
    }

    fn replace_deep_sigmoids(&mut self) {
        self.add(relu_with_he(), "a sigmoid's slope is at most 1/4, layer after layer; a ReLU's is 1");
        let tanh = [Change::Activation(Activation::Tanh), Initializer::Xavier.into()];
        self.add(tanh, "the slope of tanh is 1 at zero");
        self.normalise("it keeps the size of signals from layer to layer");
        self.fit_tiny_init("the weights are tiny; it eases the decay, the sigmoids remain");
    }

    /// Against a run without progress that nothing else explains.
    pub fn no_progress(&mut self) {
        self.standardise();
        if self.run.activation == Activation::Identity && self.q.hidden().next().is_some() {
            self.add(
                relu_with_he(),
                "without a nonlinearity all layers together are no more than a linear one",
            );
        }
        if self.first_update().is_some_and(|u| u > LARGE_UPDATE) {
            self.lower_rate();
        }
        if self.q.captures.last().and_then(|c| c.median_update()).is_some_and(|u| u < TARGET_UPDATE / 10.0) {
            self.too_small_steps();
        }
        self.adam();
        self.fit_tiny_init("the weights are tiny");
    }
}

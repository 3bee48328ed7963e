//! Updates of parameters by optimizers: PyTorch's formulas, on tensors that can be saved.
//!
//! libtorch's own optimizers keep their running means to themselves, so that a run could not go on
//! where it stopped.

use tch::{COptimizer, Device, Tensor};

use super::settings::OptimizerSettings;
use crate::record::settings::OptimizerKind;
use crate::train::TrainError;

/// Adam's default decay rates of its two running means.
const ADAM_BETAS: (f64, f64) = (0.9, 0.999);
/// PyTorch's default for Adam, AdamW and RMSprop.
const EPS: f64 = 1e-8;
/// PyTorch's default smoothing of RMSprop.
const RMSPROP_ALPHA: f64 = 0.99;
/// The number that PyTorch adds to a norm before it divides by it.
const CLIP_EPS: f64 = 1e-6;

/// An optimizer with everything that it remembers.
pub struct Optimizer {
    settings: OptimizerSettings,
    /// Minus the learning rate, where the parameters are: a factor that needs no copy of what it
    /// multiplies.
    minus_lr: Tensor,
    /// Libtorch's own, which alone can forget gradients: ones of zeros would be added to.
    forgetter: COptimizer,
    /// Steps done.
    steps: u64,
    slots: Vec<ParamState>,
}

/// A parameter and what is remembered of it.
struct ParamState {
    name: String,
    parameter: Tensor,
    /// In the order of [`memory`].
    memory: Vec<Tensor>,
}

/// State of every parameter, by PyTorch's names.
fn memory(settings: &OptimizerSettings) -> &'static [&'static str] {
    match (settings.kind, settings.momentum > 0.0) {
        (OptimizerKind::Sgd, false) => &[],
        (OptimizerKind::Sgd, true) => &["momentum_buffer"],
        (OptimizerKind::Adam | OptimizerKind::AdamW, _) => &["exp_avg", "exp_avg_sq"],
        (OptimizerKind::RmsProp, false) => &["square_avg"],
        (OptimizerKind::RmsProp, true) => &["square_avg", "momentum_buffer"],
    }
}

impl OptimizerSettings {
    /// An optimizer over those of these variables that are to be trained.
    ///
    /// # Errors
    /// [`TrainError::Torch`].
    pub fn build(&self, variables: Vec<(String, Tensor)>, device: Device) -> Result<Optimizer, TrainError> {
        Optimizer::new(*self, variables, device)
    }
}

impl Optimizer {
    /// Over those of these variables that are to be trained, with nothing remembered yet.
    ///
    /// # Errors
    /// [`TrainError::Torch`].
    pub fn new(
        settings: OptimizerSettings,
        mut variables: Vec<(String, Tensor)>,
        device: Device,
    ) -> Result<Self, TrainError> {
        variables.retain(|(_, variable)| variable.requires_grad());
        variables.sort_by(|a, b| a.0.cmp(&b.0));
        let mut forgetter = COptimizer::sgd(settings.lr, 0.0, 0.0, 0.0, false)?;
        variables.iter().try_for_each(|(_, variable)| forgetter.add_parameters(variable, 0))?;
        Ok(Self {
            settings,
            minus_lr: factor(-settings.lr, device),
            forgetter,
            steps: 0,
            slots: variables
                .into_iter()
                .map(|(name, parameter): (String, Tensor)| {
                    let zeros = || tch::no_grad(|| parameter.zeros_like());
                    ParamState {
                        name,
                        memory: memory(&settings).iter().map(|_| zeros()).collect(),
                        parameter,
                    }
                })
                .collect(),
        })
    }

    /// Learning rate of the next steps.
    pub fn set_lr(&mut self, lr: f64) {
        if lr != self.settings.lr {
            self.settings.lr = lr;
            self.minus_lr = factor(-lr, self.minus_lr.device());
        }
    }

    /// Steps done so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Everything that is remembered, such as `exp_avg.fc1.weight`. These are the tensors themselves.
    pub fn memory(&self) -> Vec<(String, Tensor)> {
        let names = memory(&self.settings);
        self.slots
            .iter()
            .flat_map(|slot: &ParamState| {
                let named = names.iter().zip(&slot.memory);
                named
                    .map(|(what, t)| (format!("{what}.{}", slot.name), t.shallow_clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Goes on as if it had done so many steps; what they left is written into [`memory`](Self::memory).
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Forgets the gradients of the last step.
    ///
    /// # Errors
    /// [`TrainError::Torch`].
    pub fn zero_grad(&self) -> Result<(), TrainError> {
        Ok(self.forgetter.zero_grad()?)
    }

    /// Scales the gradients down to this L2 norm, taken over all of them together.
    pub fn clip_grad_norm(&self, max: f64) {
        tch::no_grad(|| {
            let norms: Vec<Tensor> = self.gradients().map(|grad| grad.norm()).collect();
            if norms.is_empty() {
                return;
            }
            let scale = max / (Tensor::stack(&norms, 0).norm().double_value(&[]) + CLIP_EPS);
            if scale < 1.0 {
                for mut grad in self.gradients() {
                    let _ = grad.g_mul_scalar_(scale);
                }
            }
        });
    }

    /// Brings every value of the gradients to between `-max` and `max`.
    pub fn clip_grad_value(&self, max: f64) {
        tch::no_grad(|| {
            for mut grad in self.gradients() {
                let _ = grad.clamp_(-max, max);
            }
        });
    }

    /// Changes the parameters by their gradients.
    pub fn step(&mut self) {
        self.steps += 1;
        let (settings, minus_lr, steps) = (self.settings, &self.minus_lr, self.steps as f64);
        tch::no_grad(|| {
            for slot in &mut self.slots {
                let grad = slot.parameter.grad();
                if grad.defined() {
                    slot.update(&settings, minus_lr, steps, grad);
                }
            }
        });
    }

    fn gradients(&self) -> impl Iterator<Item = Tensor> {
        self.slots.iter().map(|slot| slot.parameter.grad()).filter(Tensor::defined)
    }
}

/// A number as a tensor.
fn factor(value: f64, device: Device) -> Tensor {
    Tensor::from(value as f32).to_device(device)
}

impl ParamState {
    /// In place, and with as few operations as there can be: of small tensors each costs the same.
    fn update(&mut self, settings: &OptimizerSettings, minus_lr: &Tensor, steps: f64, grad: Tensor) {
        let OptimizerSettings { kind, lr, momentum, weight_decay } = *settings;
        let weight = &mut self.parameter;
        let grad = match kind {
            // Decoupled: apart from the gradient and its running means.
            OptimizerKind::AdamW => {
                let _ = weight.g_mul_scalar_(1.0 - lr * weight_decay);
                grad
            }
            _ if weight_decay != 0.0 => grad + &*weight * weight_decay,
            _ => grad,
        };
        match (kind, self.memory.as_mut_slice()) {
            (OptimizerKind::Sgd, [velocity]) => {
                let _ = velocity.g_mul_scalar_(momentum).g_add_(&grad);
                let _ = weight.addcmul_(velocity, minus_lr);
            }
            (OptimizerKind::Adam | OptimizerKind::AdamW, [mean, square]) => {
                let (beta1, beta2) = ADAM_BETAS;
                let (correction1, correction2) = (1.0 - beta1.powf(steps), (1.0 - beta2.powf(steps)).sqrt());
                let _ = mean.lerp_(&grad, 1.0 - beta1);
                let _ = square.g_mul_scalar_(beta2).addcmul_(&(&grad * (1.0 - beta2)), &grad);
                // √(v / c₂) + ε, over the rate: everything in place.
                let mut scale = square.sqrt();
                let _ =
                    scale.g_add_scalar_(EPS * correction2).g_mul_scalar_(-correction1 / (lr * correction2));
                let _ = weight.addcdiv_(mean, &scale);
            }
            (OptimizerKind::RmsProp, [square, rest @ ..]) => {
                let _ = square.g_mul_scalar_(RMSPROP_ALPHA).addcmul_(&(&grad * (1.0 - RMSPROP_ALPHA)), &grad);
                let mut scale = square.sqrt().g_add_scalar_(EPS);
                match rest {
                    [velocity, ..] => {
                        let _ = velocity.g_mul_scalar_(momentum).addcdiv_(&grad, &scale);
                        let _ = weight.addcmul_(velocity, minus_lr);
                    }
                    [] => {
                        let _ = weight.addcdiv_(&grad, &scale.g_mul_scalar_(-1.0 / lr));
                    }
                }
            }
            _ => {
                let _ = weight.addcmul_(&grad, minus_lr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use tch::nn::{self, OptimizerConfig, VarStore};

    use super::*;

    /// A weight and a bias, the same every time.
    fn variables(store: &VarStore) -> Vec<(String, Tensor)> {
        store.variables().into_iter().collect()
    }

    fn store() -> (VarStore, [Tensor; 2]) {
        store_of(1.0)
    }

    /// The same, of this size.
    fn store_of(size: f64) -> (VarStore, [Tensor; 2]) {
        let store = VarStore::new(Device::Cpu);
        let weight = Tensor::arange(12, (Kind::Float, Device::Cpu)).sin().view([3, 4]) * size;
        let bias = Tensor::from_slice(&[0.5f32, -0.25, 0.0]) * size;
        let [weight, bias] =
            [("weight", weight), ("bias", bias)].map(|(name, t)| store.root().var_copy(name, &t));
        (store, [weight, bias])
    }

    fn loss([weight, bias]: &[Tensor; 2], step: i64) -> Tensor {
        let x = (Tensor::arange(8, (Kind::Float, Device::Cpu)) + step as f64).cos().view([2, 4]);
        (x.linear(weight, Some(bias)).tanh() - 0.3).square().sum(Kind::Float)
    }

    fn settings(kind: OptimizerKind, momentum: f64, weight_decay: f64) -> OptimizerSettings {
        OptimizerSettings { kind, lr: 0.05, momentum, weight_decay }
    }

    fn libtorch(s: OptimizerSettings, store: &VarStore) -> nn::Optimizer {
        let (beta1, beta2) = ADAM_BETAS;
        let wd = s.weight_decay;
        match s.kind {
            OptimizerKind::Sgd => nn::sgd(s.momentum, 0.0, wd, false).build(store, s.lr),
            OptimizerKind::Adam => nn::adam(beta1, beta2, wd).eps(EPS).build(store, s.lr),
            OptimizerKind::AdamW => nn::adamw(beta1, beta2, wd).eps(EPS).build(store, s.lr),
            OptimizerKind::RmsProp => {
                nn::rms_prop(RMSPROP_ALPHA, EPS, wd, s.momentum, false).build(store, s.lr)
            }
        }
        .unwrap()
    }

    #[test]
    fn twenty_steps_are_those_of_libtorch() {
        compare_with_libtorch(1.0);
    }

    /// Where gradients are smaller than ε, a step depends on it and on what it is added to.
    #[test]
    fn twenty_steps_with_tiny_gradients_are_those_of_libtorch() {
        compare_with_libtorch(1e-9);
    }

    /// With gradients and parameters of this size.
    fn compare_with_libtorch(size: f64) {
        use OptimizerKind::{Adam, AdamW, RmsProp, Sgd};
        for kind in [Sgd, Adam, AdamW, RmsProp] {
            for momentum in [0.0, 0.9] {
                for decay in [0.0, 0.1] {
                    for (clip_norm, clip_value) in [(None, None), (Some(0.5f64), None), (None, Some(0.2f64))]
                    {
                        let settings = settings(kind, momentum, decay);
                        let [(store, ours), (their_store, theirs)] = [store_of(size), store_of(size)];
                        let (clip_norm, clip_value) =
                            (clip_norm.map(|c| c * size), clip_value.map(|c| c * size));
                        let mut optimizer = settings.build(variables(&store), Device::Cpu).unwrap();
                        let mut their_optimizer = libtorch(settings, &their_store);
                        for step in 0..20 {
                            // A learning rate that falls, as with --lr-decay.
                            let lr = 0.05 / (1.0 + step as f64);
                            optimizer.set_lr(lr);
                            their_optimizer.set_lr(lr);
                            optimizer.zero_grad().unwrap();
                            (loss(&ours, step) * size).backward();
                            their_optimizer.zero_grad();
                            (loss(&theirs, step) * size).backward();
                            if let Some(max) = clip_norm {
                                optimizer.clip_grad_norm(max);
                                their_optimizer.clip_grad_norm(max);
                            }
                            if let Some(max) = clip_value {
                                optimizer.clip_grad_value(max);
                                their_optimizer.clip_grad_value(max);
                            }
                            optimizer.step();
                            their_optimizer.step();
                        }
                        for (ours, theirs) in ours.iter().zip(&theirs) {
                            let apart = (ours - theirs).abs().max().double_value(&[]);
                            let largest = theirs.abs().max().double_value(&[]);
                            assert!(
                                apart < 1e-5 * largest,
                                "{kind:?} {momentum} {decay} {clip_norm:?} {clip_value:?}: {apart}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_remembered_has_pytorchs_names() {
        let names = |kind, momentum| {
            let memory =
                settings(kind, momentum, 0.0).build(variables(&store().0), Device::Cpu).unwrap().memory();
            memory.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(OptimizerKind::Sgd, 0.0), "");
        assert_eq!(names(OptimizerKind::Sgd, 0.9), "momentum_buffer.bias momentum_buffer.weight");
        assert_eq!(
            names(OptimizerKind::Adam, 0.0),
            "exp_avg.bias exp_avg_sq.bias exp_avg.weight exp_avg_sq.weight"
        );
    }

    #[test]
    fn a_parameter_without_a_gradient_stays() {
        let (store, [weight, bias]) = store();
        let mut optimizer =
            settings(OptimizerKind::AdamW, 0.0, 0.1).build(variables(&store), Device::Cpu).unwrap();
        bias.square().sum(Kind::Float).backward();
        optimizer.clip_grad_norm(0.1);
        let before = weight.copy();
        optimizer.step();
        assert_eq!(weight, before);
    }
}

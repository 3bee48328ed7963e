//! Loss and score of outputs against targets.

use tch::{Kind, Reduction, Tensor};

use super::build::Network;
use super::pass::{ForwardHook, Mode};
use crate::record::{Activation, Loss, Task};
use crate::train::TrainError;
use crate::train::data::Rows;

/// PyTorch's default for the class that does not count.
const NO_IGNORED_CLASS: i64 = -100;

/// Loss and score.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// The loss that is minimised.
    pub loss: Loss,
    /// Classification or regression.
    pub task: Task,
    /// Whether the network's output went through a sigmoid already.
    pub probabilities: bool,
}

impl Objective {
    /// For a network whose output layer has this nonlinearity.
    pub fn new(loss: Loss, task: Task, output: Activation) -> Self {
        Self { loss, task, probabilities: output == Activation::Sigmoid }
    }

    /// Mean loss over a batch, a scalar. Of probabilities binary cross-entropy is computed as
    /// `torch.nn.BCELoss` does, of logits in its stable form.
    pub fn loss(&self, output: &Tensor, target: &Tensor) -> Tensor {
        match self.loss {
            // The last is for what others have trained: nothing here is asked for it.
            Loss::Mse | Loss::Unknown => output.mse_loss(target, Reduction::Mean),
            // tch's own shorthand goes through float32, whatever the kind of the output.
            Loss::CrossEntropy => {
                output.cross_entropy_loss::<Tensor>(target, None, Reduction::Mean, NO_IGNORED_CLASS, 0.0)
            }
            // libtorch refuses what is no probability, and a NaN is none: it is the loss, then, and the
            // run goes on to tell where it came from.
            Loss::Bce if self.probabilities && has_nan(output) => (output * f64::NAN).mean(output.kind()),
            Loss::Bce if self.probabilities => {
                output.binary_cross_entropy::<Tensor>(target, None, Reduction::Mean)
            }
            Loss::Bce => {
                output.binary_cross_entropy_with_logits::<Tensor>(target, None, None, Reduction::Mean)
            }
        }
    }

    /// Sum over a batch of what the score averages: hits, or minus the squared errors.
    fn score_sum(&self, output: &Tensor, target: &Tensor) -> f64 {
        match (self.task, self.loss) {
            (Task::Regression, _) => -(output - target).square().sum(Kind::Double).double_value(&[]),
            (Task::Classification, Loss::CrossEntropy) => hits(&output.argmax(-1, false), target),
            (Task::Classification, _) => {
                let boundary = if self.probabilities { 0.5 } else { 0.0 };
                hits(&output.gt(boundary), &target.gt(0.5))
            }
        }
    }

    /// Turns outputs into answers, a number a sample: the class (by number) or the value; and of classes how much
    /// likelier the first is than the next.
    pub fn answers(&self, output: &Tensor) -> (Tensor, Option<Tensor>) {
        match (self.task, self.loss) {
            (Task::Regression, _) => (output.view([-1]), None),
            (Task::Classification, Loss::CrossEntropy) => {
                let (best, _) = output.softmax(-1, Kind::Float).topk(2, -1, true, true);
                let margin = best.select(1, 0) - best.select(1, 1);
                (output.argmax(-1, false).to_kind(Kind::Float), Some(margin))
            }
            (Task::Classification, _) => {
                let output = output.view([-1]);
                let boundary = if self.probabilities { 0.5 } else { 0.0 };
                let class = output.gt(boundary).to_kind(Kind::Float);
                let probability = if self.probabilities { output } else { output.sigmoid() };
                (class, Some((probability * 2.0 - 1.0).abs()))
            }
        }
    }

    /// Mean loss and score over rows, in evaluation mode and without gradients.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn evaluate(&self, network: &Network, rows: &Rows) -> Result<(f64, f64), TrainError> {
        self.evaluate_watched(network, rows, None)
    }

    /// The same under the eyes of a hook.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn evaluate_watched(
        &self,
        network: &Network,
        rows: &Rows,
        mut hook: Option<&mut dyn ForwardHook>,
    ) -> Result<(f64, f64), TrainError> {
        tch::no_grad(|| {
            let (mut loss, mut score) = (0.0, 0.0);
            for start in (0..rows.len()).step_by(network.rows_at_once() as usize) {
                let length = network.rows_at_once().min(rows.len() - start);
                let (x, y) = (rows.x.narrow(0, start, length), rows.y.narrow(0, start, length));
                let watching = hook.as_mut().map(|hook| &mut **hook as &mut dyn ForwardHook);
                let output = network.forward(&x, Mode::Evaluate, watching)?;
                loss += self.loss(&output, &y).double_value(&[]) * length as f64;
                score += self.score_sum(&output, &y);
            }
            Ok((loss / rows.len() as f64, score / rows.len() as f64))
        })
    }
}

fn has_nan(output: &Tensor) -> bool {
    output.isnan().any().int64_value(&[]) != 0
}

fn hits(predicted: &Tensor, target: &Tensor) -> f64 {
    predicted.eq_tensor(target).sum(Kind::Int64).double_value(&[])
}

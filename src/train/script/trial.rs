//! A program tried out on a copy of it before anything is written: whether it takes the data, what it gives,
//! and which of its parameters the loss depends on.

use tch::{Device, Kind, Tensor};

use super::program::{Loaded, Script, is_about_memory, said};
use crate::record::Loss;
use crate::record::settings::Named;
use crate::train::network::{Mode, Objective};
use crate::train::{Dataset, TrainError};

/// Draws of parameters for which outputs are to be probabilities, and their standard deviation: that of a
/// program which gives logits then lie far outside of 0 to 1. Where nothing that it gives is finite, a smaller
/// one is taken.
const DRAWS: i64 = 4;
const SPREADS: [f64; 4] = [3.0, 0.3, 0.1, 0.03];
/// Passes in which a parameter may get its first gradient: what is left out by chance is not in all of them.
const PASSES: usize = 8;

/// The findings of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Whether what it gives are probabilities, whatever its parameters.
    pub probabilities: bool,
    /// Parameters that are to be trained and that the loss does not depend on.
    pub unreached: Vec<String>,
}

impl Script {
    /// Tries it with batches of this size and with what is left over at the end of an epoch.
    ///
    /// # Errors
    /// [`TrainError::Model`] where it does not take the rows, or where the loss cannot take what it gives.
    pub(in crate::train) fn try_out(
        &self,
        data: &Dataset,
        batch: i64,
        device: Device,
    ) -> Result<Trial, TrainError> {
        let copy = self.load(data, device)?;
        let mut sizes = vec![batch, data.train.len() % batch];
        sizes.retain(|n| *n > 0);
        for (index, rows) in sizes.iter().enumerate() {
            let output = self.output(&copy, data, *rows, Mode::Train)?;
            if index == 0 {
                self.backward(data, &output)?;
            }
        }
        // And what is left over of each split where it is evaluated.
        let splits = [Some(&data.train), data.dev.as_ref(), data.test.as_ref()];
        let mut sizes: Vec<i64> =
            splits.iter().flatten().flat_map(|rows| [rows.len().min(batch), rows.len() % batch]).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for rows in sizes.into_iter().filter(|n| (1..=data.train.len()).contains(n)) {
            let _ = tch::no_grad(|| self.output(&copy, data, rows, Mode::Evaluate))?;
        }
        let unreached = || {
            let without = copy.variables.iter().filter(|(_, t)| t.requires_grad() && !t.grad().defined());
            without.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        for _ in 1..PASSES {
            if unreached().is_empty() {
                break;
            }
            self.backward(data, &self.output(&copy, data, batch, Mode::Train)?)?;
        }
        let unreached = unreached();
        let probabilities = data.loss == Loss::Bce && gives_probabilities(&copy, data, batch);
        Ok(Trial { probabilities, unreached })
    }

    /// Returns its output for the first samples, if it is of the right shape.
    fn output(&self, copy: &Loaded, data: &Dataset, rows: i64, mode: Mode) -> Result<Tensor, TrainError> {
        let x = data.train.x.narrow(0, 0, rows);
        let name = if mode == Mode::Train { "training" } else { "evaluation" };
        let output = copy.forward(&x, mode).map_err(|e| match e {
            TrainError::Script(reason) if !is_about_memory(&reason) => self.wrong(format!(
                "in {name} mode it does not take rows of this data, {}, in batches of {rows}: {reason}",
                shape_of(data)
            )),
            other => other,
        })?;
        let size = output.size();
        if output.kind() != Kind::Float {
            return Err(self.wrong(format!("it gives {:?}, where float32 is needed", output.kind())));
        }
        let needed = match data.loss {
            Loss::CrossEntropy => vec![rows, data.outputs],
            _ => data.train.y.narrow(0, 0, rows).size(),
        };
        let more_classes = data.loss == Loss::CrossEntropy
            && matches!(size.as_slice(), [n, classes] if *n == rows && *classes > data.outputs);
        if size == needed || more_classes {
            return Ok(output);
        }
        let hint = match (size.as_slice(), needed.as_slice()) {
            ([n], [m, 1]) if n == m => "; end its forward with .unsqueeze(1)",
            ([n, 2], [m, 1]) if n == m && data.loss == Loss::Bce => "; or use --loss cross-entropy",
            _ => "",
        };
        Err(self.wrong(format!(
            "for {rows} rows of {} it gives the shape {size:?}, where --loss {} needs {needed:?}{hint}",
            data.info.name,
            data.loss.name()
        )))
    }

    fn backward(&self, data: &Dataset, output: &Tensor) -> Result<(), TrainError> {
        if !output.requires_grad() {
            return Err(self.wrong("what it gives depends on none of the parameters that are to be trained"));
        }
        let rows = output.size()[0];
        // Whether they are probabilities does not change what they depend on.
        let objective = Objective { loss: data.loss, task: data.info.task, probabilities: false };
        let passed = objective.loss(output, &data.train.y.narrow(0, 0, rows)).f_backward();
        passed.map_err(|e| match said(&e.to_string()) {
            reason if is_about_memory(&reason) => TrainError::Script(reason),
            reason => self.wrong(format!("no gradient passes it: {reason}")),
        })
    }
}

fn shape_of(data: &Dataset) -> String {
    match data.image {
        Some([channels, height, width]) => format!("images [{channels}, {height}, {width}]"),
        None => crate::text::counted(data.info.inputs, "number"),
    }
}

/// Whether outputs stay within 0 and 1 however large the parameters are.
fn gives_probabilities(copy: &Loaded, data: &Dataset, batch: i64) -> bool {
    let x = data.train.x.narrow(0, 0, batch);
    tch::no_grad(|| {
        (0..DRAWS).all(|draw| {
            SPREADS.iter().find_map(|spread| {
                tch::manual_seed(draw);
                for (_, parameter) in &copy.variables {
                    let _ = parameter.shallow_clone().normal_(0.0, *spread);
                }
                let output = copy.forward(&x, Mode::Evaluate).ok()?;
                let finite = output.masked_select(&output.isfinite());
                (finite.numel() > 0)
                    .then(|| finite.ge(0.0).logical_and(&finite.le(1.0)).all().int64_value(&[]) != 0)
            }) == Some(true)
        })
    })
}

//! CSV: a line a layer and captured epoch, with every number that a summary has of it.

use super::subject::{Format, Subject};
use crate::record::number::name;
use crate::report::{DistributionSummary, LayerEpoch, LayerSummary, ReportError};

pub(super) const FORMAT: Format =
    Format { name: "csv", what: "the numbers of every layer at every epoch", of_findings: false, text };

/// Headings before those of the tensors.
const FIRST: [&str; 4] = ["epoch", "layer", "kind", "parameters"];
/// The tensors whose values are described.
const TENSORS: [&str; 4] = ["weight", "bias", "weight_grad", "bias_grad"];
/// The numbers of a distribution, with its quantiles by percent.
const OF_A_TENSOR: [&str; 16] = [
    "count", "l2", "mean", "std", "min", "max", "q01", "q05", "q25", "q50", "q75", "q95", "q99", "zeros",
    "nan", "inf",
];
/// Headings after those of the tensors.
const LAST: [&str; 9] = [
    "update_ratio",
    "elasticity",
    "signal_l2",
    "activation_mean",
    "activation_std",
    "activation_zero_fraction",
    "dead_units",
    "units",
    "saturated_fraction",
];

fn text(subject: &Subject) -> Result<String, ReportError> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let tensors = TENSORS.iter().flat_map(|t| OF_A_TENSOR.iter().map(move |o| format!("{t}_{o}")));
    let headings = FIRST.map(String::from).into_iter().chain(tensors).chain(LAST.map(String::from));
    writer.write_record(headings).map_err(failed)?;
    for layer in &subject.summary.layers {
        for epoch in &layer.epochs {
            writer.write_record(row(layer, epoch)).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| failed(csv::Error::from(e.into_error())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Memory takes whatever is written into it, and all rows have the same length.
fn failed(error: csv::Error) -> ReportError {
    ReportError::Csv(error)
}

fn row(layer: &LayerSummary, epoch: &LayerEpoch) -> Vec<String> {
    let mut row = vec![
        epoch.epoch.to_string(),
        layer.name.clone(),
        layer.kind.name().to_owned(),
        layer.parameters.to_string(),
    ];
    for tensor in
        [Some(&epoch.weight), epoch.bias.as_ref(), epoch.weight_grad.as_ref(), epoch.bias_grad.as_ref()]
    {
        match tensor {
            Some(tensor) => row.extend(distribution(tensor)),
            None => row.extend(OF_A_TENSOR.map(|_| String::new())),
        }
    }
    let activation = epoch.activation.as_ref();
    row.extend([
        number(epoch.update_ratio),
        number(epoch.elasticity),
        number(epoch.signal_l2),
        number(activation.and_then(|a| a.mean)),
        number(activation.and_then(|a| a.std)),
        number(activation.and_then(|a| a.zero_fraction)),
        activation.and_then(|a| a.dead_units).map_or(String::new(), |n| n.to_string()),
        activation.map_or(String::new(), |a| a.units.to_string()),
        number(activation.and_then(|a| a.saturated_fraction)),
    ]);
    row
}

fn distribution(d: &DistributionSummary) -> Vec<String> {
    let mut cells = vec![d.count.to_string()];
    cells.extend([Some(d.l2), d.mean, d.std, d.min, d.max].map(number));
    cells.extend((0..crate::report::QUANTILES.len()).map(|i| number(d.q.map(|q| q[i]))));
    cells.extend([d.zeros, d.nan, d.inf].map(|n| n.to_string()));
    cells
}

/// All digits, so that it reads back as it was; what is not finite by its name, as in the summary.
fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| if v.is_finite() { v.to_string() } else { name(v).to_owned() })
}

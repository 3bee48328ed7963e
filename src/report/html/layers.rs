//! The depth profile: layers as rows, from the input to the output.

use askama::Template;

use super::Mark;
use super::bar::{Bar, Shares};
use super::text::{Names, optional};
use crate::diagnose::{Diagnosis, Severity};
use crate::record::{Epoch, Firing, Layer, LayerCapture, Record};
use crate::report::summary::findings_of;
use crate::text::{count, counted, number};

/// The rule whose limit is one on the share that the bars show.
const RULE_OF_SHARES: &str = "vanishing-depth";

/// All layers at one epoch.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "layers.html")]
pub(super) struct Profile {
    epoch: u64,
    rows: Vec<Row>,
    /// The left end of the bars.
    axis_from: String,
    /// The mark on the bars.
    limit: Option<String>,
    /// Whether any layer's units can be dead.
    can_die: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    kind: &'static str,
    shape: String,
    parameters: String,
    gradient: String,
    share: String,
    bar: Option<Bar>,
    update: String,
    dead: String,
    /// The worst finding about it.
    status: Mark,
    /// Rules of the others.
    also: String,
}

impl Profile {
    /// Of the last captured epoch; `None` where there is none.
    pub(super) fn of(record: &Record, diagnosis: &Diagnosis, names: &Names) -> Option<Self> {
        let epoch = record.shown_epoch()?;
        let layers = &record.header.layers;
        let captured: Vec<(&Layer, &LayerCapture)> = layers.iter().zip(&epoch.layers).collect();
        let shares = shares(&captured, epoch);
        let axis = Shares::of(shares.iter().flatten().copied());
        let limit = diagnosis.findings.iter().find(|f| f.rule == RULE_OF_SHARES).map(|f| f.threshold);
        let row = |((layer, captured), share): (&(&Layer, &LayerCapture), &Option<f64>)| {
            let dead = captured.firing().map(Firing::dead_units);
            Row {
                name: names.in_text(&layer.name),
                kind: layer.kind.name(),
                shape: shape(layer),
                parameters: count(layer.parameters),
                gradient: optional(captured.weight_grad.as_ref().map(|g| g.l2())),
                share: optional(*share),
                bar: share.map(|s| axis.bar(s, limit, is_root(layer, diagnosis))),
                update: optional(captured.update_ratio(layer)),
                dead: dead.map_or_else(|| "–".into(), |n| format!("{} of {}", count(n), count(layer.units))),
                status: status(layer, captured, diagnosis),
                also: also(layer, diagnosis),
            }
        };
        Some(Self {
            epoch: epoch.epoch,
            rows: captured.iter().zip(&shares).map(row).collect(),
            axis_from: axis.from(),
            limit: limit.map(number),
            can_die: layers.iter().any(|l| l.activation.can_die()),
        })
    }
}

/// Elasticity of every layer as a share of the strongest; all zeros where nothing pulls.
fn shares(captured: &[(&Layer, &LayerCapture)], epoch: &Epoch) -> Vec<Option<f64>> {
    let pull: Vec<Option<f64>> = captured.iter().map(|(l, c)| c.elasticity(l, epoch.train_loss)).collect();
    let strongest = pull.iter().flatten().copied().fold(0.0, f64::max);
    let share = |e: f64| if strongest > 0.0 { e / strongest } else { 0.0 };
    pull.into_iter().map(|e| e.map(share)).collect()
}

/// `2 → 3` for a matrix, output dimension last as data flows; the plain shape otherwise.
fn shape(layer: &Layer) -> String {
    match layer.shape.as_slice() {
        [outputs, inputs] => format!("{inputs} → {outputs}"),
        other => other.iter().map(u64::to_string).collect::<Vec<_>>().join(" × "),
    }
}

/// Whether a root cause lies in a layer.
fn is_root(layer: &Layer, diagnosis: &Diagnosis) -> bool {
    findings_of(layer, diagnosis).any(|f| f.root && f.severity > Severity::Info)
}

/// What the worst finding says about a layer.
fn status(layer: &Layer, captured: &LayerCapture, diagnosis: &Diagnosis) -> Mark {
    match findings_of(layer, diagnosis).next() {
        Some(worst) => Mark::of(worst.severity, worst.rule.as_str()),
        // Not the layer that a finding names, but a check mark beside a NaN would be a lie.
        None if captured.is_broken() => Mark::of(Severity::Error, "not finite"),
        None if !layer.trainable => Mark::good("not trained"),
        None => Mark::good("no finding"),
    }
}

/// The rules of the other findings about it, each once.
fn also(layer: &Layer, diagnosis: &Diagnosis) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for finding in findings_of(layer, diagnosis) {
        if !rules.contains(&finding.rule.as_str()) {
            rules.push(&finding.rule);
        }
    }
    rules.get(1..).unwrap_or_default().join(", ")
}

impl Profile {
    fn count(&self) -> String {
        counted(self.rows.len() as u64, "layer")
    }
}

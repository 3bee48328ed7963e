//! The quantities that rules are made of: scale-free, so that multiplying the loss by a constant, say,
//! changes none of them.
//!
//! Only matrices count (weights of layers that mix features), never biases and gains: with those, 444
//! of 726 healthy prototype runs looked vanished.

use super::series::{self, Point};
use crate::record::{ActivationFrequency, Epoch, Layer, LayerCapture, LayerKind, Record};
use crate::stats::Distribution;

/// Share of the loss of guessing above which there is something left to learn. Below it gradients may
/// be small because the run has converged. Calibrated with the limits of
/// the rules, as are the next two.
const UNCONVERGED: f64 = 0.1;
/// Share of the loss of guessing from which nothing has been learned.
const AT_BASELINE: f64 = 0.9;
/// Share of the loss at the start (at most that of guessing) from which there is no progress.
const NO_PROGRESS: f64 = 0.9;
/// Captures in a row without progress that make harm; one may be a bad batch.
const FAILING_CAPTURES: usize = 2;

/// Share of the strongest elasticity below which a layer's gradient counts as vanishing when it reaches
/// exactly 0; far below any limit of the rules, since float32 has 38 decades to fall through.
const FADING: f64 = 1e-6;

/// The least elasticity of the strongest layer at which a missing gradient or update says anything of the
/// wiring or the optimizer: below it float32 loses both by itself.
pub const MIN_ELASTICITY: f64 = 1e-3;

/// Update over weight of healthy runs in their first epoch, SGD and Adam alike.
pub const HEALTHY_UPDATE: [f64; 2] = [0.002, 0.04];

/// The quantities that rules look at, computed once a diagnosis.
pub struct Quantities<'a> {
    pub record: &'a Record,
    /// Mean loss of the best constant prediction, where it is known and positive.
    pub baseline_loss: Option<f64>,
    /// Indices of the layers whose weight is a matrix that the optimizer may change.
    pub matrices: Vec<usize>,
    /// Whole captured epochs; a partial one only where there is no other.
    pub captures: Vec<Capture<'a>>,
    /// The layers before the first step, where they were captured.
    pub start: Option<&'a [LayerCapture]>,
    pub points: Vec<Point>,
    /// The first NaN or infinity.
    pub broken: Option<Broken>,
    /// The run is being harmed: a non-finite value, or no progress at the last captures.
    pub failing: bool,
}

/// A captured epoch.
pub struct Capture<'a> {
    pub epoch: u64,
    /// Number of its last step in the run.
    pub step: u64,
    pub lr: f64,
    /// Mean training loss; infinite where it is NaN.
    pub loss: f64,
    pub layers: &'a [LayerCapture],
    /// Something left to learn. A loss that is not finite leaves everything.
    pub unconverged: bool,
    /// Nothing learned: no better than guessing.
    pub at_baseline: bool,
    /// No progress since the start.
    pub no_progress: bool,
    /// The elasticity ‖W‖·‖g‖/L of every layer of the header, with the epoch's median gradient;
    /// `None` for what is no trainable matrix, has weights of zero, or is not finite.
    pub elasticity: Vec<Option<f64>>,
    /// Layers whose elasticity is 0 because a gradient that was vanishing fell below the smallest
    /// float32.
    pub faded: Vec<bool>,
    /// The update ‖ΔW‖ over ‖W‖ of every layer of the header, median of the epoch.
    pub update: Vec<Option<f64>>,
}

/// Where the first NaN or infinity appeared.
pub struct Broken {
    pub epoch: u64,
    pub step: Option<u64>,
    /// As in [`NonFinite`].
    pub stage: String,
    pub layer: Option<usize>,
}

impl<'a> Quantities<'a> {
    pub fn new(record: &'a Record) -> Self {
        let header = &record.header;
        let baseline_loss = Some(header.data.baseline_loss).filter(|c| c.is_finite() && *c > 0.0);
        let matrices: Vec<usize> = (0..)
            .zip(&header.layers)
            .filter(|(_, l)| l.kind.is_matrix() && l.trainable)
            .map(|(i, _)| i)
            .collect();
        let points = series::points(record, &matrices);
        let whole = record.epochs.iter().any(|e| !e.partial);
        let epochs: Vec<&Epoch> = record.epochs.iter().filter(|e| !(whole && e.partial)).collect();
        let initial_loss = initial_loss(&points, &epochs);
        let mut captures: Vec<_> = epochs
            .iter()
            .map(|e| capture(e, &header.layers, &matrices, baseline_loss, initial_loss))
            .collect();
        follow_fading(&mut captures, &matrices);
        let start = match (record.steps.first(), record.epochs.first()) {
            (Some(s), _) if s.step == 0 && s.capture.is_some() => s.capture.as_deref(),
            (_, Some(e)) if e.step == 0 => Some(e.layers.as_slice()),
            _ => None,
        };
        let broken = broken(record);
        let stuck =
            captures.iter().rev().take(FAILING_CAPTURES).all(|c| c.no_progress) && !captures.is_empty();
        let failing = broken.is_some() || stuck;
        Self { record, baseline_loss, matrices, captures, start, points, broken, failing }
    }

    /// The layer of this index in the header.
    pub fn layer(&self, index: usize) -> Option<&'a Layer> {
        self.record.header.layers.get(index)
    }

    /// Whether any epoch holds gradients of the matrices.
    pub fn has_gradients(&self) -> bool {
        self.captured_matrices().any(|layer| layer.gradient_norm().is_some())
    }

    /// Whether any epoch holds updates of the matrices.
    pub fn has_updates(&self) -> bool {
        self.captures.iter().any(|c| c.update.iter().any(Option::is_some))
    }

    /// Whether no capture of any matrix has a gradient other than zero.
    pub fn all_gradients_zero(&self) -> bool {
        self.captured_matrices().filter_map(LayerCapture::gradient_norm).all(|g| g.max == 0.0)
    }

    /// Every matrix at every capture.
    fn captured_matrices(&self) -> impl Iterator<Item = &LayerCapture> {
        self.captures.iter().flat_map(|c| self.matrices.iter().filter_map(|&i| c.layers.get(i)))
    }

    /// ‖W‖_F/√n_out of a matrix before the first step: the RMS length of its rows.
    pub fn row_norm(&self, index: usize) -> Option<f64> {
        let layers = self.start.or(self.captures.first().map(|c| c.layers))?;
        let norm = layers.get(index)?.weight.l2() / (self.layer(index)?.units.max(1) as f64).sqrt();
        Some(norm).filter(|n| n.is_finite())
    }

    /// The matrices whose output a nonlinearity follows: all but the one that gives the output.
    pub fn hidden(&self) -> impl Iterator<Item = usize> + '_ {
        self.matrices.iter().copied().filter(|&i| self.layer(i).is_some_and(|l| !l.output))
    }

    /// Those of them that see all that the layers before them pass on, and that stand for what becomes of
    /// it. In the branch of a residual block that is the first: what comes of the others is only added to
    /// what the shortcut passes on, and may well be nothing. What a recurrent layer makes of its input is a
    /// matter of time rather than of depth.
    pub fn trunk(&self) -> impl Iterator<Item = usize> + '_ {
        let is_of_it = |l: &Layer| l.branch.is_none_or(|place| place == 1) && l.kind != LayerKind::Recurrent;
        self.hidden().filter(move |&i| self.layer(i).is_some_and(is_of_it))
    }
}

/// First and last epoch of captures in a row.
pub fn span(run: &[Capture]) -> (u64, u64) {
    let [first, last] = [run.first(), run.last()].map(|c| c.map_or(0, |c| c.epoch));
    (first, last)
}

impl Capture<'_> {
    /// The layers that a gradient reaches, in forward order: (layer, elasticity).
    pub fn reached(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let measured = self.elasticity.iter().enumerate().filter_map(|(i, e)| Some((i, (*e)?)));
        measured.filter(|(i, e)| *e > 0.0 || self.faded[*i])
    }

    /// The strongest elasticity and its layer.
    pub fn strongest(&self) -> Option<(usize, f64)> {
        let measured = self.elasticity.iter().enumerate().filter_map(|(i, e)| Some((i, (*e)?)));
        measured.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Weakest over strongest elasticity: of the first layer that is pulled, as a share of the
    /// largest. `None` for fewer than two layers.
    pub fn depth_ratio(&self) -> Option<f64> {
        let (first, e) = self.reached().next()?;
        let (last, max) = self.strongest()?;
        (first != last || self.reached().nth(1).is_some()).then_some(e / max)
    }

    /// Median over layers of the epoch's median update.
    pub fn median_update(&self) -> Option<f64> {
        series::median(&mut self.update.iter().flatten().copied().collect::<Vec<_>>())
    }

    /// Largest of the layers' median updates.
    pub fn largest_update(&self) -> Option<f64> {
        self.update.iter().flatten().copied().reduce(f64::max)
    }

    /// How often the units of a layer fired, where that was measured and what went in was finite: of
    /// a NaN it cannot be said whether it is above zero.
    pub fn firing(&self, index: usize) -> Option<&ActivationFrequency> {
        self.layers.get(index)?.firing()
    }
}

fn capture<'a>(
    epoch: &'a Epoch,
    layers: &[Layer],
    matrices: &[usize],
    baseline_loss: Option<f64>,
    initial_loss: f64,
) -> Capture<'a> {
    // As bad as can be: no comparison with NaN holds.
    let loss = if epoch.train_loss.is_nan() { f64::INFINITY } else { epoch.train_loss };
    let unconverged = baseline_loss.is_some_and(|baseline| loss > UNCONVERGED * baseline);
    let mut elasticity = vec![None; layers.len()];
    let mut updates = vec![None; layers.len()];
    for &i in matrices {
        let (Some(layer), Some(captured)) = (layers.get(i), epoch.layers.get(i)) else { continue };
        elasticity[i] = captured.elasticity(layer, loss);
        let weight = captured.weight_norm().max(layer.min_weight_norm());
        updates[i] = captured.update_norm().map(|u| u.median / weight).filter(|u| !u.is_nan());
    }
    Capture {
        epoch: epoch.epoch,
        step: epoch.step,
        lr: epoch.lr,
        loss,
        layers: &epoch.layers,
        unconverged,
        at_baseline: baseline_loss.is_some_and(|baseline| loss >= AT_BASELINE * baseline),
        no_progress: unconverged
            && baseline_loss.is_some_and(|baseline| loss >= NO_PROGRESS * initial_loss.min(baseline)),
        faded: vec![false; layers.len()],
        elasticity,
        update: updates,
    }
}

/// A gradient of exactly 0 usually says something else than a small one (a dead or frozen layer), and
/// such layers are skipped. One that was vanishing when it was last seen has only gone on to do so.
fn follow_fading(captures: &mut [Capture], matrices: &[usize]) {
    let mut vanishing = vec![false; captures.first().map_or(0, |c| c.elasticity.len())];
    for capture in captures {
        let strongest = capture.strongest().map_or(0.0, |(_, e)| e);
        for &i in matrices {
            match capture.elasticity[i] {
                Some(e) if e > 0.0 => vanishing[i] = e < FADING * strongest,
                Some(_) => capture.faded[i] = vanishing[i],
                None => {}
            }
        }
    }
}

/// The loss at the start: that of the first step or the mean of the first epoch, whichever is larger.
/// The mean alone would call a run stuck that learns all it can in its first epoch; the first batch
/// alone may be an easy one.
fn initial_loss(points: &[Point], epochs: &[&Epoch]) -> f64 {
    let first_step = points.first().filter(|p| p.step == 0).map(|p| p.loss.max);
    let first_epoch = epochs.first().map(|e| e.train_loss);
    // NaN where nothing is finite: the smaller of it and the loss of guessing is the latter.
    first_step.into_iter().chain(first_epoch).filter(|l| l.is_finite()).reduce(f64::max).unwrap_or(f64::NAN)
}

fn broken(record: &Record) -> Option<Broken> {
    // A record of another source may not name the place; its numbers still tell.
    let named = record.steps.iter().find_map(|s| Some((s, s.non_finite.as_ref()?)));
    named
        .map(|(step, at)| Broken {
            epoch: step.epoch,
            step: Some(step.step),
            stage: at.stage.clone(),
            layer: record.header.layers.iter().position(|l| Some(&l.name) == at.layer.as_ref()),
        })
        .or_else(|| {
            let step = record.steps.iter().find(|s| !(s.loss.min.is_finite() && s.loss.max.is_finite()))?;
            // Of several steps in one point it is not known which.
            let exact = (step.steps == 1).then_some(step.step);
            Some(Broken { epoch: step.epoch, step: exact, stage: "loss".into(), layer: None })
        })
        .or_else(|| record.epochs.iter().find_map(broken_epoch))
}

fn broken_epoch(epoch: &Epoch) -> Option<Broken> {
    let layers = &epoch.layers;
    let weight = layers.iter().position(|l| is_broken(Some(&l.weight)) || is_broken(l.bias.as_ref()));
    let activation = layers.iter().position(|l| {
        l.activations.as_ref().is_some_and(|a| is_broken(Some(&a.pre)) || is_broken(Some(&a.post)))
    });
    // Gradients go backward: the last layer was first.
    let gradient =
        layers.iter().rposition(|l| is_broken(l.weight_grad.as_ref()) || is_broken(l.bias_grad.as_ref()));
    let places = [("weight", weight), ("activation", activation), ("gradient", gradient)];
    let (stage, layer) = places.into_iter().find_map(|(stage, layer)| Some((stage, layer?)))?;
    Some(Broken { epoch: epoch.epoch, step: None, stage: stage.into(), layer: Some(layer) })
}

fn is_broken(values: Option<&Distribution>) -> bool {
    values.is_some_and(|d| d.nan() + d.infinities() > 0)
}

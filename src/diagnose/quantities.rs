//! The quantities that rules are made of: scale-free, so that multiplying the loss by a constant, say,
//! changes none of them.
//!
//! Only matrices count (weights of layers that mix features), never biases and gains: with those, 444
//! of 726 healthy prototype runs looked vanished.

use super::series::{self, Point};
use crate::record::{ActivationFrequency, Epoch, Layer, LayerCapture, LayerKind, NonFinite, Record};

/// Share of the loss of guessing above which there is something left to learn. Below it gradients may
/// be small because the run has converged. Calibrated with the limits of
/// the rules, as are the next two.
const LEFT_TO_LEARN: f64 = 0.1;
/// Share of the loss of guessing from which nothing has been learned.
const NOTHING_LEARNED: f64 = 0.9;
/// Share of the loss at the start (at most that of guessing) from which there is no progress.
const NO_PROGRESS: f64 = 0.9;
/// Captures in a row without progress that make harm; one may be a bad batch.
const HARM_CAPTURES: usize = 2;

/// Share of the strongest elasticity below which a layer's gradient counts as vanishing when it reaches
/// exactly 0; far below any limit of the rules, since float32 has 38 decades to fall through.
const FADING: f64 = 1e-6;

/// The least elasticity of the strongest layer at which a missing gradient or update says anything of the
/// wiring or the optimizer: below it float32 loses both by itself.
pub const LEAST_PULL: f64 = 1e-3;

/// Update over weight of healthy runs in their first epoch, SGD and Adam alike.
pub const HEALTHY_UPDATE: [f64; 2] = [0.002, 0.04];

/// What rules look at, computed once a diagnosis.
pub struct Quantities<'a> {
    pub record: &'a Record,
    /// Mean loss of the best constant prediction, where it is known and positive.
    pub chance: Option<f64>,
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
    pub harm: bool,
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
    pub left: bool,
    /// Nothing learned: no better than guessing.
    pub near: bool,
    /// No progress since the start.
    pub noprog: bool,
    /// The elasticity ‖W‖·‖g‖/L of every layer of the header, with the epoch's median gradient;
    /// `None` for what is no trainable matrix, has weights of zero, or is not finite.
    pub pull: Vec<Option<f64>>,
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
    pub fn of(record: &'a Record) -> Self {
        let header = &record.header;
        let chance = Some(header.data.baseline_loss).filter(|c| c.is_finite() && *c > 0.0);
        let matrices: Vec<usize> = (0..)
            .zip(&header.layers)
            .filter(|(_, l)| l.kind.is_matrix() && l.trainable)
            .map(|(i, _)| i)
            .collect();
        let points = series::points(record, &matrices);
        let whole = record.epochs.iter().any(|e| !e.partial);
        let epochs: Vec<&Epoch> = record.epochs.iter().filter(|e| !(whole && e.partial)).collect();
        let initial_loss = initial_loss(&points, &epochs);
        let mut captures: Vec<_> =
            epochs.iter().map(|e| capture(e, &header.layers, &matrices, chance, initial_loss)).collect();
        follow_fading(&mut captures, &matrices);
        let start = match (record.steps.first(), record.epochs.first()) {
            (Some(s), _) if s.step == 0 && s.capture.is_some() => s.capture.as_deref(),
            (_, Some(e)) if e.step == 0 => Some(e.layers.as_slice()),
            _ => None,
        };
        let broken = broken(record);
        let stuck = captures.iter().rev().take(HARM_CAPTURES).all(|c| c.noprog) && !captures.is_empty();
        let harm = broken.is_some() || stuck;
        Self { record, chance, matrices, captures, start, points, broken, harm }
    }

    /// The layer of this index in the header.
    pub fn layer(&self, index: usize) -> Option<&'a Layer> {
        self.record.header.layers.get(index)
    }

    /// Whether any epoch holds gradients of the matrices.
    pub fn has_gradients(&self) -> bool {
        let holds = |c: &Capture| {
            self.matrices.iter().any(|&i| c.layers.get(i).is_some_and(|l| l.gradient_norm().is_some()))
        };
        self.captures.iter().any(holds)
    }

    /// Whether any epoch holds updates of the matrices.
    pub fn has_updates(&self) -> bool {
        self.captures.iter().any(|c| c.update.iter().any(Option::is_some))
    }

    /// Whether no capture of any matrix has a gradient other than zero.
    pub fn all_gradients_zero(&self) -> bool {
        let zero = |l: &LayerCapture| l.gradient_norm().is_none_or(|g| g.max == 0.0);
        self.captures.iter().all(|c| self.matrices.iter().filter_map(|&i| c.layers.get(i)).all(zero))
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

impl Capture<'_> {
    /// The layers that are pulled at all, in forward order: (layer, elasticity).
    pub fn pulled(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let measured = self.pull.iter().enumerate().filter_map(|(i, e)| Some((i, (*e)?)));
        measured.filter(|(i, e)| *e > 0.0 || self.faded[*i])
    }

    /// The strongest elasticity and its layer.
    pub fn strongest(&self) -> Option<(usize, f64)> {
        let measured = self.pull.iter().enumerate().filter_map(|(i, e)| Some((i, (*e)?)));
        measured.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Weakest over strongest elasticity: of the first layer that is pulled, as a share of the
    /// largest. `None` for fewer than two layers.
    pub fn depth_ratio(&self) -> Option<f64> {
        let (first, e) = self.pulled().next()?;
        let (last, max) = self.strongest()?;
        (first != last || self.pulled().nth(1).is_some()).then_some(e / max)
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
    chance: Option<f64>,
    initial_loss: f64,
) -> Capture<'a> {
    // As bad as can be: no comparison with NaN holds.
    let loss = if epoch.train_loss.is_nan() { f64::INFINITY } else { epoch.train_loss };
    let left = chance.is_some_and(|ch| loss > LEFT_TO_LEARN * ch);
    let mut pull = vec![None; layers.len()];
    let mut updates = vec![None; layers.len()];
    for &i in matrices {
        let (Some(layer), Some(captured)) = (layers.get(i), epoch.layers.get(i)) else { continue };
        pull[i] = captured.elasticity(layer, loss);
        let weight = captured.weight_norm().max(layer.min_weight_norm());
        updates[i] = captured.update_norm().map(|u| u.median / weight).filter(|u| !u.is_nan());
    }
    Capture {
        epoch: epoch.epoch,
        step: epoch.step,
        lr: epoch.lr,
        loss,
        layers: &epoch.layers,
        left,
        near: chance.is_some_and(|ch| loss >= NOTHING_LEARNED * ch),
        noprog: left && chance.is_some_and(|ch| loss >= NO_PROGRESS * initial_loss.min(ch)),
        faded: vec![false; layers.len()],
        pull,
        update: updates,
    }
}

/// A gradient of exactly 0 usually says something else than a small one (a dead or frozen layer), and
/// such layers are skipped. One that was vanishing when it was last seen has only gone on to do so.
fn follow_fading(captures: &mut [Capture], matrices: &[usize]) {
    let mut vanishing = vec![false; captures.first().map_or(0, |c| c.pull.len())];
    for capture in captures {
        let strongest = capture.strongest().map_or(0.0, |(_, e)| e);
        for &i in matrices {
            match capture.pull[i] {
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
    let index = |name: &str| record.header.layers.iter().position(|l| l.name == name);
    let place = |epoch, step, at: &NonFinite| Broken {
        epoch,
        step: Some(step),
        stage: at.stage.clone(),
        layer: at.layer.as_deref().and_then(index),
    };
    let named = record.steps.iter().find_map(|s| Some(place(s.epoch, s.step, s.non_finite.as_ref()?)));
    // A record of another source may not name the place; its numbers still tell.
    named
        .or_else(|| {
            let bad = |s: &&crate::record::Step| !(s.loss.min.is_finite() && s.loss.max.is_finite());
            let step = record.steps.iter().find(bad)?;
            // Of several steps in one point it is not known which.
            let exact = (step.steps == 1).then_some(step.step);
            Some(Broken { epoch: step.epoch, step: exact, stage: "loss".into(), layer: None })
        })
        .or_else(|| record.epochs.iter().find_map(broken_epoch))
}

fn broken_epoch(epoch: &Epoch) -> Option<Broken> {
    let at = |stage: &str, layer| Broken { epoch: epoch.epoch, step: None, stage: stage.into(), layer };
    let hit = |d: &crate::stats::Distribution| d.nan() + d.infinities() > 0;
    let weight = epoch.layers.iter().position(|l| hit(&l.weight) || l.bias.as_ref().is_some_and(hit));
    if let Some(layer) = weight {
        return Some(at("weight", Some(layer)));
    }
    let put_out = |l: &LayerCapture| l.activations.as_ref().is_some_and(|a| hit(&a.pre) || hit(&a.post));
    if let Some(layer) = epoch.layers.iter().position(put_out) {
        return Some(at("activation", Some(layer)));
    }
    let gradient = |l: &LayerCapture| [&l.weight_grad, &l.bias_grad].into_iter().flatten().any(hit);
    let first = epoch.layers.iter().rposition(gradient);
    first.map(|layer| at("gradient", Some(layer)))
}

//! Single changes to a run, and what of it decides which of them fits.

use super::super::Remedy;
use super::super::quantities::Quantities;
use super::super::text::plain;
use crate::record::{Layer, Run};
use crate::text::number;

/// Update over weight that a learning rate is chosen for. `lr · TARGET / u` at step 0 was the best
/// single prescription in the prototype: 25 of 31 runs recovered.
pub const TARGET_UPDATE: f64 = 0.01;
/// Units below which a new initialiser alone is a gamble. Tried on relu5 and sigmoid5 (3 units a layer)
/// over four seeds and 300 epochs: batch normalisation was healthy in 4 of 4, ReLU with He in 3, tanh
/// with Xavier in 1.
const NARROW: u64 = 8;
/// Row norm of the weights below which they are tiny (He 1.41, LeCun 1, PyTorch's default 0.58).
const TINY_ROWS: f64 = 0.35;
/// RMS of the inputs outside of which they should be standardised; a guess, as the prototype's.
const INPUT_RMS: std::ops::RangeInclusive<f64> = 0.03..=30.0;
/// Slope of a leaky ReLU that lets a gradient through several layers.
pub const LARGE_SLOPE: f64 = 0.2;
/// Share of the learning rate that is left where a schedule has all but ended a run.
const ENDED: f64 = 1e-2;
/// The largest rate that `--lr` takes.
pub const MAX_LEARNING_RATE: f64 = 1e6;

/// Remedies in the making; nothing is suggested twice, nor what is set already.
pub struct Plan<'a> {
    pub run: &'a Run,
    pub q: &'a Quantities<'a>,
    pub remedies: Vec<Remedy>,
}

impl Plan<'_> {
    pub fn add(&mut self, flag: impl Into<String>, why: impl Into<String>) {
        let flag = flag.into();
        if !self.remedies.iter().any(|r| r.flag == flag) {
            self.remedies.push(Remedy { flag, why: why.into() });
        }
    }

    pub fn has_plain_cell(&self) -> bool {
        self.q.matrices.iter().filter_map(|&i| self.q.layer(i)).any(Layer::is_plain_cell)
    }

    pub fn lower_rate(&mut self) {
        let lr = self.run.lr;
        if lr <= 0.0 || !lr.is_finite() {
            return;
        }
        match self.fitting_rate().filter(|fit| *fit < lr) {
            Some(fit) => self.add(format!("--lr {}", plain(fit)), self.fitting_why()),
            None => self.add(
                format!("--lr {}", plain(lr / 100.0)),
                "a hundredth of the rate; a tenth is rarely enough",
            ),
        }
        if self.is_adaptive() {
            self.add(
                format!("--lr {}", plain(lr / 100.0)),
                "a hundredth of the rate; a tenth helps half of the time",
            );
        }
    }

    /// The initialiser that suits the activation.
    pub fn fit_init(&mut self, why: &str) {
        if let Some(init) = self.init() {
            self.add(format!("--init {init}"), why);
        }
    }

    pub fn initialise(&mut self, why: &str) {
        self.fit_init(why);
        if !self.run.init.starts_with("xavier") {
            self.add("--init xavier-uniform", why);
        }
    }

    /// The initialiser that suits the activation, unless it is in use.
    pub fn init(&self) -> Option<&'static str> {
        let init = match self.run.activation.as_str() {
            "sigmoid" | "tanh" | "identity" => "xavier-uniform",
            _ => "kaiming-normal",
        };
        let family = init.split('-').next().unwrap_or(init);
        (!self.run.init.starts_with(family)).then_some(init)
    }

    pub fn normalise(&mut self, why: &str) {
        // What a recurrent layer makes of a step is not normalised by a flag.
        if self.run.norm == "none" && self.q.trunk().next().is_some() {
            self.add(format!("--norm {}", self.fitting_norm()), why);
        }
    }

    /// Batch statistics of a single row are undefined: with a lonely last row only LayerNorm will do.
    pub fn fitting_norm(&self) -> &'static str {
        let (rows, batch) = (self.q.record.header.data.train, self.run.batch_size.max(1));
        if batch == 1 || rows % batch == 1 { "layer" } else { "batch-pre" }
    }

    pub fn leaky(&mut self) {
        if self.run.activation == "relu" {
            self.add(
                format!("--act lrelu --lrelu-slope {LARGE_SLOPE}"),
                "a leaky ReLU passes some gradient where a ReLU is silent; it seldom is enough by itself",
            );
        }
    }

    pub fn adam(&mut self) {
        if !(self.is_adaptive() && self.run.lr == 0.001) {
            self.add(
                "--optimizer adam --lr 0.001",
                "Adam makes steps of one size, whatever the size of the gradient",
            );
        }
    }

    pub fn standardise(&mut self) {
        let header = &self.q.record.header;
        let table = header.data.name.starts_with("csv");
        let rms = header.data.input_rms;
        if table && rms > 0.0 && rms.is_finite() && !INPUT_RMS.contains(&rms) {
            self.add(
                "--standardize",
                format!("the inputs have an RMS of {}; networks are made for about 1", number(rms)),
            );
        }
    }

    /// The rate at which this run's first update would have been of a healthy size.
    pub fn fitting_rate(&self) -> Option<f64> {
        let u = self.first_update()?;
        Some(self.run.lr * TARGET_UPDATE / u).filter(|lr| *lr > 0.0 && *lr <= MAX_LEARNING_RATE)
    }

    pub fn fitting_why(&self) -> String {
        let u = self.first_update().unwrap_or(f64::NAN);
        format!(
            "the first step moved the median layer by {} times its size; at this rate it would have been \
             {TARGET_UPDATE} times",
            number(u)
        )
    }

    pub fn first_update(&self) -> Option<f64> {
        let step = self.q.points.first().filter(|p| p.step == 0).and_then(|p| p.update).map(|u| u.1);
        step.or(self.q.captures.first().and_then(|c| c.median_update()))
    }

    /// Whether a schedule, other than the gentle cosine, has taken the rate far down.
    pub fn schedule_ends_it(&self) -> bool {
        let steep = self.run.lr_decay.as_ref().is_some_and(|decay| !decay.starts_with("cosine"));
        let left = |lr: f64| lr < ENDED * self.run.lr;
        steep && self.q.captures.last().is_some_and(|c| left(c.lr))
    }

    pub fn is_adaptive(&self) -> bool {
        self.run.optimizer.starts_with("adam")
    }

    pub fn zero_bias(&self) -> bool {
        self.run.bias == "zeros" || self.run.bias.parse() == Ok(0.0)
    }

    /// Whether some hidden layer has so few units that a fresh draw can leave all of them silent or
    /// alike.
    pub fn narrow(&self) -> bool {
        self.q.hidden().any(|i| self.q.layer(i).is_some_and(|l| l.units < NARROW))
    }

    pub fn tiny(&self) -> bool {
        self.q.hidden().any(|i| self.q.row_norm(i).is_some_and(|w| w < TINY_ROWS))
    }

    /// Whether at least half of the hidden pre-activations of some layer are below zero all the time.
    pub fn mostly_negative(&self) -> bool {
        let Some(last) = self.q.captures.last() else { return false };
        self.q.hidden().any(|i| {
            let activations = last.layers.get(i).and_then(|l| l.activations.as_ref());
            activations.and_then(|a| a.pre.max()).is_some_and(|max| max <= 0.0)
        })
    }
}

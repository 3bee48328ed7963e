//! What to change, as flags of `gradscope run`, in the order in which remedies fared in trials: the
//! counts stand in the texts of the rules. A remedy belongs to a root, never to its consequences.

mod change;

use super::Remedy;
use super::causes::{DeathCause, Direction, Kind};
use super::quantities::Quantities;
use super::rule::{GIVEN, RuleMatch};
use super::text::{percent, plain};
use change::{LARGE_SLOPE, MAX_LEARNING_RATE, Plan, TARGET_UPDATE};

/// Remedies offered at most: a list that is tried from the top need not be long.
const OFFERED: usize = 4;
/// First update from which the rate is to blame for a run without progress.
const LARGE_UPDATE: f64 = 0.1;
/// Hidden layers from which sigmoids shrink the gradient too much for Xavier to help: each takes three
/// quarters or more of it.
const DEEP_SIGMOID: usize = 3;
/// A clipping norm below this leaves steps of a hundredth of what an ordinary gradient makes.
const SMALL_CLIP: f64 = 0.01;
/// Share of the weights that decay takes at a step from which it outruns what gradients build up: half of
/// them within 70 steps.
const STRONG_DECAY: f64 = 0.01;
/// Share of the units that dropout may take from a step before too few are left to learn with;
/// Srivastava et al. (2014) keep a half or more of the hidden ones.
const STRONG_DROPOUT: f64 = 0.8;
/// Rows of a batch up to which its own mean and spread say next to nothing: of two rows, batch
/// normalisation leaves the sign of their difference, through which no gradient passes. Wu and He (2018)
/// see errors grow from 16 rows downwards.
const TINY_BATCH: u64 = 4;

/// Flags that change a model, which only one that is described can take.
const OF_DESCRIBED_MODELS: [&str; 8] =
    ["--hidden", "--act", "--lrelu-slope", "--norm", "--dropout", "--cell", "--init", "--bias"];

/// What to change, best first.
pub fn remedies(hit: &RuleMatch, q: &Quantities) -> Vec<Remedy> {
    let mut plan = Plan { run: &q.record.header.run, q, remedies: Vec::new() };
    plan.own_brakes();
    match hit.kind {
        // In the model or its data, out of reach of a flag: the message says what to change.
        Kind::RanksDiffer
        | Kind::OutputActivation
        | Kind::TargetScale
        | Kind::Disconnected
        | Kind::Unused
        | Kind::Note => {}
        Kind::InputScale(_) => plan.input_scale(),
        Kind::ClipDominated => plan.release_clip(),
        Kind::DecayDominated => plan.ease_decay(),
        Kind::BornSaturated | Kind::LaterSaturated => plan.saturated(hit.kind == Kind::LaterSaturated),
        Kind::OutputSaturated => plan.output_saturated(),
        Kind::InitScale(Direction::Small) => plan.vanishing(),
        Kind::InitScale(Direction::Large) => plan.exploding_depth(),
        Kind::BornDead(DeathCause::Bias) => plan.dead_by_bias(),
        Kind::BornDead(_) => plan.dead_by_weights(),
        Kind::LaterDead => plan.killed(),
        Kind::DeadUnits | Kind::DormantUnits => plan.dead_by_weights(),
        Kind::Symmetric => plan.initialise("random weights tell the units apart"),
        Kind::ExplodingDepth => plan.exploding_depth(),
        // No update had been made: the rate cannot be the cause.
        Kind::NonFinite if hit.evidence.contains_key(GIVEN) => {}
        Kind::NonFinite if hit.first_step == Some(0) => plan.broken_from_the_start(),
        // Of a recurrent layer, before any update.
        Kind::ExplodingTime if hit.first_step == Some(0) => plan.tame(),
        Kind::VanishingTime => plan.remember(),
        Kind::UpdateHigh | Kind::ExplodingTime | Kind::NonFinite => plan.too_large(),
        Kind::NeverUpdated | Kind::Slow => plan.too_small(),
        Kind::Frozen => plan.vanishing(),
        Kind::Stalled if q.all_gradients_zero() => {
            plan.initialise("weights of the right size let gradients through")
        }
        Kind::Stalled => plan.too_small(),
        Kind::VanishingDepth | Kind::VanishingAll => plan.vanishing(),
        Kind::ConstantOutput | Kind::Plateau => plan.no_progress(),
    }
    if q.record.header.is_program() {
        // Its layers and initial weights are as they were saved.
        plan.remedies.retain(|r| !OF_DESCRIBED_MODELS.iter().any(|flag| r.flag.contains(flag)));
    }
    plan.remedies.truncate(OFFERED);
    plan.remedies
}

impl Plan<'_> {
    /// What the user has set and what by itself keeps a network from learning, whatever the finding.
    fn own_brakes(&mut self) {
        let run = self.run;
        // Adam and RMSprop divide by the size of the gradient, clipped or not, and add decay to it.
        let (sgd, decoupled) = (run.optimizer == "sgd", run.optimizer == "adamw");
        if sgd && run.clip_norm.is_some_and(|c| c < SMALL_CLIP) {
            self.add("--clip-norm 1", "the gradient is clipped to almost nothing; the usual norm is about 1");
        }
        if run.dropout >= STRONG_DROPOUT {
            self.add(
                "--dropout 0.2",
                format!("dropout takes {} of the units from every step", percent(run.dropout)),
            );
        }
        self.batch_of_a_few_rows();
        if (sgd || decoupled) && run.lr * run.weight_decay > STRONG_DECAY {
            self.add(
                format!("--weight-decay {}", plain(run.weight_decay / 100.0)),
                format!(
                    "every step takes {} of the weights away; a hundredth of the decay leaves them standing",
                    percent(run.lr * run.weight_decay)
                ),
            );
        }
    }

    fn batch_of_a_few_rows(&mut self) {
        let (norm, batch) = (self.run.norm.as_str(), self.run.batch_size);
        if norm.starts_with("batch") && (1..=TINY_BATCH).contains(&batch) {
            self.add(
                "--batch-size 32",
                format!("normalised over {batch} rows, a unit tells little of what it has seen"),
            );
            self.add("--norm layer", "layer normalisation does not look at a batch");
        }
    }

    fn input_scale(&mut self) {
        self.standardise();
        self.normalise("it scales what the first layer puts out, whatever the inputs");
    }

    fn release_clip(&mut self) {
        if let Some(clip) = self.run.clip_norm {
            let usual = if clip < 1.0 { 1.0 } else { clip * 1000.0 };
            self.add(format!("--clip-norm {}", plain(usual)), "it then cuts only what sticks out");
        }
        if let Some(clip) = self.run.clip_value {
            let usual = if clip < 1.0 { 1.0 } else { clip * 1000.0 };
            self.add(format!("--clip-value {}", plain(usual)), "it then cuts only what sticks out");
        }
    }

    fn ease_decay(&mut self) {
        self.add(
            format!("--weight-decay {}", plain(self.run.weight_decay / 100.0)),
            "a hundredth of the decay leaves the weights standing",
        );
        self.add("--weight-decay 0", "without decay only the gradient moves the weights");
    }

    fn saturated(&mut self, later: bool) {
        self.standardise();
        if !self.zero_bias() && self.run.bias != "default" {
            self.add("--bias 0", "without the bias pre-activations lie around zero, where slopes are steep");
        }
        if later {
            self.lower_rate();
        }
        let of_weights = self.zero_bias() || self.run.bias == "default";
        if let Some(init) = self.init().filter(|_| of_weights) {
            self.add(format!("--init {init}"), "smaller weights keep pre-activations where slopes are steep");
        }
        self.normalise("it moves pre-activations around zero, where slopes are steep");
        self.add("--act relu --init kaiming-normal", "a ReLU has no flat upper end");
    }

    fn output_saturated(&mut self) {
        if !self.zero_bias() && self.run.bias != "default" {
            self.add("--bias 0", "without the bias the output starts where its slope is steep");
        }
        self.fit_init("smaller weights keep the output where its slope is steep");
        self.lower_rate();
    }

    fn dead_by_bias(&mut self) {
        if self.zero_bias() {
            return self.dead_by_weights();
        }
        if self.tiny() {
            return self.dead_by_bias_with_tiny_weights();
        }
        self.add("--bias 0", "without the negative bias about half of the samples make a unit fire");
        self.normalise("it moves pre-activations around zero, whatever the bias");
    }

    /// Two faults in one: what lifts the bias alone leaves gradients that vanish. Tried on relu5 with
    /// bias -8 over four seeds and 300 epochs: healthy in 4, 1 and 0 of 4, in this order
    /// (of the second, two more only had a plateau).
    fn dead_by_bias_with_tiny_weights(&mut self) {
        if self.run.norm == "none" {
            self.add(
                format!("--bias 0 --norm {}", self.fitting_norm()),
                "without the negative bias units fire again, and normalisation makes up for the tiny weights",
            );
        }
        if let Some(init) = self.init() {
            self.add(
                format!("--bias 0 --init {init}"),
                "the weights are tiny as well: larger ones let gradients through, though layers of a few units \
                 can still die",
            );
        }
        self.add(
            "--bias 0",
            "it removes this cause alone: with weights as tiny as these, gradients then vanish with depth",
        );
    }

    fn dead_by_weights(&mut self) {
        self.standardise();
        self.fit_init("weights around zero make about half of the samples fire");
        self.normalise("it moves pre-activations around zero, so that units fire again");
        self.leaky();
    }

    fn killed(&mut self) {
        if let Some(init) = self.init().filter(|_| self.tiny()) {
            self.add(
                format!("--init {init}"),
                "the weights are so small that a little drift of the bias silences a unit",
            );
        }
        self.normalise("it moves pre-activations around zero, whatever the steps did to the bias");
        self.leaky();
        self.lower_rate();
    }

    fn exploding_depth(&mut self) {
        self.fit_init("it keeps the size of signals from layer to layer");
        self.normalise("it keeps the size of signals from layer to layer");
        if self.run.norm == "none" {
            self.add(
                "--norm layer",
                "it keeps the size of signals from layer to layer, without looking at a batch",
            );
        }
    }

    fn broken_from_the_start(&mut self) {
        self.standardise();
        self.initialise("no update had been made yet: the initial weights are too large");
        self.normalise("it keeps the size of signals from layer to layer");
    }

    fn too_large(&mut self) {
        self.standardise();
        self.lower_rate();
        if !self.is_adaptive() {
            self.adam();
            if self.run.clip_norm.is_none_or(|c| c > 1.0) {
                let lr = plain(self.run.lr / 10.0);
                self.add(
                    format!("--clip-norm 1 --lr {lr}"),
                    "it bounds the largest steps, and a tenth of the rate the others",
                );
            }
        }
    }

    /// What keeps gradients alive through the steps of a sequence. Tried on a plain layer that is to
    /// remember the first of 60 steps, over five seeds: the first worked in 5 of 5, the second in 3; LSTM, and
    /// GRU with biases of its own, in 0 of 1 each.
    fn remember(&mut self) {
        self.add(
            "--cell gru --bias 1 --optimizer adam --lr 0.005",
            "a GRU whose gates begin half open keeps what it holds from step to step",
        );
        if self.has_plain_cell() {
            self.add(
                "--init orthogonal --optimizer adam --lr 0.001",
                "orthogonal weights keep the size of what they pass on; tanh still takes its share",
            );
        }
    }

    /// What keeps gradients from growing through the steps of a sequence.
    fn tame(&mut self) {
        self.add(
            "--init default --optimizer adam --lr 0.001",
            "weights within 1/sqrt(units) of zero do not multiply what they see at every step",
        );
        if self.has_plain_cell() {
            self.add(
                "--cell lstm --init default --optimizer adam --lr 0.005",
                "the gates of an LSTM pass on what a plain recurrent layer multiplies by its weights at every step",
            );
        }
    }

    fn too_small(&mut self) {
        let lr = self.run.lr;
        if self.schedule_ends_it() {
            let fit = self.fitting_rate().unwrap_or(lr).max(lr);
            let why = "the schedule has all but ended the run; a cosine leaves it half of its steps";
            self.add(format!("--lr-decay cosine --lr {}", plain(fit)), why);
            self.add("--lr-decay cosine --optimizer adam --lr 0.001", why);
        }
        if lr > 0.0 && lr.is_finite() {
            match self.fitting_rate().filter(|fit| *fit > 2.0 * lr) {
                Some(fit) => self.add(format!("--lr {}", plain(fit)), self.fitting_why()),
                None => self.add(
                    format!("--lr {}", plain((lr * 1000.0).min(MAX_LEARNING_RATE))),
                    "a thousand times the rate; ten times is not enough",
                ),
            }
        } else if self.is_adaptive() {
            self.add("--lr 0.001", "with a learning rate of 0 nothing can move");
        } else {
            self.add("--lr 0.01", "with a learning rate of 0 nothing can move");
        }
        self.adam();
    }

    fn vanishing(&mut self) {
        self.standardise();
        let act = self.run.activation.as_str();
        let squashing = matches!(act, "sigmoid" | "tanh");
        let deep = self.q.hidden().count() >= DEEP_SIGMOID;
        let tiny = self.tiny();
        // Of these only a part of the gradient, or next to none, passes below zero.
        let lopsided = matches!(act, "lrelu" | "elu" | "gelu" | "silu" | "selu");
        if lopsided && self.mostly_negative() && !self.zero_bias() {
            let why =
                "with pre-activations below zero every layer passes only its slope's share of the gradient";
            match self.init().filter(|_| tiny) {
                Some(init) => self.add(
                    format!("--bias 0 --init {init}"),
                    format!("{why}, and the tiny weights take the rest"),
                ),
                None => self.add("--bias 0", why),
            }
        }
        if self.narrow() {
            self.normalise(
                "it keeps the size of signals from layer to layer, and layers of a few units alive",
            );
        }
        if act == "sigmoid" && deep {
            self.add(
                "--act relu --init kaiming-normal",
                "a sigmoid's slope is at most 1/4, layer after layer; a ReLU's is 1",
            );
            self.add("--act tanh --init xavier-uniform", "the slope of tanh is 1 at zero");
            self.normalise("it keeps the size of signals from layer to layer");
            if let Some(init) = self.init().filter(|_| tiny) {
                self.add(
                    format!("--init {init}"),
                    "the weights are tiny; it eases the decay, the sigmoids remain",
                );
            }
        } else if let Some(init) = self.init().filter(|_| tiny || !deep || !squashing) {
            let why = if tiny {
                format!(
                    "the weights ({}) are so small that each layer shrinks the gradient; no learning rate \
                     makes up for it",
                    self.run.init
                )
            } else {
                "it keeps the size of gradients from layer to layer".into()
            };
            self.add(format!("--init {init}"), why);
        }
        self.normalise("it keeps the size of signals from layer to layer");
        if act == "lrelu" && self.run.lrelu_slope < LARGE_SLOPE {
            self.add(
                format!("--lrelu-slope {LARGE_SLOPE}"),
                "a larger slope lets more of the gradient through; it eases the decay, it does not remove it",
            );
        }
        if act == "tanh" && self.q.trunk().next().is_some() {
            self.add("--act relu --init kaiming-normal", "a ReLU does not saturate");
        }
    }

    fn no_progress(&mut self) {
        self.standardise();
        if self.run.activation == "identity" && self.q.hidden().next().is_some() {
            let why = "without a nonlinearity all layers together are no more than a linear one";
            self.add("--act relu --init kaiming-normal", why);
        }
        if self.first_update().is_some_and(|u| u > LARGE_UPDATE) {
            self.lower_rate();
        }
        if self.q.captures.last().and_then(|c| c.median_update()).is_some_and(|u| u < TARGET_UPDATE / 10.0) {
            self.too_small();
        }
        self.adam();
        if let Some(init) = self.init().filter(|_| self.tiny()) {
            self.add(format!("--init {init}"), "the weights are tiny");
        }
    }
}

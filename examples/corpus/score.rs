//! What is counted, run by run and over a half.

use std::collections::{BTreeMap, BTreeSet};

use gradscope::diagnose::Verdict;
use gradscope::record::Record;
use serde::Serialize;

use crate::case::Fault;
use crate::earlier::{self, Alarm};
use crate::ours::{Asked, Said, ask_along};
use crate::train::Run;

/// Final training loss, as a share of the loss of guessing, that a healthy run must come below.
const LEARNED: f64 = 0.8;
/// The same below which a faulty run has learned in spite of its label.
const LEARNED_ANYWAY: f64 = 0.5;

/// A run with all that was said of it.
pub struct Scored<'a> {
    pub run: &'a Run,
    /// After every captured epoch.
    along: Vec<Asked>,
    /// About the whole record.
    pub end: Asked,
    earlier: [Alarm; 4],
    /// Final training loss over that of guessing; infinite where it is no number.
    pub share: f64,
}

impl<'a> Scored<'a> {
    pub fn new(run: &'a Run, record: &Record) -> Self {
        let mut along = ask_along(record);
        let end = along.pop().expect("the whole record was asked about");
        let last = record.epochs.last().map_or(f64::NAN, |e| e.train_loss);
        let share = Some(last / record.header.data.baseline_loss).filter(|s| s.is_finite());
        Self { run, along, end, earlier: earlier::alarms(record), share: share.unwrap_or(f64::INFINITY) }
    }

    pub fn fault(&self) -> Option<&Fault> {
        self.run.fault()
    }

    /// Whether how the run ended is against its label.
    pub fn is_contradicted(&self) -> bool {
        if self.run.is_faulty() { self.share < LEARNED_ANYWAY } else { self.share >= LEARNED }
    }

    /// Whether any answer, at any time, was more than healthy.
    fn ever_alarmed(&self) -> bool {
        self.along.iter().chain([&self.end]).any(|a| a.verdict > Verdict::Healthy)
    }

    /// The findings that the verdict speaks of.
    pub fn roots(&self) -> impl Iterator<Item = &Said> {
        self.end.said.iter().filter(|s| s.root)
    }

    /// The first of them.
    pub fn root(&self) -> Option<&Said> {
        self.roots().next()
    }

    /// Rules that were ever said, with the epochs after which.
    pub fn alarms(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut alarms = BTreeMap::<String, BTreeSet<u64>>::new();
        for asked in &self.along {
            for said in &asked.said {
                alarms.entry(said.rule.clone()).or_default().insert(asked.after);
            }
        }
        alarms
    }

    /// Epochs after which this is first said.
    fn first(&self, wanted: impl Fn(&Said) -> bool) -> Option<u64> {
        self.along.iter().find(|a| a.said.iter().any(&wanted)).map(|a| a.after)
    }
}

impl Fault {
    fn accepts(&self, said: &Said) -> bool {
        self.roots.iter().chain(self.second).chain(self.signs).any(|rule| *rule == said.rule)
    }

    pub fn has_root(&self, said: &Said) -> bool {
        self.roots.contains(&said.rule.as_str())
    }

    /// The rules that may be roots, of one fault after the other.
    pub fn faults(&self) -> impl Iterator<Item = &'static [&'static str]> {
        [self.roots, self.second].into_iter().filter(|roots| !roots.is_empty())
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Count {
    pub hits: usize,
    pub of: usize,
}

impl Count {
    fn of<T>(items: impl IntoIterator<Item = T>, hit: impl Fn(&T) -> bool) -> Self {
        let mut count = Self::default();
        for item in items {
            count.of += 1;
            count.hits += usize::from(hit(&item));
        }
        count
    }

    /// As a share; 1 of none.
    pub fn share(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.hits as f64 / self.of as f64 }
    }
}

/// What a half came to.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub fault_kinds: usize,
    pub healthy_kinds: usize,
    /// Faulty runs of which a rule that may fire does.
    pub fires: Count,
    /// Of which the verdict names a cause that is the label's.
    pub root: Count,
    /// With as many roots as faults.
    pub as_many: Count,
    /// Of those with two faults: both are roots.
    pub both: Count,
    /// Of those with a layer: the root is right and names it.
    pub layer: Count,
    /// The first epoch of what fires is at most one from the label's.
    pub onset: Count,
    /// Named within one, two and three epochs of the onset.
    pub within: [Count; 3],
    /// Healthy runs with an error, and with a warning or an error, at the end.
    pub healthy_error: Count,
    pub healthy_alarm: Count,
    /// Healthy runs with a warning or an error after any epoch.
    pub healthy_ever: Count,
    /// Runs whose end is against their label.
    pub contradicted_faulty: Count,
    pub contradicted_healthy: Count,
    pub rules: BTreeMap<String, RuleScore>,
    pub tools: Vec<ToolScore>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RuleScore {
    /// Of the runs of which it is said to be a root: those where it may be.
    pub precision: Count,
    /// Of the runs whose usual root it is: those in which it fires.
    pub recall: Count,
    /// Epochs after which it first fires in these, the median.
    pub epochs: Option<u64>,
}

/// Alarms of a set of rules, whatever they name.
#[derive(Debug, Serialize)]
pub struct ToolScore {
    pub name: &'static str,
    pub faulty_end: Count,
    pub faulty_ever: Count,
    pub healthy_end: Count,
    pub healthy_ever: Count,
}

/// Counts over these runs.
pub fn summary(runs: &[&Scored]) -> Summary {
    let faulty: Vec<(&Scored, &Fault)> = runs.iter().filter_map(|s| Some((*s, s.fault()?))).collect();
    let healthy: Vec<&Scored> = runs.iter().copied().filter(|s| s.fault().is_none()).collect();
    let on_faulty = |hit: &dyn Fn(&Scored, &Fault) -> bool| Count::of(&faulty, |(s, f)| hit(s, f));
    let on_healthy = |hit: &dyn Fn(&Scored) -> bool| Count::of(&healthy, |s| hit(s));
    let kinds = |faulty: bool| {
        let of = runs.iter().filter(|s| s.run.is_faulty() == faulty);
        of.map(|s| s.run.kind.name).collect::<BTreeSet<_>>().len()
    };
    Summary {
        fault_kinds: kinds(true),
        healthy_kinds: kinds(false),
        fires: on_faulty(&|s, f| s.end.said.iter().any(|said| f.accepts(said))),
        root: on_faulty(&is_root_right),
        as_many: on_faulty(&has_as_many_roots),
        both: Count::of(faulty.iter().filter(|(_, f)| !f.second.is_empty()), |(s, f)| is_root_right(s, f)),
        layer: Count::of(faulty.iter().filter(|(_, f)| !f.layers.is_empty()), |(s, f)| is_layer_right(s, f)),
        onset: on_faulty(&|s, f| {
            let accepted = s.end.said.iter().filter(|said| f.accepts(said));
            accepted.map(|said| said.first_epoch).min().is_some_and(|first| first.abs_diff(f.onset) <= 1)
        }),
        within: [1, 2, 3].map(|epochs| {
            on_faulty(&|s, f| s.first(|said| f.accepts(said)).is_some_and(|n| n <= f.onset + epochs))
        }),
        healthy_error: on_healthy(&|s| s.end.verdict == Verdict::Unhealthy),
        healthy_alarm: on_healthy(&|s| s.end.verdict > Verdict::Healthy),
        healthy_ever: on_healthy(&|s| s.ever_alarmed()),
        contradicted_faulty: on_faulty(&|s, _| s.is_contradicted()),
        contradicted_healthy: on_healthy(&|s| s.is_contradicted()),
        rules: rules(runs, &faulty),
        tools: tools(&faulty, &healthy),
    }
}

/// Whether the verdict names a cause that is the label's; of two faults, one for each.
pub fn is_root_right(scored: &Scored, fault: &Fault) -> bool {
    let named = |roots: &[&str]| scored.roots().any(|root| roots.contains(&root.rule.as_str()));
    match fault.second {
        [] => scored.root().is_some_and(|root| fault.has_root(root)),
        _ => fault.faults().all(named),
    }
}

/// Whether there are as many roots as faults.
pub fn has_as_many_roots(scored: &Scored, fault: &Fault) -> bool {
    scored.roots().count() == fault.faults().count()
}

/// Whether it does so for one of the label's layers.
pub fn is_layer_right(scored: &Scored, fault: &Fault) -> bool {
    let named = scored.root().filter(|root| fault.has_root(root)).and_then(|root| root.layer.as_ref());
    named.is_some_and(|layer| fault.layers.contains(layer))
}

fn rules(runs: &[&Scored], faulty: &[(&Scored, &Fault)]) -> BTreeMap<String, RuleScore> {
    let said =
        runs.iter().flat_map(|s| s.end.said.iter().filter(|said| said.root).map(|said| said.rule.clone()));
    let labelled = faulty.iter().map(|(_, f)| f.roots[0].to_string());
    let names: BTreeSet<String> = said.chain(labelled).collect();
    let score = |name: &String| {
        let is_root = |s: &&&Scored| s.end.said.iter().any(|said| said.root && said.rule == *name);
        let usual = || faulty.iter().filter(|(_, f)| f.roots[0] == name);
        let mut epochs: Vec<u64> = usual().filter_map(|(s, _)| s.first(|said| said.rule == *name)).collect();
        epochs.sort_unstable();
        RuleScore {
            precision: Count::of(runs.iter().filter(is_root), |s| {
                s.fault().is_some_and(|f| f.faults().any(|roots| roots.contains(&name.as_str())))
            }),
            recall: Count::of(usual(), |(s, _)| s.end.said.iter().any(|said| said.rule == *name)),
            epochs: epochs.get(epochs.len() / 2).copied(),
        }
    };
    names.iter().map(|name| (name.clone(), score(name))).collect()
}

fn tools(faulty: &[(&Scored, &Fault)], healthy: &[&Scored]) -> Vec<ToolScore> {
    let score = |name, alarm: &dyn Fn(&Scored) -> Alarm| ToolScore {
        name,
        faulty_end: Count::of(faulty, |(s, _)| alarm(s).end),
        faulty_ever: Count::of(faulty, |(s, _)| alarm(s).any),
        healthy_end: Count::of(healthy, |s| alarm(s).end),
        healthy_ever: Count::of(healthy, |s| alarm(s).any),
    };
    let ours = |s: &Scored| Alarm { end: s.end.verdict > Verdict::Healthy, any: s.ever_alarmed() };
    let mut tools = vec![score("gradscope", &ours)];
    tools.extend((0..).zip(earlier::NAMES).map(|(i, name): (usize, _)| score(name, &|s| s.earlier[i])));
    tools
}

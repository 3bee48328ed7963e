//! Findings of two runs, matched.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::diagnose::{Finding, Severity};
use crate::record::number;
use crate::report::Summary;

/// A finding of both runs that has become worse or better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// As it was.
    pub base: BaseFinding,
    /// As it is now.
    pub finding: Finding,
}

/// A finding as it was, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaseFinding {
    /// How bad it was.
    pub severity: Severity,
    /// The layers that it was about.
    pub layers: Vec<String>,
    /// The measured quantity.
    #[serde(with = "number")]
    pub value: f64,
    /// The limit that it crossed.
    #[serde(with = "number")]
    pub threshold: f64,
}

/// The findings by what became of them.
pub struct Findings {
    /// Indices among the new ones.
    pub appeared: Vec<usize>,
    /// Indices of what is in `worse`.
    worsened: Vec<usize>,
    pub worse: Vec<Changed>,
    pub better: Vec<Changed>,
    pub fixed: Vec<Finding>,
    pub unchanged: usize,
}

impl Findings {
    /// The findings, of so many, that are neither new nor worse.
    pub fn known(&self, of: usize) -> BTreeSet<usize> {
        (0..of).filter(|i| !self.appeared.contains(i) && !self.worsened.contains(i)).collect()
    }
}

/// Matches findings: first those of one rule that name the same layer, then those of one rule that share
/// a layer. `tolerance`: the relative change from which a value is another one; `None` where values
/// do not count.
pub fn compare(base: &Summary, new: &Summary, tolerance: Option<f64>) -> Findings {
    let mut partner: Vec<Option<usize>> = vec![None; new.findings.len()];
    let mut free: BTreeSet<usize> = (0..base.findings.len()).collect();
    let same: [fn(&Finding, &Finding) -> bool; 2] = [|a, b| a.layer == b.layer, share_a_layer];
    for alike in same {
        for (i, finding) in
            new.findings.iter().enumerate().filter(|(i, _)| partner[*i].is_none()).collect::<Vec<_>>()
        {
            let mut others = free.iter().map(|j| (*j, &base.findings[*j]));
            partner[i] = others.find(|(_, b)| b.rule == finding.rule && alike(b, finding)).map(|(j, _)| j);
            if let Some(j) = partner[i] {
                free.remove(&j);
            }
        }
    }
    let mut found = Findings {
        appeared: Vec::new(),
        worsened: Vec::new(),
        worse: Vec::new(),
        better: Vec::new(),
        fixed: free.iter().map(|j| base.findings[*j].clone()).collect(),
        unchanged: 0,
    };
    for (i, finding) in new.findings.iter().enumerate() {
        let Some(before) = partner[i].map(|j| &base.findings[j]) else {
            found.appeared.push(i);
            continue;
        };
        let Some(worse) = worsening(base, before, finding, tolerance) else {
            found.unchanged += 1;
            continue;
        };
        let changed = Changed { base: BaseFinding::new(before), finding: finding.clone() };
        if worse {
            found.worse.push(changed);
            found.worsened.push(i);
        } else {
            found.better.push(changed);
        }
    }
    found.appeared.sort_by_key(|i| new.findings[*i].rank());
    found.worse.sort_by_key(|c| c.finding.rank());
    found.better.sort_by_key(|c| c.finding.rank());
    found
}

impl BaseFinding {
    fn new(finding: &Finding) -> Self {
        Self {
            severity: finding.severity,
            layers: finding.layers.clone(),
            value: finding.value,
            threshold: finding.threshold,
        }
    }
}

fn share_a_layer(a: &Finding, b: &Finding) -> bool {
    a.layers.iter().any(|layer| b.layers.contains(layer))
}

/// Whether a finding got worse (`true`) or better; `None` where neither can be said.
fn worsening(base: &Summary, before: &Finding, now: &Finding, tolerance: Option<f64>) -> Option<bool> {
    if before.severity != now.severity {
        return Some(now.severity > before.severity);
    }
    // A layer that the base does not have is no healthy one that fell ill.
    let mut fell_ill = now.layers.iter().filter(|layer| !before.layers.contains(layer));
    if fell_ill.any(|layer| base.layers.iter().any(|l| l.name == *layer)) {
        return Some(true);
    }
    let tolerance = tolerance?;
    // Another limit makes other numbers.
    if before.threshold != now.threshold || before.quantity != now.quantity {
        return None;
    }
    if before.value.is_nan() || now.value.is_nan() {
        return (before.value.is_nan() != now.value.is_nan()).then_some(now.value.is_nan());
    }
    if !changed(before.value, now.value, tolerance) {
        return None;
    }
    // The limit tells on which side of it the harm is.
    let upward = now.value > now.threshold || (now.value == now.threshold && before.value < now.threshold);
    Some((now.value > before.value) == upward)
}

/// Whether a number changed by more than the tolerance, relative to the larger of the two.
pub fn changed(before: f64, now: f64, tolerance: f64) -> bool {
    if before == now || (before.is_nan() && now.is_nan()) {
        return false;
    }
    if !before.is_finite() || !now.is_finite() {
        return true;
    }
    (now - before).abs() > tolerance * before.abs().max(now.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_relative_and_what_is_not_finite_is_always_one() {
        assert!(!changed(1.0, 1.09, 0.1) && changed(1.0, 1.2, 0.1) && changed(1e-9, 2e-9, 0.1));
        assert!(changed(0.0, 1e-12, 0.1) && !changed(0.0, -0.0, 0.1));
        assert!(changed(1.0, f64::NAN, 0.1) && !changed(f64::NAN, f64::NAN, 0.1));
        assert!(
            changed(f64::INFINITY, f64::NEG_INFINITY, 0.1) && !changed(f64::INFINITY, f64::INFINITY, 0.1)
        );
    }
}

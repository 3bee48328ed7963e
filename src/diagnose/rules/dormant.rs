//! Units that do next to nothing, of nonlinearities that cannot die outright.

use std::collections::BTreeMap;

use super::super::Severity;
use super::super::causes::Kind;
use super::super::quantities::Capture;
use super::super::rule::{Rule, RuleContext, RuleMatch, Unmeasured, span};
use super::super::settings::Param;
use super::super::text::percent;

const ACTIVITY: Param = Param::limit(
    "activity",
    0.025,
    "share of the layer's mean spread, and of its mean gradient, below which a unit is dormant (Sokar and \
     others, 2023, look at 0 to 0.1 of the mean output)",
);
const SHARE: Param = Param::limit("share", 0.25, "share of a layer's units");
const UNITS: Param =
    Param::count("units", 8, "least units of a layer: a quarter of three is an accident").guessed();
const CAPTURES: Param = Param::count("captures", 2, "captured epochs in a row (or all there are)");

pub static DORMANT_UNITS: Rule = Rule {
    name: "dormant-units",
    family: "dormant",
    summary: "Many units of a layer that is not ReLU hardly vary and hardly receive a gradient",
    params: &[ACTIVITY, SHARE, UNITS, CAPTURES],
    measures: "The standard deviation over samples of each unit's output, and the norm of its weights' \
               gradient, against the means of its layer.",
    fires: "Where both are {activity} of the mean or less for {share} of a layer of at least {units} units, \
            at {captures} captured epochs in a row: warning where another finding explains it and the run \
            is harmed, else info. It is never a root.",
    false_alarms: "None above info without another finding.",
    remedies: "Belong to its cause.",
    evaluate,
};

fn evaluate(cx: &RuleContext) -> Result<Vec<RuleMatch>, Unmeasured> {
    let q = cx.q;
    cx.captures()?;
    let layers: Vec<usize> = q
        .hidden()
        .filter(|&i| q.layer(i).is_some_and(|l| !l.activation.can_die() && l.units >= cx.get(&UNITS) as u64))
        .collect();
    let activity = |c: &Capture, i: usize| {
        c.layers.get(i).and_then(|l| l.activations.as_ref()).and_then(|a| a.activity.clone())
    };
    if !layers.is_empty() && !layers.iter().any(|&i| q.captures.iter().any(|c| activity(c, i).is_some())) {
        return Err(Unmeasured("the record does not say how much single units do"));
    }
    let share = |c: &Capture, i: usize| {
        let activity = activity(c, i)?;
        Some(activity.dormant(cx.get(&ACTIVITY)) as f64 / activity.std.len().max(1) as f64)
    };
    let limit = cx.get(&SHARE);
    let mut found = Vec::new();
    for i in layers {
        let many = |c: &Capture| share(c, i).is_some_and(|s| s > 0.0 && s >= limit);
        if let Some(run) = cx.trailing_run(cx.count(&CAPTURES), many) {
            let value = run.last().and_then(|c| share(c, i)).unwrap_or(0.0);
            found.push((i, span(run), value));
        }
    }
    let Some((worst, _, value)) = found.iter().max_by(|a, b| a.2.total_cmp(&b.2)).copied() else {
        return Ok(Vec::new());
    };
    let first = found.iter().map(|(_, s, _)| s.0).min().unwrap_or(0);
    let message = format!(
        "units of {} are dormant since epoch {first}: {} of them in {} hardly vary over the samples and hardly \
         receive a gradient (limit {})",
        cx.names(&found.iter().map(|f| f.0).collect::<Vec<_>>()),
        percent(value),
        cx.names(&[worst]),
        percent(limit),
    );
    Ok(vec![RuleMatch {
        kind: Kind::DormantUnits,
        severity: if q.failing { Severity::Warning } else { Severity::Info },
        layers: found.iter().map(|f| f.0).collect(),
        first_epoch: first,
        last_epoch: found.iter().map(|(_, s, _)| s.1).max().unwrap_or(0),
        first_step: None,
        value,
        threshold: limit,
        quantity: "share of a layer's units that hardly do anything",
        message,
        evidence: BTreeMap::from([("worst_layer".to_owned(), cx.names(&[worst]).into())]),
    }])
}

#[cfg(test)]
mod tests {
    use super::super::super::Severity;
    use super::super::super::test_support::{Fake, Norms};
    use crate::record::Activation;

    /// A tanh network of eight units a layer, so many of which do this share of what the others do.
    fn dormant(units: usize, share: f32) -> Fake {
        let mut fake = Fake::run(
            &[2, 8, 8, 8, 1],
            Activation::Tanh,
            6,
            10,
            |_| 0.693,
            |_, i| Norms { w: 2.0, g: if i == 0 { 1e-5 } else { 0.05 }, u: 0.02 },
        );
        fake.each_capture(1, |_, l| {
            let a = l.activations.as_mut().unwrap().activity.as_mut().unwrap();
            a.std[..units].fill(0.2 * share);
            a.grad[..units].fill(share);
        });
        fake
    }

    #[test]
    fn a_quarter_of_the_units_must_do_next_to_nothing() {
        let f = dormant(2, 0.015).finding("dormant-units").unwrap();
        assert_eq!((f.layer.as_deref(), f.root, f.severity), (Some("fc2"), false, Severity::Warning));
        assert_eq!(dormant(1, 0.015).finding("dormant-units"), None);
        // The mean is that of six units that do all.
        assert_eq!(dormant(2, 0.026).finding("dormant-units"), None);
    }

    #[test]
    fn without_a_cause_it_is_only_noted() {
        let mut fake = dormant(2, 0.01);
        fake.set_norms(0, |_| Norms { w: 2.0, g: 0.05, u: 0.02 });
        fake.record.epochs.truncate(3);
        fake.record.steps.retain(|s| s.epoch < 3);
        let d = fake.diagnose();
        let f = d.findings.iter().find(|f| f.rule == "dormant-units").unwrap();
        assert_eq!((f.severity, f.root), (Severity::Info, false));
        assert_eq!(d.verdict, crate::diagnose::Verdict::Healthy);
    }

    #[test]
    fn a_record_whose_units_are_not_those_of_the_layer_is_refused() {
        let mut epoch = dormant(2, 0.01).record.epochs[5].clone();
        epoch.epoch = 6;
        let mut record = dormant(2, 0.01).record;
        epoch.layers[1].activations.as_mut().unwrap().activity.as_mut().unwrap().std.pop();
        let error = record.push(crate::record::Line::Epoch(epoch)).unwrap_err();
        assert_eq!(error, "layer fc2: activity is not of its 8 units");
    }
}

//! Units that do next to nothing, of nonlinearities that cannot die outright.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::quantities::{Capture, span};
use crate::diagnose::rule::{Evaluation, Need, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text::percent;
use crate::record::Activity;

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

pub static RULE: Rule = Rule {
    name: "dormant-units",
    family: "dormant",
    summary: "Many units of a layer that is not ReLU hardly vary and hardly receive a gradient",
    scope: Scope::Layer,
    params: &[ACTIVITY, SHARE, UNITS, CAPTURES],
    measures: "The standard deviation over samples of each unit's output, and the norm of its weights' \
               gradient, against the means of its layer.",
    fires: "Where both are {activity} of the mean or less for {share} of a layer of at least {units} units, \
            at {captures} captured epochs in a row: warning where another finding explains it and the run \
            is harmed, else info. It is never a root.",
    false_alarms: "None above info without another finding.",
    trials: "Belong to its cause.",
    needs: &[Need::Epoch],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::NotMeasured,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let q = cx.q;
    let layers: Vec<usize> = q
        .hidden()
        .filter(|&i| {
            q.layer(i).is_some_and(|l| !l.activation.can_die() && l.units >= cx.count(&UNITS) as u64)
        })
        .collect();
    let measured = layers.iter().any(|&i| q.captures.iter().any(|c| activity(c, i).is_some()));
    if !layers.is_empty() && !measured {
        return Err(Unmeasured("the record does not say how much single units do"));
    }
    let limit = cx.get(&SHARE);
    let mut found = Vec::new();
    for i in layers {
        let run =
            cx.trailing_run(cx.count(&CAPTURES), |c| share(cx, c, i).is_some_and(|s| s > 0.0 && s >= limit));
        if let Some(run) = run {
            let value = run.last().and_then(|c| share(cx, c, i)).unwrap_or(0.0);
            found.push((i, span(run), value));
        }
    }
    Ok(describe(cx, &found, limit).into_iter().collect())
}

fn activity<'c>(capture: &'c Capture, layer: usize) -> Option<&'c Activity> {
    capture.layers.get(layer)?.activations.as_ref()?.activity.as_ref()
}

/// The share of a layer's units that are dormant.
fn share(cx: &RuleContext, capture: &Capture, layer: usize) -> Option<f64> {
    let activity = activity(capture, layer)?;
    Some(activity.dormant(cx.get(&ACTIVITY)) as f64 / activity.std.len().max(1) as f64)
}

/// The finding about these layers, each with its first and last epoch and its share.
fn describe(cx: &RuleContext, found: &[(usize, (u64, u64), f64)], limit: f64) -> Option<RuleMatch> {
    let (worst, _, value) = found.iter().max_by(|a, b| a.2.total_cmp(&b.2)).copied()?;
    let layers: Vec<usize> = found.iter().map(|f| f.0).collect();
    let first_epoch = found.iter().map(|(_, span, _)| span.0).min()?;
    let message = format!(
        "units of {} are dormant since epoch {first_epoch}: {} of them in {} hardly vary over the samples and hardly \
         receive a gradient (limit {})",
        cx.names(&layers),
        percent(value),
        cx.names(&[worst]),
        percent(limit),
    );
    Some(RuleMatch {
        kind: Kind::DormantUnits,
        severity: if cx.q.failing { Severity::Warning } else { Severity::Info },
        layers,
        first_epoch,
        last_epoch: found.iter().map(|(_, span, _)| span.1).max()?,
        first_step: None,
        value,
        threshold: limit,
        quantity: "share of a layer's units that hardly do anything",
        message,
        evidence: BTreeMap::from([("worst_layer".to_owned(), cx.names(&[worst]).into())]),
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnose::finding::Severity;
    use crate::diagnose::test_support::{Fake, Norms};
    use crate::record::Activation;

    /// A tanh network of eight units a layer, so many of which do this share of what the others do.
    fn dormant(units: usize, share: f32) -> Fake {
        let mut fake = Fake::run(
            &[2, 8, 8, 8, 1],
            Activation::Tanh,
            [6, 10],
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

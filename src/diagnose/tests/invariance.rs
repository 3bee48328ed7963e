//! Changes that leave every finding as it is: the scale of the loss, scale moved between layers, the order of units, the form in
//! which captures are kept.

use super::*;

/// The part of the findings that must not change: everything but the numbers in messages, evidence and remedies.
fn essence(record: &Record) -> Vec<Finding> {
    let mut findings = diagnose(record, &Settings::default()).findings;
    for f in &mut findings {
        (f.value, f.message) = (0.0, String::new());
        f.evidence.clear();
        f.remedies.clear();
    }
    findings
}

fn scaled(d: &Distribution, c: f64) -> Distribution {
    Distribution::new(&d.sample().iter().map(|v| v * c as f32).collect::<Vec<_>>())
}

/// The same run with a loss that is c times as large and a learning rate that is c times as small.
fn with_loss_times(mut record: Record, c: f64) -> Record {
    let times = |x: &mut crate::record::Envelope| (x.min, x.max, x.last) = (x.min * c, x.max * c, x.last * c);
    record.header.data.baseline_loss *= c;
    let run = &mut record.header.run;
    // Whatever the gradient is compared with or joined by has its scale.
    (run.training.lr, run.training.weight_decay) = (run.training.lr / c, run.training.weight_decay * c);
    (run.training.clip_norm, run.training.clip_value) =
        (run.training.clip_norm.map(|n| n * c), run.training.clip_value.map(|v| v * c));
    for s in &mut record.steps {
        times(&mut s.loss);
        times(&mut s.grad_l2);
        s.layers.iter_mut().for_each(|l| times(&mut l.grad_l2));
    }
    for e in &mut record.epochs {
        (e.train_loss, e.dev_loss) = (e.train_loss * c, e.dev_loss.map(|l| l * c));
        e.lr /= c;
        e.grad_l2 *= c;
    }
    let captures = record.steps.iter_mut().filter_map(|s| s.capture.as_mut());
    for l in captures.chain(record.epochs.iter_mut().map(|e| &mut e.layers)).flatten() {
        l.weight_grad = l.weight_grad.as_ref().map(|g| scaled(g, c));
        l.bias_grad = l.bias_grad.as_ref().map(|g| scaled(g, c));
        l.output_gradient_l2 = l.output_gradient_l2.map(|s| s * c);
        if let Some(signal) = &mut l.hidden_state_gradient {
            signal.l2.iter_mut().for_each(|s| *s *= c as f32);
        }
        if let Some(activity) = l.activations.as_mut().and_then(|a| a.activity.as_mut()) {
            activity.grad.iter_mut().for_each(|g| *g *= c as f32);
        }
        if let Some(g) = l.steps.as_mut().and_then(|s| s.grad_l2.as_mut()) {
            (g.min, g.median, g.max) = (g.min * c, g.median * c, g.max * c);
        }
    }
    record
}

#[test]
fn scaling_the_loss_changes_no_finding() {
    for (rule, fake) in faulty().into_iter().chain(noted()).chain([("none", Fake::healthy(6))]) {
        for c in [1e-4, 0.5, 3.0, 1e4] {
            let scaled = with_loss_times(fake.record.clone(), c);
            assert_eq!(essence(&fake.record), essence(&scaled), "{rule} times {c}");
        }
    }
}

/// The same ReLU network with a times the weights in its second layer, and a-th parts of them in the
/// third: it computes the same function.
fn with_scale_moved(mut fake: Fake, a: f64) -> Fake {
    for s in &mut fake.record.steps {
        for (i, c) in [(1, a), (2, 1.0 / a)] {
            let l = &mut s.layers[i];
            for (x, c) in [(&mut l.weight_l2, c), (&mut l.update_l2, c), (&mut l.grad_l2, 1.0 / c)] {
                (x.min, x.max, x.last) = (x.min * c, x.max * c, x.last * c);
            }
        }
    }
    for (i, c) in [(1, a), (2, 1.0 / a)] {
        fake.each_capture(i, |_, l| {
            l.weight = scaled(&l.weight, c);
            l.update = l.update.as_ref().map(|u| scaled(u, c));
            l.weight_grad = l.weight_grad.as_ref().map(|g| scaled(g, 1.0 / c));
            if let Some(steps) = &mut l.steps {
                let spreads = [&mut steps.weight_l2, &mut steps.update_l2, &mut steps.grad_l2];
                for (s, c) in spreads.into_iter().zip([c, c, 1.0 / c]) {
                    let Some(s) = s else { continue };
                    (s.min, s.median, s.max) = (s.min * c, s.median * c, s.max * c);
                }
            }
            // Only what lies between the two is on another scale.
            if i == 1 {
                l.bias = l.bias.as_ref().map(|b| scaled(b, c));
                l.bias_grad = l.bias_grad.as_ref().map(|g| scaled(g, 1.0 / c));
                l.output_gradient_l2 = l.output_gradient_l2.map(|s| s / c);
                let activations = l.activations.as_mut().unwrap();
                (activations.pre, activations.post) =
                    (scaled(&activations.pre, c), scaled(&activations.post, c));
                activations.pre_sample_std *= c;
                activations.post_sample_std *= c;
                if let Some(firing) = &mut activations.activation_frequency {
                    firing.max_pre.iter_mut().for_each(|m| *m *= c as f32);
                }
            }
        });
    }
    fake
}

#[test]
fn moving_scale_between_relu_layers_changes_no_finding() {
    let relu = |fake: &Fake| fake.record.header.layers[1].activation == Activation::Relu;
    let all = faulty().into_iter().chain(noted()).chain([("none", Fake::healthy(6))]);
    for (rule, fake) in all.filter(|(_, fake)| relu(fake)) {
        for a in [0.5, 2.0, 4.0] {
            let moved = with_scale_moved(fake.clone(), a);
            // Which layers' weights are of an odd size is a matter of their size.
            let essence = |fake: &Fake| {
                let mut findings = essence(&fake.record);
                findings.iter_mut().filter(|f| f.rule == "init-scale").for_each(|f| f.layers.clear());
                findings
            };
            assert_eq!(essence(&fake), essence(&moved), "{rule} times {a}");
        }
    }
}

#[test]
fn captures_kept_as_a_history_give_the_same_findings() {
    for (rule, fake) in faulty().into_iter().chain(noted()).chain([("none", Fake::healthy(6))]) {
        let mut kept = fake.clone();
        kept.record.epochs.iter_mut().for_each(crate::record::Epoch::compact);
        assert_eq!(essence(&fake.record), essence(&kept.record), "{rule}");
    }
}

#[test]
fn permuting_units_changes_no_finding() {
    for (rule, fake) in faulty().into_iter().chain(noted()) {
        let mut permuted = fake.clone();
        for i in 0..fake.record.header.layers.len() {
            permuted.each_capture(i, |_, l| {
                if let Some(firing) = l.activations.as_mut().and_then(|a| a.activation_frequency.as_mut()) {
                    firing.rate.reverse();
                    firing.max_pre.reverse();
                }
                if let Some(activity) = l.activations.as_mut().and_then(|a| a.activity.as_mut()) {
                    activity.std.reverse();
                    activity.grad.reverse();
                }
            });
        }
        assert_eq!(fake.diagnose().findings, permuted.diagnose().findings, "{rule}");
    }
}

#[test]
fn moving_scale_between_relu_layers_changes_no_elasticity() {
    let a = 50.0;
    let base = VANISHING[1].run(6);
    let mut moved = base.clone();
    let n = |i: usize, f: f64| Norms {
        w: WEIGHTS[i] * f,
        g: VANISHING[1].grads[i] / f,
        u: 0.01 * VANISHING[1].grads[i],
    };
    moved.set_norms(1, |_| n(1, a));
    moved.set_norms(2, |_| n(2, 1.0 / a));
    let ratio = |f: &Fake| f.finding("vanishing-depth").unwrap();
    let (x, y) = (ratio(&base), ratio(&moved));
    assert!((x.value / y.value - 1.0).abs() < 1e-5);
    assert_eq!(x.layers, y.layers);
}

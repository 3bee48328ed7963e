//! Vega-Lite: the L2 norms of weights and gradients over the epochs, a line a layer.

use serde_json::{Value, json};

use super::subject::{Format, Subject};
use crate::report::ReportError;

pub(super) const FORMAT: Format =
    Format { name: "vega", what: "the norms as a Vega-Lite picture", of_findings: false, text };

const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v6.json";

fn text(subject: &Subject) -> Result<String, ReportError> {
    let layers = &subject.summary.layers;
    let mut values = Vec::new();
    for layer in layers {
        for epoch in &layer.epochs {
            let tensors = [("weight", Some(&epoch.weight)), ("gradient", epoch.weight_grad.as_ref())];
            for (tensor, d) in tensors {
                let Some(d) = d else { continue };
                // What a logarithmic axis has no place for stands at its foot, with its name.
                let state = match d.l2 {
                    l2 if l2.is_nan() => "NaN",
                    l2 if l2.is_infinite() => "infinite",
                    0.0 => "zero",
                    _ => "number",
                };
                let l2 = (state == "number").then_some(d.l2);
                values.push(json!({
                    "layer": layer.name, "tensor": tensor, "epoch": epoch.epoch, "l2": l2, "state": state,
                }));
            }
        }
    }
    let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
    let spec = spec(&names, values, &subject.summary.run.settings.model);
    let mut text = serde_json::to_string_pretty(&spec).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn spec(names: &[&str], values: Vec<Value>, model: &str) -> Value {
    let tooltip =
        json!([{"field": "layer"}, {"field": "epoch"}, {"field": "l2", "format": ".3g"}, {"field": "state"}]);
    // Forward order, which is what the names are to be read in.
    let color = json!({
        "field": "layer", "type": "nominal", "sort": names, "scale": {"domain": names, "scheme": "viridis"},
    });
    let epoch = json!({"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1}});
    json!({
        "$schema": SCHEMA,
        "title": format!("L2 norms of {model}"),
        "data": {"values": values},
        "facet": {"row": {"field": "tensor", "sort": ["weight", "gradient"], "title": null}},
        "resolve": {"scale": {"y": "independent"}},
        "spec": {
            "width": 600,
            "height": 220,
            "encoding": {"x": epoch, "color": color, "tooltip": tooltip},
            "layer": [
                {
                    "transform": [{"filter": "datum.state === 'number'"}],
                    "mark": {"type": "line", "point": true},
                    "encoding": {
                        "y": {"field": "l2", "type": "quantitative", "scale": {"type": "log"}, "title": "L2 norm"},
                    },
                },
                {
                    "transform": [{"filter": "datum.state !== 'number'"}],
                    "mark": {"type": "point", "size": 60},
                    "encoding": {
                        "y": {"value": "height"},
                        "shape": {
                            "field": "state",
                            "scale": {"domain": ["zero", "infinite", "NaN"], "range": ["triangle-down", "triangle-up", "cross"]},
                        },
                    },
                },
            ],
        },
    })
}

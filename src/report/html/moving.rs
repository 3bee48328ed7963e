//! The data that the page's script moves: every quantity and every violin at the epochs that are drawn, as JSON.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::text::Names;
use crate::plot::{Animation, Timeline};
use crate::report::RunReport;

/// Significant digits of a number that a tooltip shows.
const DIGITS: usize = 6;

#[derive(Serialize)]
struct Data<'a> {
    epochs: &'a [u64],
    layers: Vec<Row>,
    quantities: Vec<Quantity<'a>>,
    pictures: BTreeMap<&'a str, &'a Animation>,
}

#[derive(Serialize)]
struct Row {
    layer: usize,
    name: String,
    units: u64,
    flagged: bool,
}

#[derive(Serialize)]
struct Quantity<'a> {
    key: &'static str,
    name: &'static str,
    meaning: &'static str,
    low: f64,
    high: f64,
    log: bool,
    values: Vec<Vec<Value<'a>>>,
}

/// A number as short as a tooltip shows it; what is not finite is a word.
struct Value<'a>(&'a Option<f64>);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(v) if v.is_nan() => serializer.serialize_str("NaN"),
            Some(v) if v.is_infinite() => {
                serializer.serialize_str(if *v > 0.0 { "Infinity" } else { "-Infinity" })
            }
            // What was written by the same machine is read again.
            Some(v) => serializer.serialize_f64(format!("{v:.*e}", DIGITS - 1).parse().unwrap_or(*v)),
        }
    }
}

/// The JSON, in which nothing can end the element that it stands in.
pub(super) fn json(
    timeline: &Timeline,
    report: &RunReport,
    names: &Names,
) -> Result<String, serde_json::Error> {
    let mut layers = Vec::with_capacity(timeline.layers.len());
    for index in &timeline.layers {
        let layer = &report.record.header.layers[*index];
        layers.push(Row {
            layer: *index,
            name: names.layer(layer),
            units: layer.units,
            flagged: report.flagged.contains(&layer.name),
        });
    }
    let quantities = timeline.series.iter().map(|series| Quantity {
        key: series.quantity.key,
        name: series.quantity.name,
        meaning: series.quantity.meaning,
        low: series.extent.low,
        high: series.extent.high,
        log: series.extent.log,
        values: series.values.iter().map(|row| row.iter().map(Value).collect()).collect(),
    });
    let figures = report.figures.iter();
    let data = Data {
        epochs: &timeline.epochs,
        layers,
        quantities: quantities.collect(),
        pictures: figures.filter_map(|f| Some((f.name.as_str(), f.animation.as_ref()?))).collect(),
    };
    Ok(harmless(&serde_json::to_string(&data)?))
}

/// The same JSON without a character that means something to HTML.
fn harmless(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_element_and_no_number_is_lost() {
        assert_eq!(harmless(r#"["</script>&"]"#), r#"["\u003c/script\u003e\u0026"]"#);
        let values = [Some(0.123_456_789), Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1e-300), None];
        let json = serde_json::to_string(&values.iter().map(Value).collect::<Vec<_>>()).unwrap();
        assert_eq!(json, r#"[0.123457,"NaN","-Infinity",1e-300,null]"#);
    }
}

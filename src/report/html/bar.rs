//! A number as a bar: against its limit, or along an axis that a column has in common.

use askama::Template;

use crate::text::number;

/// Values this many times apart are told apart better on a logarithmic axis.
const DECADE: f64 = 10.0;
/// Share of a linear axis that is left free beyond the larger of value and limit.
const MARGIN: f64 = 0.2;

/// The color of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The color of data.
    Plain,
    /// The color of what a finding is about.
    Alarm,
}

/// A horizontal bar; positions are percentages of its width.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "bar.html")]
pub struct Bar {
    /// The left end, in percent.
    pub start: String,
    /// The length, in percent.
    pub length: String,
    /// Where the limit stands.
    pub limit: Option<String>,
    /// In the alarm colour.
    pub alarm: bool,
    /// Half as high.
    pub thin: bool,
    /// Its value in words; `None` where the number stands beside it.
    pub description: Option<String>,
}

/// A bar of a value against its limit, with the scale in words; `None` where one of them is not
/// finite.
pub fn against(value: f64, limit: f64, tone: Tone) -> Option<(Bar, String)> {
    if !(value.is_finite() && limit.is_finite()) {
        return None;
    }
    let (low, high) = (value.min(limit), value.max(limit));
    let (place, scale): (Box<dyn Fn(f64) -> f64>, String) = if low > 0.0 && high / low >= DECADE {
        let first = low.log10().floor() - 1.0;
        // A share has its natural end at 1.
        let last = if high <= 1.0 { 0.0 } else { high.log10().ceil() + 1.0 };
        let ends = [first, last].map(|e| number(10f64.powf(e)));
        (
            Box::new(move |x| if x > 0.0 { (x.log10() - first) / (last - first) } else { 0.0 }),
            format!("log scale, {} to {}", ends[0], ends[1]),
        )
    } else {
        let (from, to) = (low.min(0.0) * (1.0 + MARGIN), high.max(0.0) * (1.0 + MARGIN));
        let range = if to > from { to - from } else { 1.0 };
        let ends = [from, from + range].map(number);
        (Box::new(move |x| (x - from) / range), format!("linear scale, {} to {}", ends[0], ends[1]))
    };
    let (zero, end) = (place(0.0), place(value));
    let description = format!("{} against a limit of {}; {scale}", number(value), number(limit));
    let bar = Bar {
        start: percent(zero.min(end)),
        length: percent((end - zero).abs()),
        limit: Some(percent(place(limit))),
        alarm: tone == Tone::Alarm,
        thin: false,
        description: Some(description),
    };
    Some((bar, scale))
}

impl Bar {
    /// From the left end to this share of the width; the number stands beside it.
    pub fn from_zero(length: f64, limit: Option<f64>, tone: Tone) -> Self {
        let limit = limit.filter(|l| (0.0..1.0).contains(l)).map(percent);
        Self {
            start: percent(0.0),
            length: percent(length),
            limit,
            alarm: tone == Tone::Alarm,
            thin: false,
            description: None,
        }
    }

    /// To stand beneath a number.
    pub fn thin(self) -> Self {
        Self { thin: true, ..self }
    }
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_decades_apart_are_shown_on_a_logarithmic_axis() {
        let (bar, scale) = against(1e-5, 1e-3, Tone::Alarm).unwrap();
        assert_eq!(scale, "log scale, 1e-6 to 1");
        assert_eq!((bar.length.as_str(), bar.limit.as_deref()), ("16.7%", Some("50%")));
    }

    #[test]
    fn a_value_near_its_limit_or_on_the_other_side_of_zero_is_shown_on_a_linear_one() {
        let (bar, _) = against(1.0, 1.0, Tone::Alarm).unwrap();
        assert_eq!((bar.start.as_str(), bar.length.as_str()), ("0%", "83.3%"));
        let (bar, _) = against(-8.0, 0.0, Tone::Alarm).unwrap();
        assert_eq!((bar.start.as_str(), bar.length.as_str()), ("16.7%", "83.3%"));
        assert_eq!(bar.limit.as_deref(), Some("100%"));
        let (bar, _) = against(0.0, 0.0, Tone::Alarm).unwrap();
        assert_eq!((bar.start.as_str(), bar.length.as_str()), ("0%", "0%"));
    }

    #[test]
    fn what_is_not_finite_has_no_bar() {
        assert_eq!(against(f64::NAN, 1.0, Tone::Alarm), None);
        assert_eq!(against(f64::INFINITY, 1.0, Tone::Alarm), None);
    }
}
